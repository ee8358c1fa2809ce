"""`tightener run` killed at any moment, and two of them at once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from repository import ROOT, call, git
from small_repository import everything, small

from tightener import cli

HOLD = """
import pathlib, sys
from tightener.logs import store
con = store.open(pathlib.Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(database: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the database open, until it is killed."""
    start = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_second_run_ends_at_once_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    base = small(tmp_path / "r")
    assert call(base, "run", "--quiet")[0] == 0
    before = everything(base)
    with holder(base / ".tightener" / "tightener.duckdb") as process:
        begun = datetime.now(UTC)
        for words in ((), ("--dry-run",)):
            code, out, err = call(base, "run", *words)
            assert code == 1
            assert out == "not done: stopped before any agent was studied [run-locked]\n"
            assert f"process {process.pid} (python" in err
            since = datetime.strptime(err.partition("running since ")[2][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            assert abs(begun - since) < timedelta(minutes=2)
        assert "[database-locked]" in call(base, "status")[2]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert everything(base) == before
        assert call(base, "run", "--quiet")[0] == 0


def test_the_lock_is_held_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a run does in between, such as reading files beside the database, keeps DuckDB's lock."""
    base = small(tmp_path / "r")
    found: list[bytes] = []
    real = cli.showing.publishing  # any module of commands/ will do to reach the one that settles
    assert real
    from tightener.weekly import sequence  # noqa: PLC0415 - only to stand between two steps

    def settle(*words: Any) -> Any:
        start = [sys.executable, "-m", "tightener.cli", "run"]
        found.append(subprocess.run(start, cwd=base, capture_output=True, check=False).stderr)
        return inner(*words)

    inner = sequence.settle
    monkeypatch.setattr(sequence, "settle", settle)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert call(base, "run", "--quiet")[0] == 0
    assert len(found) == 2
    assert all(b"[run-locked]" in one and str(os.getpid()).encode() in one for one in found)


def content(base: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that the database holds, but when files were read and which inodes they had."""
    shown = {"log_file": f"* EXCLUDE (read_at) REPLACE (replace(uri, '{base}', '') AS uri)"}
    with duckdb.connect(str(base / ".tightener" / "tightener.duckdb"), read_only=True) as con:
        names = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        found = {n: con.execute(f"SELECT {shown.get(n, '*')} FROM {n} ORDER BY ALL").fetchall() for n in names}
    return {**found, "meta": [row for row in found["meta"] if not row[0].startswith("stamp:")]}


def end_of(base: Path) -> tuple[dict[str, bytes], dict[str, str], dict[str, Any], set[str]]:
    """Where a run leaves things: pages and bodies, the branches' trees and how far they are from main, the database."""
    files = {p.relative_to(base).as_posix(): p.read_bytes() for p in (base / ".tightener").rglob("*") if p.is_file()}
    files.pop(".tightener/tightener.duckdb", None)
    branches = git(base, "for-each-ref", "--format=%(refname:short)", "refs/heads/tightener/").split()
    trees = {
        one: git(base, "rev-parse", f"{one}^{{tree}}") + git(base, "rev-list", "--count", f"main..{one}")
        for one in branches
    }
    return files, trees, content(base), set(git(base, "status", "-s").split())


def started(base: Path) -> int:
    """A run in a process of its own, which need not import anything again."""
    child = os.fork()
    if not child:
        code, out, err = call(base, "run", "--quiet")
        (base.parent / f"{base.name}.said").write_text(out + err)
        os._exit(code)
    return child


def test_twenty_kills_end_where_one_whole_run_does(tmp_path: Path) -> None:
    chance = random.Random(11)
    made = small(tmp_path / "made", ("one",))
    clean = tmp_path / "clean"
    shutil.copytree(made, clean)
    begun = time.monotonic()
    assert os.waitpid(started(clean), 0)[1] == 0
    lasts = time.monotonic() - begun
    wanted = end_of(clean)
    assert (len(wanted[1]), len(wanted[0])) == (1, 9 + 90)  # pages and a body, and the usage of each day
    stages = set()
    for round_ in range(4):
        base = tmp_path / f"killed-{round_}"
        shutil.copytree(made, base)
        for _ in range(5):
            child = started(base)
            time.sleep(lasts * chance.random())
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            stages.add(sum(p.is_file() for p in (base / ".tightener").rglob("*")))
        assert os.waitpid(started(base), 0)[1] == 0, base.with_name(f"{base.name}.said").read_text()
        assert end_of(base) == wanted
    assert len(stages) > 1, "every kill came at the same stage"
