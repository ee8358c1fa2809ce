"""CloudTrail's carriers cut into lists of whole records, without looking into the records.

The regular way cuts where one record ends and the next begins with the same first key: that text cannot stand inside a
JSON string (its quotes would be escaped), and a cut inside a nested list leaves brackets open, which the JSON reader
notices. Whatever is not regular is read again record by record in `exact`, slowly and exactly.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

CHUNK = 2 << 20
_HEAD = 1 << 16
_LONGEST_WALK = 4 << 20
_OPEN = re.compile(rb'\s*(\{\s*"Records"\s*:\s*)?\[\s*')
_CLOSE_OBJECT = re.compile(rb"\s*\]\s*\}\s*")
_CLOSE_ARRAY = re.compile(rb"\s*\]\s*")
_FIRST_KEY = re.compile(rb'\s*\{\s*"([^"\\]+)"')
# What may follow a whole record: the end, or another value of the list - not a key, which goes on inside an object.
_FOLLOWS = re.compile(rb'\s*(?:\]|$|,?\s*(?:[^\s",:]|"(?:[^"\\]|\\.)*"\s*[,\]]))', re.DOTALL)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}]', re.DOTALL)
_WORD = re.compile(rb'\[\s*\]|"(?:[^"\\]|\\.)*"|[^\s,\[\]{}"]+', re.DOTALL)

Text = bytes | memoryview


class IrregularError(ValueError):
    """The text is not laid out the regular way (or not JSON): read it with `exact`.

    `tail`: only this end of it is so, behind lists that were given (a file that was cut short); None = all of it.
    """

    tail: bytes | None = None


@dataclass(frozen=True, slots=True)
class ExactRecord:
    """One record found by `exact`: its 1-based number, its own id or the hash of its canonical form, its JSON."""

    position: int
    native_id: str
    text: bytes


@dataclass(slots=True)
class Exact:
    """What `exact` found: good records, broken ones as (position, reason), and what is wrong with the file ('')."""

    records: list[ExactRecord] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    problem: str = ""
    before: int = 0

    @property
    def position(self) -> int:
        """Of the next record."""
        return self.before + len(self.records) + len(self.bad) + 1

    def add(self, value: Any) -> None:
        """Take one JSON value: a record, a wrapper of one (EventBridge), or a carrier of several."""
        if isinstance(value, dict) and isinstance(value.get("Records"), list):
            for inner in value["Records"]:
                self.add(inner)
            return
        if isinstance(value, dict) and isinstance(value.get("detail"), dict):
            value = value["detail"]
        if not isinstance(value, dict):
            self.refuse("not a JSON object")
            return
        own = value.get("eventID")
        if own is not None and not isinstance(own, str):
            own = orjson.dumps(own).decode()  # as DuckDB tells it
        if not own:
            own = "sha256:" + hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
        self.records.append(ExactRecord(self.position, own, orjson.dumps(value)))

    def refuse(self, reason: str) -> None:
        """Count one record that cannot be read."""
        self.bad.append((self.position, reason))


def _beginning(key: bytes) -> bytes:
    return rb'\{\s*"' + re.escape(key) + rb'"'


def separator(key: bytes) -> re.Pattern[bytes]:
    """Where one record ends and the next one, with this first key, begins."""
    return re.compile(rb"\}\s*,?\s*(?=" + _beginning(key) + rb")")


def lists(pieces: Iterator[bytes]) -> Iterator[Text]:
    """Whole records with commas between them, about `CHUNK` bytes, from a file's decompressed bytes in pieces.

    A file in one piece is not copied. Raises IrregularError, also after some lists, when the text is
    not regular. Memory: the longest record, a piece or a chunk.
    """
    whole = next(pieces, b"")
    buffer = whole if len(whole) >= _HEAD else bytearray(whole)
    while len(buffer) < _HEAD and (piece := next(pieces, b"")):
        buffer += piece
    if buffer.find(b'"detail-type"', 0, CHUNK) >= 0:
        raise IrregularError("wrapped events")
    opening = _OPEN.match(buffer)
    if opening is None:
        yield from _lines(bytearray(buffer), pieces)
        return
    start, close = opening.end(), _CLOSE_OBJECT if opening[1] else _CLOSE_ARRAY
    del opening  # a match keeps the buffer from being cut
    yield from _cut(buffer, start, pieces, close)


def _cut(buffer: bytes | bytearray, start: int, pieces: Iterator[bytes], close: re.Pattern[bytes]) -> Iterator[Text]:
    match = _FIRST_KEY.match(buffer, start)
    split = separator(match[1]) if match else None
    del match
    searched, given = 0, False
    while True:
        while split is not None and len(buffer) - start > CHUNK:
            found = split.search(buffer, max(searched, start + CHUNK // 2))
            if found is None:
                searched = max(start, len(buffer) - 4096)
                break
            end, following = found.start() + 1, found.end()
            del found
            yield _part(buffer, start, end)
            start, given = following, True
        piece = next(pieces, b"")
        if not piece:
            break
        if isinstance(buffer, bytes):
            buffer = bytearray(memoryview(buffer)[start:])
        else:
            del buffer[:start]
        buffer += piece
        searched, start = max(0, searched - start), 0
    end = max(buffer.rfind(b"]", start), start)
    # The bracket that closes the records is the last one of the text; white space may stand before it.
    if close.fullmatch(buffer, end) is None:
        error = IrregularError("the records are not closed")
        tail = bytes(memoryview(buffer)[start:])
        if given and not tail.rstrip().endswith((b"}", b"]")):  # a whole text, with more in it than records, ends so
            error.tail = tail
        raise error
    if buffer[start:end].strip():
        yield _part(buffer, start, end)


def _part(buffer: bytes | bytearray, start: int, end: int) -> Text:
    if isinstance(buffer, bytes):
        return memoryview(buffer)[start:end]
    with memoryview(buffer) as view:  # or it could not be cut
        return bytes(view[start:end])


def _lines(buffer: bytearray, pieces: Iterator[bytes]) -> Iterator[Text]:
    """One record a line. A line break cannot stand inside a JSON string, so lines joined by commas are an array."""
    if not buffer.lstrip().startswith(b"{"):
        raise IrregularError("no JSON")
    while True:
        start = 0
        while len(buffer) - start > CHUNK:
            end = buffer.find(b"\n", start + CHUNK // 2)
            if end < 0:
                break
            yield bytes(buffer[start:end]).strip().replace(b"\n", b",")
            start = end + 1
        del buffer[:start]
        piece = next(pieces, b"")
        if not piece:
            break
        buffer += piece
    body = bytes(buffer).strip()
    if body:
        yield body.replace(b"\n", b",")


def rest(tail: bytes, before: int) -> Exact:
    """Every record of the end of a text that was cut short, behind `before` others."""
    found = Exact(before=before)
    _scan(tail, 0, found)
    return found


def exact(text: bytes) -> Exact:
    """Every record of a text that is not regular: broken ones are counted and named, the rest is kept."""
    found = Exact()
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    else:
        if isinstance(whole, dict) and not {"Records", "detail", "eventName", "eventSource"} & whole.keys():
            found.problem = "no CloudTrail records in it"
            return found
        for value in whole if isinstance(whole, list) else [whole]:
            found.add(value)
        return found
    opening = _OPEN.match(text)
    if opening is None and _by_line(text, found):
        return found
    _scan(text, opening.end() if opening else 0, found)
    return found


def _by_line(text: bytes, found: Exact) -> bool:
    """Read one record a line, if the first line that is not blank is a whole record."""
    lines = [line for line in text.split(b"\n") if line.strip()]
    if not lines or not _is_json(lines[0]):
        return False
    for line in lines:
        try:
            found.add(_value(line))
        except ValueError:
            found.refuse("not JSON")
    return True


def _value(text: bytes) -> Any:
    """One JSON value, as DuckDB takes it: with NaN, Infinity and numbers beyond a double. Raises ValueError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(text.decode())
            orjson.dumps(value)  # not with half of a surrogate pair
        except (TypeError, RecursionError) as error:
            raise ValueError(str(error)) from error
        return value


