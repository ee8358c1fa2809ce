"""What the tests of S3 share: one bucket, filled and read; and what a database holds, without addresses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from s3_server import Server

from tightener.logs.ingest import IngestReport, ingest
from tightener.logs.s3.source import Source

BUCKET = "acme-trail"
NOW = datetime(2026, 10, 1, tzinfo=UTC)
START = datetime(2026, 8, 1, tzinfo=UTC)


def run(con: duckdb.DuckDBPyConnection, *sources: Source) -> IngestReport:
    return ingest(con, (), now=NOW, formats={}, progress=lambda _: None, sources=sources or (Source(BUCKET),))


def from_folder(con: duckdb.DuckDBPyConnection, folder: Path) -> IngestReport:
    return ingest(con, [str(folder)], now=NOW, formats={}, progress=lambda _: None)


def put(server: Server, files: dict[str, bytes], folder: Path | None = None) -> None:
    """The files into the bucket, and into a folder."""
    for key, body in files.items():
        server.put(BUCKET, key, body)
        if folder:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(body)


def content(con: duckdb.DuckDBPyConnection, root: str) -> dict[str, list[tuple[Any, ...]]]:
    """All tables but the ledger's load times and what is remembered of places; addresses without their root."""
    names = [
        name
        for (name,) in con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND table_name NOT IN ('meta', 'log_file')"
        ).fetchall()
    ]
    ledger = "SELECT * EXCLUDE (read_at) REPLACE (replace(uri, ?, '') AS uri) FROM log_file ORDER BY id"
    found = {name: con.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in names}
    return {**found, "log_file": con.execute(ledger, [root]).fetchall()}


def objects(con: duckdb.DuckDBPyConnection) -> int:
    """How many the ledger has."""
    return con.execute("SELECT count(*) FROM log_file").fetchone()[0]


def unread(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return con.execute("SELECT * FROM unread ORDER BY ALL").fetchall()
