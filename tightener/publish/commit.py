"""The seal on tightener's own commits: by it, whatever anybody else has done to a branch is noticed.

It is the last line of the message and names what the commit was made on, and the tree that it must have. A commit of a
person's has no seal, or one that does not fit its tree: amended, rebased and merged ones too.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

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


def branch_of(path: str) -> str:
    """The branch of a policy file: readable, the same every week, and another for every path."""
    return f"tightener/{_name(path)}"


def revert_branch_of(path: str) -> str:
    """The branch on which something is put back into a policy file: one at a time."""
    return f"tightener/revert-{_name(path)}"


def _name(path: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-").lower()[-40:].strip("-")
    return f"{readable}-{hashlib.sha256(path.encode()).hexdigest()[:6]}"
