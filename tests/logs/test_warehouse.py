"""The usage query over a team's own table of CloudTrail: it parses in every dialect, and DuckDB's form counts right."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import duckdb
import pytest
import sqlglot
from cloudtrail_record import ACCOUNT, ROLE, record
from sqlglot import exp

from tightener.logs import warehouse

SAMPLES = Path(__file__).parents[2] / "sample_logs" / "AWSLogs"
IDENTITY = "STRUCT(type VARCHAR, arn VARCHAR, sessionContext STRUCT(sessionIssuer STRUCT(arn VARCHAR)))"
NAMES = ("eventTime", "eventSource", "eventName", "errorCode", "eventID", "eventType", "eventCategory")
# What the events of sample_logs are called in IAM, where it is not their own name (docs/aws-mapping.md).
RENAMED = {
    "s3:ListObjects": "s3:ListBucket",
    "lambda:ListFunctions20150331": "lambda:ListFunctions",
    "s3:UploadPart": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
}


def counted(records: list[dict], tmp_path: Path, columns: str) -> list[tuple]:
    """What the query says of a table of these records."""
    path = tmp_path / "records.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in records))
    con = duckdb.connect()
    types = ", ".join([f"'userIdentity': '{IDENTITY}'", *[f"'{name}': 'VARCHAR'" for name in NAMES]])
    con.execute(
        f"CREATE TABLE cloudtrail_logs AS FROM read_json('{path}', format = 'newline_delimited', columns = {{{types}}})"
    )
    return con.execute(f"SELECT {columns} FROM ({warehouse.usage_query('duckdb')}) ORDER BY ALL").fetchall()


@pytest.mark.parametrize("dialect", warehouse.DIALECTS)
def test_it_parses_in_the_dialect_and_reads_what_the_table_has(dialect):
    *made, asked = sqlglot.parse(warehouse.usage_sql(dialect), read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert not any(tree.find(exp.Command) for tree in [*made, asked])  # what sqlglot cannot read, it keeps as a command
    own = {cte.alias for cte in asked.find_all(exp.CTE)}
    assert {table.name for table in asked.find_all(exp.Table)} - own == {"cloudtrail_logs"}
    table = "\n".join(tree.sql(dialect) for tree in made).lower()
    assert "cloudtrail_logs" in table
    for name in (*NAMES, "userIdentity"):
        assert name.lower() in table


def test_the_samples_are_counted_as_a_loop_counts_them(tmp_path):
    records = [
        one
        for path in sorted(SAMPLES.rglob("*.json.gz"))
        if "CloudTrail-Digest" not in path.parts
        for one in json.loads(gzip.decompress(path.read_bytes()))["Records"]
    ]
    expected: Counter[tuple] = Counter()
    for one in {r["eventID"]: r for r in records}.values():
        name = f"{one['eventSource'].partition('.')[0]}:{one['eventName']}"
        outcome = "no_evidence" if one.get("errorCode") == "SlowDown" else "used"  # else NoSuchKey and the like
        issuer = one["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"]
        expected[one["eventTime"][:10], issuer, RENAMED.get(name, name), outcome] += 1
    assert len(expected) > 300
    found = counted(records, tmp_path, "day::VARCHAR, caller, action, outcome, uses")
    assert {row[:4]: row[4] for row in found} == expected


def test_what_is_no_call_is_left_out_and_what_is_one_twice_counts_once(tmp_path):
    user = f"arn:aws:iam::{ACCOUNT}:user/ann"
    linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x.amazonaws.com/R"
    records = [
        record(name="GetBucketPolicy", number=1),
        record(name="GetBucketPolicy", number=1),  # delivered twice
        record(name="GetBucketPolicy", number=2, errorCode="AccessDenied"),
        record("monitoring", "ListMetrics", number=3, userIdentity={"type": "IAMUser", "arn": user}),
        record("streams.dynamodb", "GetRecords", number=4, eventType="-absent-", eventCategory="-absent-"),
        record("ec2", "DescribeVpcs", number=5, userIdentity={"type": "AWSService", "invokedBy": "x.amazonaws.com"}),
        record("signin", "ConsoleLogin", number=6, eventType="AwsConsoleSignIn"),
        record("kms", "Decrypt", number=7, eventCategory="Insight"),
        record("kms", "RotateKey", number=8, userIdentity={"invokedBy": "kms.amazonaws.com"}),
        record(number=9, userIdentity={"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": linked}}}),
        record(name="HeadObject", number=10, errorCode="SomethingNew"),
    ]
    assert counted(records, tmp_path, "caller, action, outcome, uses, sample_low") == [
        ("", "ec2:DescribeVpcs", "by_service", 1, "id-5"),
        (ROLE, "dynamodb:GetRecords", "used", 1, "id-4"),
        (ROLE, "s3:GetBucketPolicy", "refused", 1, "id-2"),
        (ROLE, "s3:GetBucketPolicy", "used", 1, "id-1"),
        (ROLE, "s3:GetObject", "no_evidence", 1, "id-10"),
        (linked, "s3:ListAllMyBuckets", "by_service", 1, "id-9"),
        (user, "cloudwatch:ListMetrics", "used", 1, "id-3"),
    ]
