"""From a comparison to suggestions: every edit kind is asked about every rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

import duckdb

from tightener.logs.packed import MANY, Packed
from tightener.model import Body, Effect
from tightener.resources import query
from tightener.tighten.arguments import Argument, again
from tightener.tighten.compare import Comparison
from tightener.tighten.moves import RuleMoves, moves
from tightener.tighten.risk import only_reads
from tightener.tighten.rule_use import Open, RuleUse, waits
from tightener.tighten.rules import RULES, ask_unused, deny_floor
from tightener.tighten.rules.narrowing import asked
from tightener.tighten.segments import Seen, pooled
from tightener.tighten.suggestion import Edit, Suggestion, compose
from tightener.tighten.trie import MOST_PATTERNS


class Suggested(NamedTuple):
    """Every suggestion, and what is left as it was granted because it keeps growing; both in document order."""

    every: list[Suggestion]
    open: list[Open]
    early: dict[str, str]  # ids of moves to approval that had better wait -> why, and for how long


def suggest(con: duckdb.DuckDBPyConnection, comparison: Comparison, unmoved: Collection[str] = ()) -> Suggested:
    """What every edit kind says about every allow and approval rule that it may touch.

    Rules reached through an alias are never edited, deny rules are never dropped or narrowed. `unmoved` are ids of
    moves to approval that will not happen: they are listed, and the others leave room for what they would have moved.
    """
    seen = _seen(con)
    moved = moves(con, comparison)
    others, masked = _arguments(comparison, seen), comparison.partial.masked
    found: list[Suggestion] = []
    left: list[Open] = []
    early: dict[str, str] = {}
    for rule in comparison.policy.rules:
        grants = comparison.of_rule(rule.index)
        if not grants or rule.alias_of is not None:
            continue
        own = moved.get(rule.index, RuleMoves())
        values = {(action, dimension): v for (index, action, dimension), v in seen.items() if index == rule.index}
        use = RuleUse(
            rule=rule,
            grants=grants,
            seen={**values, **own.stays},
            frozen=frozenset(
                (action, dimension)
                for index, action, dimension in comparison.partial.blocked
                if index == rule.index and (index, action) not in masked
            ),
            masked={action: names for (index, action), names in masked.items() if index == rule.index},
            window_days=comparison.terms.window.days,
            days_needed=comparison.terms.days_needed,
            moves=own,
            others=others.get(rule.service, ()),
        )
        stuck = [(move, one) for move, one in asked(use) if one.id in unmoved]
        if stuck:
            found.extend(one for _, one in stuck)
            own = own.without([move for move, _ in stuck])
            use = use.with_moves(own, {**values, **own.stays})
        refused = [one for one in ask_unused.propose(use) if one.id in unmoved]
        if refused:
            found.extend(refused)
            use = use.without_questions()
        early |= _early(use, values)
        for propose in RULES:
            found.extend(propose(use))
        left.extend(use.open())
    return Suggested([*found, *deny_floor.propose(comparison.policy, found)], left, early)


def _early(use: RuleUse, values: Mapping[tuple[str, str], Collection[Seen]]) -> dict[str, str]:
    """Moves that would write out a long wildcard of which nothing else may go yet, with the reason that says so.

    Not what one session alone did, which may have been talked into it.
    """
    found: dict[str, str] = {}
    for pattern in dict.fromkeys(use.rule.body.actions):
        moving = [(move, one) for move, one in asked(use) if waits(use, pattern, move)]
        waiting = [g.verdict.suffices for g in use.of_pattern(pattern) if g.verdict and g.verdict.suffices]
        if not moving or len(waiting) <= MOST_PATTERNS:
            continue
        own = use.moves.without([move for move, _ in moving])
        if not use.with_moves(own, {**values, **own.stays}).listed(pattern):
            why = (
                f"`{pattern}` would be written out as {len(use.of_pattern(pattern))} actions, none of which may be "
                f"taken away yet; proposed again when the evidence suffices, from {min(waiting)} on"
            )
            found.update((one.id, why) for _, one in moving)
    return found


def with_required(chosen: Sequence[Suggestion], every: Sequence[Suggestion]) -> list[Suggestion]:
    """The chosen suggestions and those that they need, in the order of `every`."""
    required = {one for s in chosen for one in s.requires}
    if not required and len(chosen) == 1:
        return list(chosen)  # each is asked about by itself: naming all the others each time would take the longest
    wanted = required | {s.id for s in chosen}
    return [s for s in every if s.id in wanted]


def changes(chosen: Sequence[Suggestion]) -> dict[tuple[str, int], tuple[Body, ...]]:
    """What the chosen suggestions make of each rule that they touch: (agent, rule index) -> bodies."""
    edits: dict[tuple[str, int], list[Edit]] = {}
    bodies: dict[tuple[str, int], Body] = {}
    for one in chosen:
        if one.rule.index < 0:
            continue
        key = (one.rule.agent, one.rule.index)
        edits.setdefault(key, []).append(one.edit)
        bodies[key] = one.rule.body
    return {key: compose(bodies[key], parts) for key, parts in edits.items()}


def _arguments(
    comparison: Comparison, seen: Mapping[tuple[int, str, str], Collection[Seen]]
) -> Mapping[str, tuple[Argument, ...]]:
    """Service -> what its tools were given again and again, where it is allowed outright."""
    parts: dict[tuple[str, str], list[Collection[Seen]]] = {}
    rules = {rule.index: rule for rule in comparison.policy.rules if rule.effect is Effect.ALLOW}
    for (index, action, dimension), values in seen.items():
        if index in rules and dimension == "resource":
            parts.setdefault((rules[index].service, action), []).append(values)
    found: dict[str, list[Argument]] = {}
    for (service, action), some in parts.items():
        every = some[0] if len(some) == 1 else pooled(some)
        found.setdefault(service, []).extend(again(action, every, reads=only_reads(service, action)))
    return {service: tuple(some) for service, some in found.items()}


def _seen(con: duckdb.DuckDBPyConnection) -> Mapping[tuple[int, str, str], Collection[Seen]]:
    """The values of every (rule, action, dimension), sorted. Whole columns: there may be a hundred thousand."""
    con.execute(query("values"))
    groups = con.execute(
        "SELECT rule, action, dimension, count(*) FROM value_seen GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    made = partial(tuple.__new__, Seen)  # what Seen._make does, without a call of Python's for each
    found: dict[tuple[int, str, str], Collection[Seen]] = {}
    for rule, action, dimension, number in groups:
        if number > MANY:
            key = [rule, action, dimension]
            rows = con.sql(
                "SELECT value, first_day, last_day, session, days FROM value_seen "
                "WHERE rule = ? AND action = ? AND dimension = ? ORDER BY value",
                params=key,
            )
            found[rule, action, dimension] = Packed(rows, made)
            con.execute("DELETE FROM value_seen WHERE rule = ? AND action = ? AND dimension = ?", key)
    columns = con.execute(
        "SELECT value, first_day, last_day, session, days FROM value_seen ORDER BY rule, action, dimension, value"
    ).fetchnumpy()
    seen = map(made, zip(*(column.tolist() for column in columns.values()), strict=True))
    for rule, action, dimension, number in groups:
        if number <= MANY:
            found[rule, action, dimension] = tuple(islice(seen, number))
    return found
