"""Where the base was before a merge, however it was merged; and branches that name their kind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tightener.publish.commit import (
    REQUEST,
    RESTORE,
    branch_about,
    branch_of,
    folder_of,
    just_before,
    sealed,
    start_of,
)

Graph = dict[str, tuple[Sequence[str], str]]
A, B, C = "a" * 40, "b" * 40, "c" * 40  # of the base
ONE, TWO = "1" * 40, "2" * 40  # of a pull request's branch
R1, R2, M = "d" * 40, "e" * 40, "f" * 40  # what merging made


def ours(base: str) -> str:
    return sealed("Tighten", base, "0" * 40, "9" * 40)


BASE: Graph = {A: ([], "start"), B: ([A], "more"), C: ([B], "more yet")}


@pytest.mark.parametrize(
    ("made", "merge", "head", "before"),
    [
        ({ONE: ([A], ours(A)), M: ([A, ONE], "Merge")}, M, ONE, A),
        ({ONE: ([A], ours(A)), M: ([B, ONE], "Merge")}, M, ONE, B),
        ({ONE: ([A], ours(A))}, ONE, ONE, A),  # the base was moved to the branch
        ({ONE: ([A], ours(A)), TWO: ([ONE], ours(A))}, TWO, TWO, A),
        ({ONE: ([A], ours(A)), TWO: ([ONE, B], ours(B))}, TWO, TWO, B),  # the base had been merged in
        ({ONE: ([A], ours(A)), M: ([C], ours(A))}, M, ONE, C),  # squashed, the message kept
        ({ONE: ([A], ours(A)), M: ([C], "Tighten (#1)")}, M, ONE, C),  # squashed, another message
        ({R1: ([C], ours(A)), R2: ([R1], ours(A))}, R2, TWO, C),  # replayed
        ({R1: ([A], ours(A)), R2: ([R1], ours(R1))}, R2, TWO, R1),  # behind another pull request that was replayed
        ({A: ([], ours(A))}, A, ONE, ""),
    ],
)
def test_the_commit_before_a_merge(made: Graph, merge: str, head: str, before: str) -> None:
    graph = {**BASE, **made}
    assert just_before(merge, head, graph.__getitem__) == before


def test_it_does_not_walk_for_ever() -> None:
    assert just_before(ONE, TWO, lambda _: ([ONE], ours(A))) == ONE


def test_a_kind_of_pull_request_has_a_folder_of_its_own() -> None:
    path = "policies/a b.yaml"
    names = [branch_of(path), *(branch_about(kind, path, ["a", "git push"]) for kind in (REQUEST, RESTORE))]
    assert len({folder_of(one) for one in names}) == 3
    assert len({one.rpartition("/")[2] for one in names}) == 3  # the local files' names
    assert branch_about(REQUEST, path, ["a", "b"]) != branch_about(REQUEST, path, ["ab", ""])
    assert all(
        one.rpartition("/")[2].startswith(start_of(kind, path))
        for kind, one in zip((REQUEST, RESTORE), names[1:], strict=True)
    )
