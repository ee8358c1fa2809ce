"""What the pipeline hands to everything that shows or publishes: one agent compared, and the proved proposal for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tightener.iam.account import Identity
from tightener.iam.document import Statement
from tightener.logs.jobs import Share, Shares
from tightener.model import AgentPolicy, Window
from tightener.policy.document import PolicyFile
from tightener.prove.proof import Proof
from tightener.prove.replay import Exercised
from tightener.tighten.checklist import Item
from tightener.tighten.compare import Comparison
from tightener.tighten.grants import Grant
from tightener.tighten.promotion import Candidate
from tightener.tighten.reach import Reach
from tightener.tighten.risk import RiskClass
from tightener.tighten.rule_use import Open
from tightener.tighten.suggestion import Suggestion


@dataclass(frozen=True, slots=True)
class Study:
    """One agent, compared: what the grants are, what was exercised, and on which text of the policy."""

    file: PolicyFile
    comparison: Comparison
    requests: Exercised
    shared: tuple[str, ...] = ()  # sentences on credentials of the agent's that others use, too
    ended: tuple[str, ...] = ()  # sentences on exceptions and rejections that hold no longer
    promotions: tuple[Candidate, ...] = ()  # grants under approval that a person may want to allow: no suggestions
    dropped: int = 0  # days of the window of which only the usage is kept (tightener prune)
    job: str = ""  # the agent's use was looked at as far as it is, or may be, this job's; '' = all of it

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
    open: tuple[Open, ...] = ()  # what is left as it was granted because it keeps growing

    @property
    def ranked(self) -> tuple[Suggestion, ...]:
        """The suggestions, those that remove the most risk first; the others stay in document order."""
        return tuple(sorted(self.suggestions, key=lambda one: -self.removes[one.id]))

    @property
    def approvals(self) -> int:
        """How often a person would have been asked over the window, had the proposal been in force."""
        return sum(n for one in self.suggestions if isinstance(n := one.evidence.get("approvals"), int))


@dataclass(frozen=True, slots=True)
class Part:
    """One job of an agent as an agent of its own: what would be left of the policy for it, and the proof."""

    name: str  # of the new agent
    runs: tuple[str, ...]  # what tells the job's runs: patterns, or what the gateway says that they were started for
    share: Share
    proposal: Proposal  # on the agent's own policy, of the job's use; its text is what the new agent was copied from
    policy: AgentPolicy  # as it reads in the new text
    proof: Proof  # of that policy against the agent's own, nothing moved to approval


@dataclass(frozen=True, slots=True)
class Split:
    """An agent's jobs as agents of their own, in one new text of its file. The agent itself stays as it is."""

    study: Study  # of the agent as a whole
    before: Reach
    named: bool  # the jobs are named in tightener.yaml, not by the gateway
    parts: tuple[Part, ...]
    shares: Shares
    idle: tuple[str, ...]  # jobs that did nothing in the window: no agent is made for them
    text: str
    diff: str


@dataclass(frozen=True, slots=True)
class Period:
    """One step of a backtest: what was learnt on, what was scored on, and which policy stood between them."""

    learn: Window
    score: Window
    policy: str  # where it came from, in words


@dataclass(frozen=True, slots=True)
class Tally:
    """What one way of tightening would have meant in one period. Uses are legitimate events: exercised ones."""

    uses: int
    allowed: int  # as they were: without a person's yes, or with it where they had it
    refused: int  # which the policy that stood did not refuse
    moved: int  # which a person would have been asked about for the first time
    asked: int  # for which a person is needed, all told
    sessions: int
    sessions_hit: int  # with at least one use that is refused, by whichever policy
    reachable: int  # actions that it leaves
    unused: int  # of those, not used in the period
    classes: Mapping[RiskClass, int]  # of those, by the gravest class of risk that each can have


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a suggestion said beforehand of permissions without use, and how many were used within the next 30 days."""

    of: str  # alone = by the log alone, fleet = all that the fleet estimates; remove, ask_first = that class
    grants: int
    expected: float | None  # mean of the fleet's estimates; None = not calibrated
    bound: float | None  # at most this share, with 95 % confidence; None = none was stated
    used: int | None  # None = the log does not hold those 30 days
    brier: float | None  # mean squared distance of the fleet's estimates from what happened, 1 or 0

    @property
    def held(self) -> bool | None:
        """Whether no more were used than the bound says; None where nothing was stated or seen."""
        return None if self.bound is None or self.used is None else self.used <= self.bound * self.grants


@dataclass(frozen=True, slots=True)
class Stated:
    """The forecasts of one period. `why` says why the fleet's past says nothing; '' where it does."""

    forecasts: tuple[Forecast, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Backtest:
    """One agent's past, tightened again and again with what was known then."""

    agent: str
    days: int  # learnt on, at most
    horizon: int  # scored on
    periods: tuple[Period, ...]  # oldest first
    ways: Mapping[str, tuple[Tally | None, ...]]  # name -> a tally a period; None where there was too little log for it
    stated: tuple[Stated, ...]  # a period each
    skipped: tuple[str, ...]  # sentences on periods that nothing could be learnt from
    logged: int  # days of log there are
    needed: int  # days of log that one period takes
