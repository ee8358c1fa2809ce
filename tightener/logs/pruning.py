"""Old events are dropped; their usage, and a hash of each id, stay.

What is asked of a dropped day afterwards is answered from its usage (the view `logged`): the same days, counts, first
and last uses and first sessions. One call in two logs is settled here, with the agents as tightener.yaml maps them now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from tightener.logs import usage, usage_files
from tightener.logs.callers import OwnerOf, seen
from tightener.model import Window
from tightener.resources import query


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to go: the days before `before` that still have events (each with how many)."""

    before: date
    days: tuple[tuple[date, int], ...]
    bytes: int  # what the database takes

    @property
    def events(self) -> int:
        """Requests that go."""
        return sum(rows for _, rows in self.days)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What is kept of the days that were dropped."""

    days: int
    first: date
    last: date
    events: int  # requests that were dropped
    late: tuple[date, ...]  # days on which something came after they had been dropped


def plan(con: duckdb.DuckDBPyConnection, keep: int) -> Plan:
    """What is older than the last `keep` logged days. Raises NoEvidence for an empty database."""
    before = usage.span(con).last - timedelta(days=keep - 1)
    rows = con.execute(
        "SELECT CAST(time AS DATE) AS day, count(*) FROM event WHERE time < ? GROUP BY day ORDER BY day", [before]
    ).fetchall()
    return Plan(before, tuple(rows), _used(con))


def prune(con: duckdb.DuckDBPyConnection, of: Plan, owner_of: OwnerOf) -> int:
    """Drop the events of a plan, all or none; the bytes that the database takes then."""
    if not of.days:
        return of.bytes
    con.begin()
    try:
        _settle(con, Window(of.days[0][0], of.before - timedelta(days=1)), owner_of)
        for days in usage_files.chunks(of.days):
            bounds = usage_files.about(con, days)
            con.execute(f"CREATE OR REPLACE TEMP TABLE usage_event AS {query('usage_input')}", bounds)
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE usage_part AS WITH event AS (FROM usage_event)\n{query('usage')}"
            )
            given = {**bounds, "gap": usage.BURST_PAUSE}
            for statement in duckdb.extract_statements(query("prune_fold")):
                con.execute(statement, {name: given[name] for name in statement.named_parameters})
        for table in ("usage_event", "usage_part", "folded", "settled_witness"):
            con.execute(f"DROP TABLE temp.{table}")
        con.commit()
    except BaseException:
        con.rollback()
        raise
    con.execute("CHECKPOINT")
    return _used(con)


def pruned(con: duckdb.DuckDBPyConnection) -> Pruned | None:
    """What was dropped so far; None = nothing."""
    days, first, last, events = con.execute(
        "SELECT count(*), min(day), max(day), sum(events)::BIGINT FROM pruned_day"
    ).fetchone() or (0, None, None, 0)
    if not days:
        return None
    late = con.execute(
        "SELECT day FROM pruned_day WHERE late > 0 OR day IN ("
        "SELECT CAST(time AS DATE) FROM event WHERE time < (SELECT max(day) + 1 FROM pruned_day)) ORDER BY day"
    ).fetchall()
    return Pruned(days, first, last, events, tuple(day for (day,) in late))


def dropped(con: duckdb.DuckDBPyConnection, window: Window) -> int:
    """How many days of a window are known by their usage alone."""
    row = con.execute(
        "SELECT count(*) FROM pruned_day WHERE day BETWEEN ? AND ?", [window.first, window.last]
    ).fetchone()
    return int(row[0]) if row else 0


def _settle(con: duckdb.DuckDBPyConnection, window: Window, owner_of: OwnerOf) -> None:
    """Make the temp table `settled_witness`: the requests that are a call which is counted already, and for whom.

    What went around a gateway is kept one by one.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE settled_witness (file_id INTEGER, position BIGINT, part USMALLINT, agent VARCHAR)"
    )
    owners = {number: (of, owner_of(of)) for number, of in seen(con).items()}
    for agent in sorted({its.agent for _, its in owners.values()} - {""}):
        usage.witness(con, agent, window, owners)
        con.execute("INSERT INTO settled_witness SELECT file_id, position, part, ? FROM second_witness", [agent])
        inputs = usage.inputs_of(agent, window)
        around = con.execute(query("around_gateway"), inputs).fetchall()  # with what is known of it already
        con.execute("DELETE FROM pruned_around WHERE agent = $agent AND time >= $first AND time < $after", inputs)
        if around:
            con.executemany(
                "INSERT INTO pruned_around VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(agent, *r) for r in around]
            )


def _used(con: duckdb.DuckDBPyConnection) -> int:
    """Bytes of the database's file that hold something."""
    row = con.execute("SELECT sum(block_size * used_blocks)::BIGINT FROM pragma_database_size()").fetchone()
    return int(row[0] or 0) if row else 0
