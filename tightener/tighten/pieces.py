"""Pieces of an answer: a text, what made it, and the values behind it that bear it out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from tightener.services.semantics import safe_as_pattern
from tightener.tighten.rollup import Group
from tightener.tighten.segments import Seen
from tightener.tighten.slots import ANY, MANY, ONE, SENSITIVE, SPACE

_SIGNS = re.compile(f"[{ANY}{MANY}{ONE}]+")


class Why(StrEnum):
    """What made a piece."""

    LISTED = "listed"  # used by name, and more than once
    RARE = "listed once"  # used by name, too rarely to say more, beside others of which more can be said
    NUMBERED = "listed, but its number may move on"  # the only name of its form, with a number in it
    CALENDAR = "calendar"  # follows the events' own days
    ID = "ids"  # names of one shape that say nothing by their characters
    GROWTH = "growth"  # names that keep appearing
    TEXT = "free text"  # an argument's sentences, left as they were granted
    QUANTITY = "quantities"  # an argument's numbers or dates, left as they were granted
    ABSENT = "no arguments"  # a call without any, where one was made or where any argument may be anything
    KIN = "used with another argument of its kind"  # again and again, and listed beside an argument's own values
    HIDDEN = "not shown by the log"  # an argument whose value was redacted, left as it was granted
    THIN = "insufficient evidence"  # what was granted, cut before the part of which nothing can be said
    GROWS = "keeps growing"  # a guarded part of which new ones keep appearing, left as it was granted
    ENDS = "ends with its period"  # a guarded part that says the month of its use: the next one has another name
    GRANTED = "left as granted"  # a guarded part that must not be written, or sensitive names that are too many


BY_NAME = frozenset({Why.LISTED, Why.RARE, Why.NUMBERED})
OPEN = frozenset({Why.GROWS, Why.ENDS})  # what was granted stays, since the names to come are not known yet
UNSURE = frozenset({Why.THIN, Why.RARE, Why.NUMBERED})
EVIDENCED = frozenset({Why.CALENDAR, Why.ID, Why.GROWTH})  # wildcards that the evidence makes: two witnesses each


class Witness(NamedTuple):
    """A value that was used on a day (days since 1970)."""

    value: str
    day: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer. `text` is a working text: `ANY`, `MANY` and `ONE` are its wildcards, `*` and `?` themselves.

    `rows` are the texts of the groups that it was made from, as the node names them that asks.
    """

    text: str
    why: Why
    rows: tuple[str, ...]

    def below(self, head: str, *, why: Why | None = None, rows: Iterable[str] | None = None) -> Piece:
        """The same behind a head; `why` is that of the head where it has a wildcard."""
        kept = self.why if why is None or self.why in {Why.THIN, Why.GRANTED} else why
        return Piece(head + self.text, kept, tuple(head + row for row in self.rows) if rows is None else tuple(rows))

    def numbered(self) -> Piece:
        """The same, where it is listed by a name with a number that no other name is like."""
        return replace(self, why=Why.NUMBERED) if self.why is Why.LISTED else self


def written(text: str) -> str | None:
    """A working text as a pattern; None where what stands between its wildcards must not be written as one."""
    if SENSITIVE in text:
        return None
    signs = _SIGNS.findall(text)
    literals = _SIGNS.split(text)
    pieces: list[str] = []
    for place, literal in enumerate(literals):
        safe = safe_as_pattern(literal)
        if safe is None or (place and literal[:1] in set("*?")) or (place < len(signs) and literal[-1:] in set("*?")):
            return None
        pieces.append(safe)
        if place < len(signs):
            pieces.append("?" * signs[place].count(ONE) + ("*" if signs[place].strip(ONE) else ""))
    return "".join(pieces).replace(SPACE, " ")


def two_witnesses(groups: Sequence[Group], after: float = -1) -> tuple[Witness, Witness] | None:
    """Two first uses of different days, by different sessions, behind a day; None where there are none.

    The first and the last such day that there are, so that a reader sees how long it has been so.
    """
    firsts = sorted(
        (day, row) for group in groups for day, (_, row) in group.births.items() if row is not None and day > after
    )
    return pair(firsts)


def pair(uses: Sequence[tuple[int, Seen]]) -> tuple[Witness, Witness] | None:
    """Two of these uses (sorted) of different days and different sessions, as far apart as may be.

    Where there are two days and two sessions at all, there are such two: if the first has no counterpart, then one of
    another day (and its session) and one of another session (and its day) are.
    """
    if not uses:
        return None
    day, row = uses[0]
    later = [use for use in uses if use[0] != day]
    others = [use for use in uses if use[1].session != row.session]
    if not later or not others:
        return None
    apart = [use for use in later if use[1].session != row.session]
    (day, row), (last, other) = (uses[0], apart[-1]) if apart else (others[0], later[-1])
    return Witness(row.value.replace(SPACE, " "), day), Witness(other.value.replace(SPACE, " "), last)
