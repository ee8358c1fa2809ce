"""Exact containment of boxes in a union of boxes: the proof behind "never wider".

A box is a product of three patterns (action, resource, branch). `check` says for each inner box, or intersection of
boxes, whether every request in it lies in some outer box, over *all* strings. Three ways, from cheap to general:

1. **One outer box is enough**: each of its patterns contains the inner one (`patterns.contains`, exact for a pair).
2. **No single one does, and no outer pattern has a `?`, or the inner box has no `*`**: then it is outside. Write a
   fresh letter, which no outer pattern names, for each wildcard of the inner box. An outer box that matched the result
   would have matched the fresh letters with `*`s (or, where each has a fixed length, with `?`s), so it would hold the
   whole inner box, and way 1 would have found it. The written request is the witness.
3. **Otherwise** boxes can cooperate (`a*` lies in `a` + `a?*`), and intersections have no one pattern: `automaton`.

Every witness is put to `patterns.matches` before it is reported: it must be in the inner box and in no outer one. One
that is not, and a search that runs out of budget, are "not proven", which nobody may treat as contained.

Nothing here is shared with the code that writes proposals (`tighten/`): what proposes must not be what proves.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain, product

from tightener.model import Box
from tightener.policy.automaton import Row, search
from tightener.policy.patterns import contains, intersects, matches

BUDGET = 2_000_000  # steps of one search: a few tenths of a second, far more than a policy written by people needs

_contains = lru_cache(maxsize=1 << 16)(contains)
_intersects = lru_cache(maxsize=1 << 16)(intersects)
_READABLE = "xyzwvutsrqponmlkjihgfedcba" + string.digits


class Kind(StrEnum):
    """The three answers. Only the first one is a proof."""

    CONTAINED = "contained"
    WIDER = "wider"
    NOT_PROVEN = "not_proven"


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of `check`.

    `witness` is (action, resource, branch) of a request that is inside an inner box and outside all outer ones; only
    for `wider`. `failed` is the index of the inner box that is not contained, or not proven. `certificate`, only for
    `contained`, has one entry for each inner box: the indexes of the outer boxes that hold it together. One index can
    be checked with nothing but single patterns, several need the search, none means an empty inner intersection.
    """

    kind: Kind
    witness: tuple[str, str, str] | None = None
    certificate: tuple[tuple[int, ...], ...] = ()
    failed: int | None = None


def covered(inner: Box, outer: Sequence[Box]) -> bool:
    """Whether every request of `inner` is in some box of `outer`. False also where it could not be proved."""
    return Union(outer).check((inner,)).kind is Kind.CONTAINED


def check(inners: Iterable[tuple[Box, ...]], outer: Sequence[Box], budget: int = BUDGET) -> Result:
    """Whether every request of every inner is in some box of `outer`; a tuple of boxes stands for their intersection.

    In: boxes of one service, their patterns already folded. Out: `Result`; the first inner that is wider decides, else
    the first that is not proven. Raises `ValueError` for an empty tuple: an intersection of nothing is everything.
    """
    return Union(outer).check_all(inners, budget)


