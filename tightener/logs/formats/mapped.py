"""Reads the files that a field map describes: record -> version 1 gateway line -> the gateway's own reader."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from tightener.logs.files import LogFile, read_pieces
from tightener.logs.formats import lines
from tightener.logs.formats.gateway import canonical_id, stage_lines
from tightener.logs.formats.mapping import UNITS, FieldMap, Notes, Source
from tightener.logs.formats.routes import Router, path_of
from tightener.logs.redact import number_text
from tightener.services.tool_kinds import NO_TOOLS, Tools

_BATCH = 20_000  # records handed to DuckDB at a time
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = (
    *("agent", "session", "on_behalf_of", "request_id", "error_code", "service", "action", "resource", "branch"),
    *("decision", "outcome"),
)
_MISSING = object()


class UnreadableError(Exception):
    """One record that cannot be translated: why."""


class Mapped:
    """A field map as a format."""

    def __init__(
        self, field_map: FieldMap, notes: Notes | None = None, most: int | None = None, tools: Tools = NO_TOOLS
    ) -> None:
        self._map = field_map
        self._tools = tools
        self._notes = notes or Notes()
        self._most = most
        self._router = Router(field_map.routes)

    @property
    def name(self) -> str:
        """The key under `formats:`."""
        return self._map.name

    @property
    def source(self) -> str:
        """The same: native ids of one foreign log are its own."""
        return self._map.name

    def recognises(self, head: bytes) -> bool:
        """Whether one of the first records has all of time, agent and decision where the map says."""
        paths = [one.path for key in ("time", "agent", "decision") if (one := self._map.fields[key]).path]
        whole = head.rpartition(b"\n")[0] or head
        for _, record in self._records(iter([whole])):
            if isinstance(record, dict) and all(pick(record, path) not in (_MISSING, None) for path in paths):
                return True
        return False

    def stage(self, con: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> None:
        """Read the files into the tables of logs/staging.py. Raises OSError where a file cannot be read."""
        problems = {file.id: "" for file in files}
        bad: list[tuple[int, int, str]] = []
        counted = stage_lines(con, self.source, self._batches(files, problems, bad), self._tools)
        if bad:
            numbers, positions, reasons = (list(column) for column in zip(*bad, strict=True))
            con.execute(
                "INSERT INTO staged_rejected SELECT unnest(?), unnest(?), unnest(?), NULL",
                [numbers, positions, reasons],
            )
        for file in files:
            records = counted.get(file.id, 0) + sum(number == file.id for number, _, _ in bad)
            con.execute("INSERT INTO staged_file VALUES (?, ?, ?)", [file.id, records, problems[file.id]])

    def _batches(
        self, files: Sequence[LogFile], problems: dict[int, str], bad: list[tuple[int, int, str]]
    ) -> Iterator[pa.RecordBatch]:
        for file in files:
            held: list[tuple[int, bool, str]] = []
            pieces = read_pieces(file, partial(problems.__setitem__, file.id))
            for position, record in self._records(pieces):
                if self._most is not None and self._notes.records >= self._most:
                    break
                self._notes.records += 1
                try:
                    mapped, line = self.translate(record)
                    held.append((position, mapped, line))
                except UnreadableError as error:
                    bad.append((file.id, position, str(error)))
                if len(held) >= _BATCH:
                    yield _batch(file.id, held)
                    held = []
            if held:
                yield _batch(file.id, held)

    def _records(self, pieces: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
        """Every record with its position; what is none is a text that says why."""
        if self._map.kind == "csv":
            yield from _csv_records(pieces)
            return
        position = 0
        for block in lines.blocks(pieces):
            for line in block.split(b"\n"):
                position += 1
                if line.strip():
                    try:
                        record = orjson.loads(line)
                    except orjson.JSONDecodeError:
                        record = "not a JSON object"
                    yield position, record if isinstance(record, dict) else "not a JSON object"

    def translate(self, record: Any) -> tuple[bool, str]:
        """(whether a route or the map names the action, version 1 line) of one record. Raises UnreadableError."""
        if not isinstance(record, dict):
            raise UnreadableError(record)
        fields = self._map.fields
        if self._most is not None:  # a try-out: what is there, whether it can be read or not
            present = (key for key, one in fields.items() if pick(record, one.path) not in (_MISSING, None))
            self._notes.found.update(present)
        line: dict[str, Any] = {"v": 1}
        for key in _PLAIN:
            if key in fields and (value := self._value(key, fields[key], record)) is not None:
                line[key] = _as_text(value)
        native = self._value("id", fields["id"], record) if "id" in fields else None
        line["id"] = canonical_id(orjson.dumps(record)) if native in (None, "") else _as_text(native)
        line["time"] = self._time("time", record)
        if "args" in fields and (args := self._value("args", fields["args"], record)) is not None:
            line["args"] = args
        if "approval" in fields and (state := self._value("approval", fields["approval"], record)) is not None:
            line["approval"] = {"state": state, "at": self._time("approval_at", record)}
        if "enforced" in fields and (enforced := self._value("enforced", fields["enforced"], record)) is not None:
            line["enforced"] = enforced
        mapped = self._route(record, line)
        return mapped, orjson.dumps({key: value for key, value in line.items() if value is not None}).decode()

    def _route(self, record: dict[str, Any], line: dict[str, Any]) -> bool:
        if not self._map.routes:
            return True
        fields = self._map.fields
        url = self._value("url", fields["url"], record)
        if url is None:  # a call that is no HTTP request: only the fields say what it is
            return True
        method = self._value("method", fields["method"], record) if "method" in fields else "*"
        found = self._router.match(str(method), str(url))
        if found is None:
            self._notes.unmatched[str(method), path_of(str(url))] += 1
            line["service"] = line.get("service") or self.name
            line["action"] = f"{method} {path_of(str(url))}"
            return False
        line.update(found)
        return True

    def _value(self, key: str, source: Source, record: dict[str, Any]) -> Any:
        """The field's value as version 1 means it; None where the record does not have it."""
        value = pick(record, source.path) if source.path else source.const
        if value is _MISSING or value is None:
            return None
        if source.values is None:
            return value
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        if text not in source.values:
            self._notes.outside[key, text] += 1
            raise UnreadableError(f"{key}: the format {self.name} gives no meaning to {text[:80]!r}")
        return source.values[text]

    def _time(self, key: str, record: dict[str, Any]) -> Any:
        source = self._map.fields.get(key)
        value = self._value(key, source, record) if source else None
        if source is None or value is None or not source.unit:
            return value
        try:
            micro = _micro(value, source.unit)
            return (_EPOCH + timedelta(microseconds=micro)).isoformat()
        except (ValueError, OverflowError, TypeError) as error:
            raise UnreadableError(f"{key}: {str(value)[:80]!r} is no time in {source.unit}") from error


