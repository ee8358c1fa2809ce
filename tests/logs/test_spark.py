"""A cluster gives what one machine gives. One run of Spark tells it all: starting it is most of the time."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import types
from pathlib import Path

import pytest
import spark_cluster

from tightener import cli
from tightener.logs import store

SAMPLES = Path(__file__).parents[2] / "sample_logs"
MISSING = [
    *([] if shutil.which("java") else ["Java"]),
    *([] if importlib.util.find_spec("pyspark") else ["PySpark (make test installs it where Java is)"]),
]


@pytest.mark.skipif(bool(MISSING) and "CI" not in os.environ, reason=f"Spark needs {' and '.join(MISSING)}")
def test_a_cluster_that_loses_an_executor_gives_what_one_machine_gives(tmp_path, capsys):
    assert not MISSING
    logs, alone, cluster = (tmp_path / name for name in ("logs", "alone", "cluster"))
    shutil.copytree(SAMPLES, logs, ignore=shutil.ignore_patterns("*.py", "*.yaml", "*.md", ".*"))
    told = spark_cluster.spoil(logs)
    running = spark_cluster.ingest(cluster, logs, 500_000)
    spark_cluster.kill_an_executor(running)
    words, noise = running.communicate(timeout=300)
    assert running.returncode == 0, noise
    assert "Lost executor" in noise

    def said(of: Path, *command: str) -> dict:
        options = ["--json", "--no-progress", "--config", str(SAMPLES / "tightener.yaml"), "--db", str(of / "t.duckdb")]
        assert cli.run([*options, *command]) == 0
        return json.loads(capsys.readouterr().out)

    report = said(alone, "ingest", str(logs))
    assert json.loads(words) == report
    assert sum(source["duplicate"] for source in report["sources"]) > 100
    assert told <= {Path(one["path"]).name for one in report["problems"]}
    asked = ("suggest", "--agent", "claude-invoice-01")
    assert said(cluster, *asked)["diff"] == said(alone, *asked)["diff"] != ""
    assert said(cluster, "status")["sources"] == said(alone, "status")["sources"]
    spark_cluster.drop_events(alone)
    assert spark_cluster.differences(alone, cluster) == []
    # What is known is not read again, and no cluster is started for it.
    again = said(cluster, "ingest", "--engine", "spark", "--master", "spark://127.0.0.1:1", str(logs / "gateway"))
    assert (again["files_read"], again["files_known"]) == (0, 15)


def test_a_cluster_that_is_not_there_is_said_in_words(tmp_path, capsys, monkeypatch):
    (tmp_path / "g.jsonl").write_text(
        '{"time": "2026-09-01T00:00:00Z", "agent": "a", "service": "git", "action": "x"}\n'
    )

    def error(*options: str) -> tuple[int, str]:
        code = cli.run(["--json", "--db", str(tmp_path / "t.duckdb"), "ingest", str(tmp_path / "g.jsonl"), *options])
        return code, json.loads(capsys.readouterr().out)["error"]

    assert error("--engine", "hadoop") == (1, "unknown-engine")
    assert error("--master", "local") == (1, "unknown-engine")
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    assert error("--engine", "spark") == (1, "spark-missing")
    fake = types.ModuleType("pyspark.sql")
    fake.SparkSession = None
    monkeypatch.setitem(sys.modules, "pyspark", types.ModuleType("pyspark"))
    monkeypatch.setitem(sys.modules, "pyspark.sql", fake)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert error("--engine", "spark") == (1, "java-missing")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert error("--engine", "spark", "--master", "spark://127.0.0.1:1") == (1, "spark-unreachable")
    with store.open(tmp_path / "t.duckdb") as con:
        assert con.execute("SELECT count(*) FROM log_file").fetchall() == [(0,)]
