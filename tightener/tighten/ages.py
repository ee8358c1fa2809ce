"""Since when each action of a rule has been granted: declared, from Git, or from when the database first saw it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

from tightener.model import AgentPolicy, Effect, Rule
from tightener.policy.history import granted_since


def ages(
    con: duckdb.DuckDBPyConnection | None, path: Path, policy: AgentPolicy, today: date
) -> Mapping[tuple[int, str], date | None]:
    """(rule index, action as written) -> the first day on which this very set of requests was granted; None = unknown.

    The agent's own `x-granted-since` is reviewed with the policy: it holds for all that Git has not seen come later (a
    grant that was requested or restored is as young as it is). Then Git. Without Git, the last log day at which the
    database first met this text. `con` is None for a temporary database, which has no past: there the age stays
    unknown, and the output says that the age gate was not applied.
    """
    pairs = [(rule, action) for rule in policy.rules if rule.effect is not Effect.DENY for action in rule.body.actions]
    history = granted_since(path, policy.name, pairs, declared=policy.granted_since)
    if history is not None:
        return {key: since or today for key, since in history.items()}
    if policy.granted_since is not None:
        return {(rule.index, action): policy.granted_since for rule, action in pairs}
    if con is None:
        return {(rule.index, action): None for rule, action in pairs}
    return _first_seen(con, pairs, today)


def _first_seen(
    con: duckdb.DuckDBPyConnection, pairs: list[tuple[Rule, str]], today: date
) -> dict[tuple[int, str], date | None]:
    found: dict[tuple[int, str], date | None] = {}
    for rule, action in pairs:
        key = [rule.agent, _fingerprint(rule, action)]
        con.execute("INSERT INTO first_seen VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [*key, today])
        row = con.execute("SELECT day FROM first_seen WHERE agent = ? AND fingerprint = ?", key).fetchone()
        found[rule.index, action] = row[0] if row else today
    return found


def _fingerprint(rule: Rule, action: str) -> str:
    text = repr((rule.effect.value, rule.service, action, rule.body.resources, rule.body.branches))
    return hashlib.sha256(text.encode()).hexdigest()
