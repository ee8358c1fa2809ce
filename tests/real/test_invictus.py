"""Real CloudTrail files that are not part of the project: read whole, with the figures counted by hand beforehand.

Their folder is TIGHTENER_REAL_DATA, or shared/data beside the checkout; without it the tests are skipped.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from tightener.logs.files import LogFile
from tightener.logs.formats.cloudtrail import CloudTrail
from tightener.logs.staging import prepare
from tightener.resources import query

DATA = Path(os.environ.get("TIGHTENER_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
CLOUDTRAIL = DATA / "cloudtrail"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not CLOUDTRAIL.is_dir(), reason="no real logs: set TIGHTENER_REAL_DATA to their folder"),
]


def staged(folder: str) -> tuple[duckdb.DuckDBPyConnection, list[Path]]:
    paths = sorted(
        path
        for path in (CLOUDTRAIL / folder).rglob("*")
        if path.is_file() and path.suffix in {".json", ".gz", ".jsonl"} and "Digest" not in str(path)
    )
    con = duckdb.connect()
    con.execute(query("schema"))
    prepare(con)
    files = [LogFile(id=number, path=str(path), size=path.stat().st_size) for number, path in enumerate(paths, 1)]
    CloudTrail().stage(con, files)
    return con, paths


def one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    return con.execute(sql).fetchone()[0]


def balanced(con: duckdb.DuckDBPyConnection) -> int:
    """The number of records, after checking that every one is accepted, rejected or no use."""
    total = one(con, "SELECT sum(records) FROM staged_file")
    accepted = one(con, "SELECT count(DISTINCT (file_id, position)) FROM staged_request")
    rejected = one(con, "SELECT count(*) FROM staged_rejected")
    idle = one(con, "SELECT COALESCE(sum(records), 0) FROM staged_not_use")
    assert total == accepted + rejected + idle
    return total


@pytest.fixture(scope="module")
def invictus():
    return staged("invictus")


def test_invictus_figures(invictus):
    con, _ = invictus
    assert balanced(con) == 2900
    assert one(con, "SELECT count(*) FROM staged_rejected") == 0
    idle = dict(con.execute("SELECT reason, sum(records)::INT FROM staged_not_use GROUP BY 1").fetchall())
    assert idle == {"service event": 42, "console sign-in": 3}
    counts = "SELECT count(DISTINCT native_id) FROM staged_request WHERE "
    # of AWS services, which are nobody; of their service-linked roles
    assert one(con, counts + "outcome = 'by_service' AND principal = ''") == 34
    assert one(con, counts + "outcome = 'by_service' AND principal <> ''") == 6
    assert one(con, counts + "outcome = 'refused'") == 60
    assert one(con, counts + "NOT mapped") == 0
    assert one(con, counts + "agent <> '' OR (principal = '' AND outcome <> 'by_service')") == 0


def test_invictus_against_a_naive_reader(invictus):
    con, paths = invictus
    naive = Counter()
    for path in paths:
        for position, record in enumerate(json.loads(path.read_bytes())["Records"], 1):
            identity = record.get("userIdentity") or {}
            if record["eventType"] != "AwsApiCall":
                continue
            principal = identity.get("arn", "")
            if identity.get("type") == "AssumedRole":
                principal = identity["sessionContext"]["sessionIssuer"]["arn"]
            if identity.get("type") == "AWSService":
                principal = ""
            naive[record["eventID"], position, record["eventTime"], principal, record.get("requestID", "")] += 1
    read = con.execute(
        "SELECT DISTINCT file_id, native_id, position, strftime(time, '%Y-%m-%dT%H:%M:%SZ'), principal, request_id"
        " FROM staged_request"
    ).fetchall()
    assert Counter(row[1:] for row in read) == naive


def test_invictus_outcomes_by_error(invictus):
    con, paths = invictus
    codes = Counter()
    for path in paths:
        for record in json.loads(path.read_bytes())["Records"]:
            codes[record["eventID"]] = record.get("errorCode", "")
    outcome = dict(con.execute("SELECT native_id, outcome FROM staged_request").fetchall())
    throttled = {key for key, code in codes.items() if code == "ThrottlingException"}
    assert len(throttled) == 102
    assert {outcome[key] for key in throttled} == {"no_evidence"}
    missing = {key for key, code in codes.items() if code.startswith("NoSuch") or "NotFound" in code}
    assert len(missing) > 60
    assert {outcome[key] for key in missing} == {"used"}


def test_stratus():
    con, paths = staged("stratus-red-team")
    assert balanced(con) == 310
    assert len(paths) == 35
    assert one(con, "SELECT count(*) FROM staged_rejected") == 0
    unmapped = {row[0] for row in con.execute("SELECT DISTINCT action FROM staged_request WHERE NOT mapped").fetchall()}
    assert unmapped <= {"signin:CheckMfa"}


def test_umccr():
    con, paths = staged("umccr")
    assert balanced(con) == 206
    assert paths
    problems = con.execute("SELECT file_id, problem FROM staged_file WHERE problem <> ''").fetchall()
    assert not [row for row in problems if "ends inside" in row[1]]
