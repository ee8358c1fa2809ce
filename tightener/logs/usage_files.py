"""Usage as Parquet files beside the database, one a day: what was done, and how often.

They are made from the database and can be made again at any time: equal events give equal bytes. Which days are out of
date is written with the events, in one transaction, so that a run that was killed leaves nothing stale for good.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb

from tightener.errors import LogError, Place
from tightener.resources import query

NAME = "usage.parquet"
_ROWS = 1_000_000  # events that are rolled up together
_ROW_GROUP = 122_880


def folder(con: duckdb.DuckDBPyConnection) -> Path | None:
    """Where a database's files are: `usage` beside tightener.duckdb, `NAME-usage` beside NAME; None = in memory."""
    row = con.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()").fetchone()
    if row is None or not row[0] or row[0] == ":memory:":
        return None
    path = Path(row[0])
    return path.with_name("usage" if path.stem == "tightener" else f"{path.stem}-usage")


def refresh(con: duckdb.DuckDBPyConnection) -> int:
    """Write anew the files of the days that are out of date, and no others; the number of these days.

    Raises LogError where a file cannot be written.
    """
    place = folder(con)
    if place is None:
        return 0
    if not place.exists():
        con.execute("INSERT INTO stale_day SELECT DISTINCT CAST(time AS DATE) FROM logged")
    if con.execute("SELECT 1 FROM stale_day LIMIT 1").fetchone() is None:
        return 0
    days = con.execute(query("usage_days")).fetchall()
    with _private():
        for chunk in chunks(days):
            _roll_up(con, chunk)
            for day in chunk:
                try:
                    _write(con, place / f"day={day}", day)
                except (OSError, duckdb.IOException) as error:
                    raise LogError(
                        f"the usage of {day} cannot be written: {error}",
                        slug="usage-unwritable",
                        place=Place(str(place)),
                        hint="what was read is kept; the next `tightener ingest` writes what is missing",
                    ) from error
            con.execute("DELETE FROM stale_day WHERE day IN (SELECT day FROM usage_day)")
    return len(days)


def chunks(days: Sequence[tuple[date, int]]) -> Iterator[list[date]]:
    """Days (each with its events), as many together as are rolled up in one go."""
    chunk: list[date] = []
    total = 0
    for day, rows in days:
        if chunk and total + rows > _ROWS:
            yield chunk
            chunk, total = [], 0
        chunk.append(day)
        total += rows
    if chunk:
        yield chunk


def about(con: duckdb.DuckDBPyConnection, days: Sequence[date]) -> dict[str, datetime]:
    """Make the temp table `usage_day`, and `settled_witness` where there is none; the bounds of these days."""
    con.execute("CREATE OR REPLACE TEMP TABLE usage_day AS SELECT unnest(?::DATE[]) AS day", [list(days)])
    con.execute(
        "CREATE TEMP TABLE IF NOT EXISTS settled_witness "
        "(file_id INTEGER, position BIGINT, part USMALLINT, agent VARCHAR)"
    )
    return {
        "first": datetime.combine(min(days), time()),
        "after": datetime.combine(max(days) + timedelta(days=1), time()),
    }


def _roll_up(con: duckdb.DuckDBPyConnection, days: Sequence[date]) -> None:
    """Make the temp table `usage_file` of these days: of their events, and of what is kept of dropped ones."""
    bounds = about(con, days)
    text = f"WITH event AS ({query('usage_input')})\n{query('usage')}"
    con.execute(f"CREATE OR REPLACE TEMP TABLE usage_rows AS {text}", bounds)
    if con.execute("SELECT 1 FROM pruned_day SEMI JOIN usage_day USING (day) LIMIT 1").fetchone():
        con.execute("CREATE OR REPLACE TEMP TABLE usage_part AS FROM usage_rows")
        con.execute(
            "INSERT INTO usage_part SELECT * EXCLUDE (run_low, run_high, bursts, longest)"
            " FROM pruned_usage SEMI JOIN usage_day USING (day)"
        )
        con.execute(f"CREATE OR REPLACE TEMP TABLE usage_rows AS {query('usage_merge')}")
    con.execute(query("usage_file"))
    for table in ("usage_rows", "usage_part"):
        con.execute(f"DROP TABLE IF EXISTS temp.{table}")


def _write(con: duckdb.DuckDBPyConnection, place: Path, day: date) -> None:
    """One day's file, whole or as it was; none where nothing is left of the day."""
    file = place / NAME
    if con.execute("SELECT 1 FROM usage_file WHERE day = ? LIMIT 1", [day]).fetchone() is None:
        file.unlink(missing_ok=True)
        if place.exists() and not any(place.iterdir()):
            place.rmdir()
        return
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = place / f".{NAME}.part"
    con.execute("SET VARIABLE usage_day = ?::DATE", [day])
    con.table("usage_file").filter("day = getvariable('usage_day')").project("* EXCLUDE (day)").write_parquet(
        str(part), compression="zstd", row_group_size=_ROW_GROUP
    )
    part.replace(file)


@contextmanager
def _private() -> Iterator[None]:
    """DuckDB makes its files with the umask's permissions."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
