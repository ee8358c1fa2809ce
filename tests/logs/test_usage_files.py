"""Usage adds up whatever its parts, and its files follow the events: those days, no others, the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener import pipeline
from tightener.config import Config
from tightener.logs import usage_files
from tightener.logs.limits import Limits
from tightener.resources import query

START = datetime(2026, 9, 1)  # noqa: DTZ001 - as the database stores times
NOW = datetime(2026, 10, 1, tzinfo=UTC)
KEYS = (
    *("source", "agent", "caller", "counted_for", "service", "action", "resource", "branch", "partial", "outcome"),
    *("decision", "indirect", "suspicious", "mapped"),
)
TYPES = [f"{key} BOOLEAN" if key in KEYS[-3:] else f"{key} VARCHAR" for key in KEYS]
EVENT = (
    f"({', '.join(TYPES)}, time TIMESTAMP, approved_at TIMESTAMP, session VARCHAR, native_id VARCHAR, part USMALLINT)"
)

event = st.builds(
    lambda keys, flags, minutes, approved, session, number, part: {
        **dict(zip(KEYS, (*keys, *flags), strict=True)),
        "time": START + timedelta(minutes=minutes),
        "approved_at": None if approved is None else START + timedelta(minutes=approved),
        "session": session,
        "native_id": f"é{number}",
        "part": part,
    },
    st.tuples(*(st.sampled_from(["", "a"]) for _ in KEYS[:-3])),
    st.tuples(*(st.booleans() for _ in KEYS[-3:])),
    st.integers(0, 3 * 1440 - 1),
    st.none() | st.integers(0, 5000),
    st.sampled_from(["", "s1", "s2", "é"]),
    st.integers(0, 30),
    st.integers(0, 2),
)


def rolled(con: duckdb.DuckDBPyConnection, events: Sequence[Mapping[str, Any]]) -> None:
    """usage.sql over the events, into the table `rows`."""
    con.execute(f"CREATE OR REPLACE TABLE event {EVENT}")
    names = [*KEYS, "time", "approved_at", "session", "native_id", "part"]
    if events:
        marks = ", ".join("?" * len(names))
        con.executemany(f"INSERT INTO event VALUES ({marks})", [[one[n] for n in names] for one in events])
    con.execute(f"CREATE OR REPLACE TABLE rows AS {query('usage')}")


def by_hand(events: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for one in events:
        groups.setdefault((one["time"].date(), *(one[key] for key in KEYS)), []).append(one)
    found = []
    for key, some in groups.items():
        times = [one["time"] for one in some]
        approved = [one["approved_at"] for one in some if one["approved_at"]]
        sessions = [(one["session"] or str(key[0])).encode() for one in some]
        ids = [one["native_id"].encode() for one in some]
        texts = [t.decode() for t in (min(sessions), max(sessions), min(ids), max(ids))]
        records = sum(one["part"] == 0 for one in some)
        found.append((*key, len(some), records, min(times), max(times), max(approved, default=None), *texts))
    return sorted(found, key=repr)


@given(st.lists(event, max_size=25), st.integers(0, 25))
@settings(max_examples=60)
def test_usage_of_two_parts_merged_is_that_of_both(events: list[dict[str, Any]], cut: int) -> None:
    with duckdb.connect(":memory:") as con:
        con.execute("CREATE TABLE usage_part AS SELECT * FROM (SELECT 1) LIMIT 0")
        rolled(con, events[:cut])
        con.execute("CREATE OR REPLACE TABLE usage_part AS FROM rows")
        rolled(con, events[cut:])
        con.execute("INSERT INTO usage_part FROM rows")
        merged = sorted(con.execute(query("usage_merge")).fetchall(), key=repr)
        rolled(con, events)
        whole = sorted(con.execute("FROM rows").fetchall(), key=repr)
    assert merged == whole == by_hand(events)


def write(path: Path, *numbers: int, **over: str) -> None:
    """A gateway's log: one line a number, three hours apart."""
    line = {"v": 1, "agent": "a", "session": "s", "service": "git", "action": "pull", "decision": "allow"}
    rows = [
        {
            **line,
            "id": f"r{n}",
            "time": (START + timedelta(hours=3 * n)).isoformat() + "Z",
            "resource": f"acme/{n % 3}",
            "outcome": "success",
            **over,
        }
        for n in numbers
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read(base: Path, *paths: Path, threads: int = 2) -> pipeline.Project:
    project = pipeline.open_project(Config(limits=Limits(threads=threads)), base / "tightener.duckdb")
    pipeline.read_logs(project, [str(path) for path in paths], NOW, lambda _: None)
    pipeline.keep_usage(project)
    return project


def files(base: Path) -> dict[str, Path]:
    return {path.parent.name: path for path in sorted((base / "usage").glob("day=*/usage.parquet"))}


def content(base: Path) -> dict[str, bytes]:
    return {day: path.read_bytes() for day, path in files(base).items()}


def test_equal_events_give_equal_bytes(tmp_path: Path) -> None:
    logs = [tmp_path / f"{n}.jsonl" for n in range(3)]
    for n, path in enumerate(logs):
        write(path, *range(n, 60, 3))
    read(tmp_path / "whole", *logs, threads=1).con.close()
    for path in reversed(logs):
        read(tmp_path / "parts", path).con.close()
    whole = content(tmp_path / "whole")
    assert len(whole) == 8
    assert content(tmp_path / "parts") == whole
    rows = duckdb.sql(
        f"SELECT day, sum(uses) FROM read_parquet('{tmp_path}/whole/usage/*/*.parquet') GROUP BY day ORDER BY day"
    ).fetchall()
    assert [uses for _, uses in rows] == [8] * 7 + [4]


def test_only_days_that_new_events_touch_are_written(tmp_path: Path) -> None:
    first, late = tmp_path / "first.jsonl", tmp_path / "late.jsonl"
    write(first, *range(40))
    read(tmp_path, first).con.close()
    before = {day: path.stat().st_ino for day, path in files(tmp_path).items()}
    write(late, 9, 100)  # the first is known, and its day is looked at for nothing
    read(tmp_path, late).con.close()
    after = {day: path.stat().st_ino for day, path in files(tmp_path).items()}
    assert {day for day in after if after[day] != before.get(day)} == {"day=2026-09-02", "day=2026-09-13"}
    write(first, *range(8, 40))  # the file was cut: its first day is gone
    read(tmp_path, first).con.close()
    assert "day=2026-09-01" not in content(tmp_path)
    assert not (tmp_path / "usage" / "day=2026-09-01").exists()


def test_what_a_killed_run_left_stale_is_written_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log.jsonl"
    write(log, *range(40))
    write_one = usage_files._write

    def killed(con, place: Path, day) -> None:
        if day.day == 3:
            raise KeyboardInterrupt
        write_one(con, place, day)

    with monkeypatch.context() as patched:
        patched.setattr(usage_files, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            read(tmp_path / "killed", log)
    read(tmp_path / "killed", log).con.close()
    read(tmp_path / "clean", log).con.close()
    assert content(tmp_path / "killed") == content(tmp_path / "clean") != {}


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    write(log, 1)
    project = read(tmp_path / "base", log)
    (file,) = files(tmp_path / "base").values()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert usage_files.folder(project.con) == tmp_path / "base" / "usage"
    other = pipeline.open_project(Config(), tmp_path / "base" / "other.duckdb")
    assert usage_files.folder(other.con) == tmp_path / "base" / "other-usage"
    assert usage_files.refresh(pipeline.open_project(Config(), None).con) == 0
