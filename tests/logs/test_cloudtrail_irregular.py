"""Calls whose event name is not their IAM action, or whose resource is not where one would look: a record of each.

The records of cloudtrail_irregular.jsonl and cloudtrail_kinds.jsonl have the shape that AWS documents for the event.
Beside each stands, written by hand, what it is; they are read through the whole of ingest.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tightener.config import Config
from tightener.pipeline import open_project, read_logs
from tightener.services.catalogue import find

NEEDLESS = {"GetCallerIdentity", "GetSessionToken", "DescribeEndpoints"}
NEEDLESS |= {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}


def fixtures(name: str) -> list[dict[str, object]]:
    text = (Path(__file__).parent / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def names(rows) -> list[str]:
    return [f"{nr}-{row['record']['eventName']}" for nr, row in enumerate(rows)]


def ingested(folder: Path, records):
    """The requests of each record (by its number), through ingest and the database's own events."""
    (folder / "trail.json").write_text(
        json.dumps({"Records": [{**one, "eventID": f"id-{number}"} for number, one in enumerate(records)]})
    )
    project = open_project(Config(), None)
    report = read_logs(project, [str(folder / "trail.json")], datetime(2026, 4, 1, tzinfo=UTC), lambda _: None)
    (file,) = report.files
    assert (file.records, file.accepted, report.problems) == (len(records), len(records), ())
    found = defaultdict(list)
    for native_id, *request in project.con.execute(
        "SELECT native_id, action, resource, partial, outcome, mapped FROM event ORDER BY native_id, part"
    ).fetchall():
        found[int(native_id.removeprefix("id-"))].append(tuple(request))
    return found


ROWS = fixtures("cloudtrail_irregular")
KINDS = fixtures("cloudtrail_kinds")


@pytest.fixture(scope="module")
def of_rows(tmp_path_factory):
    return ingested(tmp_path_factory.mktemp("irregular"), [row["record"] for row in ROWS])


@pytest.fixture(scope="module")
def of_kinds(tmp_path_factory):
    return ingested(tmp_path_factory.mktemp("kinds"), [row["record"] for row in KINDS])


@pytest.mark.parametrize("number", range(len(ROWS)), ids=names(ROWS))
def test_row(of_rows, number):
    assert sorted(list(request[:3]) for request in of_rows[number]) == ROWS[number]["requests"]
    assert all(mapped for *_, mapped in of_rows[number])


def test_what_needs_no_permission_is_no_evidence(of_rows):
    for number, row in enumerate(ROWS):
        needless = row["record"]["eventName"] in NEEDLESS
        assert {outcome for *_, outcome, _ in of_rows[number]} == {"no_evidence" if needless else "used"}


@pytest.mark.parametrize("number", range(len(KINDS)), ids=names(KINDS))
def test_several_kinds_of_resource(of_kinds, number):
    """What was found, and the patterns of kinds that were needed and not found (any, where the row leaves it open)."""
    row = KINDS[number]
    action = of_kinds[number][0][0]
    own = [request for request in of_kinds[number] if request[0] == action]
    assert sorted(resource for _, resource, partial, *_ in own if not partial) == row["exact"]
    patterns = sorted(resource for _, resource, partial, *_ in own if partial)
    assert patterns if row["patterns"] is None else patterns == row["patterns"]


def test_a_needed_kind_is_always_found_or_partial(of_kinds):
    """Against the catalogue, where the row leaves it open: each required type has a resource or a pattern."""
    for number, row in enumerate(KINDS):
        if row["patterns"] is not None:
            continue
        action = of_kinds[number][0][0]
        resources = [resource for name, resource, *_ in of_kinds[number] if name == action]
        required = find(action).required_formats
        if len(row["exact"]) == 1:  # a profile: what stands behind it is not in the log
            required = [one for one in required if "foundation-model" in one]
        for one in required:
            glob = re.sub(r"\$\{[^}]+\}", "*", one)
            assert any(fnmatch.fnmatchcase(resource, glob) for resource in resources), (action, glob)
