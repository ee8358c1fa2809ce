"""Dropped days: what is asked of them is answered as before, what comes late is told from what was there."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cloudtrail_record import ROLE, record

from tightener import pipeline
from tightener.config import Config
from tightener.errors import NoEvidence
from tightener.logs import pruning, usage
from tightener.logs.callers import Entry
from tightener.logs.ingest import IngestReport
from tightener.pipeline import Project
from tightener.resources import query

START = datetime(2026, 9, 1)  # noqa: DTZ001 - as the database stores times
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def line(number: int, day: int, **over: Any) -> dict[str, Any]:
    moment = START + timedelta(days=day, minutes=number)
    base = {
        "v": 1,
        "id": f"r{number}-{day}",
        "time": f"{moment.isoformat()}Z",
        "agent": "a",
        "session": f"s{number % 4}",
    }
    done = {"service": "git", "action": "pull", "resource": f"acme/{number % 3}", "decision": "allow"}
    return {**base, **done, "outcome": "success", **over}


def project(base: Path) -> Project:
    config = Config(principals={"a": (Entry({"role": ROLE}),)})
    return pipeline.open_project(config, base / "tightener.duckdb")


def read(of: Project, path: Path, *rows: dict[str, Any], trail: bool = False) -> IngestReport:
    path.write_text(
        json.dumps({"Records": rows}) if trail else "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    done = pipeline.read_logs(of, [str(path)], NOW, lambda _: None)
    pipeline.keep_usage(of)
    return done


def prune(of: Project, keep: int) -> pruning.Plan:
    plan = pruning.plan(of.con, keep)
    pipeline.prune(of, plan)
    return plan


def asked(of: Project) -> list[list[tuple[Any, ...]]]:
    """The answers about agent a over everything: requests, who acted, days, the fleet's days."""
    window = usage.window(of.con, 400, None)
    usage.collect(of.con, "a", window, of.config.owner_of)
    requests = of.con.execute("SELECT * EXCLUDE (id) FROM request ORDER BY ALL").fetchall()
    return [
        requests,
        of.con.execute("SELECT source, agent, sum(records) FROM event_caller GROUP BY ALL ORDER BY ALL").fetchall(),
        of.con.execute("SELECT DISTINCT source, CAST(time AS DATE) FROM logged ORDER BY ALL").fetchall(),
        [(usage.span(of.con).first, usage.span(of.con).last, usage.span(of.con).events)],
    ]


def files(base: Path) -> list[tuple[Any, ...]]:
    """All usage files as one, without what a dropped day settles."""
    return duckdb.sql(
        f"SELECT day, agent, action, resource, sum(uses), min(first_used), max(last_used), min(sample_low)"
        f" FROM read_parquet('{base}/usage/*/*.parquet') WHERE counted_for = '' GROUP BY ALL ORDER BY ALL"
    ).fetchall()


def test_dropped_days_answer_as_before(tmp_path: Path) -> None:
    of = project(tmp_path)
    some = [line(n, day) for day in range(40) for n in range(12)]
    odd = [
        line(200, 3, decision="deny", outcome="denied"),
        line(201, 4, decision="require_approval", approval={"state": "approved", "at": "2026-09-05T09:00:00Z"}),
        line(202, 5, session="", resource="acme/lone"),
        line(203, 6, service="aws", action="s3:GetObject", resource="arn:aws:s3:::b/k"),
    ]
    del odd[2]["session"]
    read(of, tmp_path / "log.jsonl", *some, *odd)
    before, usage_before = asked(of), files(tmp_path)
    plan = prune(of, 10)
    assert (plan.before, len(plan.days), plan.events) == (date(2026, 10, 1), 30, 30 * 12 + 4)
    assert of.con.execute("SELECT min(time) >= '2026-10-01' FROM event").fetchone() == (True,)
    assert asked(of) == before
    assert files(tmp_path) == usage_before
    assert prune(of, 10).days == ()
    prune(of, 5)
    assert asked(of) == before
    assert pruning.pruned(of.con).days == 35
    with pytest.raises(NoEvidence):
        pruning.plan(project(tmp_path / "empty").con, 10)


def test_what_comes_late_adds_once_and_is_marked(tmp_path: Path) -> None:
    of = project(tmp_path)
    read(of, tmp_path / "log.jsonl", *[line(n, day) for day in range(20) for n in range(3)])
    prune(of, 5)
    done = read(of, tmp_path / "late.jsonl", line(1, 2), line(50, 2), line(51, 2), line(1, 18))
    assert [(f.accepted, f.duplicate) for f in done.files] == [(2, 2)]
    whole = asked(of)
    assert whole[3] == [(date(2026, 9, 1), date(2026, 9, 20), 62)]
    assert [uses for day, *_, uses, _, _, _ in files(tmp_path) if day == date(2026, 9, 3)] == [2, 1, 2]
    assert pruning.pruned(of.con).late == (date(2026, 9, 3),)
    assert prune(of, 5).events == 2
    assert asked(of) == whole
    found = pruning.pruned(of.con)
    assert (found.days, found.events, found.late) == (15, 47, (date(2026, 9, 3),))
    done = read(of, tmp_path / "again.jsonl", line(50, 2))
    assert [(f.accepted, f.duplicate) for f in done.files] == [(0, 1)]


def test_one_call_in_two_logs_stays_one(tmp_path: Path) -> None:
    """Also where the gateway's line is dropped and the trail's record, a minute later, lies on the next day."""
    of = project(tmp_path)
    key = "arn:aws:s3:::b/k"
    calls = [(3, 600), (5, 1439), (30, 0)]  # day, minute

    def called(day: int, minute: int) -> dict[str, Any]:
        return line(minute, day, service="aws", action="s3:GetObject", resource=key)

    def seen(number: int, day: int, minute: int) -> dict[str, Any]:
        moment = START + timedelta(days=day, minutes=minute + 1)
        named = {"bucketName": "b", "key": "k"}
        return record("s3", "GetObject", named, number, eventTime=f"{moment.isoformat()}Z", eventCategory="Data")

    read(of, tmp_path / "gateway.jsonl", *[called(*c) for c in calls])
    trail = [seen(n, *c) for n, c in enumerate(calls)] + [seen(9, 8, 0)]  # the last went around the gateway
    read(of, tmp_path / "trail.json", *trail, trail=True)

    def uses() -> int:
        return sum(row[6] for row in asked(of)[0])

    assert uses() == 4

    def around() -> list[tuple[Any, ...]]:
        window = usage.window(of.con, 400, None)
        usage.collect(of.con, "a", window, of.config.owner_of)
        return of.con.execute(query("around_gateway"), usage.inputs_of("a", window)).fetchall()

    read(of, tmp_path / "alive.jsonl", line(2, 8, agent="other"))  # in the hour of what went around
    went = around()
    assert [(row[0].day, row[4]) for row in went] == [(9, "id-9")]
    for keep in (29, 25, 5):  # in between lie a call with its record, the middle of one, and all but the last
        prune(of, keep)
        assert uses() == 4
        assert around() == went
