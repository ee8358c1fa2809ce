"""A small Spark cluster on this machine, `tightener ingest --engine spark` on it, and an executor killed meanwhile."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from tightener.logs import pruning, store
from tightener.logs.callers import Owner

MASTER = "local-cluster[2,1,1024]"  # two workers, a core and 1024 MB each: processes of their own
# Without these two the workers bind to another address and die in a loop.
_ENVIRONMENT = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
_CONFIGURATION = """\
spark.driver.bindAddress 127.0.0.1
spark.driver.host 127.0.0.1
spark.ui.enabled false
spark.sql.shuffle.partitions 4
"""
_PROGRAM = (
    "from tightener.logs import spark; spark._BATCH = {batch} or spark._BATCH; from tightener.cli import main; main()"
)
# What a cluster has to leave in the database, exactly as one machine does (load times apart).
_TABLES = ("rejected", "not_use", "holed_day", "run", "identity", "mcp_call", "trail_shown", "meta", "stale_day")
_TABLES += ("event", "trail_record", "pruned_day", "pruned_event", "pruned_usage")


def ingest(folder: Path, logs: Path, batch: int | None = None) -> subprocess.Popen[str]:
    """The command as a process; its database and Spark's configuration lie in `folder`. `batch`: as spark._BATCH."""
    folder.mkdir(exist_ok=True)
    (folder / "spark-defaults.conf").write_text(_CONFIGURATION)
    # A short program takes longer to be compiled well than that saves.
    java = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"} if batch else {}
    return subprocess.Popen(
        [
            *(sys.executable, "-c", _PROGRAM.format(batch=batch), "--json", "--no-progress"),
            *("--db", str(folder / "t.duckdb"), "ingest", "--engine", "spark", "--master", MASTER, str(logs)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, **_ENVIRONMENT, **java, "SPARK_CONF_DIR": str(folder)},
    )


def ingest_alone(folder: Path, logs: Path) -> None:
    """The same on this machine."""
    command = [
        sys.executable,
        "-m",
        "tightener.cli",
        "--no-progress",
        "--db",
        str(folder / "t.duckdb"),
        "ingest",
        str(logs),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def drop_events(folder: Path) -> None:
    """Leave only the usage of all days in a database, as a cluster does: of no known agent, so nothing is settled."""
    with store.open(folder / "t.duckdb") as con:
        pruning.prune(con, pruning.plan(con, 0), lambda _: Owner())
        con.execute("DELETE FROM stale_day")  # their files are as they were


def differences(alone: Path, cluster: Path) -> list[str]:
    """What differs between two databases and their usage files: a sentence each, with the first rows."""
    con = duckdb.connect()
    for name, folder in (("alone", alone), ("cluster", cluster)):
        con.execute(f"ATTACH '{folder / 't.duckdb'}' AS {name} (READ_ONLY)")
    asked = {name: (f"FROM alone.{name}", f"FROM cluster.{name}") for name in _TABLES}
    ledger = "SELECT * EXCLUDE (read_at) FROM {}.log_file"
    asked["log_file"] = (ledger.format("alone"), ledger.format("cluster"))
    found = []
    for name, (one, other) in asked.items():
        for what, left, right in (("is missing", one, other), ("is too much", other, one)):
            rows = con.execute(f"FROM ({left}) EXCEPT ALL FROM ({right}) LIMIT 3").fetchall()
            found += [f"{name}: {row} {what}" for row in rows]
    one, other = (
        {path.relative_to(at): path.read_bytes() for path in at.rglob("*.parquet")} for at in (alone, cluster)
    )
    if not one:
        found.append("there are no usage files")
    return found + [f"{path} differs" for path in sorted(one.keys() | other.keys()) if one.get(path) != other.get(path)]


def summary(cluster: Path) -> str:
    """How much was compared."""
    with duckdb.connect(str(cluster / "t.duckdb"), read_only=True) as con:
        (row,) = con.execute(
            "SELECT count(*), sum(records)::BIGINT, sum(duplicate)::BIGINT, sum(rejected)::BIGINT FROM log_file"
        ).fetchall()
    return "{:,} files, {:,} records, {:,} of them duplicates and {:,} rejected".format(*row)


def kill_an_executor(of: subprocess.Popen[str], patience: float = 300) -> int:
    """Kill an executor's JVM as soon as it has a Python worker, which is in the middle of a task. Returns its pid."""
    end = time.monotonic() + patience
    while time.monotonic() < end and of.poll() is None:
        ours = set(_below(of.pid))
        for pid in ours:
            parent = _parent(pid)
            if (
                parent in ours
                and b"pyspark.daemon" in _command(pid)
                and b"CoarseGrainedExecutorBackend" in _command(parent)
            ):
                os.kill(parent, signal.SIGKILL)
                return parent
        time.sleep(0.05)
    raise AssertionError("no executor began to read")


def _below(pid: int) -> Iterator[int]:
    parents = {int(entry.name): _parent(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found = [pid]
    while found:
        one = found.pop()
        yield one
        found += [child for child, parent in parents.items() if parent == one]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def spoil(folder: Path) -> set[str]:
    """Put beside CloudTrail's files what goes wrong with logs. Returns the names of those that are a problem.

    Records that two files hold, read before and after the files that they are from; a file cut short; one that is no
    log; an empty one; one with a record that is none.
    """
    files = sorted(folder.rglob("*.json.gz"))
    some = [_records(path) for path in files[:: max(1, len(files) // 20)]]
    before = [one for records in some[::2] for one in records[::3]]
    behind = [one for records in some for one in records[::2]]
    (folder / "0-before.json").write_text(json.dumps({"Records": before}))
    (folder / "z-behind.json").write_text(json.dumps({"Records": [*behind, {"eventName": "nothing"}]}))
    whole = files[len(files) // 3].read_bytes()
    (folder / "cut.json.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("this is no log\n")
    (folder / "empty.json").touch()
    for path in folder.glob("*"):
        os.utime(path, (0, 0))  # what was written just now has no stamp in the database
    return {"cut.json.gz", "notes.txt", "empty.json"}


def _records(path: Path) -> list[dict[str, object]]:
    return json.loads(gzip.decompress(path.read_bytes()))["Records"]
