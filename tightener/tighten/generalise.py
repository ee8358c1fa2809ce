"""From the values that were used to the patterns that a rule should hold: the first, simple rule, behind one function.

Few recurring values are listed. Values that come and go are covered by the longest separator-bounded prefix that they
share, cut before the first segment that follows the calendar or is an id: `raw/2026/09/...` must not become a rule that
breaks next month. A guarded part (bucket, repository, table, argument name, a branch without `/`) is listed or
left as it was granted, never generalised. The result never leaves what was granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from os.path import commonprefix

from tightener.policy.patterns import contains, matches
from tightener.services.semantics import safe_as_pattern

MOST_LISTED = 8  # recurring values under one container that are listed one by one
MOST_PATTERNS = 20  # a longer list is no easier to review than what was granted
_SEPARATOR = re.compile(r"[/:]")
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?=$|[^\d]|(?:0[1-9]|1[0-2])(?:$|[^\d]|[0-3]\d))")
_VOLATILE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUID
    r"|(?<![0-9a-zA-Z])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{12,}(?![0-9a-zA-Z])"  # digest
    r"|(?<!\d)\d{6,}(?!\d)",  # serial number, epoch
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One value of a dimension with the days on which it was used."""

    value: str
    days: int
    first: date
    last: date


def generalise(service: str, dimension: str, seen: Iterable[Seen], granted: Sequence[str]) -> tuple[str, ...] | None:
    """The patterns that cover every value and stay inside `granted`; None where nothing narrower can be said.

    `dimension` is "resource" or "branch"; `granted` are the rule's patterns ("*" for a missing key). The result is
    ordered by the granted pattern that each came from, then by text, and does not depend on the order of `seen`.
    """
    groups: dict[tuple[int, str], list[Seen]] = {}
    for one in seen:
        home = next((i for i, pattern in enumerate(granted) if matches(pattern, one.value)), None)
        if home is None or not one.value:
            return None  # an absent value, or one that only an expansion of the rule covers: nothing to narrow by
        groups.setdefault((home, container(service, dimension, one.value)), []).append(one)
    found: list[tuple[int, str]] = []
    for (home, fixed), values in sorted(groups.items()):
        patterns = _group(values, fixed)
        if patterns is None:
            return None
        found.extend((home, p if contains(granted[home], p) else granted[home]) for p in patterns)
    ordered = [pattern for _, pattern in sorted(set(found))]
    if set(ordered) == set(granted):
        return tuple(granted)
    if len(ordered) > MOST_PATTERNS:
        return None
    kept = _without_covered(ordered)
    if set(kept) == set(granted):
        return tuple(granted)
    return tuple(kept)


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
        name, equals, _ = value.partition("=")
        return name + equals
    if service in {"git", "github"}:
        return value
    return ""


def _group(values: Sequence[Seen], fixed: str) -> list[str] | None:
    """The patterns for the values under one container; None where a value must not be written down."""
    if fixed.endswith("=") and any(" " in one.value for one in values):
        return [fixed + "*"]  # free text: a list of sentences would be no policy
    families: dict[str, list[Seen]] = {}
    for one in values:
        families.setdefault(_family(one.value, fixed), []).append(one)
    if len(families) > MOST_LISTED:
        return [fixed + "*"]
    patterns: list[str] = []
    for family in families.values():
        listed = _listed(family, fixed)
        if listed is not None:
            patterns.extend(listed)
            continue
        head = _bounded(commonprefix([one.value[: _steady(one, fixed)] for one in family]), fixed)
        if safe_as_pattern(head) != head:
            return None
        patterns.append(head + "*")
    return patterns


def _family(value: str, fixed: str) -> str:
    """The first segment behind the container: what lies under different ones is generalised apart."""
    found = _SEPARATOR.search(value, len(fixed))
    return value[: found.end()] if found else fixed


def _listed(family: Sequence[Seen], fixed: str) -> list[str] | None:
    """The values themselves, where they are few and most of them recur (or are guarded as a whole); else None."""
    literals = [safe_as_pattern(one.value) for one in family]
    guarded = all(one.value == fixed for one in family)
    steady = all(_steady(one, fixed) == len(one.value) for one in family)
    recurring = sum(one.days > 1 for one in family)
    if guarded or (steady and 2 * recurring >= len(family) <= MOST_LISTED):
        return None if None in literals else [literal for literal in literals if literal is not None]
    return None


def _steady(seen: Seen, fixed: str) -> int:
    """How many characters stand before the first segment that follows the calendar or is an id, `fixed` at least."""
    start = len(fixed)
    while start < len(seen.value):
        found = _SEPARATOR.search(seen.value, start)
        end = found.end() if found else len(seen.value)
        segment = seen.value[start:end]
        years = {int(year) for year in _YEAR.findall(segment)}
        if years & set(range(seen.first.year - 1, seen.last.year + 2)) or _VOLATILE.search(segment):
            return start
        start = end
    return len(seen.value)


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
