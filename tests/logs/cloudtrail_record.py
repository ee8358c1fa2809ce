"""CloudTrail records as they are documented, and what a reading makes of them: for the tests beside it."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from tightener.logs.files import LogFile
from tightener.logs.formats.cloudtrail import CloudTrail
from tightener.logs.staging import prepare
from tightener.resources import query

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app/agent"
KEY1 = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY2 = "0987dcba-09fe-87dc-65ba-ab0987654321"


def record(source="s3", name="ListBuckets", params=None, number=1, **over):
    """A record in the documented shape (version 1.09), with an assumed role."""
    base = {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:run-7",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/agent/run-7",
            "accountId": ACCOUNT,
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE, "accountId": ACCOUNT}},
        },
        "eventTime": "2026-03-01T10:00:00Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "requestParameters": params,
        "responseElements": None,
        "requestID": f"req-{number}",
        "eventID": f"id-{number}",
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    base.update(over)
    return {key: value for key, value in base.items() if value != "-absent-"}


def staged(*paths: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(query("schema"))
    con.execute("SET TimeZone = 'UTC'")
    prepare(con)
    CloudTrail().stage(con, [log_file(number, path) for number, path in enumerate(paths, 1)])
    return con


def log_file(number: int, path: Path) -> LogFile:
    return LogFile(id=number, path=str(path), size=path.stat().st_size)


def read(tmp_path: Path, *records, text: bytes | None = None, name="log.json"):
    path = tmp_path / name
    path.write_bytes(json.dumps({"Records": list(records)}).encode() if text is None else text)
    return staged(path)


def requests(con):
    return con.execute(
        "SELECT action, resource, partial FROM staged_request ORDER BY file_id, position, part"
    ).fetchall()


def sums(con):
    """Every native record is accepted, rejected or no use."""
    total, accepted, rejected, idle = con.execute(
        "SELECT (SELECT sum(records) FROM staged_file),"
        " (SELECT count(DISTINCT (file_id, position)) FROM staged_request),"
        " (SELECT count(*) FROM staged_rejected), (SELECT COALESCE(sum(records), 0) FROM staged_not_use)"
    ).fetchone()
    assert total == accepted + rejected + idle
    return total, accepted, rejected, idle


S3_OBJECT = {"bucketName": "b", "key": "in/x.csv"}
OBJ = "arn:aws:s3:::b/in/x.csv"
