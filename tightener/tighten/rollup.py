"""Millions of values as a few texts: ids are opened, and what the values behind one text have in common is counted.

What comes out does not depend on the order or the grouping of the values, so parts of a log can be added one after the
other. The memory that it takes is bounded: names under a node that has very many of them are opened as well.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import islice
from operator import itemgetter

from tightener.tighten.segments import LITERAL, Schema, Seen, is_sensitive, runs
from tightener.tighten.slots import MANY, SENSITIVE, opened, plain

FEW = 8  # values that are kept by name: more are never listed
MOST_NAMES = 4096  # names under one node; more are no longer told apart
MOST_TEXTS = 50_000  # texts in memory before that is asked
STEADY_DAYS = 7  # an id that is used for longer is a name
_CHUNK = 100_000
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
            _, first, last, session = row = rows[0]
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

    def add(self, other: Group) -> None:
        """Takes in the values of another group, none of which it has."""
        self.number += other.number
        self.few = tuple(nsmallest(FEW + 1, (*self.few, *other.few)))
        for day, (number, one) in other.births.items():
            mine, known = self.births.get(day, (0, None))
            both = [row for row in (known, one) if row]
            self.births[day] = mine + number, min(both) if both else None
        self.last, self.lasting = max(self.last, other.last), self.lasting + other.lasting
        self.steady += other.steady

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


class TooMany(Exception):  # nobody's error: there is just no pattern to write
    """So many different guarded parts were used that no list of them would say anything."""


def together(groups: Sequence[Group]) -> Group:
    """The values of several groups as one."""
    if len(groups) == 1:
        return groups[0]
    found = groups[0].copy()
    for one in groups[1:]:
        found.add(one)
    return found


def roll_up(service: str, dimension: str, values: Iterable[Seen]) -> Heads:
    """The values (distinct, in any order) by guarded head and, below it, by the opened text behind the head.

    Raises TooMany.
    """
    found: Heads = {}
    rest = iter(values)
    while chunk := sorted(islice(rest, _CHUNK), key=itemgetter(0)):
        for head, schema, texts, rows in runs(service, dimension, chunk):
            if schema.separator is None:
                _add(found.setdefault((head, schema), {}), texts, rows)
            elif plain(texts):
                _add(found.setdefault((head, schema), {}), opened(texts), rows)
            else:
                for row, text in zip(rows, texts, strict=True):
                    if plain([text]):
                        _add(found.setdefault((head, schema), {}), opened([text]), [row])
                    else:
                        _add(found.setdefault((row.value, LITERAL), {}), [""], [row])
        if len(found) > MOST_NAMES:
            raise TooMany
        if sum(map(len, found.values())) > MOST_TEXTS:
            _fold(dimension, found)
    _fold(dimension, found)
    return found


def joined(dimension: str, parts: Sequence[Heads]) -> Heads:
    """What was rolled up apart, of values no two of which are the same, as one."""
    every: defaultdict[tuple[str, Schema], defaultdict[str, list[Group]]] = defaultdict(lambda: defaultdict(list))
    for heads in parts:
        for key, groups in heads.items():
            for text, group in groups.items():
                every[key][text].append(group)
    found = {key: {text: together(some) for text, some in texts.items()} for key, texts in every.items()}
    _fold(dimension, found)
    return found


def _add(groups: Groups, texts: Sequence[str], rows: Sequence[Seen]) -> None:
    """Rows (sorted) to the groups of their texts."""
    apart: defaultdict[str, list[Seen]] = defaultdict(list)
    for text, row in zip(texts, rows, strict=True):
        apart[text].append(row)
    for text, some in apart.items():
        known = groups.get(text)
        if known is None:
            groups[text] = Group(some)
        else:
            known.add(Group(some))


def _fold(dimension: str, heads: Heads) -> None:
    """Opens the names under every node that has too many: first all but their words, then, if need be, these, too.

    Where some names were opened before, all are. So it does not matter when this is done, or how often.
    """
    for (_, schema), groups in heads.items():
        if schema.separator is None or (len(groups) <= MOST_NAMES and not any(MANY in text for text in groups)):
            continue
        crowded: dict[str, int] = {}
        while more := _crowded(schema.separator, groups, crowded):
            crowded.update(more)
            apart: defaultdict[str, list[Group]] = defaultdict(list)
            for text, group in groups.items():
                node = ""
                for name, sign in _cut(schema.separator, text):
                    node += _opened(dimension, name, crowded.get(node, 0)) + sign
                apart[node].append(group)
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
