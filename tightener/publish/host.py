"""Where a proposal is put before people: the local Git repository, or GitHub. One small protocol for both.

A host says what there is, and carries out what was decided; it decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from tightener.errors import TightenerError
from tightener.publish.commit import Seal


class Again(TightenerError):
    """A write came too late, or may or may not have arrived: look again, and decide anew."""


@dataclass(frozen=True, slots=True)
class Base:
    """The branch that a pull request asks to change, and Git's name of the policy file there ('' = it is not there)."""

    branch: str
    commit: str
    blob: str


@dataclass(frozen=True, slots=True)
class Tip:
    """The last commit of a pull request's branch, with Git's name of the policy file in it.

    With a seal, tightener made it and nobody has changed it since then; else it is a person's.
    """

    commit: str
    blob: str
    seal: Seal | None


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request. `dressed`: it has its labels, so nothing is missing behind an interruption."""

    name: str  # #7, or a file's name
    place: str  # where to read it
    body: str
    dressed: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """A pull request that was closed, or merged, on a day. `said`: what a person wrote last."""

    name: str
    body: str
    day: date
    merged: bool
    head: str = ""
    said: str = ""
    merge: str = ""  # the commit that merging made of the base, '' where that is not known
    before: str = ""  # the one that the base was at until then, where it is known already


@dataclass(frozen=True, slots=True)
class Landed:
    """A merge: when, and the policy file just before and just after it; None = it was not there."""

    at: datetime
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Seen:
    """All that there is about one policy file."""

    base: Base
    tip: Tip | None = None
    open: PullRequest | None = None
    ended: tuple[Ended, ...] = ()
    others_open: int = 0  # pull requests of the same kind about other files


@dataclass(frozen=True, slots=True)
class Draft:
    """What should be proposed for one policy file. Without `changes`, nothing: then `why` says so."""

    path: str  # in the repository
    branch: str
    changes: int
    content: bytes
    blob: str  # Git's name of the content
    title: str
    message: str  # of the commit
    body: str
    unsure: bool  # the evidence is thin: as a draft
    why: str = ""
    risk: float = 0.0  # that it removes


class Kind(StrEnum):
    """What becomes of a pull request."""

    OPENED = "opened"
    REFRESHED = "refreshed"
    UNCHANGED = "unchanged"
    CLOSED = "closed"
    CLEARED = "branch removed"  # one without a pull request
    HANDS_OFF = "left to people"
    WAITING = "waiting"  # too many are open
    NOTHING = "nothing to propose"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `parents`: of the commit to make; none = no commit is needed."""

    kind: Kind
    why: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done for one policy file."""

    path: str
    branch: str
    kind: Kind
    why: str
    place: str = ""
    changes: int = 0
    notes: tuple[str, ...] = ()


class Host(Protocol):
    """A place for pull requests."""

    def look(self, path: str, branch: str) -> Seen:
        """What there is about one policy file. Raises TightenerError where the host cannot be asked."""

    def carry_out(self, plan: Plan, draft: Draft, seen: Seen) -> tuple[str, Sequence[str]]:
        """Does what was decided; returns where the pull request is, and sentences on what else a person should know.

        Raises Again where something else has happened meanwhile; whatever was done until then stands, and looking again
        shows it.
        """

    def landed(self, path: str, ended: Ended) -> Landed | None:
        """What merging a pull request did to a file; None where that is not known (any more)."""

    def reviewers(self, path: str) -> Sequence[str]:
        """Who owns the file, by CODEOWNERS; nobody where nothing says so."""
