"""Three-way merging of texts: two texts that both come from one, and what both have changed in it.

By lines; and where both have edited one line, by its words, so that a list that stands on one line gets both sides'
items. It knows nothing of policies. What comes out is text that somebody has to read again and prove.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORDS = re.compile(r"""\s+|"[^"]*"|'[^']*'|[^\s,\[\]{}"'#]+|.""")
_ALIKE = 0.6  # of two lines, to be one that was edited
_MOST_PAIRS = 900  # of lines that are held against each other: what is longer stays one change
_LINES = re.compile(r"[^\n]*\n|[^\n]+")  # as Git has them: a lone CR or a form feed ends none


@dataclass(frozen=True, slots=True)
class Clash:
    """Lines that both sides have changed, each in its own way: from and to, 1-based, in `ours`.

    Where `last` is before `first`, lines are gone from there.
    """

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Lines of the base, and the lines of one side that took their place. Half-open."""

    start: int
    end: int
    own_start: int
    own_end: int


@dataclass(frozen=True, slots=True)
class _Reach:
    """A stretch of the base, and what the two sides have there."""

    start: int
    end: int
    ours: tuple[_Hunk, ...]
    theirs: tuple[_Hunk, ...]


def merged(base: str, ours: str, theirs: str, *, ours_first: bool = False) -> tuple[str, tuple[Clash, ...]]:
    """The text with what either side has changed, and where both have changed the same lines (there it has ours).

    Where both have put lines in at the same place, theirs come first unless `ours_first`. Where one side has changed
    nothing, the other's text comes out byte for byte. Raises nothing.
    """
    if base == ours:
        return theirs, ()
    if base == theirs:
        return ours, ()
    return _merged(*(_LINES.findall(text) for text in (base, ours, theirs)), ours_first=ours_first, lines=True)


def _merged(
    old: Sequence[str], mine: Sequence[str], other: Sequence[str], *, ours_first: bool, lines: bool
) -> tuple[str, tuple[Clash, ...]]:
    """`merged` for lines, or for the words of one."""
    made: list[str] = []
    clashes: list[Clash] = []
    at, shift = 0, 0  # in the base; and by how much ours is longer so far
    for one in _reaches(_hunks(old, mine, lines=lines), _hunks(old, other, lines=lines)):
        made += old[at : one.start]
        at = one.end
        own, new = _side(old, mine, one, one.ours), _side(old, other, one, one.theirs)
        number = len(own)
        if not one.ours:
            own = new
        elif one.start == one.end and one.theirs and own != new:
            own = [*own, *new] if ours_first else [*new, *own]
        elif one.theirs and own != new:
            within = _within(old[one.start : one.end], own, new, ours_first=ours_first) if lines else None
            if within is None:
                first = one.start + shift + 1
                clashes.append(Clash(first, first + number - 1))
            own = own if within is None else [within]
        made += own
        shift += number - (one.end - one.start)
    return "".join([*made, *old[at:]]), tuple(clashes)


def _within(old: Sequence[str], own: Sequence[str], new: Sequence[str], *, ours_first: bool) -> str | None:
    """One line that both have edited, by its words; None where that is not what it is, or does not do either."""
    if not len(old) == len(own) == len(new) == 1:
        return None
    words = (_WORDS.findall(one[0]) for one in (old, own, new))
    text, clashes = _merged(*words, ours_first=ours_first, lines=False)
    return None if clashes else text


def _side(old: Sequence[str], new: Sequence[str], reach: _Reach, hunks: Sequence[_Hunk]) -> list[str]:
    """What one side has in a stretch of the base."""
    made: list[str] = []
    at = reach.start
    for hunk in hunks:
        made += [*old[at : hunk.start], *new[hunk.own_start : hunk.own_end]]
        at = hunk.end
    return [*made, *old[at : reach.end]]


def _reaches(ours: Sequence[_Hunk], theirs: Sequence[_Hunk]) -> Iterator[_Reach]:
    """The stretches that some side has changed, in order: hunks of the two sides that overlap are one stretch.

    Lines put in between two lines overlap only what changes both of these, or puts in lines there, too.
    """
    waiting = sorted(
        [(hunk, 0) for hunk in ours] + [(hunk, 1) for hunk in theirs],
        key=lambda pair: (pair[0].start, pair[0].end, pair[1]),
    )
    while waiting:
        start, end = waiting[0][0].start, waiting[0][0].end
        taken: tuple[list[_Hunk], list[_Hunk]] = ([], [])
        while waiting:
            hunk, side = waiting[0]
            same_place = hunk.start == hunk.end == start == end
            if any(taken) and not same_place and hunk.start >= end:
                break
            taken[side].append(hunk)
            end = max(end, hunk.end)
            waiting.pop(0)
        yield _Reach(start, end, tuple(taken[0]), tuple(taken[1]))


def _hunks(old: Sequence[str], new: Sequence[str], *, lines: bool) -> list[_Hunk]:
    """What changes between two lists of lines or words: looked for between those that each has once, which is fast."""
    found: list[_Hunk] = []
    i = j = 0
    for i2, j2 in (*_anchors(old, new), (len(old), len(new))):
        if old[i:i2] != new[j:j2]:
            matcher = SequenceMatcher(None, old[i:i2], new[j:j2], autojunk=False)
            for kind, i3, i4, j3, j4 in matcher.get_opcodes():
                if kind != "equal":
                    hunk = _Hunk(i + i3, i + i4, j + j3, j + j4)
                    found += _split(old, new, hunk) if lines else [hunk]
        i, j = i2, j2
    return found


def _split(old: Sequence[str], new: Sequence[str], hunk: _Hunk) -> list[_Hunk]:
    """A hunk in parts: each line that has only been edited by itself, so that a change beside it is no clash."""
    lines, own = range(hunk.start, hunk.end), range(hunk.own_start, hunk.own_end)
    if not lines or not own or len(lines) * len(own) > _MOST_PAIRS:
        return [hunk]
    alike = [(_likeness(old[i], new[j]), -abs((i - lines[0]) - (j - own[0])), i, j) for i in lines for j in own]
    best, _, i, j = max(alike)
    if best < _ALIKE:
        return [hunk]
    before = _Hunk(hunk.start, i, hunk.own_start, j)
    behind = _Hunk(i + 1, hunk.end, j + 1, hunk.own_end)
    parts = [*_split(old, new, before), _Hunk(i, i + 1, j, j + 1), *_split(old, new, behind)]
    return [part for part in parts if old[part.start : part.end] != new[part.own_start : part.own_end]]


def _likeness(one: str, other: str) -> float:
    """How much of two lines is the same, 0 to 1: 1 only for equal ones."""
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= _ALIKE else 0.0


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """The longest run of lines, in the order of both, that each list has exactly once: where they stand in either."""
    once = {line for line, number in Counter(old).items() if number == 1}
    once &= {line for line, number in Counter(new).items() if number == 1}
    at = {line: number for number, line in enumerate(new)}
    pairs = [(number, at[line]) for number, line in enumerate(old) if line in once]
    ends: list[int] = []  # for each length, the smallest place in `new` at which such a run can end
    runs: list[int] = []  # the index in `pairs` of that end
    before: list[int] = []  # for each pair, the index of the one before it in its run
    for index, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(runs[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        runs[length : length + 1] = [index]
    found: list[tuple[int, int]] = []
    index = runs[-1] if runs else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]
