"""Granted against exercised: which rule each use belongs to, and what that says about every grant."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from tightener.logs.coverage import Coverage
from tightener.logs.usage import bounds, inputs_of
from tightener.model import AgentPolicy, Effect, Rule, Window
from tightener.resources import query
from tightener.services.catalogue import AWS, arn_formats, prefixes
from tightener.tighten.evidence.earlier import earlier
from tightener.tighten.evidence.judge import Judge, Unused
from tightener.tighten.grants import Evidence, Grant, Status, granted_actions
from tightener.tighten.owners import Candidate, assign
from tightener.tighten.partial import Partial, partial

# A removal needs the action to have been observable on nearly the whole window; a single lost day must not stop a
# weekly run, and is named in the output. At least this many days, unless a shorter window was asked for.
OBSERVED_SHARE = 0.9
FEWEST_DAYS = 30
MOST_ATTEMPTS = 1000  # rows in each of the lists beside the grants


@dataclass(frozen=True, slots=True)
class Terms:
    """What the comparison goes by, besides policy and logs."""

    window: Window
    asked_days: int  # --window
    min_age: int  # days
    coverage: Coverage
    excepted: Callable[[Rule, str], str]  # (rule, action) -> reason, '' = no exception
    granted_since: Mapping[tuple[int, str], date | None]  # (rule index, action as written) -> first day; None = unknown
    judge: Judge  # of what is unexercised

    @property
    def days_needed(self) -> int:
        """Observed days without which nothing is called unexercised."""
        return math.ceil(OBSERVED_SHARE * max(self.window.days, min(self.asked_days, FEWEST_DAYS)))

    @property
    def moment(self) -> datetime:
        """The moment at which the policy is looked at: the end of the window."""
        return bounds(self.window)[1].replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Denial:
    """The layer of AWS's policies that refused a request: by an explicit deny, or because nothing in it allows."""

    layer: str
    explicit: bool
    count: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request worth a reader's eye that is no exercised grant: refused, around the gateway, used but not granted."""

    service: str
    action: str
    resource: str
    branch: str
    count: int
    first: datetime
    last: datetime
    note: str = ""
    denied_by: tuple[Denial, ...] = ()  # refused only, where the log names the layer


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything known about one agent in one window."""

    policy: AgentPolicy
    terms: Terms
    grants: tuple[Grant, ...]
    ungranted: tuple[Attempt, ...]
    refused: tuple[Attempt, ...]
    around: tuple[Attempt, ...]  # direct calls that the agent's gateway never saw
    unmapped: tuple[tuple[str, int], ...]
    uses: int
    requests: int
    partial: Partial = field(default_factory=Partial)
    contested: bool = False  # some request is granted by several rules

    def of_rule(self, index: int) -> tuple[Grant, ...]:
        """The grants of one rule, in its own order."""
        return tuple(g for g in self.grants if g.rule.index == index)


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy that a comparison led to, whose rules decide anew to which rule each use belongs."""

    policy: AgentPolicy
    origin: Sequence[int]  # index of a rule there -> index of the rule here that it came from
    before: Comparison  # which led to it


def compare(
    con: duckdb.DuckDBPyConnection, policy: AgentPolicy, terms: Terms, draft: Draft | None = None
) -> Comparison:
    """Compares the collected usage (logs.usage.collect) with the policy. Leaves the temp table `owner` behind.

    With a draft, uses belong to the rules that they would belong to if the draft were in force.
    """
    in_force, origin = (draft.policy, draft.origin) if draft else (policy, range(len(policy.rules)))
    candidates, contested = assign(con, policy, terms.moment, in_force, origin)
    evidence = _evidence(con, terms)
    part = partial(con, policy)
    doubts, own_doubts = _doubts(con, candidates)
    unmapped = con.execute(
        "SELECT service, action, sum(uses)::BIGINT FROM request WHERE kind = 'unmapped' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found = _Found(evidence, part.uses, doubts, own_doubts, unmapped)
    grants = _judged(con, policy, terms, _grants(con, policy, terms, found, draft.before.grants if draft else ()))
    total = con.execute(
        "SELECT coalesce(sum(uses), 0)::BIGINT, count(*) FROM request WHERE kind IN ('exercised', 'approved')"
    ).fetchone()
    uses, requests = total or (0, 0)
    return Comparison(
        policy=policy,
        terms=terms,
        grants=grants,
        ungranted=_attempts(con, "ungranted"),
        refused=_refused(con, terms),
        around=_around(con, terms),
        unmapped=tuple((f"{service} {action}", count) for service, action, count in unmapped),
        uses=uses,
        requests=requests,
        partial=part,
        contested=contested,
    )


def _evidence(con: duckdb.DuckDBPyConnection, terms: Terms) -> dict[tuple[int, str], Evidence]:
    rows = con.execute(query("evidence"), inputs_of(terms_agent(con), terms.window)).fetchall()
    return {
        (rule, action): Evidence(
            uses=uses,
            approved_uses=approved,
            unlogged_uses=unlogged,
            indirect_uses=indirect,
            first_used=low,
            last_used=high,
            days_active=days,
            sessions=sessions,
            samples=tuple(dict.fromkeys((a, b))),
        )
        for rule, action, uses, approved, unlogged, indirect, low, high, days, sessions, a, b in rows
    }


def terms_agent(con: duckdb.DuckDBPyConnection) -> str:
    """The agent that the temp tables were collected for."""
    row = con.execute("SELECT agent FROM collected").fetchone()
    return str(row[0]) if row else ""


def _doubts(
    con: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate]
) -> tuple[dict[tuple[int, str], int], dict[tuple[int, str], int]]:
    """(rule, action) -> requests without evidence either way: those that it grants, and those that belong to it."""
    granted: dict[tuple[int, str], int] = {}
    own: dict[tuple[int, str], int] = {}
    for action, ids, owner, uses in con.execute(query("doubt")).fetchall():
        for rule in {candidates[i].rule.index for i in ids}:
            granted[rule, action] = granted.get((rule, action), 0) + uses
        own[owner, action] = own.get((owner, action), 0) + uses
    return granted, own


