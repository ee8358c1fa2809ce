"""What an agent did in a window, rolled up: the temp table `request` that everything later reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import duckdb

from tightener.errors import NoEvidence
from tightener.logs.callers import Identity, Owner, OwnerOf, Shared, seen, shared
from tightener.model import Window
from tightener.resources import query

BURST_PAUSE = 30 * 60  # seconds without use that end a burst


@dataclass(frozen=True, slots=True)
class Span:
    """The first and last day that the logs cover, and how many requests they hold."""

    first: date
    last: date
    events: int


@dataclass(frozen=True, slots=True)
class Callers:
    """How many of the logged callers are the agent, and which of its credentials others use, too."""

    own: int
    shared: tuple[Shared, ...]


def span(con: duckdb.DuckDBPyConnection) -> Span:
    """The days covered by everything ingested. Raises NoEvidence when there is nothing."""
    row = con.execute(query("span")).fetchone()
    if row is None or row[0] is None:
        raise NoEvidence(
            "there are no events in the database",
            slug="no-events",
            hint="read logs first: tightener ingest PATH...",
        )
    return Span(row[0], row[1], row[2])


def window(con: duckdb.DuckDBPyConnection, days: int, as_of: date | None) -> Window:
    """The window of at most `days` days that ends at the last logged day, or at `as_of`.

    It never begins before the logs do: a day without any log is no evidence. Raises NoEvidence when nothing is left.
    """
    covered = span(con)
    last = min(as_of, covered.last) if as_of else covered.last
    first = max(covered.first, last - timedelta(days=days - 1))
    if first > last:
        raise NoEvidence(
            f"the logs begin on {covered.first}, after {last}", slug="no-events", hint="choose a later --as-of"
        )
    return Window(first, last)


def bounds(window: Window) -> tuple[datetime, datetime]:
    """The window's first moment, and the first moment behind it (naive UTC, as the database stores times)."""
    return datetime.combine(window.first, time()), datetime.combine(window.last + timedelta(days=1), time())


def inputs_of(agent: str, window: Window) -> dict[str, object]:
    """The parameters of the queries over `own_event`."""
    first, after = bounds(window)
    return {"agent": agent, "first": first, "after": after}


def collect(con: duckdb.DuckDBPyConnection, agent: str, window: Window, owner_of: OwnerOf) -> Callers:
    """Make the temp tables `collected`, `agent_caller`, `caller_agent`, `second_witness`, `request` and the macros.

    Returns what is known of the agent's callers. `caller_agent` is about all agents, the others about this one.
    """
    inputs = inputs_of(agent, window)
    con.execute("CREATE OR REPLACE TEMP TABLE collected AS SELECT $agent::VARCHAR AS agent", {"agent": agent})
    owners = {number: (of, owner_of(of)) for number, of in seen(con).items()}
    named = {number: its.agent for number, (_, its) in owners.items() if its.agent}
    con.execute(
        "CREATE OR REPLACE TEMP TABLE caller_agent AS "
        "SELECT unnest(?::INTEGER[]) AS identity, unnest(?::VARCHAR[]) AS agent",
        [list(named), list(named.values())],
    )
    own = witness(con, agent, window, owners)
    con.execute(query("own_event"))
    con.execute(query("request"), inputs)
    return Callers(own, tuple(one for one in shared(owners.values()) if agent in one.agents))


def witness(
    con: duckdb.DuckDBPyConnection, agent: str, window: Window, owners: Mapping[int, tuple[Identity, Owner]]
) -> int:
    """Make the temp tables `agent_caller` and `second_witness` and the macro `trail_event`; the agent's callers."""
    own = [number for number, (_, its) in owners.items() if its.agent == agent]
    con.execute("CREATE OR REPLACE TEMP TABLE agent_caller AS SELECT unnest(?::INTEGER[]) AS identity", [own])
    con.execute(query("trail_event"))
    if own:
        con.execute(query("second_witness"), inputs_of(agent, window))
    else:
        con.execute("CREATE OR REPLACE TEMP TABLE second_witness AS SELECT file_id, position, part FROM event LIMIT 0")
    return len(own)


def roll_up(con: duckdb.DuckDBPyConnection, agent: str, window: Window) -> duckdb.DuckDBPyRelation:
    """What was collected of an agent, by day, request and outcome class."""
    return con.sql(query("agent_usage"), params=inputs_of(agent, window))
