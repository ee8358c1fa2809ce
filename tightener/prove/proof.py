"""The two proofs that every edit and the whole proposal must pass: never wider, and nothing in use lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tightener.model import AgentPolicy, Rule
from tightener.policy.verify import Verdict, compare_policies
from tightener.prove.replay import Exercised, Lost, replay


@dataclass(frozen=True, slots=True)
class Proof:
    """What was shown about one pair of policies of one agent."""

    containment: Verdict
    replayed: int
    lost: tuple[Lost, ...]
    moved: int = 0  # distinct requests that move from allowed to needs_approval, as a suggestion says

    @property
    def holds(self) -> bool:
        """Both proofs succeeded; "not proven" is a failure."""
        return self.containment.kind == "contained" and not self.lost

    @property
    def reason(self) -> str:
        """Why it does not hold, in one sentence; '' where it does."""
        if self.containment.kind == "wider":
            seen = self.containment.witness
            request = f" {seen.service} {seen.action} {seen.resource} {seen.branch}".rstrip() if seen else ""
            change = f": {seen.old.value} becomes {seen.new.value}" if seen else ""
            return f"it would widen the policy:{request}{change}"
        if self.containment.kind != "contained":
            return f"containment was not proven: {self.containment.reason}"
        if self.lost:
            one = self.lost[0]
            what = f"{one.service} {one.action} {one.resource} {one.branch}".rstrip()
            return f"{len(self.lost)} requests in use would lose their level, such as {what}"
        return ""


def prove(
    old: AgentPolicy,
    new: AgentPolicy,
    requests: Exercised,
    moment: datetime,
    only: Iterable[tuple[str, str]] | None = None,
    moved: Iterable[Rule] = (),
) -> Proof:
    """Proves one change. `only` says which (service, action) pairs it can concern; None = replay everything.

    `moved` are the approval rules to which the change says that it moves requests in use.
    """
    verdict = compare_policies(old, new, moment)
    found = replay(old, new, requests, moment, only, moved)
    return Proof(verdict, requests.requests, tuple(found.lost), found.moved)
