"""How a tool's argument is best held: its values listed, their heads, or left as it was granted.

Decided from benign use alone, one argument at a time, and never from its name. Two things are asked of its values.
How often will the next day bring one that no other day has? The share of (value, day) pairs whose value was used on
that day only answers it: Good and Turing's estimate with days in the place of events, since what one day repeats a
hundred times is still one piece of evidence. And what are they? *References* (one word, no number: an account, an
address, a file) say whom or what a call touches: they are worth holding even where a new one turns up now and then.
*Quantities* (numbers, dates, yes and no) say how much: they are listed only where no new one is to be expected. *Texts*
(with blanks in them) are left alone: a list of sentences would be no policy.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tightener.services.semantics import safe_as_pattern

MOST_NEW_REFERENCES = 0.2  # of the pairs of value and day, those that no other day has
MOST_NEW_QUANTITIES = 0.05
FEWEST_DAYS = 3  # of use, before a quantity may be called constant
MOST_VALUES = 20  # a longer list is no easier to review than what was granted
KIN_VALUES = 2  # common values that make two arguments kin, where they are half of the smaller one
_QUANTITY = re.compile(r"[-+]?\d+(?:\.\d+)?|\d{4}-\d\d(?:-\d\d.*)?|true|false", re.DOTALL)
_HEAD = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?[^/]*/", re.IGNORECASE)


class Kind(StrEnum):
    """What an argument turned out to be."""

    ENUMERATED = "enumerated"  # few values that keep coming back: listed
    HIERARCHY = "hierarchy"  # new values under heads that keep coming back: the heads are listed
    IDENTIFIER = "identifier"  # values that keep being new: left as granted
    QUANTITY = "quantity"  # numbers or dates that change: left as granted
    TEXT = "text"  # left as granted


class Value(NamedTuple):
    """One value of an argument, the first day of its use (a number of days), and on how many days it was used."""

    value: str
    first: int
    days: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do with one argument. `patterns` are for its values, sorted; ("*",) leaves it as granted."""

    kind: Kind
    patterns: tuple[str, ...]
    new: float  # the share of new values that another day is expected to bring
    why: str


def choose(values: Iterable[Value], others: Iterable[Collection[str]] = ()) -> Choice:
    """How one argument of one tool is best held.

    In: its distinct values (at least one); and the values of the agent's other arguments, of this tool and others.
    Where those are of the same kind (`kin`), what they were seen with is listed here, too. Out: the same for the same
    set of values, in whatever order.
    """
    seen = sorted(values)
    new = new_share([one.days for one in seen])
    said = [one.value for one in seen if one.value]
    if any(len(value.split()) > 1 for value in said):
        return Choice(Kind.TEXT, ("*",), new, "values of several words")
    if said and 2 * sum(bool(_QUANTITY.fullmatch(value)) for value in said) >= len(said):
        if new > MOST_NEW_QUANTITIES or max(one.days for one in seen) < FEWEST_DAYS:
            return Choice(Kind.QUANTITY, ("*",), new, "numbers or dates that change")
    elif new > MOST_NEW_REFERENCES or len(seen) > MOST_VALUES:
        return _by_heads(seen, new)
    own = {one.value for one in seen}
    listed = own.union(*(other for other in others if kin(own, other)))
    if len(listed) > MOST_VALUES:
        listed = own
    literals = [safe_as_pattern(value) for value in sorted(listed)]
    if len(listed) > MOST_VALUES or None in literals:
        return Choice(Kind.IDENTIFIER, ("*",), new, "values that no list can hold")
    patterns = tuple(dict.fromkeys(literal for literal in literals if literal is not None))
    return Choice(Kind.ENUMERATED, patterns, new, f"{new:.0%} of the values of a day are expected to be new")


def new_share(days: Sequence[int]) -> float:
    """The expected share of new values on another day, from the number of days on which each value was used.

    Of the pairs of value and day, those whose value has no other day: Good and Turing's N1/N. 1 where there are none.
    """
    return sum(n == 1 for n in days) / sum(days) if days else 1.0


def kin(own: Collection[str], other: Collection[str]) -> bool:
    """Whether two arguments take the same things: they share values, and half of those of the smaller one."""
    common = len(set(own).intersection(other))
    return common >= KIN_VALUES and 2 * common >= min(len(own), len(other))


def _by_heads(seen: Sequence[Value], new: float) -> Choice:
    """Heads that keep coming back although what stands behind them is new; what has no such head is listed."""
    left = Choice(Kind.IDENTIFIER, ("*",), new, f"{new:.0%} of the values of a day are expected to be new")
    heads: dict[str, list[Value]] = {}
    for one in seen:
        found = _HEAD.match(one.value)
        heads.setdefault(found[0] if found else one.value, []).append(one)
    # a head is as good as known on the days on which its values first appeared, and on at least as many as any of them
    days = {head: max(len({one.first for one in group}), *(one.days for one in group)) for head, group in heads.items()}
    if new_share(list(days.values())) > MOST_NEW_REFERENCES or len(heads) > MOST_VALUES:
        return left
    grown = [head for head, group in heads.items() if len({one.first for one in group}) > 1]
    literals = [one.value for head, group in heads.items() if head not in grown for one in group]
    if not grown or any(safe_as_pattern(text) != text for text in (*grown, *literals)):
        return left
    if len(grown) + len(literals) > MOST_VALUES:
        return left
    patterns = tuple(sorted([*(f"{head}*" for head in grown), *literals]))
    return Choice(Kind.HIERARCHY, patterns, new, "new values under heads that keep coming back")
