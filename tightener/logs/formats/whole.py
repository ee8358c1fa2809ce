"""Gateway logs that DuckDB reads by itself, on all cores: uncompressed files, nearly all of whose lines are plain.

A line is known by its place in the table, so that no line has to be numbered on the way (numbering would keep DuckDB to
one core). Whatever is not exactly so (a blank line, a line that only its text explains) goes the way of text.
"""

from __future__ import annotations

import glob
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from tightener.logs.files import LogFile
from tightener.logs.formats import lines
from tightener.logs.staging import LINE
from tightener.resources import query
from tightener.services.outcomes import error_class_sql

_STEP = 1 << 15
_PIECE = 1 << 20  # a whole number of steps
_FEW = 50  # one doubtful line in so many: from there on a file is quicker read as text
_BATCH = 10_000
_GREAT = 512 << 20  # bytes: the lines of a larger file are not held in memory, but where DuckDB may spill them
_BREAK = ord("\n")


@dataclass(frozen=True, slots=True)
class _Breaks:
    """How many line breaks a file has up to the end of each step of `_STEP` bytes, and its lines."""

    until: tuple[int, ...]
    lines: int


@dataclass(frozen=True, slots=True)
class Whole:
    """What was read of one file: how many plain lines and calls, and which lines have to be read again as text."""

    sound: int
    doubtful: tuple[int, ...]
    breaks: _Breaks


def read(con: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> dict[int, Whole]:
    """Register the lines of the files that can be read so as `staged_line`: file id -> what was read.

    Must not be called inside a transaction, because what DuckDB fails on ends one. Raises OSError.
    """
    fit = [f for f in files if not f.compression and f.size <= f.limit and not glob.has_magic(f.path)]
    if not fit:
        return {}
    macros(con)
    con.execute("SET preserve_insertion_order = true")  # a line's number is its place
    if len(fit) == 1 and fit[0].size > _GREAT:
        return _great(con, fit[0])
    with ThreadPoolExecutor(1) as pool:
        counted = pool.map(_breaks, [file.path for file in fit])
        try:
            paths = [file.path for file in fit]
            table = con.sql(query("stage_gateway_read"), params={"paths": paths}).to_arrow_table()
        except (duckdb.InvalidInputException, duckdb.IOException):
            return {}  # a line that is too long, a file that changes meanwhile: the way of text shows which
        breaks = list(counted)
    index = table["file_index"].to_numpy().astype(np.int64)
    first = np.searchsorted(index, np.arange(len(fit) + 1))
    if np.any(np.diff(index) < 0):  # not in the order of the files
        return {}
    place = np.arange(len(index)) - first[index] + 1
    sound = table["sound"].to_numpy()
    found: dict[int, Whole] = {}
    for number, file in enumerate(fit):
        part = slice(first[number], first[number + 1])
        lines_read, doubts = part.stop - part.start, place[part][~sound[part]].tolist()
        if breaks[number].lines == lines_read > 0 and len(doubts) * _FEW <= lines_read:
            found[file.id] = Whole(int(lines_read) - len(doubts), tuple(doubts), breaks[number])
    ids = np.array([file.id for file in fit], np.int32)[index]
    table = table.append_column("file_id", pa.array(ids)).append_column("position", pa.array(place))
    if len(found) < len(fit):
        table = table.filter(pa.array(np.isin(ids, list(found))))
    _runs(con, table)
    con.register("staged_line", table.select(LINE.names).cast(LINE))
    return found


def _great(con: duckdb.DuckDBPyConnection, file: LogFile) -> dict[int, Whole]:
    """The same for one large file (in a batch of its own): its lines are a temporary table."""
    with ThreadPoolExecutor(1) as pool:
        counted = pool.submit(_breaks, file.path)
        try:
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE gw_great AS {query('stage_gateway_read')}", {"paths": [file.path]}
            )
        except (duckdb.InvalidInputException, duckdb.IOException):
            return {}
        breaks = counted.result()
    doubts = [n for (n,) in con.execute("SELECT rowid + 1 FROM gw_great WHERE NOT sound ORDER BY rowid").fetchall()]
    number, told = con.execute("SELECT count(*), count(on_behalf_of) FROM gw_great").fetchone() or (0, 0)
    if breaks.lines != number or not number or len(doubts) * _FEW > number:
        con.execute("DROP TABLE temp.gw_great")
        return {}
    if told:
        con.execute(f"CREATE TEMP VIEW gw_told AS SELECT *, {file.id} AS file_id FROM gw_great")  # noqa: S608 - a number
        con.execute(query("stage_gateway_run"))
        con.execute("DROP VIEW temp.gw_told")
    columns = ", ".join(name for name in LINE.names if name not in {"file_id", "position"})
    con.execute("DROP VIEW staged_line")
    rows = f"SELECT {columns}, {file.id} AS file_id, rowid + 1 AS position FROM gw_great"  # noqa: S608 - our own names
    con.execute(f"CREATE TEMP VIEW staged_line AS {rows}")
    return {file.id: Whole(number - len(doubts), tuple(doubts), breaks)}


def _runs(con: duckdb.DuckDBPyConnection, table: pa.Table) -> None:
    """Store what the runs were started for; most logs do not say it, and then nothing is grouped."""
    if table["on_behalf_of"].null_count < len(table):
        con.register("gw_told", table.select(["file_id", "sound", "agent", "session", "on_behalf_of"]))
        con.execute(query("stage_gateway_run"))
        con.unregister("gw_told")


def macros(con: duckdb.DuckDBPyConnection) -> None:
    """Define what both ways of reading a gateway's lines have in common."""
    con.execute(f"CREATE OR REPLACE TEMP MACRO gw_failed(code) AS {error_class_sql('code')}")
    con.execute(query("stage_gateway_macros"))


def doubtful(file: LogFile, whole: Whole) -> Iterator[pa.RecordBatch]:
    """The doubtful lines of a file as batches of lines.SCHEMA."""
    for start in range(0, len(whole.doubtful), _BATCH):
        numbers = whole.doubtful[start : start + _BATCH]
        yield lines.batch(file.id, pa.array(numbers, pa.int64()), pa.array(_texts(file.path, whole.breaks, numbers)))


def _breaks(path: str) -> _Breaks:
    until: list[int] = []
    seen = 0
    piece = bytearray(_PIECE)
    text, broken = np.frombuffer(piece, np.uint8), np.empty(_PIECE, np.bool_)  # used again: the file may be large
    last = _BREAK
    with Path(path).open("rb") as file:
        while size := file.readinto(piece):
            np.equal(text, _BREAK, out=broken)
            for start in range(0, size, _STEP):
                seen += int(np.count_nonzero(broken[start : min(start + _STEP, size)]))
                until.append(seen)
            last = piece[size - 1]
    return _Breaks(tuple(until), seen + (last != _BREAK))


def _texts(path: str, breaks: _Breaks, numbers: Sequence[int]) -> Iterator[str]:
    with Path(path).open("rb") as file:
        for number in numbers:
            start = 0
            if number > 1:  # it begins behind this many line breaks
                step = bisect_left(breaks.until, number - 1)
                file.seek(step * _STEP)
                start = step * _STEP + _behind(file.read(_STEP), number - 1 - (breaks.until[step - 1] if step else 0))
            file.seek(start)
            line = file.readline(lines.LONGEST + 1)
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if len(line) > lines.LONGEST:
                line = lines.UNREADABLE
            yield lines.text(line)


def _behind(step: bytes, breaks: int) -> int:
    at = -1
    for _ in range(breaks):
        at = step.index(b"\n", at + 1)
    return at + 1
