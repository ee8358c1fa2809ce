"""Refused calls: one event with all that it asked for, and all that an agent was refused since a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from tightener.logs.callers import OwnerOf, seen
from tightener.logs.usage import bounds, inputs_of
from tightener.model import Request, Window
from tightener.resources import query


@dataclass(frozen=True, slots=True)
class Logged:
    """One request of a logged event. `decision` is the gateway's, '' where none decided; times are UTC."""

    request: Request
    time: datetime
    source: str
    partial: str
    decision: str
    outcome: str
    mapped: bool
    file: str
    position: int
    refusals: int  # how often the log holds this very request as refused


@dataclass(frozen=True, slots=True)
class Refused:
    """A distinct request that was refused, how often, when, and the first event that says so."""

    request: Request
    partial: str
    count: int
    first: datetime
    last: datetime
    event: str


def event(con: duckdb.DuckDBPyConnection, native_id: str, owner_of: OwnerOf) -> tuple[Logged, ...]:
    """Every request of an event by its native id, each with the agent that made it ('' = nobody's); none = unknown."""
    callers = seen(con)
    found = []
    for row in con.execute(query("refused_event"), {"id": native_id}).fetchall():
        _, position, time, source, agent, caller, service, action, resource, branch, partial, *rest = row
        decision, outcome, mapped, uri, refusals = rest
        whose = agent or (owner_of(callers[caller]).agent if caller in callers else "")
        request = Request(whose, service, action, resource, branch)
        moment = time.replace(tzinfo=UTC)
        found.append(Logged(request, moment, source, partial, decision, outcome, mapped, uri, position, refusals))
    return tuple(found)


def since(con: duckdb.DuckDBPyConnection, agent: str, window: Window, moment: datetime) -> Sequence[Refused]:
    """What the agent was refused in the window, from a moment on. In: the agent was collected (`usage.collect`)."""
    first, _ = bounds(window)
    inputs = {**inputs_of(agent, window), "first": max(first, moment.astimezone(UTC).replace(tzinfo=None))}
    return [
        Refused(
            Request(agent, service, action, resource, branch),
            partial,
            count,
            first.replace(tzinfo=UTC),
            last.replace(tzinfo=UTC),
            sample,
        )
        for service, action, resource, branch, partial, count, first, last, sample in con.execute(
            query("refused_since"), inputs
        ).fetchall()
    ]
