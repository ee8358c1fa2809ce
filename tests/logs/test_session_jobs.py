"""What runs were started for: stored when logs are read, and made into names of jobs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightener.errors import Place
from tightener.logs import store
from tightener.logs.formats.field_map import FieldMap
from tightener.logs.ingest import ingest
from tightener.logs.jobs import NAME, names

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LINE = {"v": 1, "time": "2026-09-07T06:14:03Z", "agent": "a", "service": "git", "action": "pull", "decision": "allow"}
SAID = [  # session, on_behalf_of
    ("s1", "nightly"),
    ("s1", "nightly"),
    ("s1", "dana@acme.example"),
    ("s2", None),
    ("s3", ""),
    (None, "nightly"),
    ("", "nightly"),
    ("s4", "nightly"),
]
WANTED = [("a", "s1", "dana@acme.example"), ("a", "s1", "nightly"), ("a", "s4", "nightly")]


def write(path: Path, said=SAID, **over) -> Path:
    records = [{**LINE, "id": f"i{n}", "session": s, "on_behalf_of": o, **over} for n, (s, o) in enumerate(said)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def read(con, path: Path, formats=None) -> list[tuple[str, str, str]]:
    ingest(con, [str(path)], now=NOW, formats=formats or {}, progress=lambda _: None)
    return con.execute("SELECT agent, session, on_behalf_of FROM run ORDER BY ALL").fetchall()


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"id": None},  # every line is read as text
        {"service": "tools", "args": {"to": "x", "n": [1, 2]}},
        {"resources": ["a", "b"]},
        {"time": "2026-09-07T06:14:03.5+02:00"},
    ],
)
def test_runs_are_stored_once_a_file(tmp_path: Path, over: dict) -> None:
    with store.open(None) as con:
        assert read(con, write(tmp_path / "log.jsonl", **over)) == WANTED


def test_what_a_rejected_line_says_is_not_stored(tmp_path: Path) -> None:
    with store.open(None) as con:
        assert read(con, write(tmp_path / "log.jsonl", decision="perhaps")) == []


def test_a_changed_file_is_forgotten_with_its_runs(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with store.open(None) as con:
        read(con, write(path))
        assert read(con, write(path, [("s9", "weekly")])) == [("a", "s9", "weekly")]


def test_a_field_map_says_it(tmp_path: Path) -> None:
    mapping = {
        "time": "at",
        "agent": "who",
        "session": "run",
        "on_behalf_of": "by.name",
        "service": {"const": "git"},
        "action": "what",
        "decision": {"path": "ok", "values": {"yes": "allow"}},
    }
    path = tmp_path / "log.jsonl"
    record = {"at": LINE["time"], "who": "a", "run": "s1", "by": {"name": "nightly"}, "what": "pull", "ok": "yes"}
    path.write_text(json.dumps(record) + "\n")
    with store.open(None) as con:
        mine = FieldMap.parse("mine", mapping, lambda *_: Place("t.yaml", 1))
        assert read(con, path, {"mine": mine}) == [("a", "s1", "nightly")]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("nightly", "nightly"),
        ("Invoice run, daily", "Invoice-run-daily"),
        ("cron/month_end", "cron-month_end"),
        ("dana@acme.example", "dana-acme-example"),
        ("--x--", "x"),
        ("a.b: {c}\n# d", "a-b-c-d"),
    ],
)
def test_plain_names(said: str, name: str) -> None:
    assert names([said]) == {said: name}


def test_names_that_would_be_equal_are_told_apart() -> None:
    found = names(["nightly run", "nightly-run", "Nightly run", "weekly"])
    assert found["weekly"] == "weekly"
    assert all(re.fullmatch(r"[Nn]ightly-run-[0-9a-f]{6}", name) for said, name in found.items() if said != "weekly")
    assert re.fullmatch(r"job-[0-9a-f]{6}", names(["発注"])["発注"])
    long = names(["x" * 41])["x" * 41]
    assert re.fullmatch(r"x{40}-[0-9a-f]{6}", long)
    forged = names(["発注", names(["発注"])["発注"]])
    assert len({name.lower() for name in forged.values()}) == 2


@given(st.lists(st.text(min_size=1, max_size=60) | st.sampled_from(["a", "A", "a-", "-a", "a b", "a-b", "é"])))
def test_every_text_has_a_name_of_its_own(said: list[str]) -> None:
    found = names(said)
    assert set(found) == set(said)
    assert all(NAME.fullmatch(name) for name in found.values())
    assert len({name.lower() for name in found.values()}) == len(found)
    assert found == names(reversed(said))
