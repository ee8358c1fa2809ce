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
import pyarrow as pa

from tightener.logs.files import LIMIT, LogFile
from tightener.logs.formats import lines
from tightener.resources import query

_STEP = 1 << 13
_PIECE = 1 << 20  # a whole number of steps
_FEW = 50  # one doubtful line in so many: from there on a file is quicker read as text
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class _Breaks:
    """How many line breaks a file has up to the end of each step of `_STEP` bytes, and its lines."""

    until: tuple[int, ...]
    lines: int


@dataclass(frozen=True, slots=True)
class Whole:
    """What was read of one file: its plain lines, and the numbers of those to be read again as text."""

    plain: int
    doubtful: tuple[int, ...]
    breaks: _Breaks


def read(con: duckdb.DuckDBPyConnection, source: str, files: Sequence[LogFile]) -> dict[int, Whole]:
    """Fill `staged_line` and `staged_line_file` with the files that can be read so: file id -> what was read.

    Must not be called inside a transaction, because what DuckDB fails on ends one. Raises OSError.
    """
    fit = [f for f in files if not f.compression and f.size <= LIMIT and not glob.has_magic(f.path)]
    if not fit:
        return {}
    con.execute(query("stage_gateway_macros"))
    with ThreadPoolExecutor(1) as pool:
        counted = pool.map(_breaks, [file.path for file in fit])
        try:
            con.execute(query("stage_gateway_read"), {"paths": [file.path for file in fit]})
        except duckdb.Error:  # a line that is too long, a file that changes meanwhile: text shows which
            return {}
        every = list(counted)
    found: dict[int, Whole] = {}
    rows: list[tuple[int, int, int, str]] = []
    for index, first, count, plain, doubtful in con.execute(query("stage_gateway_whole")).fetchall():
        file, breaks = fit[index], every[index]
        if breaks.lines == count and len(doubtful) * _FEW <= count:
            found[file.id] = Whole(plain, tuple(doubtful), breaks)
            rows.append((index, file.id, first, source))
    if rows:
        con.executemany("INSERT INTO staged_line_file VALUES (?, ?, ?, ?)", rows)
    return found


def doubtful(file: LogFile, whole: Whole) -> Iterator[pa.RecordBatch]:
    """The doubtful lines of a file as batches of lines.SCHEMA."""
    for start in range(0, len(whole.doubtful), _BATCH):
        numbers = whole.doubtful[start : start + _BATCH]
        yield lines.batch(file.id, pa.array(numbers, pa.int64()), pa.array(_texts(file.path, whole.breaks, numbers)))


def _breaks(path: str) -> _Breaks:
    until: list[int] = []
    seen = 0
    last = b"\n"
    with Path(path).open("rb") as file:
        while piece := file.read(_PIECE):
            for start in range(0, len(piece), _STEP):
                seen += piece.count(b"\n", start, start + _STEP)
                until.append(seen)
            last = piece[-1:]
    return _Breaks(tuple(until), seen + (last != b"\n"))


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
