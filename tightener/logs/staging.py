"""What a format reads from and writes to: the temporary tables between a log file and the database, and Progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import duckdb

from tightener.logs.files import LogFile
from tightener.resources import query


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reading is."""

    files_done: int
    files_total: int
    records: int
    bytes_done: int
    bytes_total: int


class Format(Protocol):
    """One kind of log file."""

    @property
    def name(self) -> str:
        """What `--format` and log_file.format call it."""

    @property
    def source(self) -> str:
        """The kind of source that its records come from; native ids are unique inside it."""

    def recognises(self, head: bytes) -> bool:
        """Whether the decompressed beginning of a file (at most files.HEAD bytes) looks like this format."""

    def stage(self, con: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> None:
        """Read the files into the tables that `prepare` made: one row in staged_file for each of them."""


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary tables, empty: staged, staged_rejected, staged_not_use, staged_file (stage_tables.sql)."""
    con.execute(query("stage_tables"))
