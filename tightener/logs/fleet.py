"""What every agent of the logs did, by day: one query, from which all statistics over the fleet are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

import duckdb

from tightener.logs.usage import bounds
from tightener.model import Window
from tightener.resources import query

Permission = tuple[str, str]  # service, action


@dataclass(frozen=True, slots=True)
class Fleet:
    """Days as ordinals (date.toordinal), sorted, from the beginning of the logs to the end of the window."""

    active: Mapping[str, tuple[int, ...]]  # agent -> days on which it did anything at all, refused attempts included
    used: Mapping[str, Mapping[Permission, tuple[int, ...]]]  # agent -> permission -> days on which it exercised it

    def actions(self) -> Mapping[str, tuple[str, ...]]:
        """The exercised actions of each service, by any agent, sorted."""
        found: dict[str, set[str]] = {}
        for service, action in chain.from_iterable(self.used.values()):
            found.setdefault(service, set()).add(action)
        return {service: tuple(sorted(actions)) for service, actions in found.items()}


def fleet(con: duckdb.DuckDBPyConnection, window: Window) -> Fleet:
    """Reads it; needs the temp table `caller_agent` that `usage.collect` leaves behind."""
    return made(con.execute(query("fleet_use"), {"after": bounds(window)[1]}).fetchall())


def made(rows: Iterable[tuple[str, str, str, Iterable[int], Iterable[int]]]) -> Fleet:
    """A fleet from rows of agent, service, action, days on which it was done, days on which it was exercised."""
    active: dict[str, set[int]] = {}
    used: dict[str, dict[Permission, tuple[int, ...]]] = {}
    for agent, service, action, done, exercised in rows:
        active.setdefault(agent, set()).update(done)
        if days := tuple(exercised):
            used.setdefault(agent, {})[service, action] = days
    return Fleet({agent: tuple(sorted(days)) for agent, days in active.items()}, used)
