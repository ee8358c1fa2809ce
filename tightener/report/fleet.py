"""What the fleet page shows, as plain data: a row an agent, a row a run, and what changed since the run before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from tightener.report.tables import Cell, Column, Table
from tightener.results import Proposal, Study
from tightener.tighten.evidence.verdict import Class
from tightener.tighten.grants import Grant, Status

STATES = ("proved", "failed", "no_evidence")
KINDS = ("exercised", "unused", "unobservable", "cannot_tell", "excepted")  # their sum is what is granted

COUNTS = (
    Column("granted", "Granted", number=True),
    Column("exercised", "Exercised", number=True),
    Column("unused", "Unused", number=True),
    Column("unobservable", "Unobservable", number=True),
    Column("cannot_tell", "Cannot tell", number=True),
    Column("excepted", "Excepted", number=True),
)
AGENTS = (
    Column("agent", "Agent"),
    *COUNTS,
    Column("risk", "Risk", number=True),
    Column("risk_proposed", "Proposed", number=True),
    Column("suggestions", "Suggestions", number=True),
    Column("verification", "Verification"),
    Column("since", "Since the last run"),
)
RUNS = (
    Column("day", "Logs up to"),
    Column("agents", "Agents", number=True),
    *COUNTS,
    Column("risk", "Risk", number=True),
    Column("suggestions", "Suggestions", number=True),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one run found about one agent. Deny rules grant nothing and are not counted."""

    day: date  # the last logged day
    policy: str  # the policy file, as its repository names it
    agent: str
    granted: int
    exercised: int
    unused: int  # without use, and the evidence suffices to act on it
    unobservable: int
    cannot_tell: int  # too new, or without use and the evidence does not suffice
    excepted: int
    score: float | None  # of the blast radius today; None = nothing could be said
    proposed_score: float | None
    weight: float  # of all that is granted: what the score is a part of
    suggestions: int
    state: str  # one of STATES

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"state {self.state!r} is none of {', '.join(STATES)}")
        if self.granted != sum(getattr(self, kind) for kind in KINDS):
            raise ValueError(f"the grants of {self.agent} do not add up")


@dataclass(frozen=True, slots=True)
class Run:
    """The whole fleet on the logs up to one day: sums over its agents."""

    day: date
    agents: int
    granted: int
    exercised: int
    unused: int
    unobservable: int
    cannot_tell: int
    excepted: int
    score: float | None
    suggestions: int


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent of the fleet: what was found, what was found the time before, and where its page is ('' = none)."""

    found: Finding
    before: Finding | None
    page: str
    problem: str = ""  # why nothing could be said, or why the proposal does not hold


@dataclass(frozen=True, slots=True)
class FleetView:
    """The fleet page."""

    first: date  # of the window
    last: date
    days: int  # that were asked for
    tool_version: str
    agents: tuple[AgentRow, ...]
    runs: tuple[Run, ...]  # oldest first, the present one last
    gone: tuple[str, ...]  # agents of the run before that no policy names any more
    merged: tuple[str, ...]  # how the merged pull requests turned out, a sentence a policy file
    sql: tuple[tuple[str, str], ...]

    @property
    def now(self) -> Run:
        """The present run."""
        return self.runs[-1]

    @property
    def before(self) -> Run | None:
        """The run before it."""
        return self.runs[-2] if len(self.runs) > 1 else None


def finding(study: Study, policy: str, found: Proposal | None, state: str) -> Finding:
    """What is to be remembered of one agent; `found` is None where nothing could be proposed."""
    granting = [grant for grant in study.comparison.grants if grant.rule.effect.value != "deny"]
    kinds = [kind_of(grant) for grant in granting]
    return Finding(
        day=study.comparison.terms.window.last,
        policy=policy,
        agent=study.policy.name,
        granted=len(granting),
        exercised=kinds.count("exercised"),
        unused=kinds.count("unused"),
        unobservable=kinds.count("unobservable"),
        cannot_tell=kinds.count("cannot_tell"),
        excepted=kinds.count("excepted"),
        score=round(found.before.score, 1) if found else None,
        proposed_score=round(found.after.score, 1) if found else None,
        weight=round(found.before.weight, 4) if found else 0.0,
        suggestions=len(found.suggestions) if found else 0,
        state=state,
    )


def kind_of(grant: Grant) -> str:
    """One of KINDS. Without use is unused only where the evidence says so: else nobody can tell."""
    if grant.status is Status.UNEXERCISED:
        return "unused" if grant.verdict is not None and grant.verdict.kind is not Class.KEEP else "cannot_tell"
    return "cannot_tell" if grant.status is Status.TOO_NEW else grant.status.value


def run(found: Sequence[Finding]) -> Run:
    """The sum over the agents of one day. The score is their scores' mean, weighted with what each is granted: the one
    that they would have as a single agent."""
    judged = [one for one in found if one.score is not None and one.weight]
    weight = sum(one.weight for one in judged)
    return Run(
        day=found[0].day,
        agents=len(found),
        granted=sum(one.granted for one in found),
        exercised=sum(one.exercised for one in found),
        unused=sum(one.unused for one in found),
        unobservable=sum(one.unobservable for one in found),
        cannot_tell=sum(one.cannot_tell for one in found),
        excepted=sum(one.excepted for one in found),
        score=round(sum((one.score or 0) * one.weight for one in judged) / weight, 1) if weight else None,
        suggestions=sum(one.suggestions for one in found),
    )


def runs(past: Iterable[Finding]) -> tuple[Run, ...]:
    """One sum a day, oldest first."""
    days = groupby(sorted(past, key=lambda one: one.day), key=lambda one: one.day)
    return tuple(run(list(found)) for _, found in days)


def changed(row: AgentRow) -> dict[str, tuple[Cell, Cell]]:
    """What differs from the run before, with the value of then and of now; empty where there was none.

    How much was exercised is left out: that changes with every week's work, and would hide the rest.
    """
    now, before = row.found, row.before
    if before is None:
        return {}
    pairs: dict[str, tuple[Cell, Cell]] = {
        "granted": (before.granted, now.granted),
        "risk": (before.score, now.score),
        "suggestions": (before.suggestions, now.suggestions),
    }
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


def _since(row: AgentRow, *, first: bool) -> str:
    """The change in a few letters, for 2,000 rows to have one; `first`: there was no run before."""
    if row.before is None:
        return "" if first else "new"
    return ", ".join(f"{name} {_step(old, new)}" for name, (old, new) in changed(row).items())


def _step(old: Cell, new: Cell) -> str:
    if not isinstance(old, int | float) or not isinstance(new, int | float):
        return "unknown before" if old is None else "not known"
    step = new - old
    return f"{step:+,.1f}" if isinstance(step, float) else f"{step:+,}"


def agents_table(view: FleetView) -> Table:
    """One row an agent: the same cells on the page, in CSV and in JSON."""
    rows = []
    for row in view.agents:
        one = row.found
        says = "; ".join(filter(None, [_since(row, first=view.before is None), row.problem]))
        counts = (one.granted, one.exercised, one.unused, one.unobservable, one.cannot_tell, one.excepted)
        state = one.state.replace("_", " ")
        rows.append((one.agent, *counts, one.score, one.proposed_score, one.suggestions, state, says))
    return Table(AGENTS, tuple(rows))


def runs_table(view: FleetView) -> Table:
    """One row a run, the newest first."""
    rows = []
    for one in reversed(view.runs):
        counts = (one.granted, one.exercised, one.unused, one.unobservable, one.cannot_tell, one.excepted)
        rows.append((one.day, one.agents, *counts, one.score, one.suggestions))
    return Table(RUNS, tuple(rows))
