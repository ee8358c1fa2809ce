"""What of a tool's arguments is kept: one text per argument, secrets never (redacted.csv, first matching row wins).

An argument that is kept out of the database is partial: a pattern stands in its place (policy-semantics, section 3).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = files("tightener.logs").joinpath("redacted.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def _names() -> tuple[tuple[re.Pattern[str], bool], ...]:
    return tuple(
        (re.compile(".*".join(map(re.escape, row["pattern"].split("*"))), re.DOTALL), row["verdict"] == "secret")
        for row in _rows()
        if row["what"] == "name"
    )


def is_secret(name: str) -> bool:
    """Whether an argument of this name (`a.b` for a nested one) may hold a secret. Upper and lower case are equal."""
    folded = name.lower()
    return next((secret for regex, secret in _names() if regex.fullmatch(folded)), False)


@cache
def value_pattern() -> str:
    """One regular expression (RE2 and Python agree on it) for the parts of a value that look like a secret."""
    return "|".join(f"(?:{row['pattern']})" for row in _rows() if row["what"] == "value")


def number_text(text: str) -> str:
    """A JSON number in its shortest form: 10.0 -> 10, 1e3 -> 1000, 0.50 -> 0.5. Whole numbers are exact."""
    try:
        return str(int(text))
    except ValueError:
        value = float(text)
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def leaves(name: str | None, raw: str) -> list[tuple[str, str]]:
    """The (`a.b`, text) pairs of one argument given as JSON; `None` as its name = an object of arguments.

    A list gives a pair per item; `[]`, `{}`, `null` and `""` give an empty text.
    """
    value = json.loads(raw, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    return list(_walk(name, value))


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def _walk(name: str | None, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and (value or name is None):
        for key, inner in value.items():
            yield from _walk(key if name is None else f"{name}.{key}", inner)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _walk(name, inner)
    else:
        yield name or "", _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Number):
        return number_text(value)
    return value if isinstance(value, str) else ""  # null, {} and []
