"""The books balance, file by file, on every real CloudTrail file there is; and what is no such file is told so.

What each file holds is counted here again, with json and a set of the ids that came before.
"""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tightener.config import Config
from tightener.logs.ingest import IngestReport
from tightener.pipeline import Project, open_project, read_logs
from tightener.report import overview

DATA = Path(os.environ.get("TIGHTENER_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
CLOUDTRAIL = DATA / "cloudtrail"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not CLOUDTRAIL.is_dir(), reason="no real logs: set TIGHTENER_REAL_DATA to their folder"),
]


def read(*paths: Path, force: str | None = None) -> tuple[Project, IngestReport]:
    project = open_project(Config(), None)
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    return project, read_logs(project, [str(path) for path in paths], moment, lambda _: None, force)


def records_of(path: Path) -> list[dict]:
    """The records of a file, however they are carried: an object, an array, or one a line."""
    text = path.read_bytes()
    text = gzip.decompress(text) if text.startswith(b"\x1f\x8b") else text
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]
    if isinstance(whole, dict):
        return whole.get("Records", [whole])
    return whole


def is_call(record: dict) -> bool:
    """Whether it is an API call of somebody's: not one of AWS's own events, nor without any caller but a service."""
    who = record.get("userIdentity") or {}
    anonymous = "type" not in who and "invokedBy" in who
    category = record.get("eventCategory", "Management")
    return (
        record.get("eventType", "AwsApiCall") == "AwsApiCall" and not anonymous and category in ("Management", "Data")
    )


@pytest.mark.parametrize(("folder", "files", "total"), [("invictus", 55, 2900), ("stratus-red-team", 35, 310),
                                                        ("umccr", 21, 206)])  # fmt: skip
def test_every_file_balances(folder: str, files: int, total: int) -> None:
    _, report = read(CLOUDTRAIL / folder)
    assert (len(report.files), sum(one.records for one in report.files)) == (files, total)
    seen: set[str] = set()
    wrong = {}
    for one in report.files:  # in the order in which they were read
        held = records_of(Path(one.path))
        calls = [record for record in held if is_call(record)]
        known = 0
        for record in calls:
            name = record.get("eventID") or json.dumps(record, sort_keys=True)
            known += name in seen
            seen.add(name)
        counted = (len(held), len(calls) - known, known, 0, len(held) - len(calls))
        told = (one.records, one.accepted, one.duplicate, one.rejected, one.not_use)
        if counted != told or one.problem:
            wrong[one.path] = (counted, told, one.problem)
    assert wrong == {}
    # every other file is named, with the reason
    others = {str(p) for p in (CLOUDTRAIL / folder).rglob("*") if p.is_file()} - {one.path for one in report.files}
    assert {p.path for p in report.problems} == others
    assert all(Path(path).name in ("LICENSE", "README.md") for path in others)


def test_every_version_is_read() -> None:
    project, _ = read(CLOUDTRAIL / "umccr" / "examples")
    stored = set(
        project.con.execute("SELECT DISTINCT uri, position FROM event JOIN log_file ON id = file_id").fetchall()
    )
    versions = set()
    for number in range(12):
        path = CLOUDTRAIL / "umccr" / "examples" / f"1_{number:02}.json"
        path = path if path.exists() else path.with_name(f"1_{number}.json")
        for position, record in enumerate(records_of(path), 1):
            assert ((str(path), position) in stored) == is_call(record), path
            versions.add(record["eventVersion"])
    assert versions == {"1.0", *(f"1.{n:02}" for n in range(1, 12))}


def test_odd_files_get_an_answer(tmp_path: Path) -> None:
    """An export of JSON lines without eventTime, a CSV with Python's dicts, an array, nothing at all, no eventID."""
    for archive in sorted((CLOUDTRAIL / "otrf").glob("*.zip")):
        with zipfile.ZipFile(archive) as held:
            held.extractall(tmp_path)
    project, report = read(tmp_path)
    (one,) = report.files
    assert (one.records, one.rejected, one.accepted) == (103, 103, 0)
    (problem,) = report.problems
    assert problem.path.endswith(".csv")
    assert "no log that tightener knows" in problem.message
    assert report.sources[0].records == report.sources[0].rejected == 103
    status = overview.status(project.con, project.config)
    assert [(r["reason"], r["records"]) for r in status["rejected"]] == [("eventTime is missing", 103)]
    assert (status["first_day"], status["agents"]) == (None, [])

    csv = next(tmp_path.glob("*.csv"))
    _, forced = read(csv, force="cloudtrail")
    (one,) = forced.files
    assert one.records == one.rejected > 300

    (tmp_path / "empty").mkdir()
    for name, text in (("records.json", '{"Records": []}'), ("array.json", "[]"), ("nothing.json", "")):
        (tmp_path / "empty" / name).write_text(text)
    _, report = read(tmp_path / "empty")
    assert {Path(one.path).name: one.records for one in report.files} == {"records.json": 0}
    told = {Path(p.path).name: p.message for p in report.problems}
    assert told == {
        "array.json": "this is no log that tightener knows (gateway, cloudtrail)",
        "nothing.json": "the file is empty",
    }
