"""The seal on tightener's own commits: by it, whatever anybody else has done to a branch is noticed.

It is the last line of the message and names what the commit was made on, and the tree that it must have. A commit of a
person's has no seal, or one that does not fit its tree: amended, rebased and merged ones too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_MOST_OWN = 60  # commits of one pull request: more than a year of weeks
_SEAL = re.compile(r"^Tightener-Seal: base ([0-9a-f]+) policy ([0-9a-f]+) tree ([0-9a-f]+)$")


@dataclass(frozen=True, slots=True)
class Seal:
    """What a commit was made on: the base's commit, and the policy file there."""

    base: str
    policy: str


def sealed(message: str, base: str, policy: str, tree: str) -> str:
    """A commit's message with its seal."""
    return f"{message.rstrip()}\n\nTightener-Seal: base {base} policy {policy} tree {tree}\n"


def opened(message: str, tree: str) -> Seal | None:
    """The seal of a commit with this message and tree; None where it is not tightener's, or no longer."""
    found = _SEAL.match(message.rstrip().rpartition("\n")[2])
    return Seal(found[1], found[2]) if found and found[3] == tree else None


def claimed(message: str) -> Seal | None:
    """What a commit's message says that it was made on, whether or not the seal still fits: rebasing breaks it."""
    found = _SEAL.match(message.rstrip().rpartition("\n")[2])
    return Seal(found[1], found[2]) if found else None


def just_before(merge: str, head: str, look: Callable[[str], tuple[Sequence[str], str]]) -> str:
    """The commit that the base was at before a pull request was merged; '' where there is none.

    In: the commit that the merge made of the base, the branch's last one, and what tells a commit's parents and
    message. Where the base was only moved to the branch's last commit, its seal names the base. Otherwise it is the
    first one behind the merge that is none of the branch's own, replayed or not: those name a base in their seal.
    """
    parents, message = look(merge)
    base = _SEAL.match(message.rstrip().rpartition("\n")[2])
    if base and merge == head:
        return base[1]
    at = parents[0] if parents else ""
    for _ in range(_MOST_OWN if base else 0):
        if not at or (base and at == base[1]):
            break
        parents, message = look(at)
        if not _SEAL.match(message.rstrip().rpartition("\n")[2]):
            break
        at = parents[0] if parents else ""
    return at


TIGHTEN, REQUEST, RESTORE = "tightener", "tightener-request", "tightener-restore"  # the folders of our branches


def branch_of(path: str) -> str:
    """The branch of a policy file: readable, the same every week, and another for every path."""
    return f"{TIGHTEN}/{_name(path)}"


def revert_branch_of(path: str) -> str:
    """The branch on which something is put back into a policy file: one at a time."""
    return f"{TIGHTEN}/revert-{_name(path)}"


def _name(path: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-").lower()[-40:].strip("-")
    return f"{readable}-{hashlib.sha256(path.encode()).hexdigest()[:6]}"


def branch_about(kind: str, path: str, what: Iterable[str]) -> str:
    """The branch of a pull request about one thing in a policy file: the same for the same thing, and never the file's
    own, so that neither is counted or refreshed as the other."""
    named = hashlib.sha256("\0".join(what).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{kind}/{start_of(kind, path)}{named}"


def start_of(kind: str, path: str) -> str:
    """How the names of all branches of a kind begin that are about one policy file, behind their folder."""
    return f"{branch_of(path).removeprefix(TIGHTEN).lstrip('/')}-{kind.removeprefix(TIGHTEN).lstrip('-')}-"


def folder_of(branch: str) -> str:
    """The folder that a branch of ours lies in: which kind of pull request it is."""
    return branch.partition("/")[0]


def is_ours(branch: str) -> bool:
    """Whether a branch is one of a pull request of ours."""
    return "/" in branch and folder_of(branch) in {TIGHTEN, REQUEST, RESTORE}
