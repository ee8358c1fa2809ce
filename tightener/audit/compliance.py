"""What was checked, control by control and agent by agent, with the number that is the evidence and where it is from.

The controls are rows of services/data/control.csv, by their ids: their texts are not quoted. Every number that a
control names counts what is left to do, so that a finding is `clear` where all of them are 0. tightener never says
that an organisation complies: a row's `does_not_show` says what is missing for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from importlib.metadata import version
from typing import Any

from tightener import pipeline
from tightener.audit import changes
from tightener.audit.changes import Change, History
from tightener.decided import Decision, State, decisions
from tightener.errors import NoEvidence
from tightener.logs import usage
from tightener.model import Effect, Window
from tightener.pipeline import Project
from tightener.policy.document import PolicySet
from tightener.resources import query
from tightener.services.catalogue import rows
from tightener.tighten.compare import Comparison
from tightener.tighten.grants import Grant, Status
from tightener.tighten.reach import Reach
from tightener.tighten.wording import count

SCHEMA = "tightener.compliance/1"
CLEAR, OPEN, UNKNOWN = "clear", "open", "cannot tell"
STATES = (CLEAR, OPEN, UNKNOWN)

# Number -> what it counts, and where it is from: a query of queries/, or a source that is no query.
NUMBERS: Mapping[str, tuple[str, str]] = {
    "unexercised": ("granted and not exercised", "evidence"),
    "privileged": ("permissions above everyday risk without use", "evidence"),
    "proposed": ("suggestions that are not merged", "evidence"),
    "ungranted": ("kinds of request that ran without a grant", "attempt"),
    "around": ("kinds of call around the gateway", "around_gateway"),
    "shared": ("credentials that others use, too", "callers"),
    "idle": ("agents without any use", "evidence"),
    "gaps": ("days of a log source that were not read completely", "coverage"),
    "rejected": ("records that could not be read", "status"),
    "unmapped": ("records that map to no action", "status"),
    "expired": ("exceptions past their end", "tightener.yaml"),
    "unreviewed": (
        "changes of the policy since the window began, no second person known",
        "git log",
    ),
}
SHOWN = ("evidence", "attempt", "around_gateway", "callers", "coverage", "status")


@dataclass(frozen=True, slots=True)
class Control:
    """One control, by its id."""

    framework: str
    control: str
    oscal_id: str
    checks: str
    numbers: tuple[str, ...]
    does_not_show: str


@dataclass(frozen=True, slots=True)
class Number:
    """One number as evidence; None = the logs do not suffice to tell it."""

    name: str
    words: str
    source: str
    value: int | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one agent under one control."""

    agent: str
    framework: str
    control: str
    state: str  # one of STATES
    numbers: tuple[Number, ...]
    why: str  # of `cannot tell`


@dataclass(frozen=True, slots=True)
class Subject:
    """One agent: its policy file, how many actions it is granted, and how they stand."""

    agent: str
    file: str
    policy_digest: str
    grants: int
    counts: Mapping[str, int]
    says: str  # why nothing can be told; '' = it can


@dataclass(frozen=True, slots=True)
class Cadence:
    """When policies were changed, from the window's first day on. A run that proposes nothing leaves no trace."""

    last_change: date | None
    last_tightening: date | None
    since_start: int
    since_start_by_tightener: int


@dataclass(frozen=True, slots=True)
class Compliance:
    """The whole page, its CSV, its OSCAL and its `--json`."""

    tool_version: str
    window: Window
    asked: tuple[str, ...]  # the agents that were named; empty = all
    logs: int
    logs_digest: str
    controls: tuple[Control, ...]
    subjects: tuple[Subject, ...]
    findings: tuple[Finding, ...]
    cadence: Cadence
    histories: tuple[History, ...]
    exceptions: tuple[Decision, ...]


def controls() -> tuple[Control, ...]:
    """The rows of control.csv, in order."""
    return tuple(
        Control(
            row["framework"],
            row["control"],
            row["oscal_id"],
            row["checks"],
            tuple(row["numbers"].split()),
            row["does_not_show"],
        )
        for row in rows("control")
    )