def pick(record: Any, path: str) -> Any:
    """What stands under `a.b.0`: a key that holds dots itself is taken first. `_MISSING` where nothing does."""
    if isinstance(record, dict):
        if path in record:
            return record[path]
        first, dot, rest = path.partition(".")
        return pick(record[first], rest) if dot and first in record else _MISSING
    if isinstance(record, list):
        first, dot, rest = path.partition(".")
        if first.isdigit() and int(first) < len(record):
            return pick(record[int(first)], rest) if dot else record[int(first)]
    return _MISSING


def _micro(value: Any, unit: str) -> int:
    """An epoch number, or its text, in microseconds."""
    if isinstance(value, bool):
        raise TypeError(unit)
    if isinstance(value, str) and value.strip().lstrip("-").isdigit():
        value = int(value)
    if unit == "ns":
        return int(value) // 1000
    return value * UNITS[unit] if isinstance(value, int) else round(float(value) * UNITS[unit])


def _as_text(value: Any) -> Any:
    """Numbers and booleans as texts, which foreign logs use for ids; objects and lists stay, and are rejected."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(str(value)) if isinstance(value, (int, float)) else value


def _csv_records(pieces: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    """The rows under the heading, as dicts; empty cells are absent. Position: the line on which the row ends."""
    reader = csv.reader(_text_lines(pieces))
    try:
        heading = next(reader, None)
    except csv.Error:
        heading = None
    if heading is None:
        return
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield reader.line_num, f"not a CSV row: {error}"
            continue
        if row is None:
            return
        if not row:
            continue
        if len(row) != len(heading):
            yield reader.line_num, f"{len(row)} cells under a heading of {len(heading)}"
        else:
            yield reader.line_num, {name: cell for name, cell in zip(heading, row, strict=True) if cell}


def _text_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    for block in lines.blocks(pieces):
        yield from io.StringIO(block.decode("utf-8", "replace") + "\n", newline="")


def _batch(file_id: int, held: Sequence[tuple[int, bool, str]]) -> pa.RecordBatch:
    positions, mapped, texts = zip(*held, strict=True)
    columns = ([file_id] * len(held), positions, mapped, texts)
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, lines.SCHEMA, strict=True)]
    return pa.record_batch(arrays, schema=lines.SCHEMA)
