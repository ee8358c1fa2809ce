"""What the pipeline hands to everything that shows or publishes: one agent compared, and the proved proposal for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tightener.iam.account import Identity
from tightener.iam.document import Statement
from tightener.model import AgentPolicy
from tightener.policy.document import PolicyFile
from tightener.prove.proof import Proof
from tightener.prove.replay import Exercised
from tightener.tighten.checklist import Item
from tightener.tighten.compare import Comparison
from tightener.tighten.grants import Grant
from tightener.tighten.reach import Reach
from tightener.tighten.suggestion import Suggestion


@dataclass(frozen=True, slots=True)
class Study:
    """One agent, compared: what the grants are, what was exercised, and on which text of the policy."""

    file: PolicyFile
    comparison: Comparison
    requests: Exercised
    shared: tuple[str, ...] = ()  # sentences on credentials of the agent's that others use, too
    ended: tuple[str, ...] = ()  # sentences on exceptions and rejections that hold no longer

    @property
    def policy(self) -> AgentPolicy:
        """The agent's policy as it is."""
        return self.comparison.policy


@dataclass(frozen=True, slots=True)
class RoleStudy:
    """One agent's IAM roles compared with their use. `notes` are sentences about what rules cannot say."""

    study: Study
    identities: tuple[Identity, ...]
    statements: Mapping[int, Statement]  # rule index -> the statement that it was made from
    without_effect: tuple[Grant, ...]  # written in an allow, and refused by a deny or the boundary
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proved suggestions, composed, and what was left out."""

    study: Study
    suggestions: tuple[Suggestion, ...]
    left_out: tuple[tuple[Suggestion, str], ...]
    text: str  # the policy file after the edit
    diff: str
    proof: Proof
    before: Reach
    after: Reach
    checklist: tuple[Item, ...]  # the minimum viable policy, asked of the proposal
    removes: Mapping[str, float]  # suggestion id -> how much risk it removes

    @property
    def ranked(self) -> tuple[Suggestion, ...]:
        """The suggestions, those that remove the most risk first; the others stay in document order."""
        return tuple(sorted(self.suggestions, key=lambda one: -self.removes[one.id]))

    @property
    def approvals(self) -> int:
        """How often a person would have been asked over the window, had the proposal been in force."""
        return sum(n for one in self.suggestions if isinstance(n := one.evidence.get("approvals"), int))
