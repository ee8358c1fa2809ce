"""What a report page shows, as plain data: no database, no policy objects, no clock.

The program fills these from one comparison, so that the page, the CSV files and `--json` cannot disagree. Texts are
raw: whoever shows them defuses them (report/defuse.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

EFFECTS = ("allow", "require_approval", "deny")
STATUSES = ("exercised", "unexercised", "unobservable", "too_new", "excepted")  # policy-semantics, section 5
VERDICTS = ("proved", "failed")


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One action of one rule, with what the logs say about it."""

    id: str  # unique on the page
    effect: str  # one of EFFECTS
    service: str
    action: str
    resources: tuple[str, ...]  # empty = any
    branches: tuple[str, ...]  # empty = any
    status: str  # one of STATUSES
    place: str  # file:line
    uses: int = 0  # all of them, approved ones included
    approved_uses: int = 0
    first_used: date | None = None
    last_used: date | None = None
    days_active: int = 0
    sessions: int = 0
    sample_events: tuple[str, ...] = ()  # e.g. "gateway-2026-05-04.jsonl:1841"
    note: str = ""  # why the status is what it is, where the status alone does not say it
    verdict: str = ""  # of an unexercised grant: what becomes of it, and why, in a sentence
    covered_by: str = ""  # the place of the rule that has all of this grant's use

    def __post_init__(self) -> None:
        _check(self.effect, EFFECTS, "effect")
        _check(self.status, STATUSES, "status")


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """One suggested edit and why."""

    id: str
    title: str
    why: str
    evidence: str
    place: str  # file:line
    kind: str  # the rule of tightener that suggests it, e.g. "drop-rule"
    actions_before: int  # concrete actions that the rule grants today
    actions_after: int


@dataclass(frozen=True, slots=True)
class ReachRow:
    """How many permissions of one class of risk the agent has, before and after; `used`: of those that are left."""

    effect: str  # allow or require_approval
    risk: str
    before: int
    after: int
    used: int

    def __post_init__(self) -> None:
        _check(self.effect, EFFECTS, "effect")


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One of the five rules of the minimum viable policy, and what is left of its breaches, in sentences."""

    rule: str
    breaches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How completely one log source was read over the window."""

    source: str
    days_full: int
    days_partial: int
    days_none: int
    per_day: str  # one character per day of the window: f(ull), p(artial), n(one)
    note: str = ""

    def __post_init__(self) -> None:
        counted = tuple(self.per_day.count(letter) for letter in "fpn")
        if counted != (self.days_full, self.days_partial, self.days_none) or sum(counted) != len(self.per_day):
            raise ValueError(f"coverage of {self.source}: the days do not add up: {counted} in {self.per_day!r}")


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """Equal requests of a list of its own: refused, around the gateway, or ran without a grant."""

    service: str
    action: str
    resource: str
    branch: str
    count: int
    first: date
    last: date
    sample_events: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class TriedRow:
    """What one way of tightening would have meant in the past: a row of the backtest, over `periods` of its periods."""

    name: str
    periods: int
    uses: int
    allowed: int
    low: float  # of the share that is allowed
    high: float
    refused: int  # which the policy that stood did not refuse
    sessions: int
    sessions_hit: int
    asked_a_week: float
    reachable: int  # over all periods, as `unused`
    unused: int
    reach: int  # in the newest period
    classes: tuple[tuple[str, int], ...]  # of reach, by class of risk; classes without any are left out


@dataclass(frozen=True, slots=True)
class Totals:
    """The reconciling sum over native records; `unmapped` is a part of `accepted`."""

    read: int
    accepted: int
    duplicate: int
    rejected: int
    not_use: int
    unmapped: int

    @property
    def adds_up(self) -> bool:
        """Whether every record that was read is accounted for."""
        parts = self.accepted + self.duplicate + self.rejected + self.not_use
        return self.read == parts and self.unmapped <= self.accepted


@dataclass(frozen=True, slots=True)
class ReportView:
    """One agent's page."""

    agent: str
    sentence: str  # the result in one sentence
    window_first: date
    window_last: date
    as_of: date  # the clock that was passed in, as a day
    tool_version: str
    policy_path: str
    policy_digest: str  # sha256, hex
    verdict: str  # one of VERDICTS
    proof: str  # what was proved, or why it failed, in a sentence
    replayed: int  # exercised requests that were replayed against the proposal
    replay_lost: int  # how many of them the proposal would treat more strictly without saying so
    totals: Totals
    grants: tuple[GrantRow, ...] = ()
    suggestions: tuple[SuggestionRow, ...] = ()
    diff: str = ""  # unified diff, empty = no change
    score: tuple[float, float] | None = None  # of the blast radius, before and after; 0 = nothing unused is granted
    reach: tuple[ReachRow, ...] = ()
    scopes: tuple[tuple[str, int, int], ...] = ()  # how wide resource patterns are: (scope, before, after)
    checklist: tuple[CheckRow, ...] = ()
    coverage: tuple[CoverageRow, ...] = ()
    not_proposed: tuple[str, ...] = ()  # sentences on suggestions that were left out
    tried: tuple[TriedRow, ...] = ()  # the backtest, ours last; empty = the log is too short for one
    tried_on: tuple[str, ...] = ()  # its periods, a sentence each
    foretold: tuple[str, ...] = ()  # what was stated beforehand and what came of it, a sentence each
    ended: tuple[str, ...] = ()  # sentences on decisions of people that hold no longer
    removal: str = ""  # what removals rest on, in a sentence
    kept: tuple[str, ...] = ()  # sentences on what is without use and stays for want of evidence
    stays: tuple[str, ...] = ()  # sentences on what is used and left as wide as it was granted
    promotions: tuple[str, ...] = ()  # sentences on what people approved often and never refused
    not_seen: tuple[str, ...] = ()  # sentences on what could not be seen
    refused: tuple[AttemptRow, ...] = ()
    around_gateway: tuple[AttemptRow, ...] = ()
    ungranted: tuple[AttemptRow, ...] = ()
    sql: tuple[tuple[str, str], ...] = ()  # (name, text) of every query behind the page
    usage_by_day: tuple[tuple[date, int], ...] = ()  # days without use may be left out
    rerun: tuple[str, ...] = ()  # the commands that make this page again, one a line

    def __post_init__(self) -> None:
        _check(self.verdict, VERDICTS, "verdict")
        if self.window_last < self.window_first:
            raise ValueError(f"the window ends ({self.window_last}) before it begins ({self.window_first})")

    @property
    def days(self) -> int:
        """Days in the window, both ends included."""
        return (self.window_last - self.window_first).days + 1


def _check(value: str, allowed: tuple[str, ...], what: str) -> None:
    if value not in allowed:
        raise ValueError(f"{what} {value!r} is none of {', '.join(allowed)}")
