"""What CloudTrail's own records show of the trail that wrote them: its classes, containers, regions and hours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import duckdb

from tightener.logs import digests
from tightener.logs.usage import bounds
from tightener.model import Window
from tightener.resources import query
from tightener.services.catalogue import observability
from tightener.services.observe import GLOBAL, MANAGEMENT, STS, container, is_access_point, is_whole, trail_class

_FEWEST_DAYS = 14  # a rhythm is seen in two weeks, not in less
_BUSY = 10  # records an hour on the average: below that an hour without any is no wonder
_EXPECTED = 0.98  # share of the days that have the hour

Shown = tuple[str, bool]  # class, read-only


@dataclass(frozen=True, slots=True)
class Gap:
    """Hours of one region, all of one day, in which a trail that otherwise always delivers delivered nothing."""

    account: str
    region: str
    day: date
    hours: tuple[int, ...]

    def __str__(self) -> str:
        first, last = self.hours[0], self.hours[-1]
        if len(self.hours) == 24:
            when = "all day"
        elif last - first + 1 == len(self.hours):
            when = f"{first:02}:00 to {last:02}:59"
        else:
            when = f"{len(self.hours)} hours between {first:02}:00 and {last:02}:59"
        return f"{self.day} {self.region} {when}"


@dataclass(frozen=True, slots=True)
class Trail:
    """What the trail of an agent's accounts demonstrably records, since which day."""

    classes: Mapping[Shown, date]
    containers: Mapping[tuple[str, bool, str], date]  # class of data events, read-only, ARN of the bucket, table, ...
    declared: Mapping[str, date]  # class of data events -> since when the trail selects all of it, as people say
    regions: Mapping[str, date]  # by events that are bound to a region
    buckets: Mapping[str, date]  # each lies in a region that is recorded
    actions: frozenset[str]  # seen at all, by whomever
    gaps: tuple[Gap, ...] = ()
    places: frozenset[tuple[str, str]] = frozenset()  # account and region of everything that it delivered

    def since(self, action: str, resources: Sequence[str] | None) -> date | None:
        """The first day from which a use of this action on these resources would have left a line; None = never.

        Data events count in the containers that the trail has shown, and in all where it is declared to select all.
        """
        kind = observability("aws", action)
        if kind == "never" or (kind == "unknown" and action not in self.actions):
            return None
        shown = trail_class(action)
        if _in_containers(shown):
            days = [self._container_since(shown, resource) for resource in resources or ("*",)]
        else:
            days = [_earliest(self.classes.get(shown), self.declared.get(shown[0]))]
        if shown[0] != GLOBAL:
            days += [self._place_since(place) for place in places_of(resources)]
        known = [day for day in days if day is not None]
        return max(known) if len(known) == len(days) else None

    def _place_since(self, place: str) -> date | None:
        """A trail that has shown two regions is taken for one of all regions; the others may just be quiet."""
        every = sorted(self.regions.values())
        return _earliest(self.regions.get(place), self.buckets.get(place), every[1] if len(every) > 1 else None)

    def _container_since(self, shown: Shown, resource: str) -> date | None:
        declared = None if is_access_point(resource) else self.declared.get(shown[0])
        return _earliest(self.containers.get((*shown, container(resource))), declared)

    def why_not(self, action: str, resources: Sequence[str] | None) -> str:
        """What would have to be switched on or declared for this action to be seen, in a sentence."""
        if observability("aws", action) == "unknown":
            return "no API call is known that needs this action, so no log can show that it is not needed"
        shown = trail_class(action)
        if shown[0] not in self.declared and shown not in self.classes:
            return self._not_shown(shown)
        if _in_containers(shown):
            unseen = [r for r in resources or ("*",) if self._container_since(shown, r) is None]
            if unseen:
                return self._unselected(shown, unseen)
        if shown[0] != GLOBAL and any(self._place_since(place) is None for place in places_of(resources)):
            only = ", ".join(self.regions) or "no region"
            return (
                f"the trail has shown {only} only, and a use elsewhere leaves no line: make it a trail of all regions"
            )
        return "the trail has shown no event of this class"

    def _not_shown(self, shown: Shown) -> str:
        """Which switch of the trail a class that it has not shown needs."""
        kind, reads = shown
        direction = "reads" if reads else "writes"
        other = (kind, not reads) in self.classes
        if kind.startswith("data:"):
            name = kind.removeprefix("data:")
            if other:
                return f"the trail has shown data events of {name}, but no {direction}: log its {direction} as well"
            return f"the trail has shown no data event of {name}: switch on its data events"
        name = {MANAGEMENT: "management event", GLOBAL: "event of a global service"}.get(
            kind, f"event of {kind.removeprefix(MANAGEMENT + ':')}"
        )
        if other:
            return f"the trail has shown no {name} that {direction}: log {direction} as well"
        if kind == GLOBAL:
            return f"the trail has shown no {name}: include global service events"
        if kind != MANAGEMENT:
            return f"the trail has shown no {name}: take it off the trail's excluded sources"
        return f"the trail has shown no {name} that {direction}: log {direction} of management events"

    def _unselected(self, shown: Shown, resources: Sequence[str]) -> str:
        """Why data events of a class that the trail has shown say nothing of these resources, and what to do."""
        name = shown[0].removeprefix("data:")
        direction = "reads" if shown[1] else "writes"
        known = sorted({place for kind, reads, place in self.containers if (kind, reads) == shown})
        where = dict.fromkeys(container(r) for r in resources)
        declare = f"say under `data_events` since when it selects all of {name}"
        if "" in where:
            only = f"{len(known)} places" if len(known) > 1 else "".join(known) or "none that could be told"
            return (
                f"the trail has shown {direction} of {name} in {only} only, and a use elsewhere leaves no line: "
                f"let it select all resources of that type, and {declare}"
            )
        if shown[0] in self.declared:
            return f"an access point is a resource type of its own: the declaration of {name} does not cover it"
        first, *more = where
        named = f"{first} and {len(more)} more" if more else first
        return (
            f"the trail has shown data events of {name}, but no {direction} in {named}: "
            f"let it select {'them' if more else 'it'}, and {declare} if that is so"
        )