def build(
    project: Project, policies: PolicySet, agents: Sequence[str], *, days: int, min_age: int, as_of: date | None
) -> Compliance:
    """Asks everything of `agents` (none = all that the policies name).

    Raises PolicyError (`unknown-agent`), NoEvidence (`no-events`), and what `pipeline.propose` raises but NoEvidence.
    """
    named = tuple(dict.fromkeys(agents)) or tuple(sorted(policies.agents))
    files = list(dict.fromkeys(pipeline.agent_of(policies, agent)[1].path for agent in named))
    window = usage.window(project.con, days, as_of)
    since = Window(window.first, as_of or date.max)  # logs lag behind: a change of today counts, though no log has it
    histories = {file: changes.history(file) for file in files}
    decided = [
        one
        for one in decisions(project.config, policies.agents, window.last)
        if one.kind == "exception" and one.agent in named
    ]
    every = controls()
    subjects, findings = [], []
    for agent in named:
        subject, numbers = _asked(project, policies, agent, days=days, min_age=min_age, as_of=as_of)
        numbers["expired"] = sum(one.agent == agent and one.state is State.EXPIRED for one in decided)
        numbers["unreviewed"] = _unreviewed(histories[subject.file], since)
        subjects.append(subject)
        findings += [_finding(one, subject, numbers) for one in every]
    logs, digest = project.con.execute(query("log_digest")).fetchall()[0]
    made = [one for history in histories.values() for one in history.changes]
    return Compliance(
        tool_version=version("tightener"),
        window=window,
        asked=tuple(dict.fromkeys(agents)),
        logs=logs,
        logs_digest=digest,
        controls=every,
        subjects=tuple(subjects),
        findings=tuple(findings),
        cadence=_cadence(made, since),
        histories=tuple(histories.values()),
        exceptions=tuple(decided),
    )


def _asked(
    project: Project, policies: PolicySet, agent: str, *, days: int, min_age: int, as_of: date | None
) -> tuple[Subject, dict[str, int | None]]:
    """One agent's numbers from the logs; all None where these do not suffice."""
    file = policies.file_of(agent)
    numbers: dict[str, int | None] = dict.fromkeys(NUMBERS)
    study = pipeline.study(project, policies, agent, days=days, as_of=as_of, min_age=min_age)
    try:
        proposal = pipeline.propose(project, study)
    except NoEvidence as error:
        held = _held(study.comparison)
        return Subject(agent, file.path, pipeline.digest(file.text), len(held), {}, error.message), numbers
    found = proposal.study.comparison
    held = _held(found)
    statuses = {status.value: sum(g.status is status for g in held) for status in Status}
    records = project.con.execute(query("status")).fetchall()
    numbers |= {
        "unexercised": statuses[Status.UNEXERCISED.value],
        "privileged": _privileged(proposal.before),
        "proposed": len(proposal.suggestions),
        "ungranted": len(found.ungranted),
        "around": len(found.around),
        "shared": len(proposal.study.shared),
        "idle": int(found.uses == 0),
        "gaps": sum(len(one.days) - one.full for one in found.terms.coverage.knowing),
        "rejected": sum(row[5] for row in records),
        "unmapped": sum(row[7] for row in records),
    }
    return Subject(agent, file.path, pipeline.digest(file.text), len(held), statuses, ""), numbers


def _held(found: Comparison) -> list[Grant]:
    """What is granted: a deny rule grants nothing."""
    return [one for one in found.grants if one.rule.effect is not Effect.DENY]


def _privileged(reach: Reach) -> int:
    classes = [pair for side in (reach.allowed, reach.approval) for pair in side.items()]
    return sum(held.granted - held.used for kind, held in classes if not kind.plain)


def _unreviewed(history: History, since: Window) -> int | None:
    """None where Git knows nothing of the file."""
    if not history.changes:
        return None
    return sum(since.first <= one.day <= since.last and not one.second_person for one in history.changes)


def _finding(control: Control, subject: Subject, numbers: Mapping[str, int | None]) -> Finding:
    shown = tuple(Number(name, *NUMBERS[name], numbers[name]) for name in control.numbers)
    state, why = CLEAR, ""
    missing = [one for one in shown if one.value is None]
    if any(one.value for one in shown):
        state = OPEN
    elif missing:
        state = UNKNOWN
    if missing:
        no_git = all(one.source == "git log" for one in missing)
        why = "Git does not tell who changed the policy" if no_git else subject.says
    return Finding(subject.agent, control.framework, control.control, state, shown, why)


def _cadence(made: Sequence[Change], since: Window) -> Cadence:
    inside = [one for one in made if since.first <= one.day <= since.last]
    return Cadence(
        max((one.day for one in made), default=None),
        max((one.day for one in made if one.sealed), default=None),
        len(inside),
        sum(one.sealed for one in inside),
    )


def sentence(found: Compliance) -> str:
    """The result in one sentence."""
    states = [one.state for one in found.findings]
    agents, every = count(len(found.subjects), "agent"), count(len(found.controls), "control")
    parts = [f"{states.count(state):,} {state}" for state in STATES if state in states]
    return f"{agents} checked against {every}: {', '.join(parts)}."


def document(found: Compliance) -> dict[str, Any]:
    """`tightener.compliance/1`: the very object that the page shows."""
    plain: dict[str, Any] = _plain(asdict(found))
    return {"schema": SCHEMA, "sentence": sentence(found), **plain}


def _plain(value: Any) -> Any:
    """Days as text, states by their words, tuples as lists."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def due(one: Decision, window: Window) -> str:
    """How long an exception still runs, in words."""
    left = one.until - window.last
    return "ended" if left < timedelta(0) else f"{count(left.days, 'day')} left"
