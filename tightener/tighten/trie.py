"""The separator trie: which names under one guarded head are listed, and which a wildcard covers.

A node asks of its children: do they follow the calendar, on the events' own days; are they ids; do new ones keep
appearing? What a wildcard replaces is merged below it, and the same is asked there. Few names that are used again and
again are listed. Where the evidence is too thin for either, what was granted stays from there on.

No wildcard comes from one day or from one session, and none is made from sensitive names: those are listed, or left as
they were granted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from os.path import commonprefix
from typing import NamedTuple

from tightener.tighten.pieces import Piece, Why, pair, two_witnesses
from tightener.tighten.rollup import FEW, Group, Groups, together
from tightener.tighten.segments import Seen, is_sensitive
from tightener.tighten.slots import ANY, MANY, ONE, SENSITIVE, Dated, Slot, agrees, joint, skeleton, slot

MOST_PATTERNS = 20  # a longer list is no easier to review than what was granted
FEWEST_GROWING = 3  # names, before it can be said that new ones keep appearing
AGREEMENT = 0.95  # of the values with the name of a month, or with a date in a guarded part, whose day must fit it
RARE = 0.05  # of all values: a single one in a place of its own is listed
ALIKE_ENDINGS = 20  # names with the same ending before a wildcard keeps it
_WORD_END = re.compile(r"[^0-9A-Za-z]")
_ENDING = re.compile(r"\.[A-Za-z][0-9A-Za-z]*(?:\.[A-Za-z][0-9A-Za-z]*)?$")
_SIGN = re.compile(f"(?:20(?={ONE}))?[{ANY}{ONE}]")


class _Kids(NamedTuple):
    """Children of one sort: leaves, or inner ones before the same separator (`sign`)."""

    below: Mapping[str, Groups]  # name -> what is below it, by rest; a leaf's rest is empty
    sign: str

    def some(self, names: Sequence[str]) -> _Kids:
        return _Kids({name: self.below[name] for name in names}, self.sign)

    def rows(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name + self.sign + rest for name in names for rest in self.below[name])

    def groups(self, names: Sequence[str]) -> list[Group]:
        return [group for name in names for group in self.below[name].values()]

    def births(self, names: Sequence[str], rests: frozenset[str] | None = None) -> list[tuple[int, Seen]]:
        """When each child appeared (with some of these rests), sorted; an opened name stands for many children."""
        found: list[tuple[int, Seen]] = []
        for name in names:
            every = [
                (day, row)
                for rest, group in self.below[name].items()
                if rests is None or rest in rests
                for day, (_, row) in group.births.items()
                if row is not None
            ]
            found += every if ANY in name or MANY in name else [min(every)] if every else []
        return sorted(found)

    def first(self, name: str) -> int:
        return min(group.first for group in self.below[name].values())

    def last(self, name: str) -> int:
        return max(group.last for group in self.below[name].values())


@dataclass(frozen=True, slots=True)
class Trie:
    """What the questions need beside the values."""

    head: str
    separator: re.Pattern[str]
    dimension: str
    until: int  # the day on which the rule was last used
    number: int  # values under the head

    def pieces(self, rows: Groups, above: str = "") -> list[Piece]:
        """What covers the rows. `above` is the level of the calendar that the segment above says."""
        leaves: dict[str, Groups] = {}
        inner: defaultdict[str, dict[str, Groups]] = defaultdict(dict)
        found: list[Piece] = []
        for rest, group in sorted(rows.items()):
            cut = self.separator.search(rest)
            if cut:
                inner[cut.group()].setdefault(rest[: cut.start()], {})[rest[cut.end() :]] = group
            elif rest:
                leaves[rest] = {"": group}
            else:
                found.append(Piece("", Why.LISTED, ("",)))
        sorts = [_Kids(leaves, ""), *(_Kids(kids, sign) for sign, kids in sorted(inner.items()))]
        total = sum(group.number for group in rows.values())
        settled = (min(group.first for group in rows.values()) + self.until) / 2
        for kids in sorts:
            if kids.below:
                found += _Node(self, kids, above, total, settled).pieces()
        if len(found) > MOST_PATTERNS:
            left = [piece for piece in found if piece.why is Why.GRANTED]
            rows_of_left = {row for piece in left for row in piece.rows}
            return [*left, Piece(ANY, Why.THIN, tuple(row for row in rows if row not in rows_of_left))]
        return found


class _Node(NamedTuple):
    """The children of one sort under one node, and what is asked of them."""

    trie: Trie
    kids: _Kids
    above: str
    total: int  # values under the node, those of other sorts included
    settled: float  # the middle of its time: what appears later is news

    def pieces(self) -> list[Piece]:
        found: list[Piece] = []
        shut, dated, shaped, plain = self._sorted()
        for known in dated.values():
            found += self._calendar(known)
        for text, names in shaped.items():
            made = self._shaped(text, names)
            if made is None:
                plain += names
            else:
                found += made
        found += self._plain(sorted(plain))
        return found + self._shut(shut)

    def _sorted(self) -> tuple[list[str], dict[str, list[tuple[str, Slot]]], dict[str, list[str]], list[str]]:
        """The names that no wildcard takes in, those that follow the calendar, those with numbers alike, the others."""
        shut: list[str] = []
        plain: list[str] = []
        dates: defaultdict[str, list[tuple[str, Slot]]] = defaultdict(list)
        for name in self.kids.below:
            if not name or "*" in name or "?" in name or SENSITIVE in name or is_sensitive(self.trie.dimension, name):
                shut.append(name)
            elif MANY in name:
                plain.append(name)
            elif known := slot(name, self.above):
                dates[known.text].append((name, known))
        dated = {text: names for text, names in sorted(dates.items()) if self._own(names)}
        taken = {*shut, *plain, *(name for names in dated.values() for name, _ in names)}
        shaped: defaultdict[str, list[str]] = defaultdict(list)
        for name in self.kids.below:
            if name not in taken:
                shaped[skeleton(name)].append(name)
        plain += [name for text, names in shaped.items() if ANY not in text for name in names]
        return shut, dated, {text: names for text, names in sorted(shaped.items()) if ANY in text}, plain

    def _own(self, dated: Sequence[tuple[str, Slot]]) -> bool:
        """Whether these names follow the calendar: some of what lies below them happened on the days that they say.

        That much is enough below a year, or with one: who reads old months beside the new one will need the next one,
        too. The bare name of a month may be a word, so there nearly all has to.
        """
        uses = fitting = 0
        for name, known in dated:
            for group in self.kids.below[name].values():
                uses += group.number
                fitting += sum(number for day, (number, _) in group.births.items() if agrees(known.dated, day))
        sure = dated[0][1].dated.year or dated[0][1].digits
        return fitting > 0 if sure else fitting >= AGREEMENT * uses

    def _calendar(self, dated: Sequence[tuple[str, Slot]]) -> list[Piece]:
        """A slot for names that follow the calendar; never the names themselves, which end with their period."""
        names = [name for name, _ in dated]
        known: Dated = dated[0][1].dated
        text = joint([one for _, one in dated])
        return self._widened(text, names, Why.CALENDAR, known.level) or self._thin(text, names)

    def _shaped(self, text: str, names: list[str]) -> list[Piece] | None:
        """Names that differ in their numbers alone: ids, or a counter; None where they are names like any other."""
        groups = self.kids.groups(names)
        number = sum(group.number for group in groups)
        opened = [name for name in names if ANY in name]
        if opened:
            steady = sum(group.steady for group in groups)
            if number <= FEW and 2 * steady >= number:
                return self._by_name(names, Why.LISTED)
            wide = self._widened(text, names, Why.ID)
            if wide is None and (number > FEW or 2 * number > self.total):
                return self._thin(text, names)
            return wide or self._by_name(names, Why.RARE)
        if len(names) > FEW or self._succession(names) or self._growing(names):
            return self._widened(text, names, Why.GROWTH if len(names) <= FEW else Why.ID)
        return None

    def _succession(self, names: Sequence[str]) -> bool:
        """Whether each of these names took the place of the one before: v7, then v8."""
        spans = sorted((self.kids.first(name), self.kids.last(name)) for name in names)
        return len(spans) > 1 and all(before[1] <= after[0] for before, after in pairwise(spans))

    def _growing(self, names: Sequence[str]) -> bool:
        """Whether new names keep appearing: in the later half, on two days, in two sessions."""
        births = self.kids.births(names)
        several = len(names) >= FEWEST_GROWING or (
            len(births) >= FEWEST_GROWING and any(MANY in name for name in names)
        )
        return several and pair([one for one in births if one[0] > self.settled]) is not None

    def _plain(self, names: list[str]) -> list[Piece]:
        """Names that have nothing in common: growing, listed, or left."""
        if not names:
            return []
        if self._growing(names):
            wide = self._widened(self._affixed(names), names, Why.GROWTH)
            if wide is not None:
                return wide
        if len(names) > FEW or any(MANY in name for name in names):
            return [Piece(ANY, Why.THIN, self.kids.rows(names))]
        steady = [name for name in names if self.kids.first(name) < self.kids.last(name)]
        if 2 * len(steady) >= len(names) or (self.kids.sign and len(names) == 1):
            return self._listed(names)
        once = [name for name in names if name not in steady]
        number = sum(group.number for group in self.kids.groups(once))
        alone = len(names) == number == 1 and number <= RARE * self.trie.number
        if alone or 2 * number <= self.total:
            return self._listed(steady) + self._by_name(once, Why.RARE)
        return [Piece(ANY, Why.THIN, self.kids.rows(names))]

    def _listed(self, names: Sequence[str]) -> list[Piece]:
        """Each name by itself; one that has a number, and that no other is like, may be the first of many."""
        forms = Counter(map(skeleton, names))
        lone = [name for name in names if ANY in skeleton(name) and forms[skeleton(name)] == 1]
        listed = self._by_name([name for name in names if name not in lone], Why.LISTED)
        return listed + [piece.numbered() for piece in self._by_name(lone, Why.LISTED)]

    def _affixed(self, names: Sequence[str]) -> str:
        """A wildcard between what all names begin with and the ending that many of them have."""
        shared = commonprefix([names[0], names[-1]])  # sorted: what these two share, all share
        ends = [found.end() for found in _WORD_END.finditer(shared.partition(MANY)[0])]
        head = shared[: ends[-1]] if ends else ""
        ending = _ENDING.search(names[0], len(head))
        number = sum(group.number for group in self.kids.groups(names))
        tail = ending.group() if ending and not self.kids.sign and number >= ALIKE_ENDINGS else ""
        alike = all(name.endswith(tail) and len(name) >= len(head) + len(tail) for name in names)
        return f"{head}{ANY}{tail if alike else ''}"

    def _shut(self, names: Sequence[str]) -> list[Piece]:
        """Sensitive names, and those with a wildcard's character: listed, else left as they were granted."""
        fixed = [name for name in names if not slot(name, self.above) and not {ANY, SENSITIVE} & set(name)]
        if len(fixed) > FEW:
            fixed = []
        left = [name for name in names if name not in fixed]
        granted = [Piece(ANY, Why.GRANTED, self.kids.rows(left))] if left else []
        return [*self._by_name(fixed, Why.LISTED), *granted]

    def _thin(self, text: str, names: Sequence[str]) -> list[Piece]:
        """What was granted, from the first character on that nothing can be said of."""
        return [Piece(_SIGN.split(text, maxsplit=1)[0] + ANY, Why.THIN, self.kids.rows(names))]

    def _widened(self, text: str, names: Sequence[str], why: Why, level: str = "") -> list[Piece] | None:
        """One text for all these names, with what the node says that their rests make together; None if unfounded.

        A pattern that has no two witnesses of its own is not written: what was used below one name only, or in one
        session, stays below that name.
        """
        kids = self.kids.some(names)
        if two_witnesses(kids.groups(names)) is None:
            return None
        if not kids.sign:
            return [Piece(text, why, kids.rows(names))]
        every: defaultdict[str, list[Group]] = defaultdict(list)
        for below in kids.below.values():
            for rest, group in below.items():
                every[rest].append(group)
        merged = {rest: together(groups) for rest, groups in every.items()}
        found: list[Piece] = []
        alone: set[str] = set()
        for piece in self.trie.pieces(merged, level):
            rests = frozenset(piece.rows)
            rows = [n + kids.sign + rest for n in names for rest in kids.below[n] if rest in rests]
            by_value = ANY not in piece.text and any(ANY in rest for rest in rests)  # one of several of the same form
            if by_value:
                borne = False
            elif why is Why.CALENDAR:
                borne = two_witnesses([merged[rest] for rest in rests]) is not None
            else:
                borne = pair(kids.births(names, rests)) is not None
            # A name below a date is no name of its own: it comes again with the next date.
            if why is not Why.CALENDAR and not borne and sum(merged[rest].number for rest in rests) <= FEW:
                alone |= rests
                continue
            found.append(piece.below(text + kids.sign, why=why if borne else Why.THIN, rows=rows))
        if not found:
            return None
        left = _Kids({n: {r: g for r, g in kids.below[n].items() if r in alone} for n in names}, kids.sign)
        return found + self._by_name([name for name in names if left.below[name]], Why.RARE, left)

    def _by_name(self, names: Sequence[str], why: Why, some: _Kids | None = None) -> list[Piece]:
        """Each name by itself; the values behind it where it is opened."""
        kids = self.kids if some is None else some
        found: list[Piece] = []
        for name in names:
            if ANY in name:
                found += [
                    Piece(self._literal(name + kids.sign + rest, row), why, (name + kids.sign + rest,))
                    for rest, group in kids.below[name].items()
                    for row in group.few
                ]
            elif kids.sign:
                found += [p.below(name + kids.sign) for p in self.trie.pieces(dict(kids.below[name]))]
            else:
                found.append(Piece(name, why, (name,)))
        return found

    def _literal(self, row: str, one: Seen) -> str:
        """The part of a value that stands at a row's place: ids hold no separators, so these are counted."""
        number = len(self.trie.separator.findall(row))
        value = one.value[len(self.trie.head) :]
        ends = [found.end() for found in self.trie.separator.finditer(value)]
        return value[ends[-number - 1] :] if len(ends) > number else value
