"""Where a value is cut into segments, which part of it is fixed, and which segments are sensitive: tables of data.

The first row of services/data/segment_schema.csv whose service, dimension and head fit a value says how to read it. The
head is the guarded part (docs/policy-semantics.md, section 5.4): listed or left as it was granted, never generalised.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from tightener.logs.packed import MANY
from tightener.policy.patterns import to_regex
from tightener.services import shell, sql
from tightener.services.catalogue import rows
from tightener.tighten import programs

_TOOLS = "tools"
_LAST = chr(0x10FFFF)  # behind every text that begins alike
_ARGUMENTS = {"argument", "shell", "sql", "url", "literal", "lines"}


class Seen(NamedTuple):
    """One value of a dimension, when it was first and last used, and by which session first.

    Days are counted from 1970. A session is any number that no other has; -1 where the use may not have happened (no
    evidence either way, or a partial one): such a value is covered, and bears out no wildcard. `days` are bits: of all
    days of its use, each counted from 1970 and taken modulo 61 (a prime, so that no week hides another); 0 where they
    were not looked at. A tuple: there may be millions.
    """

    value: str
    first: int
    last: int
    session: int
    days: int = 0

    @property
    def on(self) -> int:
        """On how many days it was used: exact where these lie within two months, else at least so many."""
        return max(self.days.bit_count(), 1 + (self.first < self.last))


@dataclass(frozen=True, slots=True)
class Schema:
    """How values of one kind are read: path, argument, url, shell, sql, command; the others are a head alone."""

    kind: str
    separator: re.Pattern[str] | None

    @property
    def is_argument(self) -> bool:
        """Whether a value is an argument's: `name=value`."""
        return self.kind in _ARGUMENTS


WHOLE = Schema("whole", None)  # a statement of SQL and its table: listed, or left as it was granted
_COMMAND = Schema("command", re.compile("[ /]"))
LITERAL = Schema("literal", None)  # of a program's text that is not read any further
LINES = Schema("lines", None)  # of an argument's value that holds line breaks or other control characters


class Run(NamedTuple):
    """Values with the same guarded head, and what stands behind it."""

    head: str
    schema: Schema
    rests: list[str]
    rows: Sequence[Seen]


def merged(*parts: Iterable[Seen]) -> list[Seen]:
    """The evidence of several parts of a log (days, files, actions) as if it had been read at once; sorted."""
    found: dict[str, Seen] = {}
    for part in parts:
        for one in part:
            old = found.setdefault(one.value, one)
            if old is not one:
                first = min(old, one, key=lambda use: (use.session < 0, use.first, use.session))
                last = max(old.last, one.last)
                found[one.value] = Seen(one.value, first.first, last, first.session, old.days | one.days)
    return sorted(found.values())


def pooled(parts: Sequence[Collection[Seen]]) -> Collection[Seen]:
    """The same for parts whose values are sorted and distinct; one by one where they are too many for a list."""
    if len(parts) == 1:
        return parts[0]
    return merged(*parts) if sum(map(len, parts)) <= MANY else _Pooled(parts)


class _Pooled(Collection[Seen]):
    """Several sorted parts as one, gone through without a copy."""

    def __init__(self, parts: Sequence[Collection[Seen]]) -> None:
        self._parts = parts
        self._number = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[Seen]:
        for _, same in groupby(heapq.merge(*self._parts, key=itemgetter(0)), key=itemgetter(0)):
            first, *rest = same
            yield merged([first], rest)[0] if rest else first

    def __contains__(self, one: object) -> bool:
        return any(one == other for other in self)


def runs(service: str, dimension: str, values: Sequence[Seen]) -> Iterator[Run]:
    """Sorted values by their guarded head: neighbours that share one make a run. A head may have several."""
    pattern, schemas = _schemas(service, dimension)
    start, size = 0, len(values)
    while start < size:
        value = values[start].value
        head, schema = _head(pattern, schemas, value)
        end = start + 1
        if service == _TOOLS and dimension == "resource":
            head, schema = _program(value) or (head, schema)
        if schema.kind in {"command", "shell", "sql"}:
            read = programs.sql if schema.kind == "sql" else programs.shell
            split = read(value[len(head) :])
            if split is None:
                yield Run(value, LITERAL, [""], values[start:end])
            else:
                row = values[start]._replace(value=head + split[0] + split[1])  # as a working text
                yield Run(head + split[0], schema, [split[1]], [row])
        else:
            if schema.kind in {"path", "url"} and head != value and head[-1:] in {"/", ":"}:
                end = bisect_right(values, head + _LAST, end, key=itemgetter(0))  # all that begins so has this head
            else:
                while end < size and _head(pattern, schemas, values[end][0]) == (head, schema):
                    end += 1
            skip = len(head)
            yield Run(head, schema, [one[0][skip:] for one in values[start:end]], values[start:end])
        start = end


def _program(value: str) -> tuple[str, Schema] | None:
    """The head of a shell or SQL tool's text (services/shell.py, sql.py), and how it is read; None for an argument.

    A text that did not parse stays as it is, a statement of SQL is guarded whole, a command is its program and words.
    """
    if shell.is_literal(value) or sql.is_literal(value):
        return value, LITERAL
    if not shell.is_command(value):
        return None
    return (value, WHOLE) if sql.is_statement(value) else ("", _COMMAND)


def fixed_head(service: str, dimension: str, value: str) -> str:
    """The guarded head of a value, up to and with its separator; the whole value where all of it is guarded."""
    if service == _TOOLS and dimension == "resource" and (found := _program(value)):
        head, schema = found
        split = programs.shell(value) if schema is _COMMAND else None
        return split[0] if split else head or value
    return _head(*_schemas(service, dimension), value)[0]


def family(head: str) -> str:
    """What guarded heads of one sort have in common: buckets, the hosts of one argument, its programs, branches."""
    if head.startswith("arn:"):
        return ":".join(head.split(":", 3)[:3])
    name, equals, _ = head.partition("=")
    return name + equals if equals else ""


@lru_cache(maxsize=100_000)
def is_sensitive(dimension: str, segment: str) -> bool:
    """Whether a segment is one that no wildcard may take in (services/data/sensitive_segment.csv); in either case."""
    return _sensitive(dimension).fullmatch(segment.lower()) is not None


@cache
def _sensitive(dimension: str) -> re.Pattern[str]:
    fitting = (row["pattern"] for row in rows("sensitive_segment") if row["dimension"] in {"*", dimension})
    return re.compile("|".join(map(to_regex, fitting)))


def _head(pattern: re.Pattern[str], schemas: Sequence[Schema], value: str) -> tuple[str, Schema]:
    found = pattern.match(value)
    if found is None or found.lastgroup is None:
        raise ValueError(f"segment_schema.csv has no row for {value!r}")
    return found.group(), schemas[int(found.lastgroup[1:])]


@cache
def _schemas(service: str, dimension: str) -> tuple[re.Pattern[str], tuple[Schema, ...]]:
    fitting = [
        row for row in rows("segment_schema") if row["service"] in {service, "*"} and row["dimension"] == dimension
    ]
    schemas = tuple(
        Schema(row["kind"], re.compile(f"[{re.escape(row['separators'])}]") if row["separators"] else None)
        for row in fitting
    )
    return re.compile("|".join(f"(?P<k{i}>{row['head']})" for i, row in enumerate(fitting))), schemas