@dataclass(frozen=True, slots=True)
class _Found:
    evidence: dict[tuple[int, str], Evidence]
    partial: Mapping[tuple[int, str], int]
    doubts: dict[tuple[int, str], int]
    own_doubts: dict[tuple[int, str], int]
    unmapped: list[tuple[str, str, int]]


def _grants(
    con: duckdb.DuckDBPyConnection, policy: AgentPolicy, terms: Terms, found: _Found, before: Iterable[Grant]
) -> tuple[Grant, ...]:
    known = {(g.rule.index, g.action): g.covered_by.index for g in before if g.covered_by}
    logged: dict[str, set[str]] = {}
    for service, action in con.execute(
        "SELECT DISTINCT service, action FROM logged WHERE mapped ORDER BY ALL"
    ).fetchall():
        logged.setdefault(service, set()).add(action)
    covering = _covering(con)
    grants = []
    rules = {rule.index: rule for rule in policy.rules}
    for rule in policy.rules:
        if rule.effect is Effect.DENY:
            continue
        for pattern, action in granted_actions(rule, sorted(logged.get(rule.service, ()))):
            evidence = found.evidence.get((rule.index, action), Evidence())
            other = covering.get((rule.index, action))
            # what a narrower rule is used for, that rule keeps, with whatever else of it might be needed
            doubts = found.doubts if other is None else found.own_doubts
            evidence = replace(
                evidence,
                partial_uses=found.partial.get((rule.index, action), 0),
                doubtful=doubts.get((rule.index, action), 0),
                unmapped=sum(n for s, a, n in found.unmapped if _might_be(s, a, rule.service, action)),
            )
            observed = sum(terms.coverage.observed(rule.service, action, rule.body.resources))
            since = terms.granted_since.get((rule.index, pattern))
            status, note = _status(rule, action, evidence, observed, since, terms)
            other = known.get((rule.index, action)) if other is None else other
            if other is not None and not evidence.uses:
                note = f"its use belongs to the narrower rule on line {rules[other].place.line}"
            grants.append(
                Grant(
                    rule,
                    pattern,
                    action,
                    status,
                    note,
                    evidence,
                    observed,
                    since,
                    rules[other] if other is not None else None,
                )
            )
    return tuple(grants)


def _judged(
    con: duckdb.DuckDBPyConnection, policy: AgentPolicy, terms: Terms, grants: Sequence[Grant]
) -> tuple[Grant, ...]:
    """The grants, with a verdict on each unexercised one, and what each exercised one lacks to be narrowed."""
    unused = [g for g in grants if g.status is Status.UNEXERCISED]
    before = earlier(con, policy.name, terms.window, unused)

    def judged(g: Grant, *, may_ask: bool) -> Grant:
        seen = terms.coverage.observed(g.rule.service, g.action, g.rule.body.resources)
        uses = before.get((g.rule.index, g.action), ())
        one = Unused((g.rule.service, g.action), seen, g.granted_since, uses, may_ask)
        return replace(g, verdict=terms.judge.verdict(one))

    def gated(g: Grant) -> Grant:
        seen = terms.coverage.observed(g.rule.service, g.action, g.rule.body.resources)
        lacking = terms.judge.lacking((g.rule.service, g.action), seen, g.granted_since)
        said = f"not narrowed: {lacking}" if lacking and not g.note and _may_narrow(g.rule, g.action) else g.note
        return replace(g, lacking=lacking, note=said)

    first = [
        judged(g, may_ask=g.rule.effect is Effect.ALLOW)
        if g.status is Status.UNEXERCISED
        else gated(g)
        if g.status is Status.EXERCISED
        else g
        for g in grants
    ]
    # An approval beats an allow: where another rule goes on granting the action, its use would have to ask, too. That
    # rule may need approval by the next run itself, which must not change what is said of this one.
    stay = {(g.rule.service, g.action) for g in first if not g.goes and not g.asks}
    return tuple(judged(g, may_ask=False) if g.asks and (g.rule.service, g.action) in stay else g for g in first)


