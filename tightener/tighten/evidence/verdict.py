"""What becomes of a grant that the window calls unexercised, with the facts behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

HORIZON = 30  # days ahead that every probability is about


class Class(StrEnum):
    """What the evidence is good for."""

    REMOVE = "remove"
    ASK_FIRST = "ask_first"  # move to require_approval: a wrong guess costs a question, not an outage
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Tally:
    """One line of the calendar checklist: how many turns the record covers, of how many it needs or holds."""

    name: str  # month-end, quarter-end, year-end
    covered: int
    of: int
    needed: int

    def __str__(self) -> str:
        return f"{self.name} {self.covered}/{self.of}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class of one unexercised grant. `missing` says what is wanting, in words; empty where nothing is."""

    kind: Class
    exposure: int  # days: since it was granted, fully logged, the agent at work
    age: int | None  # days that it has been granted; None = unknown, and then no gate
    calendar: tuple[Tally, ...]
    alone: float  # what the log alone proves: an upper bound (95 %) on P(used within HORIZON days)
    pooled: float | None = None  # the fleet's estimate of the same; None where it cannot be calibrated
    missing: tuple[str, ...] = ()
    suffices: date | None = None  # the day on which nothing will be missing any more, if all goes on as it is
    window: int | None = None  # the window that this takes, where the one asked for is too short


def wanting(missing: Sequence[str], suffices: date | None, window: int | None) -> str:
    """What is missing and when it will not be any more, in words; '' where nothing is."""
    if not missing:
        return ""
    when = "" if window is None else f" with --window {window}d"
    until = f"will suffice on {suffices}{when}" if suffices else "no day can be named on which it will suffice"
    return f"{'; '.join(missing)}; {until}"
