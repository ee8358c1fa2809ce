"""What a merge made of a policy file: its text before and after, however it was merged.

A merge and a squash have the base before them as their first parent. A rebase, and a fast-forward in a local
repository, leave tightener's own commits on the base, one for each refresh: their seals name the base that they were
made on (`publish.commit`), so that all of them are undone and not only the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tightener.errors import TightenerError
from tightener.publish import record
from tightener.publish.commit import Seal, claimed, opened
from tightener.publish.git import Git
from tightener.publish.host import Ended

_MOST = 200  # refreshes, or merges that are looked at


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. `tree`: Git's name of its files."""

    name: str
    parents: tuple[str, ...]
    message: str
    tree: str


class History(Protocol):
    """Commits and the files in them."""

    def commit(self, name: str) -> Commit:
        """A commit by its full name. Raises TightenerError where it is not there."""

    def file(self, commit: str, path: str) -> bytes | None:
        """A file's bytes in a commit, as Git stores them; None where it is not there."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What was merged. `title`: how people call it; `body`: the pull request's, '' where it is not known."""

    title: str
    commit: str
    before: str
    after: str
    body: str = ""


def texts(history: History, name: str, path: str) -> tuple[str, str] | None:
    """The file before and after a merge (or any commit), None where it is the same or was not there.

    Raises TightenerError (`unreadable`) for what is not UTF-8, and what the history raises.
    """
    commit = history.commit(name)
    start = _start(history, commit)
    before, after = (history.file(at, path) if at else None for at in (start, name))
    if before is None or after is None or before == after:
        return None
    return _decoded(before, path), _decoded(after, path)


def _start(history: History, commit: Commit) -> str:
    """The commit that a merge was made on, '' where there is none."""
    seal = opened(commit.message, commit.tree)
    if seal:
        return seal.base
    first = commit.parents[0] if commit.parents else ""
    said = claimed(commit.message)
    if len(commit.parents) != 1 or said is None:
        return first
    for _ in range(_MOST):  # rebased: as many as were made on one base
        if not first:
            return ""
        above = history.commit(first)
        if len(above.parents) != 1 or not _same(claimed(above.message), said):
            return first
        first = above.parents[0]
    return first


def _same(one: Seal | None, other: Seal) -> bool:
    return one is not None and one == other


def _decoded(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TightenerError(f"{path} was not UTF-8 then (byte {error.start})", slug="unreadable") from error


@dataclass(frozen=True, slots=True)
class LocalHistory:
    """The commits of a repository at hand."""

    git: Git

    def commit(self, name: str) -> Commit:
        """A commit. Raises TightenerError (`git-failed`)."""
        said = self.git.must("show", "-s", "--no-show-signature", "--format=%H%n%P%n%T%n%B", name)
        full, parents, tree, message = said.split("\n", 3)
        return Commit(full, tuple(parents.split()), message, tree)

    def file(self, commit: str, path: str) -> bytes | None:
        """A file's bytes."""
        return self.git.content(commit, path)

    def named(self, what: str) -> str:
        """The full name of the commit that somebody means, '' where there is none."""
        if what.startswith("-"):  # which Git would take for an option
            return ""
        return self.git.ask("rev-parse", "--verify", "--quiet", f"{what}^{{commit}}") or ""

    def is_in(self, commit: str, base: str) -> bool:
        """Whether a commit is in the history of another."""
        return self.git.ask("merge-base", "--is-ancestor", commit, base) is not None

    def merge_of(self, blob: str, base: str, path: str) -> str:
        """The newest commit of the base's main line that brought in a file of this name of Git's, '' if none did."""
        found = self.git.ask("rev-list", "--first-parent", f"--max-count={_MOST}", base, "--", path) or ""
        for name in found.split():
            parents = self.commit(name).parents
            if blob in {self.git.blob(one, path) for one in (name, *parents[1:])}:
                return name
        return ""


def told_by(ended: Sequence[Ended], blobs: Sequence[str]) -> Ended | None:
    """The newest merged pull request that proposed one of these files (Git's names), None where none is known."""
    for one in sorted(ended, key=lambda one: one.day, reverse=True):
        known = record.read(one.body)
        if one.merged and known and known.blob in blobs:
            return one
    return None
