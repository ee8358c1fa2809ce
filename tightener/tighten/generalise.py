"""From the values that were used to the patterns that a rule should hold: the first, simple rule, behind one function.

Few recurring values are listed. Values that come and go are covered by the longest separator-bounded prefix that they
share, cut before the first segment that follows the calendar or is an id: `raw/2026/09/...` must not become a rule that
breaks next month. A guarded part (bucket, repository, table, argument name, a branch without `/`) is listed or
left as it was granted, never generalised. The result never leaves what was granted.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from operator import itemgetter
from os.path import commonprefix
from typing import NamedTuple

from tightener.policy.patterns import contains, to_regex
from tightener.services import shell, sql
from tightener.services.semantics import safe_as_pattern

MOST_LISTED = 8  # recurring values under one container that are listed one by one
MOST_PATTERNS = 20  # a longer list is no easier to review than what was granted
_HOPELESS = 1000  # patterns after which it is not worth going on
_SEPARATOR = re.compile(r"[/:]")
_LAST = chr(0x10FFFF)
_EPOCH = date(1970, 1, 1)
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?=$|[^\d]|(?:0[1-9]|1[0-2])(?:$|[^\d]|[0-3]\d))")
_VOLATILE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUID
    r"|(?<![0-9a-zA-Z])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{12,}(?![0-9a-zA-Z])"  # digest
    r"|(?<!\d)\d{6,}(?!\d)",  # serial number, epoch
    re.IGNORECASE,
)


class Seen(NamedTuple):
    """One value of a dimension with the first and the last day of its use, as days since 1970.

    A tuple of numbers: there may be a hundred thousand of them.
    """

    value: str
    first: int
    last: int


def generalise(service: str, dimension: str, seen: Iterable[Seen], granted: Sequence[str]) -> tuple[str, ...] | None:
    """The patterns that cover every value and stay inside `granted`; None where nothing narrower can be said.

    `dimension` is "resource" or "branch"; `granted` are the rule's patterns ("*" for a missing key). The values are
    distinct. The result is ordered by the granted pattern that each came from, then by text, and does not depend on the
    order of `seen`.
    """
    values = sorted(seen)
    found = _once(service, dimension, values, granted)
    if len(granted) > 1:  # what came from different patterns may fit together better under the result
        for _ in range(MOST_PATTERNS):
            again = None if found is None else _once(service, dimension, values, found)
            if again in (None, found):
                break
            found = again
    return found


def _once(service: str, dimension: str, values: Sequence[Seen], granted: Sequence[str]) -> tuple[str, ...] | None:
    homes = _homes(values, granted)
    if homes is None:
        return None
    found: set[tuple[int, str]] = set()
    for home, under in sorted(homes.items()):
        for fixed, group in _runs(under, lambda value: container(service, dimension, value)):
            patterns = _group(group, fixed)
            if patterns is None:
                return None
            found.update((home, p if contains(granted[home], p) else granted[home]) for p in patterns)
            if len(found) > _HOPELESS:
                return None
    ordered = [pattern for _, pattern in sorted(found)]
    if set(ordered) == set(granted):
        return tuple(granted)
    if len(ordered) > MOST_PATTERNS:
        return None
    kept = _without_covered(ordered)
    if set(kept) == set(granted):
        return tuple(granted)
    return tuple(kept)


def _homes(seen: Sequence[Seen], granted: Sequence[str]) -> dict[int, list[Seen]] | None:
    """The values under the first granted pattern that matches each.

    None where a value is absent, or where only an expansion of the rule covers it: there is nothing to narrow by.
    """
    tests = [re.compile(to_regex(pattern)).fullmatch for pattern in granted]
    if seen and not seen[0].value:
        return None
    if len(tests) == 1:
        return {0: list(seen)} if all(map(tests[0], map(itemgetter(0), seen))) else None
    homes: dict[int, list[Seen]] = {}
    for one in seen:
        for home, test in enumerate(tests):
            if test(one.value):
                homes.setdefault(home, []).append(one)
                break
        else:
            return None
    return homes


def _runs(values: Sequence[Seen], head_of: Callable[[str], str]) -> Iterator[tuple[str, Sequence[Seen]]]:
    """Sorted values cut into runs of the same head, in the order of the values.

    A head that two values share, or that is not the whole of a value, is the head of all that begins with it: so the
    end of a run is looked up.
    """
    start = 0
    while start < len(values):
        value = values[start].value
        head = head_of(value)
        end = start + 1
        if head != value or (end < len(values) and head_of(values[end].value) == head):
            end = bisect_right(values, head + _LAST, start, key=itemgetter(0))
        yield head, values[start:end]
        start = end


def container(service: str, dimension: str, value: str) -> str:
    """The guarded head of a value, up to and with its separator; the whole value where all of it is guarded."""
    if dimension == "branch":
        head, slash, _ = value.partition("/")
        return head + slash if slash else value
    if service == "aws" and value.startswith("arn:") and value.count(":") >= 5:
        fields = value.split(":", 5)
        head, tail = ":".join(fields[:5]) + ":", fields[5]
        if fields[2] == "s3":
            bucket, slash, _ = tail.partition("/")
            return head + bucket + slash
        parts = re.split(r"([/:])", tail, maxsplit=2)  # type, separator, name, separator, rest
        return head + "".join(parts[:4])
    if service == "tools":
        if shell.is_command(value) or shell.is_literal(value) or sql.is_literal(value):
            return value  # `git status*` also matches `git status --output=/etc/passwd`
        name, equals, _ = value.partition("=")
        return name + equals
    if service in {"git", "github"}:
        return value
    return ""


def _group(values: Sequence[Seen], fixed: str) -> list[str] | None:
    """The patterns for the values under one container; None where a value must not be written down."""
    if fixed.endswith("=") and any(" " in one.value[len(fixed) :] for one in values):
        return [fixed + "*"]  # free text: a list of sentences would be no policy
    families: dict[str, list[Seen]] = {}
    for head, run in _runs(values, lambda value: _family(value, fixed)):
        families.setdefault(head if _SEPARATOR.match(head[-1:]) else fixed, []).extend(run)
    if len(families) > MOST_LISTED:
        return [fixed + "*"]
    patterns: list[str] = []
    for family in families.values():
        listed = _listed(family, fixed)
        if listed is not None:
            patterns.extend(listed)
            continue
        head = _bounded(_steady_prefix(family, fixed), fixed)
        if safe_as_pattern(head) != head:
            return None
        patterns.append(head + "*")
    return patterns


def _family(value: str, fixed: str) -> str:
    """The first segment behind the container: what lies under different ones is generalised apart."""
    found = _SEPARATOR.search(value, len(fixed))
    return value[: found.end()] if found else value


def _listed(family: Sequence[Seen], fixed: str) -> list[str] | None:
    """The values themselves, where they are few and most of them recur (or are guarded as a whole); else None."""
    if len(family) > MOST_LISTED:
        return None
    recurring = 2 * sum(one.first < one.last for one in family) >= len(family)
    steady = all(_steady(one.value, fixed, one.first, one.last) == len(one.value) for one in family)
    if not (recurring and steady) and any(one.value != fixed for one in family):
        return None
    literals = [safe_as_pattern(one.value) for one in family]
    return None if None in literals else [literal for literal in literals if literal is not None]


def _steady_prefix(family: Sequence[Seen], fixed: str) -> str:
    """What all values begin with, up to the first segment that follows the calendar or is an id.

    What sorted texts share, the first and the last of them share.
    """
    shared = commonprefix([family[0].value, family[-1].value])
    first, last = min(one.first for one in family), max(one.last for one in family)
    return shared[: _steady(shared, fixed, first, last)]


def _steady(value: str, fixed: str, first: int, last: int) -> int:
    """How many characters stand before the first segment that follows the calendar or is an id, `fixed` at least."""
    start = len(fixed)
    near = range(_year(first) - 1, _year(last) + 2)
    while start < len(value):
        found = _SEPARATOR.search(value, start)
        end = found.end() if found else len(value)
        segment = value[start:end]
        if any(int(year) in near for year in _YEAR.findall(segment)) or _VOLATILE.search(segment):
            return start
        start = end
    return len(value)


def _year(day: int) -> int:
    return (_EPOCH + timedelta(days=day)).year


def _bounded(prefix: str, fixed: str) -> str:
    """The prefix cut behind its last separator, never shorter than the container."""
    ends = [m.end() for m in _SEPARATOR.finditer(prefix) if m.end() >= len(fixed)]
    return prefix[: ends[-1]] if ends else fixed


def _without_covered(patterns: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for i, pattern in enumerate(patterns):
        wider = (
            other
            for j, other in enumerate(patterns)
            if j != i and contains(other, pattern) and (not contains(pattern, other) or j < i)
        )
        if next(wider, None) is None and pattern not in kept:
            kept.append(pattern)
    return kept
