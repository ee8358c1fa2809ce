"""On which days before the window an agent used what it did not use in it: the rhythm of rare jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from tightener.logs.usage import bounds
from tightener.model import Window
from tightener.policy.patterns import matches, to_like
from tightener.policy.rules import boxes
from tightener.resources import query
from tightener.services.semantics import fold_action
from tightener.tighten.grants import Grant


def earlier(
    con: duckdb.DuckDBPyConnection, agent: str, window: Window, grants: Sequence[Grant]
) -> Mapping[tuple[int, str], tuple[int, ...]]:
    """(rule index, action) -> days (ordinals, sorted) before the window on which these grants may have been used."""
    first = bounds(window)[0]
    if not grants or con.execute("SELECT 1 FROM logged WHERE time < ? LIMIT 1", [first]).fetchone() is None:
        return {}
    of_rule = {g.rule.index: boxes(g.rule, g.rule.service) for g in grants}
    rows = [
        (g.rule.index, g.rule.service, g.action, to_like(box.resource), to_like(box.branch))
        for g in grants
        for box in of_rule[g.rule.index]
        if matches(box.action, fold_action(g.rule.service, g.action))
    ]
    names = ("rule", "service", "action", "resource", "branch")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    con.execute(
        "CREATE OR REPLACE TEMP TABLE unexercised AS SELECT unnest($rule::INTEGER[]) AS rule, "
        "unnest($service::VARCHAR[]) AS service, unnest($action::VARCHAR[]) AS action, "
        "unnest($resource::VARCHAR[]) AS resource_like, unnest($branch::VARCHAR[]) AS branch_like",
        columns,
    )
    found: dict[tuple[int, str], list[int]] = {}
    for rule, action, day in con.execute(query("earlier_use"), {"agent": agent, "first": first}).fetchall():
        found.setdefault((rule, action), []).append(day)
    return {grant: tuple(days) for grant, days in found.items()}
