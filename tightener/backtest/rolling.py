"""Rolling origins: tighten as of a day in the past with what was known then, and score on the days that followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb

from tightener import pipeline
from tightener.backtest import stated, ways
from tightener.backtest.ways import NO_CHANGE, OURS, UNUSED_DAYS, Action, Seen, Way, Written
from tightener.errors import NoEvidence, PolicyError, VerificationFailed
from tightener.logs import usage
from tightener.model import AgentPolicy, Effect, Level, Window
from tightener.pipeline import Project
from tightener.policy import document, history
from tightener.policy.document import PolicySet
from tightener.resources import query
from tightener.results import Backtest, Period, Stated, Study, Tally
from tightener.services.semantics import fold_action
from tightener.tighten.compare import FEWEST_DAYS
from tightener.tighten.evidence.verdict import HORIZON
from tightener.tighten.risk import RiskClass

HORIZON_DAYS = 30
MOST_PERIODS = 12


def backtest(
    project: Project,
    policies: PolicySet,
    agent: str,
    *,
    days: int = pipeline.WINDOW_DAYS,
    horizon: int = HORIZON_DAYS,
    as_of: date | None = None,
    min_age: int = pipeline.MIN_AGE_DAYS,
    fewest: int = FEWEST_DAYS,
    most: int = MOST_PERIODS,
    baselines: bool = True,
) -> Backtest:
    """Goes through the agent's past from the last logged day (or `as_of`) back, `horizon` days a step.

    In each period the proposal of `suggest` is made from the `days` before it, or from what log there is of them, at
    least `fewest`. Then every legitimate request of the period is put to it, to the policy that stood, and to what
    others do (`baselines`). Writes nothing, and leaves nothing behind but the temporary tables of the last question.
    Raises NoEvidence where nothing was logged at all, PolicyError where no policy names the agent.
    """
    if agent not in policies.agents:
        known = ", ".join(sorted(policies.agents)) or "none"
        raise PolicyError(f"no policy names the agent {agent}", slug="unknown-agent", hint=f"agents there are: {known}")
    covered = usage.span(project.con)
    last = min(as_of, covered.last) if as_of else covered.last
    periods: list[Period] = []
    tallies: list[Mapping[str, Tally | None]] = []
    forecasts: list[Stated] = []
    skipped: list[str] = []
    for learn, score in _windows(covered.first, last, days, horizon, max(fewest, 1), most):
        try:
            period, found, study = _learn(project, policies, agent, Period(learn, score, ""), days, min_age, baselines)
        except (NoEvidence, VerificationFailed) as error:
            skipped.append(f"{score.first} to {score.last}: {error.message}")
            continue
        periods.append(period)
        tallies.append(_score(project, agent, score, found))
        forecasts.append(stated.stated(study.comparison, _used_since(project.con, agent, score.first, last)))
    names = dict.fromkeys(name for one in tallies for name in one)
    return Backtest(
        agent=agent,
        days=days,
        horizon=horizon,
        periods=tuple(periods),
        ways={name: tuple(one[name] for one in tallies) for name in names},
        stated=tuple(forecasts),
        skipped=tuple(skipped),
        logged=max((last - covered.first).days + 1, 0),
        needed=max(fewest, 1) + horizon,
    )


def glance(
    project: Project, policies: PolicySet, agent: str, *, days: int, as_of: date | None, min_age: int
) -> Backtest:
    """What `suggest` says about its own way of tightening: up to three periods, each learnt on a whole window."""
    return backtest(
        project, policies, agent, days=days, as_of=as_of, min_age=min_age, fewest=days, most=3, baselines=False
    )


def glanced(found: Backtest) -> Backtest:
    """What `glance` would say, out of a backtest with baselines and shorter windows over as many periods.

    The newest periods are the same in both, as far as a whole window of log lies before them.
    """
    starts = sorted([*(one.score.first.isoformat() for one in found.periods), *(text[:10] for text in found.skipped)])
    whole = max(found.logged - found.days, 0) // found.horizon
    kept = starts[max(len(starts) - whole, 0) :]
    at = [i for i, one in enumerate(found.periods) if one.score.first.isoformat() in kept]
    return replace(
        found,
        periods=tuple(found.periods[i] for i in at),
        ways={name: tuple(found.ways[name][i] for i in at) for name in (NO_CHANGE, OURS) if at},
        stated=tuple(found.stated[i] for i in at),
        skipped=tuple(text for text in found.skipped if text[:10] in kept),
        needed=found.days + found.horizon,
    )


def _windows(first: date, last: date, days: int, horizon: int, fewest: int, most: int) -> list[tuple[Window, Window]]:
    """What is learnt on and what is scored on, oldest first."""
    found: list[tuple[Window, Window]] = []
    origin = last + timedelta(days=1 - horizon)
    while len(found) < most and (origin - first).days >= fewest:
        learn = Window(max(first, origin - timedelta(days=days)), origin - timedelta(days=1))
        found.append((learn, Window(origin, origin + timedelta(days=horizon - 1))))
        origin -= timedelta(days=horizon)
    return found[::-1]


def _learn(
    project: Project,
    policies: PolicySet,
    agent: str,
    period: Period,
    days: int,
    min_age: int,
    baselines: bool,  # noqa: FBT001 - passed on
) -> tuple[Period, dict[str, Way | None], Study]:
    """The ways as they would have come out on the first day of the period, and what they were made from."""
    origin = datetime.combine(period.score.first, time(), UTC)
    then, said, since = _policy_of(policies, agent, origin)
    with _known_until(project.con, origin):
        # with ages of then, nothing asks the database for them, which would note that it met these grants
        study = pipeline.study(project, then, agent, days=days, as_of=period.learn.last, min_age=min_age, since=since)
        logged: dict[str, list[str]] = {}
        for service, action in project.con.execute(query("logged_action")).fetchall():
            logged.setdefault(service, []).append(action)
        seen = [Seen(*row) for row in project.con.execute(query("backtest_seen")).fetchall()]
        old = Written(study.policy, study.policy, study.comparison.terms.moment, logged)
        found: dict[str, Way | None] = {NO_CHANGE: old}
        if baselines:
            found |= _baselines(project.con, agent, old, seen, origin)
        proposal = pipeline.propose(project, study)
        new = document.parse(proposal.text, study.file.path, study.file.aliases).agents[agent]
        found[OURS] = replace(old, policy=new)
    return replace(period, policy=said), found, proposal.study


def _baselines(
    con: duckdb.DuckDBPyConnection, agent: str, old: Written, seen: Sequence[Seen], origin: datetime
) -> dict[str, Way | None]:
    begun = usage.span(con).first
    found: dict[str, Way | None] = {}
    for days in UNUSED_DAYS:
        since = origin.replace(tzinfo=None) - timedelta(days=days)
        known = since.date() >= begun
        used = frozenset((s, fold_action(s, a)) for s, a in _actions(con, agent, since, origin)) if known else None
        found[f"unused for {days} days"] = None if used is None else ways.without_unused(old, used)
    found["actions only"] = ways.actions_only(old, seen)
    found["longest prefix"] = ways.longest_prefix(old, seen)
    found["exact list"] = ways.exact_list(old, seen)
    return found


def _policy_of(
    policies: PolicySet, agent: str, origin: datetime
) -> tuple[PolicySet, str, Mapping[tuple[int, str], date | None]]:
    """The policy in force at a moment, where it came from, and since when each of its actions was granted then.

    From the file's history in Git where that names the agent then; else today's, whose ages are unknown in the past
    unless its owners declare them.
    """
    file = policies.file_of(agent)
    then = history.as_of(Path(file.path), origin)
    if then is not None:
        try:
            past = document.parse(then.text, file.path, file.aliases)
        except PolicyError:
            past = None  # what was no policy then cannot be asked
        if past is not None and agent in past.agents:
            said = f"of {then.day} ({then.commit[:10]})"
            return PolicySet((past,)), said, _ages(file.path, past.agents[agent], origin)
    today = policies.agents[agent]
    return policies, "today's: Git has none from then", _declared(today)


def _pairs(policy: AgentPolicy) -> list[tuple[int, str]]:
    return [(r.index, action) for r in policy.rules if r.effect is not Effect.DENY for action in r.body.actions]


def _declared(policy: AgentPolicy) -> dict[tuple[int, str], date | None]:
    return dict.fromkeys(_pairs(policy), policy.granted_since)


def _ages(path: str, policy: AgentPolicy, origin: datetime) -> Mapping[tuple[int, str], date | None]:
    rules = {rule.index: rule for rule in policy.rules}
    pairs = [(rules[index], action) for index, action in _pairs(policy)]
    return history.granted_since(Path(path), policy.name, pairs, origin, policy.granted_since) or _declared(policy)


def _actions(con: duckdb.DuckDBPyConnection, agent: str, since: datetime, until: datetime) -> list[Action]:
    inputs = {"agent": agent, "first": since, "after": until.replace(tzinfo=None)}
    return [(service, action) for service, action in con.execute(query("backtest_actions"), inputs).fetchall()]


def _used_since(con: duckdb.DuckDBPyConnection, agent: str, origin: date, last: date) -> frozenset[Action] | None:
    """What was used within the horizon that suggestions speak of; None where the log ends before it does."""
    after = origin + timedelta(days=HORIZON)
    if after > last + timedelta(days=1):
        return None
    since, until = (datetime.combine(day, time(), UTC) for day in (origin, after))
    return frozenset((s, fold_action(s, a)) for s, a in _actions(con, agent, since.replace(tzinfo=None), until))


@contextmanager
def _known_until(con: duckdb.DuckDBPyConnection, moment: datetime) -> Iterator[None]:
    """Hides what was logged later: a temporary view of the same name comes before the table."""
    row = con.execute("SELECT current_database()").fetchone()
    name = str(row[0]).replace('"', '""') if row else ""
    con.execute("SET VARIABLE known_until = ?::TIMESTAMP", [moment.replace(tzinfo=None)])
    con.execute(query("known_until").format(database=f'"{name}"'))
    try:
        yield
    finally:
        con.execute("DROP VIEW temp.logged")


def _score(project: Project, agent: str, window: Window, found: Mapping[str, Way | None]) -> Mapping[str, Tally | None]:
    """Puts every legitimate request of the period to each way."""
    con = project.con
    usage.collect(con, agent, window, project.config.owner_of)
    groups = con.execute(query("backtest_requests")).fetchall()
    inputs = usage.inputs_of(agent, window)
    sessions = _sessions(con, inputs, None)
    used = frozenset((service, fold_action(service, action)) for service, action, *_ in groups)
    before = found[NO_CHANGE]
    tallies: dict[str, Tally | None] = {}
    for name, way in found.items():
        if way is None or before is None:
            tallies[name] = None
            continue
        uses = allowed = refused = moved = asked = 0
        hit: list[int] = []
        for service, action, kind, partial, ids, resources, branches, numbers in groups:
            targets = list(zip(resources, branches, strict=True))
            was = before.levels(service, action, targets)
            now = way.levels(service, action, targets)
            if partial:
                now = [
                    way.partial(service, action, target, partial, level)
                    for target, level in zip(targets, was, strict=True)
                ]
            enough = Level.NEEDS_APPROVAL if kind == "approved" else Level.ALLOWED
            for number, many, old, new in zip(ids, numbers, was, now, strict=True):
                uses += many
                refused += many if new is Level.REFUSED < old else 0
                moved += many if new is Level.NEEDS_APPROVAL < old and new < enough else 0
                asked += many if new is Level.NEEDS_APPROVAL else 0
                allowed += many if new >= enough else 0
                if new is Level.REFUSED:
                    hit.append(number)
        reach = way.reach
        tallies[name] = Tally(
            uses=uses,
            allowed=allowed,
            refused=refused,
            moved=moved,
            asked=asked,
            sessions=sessions,
            sessions_hit=_sessions(con, inputs, hit) if hit else 0,
            reachable=len(reach),
            unused=len(reach.keys() - used),
            classes={kind: many for kind in RiskClass if (many := sum(one is kind for one in reach.values()))},
        )
    return tallies


def _sessions(con: duckdb.DuckDBPyConnection, inputs: Mapping[str, object], ids: Sequence[int] | None) -> int:
    row = con.execute(query("backtest_sessions"), {**inputs, "ids": ids}).fetchone()
    return int(row[0]) if row else 0
