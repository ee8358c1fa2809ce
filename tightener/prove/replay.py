"""Replay: every exercised request of the window is put to the authoriser again, under the old policy and the new one.

Shares no code with tighten/: it reads the usage by a query of its own, and knows of suggestions only which requests
they say that they move from `allowed` to `needs_approval` (docs/policy-semantics.md, section 5.2). Anything else that a
request in use loses is lost, whenever it would be lost: now, or when some rule expires.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice, repeat

import duckdb

from tightener.logs.packed import MANY, Packed
from tightener.model import AgentPolicy, Box, Effect, Level, Rule
from tightener.policy.contain import check
from tightener.policy.decide import Authoriser
from tightener.policy.patterns import matches
from tightener.policy.rules import boxes, effective
from tightener.resources import query
from tightener.services.semantics import fold_action, normalise_branch


@dataclass(frozen=True, slots=True)
class Lost:
    """A request that the new policy treats more strictly. Of a partial use, these may be patterns."""

    service: str
    action: str
    resource: str
    branch: str
    before: Level
    after: Level


@dataclass(slots=True)
class Exercised:
    """The distinct requests of one agent and window that must keep their level, grouped by what they do.

    Those without evidence either way are among them: they may be needed. They are not counted.
    """

    whole: dict[tuple[str, str], Collection[tuple[str, str]]] = field(
        default_factory=dict
    )  # (service, action) -> (resource, branch)
    partial: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    uses: int = 0
    requests: int = 0  # exercised ones, partial ones included
    # what is lost between two ways of deciding an action: asked for every edit, alone and with the others
    known: dict[tuple[object, ...], list[Lost]] = field(default_factory=dict, repr=False)


def exercised(con: duckdb.DuckDBPyConnection) -> Exercised:
    """Reads the requests from what was collected."""
    found = Exercised()
    every: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for service, action, partial, kind, resources, branches, uses in con.execute(
        query("replay"), {"most": MANY}
    ).fetchall():
        targets = list(zip(resources, branches if len(branches) > 1 else repeat(branches[0]), strict=False))
        known = every.setdefault((service, action, partial), targets)
        if known is not targets:  # the same was done in two ways
            met = set(known)
            targets = [one for one in targets if one not in met]
            known += targets
        if kind != "no_evidence":
            found.uses += uses
            found.requests += len(targets)
    for (service, action, partial), targets in every.items():
        if partial:
            found.partial += [(service, action, *target, partial) for target in targets]
        else:
            found.whole[service, action] = targets
    for service, action, partial in con.execute(
        "SELECT service, action, partial FROM request WHERE kind IN ('exercised', 'approved', 'no_evidence') "
        "GROUP BY ALL HAVING count(*) > ? ORDER BY ALL",
        [MANY],
    ).fetchall():
        con.execute(query("replay_many"), {"service": service, "action": action, "partial": partial})
        ((requests, uses),) = con.execute(
            "SELECT count(*) FILTER (exercised), sum(uses)::BIGINT FROM replayed"
        ).fetchall()
        found.uses += uses
        found.requests += requests
        many: Packed[tuple[str, str]] = Packed(con.sql("SELECT resource, branch FROM replayed"), lambda row: row)
        if partial:
            found.partial += [(service, action, *target, partial) for target in many]
        else:
            found.whole[service, action] = many
        con.execute("DROP TABLE temp.replayed")
    return found


@dataclass(slots=True)
class Replay:
    """The outcome: what is lost, and how many distinct requests move to approval as was said."""

    lost: list[Lost] = field(default_factory=list)
    moved: int = 0  # exercised or not known to be, partial ones included


def replay(
    old: AgentPolicy,
    new: AgentPolicy,
    requests: Exercised,
    moment: datetime,
    only: Iterable[tuple[str, str]] | None = None,
    moved: Iterable[Rule] = (),
) -> Replay:
    """Puts the requests to both policies, at `moment` and at each later one at which a rule expires.

    In: `only` restricts the replay to these (service, action) pairs; `moved` are approval rules: what they match may go
    from `allowed` to `needs_approval`, and nowhere else.
    """
    pairs = requests.whole.keys() if only is None else [pair for pair in only if pair in requests.whole]
    said = tuple(moved)
    found = Replay()
    lost: dict[tuple[str, str, str, str], Lost] = {}
    for at in _moments(old, new, moment):
        before, after = Authoriser(old, at), Authoriser(new, at)
        for service, action in pairs:
            key = (service, action, before.patterns(service, action), after.patterns(service, action))
            if key[2] == key[3]:
                continue
            if key not in requests.known:
                requests.known[key] = _stricter(before, after, service, action, requests.whole[service, action])
            for one in requests.known[key]:
                if _said(one, said):
                    found.moved += at == moment
                else:
                    lost.setdefault((service, action, one.resource, one.branch), one)
        for service, action, resource, branch, _ in requests.partial:
            seen = Box(-1, Effect.ALLOW, fold_action(service, action), resource, branch)
            if not _partial_kept(old, new, service, seen, at, ()):
                if _partial_kept(old, new, service, seen, at, said):
                    found.moved += at == moment
                else:
                    one = Lost(service, action, resource, branch, Level.ALLOWED, Level.REFUSED)
                    lost.setdefault((service, action, resource, branch), one)
    found.lost = sorted(lost.values(), key=lambda one: (one.service, one.action, one.resource, one.branch))
    return found


def _moments(old: AgentPolicy, new: AgentPolicy, moment: datetime) -> list[datetime]:
    expiries = {rule.expires for policy in (old, new) for rule in policy.rules if rule.expires is not None}
    return [moment, *sorted(at for at in expiries if at > moment)]


def _stricter(
    before: Authoriser, after: Authoriser, service: str, action: str, targets: Iterable[tuple[str, str]]
) -> list[Lost]:
    """The requests of one action whose level sinks."""
    rest = iter(targets)
    doubtful: list[tuple[tuple[str, str], Level]] = []
    while some := list(islice(rest, MANY)):
        now = after.levels(service, action, some)
        doubtful += [(target, level) for target, level in zip(some, now, strict=True) if level < Level.ALLOWED]
    was = before.levels(service, action, [target for target, _ in doubtful])
    return [
        Lost(service, action, *target, old_level, level)
        for (target, level), old_level in zip(doubtful, was, strict=True)
        if level < old_level
    ]


def _said(one: Lost, moved: Sequence[Rule]) -> bool:
    """Whether a suggestion says that it moves this request, and it does move as that says."""
    if (one.before, one.after) != (Level.ALLOWED, Level.NEEDS_APPROVAL):
        return False
    folded, branch = fold_action(one.service, one.action), normalise_branch(one.branch)
    return any(
        matches(box.action, folded) and matches(box.resource, one.resource) and matches(box.branch, branch)
        for rule in moved
        for box in boxes(rule, one.service)
    )


def _partial_kept(
    old: AgentPolicy, new: AgentPolicy, service: str, seen: Box, moment: datetime, moved: Sequence[Rule]
) -> bool:
    """Whether every request that a partial use may have been keeps its level, or moves to approval as was said.

    Cut to `seen`: what was allowed is allowed or asked for now, is not denied, and is asked for only where that was
    said; what was asked for is not denied, and is granted one way or the other.
    """
    deny_old, ask_old, allow_old = effective(old, service, moment)
    deny_new, ask_new, allow_new = effective(new, service, moment)
    said = tuple(box for rule in moved for box in boxes(rule, service))
    return (
        _inside([(a, seen) for a in allow_old], (*deny_old, *ask_old, *allow_new, *ask_new))
        and _inside([(a, x, seen) for a in allow_old for x in deny_new], (*deny_old, *ask_old))
        and _inside([(a, x, seen) for a in allow_old for x in ask_new], (*deny_old, *ask_old, *said))
        and _inside([(r, seen) for r in ask_old], (*deny_old, *allow_new, *ask_new))
        and _inside([(r, d, seen) for r in ask_old for d in deny_new], deny_old)
    )


def _inside(inners: list[tuple[Box, ...]], outer: tuple[Box, ...]) -> bool:
    return check([tuple(replace(box) for box in inner) for inner in inners], outer).kind == "contained"
