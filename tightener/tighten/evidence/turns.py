"""The calendar checklist: which turns of a month, a quarter and a year a record covers.

Much work happens once a month, a quarter or a year, and then at its turn; a window that holds no such turn says nothing
about it (docs/evidence.md). A turn is three days on either side of midnight of the last day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

SIDE = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of one month; every third is a quarter's, too, and every twelfth a year's."""

    begins: date  # the first day of the new month

    @property
    def first(self) -> date:
        """The first of its days."""
        return self.begins - SIDE

    @property
    def last(self) -> date:
        """The last of its days."""
        return self.begins + SIDE - timedelta(days=1)

    @property
    def of_quarter(self) -> bool:
        return self.begins.month in (1, 4, 7, 10)

    @property
    def of_year(self) -> bool:
        return self.begins.month == 1


def turns(first: date, last: date) -> Iterator[Turn]:
    """The turns that lie wholly between two days, both included, in order."""
    begins = first.replace(day=1)
    while Turn(begins).last <= last:
        if Turn(begins).first >= first:
            yield Turn(begins)
        begins = (begins + timedelta(days=31)).replace(day=1)
