"""Who proposed, reviewed and merged each change of a policy file, as far as Git tells.

Git proves that a text stood in a commit; names and trailers are what the commit says. Nothing is guessed: where the
history does not say who merged, the change says that.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from tightener.errors import TightenerError
from tightener.policy.history import MAX_REVISIONS, known
from tightener.publish.commit import opened
from tightener.publish.git import Git, repository_of

_FORMAT = "%an <%ae>%x00%cn <%ce>%x00%ct%x00%T%x00%P%x00%B"
_TRAILER = re.compile(
    r"^(requested|reviewed|approved|acked|co-authored)-by:[ \t]*(\S.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_REVIEWS = ("reviewed", "approved", "acked")
_EMAIL = re.compile(r"<([^<>]*)>\s*$")
_WEB = "noreply@github.com"  # commits for whoever pressed the button on GitHub


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a policy file on the main line of history. People as `Name <address>`."""

    file: str
    commit: str
    day: date
    subject: str
    proposed_by: tuple[str, ...]  # the merger among them, where the merge itself is an edit
    with_authors: tuple[str, ...]  # Co-authored-by
    requested_by: tuple[str, ...]
    reviewed_by: tuple[str, ...]  # trailers; of nobody who proposed it
    merged_by: str  # '' = Git does not say
    sealed: bool  # tightener's own commit, unaltered, is in it
    second_person: bool  # somebody who did not propose it merged it, or reviewed what GitHub merged for somebody
    unknown: str  # what could not be known, in a sentence; '' = nothing


@dataclass(frozen=True, slots=True)
class History:
    """The changes of one file, newest first, and what is not among them."""

    file: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Commit:
    name: str
    author: str
    committer: str
    moment: datetime
    parents: tuple[str, ...]
    message: str
    sealed: bool


def history(file: str) -> History:
    """The changes of a policy file. Raises TightenerError (`git-failed`) where Git breaks off between two answers."""
    try:
        git, path = repository_of(Path(file))
    except TightenerError as error:
        return History(file, (), (f"who changed it cannot be known: {error.message}",))
    wanted = ["--follow", "--first-parent", "-m", f"-n{MAX_REVISIONS}", "--no-show-signature", "-z"]
    listed = _revisions(git.ask("log", *wanted, "--name-only", "--format=%x01%H", "--", path) or "")
    notes = []
    seen = known(Path(file))
    if not listed or seen is None:
        return History(file, (), ("who changed it cannot be known: it was never committed",))
    if seen.changed:
        notes.append("it differs from the last commit: who changed it since then cannot be known")
    if seen.cut:
        notes.append("the clone is shallow: there may be older changes")
    if len(listed) == MAX_REVISIONS:
        notes.append(f"only the last {MAX_REVISIONS} changes were looked at")
    # A revision may have renamed the file: the one before it tells what it was called until then.
    names = [(path, *others) for (_, path), others in zip(listed, [*((p,) for _, p in listed[1:]), ()], strict=True)]
    made = (_change(git, file, called, name) for (name, _), called in zip(listed, names, strict=True))
    return History(file, tuple(made), tuple(notes))


def _revisions(shown: str) -> list[tuple[str, str]]:
    """Commit and the file's name there, newest first."""
    found = []
    for entry in shown.split("\x01")[1:]:
        commit, _, names = entry.partition("\0")
        found.append((commit.strip(), names.strip("\0\n").split("\0")[0]))
    return found


