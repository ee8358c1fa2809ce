"""Periodic use: whether days of use have a rhythm, and how long that protects what was used.

A rhythm is the shortest of these periods that was seen at least three times and hit in at least four of five. A job
that runs once a quarter is no less needed in the ninety days between two of its runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

FEWEST_PERIODS = 3
HIT_SHARE = 0.8
PROTECTED = 2  # periods after the last use


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time, with the number of the period that a day (its ordinal) falls into."""

    name: str
    days: int  # its longest
    number: Callable[[int, int], int]  # (day, the first day of use) -> number


def _month(day: int, _: int) -> int:
    of = date.fromordinal(day)
    return of.year * 12 + of.month - 1


WEEK = Period("weekly", 7, lambda day, first: (day - first) // 7)
FORTNIGHT = Period("fortnightly", 14, lambda day, first: (day - first) // 14)
MONTH = Period("monthly", 31, _month)
QUARTER = Period("quarterly", 92, lambda day, first: _month(day, first) // 3)
YEAR = Period("yearly", 366, lambda day, first: _month(day, first) // 12)
PERIODS = (WEEK, FORTNIGHT, MONTH, QUARTER, YEAR)


def rhythm(days: Sequence[int]) -> Period | None:
    """The shortest period that these days of use (ordinals, sorted) keep to from the first to the last of them."""
    if not days:
        return None
    for period in PERIODS:
        number = period.number
        span = number(days[-1], days[0]) - number(days[0], days[0]) + 1
        if span >= FEWEST_PERIODS and len({number(day, days[0]) for day in days}) >= HIT_SHARE * span:
            return period
    return None


def protected_until(days: Sequence[int]) -> tuple[date, Period] | None:
    """The last day on which their rhythm still protects what was used on these days; None without a rhythm."""
    period = rhythm(days)
    return None if period is None else (date.fromordinal(days[-1] + PROTECTED * period.days), period)
