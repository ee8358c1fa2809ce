"""What a cluster does, without one: the same tasks and the same queries, with DuckDB in Spark's place."""

from __future__ import annotations

import contextlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest
import spark_cluster
from cloudtrail_record import record

from tightener.logs import ingest, pruning, spark, store, usage
from tightener.logs.callers import Owner
from tightener.resources import query

SAMPLES = Path(__file__).parents[2] / "sample_logs"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
# Identities are numbered in the order of reading; the bursts of a day that two readings bring are not put together.
USED = (
    "SELECT u.* EXCLUDE (caller, bursts, longest), i.* EXCLUDE (id)"
    " FROM pruned_usage AS u LEFT JOIN identity AS i ON i.id = u.caller"
)


class Session:
    """As much of a SparkSession as is asked for: a frame is an Arrow table, a view a registered one."""

    def __init__(self) -> None:
        self.con = duckdb.connect()
        self.conf, self.sparkContext = {}, self

    def parallelize(self, tasks: list, _: int) -> list:
        return tasks

    def createDataFrame(self, rows, columns: str = "") -> Frame:  # noqa: N802 - Spark's name
        return Frame(self, rows if isinstance(rows, pa.Table) else pa.table(list(zip(*rows)), ["batch", "paths"]))  # noqa: B905

    def sql(self, text: str) -> Frame:
        return Frame(self, self.con.sql(text).to_arrow_table())


class Conf(dict):
    set = dict.__setitem__


class Frame:
    def __init__(self, session: Session, table: pa.Table) -> None:
        self.session, self.table = session, table

    def mapInArrow(self, function, columns: str) -> Frame:  # noqa: N802
        done = list(function(iter(self.table.to_batches())))
        schema = None if done else pa.schema([("body", pa.binary())])
        return Frame(self.session, pa.Table.from_batches(done, schema))

    def createOrReplaceTempView(self, name: str) -> None:  # noqa: N802
        self.session.con.register(name, self.table)

    def where(self, condition: str) -> Frame:
        self.session.con.register("asked", self.table)
        return self.session.sql(f"FROM asked WHERE {condition}")

    def select(self, *names: str) -> Frame:
        return Frame(self.session, self.table.select(names))

    def limit(self, rows: int) -> Frame:
        return Frame(self.session, self.table[:rows])

    def toLocalIterator(self):  # noqa: N802
        return (SimpleNamespace(**row) for row in self.table.to_pylist())

    def persist(self) -> Frame:
        return self

    def unpersist(self) -> None: ...

    def toArrow(self) -> pa.Table:  # noqa: N802
        return self.table


@pytest.fixture
def on_cluster(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spark, "_BATCH", 300_000)
    monkeypatch.setattr(spark, "_explained", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(spark, "translated", query)

    def read(con, *paths: Path):
        session = Session()
        session.conf = Conf()
        names = [str(path) for path in paths]
        start = contextlib.nullcontext(session)
        return spark.read(lambda: start, con, names, now=NOW, formats={}, tools={}, say=lambda _: None)

    return read


def alone(con, *paths: Path):
    return ingest.ingest(con, [str(path) for path in paths], now=NOW, formats={}, progress=lambda _: None)


def rows(con, what: str) -> list[tuple]:
    return con.execute(f"{what} ORDER BY ALL").fetchall()


def test_several_readings_add_up_to_one(tmp_path, on_cluster):
    logs = tmp_path / "logs"
    shutil.copytree(SAMPLES / "gateway", logs / "gateway")
    shutil.copytree(SAMPLES / "AWSLogs", logs / "AWSLogs")
    spark_cluster.spoil(logs)
    whole, parts = store.open(None), store.open(None)
    expected = alone(whole, logs)
    pruning.prune(whole, pruning.plan(whole, 0), lambda _: Owner())
    first = on_cluster(parts, logs / "AWSLogs", logs / "cut.json.gz")
    second = on_cluster(parts, logs / "gateway", logs / "z-behind.json")
    third = alone(parts, logs)  # on this machine: what is left, every record of which was read
    assert [(s.files, s.accepted) for s in third.sources] == [(1, 0)]
    done = [one for report in (first, second, third) for one in report.files]
    assert sum(one.accepted for one in done) == sum(one.accepted for one in expected.files)
    assert sum(one.duplicate for one in done) == sum(one.duplicate for one in expected.files) > 500
    for what in (USED, "FROM pruned_event", "SELECT day, events FROM pruned_day"):
        assert rows(parts, what) == rows(whole, what) != []
    assert usage.span(parts) == usage.span(whole)


def test_a_tool_call_in_one_batch_tells_whose_a_request_in_another_is(tmp_path, on_cluster):
    session = "arn:aws:signin:eu-west-1:111122223333:session/s1"
    mine = {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::111122223333:assumed-role/agent/mcp",
        "accountId": "111122223333",
    }
    mine["sessionContext"] = {
        "sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/agent"},
        "signInSessionArn": session,
    }
    call = record(
        "aws-mcp", "CallTool", number=1, userIdentity=mine, eventType="AwsMcpEvent",
        additionalEventData={"downstreamRequests": [{"requestId": "req-2"}]},
    )  # fmt: skip
    behind = record("s3", "GetBucketPolicy", {"bucketName": "b"}, number=2)
    other = record("s3", "GetBucketPolicy", {"bucketName": "b"}, number=3)
    for name, one in (("a.json", call), ("b.json", behind), ("c.json", other)):
        (tmp_path / name).write_text(json.dumps({"Records": [one], "pad": "x" * 400_000}))
    con = store.open(None)
    on_cluster(con, tmp_path / "a.json")
    on_cluster(con, tmp_path / "b.json", tmp_path / "c.json")
    by = dict(
        con.execute(
            "SELECT u.sample_low, i.sign_in_session FROM pruned_usage u JOIN identity i ON i.id = u.caller"
        ).fetchall()
    )
    assert by == {"id-2": session, "id-3": ""}


def test_of_copies_in_several_batches_the_first_counts(tmp_path, on_cluster):
    for name in ("a.json", "b.json", "c.json"):
        (tmp_path / name).write_text(json.dumps({"Records": [record(number=1)], "pad": "x" * 400_000}))
    done = on_cluster(store.open(None), tmp_path)
    told = [(Path(one.path).name, one.accepted, one.duplicate) for one in done.files]
    assert told == [("a.json", 1, 0), ("b.json", 0, 1), ("c.json", 0, 1)]


def test_a_changed_file_is_told_and_read_by_nobody(tmp_path, on_cluster):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"Records": [record(number=1)]}))
    con = store.open(None)
    assert len(on_cluster(con, path).files) == 1
    path.write_text(json.dumps({"Records": [record(number=1), record(number=2)]}))
    done = on_cluster(con, path)
    assert done.files == ()
    assert "has changed since it was read" in done.problems[0].message
    assert rows(con, "SELECT uses FROM pruned_usage") == [(1,)]
