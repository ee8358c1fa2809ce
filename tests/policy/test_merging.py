"""Merging by lines: held against Git's own, and against what must hold of any merge."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.policy.merging import Clash, merged

lines = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n", "e\r\n", "f\r\n"]), max_size=9)
Edit = tuple[int, int, list[str]]
edits = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.lists(st.sampled_from(["x\n", "y\n"]))), max_size=2)


def edited(base: Sequence[str], changes: Sequence[Edit]) -> str:
    made = list(base)
    for at, gone, new in changes:
        made[at : at + gone] = new
    return "".join(made)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("merged")


@settings(max_examples=150)
@given(lines, edits, edits)
def test_where_git_merges_without_a_conflict_it_is_the_same(
    folder: Path, base: list[str], ours: list[Edit], theirs: list[Edit]
) -> None:
    texts = {"base": "".join(base), "ours": edited(base, ours), "theirs": edited(base, theirs)}
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    command = ["git", "merge-file", "-p", *(str(folder / name) for name in ("ours", "base", "theirs"))]
    done = subprocess.run(command, capture_output=True, check=False)
    text, clashes = merged(texts["base"], texts["ours"], texts["theirs"])
    if done.returncode == 0 and len(set(base)) == len(base):  # else Git may pair other lines that are alike
        assert (text, clashes) == (done.stdout.decode(), ())


@given(lines, edits, edits, st.booleans())
def test_what_only_one_side_has_changed_comes_out_byte_for_byte(
    base: list[str], ours: list[Edit], theirs: list[Edit], first: bool
) -> None:
    old, one, other = "".join(base), edited(base, ours), edited(base, theirs)
    assert merged(old, old, other, ours_first=first) == (other, ())
    assert merged(old, one, old, ours_first=first) == (one, ())
    assert merged(old, one, one, ours_first=first) == (one, ())


@given(lines, edits, lines, edits, st.booleans())
def test_changes_in_different_places_both_happen(
    head: list[str], ours: list[Edit], tail: list[str], theirs: list[Edit], first: bool
) -> None:
    between = ["-- one\n", "-- two\n"]
    made, clashes = merged(
        "".join([*head, *between, *tail]),
        "".join([edited(head, ours), *between, *tail]),
        "".join([*head, *between, edited(tail, theirs)]),
        ours_first=first,
    )
    assert (made, clashes) == ("".join([edited(head, ours), *between, edited(tail, theirs)]), ())


def test_lines_put_in_at_the_same_place_stand_in_either_order() -> None:
    base, ours, theirs = "1\n2\n", "1\nmine\n2\n", "1\nold\n2\n"
    assert merged(base, ours, theirs) == ("1\nold\nmine\n2\n", ())
    assert merged(base, ours, theirs, ours_first=True) == ("1\nmine\nold\n2\n", ())


@pytest.mark.parametrize(
    ("ours", "clash"),
    [
        ("1\n2\nmine\n4\n5\n", Clash(3, 3)),
        ("0\n1\n2\nmine\nmine too\n4\n5\n", Clash(4, 5)),
        ("1\n2\n4\n5\n", Clash(3, 2)),
        ("mine\n", Clash(1, 1)),
    ],
)
def test_lines_that_both_have_changed_are_named_as_they_stand_in_ours(ours: str, clash: Clash) -> None:
    text, clashes = merged("1\n2\n3\n4\n5\n", ours, "1\n2\nold\n4\n5\n")
    assert clashes == (clash,)
    assert text == ours


@pytest.mark.parametrize(
    ("ours", "theirs", "made"),
    [
        ('["a", "c"]', '["a", "b"]', '["a", "b", "c"]'),
        ('["c", "a"]', '["a", "b"]', '["c", "a", "b"]'),
        ('["a"]   # kept, by kim', '["b", "a"]', '["b", "a"]   # kept, by kim'),
        ('["c"]', '["a", "b"]', '["c", "b"]'),
        ('["c"]', '["b"]', None),
    ],
)
def test_a_line_that_both_have_edited_is_merged_by_its_words(ours: str, theirs: str, made: str | None) -> None:
    base, one, other = (f"x:\n  actions: {said}\ny\n" for said in ('["a"]', ours, theirs))
    text, clashes = merged(base, one, other)
    assert clashes == (() if made else (Clash(2, 2),))
    assert text == (f"x:\n  actions: {made}\ny\n" if made else one)


def test_long_texts_take_no_time() -> None:
    old = [f"  - service: aws\n    actions: [a{i}]\n    resources: ['x']\n" for i in range(3_000)]
    ours = [f"{one}# {i}\n" if i % 50 == 7 else one for i, one in enumerate(old)]
    theirs = [one for i, one in enumerate(old) if i % 50 != 31]
    made, clashes = merged("".join(old), "".join(ours), "".join(theirs))
    assert not clashes
    assert made == "".join(one for i, one in enumerate(ours) if i % 50 != 31)