def _is_json(text: bytes) -> bool:
    try:
        _value(text)
    except ValueError:
        return False
    return True


def _end_of_object(text: bytes, start: int) -> int:
    """The index behind the brace that closes the one at `start`; 0 when it is not closed within reach."""
    depth = 0
    for token in _TOKEN.finditer(text, start, start + _LONGEST_WALK):
        if token[0] == b"{":
            depth += 1
        elif token[0] == b"}":
            depth -= 1
            if depth == 0:
                return token.end()
    return 0


def _scan(text: bytes, start: int, found: Exact) -> None:
    key = _FIRST_KEY.match(text, start)
    name = key[1] if key else b"eventVersion"
    split, beginning = separator(name), re.compile(_beginning(name))
    while True:
        brace = text.find(b"{", start)
        gap = text[start : brace if brace >= 0 else len(text)]
        for _ in _WORD.finditer(gap):
            found.refuse("not a JSON object")
        if brace < 0:
            return
        opening = _OPEN.match(text, brace)
        if opening:  # another carrier behind the first one
            start = opening.end()
            continue
        start = _take(text, brace, split, beginning, found)


def _take(text: bytes, brace: int, split: re.Pattern[bytes], beginning: re.Pattern[bytes], found: Exact) -> int:
    """Read the record that begins at `brace`, or refuse it; the index at which to go on."""
    following = split.search(text, brace + 1)
    for end in (following.start() + 1 if following else 0, _end_of_object(text, brace)):
        if end and _is_json(text[brace:end]):
            found.add(_value(text[brace:end]))
            return end
    # A broken record may lack its brace, so the next one is looked for by its beginning too. Where its braces do close
    # before that, in front of whatever follows in the list, it ends there: what follows may begin with another key.
    other = beginning.search(text, brace + 1)
    end = _end_of_object(text, brace)
    if end and (other is None or (end <= other.start() and _FOLLOWS.match(text, end))):
        found.refuse("not JSON")
        return end
    if other:
        found.refuse("not JSON")
        return other.start()
    # The last record has no end: it was cut off, which is a property of the file.
    found.problem = f"ends inside record {found.position:,}"
    return len(text)
