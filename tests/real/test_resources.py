"""How many calls of a real trail have their resource found, and whether what was found stands in the record.

The method: of the records that map to an action with resource types, those count as resolved for which at least one
resource names something - a bare `*`, or the pattern of a whole kind (`arn:*:...`), does not.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tightener.config import Config
from tightener.pipeline import open_project, read_logs
from tightener.services.catalogue import arn_formats

DATA = Path(os.environ.get("TIGHTENER_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
CLOUDTRAIL = DATA / "cloudtrail"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not CLOUDTRAIL.is_dir(), reason="no real logs: set TIGHTENER_REAL_DATA to their folder"),
]


def events(folder: str):
    """The record of each event id, and the requests that were read from it."""
    paths = sorted(path for path in (CLOUDTRAIL / folder).rglob("*.json") if "Digest" not in str(path))
    records = {}
    for path in paths:
        raw = json.loads(path.read_bytes())
        for record in raw["Records"] if isinstance(raw, dict) else raw:
            records[record["eventID"]] = record
    project = open_project(Config(), None)
    report = read_logs(project, [str(path) for path in paths], datetime(2027, 1, 1, tzinfo=UTC), lambda _: None)
    assert report.problems == ()
    found = defaultdict(list)
    for native_id, action, resource, partial in project.con.execute(
        "SELECT native_id, action, resource, partial FROM event WHERE mapped AND outcome <> 'by_service'"
    ).fetchall():
        if arn_formats(action) and resource:
            found[native_id].append((action, resource, partial))
    return records, found


@pytest.fixture(scope="module")
def invictus():
    return events("invictus")


def names_something(resource: str) -> bool:
    return resource != "*" and not resource.startswith("arn:*:")


def test_share_of_resolved_resources(invictus):
    _, found = invictus
    resolved = [any(names_something(resource) for _, resource, _ in requests) for requests in found.values()]
    assert len(resolved) > 1800
    assert sum(resolved) / len(resolved) >= 0.92


def test_what_was_found_stands_in_the_record(invictus):
    """Whatever an exact ARN names has to be a word of its record, and so has its account, unless S3's or AWS's own."""
    records, found = invictus
    checked = 0
    for native_id, requests in found.items():
        text = json.dumps(records[native_id])
        for action, resource, partial in requests:
            if partial or resource == f"arn:aws:account::{records[native_id]['recipientAccountId']}:account":
                continue
            _, partition, _, region, account, rest = resource.split(":", 5)
            assert partition == "aws"
            assert region in ("", records[native_id]["awsRegion"]), (action, resource)
            assert account in {"", "aws"} or account in text, (action, resource)
            for word in re.split(r"[:/]", rest)[-1:]:
                assert word in text, (action, resource)
            checked += 1
    assert checked > 1000


def test_a_pattern_names_a_part_of_its_record(invictus):
    records, found = invictus
    for native_id, requests in found.items():
        text = json.dumps(records[native_id])
        for action, resource, partial in requests:
            if partial and names_something(resource):
                word = max(re.split(r"[:/*?]+", resource.split(":", 5)[-1]), key=len).rstrip("-")
                assert word in text, (action, resource)


def test_attack_traces():
    _, found = events("stratus-red-team")
    resolved = [any(names_something(resource) for _, resource, _ in requests) for requests in found.values()]
    assert sum(resolved) / len(resolved) >= 0.92
