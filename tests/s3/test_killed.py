"""Killed while reading from S3, with failures in between: the next run ends where one clean run does."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import pytest
from buckets import BUCKET, content, put
from cloudtrail_record import ROLE
from s3_server import Asked, Server, trail

from tightener import cli
from tightener.logs import store

ROOT = Path(__file__).parents[2]
KILLS = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 3
START = datetime(2024, 8, 1, tzinfo=UTC)  # the clock of this machine is asked: far enough back
CONFIG = f"""
sources: [{{bucket: {BUCKET}}}]
agents: {{agent: {{principals: ["{ROLE}"]}}}}
"""
INGEST = """
import sys
from tightener import cli
from tightener.logs.s3 import bucket, fetch, reading
reading._MOST_FILES, fetch._AHEAD, bucket._PAUSE, bucket._SILENCE = 12, 20, 0.01, 5
sys.exit(cli.run(["--config", sys.argv[1], "ingest", "--quiet"]))
"""


class Trouble:
    """Every tenth answer goes wrong in one way or another, once; some objects are refused for a while.

    A kill comes while the `deadline`th request is answered.
    """

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.refused: tuple[str, ...] = ()
        self.deadline = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.count = 0

    def __call__(self, asked: Asked) -> tuple[int, str, str] | str | None:
        self.count += 1
        if self.count == self.deadline and self.process:
            self.process.kill()
        if asked.key in self.refused:
            return 403, "AccessDenied", "Access Denied"
        chance = crc32(asked.key.encode()) % 40
        if asked.key in self.seen or chance > 3 or asked.kind != "GET":
            return None
        self.seen.add(asked.key)
        return ((503, "SlowDown", "Please reduce your request rate."), "cut", "drop", "cut")[chance]


def exported(config: Path) -> bytes:
    out = config.parent / "usage.csv"
    assert cli.run(["--config", str(config), "export", "usage", "--agent", "agent", "-o", str(out), "--quiet"]) == 0
    return out.read_bytes()


def project(folder: Path) -> tuple[list[str], Path, Path]:
    """The command that reads, the configuration and the database."""
    folder.mkdir()
    config = folder / "tightener.yaml"
    config.write_text(CONFIG)
    return [sys.executable, "-c", INGEST, str(config)], config, folder / ".tightener" / "tightener.duckdb"


@pytest.mark.parametrize("refusing", [False, True], ids=["failures", "failures and refusals"])
def test_kills_end_where_one_clean_run_does(bucket: Server, tmp_path: Path, refusing: bool) -> None:
    files = {**trail(START, 60, step=timedelta(hours=3)), **trail(START, 30, each=5, region="eu-west-1")}
    put(bucket, files)
    clean, clean_config, clean_database = project(tmp_path / "clean")
    subprocess.run(clean, check=True, cwd=ROOT)
    requests = len(bucket.asked)
    start, config, database = project(tmp_path / "killed")
    trouble = bucket.fault = Trouble()
    chance = random.Random(f"kills {refusing}")
    stages = set()
    for _ in range(KILLS):
        trouble.refused = tuple(chance.sample(sorted(files), 3)) if refusing else ()
        trouble.count, trouble.deadline = 0, chance.randint(1, requests - 10)
        with subprocess.Popen(start, cwd=ROOT, stderr=subprocess.PIPE) as trouble.process:
            _, said = trouble.process.communicate()
            assert trouble.process.returncode in {-9, 0}, said.decode()
        with store.open(database) as con:
            stages.add(con.execute("SELECT count(*) FROM log_file").fetchone())
    trouble.refused, trouble.process = (), None
    for _ in range(2):  # the second has nothing to do
        bucket.asked.clear()
        subprocess.run(start, check=True, cwd=ROOT)
    assert bucket.count("GET") == 0
    assert len(stages) > 1, "every kill came at the same stage"
    assert sorted(p.name for p in database.parent.iterdir()) == ["tightener.duckdb"]
    assert exported(config) == exported(clean_config)
    with store.open(database) as one, store.open(clean_database) as other:
        assert one.execute("FROM unread").fetchall() == []
        if not refusing:  # otherwise some files come later, and which copy of a record is the first one differs
            assert content(one, "") == content(other, "")
        assert (
            one.execute("SELECT native_id, time FROM event ORDER BY ALL").fetchall()
            == other.execute("SELECT native_id, time FROM event ORDER BY ALL").fetchall()
        )
