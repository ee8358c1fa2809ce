"""Uses of which the log shows only a part: which grants they may have touched, and what must not be narrowed then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from tightener.model import AgentPolicy, Box, Effect
from tightener.policy.patterns import intersects, matches
from tightener.policy.rules import boxes_of
from tightener.services import shell, sql
from tightener.services.semantics import fold_action

_MASKED = re.compile(r"([^=/:\s]+=)\*")


@dataclass(frozen=True, slots=True)
class Partial:
    """What partial uses say of the grants that they may have touched. Actions are folded."""

    uses: Mapping[tuple[int, str], int] = field(default_factory=dict)  # (rule, action as logged) -> how many
    blocked: frozenset[tuple[int, str, str]] = frozenset()  # (rule, action, dimension) of which something is hidden
    masked: Mapping[tuple[int, str], frozenset[str]] = field(
        default_factory=dict
    )  # (rule, action) of whose resources only whole values of these arguments are hidden: names with the equals sign


def partial(con: duckdb.DuckDBPyConnection, policy: AgentPolicy) -> Partial:
    """Partial uses count for every grant that they may have touched, and block narrowing of the dimension they hide.

    Where they hide the value of an argument, they block that argument alone. Leaves the temp table `touched` behind
    (request id, rule): what they do show must stay granted by those rules, too.
    """
    blocked: set[tuple[int, str, str]] = set()
    hidden: dict[tuple[int, str], set[str]] = {}  # '' = more than an argument's value
    uses: dict[tuple[int, str], int] = {}
    rows = con.execute(
        "SELECT service, action, resource, branch, partial, uses, id FROM request "
        "WHERE partial <> '' AND kind IN ('exercised', 'approved', 'no_evidence') ORDER BY ALL"
    ).fetchall()
    touching: list[tuple[int, int]] = []
    for service, action, resource, branch, part, count, number in rows:
        folded = fold_action(service, action)
        argument = _argument(resource) if part == "resource" else ""
        touched = {
            box.rule
            for box in boxes_of(policy, service)
            if box.effect is not Effect.DENY and matches(box.action, folded) and may_touch(box, resource, branch, part)
        }
        for rule in touched:
            uses[rule, action] = uses.get((rule, action), 0) + count
            blocked.update((rule, folded, dimension) for dimension in part.split(","))
            hidden.setdefault((rule, folded), set()).add(argument)
            touching.append((number, rule))
    con.execute("CREATE OR REPLACE TEMP TABLE touched (id BIGINT, rule INTEGER)")
    if touching:
        con.executemany("INSERT INTO touched VALUES (?, ?)", touching)
    masked = {key: frozenset(some) for key, some in hidden.items() if "" not in some}
    return Partial(uses, frozenset(blocked), masked)


def may_touch(box: Box, resource: str, branch: str, part: str) -> bool:
    """Whether a partial request may have touched what a box holds: what it hides is a pattern, the rest values."""
    return all(
        intersects(pattern, value) if dimension in part else matches(pattern, value)
        for dimension, pattern, value in (("resource", box.resource, resource), ("branch", box.branch, branch))
    )


def _argument(resource: str) -> str:
    """The name, with its equals sign, of an argument whose whole value is hidden; '' for what is none."""
    found = _MASKED.fullmatch(resource)
    return found[1] if found and not shell.is_literal(resource) and not sql.is_literal(resource) else ""
