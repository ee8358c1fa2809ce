"""Which source could have shown which action, on which day. A missing line is evidence only where this says full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from tightener.logs import digests, trail
from tightener.logs.trail import Gap, Trail
from tightener.logs.usage import bounds
from tightener.model import Window
from tightener.resources import query
from tightener.services.catalogue import observability

TRAIL = "cloudtrail"


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """One source over the window. `days` has a letter a day: f full, p partial (a part is missing), n none."""

    source: str
    services: tuple[str, ...]
    days: str
    proved: int = 0  # full days whose files are all there and unaltered by CloudTrail's own digest files
    gaps: tuple[Gap, ...] = ()

    @property
    def full(self) -> int:
        return self.days.count("f")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What all sources together could have shown about one agent."""

    window: Window
    sources: tuple[SourceCoverage, ...]
    trail: Trail  # what CloudTrail has shown of itself
    trail_sees_agent: bool  # some logged caller is this agent
    gateways: frozenset[str]  # the gateways that have logged this agent

    @property
    def knowing(self) -> tuple[SourceCoverage, ...]:
        """The sources that have ever logged this agent."""
        return tuple(
            s for s in self.sources if s.source in self.gateways or (s.source == TRAIL and self.trail_sees_agent)
        )

    def observed(self, service: str, action: str, resources: Sequence[str] | None = None) -> tuple[bool, ...]:
        """Day by day: could at least one fully read source have shown this action on these resources (None = any)?

        An action that never leaves a line of its own (class `never`, such as iam:PassRole) is observed by nobody. A
        gateway's log covers its services for the agents that it serves, because what a gateway's policy grants can only
        be exercised through it; CloudTrail covers a class of actions from the day on which it first showed one, in the
        regions that it shows, and a class of data events in the containers that it shows (trail.Trail.since).
        """
        kind = observability(service, action)
        seen = [False] * self.window.days
        if kind == "never":
            return tuple(seen)
        for source in self.sources:
            if source.source == TRAIL:
                since = self.trail.since(action, resources) if service == "aws" and self.trail_sees_agent else None
                if since is None:
                    continue
                start = max(0, (since - self.window.first).days)
            elif source.source in self.gateways and service in source.services:
                start = 0
            else:
                continue
            for day in range(start, len(seen)):
                seen[day] = seen[day] or source.days[day] == "f"
        return tuple(seen)

    def why_not(self, service: str, action: str, resources: Sequence[str] | None = None) -> str:
        """One sentence on why an action with few observed days could not be seen, and what there is to switch on."""
        kind = observability(service, action)
        if kind == "never":
            return "no log shows this action: it is checked, but never called by itself"
        gateways = [s.source for s in self.sources if s.source in self.gateways and service in s.services]
        if gateways:
            return f"the log of {', '.join(gateways)} has too few whole days"
        if service == "aws" and any(s.source == TRAIL for s in self.sources):
            if not self.trail_sees_agent:
                return "CloudTrail was read, but no caller in it is mapped to this agent"
            return self.trail.why_not(action, resources)
        return f"no source that was read covers the service {service}"


def measure(
    con: duckdb.DuckDBPyConnection,
    agent: str,
    window: Window,
    covers: Mapping[str, Sequence[str]],
    data_events: Mapping[str, date],
    *,
    trail_sees_agent: bool,
) -> Coverage:
    """Reads every source's coverage from the events. `covers` names a gateway's services; default: those it logged.

    `data_events` names the resource types of which the trail selects everything, with the first such day.
    """
    first, after = bounds(window)
    alive: dict[str, dict[date, bool]] = {}
    for source, day, holed in con.execute(query("coverage"), {"first": first, "after": after}).fetchall():
        alive.setdefault(source, {})[day] = holed
    services: dict[str, set[str]] = {}
    actions: set[str] = set()
    for source, service, action in con.execute(query("covered_class"), {"after": after}).fetchall():
        services.setdefault(source, set()).add(service)
        if source == TRAIL:
            actions.add(action)
    shown = trail.read(con, window, actions, data_events)
    proved = digests.proved(con, window, shown.places)
    holed = (trail.holed(shown.gaps, proved) | digests.holes(con)) if TRAIL in alive else frozenset()
    every_day = [window.first + timedelta(days=i) for i in range(window.days)]
    found = []
    for source, days in sorted(alive.items()):
        own = source == TRAIL
        letters = "".join("n" if d not in days else "p" if days[d] or (own and d in holed) else "f" for d in every_day)
        found.append(
            SourceCoverage(
                source=source,
                services=tuple(sorted(covers.get(source, services.get(source, ())))),
                days=letters,
                proved=sum(own and d in proved for d, letter in zip(every_day, letters, strict=True) if letter == "f"),
                gaps=tuple(gap for gap in shown.gaps if gap.day not in proved) if own else (),
            )
        )
    sources = tuple(found)
    gateways = frozenset(source for (source,) in con.execute(query("agent_source"), {"agent": agent}).fetchall())
    return Coverage(window, sources, shown, trail_sees_agent, gateways)
