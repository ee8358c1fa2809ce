"""How an argument of a tool is held: its values listed, left as it was granted, or read further as a path.

Decided from its values and the days of their use, never from its name. What the values are decides who has to prove
what. *Names* (an address, a channel, a file, a host) say whom or what a call touches. They are guarded as buckets and
repositories are: listed, unless new ones surely keep coming. *Ids* (names with a part that says nothing by its
characters) are listed where more of them came back than did not. *Quantities* (numbers, dates, yes and no) say how
much: left alone, unless surely no new ones come. *Texts* are left alone: the next sentence reads otherwise.

How many new ones come? Of the pairs of a value and a day of its use, those whose value has no other day: the share that
leaving out each day in turn would not have known. It is Good and Turing's estimate with days in the place of events,
since what one day repeats a hundred times is one piece of evidence. "Surely" is Clopper and Pearson's bound on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import groupby, islice
from typing import NamedTuple

from tightener.services.catalogue import rows
from tightener.tighten.evidence.calibration import upper
from tightener.tighten.pieces import pair
from tightener.tighten.rollup import Group
from tightener.tighten.segments import Seen
from tightener.tighten.slots import ANY, agrees, slot

MOST_NEW = 0.1  # of the values of a day, those that no other day has: more are open, fewer are closed
MOST_VALUES = 20  # a longer list is no easier to review than what was granted
FEWEST_GROWING = 3  # values, before it can be said that new ones keep appearing
FEWEST_COMMON = 2  # values that make two arguments kin, where they are half of all
_SEVERAL = re.compile(r"\S\s+\S")
_SENTENCE = re.compile(r"\S+\s+\S+\s+\S")  # three words; names of people and places mostly have two


class Kind(StrEnum):
    """What the values of an argument are."""

    NAME = "names"
    ID = "ids"
    QUANTITY = "quantities"
    TEXT = "free text"


class Argument(NamedTuple):
    """What some tool was given for one of its arguments, again and again: the values without the name."""

    action: str
    name: str  # with its equals sign
    reads: bool  # whether the tool changes nothing
    values: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What is listed of one argument: what it was used with, and what it takes from its kin. Nothing: left alone."""

    kind: Kind
    own: tuple[Seen, ...] = ()
    lent: tuple[Seen, ...] = ()


def hold(name: str, groups: Sequence[tuple[str, Group]], others: Iterable[Argument]) -> Held | None:
    """How one argument is held; None where its values are to be read further.

    In: its name with the equals sign; its values as they were rolled up, with the opened text of each group; and the
    agent's other arguments, whose values it may take over (`kin`). Out: the same in whatever order these come.
    """
    found = kind(name, groups)
    if found is Kind.TEXT:
        return Held(found)
    if any(_follows_the_calendar(text, group) for text, group in groups):
        return None
    number = sum(group.number for _, group in groups)
    own = tuple(sorted(row for _, group in groups for row in group.few))
    whole = len(own) == number <= MOST_VALUES
    once, pairs = new(own)
    if found is Kind.QUANTITY:
        return Held(found, own if whole and upper(once, pairs) <= MOST_NEW else ())
    if not whole or _open(groups, once, pairs) or (found is Kind.ID and _changing(groups, once, pairs)):
        return None
    return Held(found, own, _lent(name, own, others))


def kind(name: str, groups: Sequence[tuple[str, Group]]) -> Kind:
    """What most of the values are. Empty ones are nothing; of many that are alike, the first few speak for all."""
    said = several = sentences = quantities = ids = 0.0
    for text, group in groups:
        few = [row.value[len(name) :] for row in group.few]
        each = group.number / len(few)
        for value in few:
            if not value:
                continue
            said += each
            if quantity().fullmatch(value):
                quantities += each
            elif _SEVERAL.search(value):
                several += each
                sentences += each if _SENTENCE.search(value) else 0
            elif ANY in text:
                ids += each
    if sentences and 2 * several >= said:
        return Kind.TEXT
    if quantities and 2 * quantities >= said:
        return Kind.QUANTITY
    return Kind.ID if ids and 2 * ids >= said else Kind.NAME


def new(values: Iterable[Seen]) -> tuple[int, int]:
    """Of the pairs of a value and a day on which it was used: those whose value has no other day, and all of them."""
    days = [one.on for one in values]
    return days.count(1), sum(days)


def again(action: str, values: Iterable[Seen], *, reads: bool) -> list[Argument]:
    """The arguments of one tool (its values sorted) with what was used on several days; not those with many values."""
    found: list[Argument] = []
    for (name, equals), some in groupby(values, key=lambda one: one.value.partition("=")[:2]):
        if equals and len(own := list(islice(some, MOST_VALUES + 1))) <= MOST_VALUES:
            cut = len(name) + 1
            known = tuple(one._replace(value=one.value[cut:]) for one in own if one.on > 1 and one.session >= 0)
            found.append(Argument(action, name + equals, reads, known))
    return found


def kin(own: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two arguments take the same things: they share several values, and half of all that either was given."""
    mine, its = set(own), set(other)
    common = len(mine & its)
    return common >= FEWEST_COMMON and 2 * common >= len(mine | its)


@cache
def quantity() -> re.Pattern[str]:
    """What says how much, or when, and not whom or what."""
    return re.compile("|".join(row["regex"] for row in rows("argument_form")), re.DOTALL)


def _lent(name: str, own: Sequence[Seen], others: Iterable[Argument]) -> tuple[Seen, ...]:
    """What an argument takes from its kin, as its own values; nothing where the list would be long."""
    mine = {one.value[len(name) :] for one in own}
    found: dict[str, Seen] = {}
    for other in others:
        if kin(mine, [one.value for one in other.values]):
            for one in other.values:
                if one.value not in mine:
                    found[one.value] = min(found.get(one.value, one), one)
    if len(mine) + len(found) > MOST_VALUES:
        return ()
    return tuple(one._replace(value=name + one.value) for _, one in sorted(found.items()))


def _open(groups: Sequence[tuple[str, Group]], once: int, pairs: int) -> bool:
    """Whether new values surely keep coming: more than a few of a day, and in the later half, on two days and in two
    sessions."""
    births = sorted((day, row) for _, group in groups for day, (_, row) in group.births.items() if row is not None)
    if not births or sum(group.number for _, group in groups) < FEWEST_GROWING:
        return False
    settled = (min(group.first for _, group in groups) + max(group.last for _, group in groups)) / 2
    return 1 - upper(pairs - once, pairs) > MOST_NEW and pair([one for one in births if one[0] > settled]) is not None


def _changing(groups: Sequence[tuple[str, Group]], once: int, pairs: int) -> bool:
    """Whether ids came up on several days, and more of them did not come back than did."""
    return len({day for _, group in groups for day in group.births}) > 1 and 2 * once > pairs


def _follows_the_calendar(text: str, group: Group) -> bool:
    """Whether values say the time of their own use: those end with their period, whatever else they are."""
    known = slot(text)
    return known is not None and known.dated.year > 0 and any(agrees(known.dated, day) for day in group.births)