def _in_containers(shown: Shown) -> bool:
    """Whether a trail may record such events of some containers, and of others not."""
    return shown[0].startswith("data:") and not is_whole(shown[0])


def _earliest(*days: date | None) -> date | None:
    return min((day for day in days if day is not None), default=None)


def places_of(resources: Sequence[str] | None) -> tuple[str, ...]:
    """Where these resources lie: their regions, or buckets; '' for those that may lie anywhere. Each once."""
    return tuple(dict.fromkeys(_place(resource) for resource in resources or ("*",)))


def _place(resource: str) -> str:
    parts = resource.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return ""
    service, region = parts[2:4]
    place = parts[5].partition("/")[0] if service == "s3" and not region else region
    return "" if set("*?") & {*service, *place} else place


def read(
    con: duckdb.DuckDBPyConnection, window: Window, actions: Iterable[str], data_events: Mapping[str, date]
) -> Trail:
    """What the trail shows, for the agent of the temp table `agent_caller` (logs.usage.collect).

    A class, or a container, counts where every account of the agent's has shown it; where none is known, all that were
    logged are asked. `data_events` are the resource types of which the trail selects everything, since which day.
    """
    first, after = bounds(window)
    named = {
        account
        for (account,) in con.execute(
            "SELECT DISTINCT split_part(role, ':', 5) FROM identity WHERE id IN (SELECT identity FROM agent_caller)"
        ).fetchall()
    }
    rows = con.execute(query("trail_class"), {"after": after}).fetchall()
    accounts = named & {row[0] for row in rows} or {row[0] for row in rows}
    by_account: dict[str, dict[tuple[str, bool, str], date]] = {account: {} for account in accounts}
    regions: dict[str, date] = {}
    for account, region, kind, read_only, lies_in, since in rows:
        if account not in accounts:
            continue
        if kind not in ("", GLOBAL, STS):
            regions[region] = min(since, regions.get(region, since))
        own = by_account[account]
        for place in {"", lies_in} if kind else ():
            shown = (MANAGEMENT if kind == STS else kind, read_only, place)
            own[shown] = min(since, own.get(shown, since))
    everywhere = set.intersection(*(set(own) for own in by_account.values())) if by_account else set()
    found = {shown: max(own[shown] for own in by_account.values()) for shown in sorted(everywhere)}
    classes = {(kind, read_only): day for (kind, read_only, place), day in found.items() if not place}
    containers = {shown: day for shown, day in found.items() if shown[2]}
    hours: dict[tuple[str, str], dict[datetime, int]] = defaultdict(dict)
    for account, region, hour, records in con.execute(query("trail_hour"), {"first": first, "after": after}).fetchall():
        if account in accounts:
            hours[account, region][hour] = records
    gaps = tuple(gap for (account, region), seen in sorted(hours.items()) for gap in find_gaps(account, region, seen))
    for region, since in digests.regions(con, accounts, after).items():
        regions[region] = min(since, regions.get(region, since))
    places = frozenset((account, region) for account, region, *_ in rows if account in accounts and region)
    buckets = dict(con.execute(query("trail_bucket"), {"after": after}).fetchall())
    declared = {f"data:{kind}": day for kind, day in data_events.items()}
    return Trail(
        classes, containers, declared, dict(sorted(regions.items())), buckets, frozenset(actions), gaps, places
    )


def find_gaps(account: str, region: str, seen: Mapping[datetime, int]) -> list[Gap]:
    """The hours between the first and the last record of one region in which records were to be expected.

    An hour of the day is expected if nearly all days have it, and busily: then a trail that is quiet at night or on
    Sundays has no gaps there.
    """
    if not seen:
        return []
    first, last = min(seen), max(seen)
    days = [first.date() + timedelta(days=i) for i in range((last.date() - first.date()).days + 1)]
    if len(days) < _FEWEST_DAYS:
        return []
    missing: dict[date, list[int]] = defaultdict(list)
    for hour in range(24):
        slots = [datetime.combine(day, time(hour)) for day in days]
        slots = [slot for slot in slots if first <= slot <= last]
        absent = [slot for slot in slots if slot not in seen]
        total = sum(seen.get(slot, 0) for slot in slots)
        if (
            absent
            and len(absent) <= max(1, len(slots) * (1 - _EXPECTED))
            and total >= _BUSY * (len(slots) - len(absent))
        ):
            for slot in absent:
                missing[slot.date()].append(slot.hour)
    return [Gap(account, region, day, tuple(hours)) for day, hours in sorted(missing.items())]


def holed(gaps: Iterable[Gap], proved: AbstractSet[date]) -> frozenset[date]:
    """The days that a gap takes the wholeness from: not those whose log files are proved to be all there."""
    return frozenset(gap.day for gap in gaps) - proved
