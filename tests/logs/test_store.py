"""The database file: private, UTC, and never somebody else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tightener.errors import LogError
from tightener.logs import store


def test_a_new_database_is_private_and_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "t.duckdb"
    with store.open(path) as con:
        assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
        assert con.execute("SELECT count(*) FROM event").fetchone() == (0,)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with store.open(path) as con:
        assert con.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (store.SCHEMA_VERSION,)


def refused(path: Path) -> LogError:
    with pytest.raises(LogError) as caught:
        store.open(path)
    return caught.value


def test_what_is_not_opened(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"no database at all" * 1000)
    assert refused(damaged).slug == "database-damaged"
    foreign = tmp_path / "foreign"
    with duckdb.connect(str(foreign)) as con:
        con.execute("CREATE TABLE people (name VARCHAR)")
    assert refused(foreign).slug == "database-foreign"
    newer = tmp_path / "newer"
    with store.open(newer) as con:
        con.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    assert refused(newer).slug == "database-newer"
    with duckdb.connect(str(newer)) as con:
        con.execute("UPDATE meta SET value = '1' WHERE key = 'schema'")
    assert refused(newer).slug == "database-older"
    assert "schema 1, this tightener knows 5" in refused(newer).message
    assert "read the logs again: tightener ingest" in refused(newer).hint
    assert refused(tmp_path).slug == "database-unwritable"
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file" / "x").slug == "database-unwritable"


def test_a_locked_database(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    hold = (
        "import sys, pathlib; from tightener.logs import store; c = store.open(pathlib.Path(sys.argv[1]));"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as holder:
        holder.stdout.readline()
        assert refused(path).slug == "database-locked"
        holder.stdin.close()


def test_killed_while_it_is_made_it_is_not_taken_for_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    killed = """
import os, pathlib, sys
from tightener.logs import store

text, connect = store.query("schema"), store.duckdb.connect

def connected(*place):
    con = connect(*place)
    con.create_function("die", lambda: os._exit(9), [], "INTEGER", side_effects=True)
    return con

store.query = lambda name: text.replace("CREATE TABLE IF NOT EXISTS event", "SELECT die(); CREATE TABLE event", 1)
store.duckdb.connect = connected
store.open(pathlib.Path(sys.argv[1]))
"""
    done = subprocess.run([sys.executable, "-c", killed, str(path)], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 9
    with store.open(path) as con:
        assert con.execute("SELECT count(*) FROM run").fetchone() == (0,)
