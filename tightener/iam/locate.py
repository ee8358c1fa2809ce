"""Where something stands in a JSON text: looked up only when a place is shown, so reading itself stays fast."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tightener.errors import Place

_BLANK = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def place(path: str, text: str, steps: Sequence[str | int]) -> Place:
    """The place of the value that keys and indexes lead to, or of the last one on the way that is there.

    In: a valid JSON text ('' where there is none, as for a live account: then the path alone). Raises nothing.
    """
    if not text:
        return Place(path)
    at = _skip(text, 0)
    for step in steps:
        found = _member(text, at, step)
        if found is None:
            break
        at = found
    return Place(path, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _member(text: str, at: int, step: str | int) -> int | None:
    """Where the member begins: the value of an object's key, or the item of a list. None when there is none."""
    if text[at : at + 1] != ("{" if isinstance(step, str) else "["):
        return None
    at = _skip(text, at + 1)
    number = 0
    while at < len(text) and text[at] not in "}]":
        name: object = number
        if isinstance(step, str):
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)  # over the colon
        if name == step:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        number += 1
    return None
