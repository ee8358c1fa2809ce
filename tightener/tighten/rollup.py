"""Millions of values as a few texts: ids are opened, and what the values behind one text have in common is counted.

What comes out does not depend on the order or the grouping of the values, so parts of a log can be added one after the
other. The memory that it takes is bounded: names under a node that has very many of them are opened as well.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import chain, islice
from operator import itemgetter
from typing import NamedTuple

from tightener.tighten.segments import LINES, LITERAL, Schema, Seen, is_sensitive, runs
from tightener.tighten.slots import MANY, SENSITIVE, opened, plain

FEW = 8  # values that are kept by name: more are never listed
MOST_NAMES = 4096  # names under one node; more are no longer told apart
MOST_TEXTS = 50_000  # texts in memory before that is asked
STEADY_DAYS = 7  # an id that is used for longer is a name
_CHUNK = 5_000  # values that are looked at together: many alike, few enough for a processor to keep at hand
_WORD = re.compile(r"(?:[A-Za-z]+[^0-9A-Za-z])?")
_ENDING = re.compile(r"\.[A-Za-z][0-9A-Za-z]*$")


class Group:
    """The values behind one text: how many, when they first appeared, and the few smallest of them."""

    __slots__ = ("births", "few", "last", "lasting", "number", "steady")

    def __init__(self, rows: Sequence[Seen]) -> None:
        """`rows` are sorted and distinct."""
        self.number = len(rows)
        self.few = tuple(rows[: FEW + 1])
        if len(rows) == 1:
            _, first, last, session, _ = row = rows[0]
            self.births: dict[int, tuple[int, Seen | None]] = {first: (1, row if session >= 0 else None)}
            self.last, self.lasting, self.steady = last, int(first < last), int(last - first >= STEADY_DAYS)
            return
        firsts, lasts = [row[1] for row in rows], [row[2] for row in rows]
        sure = rows if min(map(itemgetter(3), rows)) >= 0 else [row for row in rows if row[3] >= 0]
        earliest = {row[1]: row for row in reversed(sure)}  # of each day the smallest value
        self.births = {day: (number, earliest.get(day)) for day, number in Counter(firsts).items()}
        spans = [last - first for first, last in zip(firsts, lasts, strict=True)]
        self.last, self.lasting = max(lasts), len(spans) - spans.count(0)
        self.steady = sum([span >= STEADY_DAYS for span in spans])

    def add(self, others: Sequence[Group]) -> None:
        """Takes in the values of other groups, none of which it has."""
        self.number += sum([one.number for one in others])
        self.few = tuple(nsmallest(FEW + 1, chain(self.few, *[one.few for one in others])))
        births = self.births
        for one in others:
            for day, (number, row) in one.births.items():
                mine, known = births.get(day, (0, None))
                smaller = known is None or (row is not None and row < known)
                births[day] = mine + number, row if smaller else known
        self.last = max(self.last, *[one.last for one in others])
        self.lasting += sum([one.lasting for one in others])
        self.steady += sum([one.steady for one in others])

    @property
    def first(self) -> int:
        """The day on which the first of the values appeared."""
        return min(self.births)

    def copy(self) -> Group:
        """Another group of the same values."""
        found = object.__new__(Group)
        found.number, found.births, found.few = self.number, dict(self.births), self.few
        found.last, found.lasting, found.steady = self.last, self.lasting, self.steady
        return found


Groups = dict[str, Group]
Heads = dict[tuple[str, Schema], Groups]
Crowded = defaultdict[tuple[str, Schema], dict[str, int]]  # nodes below a head with too many names, and how far opened


class TooMany(Exception):  # nobody's error: there is just no pattern to write
    """So many different guarded parts were used that no list of them would say anything."""


def together(groups: Sequence[Group]) -> Group:
    """The values of several groups as one."""
    if len(groups) == 1:
        return groups[0]
    found = groups[0].copy()
    found.add(groups[1:])
    return found


def roll_up(service: str, dimension: str, values: Iterable[Seen]) -> Heads:
    """The values (distinct, in any order) by guarded head and, below it, by the opened text behind the head.

    Raises TooMany.
    """
    found: Heads = {}
    crowded: Crowded = defaultdict(dict)
    rest = iter(values)
    while chunk := sorted(islice(rest, _CHUNK), key=itemgetter(0)):
        for head, schema, texts, rows in runs(service, dimension, chunk):
            key = head, schema
            if schema.separator is None:
                _add(found.setdefault(key, {}), texts, rows)
                continue
            place = _Place(dimension, schema.separator, crowded[key])
            if plain(texts):
                _add(found.setdefault(key, {}), opened(texts), rows, place)
            else:
                for row, text in zip(rows, texts, strict=True):
                    if plain([text]):
                        _add(found.setdefault(key, {}), opened([text]), [row], place)
                    elif schema.kind == "argument":
                        _add(found.setdefault((head, LINES), {}), [text], [row])
                    else:
                        _add(found.setdefault((row.value, LITERAL), {}), [""], [row])
        if len(found) > MOST_NAMES:
            raise TooMany
        if sum(map(len, found.values())) > MOST_TEXTS:
            _fold(dimension, found, crowded)
    _fold(dimension, found, crowded)
    return found


def joined(dimension: str, parts: Sequence[Heads]) -> Heads:
    """What was rolled up apart, of values no two of which are the same, as one."""
    every: defaultdict[tuple[str, Schema], defaultdict[str, list[Group]]] = defaultdict(lambda: defaultdict(list))
    for heads in parts:
        for key, groups in heads.items():
            for text, group in groups.items():
                every[key][text].append(group)
    found = {key: {text: together(some) for text, some in texts.items()} for key, texts in every.items()}
    _fold(dimension, found, defaultdict(dict))
    return found


class _Place(NamedTuple):
    """Which names of a text under one head are opened, because there are so many: by their node, and how far."""

    dimension: str
    separator: re.Pattern[str]
    crowded: dict[str, int]

    def of(self, text: str) -> str:
        """The text with these names opened."""
        node = ""
        for name, sign in _cut(self.separator, text):
            level = self.crowded.get(node)
            node += (_opened(self.dimension, name, level) if level else name) + sign
        return node


def _add(groups: Groups, texts: Sequence[str], rows: Sequence[Seen], place: _Place | None = None) -> None:
    """Rows (sorted) to the groups of their texts; new texts go where it is known that their like go."""
    apart: defaultdict[str, list[Seen]] = defaultdict(list)
    for text, row in zip(texts, rows, strict=True):
        apart[text].append(row)
    if place and place.crowded:
        late: defaultdict[str, list[list[Seen]]] = defaultdict(list)
        for text in [text for text in apart if text not in groups]:
            late[place.of(text)].append(apart.pop(text))
        for text, parts in late.items():
            apart[text] = sorted(chain(apart.get(text, ()), *parts))
    for text, some in apart.items():
        known = groups.get(text)
        if known is None:
            groups[text] = Group(some)
        else:
            known.add([Group(some)])


def _fold(dimension: str, heads: Heads, crowded: Crowded) -> None:
    """Opens the names under every node that has too many: first all but their words, then, if need be, these, too.

    Where some names were opened before, all are. So it does not matter when this is done, or how often. What is opened
    is added to `crowded`.
    """
    for key, groups in heads.items():
        if key[1] is LINES and (len(groups) > MOST_NAMES or MANY in groups):
            every = together(list(groups.values()))
            groups.clear()
            groups[MANY] = every
        separator = key[1].separator
        if separator is None or (len(groups) <= MOST_NAMES and not any(MANY in text for text in groups)):
            continue
        place = _Place(dimension, separator, crowded[key])
        while more := _crowded(separator, groups, place.crowded):
            place.crowded.update(more)
            apart: defaultdict[str, list[Group]] = defaultdict(list)
            for text, group in groups.items():
                apart[place.of(text)].append(group)
            groups.clear()
            groups.update((text, together(some)) for text, some in apart.items())


def _crowded(separator: re.Pattern[str], groups: Groups, known: Mapping[str, int]) -> dict[str, int]:
    """The nodes whose names have to be opened further than is known, each with how far."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for text in groups:
        node = ""
        for name, sign in _cut(separator, text):
            names[node].add(name)
            node += name + sign
    found: dict[str, int] = {}
    for node, some in names.items():
        level = known.get(node, 0)
        wanted = max(2 if MANY in some else 1 if any(MANY in name for name in some) else 0, level)
        wanted += len(some) > MOST_NAMES and wanted < 2
        if wanted > level:
            found[node] = wanted
    return found


def _cut(separator: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """The segments of a text, each with the separator behind it."""
    at = 0
    for found in separator.finditer(text):
        yield text[at : found.start()], found.group()
        at = found.end()
    yield text[at:], ""


def _opened(dimension: str, name: str, level: int) -> str:
    if not level or not name or name in {MANY, SENSITIVE} or (level == 1 and MANY in name):
        return name
    if is_sensitive(dimension, name):
        return SENSITIVE
    ending = _ENDING.search(name)
    word = _WORD.match(name)
    return MANY if level > 1 or not word else word.group() + MANY + (ending.group() if ending else "")
