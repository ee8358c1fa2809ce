"""The DuckDB file that everything read is kept in."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from tightener.errors import LogError, Place
from tightener.logs.limits import Limits, settings
from tightener.resources import query

SCHEMA_VERSION = "5"
_HOLDER = re.compile(r"lock is held in (.+?) \(PID (\d+)\)")  # in DuckDB's words


def open(path: Path | None, limits: Limits | None = None) -> duckdb.DuckDBPyConnection:  # noqa: A001 - callers write store.open
    """Open or make the database; `None` = one in memory. Its times are UTC; a new file is for its owner's eyes only.

    Raises LogError: it is locked by another process, no DuckDB file, not tightener's, or of another tightener; or the
    folder for temporary files cannot be made.
    """
    if path is None:
        return _prepared(duckdb.connect(":memory:"), None, limits or Limits())
    _make_folder(path)
    before = os.umask(0o077)  # DuckDB makes its files with the umask's permissions
    try:
        con = duckdb.connect(str(path))
    except duckdb.Error as error:
        raise _unopened(path, str(error)) from error
    finally:
        os.umask(before)
    return _prepared(con, path, limits or Limits())


def out_of_memory(text: str) -> LogError:
    """What to do where DuckDB got no more memory, or no more room for what it spills."""
    text = text.splitlines()[0]
    full = "temp" in text.lower() and "directory" in text.lower()
    return LogError(
        f"the database ran out of {'room for temporary files' if full else 'memory'}: {text}",
        slug="out-of-memory",
        hint="name a folder with more room in tightener.yaml: `temp_directory:`"
        if full
        else "raise `memory_limit:` in tightener.yaml, or lower `threads:`; what was committed before is kept",
    )


def copy(path: Path, to: Path) -> None:
    """Writes what a database holds into a new one. Raises LogError, as `open`; `path` itself is only read."""
    with duckdb.connect(":memory:") as con:
        try:
            con.execute(f"ATTACH {_quoted(path)} AS old (READ_ONLY)")
            con.execute(f"ATTACH {_quoted(to)} AS new")
            con.execute("COPY FROM DATABASE old TO new")
        except duckdb.Error as error:
            raise _unopened(path, str(error)) from error


def _quoted(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _prepared(con: duckdb.DuckDBPyConnection, path: Path | None, limits: Limits) -> duckdb.DuckDBPyConnection:
    try:
        _limit(con, path, limits)
        _check(con, path)
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET enable_progress_bar = false")
        # Closing would rewrite the last rows of each core into fewer groups: up to a tenth of a whole reading.
        con.execute("SET max_vacuum_tasks = 0")
        con.begin()  # all tables or none: what is left of a run that was killed here must not look like somebody else's
        con.execute(query("schema"))
        con.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", [SCHEMA_VERSION])
        con.commit()
    except BaseException:
        con.close()
        raise
    return con


def _limit(con: duckdb.DuckDBPyConnection, path: Path | None, limits: Limits) -> None:
    if limits.temporary is not None:
        try:
            limits.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(
                f"the folder for temporary files cannot be made: {error.strerror}",
                slug="temp-directory",
                place=Place(str(limits.temporary)),
                hint="name another one in tightener.yaml: `temp_directory:`",
            ) from error
    for name, value in settings(limits, path).items():
        con.execute(f"SET {name} = {_quoted(value)}")


def _make_folder(path: Path) -> None:
    """The folder is private, too: the write-ahead log beside the database comes and goes with DuckDB's permissions."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LogError(
            f"the database cannot be made: {error.strerror}",
            slug="database-unwritable",
            place=Place(str(path)),
            hint="name another file with --db",
        ) from error


def _unopened(path: Path, text: str) -> LogError:
    place = Place(str(path))
    first = text.splitlines()[0]
    if "lock" in text.lower():
        return LogError(
            f"another process has the database open{_holder(text)}",
            slug="database-locked",
            place=place,
            hint="wait until it has ended, or name another file with --db",
        )
    if "newer" in text.lower() or "version number" in text.lower():
        return LogError(
            f"the database was written by another version of DuckDB: {first}",
            slug="database-newer",
            place=place,
            hint="update tightener, or name another file with --db",
        )
    writable = path.parent if not path.exists() else path
    if path.is_dir() or not os.access(writable, os.R_OK | os.W_OK):
        return LogError("the database cannot be read and written", slug="database-unwritable", place=place)
    return LogError(
        f"this is no database of tightener's, or it is damaged: {first}",
        slug="database-damaged",
        place=place,
        hint="name another file with --db; reading the logs again makes a new one",
    )


def _holder(text: str) -> str:
    """Who holds DuckDB's lock, in words: the lock is the kernel's on the open file, so it ends with its process."""
    found = _HOLDER.search(text)
    if found is None:
        return ""
    begun = _begun(int(found[2]))
    since = f", running since {begun:%Y-%m-%d %H:%M:%S} UTC" if begun else ""
    return f": process {found[2]} ({Path(found[1]).name}){since}"


def _begun(process: int) -> datetime | None:
    """When a process began, where the system says so as Linux does."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME)
        return datetime.fromtimestamp(boot + int(fields[19]) / os.sysconf("SC_CLK_TCK"), UTC)
    except (OSError, AttributeError, IndexError, ValueError):
        return None


def _check(con: duckdb.DuckDBPyConnection, path: Path | None) -> None:
    """A database with tables is ours only if its `meta` says so, and only if we know that schema."""
    tables = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()}
    if not tables:
        return
    place = Place(str(path))
    columns = con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = 'meta' ORDER BY column_index"
    ).fetchall()
    if columns != [("key",), ("value",)] or not {"log_file", "event"} <= tables:
        raise LogError(
            "this is a DuckDB file, but not one of tightener's",
            slug="database-foreign",
            place=place,
            hint="name another file with --db",
        )
    version = con.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    if version is not None and version[0] != SCHEMA_VERSION:
        older = version[0].isdigit() and int(version[0]) < int(SCHEMA_VERSION)
        raise LogError(
            f"the database has schema {version[0]}, this tightener knows {SCHEMA_VERSION}",
            slug="database-older" if older else "database-newer",
            place=place,
            hint="move the file away, or name another one with --db, and read the logs again: tightener ingest PATH..."
            if older
            else "update tightener, or name another file with --db",
        )
