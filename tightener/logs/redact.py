"""What of a tool's arguments is kept: one text per argument, secrets never (redacted.csv, first matching row wins).

An argument that is kept out of the database is partial: a pattern stands in its place (policy-semantics, section 3).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from tightener.services.shell import Word

_NAMED = re.compile(r"""(?<![\w.-])([\w.-]++)["']?+\s*+[:=]\s*+""", re.ASCII)  # token=, X-Api-Key: , {"password":
_FOLLOWED = re.compile(r"""(?<![\w.-])(?:(-[\w.-]++)(?=\s)|([\w.-]++)\s++["'])""", re.ASCII)  # --token x, PASSWORD 'x'


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


@lru_cache(maxsize=10_000)
def is_secret(name: str) -> bool:
    """Whether an argument of this name (`a.b` for a nested one) may hold a secret. Upper and lower case are equal."""
    folded = name.lower()
    return next((secret for regex, secret in _names() if regex.fullmatch(folded)), False)


@cache
def value_pattern() -> str:
    """One regular expression (RE2 and Python agree on it) for the parts of a value that look like a secret."""
    return "|".join(f"(?:{row['pattern']})" for row in _rows() if row["what"] == "value")


@cache
def name_pattern() -> str:
    """A regular expression (RE2's and Python's): a text in which it is nowhere holds no name of a secret."""
    patterns = (row["pattern"].strip("*") for row in _rows() if row["what"] == "name" and row["verdict"] == "secret")
    return "(?i)" + "|".join(".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns)


def hide(words: Sequence[Word]) -> tuple[Word, ...]:
    """A command without what stands behind the name of a secret: a word after an option, the rest of a word."""
    hidden: list[Word] = []
    for word in words:
        before = hidden[-1].parts if hidden else ()
        option = before[0] if len(before) == 1 else None
        if option is not None and option.startswith("-") and "=" not in option and is_secret(option):
            hidden.append(Word((None,)))
        else:
            hidden.append(Word(_cut(word.parts), word.loose))
    return tuple(hidden)


def _cut(parts: tuple[str | None, ...]) -> tuple[str | None, ...]:
    for number, part in enumerate(parts):
        for found in _NAMED.finditer(part or ""):
            if is_secret(found[1]):
                return (*parts[:number], (part or "")[: found.end()], None)
    return parts


def names_secret(text: str) -> bool:
    """Whether a text that nobody could take apart may hold the value of a secret, behind its name."""
    names = [found[1] for found in _NAMED.finditer(text)]
    names += [found[1] or found[2] for found in _FOLLOWED.finditer(text)]
    return any(map(is_secret, names))


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
