"""To which rule each use belongs: the narrowest of those that grant it, in one order for each action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb

from tightener.model import AgentPolicy, Box, Effect, Rule
from tightener.policy.contain import covered
from tightener.policy.patterns import matches, to_like
from tightener.policy.rules import boxes_of
from tightener.resources import query
from tightener.services.semantics import fold_action


@dataclass(frozen=True, slots=True)
class Candidate:
    """One box that matches one logged action, as a row of the temp table `candidate`."""

    rule: Rule
    box: Box
    service: str
    action: str

    @property
    def of(self) -> tuple[str, str]:
        """What it is about."""
        return self.service, self.action


def assign(
    con: duckdb.DuckDBPyConnection,
    policy: AgentPolicy,
    moment: datetime,
    in_force: AgentPolicy,
    origin: Sequence[int],
) -> tuple[list[Candidate], bool]:
    """Find which rules match each request, and which of them it belongs to.

    In: the policy, and the one that decides (the same, or a draft of it), with the index that each of its rules has in
    the policy. Out: the boxes that match what was logged, and whether several rules grant one request, so that there
    was something to decide. Leaves the temp tables `candidate`, `matched`, `owner` and `stray` behind.
    """
    found = _candidates(con, policy, moment, in_force, origin)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE candidate "
        "(id INTEGER, service VARCHAR, action VARCHAR, resource_like VARCHAR, branch_like VARCHAR, "
        "rule INTEGER, effect VARCHAR)"
    )
    rows = [
        (i, c.service, c.action, to_like(c.box.resource), to_like(c.box.branch), c.rule.index, c.box.effect.value)
        for i, c in enumerate(found)
    ]
    if rows:
        con.executemany("INSERT INTO candidate VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    con.execute(query("match"))
    return found, _own(con, found)


def remember(con: duckdb.DuckDBPyConnection) -> None:
    """Keeps who owns what now, to be asked about by `reassigned`."""
    con.execute("CREATE OR REPLACE TEMP TABLE owned AS FROM owner")


def reassigned(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether some request belongs to another rule than when it was remembered."""
    row = con.execute(
        "SELECT EXISTS ((FROM owner EXCEPT FROM owned) UNION ALL (FROM owned EXCEPT FROM owner))"
    ).fetchone()
    return bool(row and row[0])


def _candidates(
    con: duckdb.DuckDBPyConnection,
    policy: AgentPolicy,
    moment: datetime,
    in_force: AgentPolicy,
    origin: Sequence[int],
) -> list[Candidate]:
    pairs = con.execute(
        "SELECT DISTINCT service, action FROM request "
        "WHERE kind IN ('exercised', 'approved', 'ungranted', 'no_evidence') ORDER BY ALL"
    ).fetchall()
    found = []
    for service in sorted({service for service, _ in pairs}):
        boxes = boxes_of(in_force, service)
        for action in (a for s, a in pairs if s == service):
            folded = fold_action(service, action)
            for box in boxes:
                lapsed = box.expires is not None and box.expires <= moment
                if matches(box.action, folded) and not (lapsed and box.effect is Effect.ALLOW):
                    effect = Effect.DENY if lapsed else box.effect
                    found.append(
                        Candidate(policy.rules[origin[box.rule]], replace(box, effect=effect), service, action)
                    )
    return found


def _own(con: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate]) -> bool:
    """Fills `owner` (request id -> rule) and `stray` (request ids that no rule grants), one decision a signature.

    Returns whether several rules grant the same request.
    """
    signatures = con.execute("SELECT DISTINCT rules FROM matched ORDER BY ALL").fetchall()
    matching = [[candidates[i] for i in ids] for (ids,) in signatures]
    ranks = _ranks(matching, candidates)
    owners = []
    contested = False
    for (ids,), level in zip(signatures, map(_winning, matching), strict=True):
        contested |= len({c.rule.index for c in level}) > 1
        rule = min((c.rule for c in level), key=lambda r: ranks[level[0].of, r.index]) if level else None
        owners.append((ids, -1 if rule is None else rule.index))
    con.execute("CREATE OR REPLACE TEMP TABLE signature_owner (rules INTEGER[], rule INTEGER)")
    if owners:
        con.executemany("INSERT INTO signature_owner VALUES (?, ?)", owners)
    con.execute(query("owner"))
    return contested


def _winning(matching: Sequence[Candidate]) -> list[Candidate]:
    """Those that decide; none where the request is not granted."""
    effects = {c.box.effect for c in matching}
    if Effect.DENY in effects:
        return []
    winning = Effect.REQUIRE_APPROVAL if Effect.REQUIRE_APPROVAL in effects else Effect.ALLOW
    return [c for c in matching if c.box.effect is winning]


def _ranks(
    matching: Sequence[Sequence[Candidate]], candidates: Sequence[Candidate]
) -> dict[tuple[tuple[str, str], int], int]:
    """((service, action), rule index) -> rank: a use belongs to the first in rank of the rules that grant it.

    A narrower rule comes before a wider one, others in document order. It is one order for the whole action, of whole
    rules: whether a use belongs to one rule or another must not depend on third rules, on other actions, or on which of
    a rule's patterns matches; else what one tightening moves, the next one would move back.
    """
    scopes: dict[tuple[tuple[str, str], int], list[Box]] = {}
    for c in candidates:
        scopes.setdefault((c.of, c.rule.index), []).append(c.box)
    ranks: dict[tuple[tuple[str, str], int], int] = {}
    for of in {c.of for level in matching for c in level}:
        waiting = sorted({c.rule.index for level in matching for c in level if c.of == of})
        inside = {
            (i, j): all(covered(box, scopes[of, j]) for box in scopes[of, i])
            for i in waiting
            for j in waiting
            if i != j
        }
        while waiting:
            narrow = (i for i in waiting if not any(inside[j, i] and not inside[i, j] for j in waiting if j != i))
            first = next(narrow, waiting[0])
            waiting.remove(first)
            ranks[of, first] = len(ranks)
    return ranks