class Union:
    """A union of boxes, indexed so that many inner boxes can be held against it."""

    def __init__(self, outer: Sequence[Box]) -> None:
        self._rows: list[Row] = [_row(box) for box in outer]
        self._exact: dict[Row, int] = {}
        self._by_action: dict[str, list[int]] = {}
        self._by_head: dict[tuple[str, str], list[int]] = {}
        self._heads = [_head(row[1]) for row in self._rows]
        for index, row in enumerate(self._rows):
            if row not in self._exact:  # the same box twice adds nothing
                self._exact[row] = index
                self._by_action.setdefault(row[0], []).append(index)
                self._by_head.setdefault((row[0], self._heads[index]), []).append(index)
        self._actions_over: dict[str, list[str]] = {}
        self._actions_near: dict[str, list[int]] = {}

    def check_all(self, inners: Iterable[tuple[Box, ...]], budget: int = BUDGET) -> Result:
        """`check` against this union."""
        certificate: list[tuple[int, ...]] = []
        doubt: Result | None = None
        for number, inner in enumerate(inners):
            found = self.check(inner, budget)
            if found.kind is Kind.CONTAINED:
                certificate.extend(found.certificate)
                continue
            found = Result(found.kind, found.witness, failed=number)
            if found.kind is Kind.WIDER:
                return found
            doubt = doubt or found
        return doubt or Result(Kind.CONTAINED, certificate=tuple(certificate))

    def check(self, inner: tuple[Box, ...], budget: int = BUDGET) -> Result:
        """Whether the intersection of the boxes of `inner` lies in this union."""
        if not inner:
            raise ValueError("an intersection needs at least one box")
        rows = _reduced([_row(box) for box in inner])
        if rows is None:
            return _proved(())
        single = self._single(rows)
        if single is not None:
            return _proved((single,))
        near = self._near(rows)
        outer = [self._rows[index] for index in near]
        fresh = _fresh_letter(chain.from_iterable(outer))
        if len(rows) == 1:
            plain = not any("*" in pattern for pattern in rows[0])
            for filler in (fresh, ""):
                guess = _written(rows[0], filler, fresh)
                if not any(_row_matches(row, guess) for row in outer):
                    return self._wider(rows, guess)
            if plain or not any("?" in pattern for row in outer for pattern in row):
                return Result(Kind.NOT_PROVEN)  # the theorem above says that this cannot be; then nothing is shown
        found = search(rows, outer, fresh, budget)
        if found.inside:
            return _proved(tuple(near))
        return Result(Kind.NOT_PROVEN) if found.witness is None else self._wider(rows, found.witness)

    def _wider(self, rows: Sequence[Row], witness: Row) -> Result:
        """`wider` with this witness, provided that it is one: in every inner row and in no outer one."""
        if all(_row_matches(row, witness) for row in rows) and not any(_row_matches(r, witness) for r in self._rows):
            action, resource, branch = witness
            return Result(Kind.WIDER, (action, resource, branch), failed=0)
        return Result(Kind.NOT_PROVEN)

    def _single(self, rows: Sequence[Row]) -> int | None:
        """The first outer box that holds the inner one by itself."""
        if len(rows) == 1 and rows[0] in self._exact:
            return self._exact[rows[0]]
        parts = [tuple(dict.fromkeys(row[part] for row in rows)) for part in range(3)]
        found: list[int] = []
        for action in parts[0]:
            if action not in self._actions_over:
                # What an outer pattern contains starts with its literal head.
                self._actions_over[action] = [
                    name for name in self._by_action if action.startswith(_head(name)) and _contains(name, action)
                ]
            for name, own in product(self._actions_over[action], parts[1]):
                for cut in range(len(own) + 1):
                    for index in self._by_head.get((name, own[:cut]), ()):
                        _, resource, branch = self._rows[index]
                        if _contains(resource, own) and any(_contains(branch, other) for other in parts[2]):
                            found.append(index)
        return min(found, default=None)

    def _near(self, rows: Sequence[Row]) -> list[int]:
        """The outer boxes that share a request with each of the inner rows; the others cannot help."""
        return sorted(set.intersection(*(self._meeting(row) for row in rows)))

    def meeting(self, box: Box) -> list[int]:
        """The indexes of the boxes of this union that share a request with `box` (of equal ones, the first)."""
        return sorted(self._meeting(_row(box)))

    def _meeting(self, row: Row) -> set[int]:
        action, resource, branch = row
        if action not in self._actions_near:
            own = _head(action)
            groups = [
                group
                for name, group in self._by_action.items()
                if (own.startswith(start := _head(name)) or start.startswith(own)) and _intersects(name, action)
            ]
            self._actions_near[action] = sorted(chain.from_iterable(groups))
        head = _head(resource)
        return {
            index
            for index in self._actions_near[action]
            # Two patterns can share a string only if one's literal head starts with the other's.
            if (self._heads[index].startswith(head) or head.startswith(self._heads[index]))
            and _intersects(self._rows[index][1], resource)
            and _intersects(self._rows[index][2], branch)
        }


def _proved(by: tuple[int, ...]) -> Result:
    return Result(Kind.CONTAINED, certificate=(by,))


def _row(box: Box) -> Row:
    return (box.action, box.resource, box.branch)


def _head(pattern: str) -> str:
    """The literal start of a pattern: what it contains starts with it."""
    ends = [at for at in (pattern.find("*"), pattern.find("?")) if at >= 0]
    return pattern[: min(ends)] if ends else pattern


def _row_matches(row: Row, request: Row) -> bool:
    return all(matches(pattern, value) for pattern, value in zip(row, request, strict=True))


def _reduced(rows: list[Row]) -> list[Row] | None:
    """The same intersection with as few rows as possible; None where it is certainly empty.

    Part by part a pattern that contains another one of the same part says nothing more; what is left of each part is
    spread over rows again.
    """
    parts: list[list[str]] = []
    for column in zip(*rows, strict=True):
        kept: list[str] = []
        for pattern in dict.fromkeys(column):
            if any(_contains(pattern, other) for other in kept):
                continue
            if not all(_intersects(pattern, other) for other in kept):
                return None
            kept = [other for other in kept if not _contains(other, pattern)]
            kept.append(pattern)
        parts.append(kept)
    height = max(len(part) for part in parts)
    return [tuple(part[min(number, len(part) - 1)] for part in parts) for number in range(height)]


def _written(row: Row, star: str, any_one: str) -> Row:
    """A request of this row: `star` for each `*`, `any_one` for each `?`."""
    return tuple(pattern.replace("*", star).replace("?", any_one) for pattern in row)


def _fresh_letter(patterns: Iterable[str]) -> str:
    """A letter that no pattern names: a readable one if there is one, else the first unused code point.

    Upper case is left out, since actions of aws are folded before they are compared.
    """
    used = set(chain.from_iterable(patterns))
    for letter in _READABLE:
        if letter not in used:
            return letter
    code = 0x4E00  # letters without case, so that no folding and no normalising touches them
    while chr(code) in used:
        code += 1
    return chr(code)
