"""Which arguments of which tools a program reads: a shell, or a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from tightener.policy.patterns import to_regex
from tightener.services.catalogue import rows

KINDS = ("shell", "sql")
Tools = Mapping[str, Mapping[str, str]]  # a tool's name -> its arguments -> shell or sql, as tightener.yaml has it
NO_TOOLS: Tools = MappingProxyType({})


def spoken_arguments(tool: str, tools: Tools) -> Iterator[tuple[str, str]]:
    """The (argument, kind) pairs of a tool: what `tools` says of it, else the first rows that fit (tool_kind.csv).

    A row may say `plain` (and `*` for every argument): what it fits is an argument as any other. Upper and lower case
    of tools are equal, unless `tools` names them.
    """
    if tool in tools:
        yield from tools[tool].items()
        return
    settled: set[str] = set()
    for pattern, argument, kind in _rows():
        if pattern.fullmatch(tool.lower()) and argument not in settled:
            if argument == "*":
                return
            settled.add(argument)
            if kind in KINDS:
                yield argument, kind


@cache
def _rows() -> tuple[tuple[re.Pattern[str], str, str], ...]:
    return tuple((re.compile(to_regex(row["tool"])), row["argument"], row["kind"]) for row in rows("tool_kind"))
