"""What a format reads from and writes to: the temporary tables between a log file and the database, and Progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import duckdb
import pyarrow as pa

from tightener.logs.files import LogFile
from tightener.resources import query

# One line of a gateway log as DuckDB has read it (stage_gateway_read.sql), with its file and its number.
_TEXTS = (
    *("id", "agent", "session", "service", "action", "resource", "branch", "args", "decision", "request_id", "class"),
)
LINE = pa.schema(
    [
        *[("plain", pa.bool_()), ("call", pa.bool_()), ("moment", pa.timestamp("us"))],
        *[(name, pa.string()) for name in _TEXTS],
        *[("approved_at", pa.timestamp("us")), ("file_id", pa.int32()), ("position", pa.int64())],
    ]
)

# The requests of the calls of tools (staged_call): the columns of event.
_NAMED = ("native_id", "time", "agent", "principal", "session", "service", "action", "resource", "branch", "partial")
REQUEST = pa.schema(
    [
        *[("file_id", pa.int32()), ("position", pa.int64()), ("part", pa.uint16()), ("source", pa.string())],
        *[(name, pa.timestamp("us") if name == "time" else pa.string()) for name in _NAMED],
        *[("outcome", pa.string()), ("decision", pa.string()), ("approved_at", pa.timestamp("us"))],
        *[("request_id", pa.string()), ("indirect", pa.bool_()), ("suspicious", pa.bool_()), ("mapped", pa.bool_())],
        ("identity", pa.int32()),
    ]
)

# The requests of CloudTrail's records (staged_trail): what differs from one to the next (stage_cloudtrail_event.sql).
TRAIL = pa.schema(
    [
        *[("file_id", pa.int32()), ("position", pa.int64()), ("part", pa.uint16()), ("native_id", pa.string())],
        ("time", pa.timestamp("us")),
        *[(name, pa.string()) for name in ("principal", "session", "action", "resource")],
        *[("vague", pa.bool_()), ("outcome", pa.string()), ("request_id", pa.string())],
        *[("indirect", pa.bool_()), ("mapped", pa.bool_()), ("identity", pa.int32()), ("plain", pa.bool_())],
    ]
)


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
    """Make the temporary tables, empty: staged_line, staged_trail, staged_call, and those of stage_tables.sql."""
    con.execute("DROP VIEW IF EXISTS staged_request")
    con.execute("DROP VIEW IF EXISTS staged_line")  # of a large gateway log it is no Arrow table (formats/whole.py)
    con.execute("DROP TABLE IF EXISTS temp.gw_great")
    con.register("staged_line", LINE.empty_table())
    con.register("staged_trail", TRAIL.empty_table())
    con.register("staged_call", REQUEST.empty_table())
    con.execute(query("stage_tables"))
