"""Which source could have shown which action, on which day. A missing line is evidence only where this says full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from tightener.logs.usage import bounds
from tightener.model import Window
from tightener.resources import query
from tightener.services.catalogue import access_levels, observability

TRAIL = "cloudtrail"


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """One source over the window. `days` has a letter a day: f full, p partial (a part is missing), n none."""

    source: str
    services: tuple[str, ...]
    days: str

    @property
    def full(self) -> int:
        return self.days.count("f")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What all sources together could have shown about one agent."""

    window: Window
    sources: tuple[SourceCoverage, ...]
    trail_classes: Mapping[str, date]  # observability class -> first day on which CloudTrail showed one of it
    trail_sees_agent: bool  # some logged caller is this agent
    gateways: frozenset[str]  # the gateways that have logged this agent

    @property
    def knowing(self) -> tuple[SourceCoverage, ...]:
        """The sources that have ever logged this agent."""
        return tuple(
            s for s in self.sources if s.source in self.gateways or (s.source == TRAIL and self.trail_sees_agent)
        )

    def observed(self, service: str, action: str) -> tuple[bool, ...]:
        """Day by day: could at least one fully read source have shown this action?

        An action that never leaves a line of its own (class `never`, such as iam:PassRole) is observed by nobody. A
        gateway's log covers its services for the agents that it serves, because what a gateway's policy grants can only
        be exercised through it;
        CloudTrail covers a class of actions from the day on which it first showed one.
        """
        kind = observability(service, action)
        seen = [False] * self.window.days
        if kind == "never":
            return tuple(seen)
        for source in self.sources:
            if source.source == TRAIL:
                since = self.trail_classes.get(trail_class(service, action))
                if service != "aws" or since is None or not self.trail_sees_agent:
                    continue
                start = max(0, (since - self.window.first).days)
            elif source.source in self.gateways and service in source.services:
                start = 0
            else:
                continue
            for day in range(start, len(seen)):
                seen[day] = seen[day] or source.days[day] == "f"
        return tuple(seen)

    def why_not(self, service: str, action: str) -> str:
        """One sentence on why an action with few observed days could not be seen."""
        kind = observability(service, action)
        if kind == "never":
            return "no log shows this action: it is checked, but never called by itself"
        gateways = [s.source for s in self.sources if s.source in self.gateways and service in s.services]
        if gateways:
            return f"the log of {', '.join(gateways)} has too few whole days"
        if service == "aws" and any(s.source == TRAIL for s in self.sources):
            if not self.trail_sees_agent:
                return "CloudTrail was read, but no caller in it is mapped to this agent"
            if kind.startswith("data:"):
                return f"the trail has shown no data event of {kind.removeprefix('data:')}: switch on its data events"
            return "the trail has shown no event of this class"
        return f"no source that was read covers the service {service}"


def trail_class(service: str, action: str) -> str:
    """The class that a trail records or leaves out as a whole: management or a kind of data event, reads or writes.

    A trail's selectors choose by exactly these (read-only, write-only, data event types), so one event of a class
    shows that the class is recorded, and says nothing about any other.
    """
    kind = observability(service, action)
    levels = access_levels(action)
    direction = "read" if levels and set(levels) <= {"Read", "List"} else "write"
    return f"{kind if kind.startswith('data:') else 'management'} {direction}"


def measure(
    con: duckdb.DuckDBPyConnection,
    agent: str,
    window: Window,
    covers: Mapping[str, Sequence[str]],
    *,
    trail_sees_agent: bool,
) -> Coverage:
    """Reads every source's coverage from the events. `covers` names a gateway's services; default: those it logged."""
    first, after = bounds(window)
    alive: dict[str, dict[date, bool]] = {}
    for source, day, holed in con.execute(query("coverage"), {"first": first, "after": after}).fetchall():
        alive.setdefault(source, {})[day] = holed
    services: dict[str, set[str]] = {}
    classes: dict[str, date] = {}
    for source, service, action, since in con.execute(query("covered_class"), {"after": after}).fetchall():
        services.setdefault(source, set()).add(service)
        if source == TRAIL:
            kind = trail_class(service, action)
            classes[kind] = min(since, classes.get(kind, since))
    every_day = [window.first + timedelta(days=i) for i in range(window.days)]
    sources = tuple(
        SourceCoverage(
            source=source,
            services=tuple(sorted(covers.get(source, services.get(source, ())))),
            days="".join("n" if d not in days else "p" if days[d] else "f" for d in every_day),
        )
        for source, days in sorted(alive.items())
    )
    gateways = frozenset(source for (source,) in con.execute(query("agent_source"), {"agent": agent}).fetchall())
    return Coverage(window, sources, classes, trail_sees_agent, gateways)