def _covering(con: duckdb.DuckDBPyConnection) -> dict[tuple[int, str], int]:
    """For a rule and an action that was used only through a narrower rule: that rule."""
    return {(wide, action): narrow for wide, action, narrow in con.execute(query("covered_by")).fetchall()}


def _might_be(unmapped_service: str, unmapped_action: str, service: str, action: str) -> bool:
    """Whether an unmapped event could have been this action: same service and, where it is known, same prefix."""
    if unmapped_service != service:
        return False
    prefix = unmapped_action.partition(":")[0].lower()
    return prefix not in prefixes() or action.lower().startswith(prefix + ":")


def _status(
    rule: Rule, action: str, evidence: Evidence, observed: int, since: date | None, terms: Terms
) -> tuple[Status, str]:
    reason = terms.excepted(rule, action)
    if reason:
        return Status.EXCEPTED, reason
    if terms.min_age and since is not None and (age := (terms.window.last - since).days) < terms.min_age:
        return (
            Status.TOO_NEW,
            f"granted since {since}, {max(age, 0)} days before the window's end (minimum {terms.min_age})",
        )
    if evidence.uses:
        return Status.EXERCISED, _elsewhere(rule, action, observed, terms)
    if evidence.partial_uses:
        return Status.EXERCISED, "only by calls whose log line hides what exactly they touched"
    if not observed:
        return Status.UNOBSERVABLE, terms.coverage.why_not(rule.service, action, rule.body.resources)
    if observed < terms.days_needed:
        return Status.UNOBSERVABLE, f"could be seen on {observed} days only; {terms.days_needed} are needed"
    if evidence.doubtful:
        return (
            Status.UNOBSERVABLE,
            f"{evidence.doubtful} requests without evidence either way (throttled, invalid, pending)",
        )
    if evidence.unmapped:
        return Status.UNOBSERVABLE, f"{evidence.unmapped} unmapped events might have used it"
    return Status.UNEXERCISED, ""


def _may_narrow(rule: Rule, action: str) -> bool:
    """Whether there is anything to narrow: resources are missing (any), or something is written with a wildcard."""
    if rule.service == AWS and not arn_formats(action):
        return False  # it has no resource to narrow
    parts = (rule.body.resources or ("*",), rule.body.branches or ())
    return any({"*", "?"} & set(pattern) for part in parts for pattern in part)


def _elsewhere(rule: Rule, action: str, observed: int, terms: Terms) -> str:
    """Why an exercised grant keeps resources without a use; '' where a use would have shown, or none can go."""
    if observed >= terms.days_needed or not _may_narrow(rule, action):
        return ""
    days = f"could be seen on {observed} days only; {terms.days_needed} are needed"
    why = days if observed else terms.coverage.why_not(rule.service, action, rule.body.resources)
    return f"its resources are not narrowed: {why}"


def _attempts(con: duckdb.DuckDBPyConnection, kind: str) -> tuple[Attempt, ...]:
    rows = con.execute(query("attempt"), {"kind": kind, "most": MOST_ATTEMPTS}).fetchall()
    return tuple(Attempt(*row) for row in rows)


def _refused(con: duckdb.DuckDBPyConnection, terms: Terms) -> tuple[Attempt, ...]:
    """The refused requests, with the layers that refused them as far as AWS named them."""
    layers: dict[tuple[str, ...], list[Denial]] = {}
    for *request, layer, explicit, uses in con.execute(
        query("denied_by"), inputs_of(terms_agent(con), terms.window)
    ).fetchall():
        layers.setdefault(tuple(request), []).append(Denial(layer, explicit, uses))
    return tuple(
        replace(one, denied_by=tuple(layers.get((one.service, one.action, one.resource, one.branch), ())))
        for one in _attempts(con, "refused")
    )


def _around(con: duckdb.DuckDBPyConnection, terms: Terms) -> tuple[Attempt, ...]:
    rows = con.execute(query("around_gateway"), inputs_of(terms_agent(con), terms.window)).fetchall()
    return tuple(
        Attempt("aws", action, resource, "", 1, time, time, f"{Path(uri).name}, record {position}")
        for time, action, resource, _session, _id, uri, position, _outcome in rows
    )
