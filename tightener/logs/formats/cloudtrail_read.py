"""CloudTrail's files -> one Arrow table of their records, with what is wrong with them.

Texts of about a megabyte go through one json_transform in DuckDB; what is not laid out the regular way goes record by
record through cloudtrail_text.exact. An Arrow table takes less to write than one of DuckDB's, and is read by all cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import duckdb
import numpy as np
import pyarrow as pa

from tightener.logs.files import LogFile, read_pieces
from tightener.logs.formats.cloudtrail_text import IrregularError, Text, exact, lists, rest
from tightener.resources import query

_BATCH = 1 << 20  # bytes of JSON handed to DuckDB at a time, at least
_PIECE = 16 << 20  # bytes that are inflated at a time: nearly always the whole file
ROWS = 8192  # of the table that come in one piece: what DuckDB gives one core at a time

_TEXT = pa.schema(
    [
        ("file_id", pa.int32()),
        ("chunk", pa.int64()),
        ("position", pa.int64()),
        ("native_id", pa.string()),
        ("doc", pa.string()),
    ]
)
_Row = tuple[int, int, int | None, str | None, Text]


@dataclass(frozen=True, slots=True)
class Records:
    """What some files hold: `table`, the columns of stage_cloudtrail_record.sql, with `position` known and every row
    numbered (`record`); what was wrong with each file ('' = nothing); broken records as (file, position, reason).
    """

    table: pa.Table
    problems: dict[int, str]
    bad: list[tuple[int, int, str]]


def read(con: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> Records:
    """Read the files' records; `con` has ct_event_type and the macros of stage_cloudtrail_refusal.sql.

    Raises OSError where a file cannot be read.
    """
    reading = _Reading(files)
    table = _transformed(con, reading, reading.regular_rows())
    # Texts that are not JSON, and records that need the hash of their own text, send their file the exact way.
    numbers = table["file_id"].to_numpy()
    reading.irregular.update(np.unique(numbers[table["native_id"].is_null().to_numpy()]).tolist())
    table = table.set_column(table.schema.get_field_index("position"), "position", pa.array(_places(table)))
    if reading.irregular or reading.tails:
        regular = table.filter(pa.array(~np.isin(numbers, list(reading.irregular))))
        before = {file: int(np.count_nonzero(numbers == file)) for file in reading.tails}
        table = pa.concat_tables([regular, _transformed(con, reading, reading.exact_rows(before))])
    table = table.append_column("record", pa.array(np.arange(len(table), dtype=np.int64)))
    return Records(table, reading.problems, reading.bad)


def _transformed(con: duckdb.DuckDBPyConnection, reading: _Reading, source: Iterator[_Row]) -> pa.Table:
    con.register("ct_text", pa.RecordBatchReader.from_batches(_TEXT, reading.batches(source)))
    try:
        return con.sql(query("stage_cloudtrail_record")).to_arrow_table(batch_size=ROWS)
    except duckdb.Error as error:
        if reading.unopened is None:
            raise
        raise reading.unopened from error
    finally:
        con.unregister("ct_text")


def _places(table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The number of each record in its file, in whatever order the records come: by their chunks' lengths."""
    chunk = (table["file_id"].to_numpy().astype(np.int64) << 32) | table["chunk"].to_numpy()
    every, which, lengths = np.unique(chunk, return_inverse=True, return_counts=True)
    before = np.cumsum(lengths) - lengths
    first = np.searchsorted(every >> 32, every >> 32)  # the first chunk of the same file
    places: np.ndarray[tuple[int], np.dtype[np.int64]] = (before - before[first])[which] + table["idx"].to_numpy()
    return places


class _Reading:
    """One pass over some files: the regular texts on the way to DuckDB, and what has to be read again exactly."""

    def __init__(self, files: Sequence[LogFile]) -> None:
        self.files = files
        self.problems: dict[int, str] = {file.id: "" for file in files}
        self.irregular: set[int] = set()
        self.tails: dict[int, bytes] = {}  # of files that were cut short: what comes behind the regular lists
        self.bad: list[tuple[int, int, str]] = []  # file, position, reason
        self.unopened: OSError | None = None  # DuckDB hands on no more of it than its text

    def _note(self, file: LogFile, problem: str) -> None:
        known = self.problems[file.id]
        if problem not in known:  # a file that is read twice has its problem twice
            self.problems[file.id] = f"{known}; {problem}" if known else problem

    def _pieces(self, file: LogFile) -> Iterator[bytes]:
        try:
            yield from read_pieces(file, lambda problem: self._note(file, problem), piece=_PIECE)
        except OSError as error:
            self.unopened = error
            raise

    def _regular(self, file: LogFile) -> Iterator[_Row]:
        try:
            for chunk, doc in enumerate(lists(self._pieces(file))):
                yield file.id, chunk, None, None, doc
        except IrregularError as error:
            if error.tail is None:
                self.irregular.add(file.id)
            else:
                self.tails[file.id] = error.tail

    def regular_rows(self) -> Iterator[_Row]:
        """The texts of all files in order."""
        for file in self.files:
            yield from self._regular(file)

    def exact_rows(self, before: Mapping[int, int]) -> Iterator[_Row]:
        """The records of what is not regular, one text each; broken ones go to `bad`.

        `before`: how many records a file with a tail has before it.
        """
        for file in self.files:
            if file.id in self.irregular:
                found = exact(b"".join(self._pieces(file)))
            elif file.id in self.tails:
                found = rest(self.tails[file.id], before[file.id])
            else:
                continue
            if found.problem:
                self._note(file, found.problem)
            self.bad.extend((file.id, position, reason) for position, reason in found.bad)
            for record in found.records:
                yield file.id, record.position, record.position, record.native_id, record.text

    def batches(self, source: Iterator[_Row]) -> Iterator[pa.RecordBatch]:
        """Rows as Arrow batches of about `_BATCH` bytes; that they are UTF-8 is for the JSON reader to see."""
        held: list[_Row] = []
        size = 0
        for row in source:
            held.append(row)
            size += len(row[4])
            if size >= _BATCH:
                yield _batch(held)
                held, size = [], 0
        if held:
            yield _batch(held)


def _batch(held: Sequence[_Row]) -> pa.RecordBatch:
    """Rows as one batch; the text of a single one, as nearly all are, is not copied."""
    columns = list(zip(*held, strict=True))
    docs = columns.pop()
    ends = pa.array([0, *accumulate(map(len, docs))], pa.int32()).buffers()[1]
    text = pa.StringArray.from_buffers(len(docs), ends, pa.py_buffer(docs[0] if len(docs) == 1 else b"".join(docs)))
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, _TEXT, strict=False)]
    return pa.record_batch([*arrays, text], schema=_TEXT)
