"""The hard gates: what a record must hold before anything is removed on the strength of it, and when it will."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate

from tightener.tighten.evidence.turns import Turn, turns
from tightener.tighten.evidence.verdict import HORIZON, Tally
from tightener.tighten.wording import count

# Without a minimum age the few young grants make up nearly all wrong removals, and no model of rates sees them
# (docs/evidence.md); twelve days at work are a quarter of weekly runs.
FEWEST_AGE = 90
FEWEST_EXPOSURE = 12
MONTH_ENDS = 2
QUARTER_ENDS = 2
YEAR_ENDS = 1
_NEVER = 10**9
_AHEAD = 800  # days: two years and a bit, for the turn of a year


@dataclass(frozen=True, slots=True)
class Record:
    """What there is to judge one grant by. A letter a day would not be enough, so two truths a day."""

    first: date
    observed: tuple[bool, ...]  # a fully read source could have shown it
    active: tuple[bool, ...]  # the agent did something
    since: date | None  # when it was granted; None = unknown

    @property
    def last(self) -> date:
        return self.first + timedelta(days=len(self.observed) - 1)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a record must hold."""

    exposure: int = FEWEST_EXPOSURE
    age: int = FEWEST_AGE
    month_ends: int = MONTH_ENDS
    quarter_ends: int = 0
    year_ends: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """What a record does hold."""

    exposure: int
    age: int | None
    calendar: tuple[Tally, ...]

    def missing(self, needs: Needs) -> tuple[str, ...]:
        """What is wanting, in words."""
        said = []
        if self.exposure < needs.exposure:
            said.append(f"{self.exposure} of {count(needs.exposure, 'day')} at work and fully logged")
        if self.age is not None and self.age < needs.age:
            said.append(f"granted for {self.age} of {count(needs.age, 'day')}")
        said += [f"{t.covered} of {count(t.needed, t.name)}" for t in self.calendar if t.covered < t.needed]
        return tuple(said)


def alone(exposure: int) -> float:
    """What the log alone proves: the 95 % bound on the chance of a use within HORIZON days after none in `exposure`.

    The rule of three: none seen in E days bounds the rate by 3/E a day, so the chance by 1 - exp(-3 H / E).
    """
    return 1 - math.exp(-3 * HORIZON / exposure) if exposure else 1.0


def check(record: Record, needs: Needs) -> Checked:
    """Counts exposure, age and covered turns."""
    first = record.first if record.since is None else max(record.first, record.since)
    begin = max(0, (first - record.first).days)
    pairs = zip(record.observed[begin:], record.active[begin:], strict=True)
    every = list(turns(record.first, record.last))
    covered = [t for t in every if t.first >= first and _covered(t, record)]
    tallies = [Tally("month-end", len(covered), max(len(every), needs.month_ends), needs.month_ends)]
    for name, needed, is_one in (
        ("quarter-end", needs.quarter_ends, lambda t: t.of_quarter),
        ("year-end", needs.year_ends, lambda t: t.of_year),
    ):
        if needed:
            held = sum(map(is_one, every))
            tallies.append(Tally(name, sum(map(is_one, covered)), max(held, needed), needed))
    age = None if record.since is None else max(0, (record.last - record.since).days)
    return Checked(sum(o and a for o, a in pairs), age, tuple(tallies))


def _covered(turn: Turn, record: Record) -> bool:
    """Every day of it fully logged, and the agent at work on one of them at least."""
    a, b = (turn.first - record.first).days, (turn.last - record.first).days + 1
    return all(record.observed[a:b]) and any(record.active[a:b])


def suffices(record: Record, needs: Needs, asked_days: int) -> tuple[date | None, int | None]:
    """The day on which the record will hold what it needs, if logging is complete and the agent goes on as before.

    In: the length of window that is asked for; it slides. Out: the day (None = not within two years), and the length
    of window that it takes where the one asked for would never do.
    """
    at_work = _ahead(record)
    longer = Record(
        record.first,
        (*record.observed, *[True] * _AHEAD),
        (*record.active, *at_work),
        record.since,
    )
    sums = list(accumulate((o and a for o, a in zip(longer.observed, longer.active, strict=True)), initial=0))
    covered = [t for t in turns(longer.first, longer.last) if _covered(t, longer)]
    begin = 0 if record.since is None else max(0, (record.since - record.first).days)
    for slides in (True, False):
        for end in range(len(record.observed), len(longer.observed) + 1):
            start = max(begin, end - asked_days) if slides else begin
            last = record.first + timedelta(days=end - 1)
            enough = (
                sums[end] - sums[min(start, end)] >= needs.exposure
                and (record.since is None or (last - record.since).days >= needs.age)
                and _turns_between(covered, record.first + timedelta(days=start), last, needs)
            )
            if enough:
                return last, None if slides else end
    return None, None


def _turns_between(covered: Sequence[Turn], first: date, last: date, needs: Needs) -> bool:
    inside = [t for t in covered if t.first >= first and t.last <= last]
    return (
        len(inside) >= needs.month_ends
        and sum(t.of_quarter for t in inside) >= needs.quarter_ends
        and sum(t.of_year for t in inside) >= needs.year_ends
    )


def _ahead(record: Record) -> list[bool]:
    """Days to come on which the agent is at work: as many in a hundred as of those that were logged, evenly spread."""
    logged = [a for o, a in zip(record.observed, record.active, strict=True) if o]
    worked, of = (sum(logged), len(logged)) if logged else (sum(record.active), len(record.active))
    return [(day + 1) * worked // of > day * worked // of for day in range(_AHEAD)]


def with_exposure(needs: Needs, exposure: int | None) -> Needs:
    """The same needs with at least this exposure; None = none would do."""
    return replace(needs, exposure=_NEVER if exposure is None else max(needs.exposure, exposure))