def _change(git: Git, file: str, paths: Sequence[str], name: str) -> Change:
    one = _commit(git, name)
    inner = []
    if len(one.parents) > 1:
        brought = git.must("log", "--no-show-signature", "--reverse", "--format=%H", name, f"^{name}^1", "--", *paths)
        inner = [_commit(git, other) for other in brought.split() if other != name]
    edited = bool(inner) and not _mere(git, one, paths)
    proposers = tuple(dict.fromkeys(other.author for other in [*inner, *([one] if edited or not inner else [])]))
    said = [pair for commit in (*inner, one) for pair in _TRAILER.findall(commit.message)]
    helpers = _named(said, ("co-authored",))
    own = {mark for who in (*proposers, *helpers) for mark in _marks(who)}
    reviewers = tuple(who for who in _named(said, _REVIEWS) if _another(who, own))
    lander = one.author if inner else one.committer
    if _address(lander) == _WEB:
        lander = ""
    unknown = []
    if not lander:
        unknown.append("merged on GitHub by somebody whom Git does not name")
    elif edited:
        unknown.append("the merge is not what Git makes of its sides: its author may have edited the policy")
    elif len(one.parents) > 1 and not inner:
        unknown.append("the merge itself changed the policy")
    elif not inner and not _another(lander, own):
        unknown.append("no merge commit: whether it was a pull request cannot be known")
    if not reviewers:
        unknown.append("no trailer names a reviewer")
    elif not inner or not _named(_TRAILER.findall(one.message), _REVIEWS):
        unknown.append("the review is named by the proposer's own commit alone")
    return Change(
        file=file,
        commit=name,
        day=one.moment.date(),
        subject=one.message.partition("\n")[0],
        proposed_by=proposers,
        with_authors=helpers,
        requested_by=_named(said, ("requested",)),
        reviewed_by=reviewers,
        merged_by=lander,
        sealed=any(commit.sealed for commit in (*inner, one)),
        second_person=_another(lander, own) if lander else bool(reviewers),
        unknown="; ".join(unknown),
    )


def _commit(git: Git, name: str) -> _Commit:
    shown = git.must("show", "-s", "--no-show-signature", "--encoding=UTF-8", f"--format={_FORMAT}", name)
    author, committer, seconds, tree, parents, message = shown.split("\0", 5)
    return _Commit(
        name,
        author,
        committer,
        datetime.fromtimestamp(int(seconds), UTC),
        tuple(parents.split()),
        message,
        opened(message, tree) is not None,
    )


def _named(said: Sequence[tuple[str, str]], keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(who for key, who in said if key.lower() in keys))


def _mere(git: Git, merge: _Commit, paths: Sequence[str]) -> bool:
    """Whether a merge left the file as Git would merge it: then nothing in it is the merger's own.

    Made with temporary files, so that nothing is written into the repository. What Git cannot merge by itself, and a
    merge of more than two sides, is no mere merge.
    """
    first, *others = merge.parents
    base = git.ask("merge-base", first, others[0])
    if len(others) != 1 or base is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        sides = [Path(folder) / side for side in ("ours", "base", "theirs")]
        for side, commit in zip(sides, (first, base, others[0]), strict=True):
            side.write_bytes(f"{_text(git, commit, paths)}\n".encode())
        merged = git.ask("merge-file", "-p", "-q", *map(str, sides))
    return merged == _text(git, merge.name, paths)


def _text(git: Git, commit: str, paths: Sequence[str]) -> str:
    """The file in a commit, under the first of its names that is there; '' where none is."""
    found = (git.ask("cat-file", "blob", f"{commit}:{path}") for path in paths)
    return next((text for text in found if text is not None), "")


def _another(who: str, own: Collection[str]) -> bool:
    """Whether somebody is surely none of those with these marks."""
    marks = _marks(who)
    return bool(marks) and marks.isdisjoint(own)


def _marks(who: str) -> set[str]:
    """What people are told apart by: address and name. One in common is enough to be taken for the same, because one
    person with two addresses (GitHub's own is a second one) must not pass for a second person."""
    return {_address(who), _EMAIL.sub("", who).strip().casefold()} - {""}


def _address(who: str) -> str:
    """What tells two people apart: the address, else all that is said of them."""
    found = _EMAIL.search(who)
    return (found[1] if found else who).strip().casefold()
