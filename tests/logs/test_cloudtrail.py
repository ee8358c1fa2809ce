"""CloudTrail records to requests: one hand-written record a row of the mapping table, hostile files, carriers."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.logs.files import LogFile
from tightener.logs.formats.cloudtrail import CloudTrail
from tightener.logs.formats.cloudtrail_text import IrregularError, arrays, exact
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
    return con.execute("SELECT action, resource, partial FROM staged ORDER BY file_id, position, part").fetchall()


def sums(con):
    """Every native record is accepted, rejected or no use."""
    total, accepted, rejected, idle = con.execute(
        "SELECT (SELECT sum(records) FROM staged_file), (SELECT count(DISTINCT (file_id, position)) FROM staged),"
        " (SELECT count(*) FROM staged_rejected), (SELECT COALESCE(sum(records), 0) FROM staged_not_use)"
    ).fetchone()
    assert total == accepted + rejected + idle
    return total, accepted, rejected, idle


S3_OBJECT = {"bucketName": "b", "key": "in/x.csv"}
LAMBDA = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
QUEUE = {"queueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/jobs"}
QUEUE_ARN = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs"
KMS = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/"
TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/"
OBJ = "arn:aws:s3:::b/in/x.csv"

ROWS = [
    ("s3", "ListBuckets", None, [("s3:ListAllMyBuckets", "", "")]),
    ("s3", "ListObjects", {"bucketName": "b"}, [("s3:ListBucket", "arn:aws:s3:::b", "")]),
    ("s3", "ListObjectsV2", {"bucketName": "b", "prefix": "in/"}, [("s3:ListBucket", "arn:aws:s3:::b/in/", "")]),
    ("s3", "ListObjectsV2", {"bucketName": "b", "prefix": ""}, [("s3:ListBucket", "arn:aws:s3:::b", "")]),
    ("s3", "HeadBucket", {"bucketName": "b"}, [("s3:ListBucket", "arn:aws:s3:::b", "")]),
    ("s3", "ListObjectVersions", {"bucketName": "b"}, [("s3:ListBucketVersions", "arn:aws:s3:::b", "")]),
    ("s3", "ListMultipartUploads", {"bucketName": "b"}, [("s3:ListBucketMultipartUploads", "arn:aws:s3:::b", "")]),
    ("s3", "ListParts", S3_OBJECT, [("s3:ListMultipartUploadParts", OBJ, "")]),
    ("s3", "GetObject", S3_OBJECT, [("s3:GetObject", OBJ, "")]),
    ("s3", "HeadObject", S3_OBJECT, [("s3:GetObject", OBJ, "")]),
    ("s3", "GetObject", {**S3_OBJECT, "versionId": "v"}, [("s3:GetObjectVersion", OBJ, "")]),
    ("s3", "DeleteObject", {**S3_OBJECT, "versionId": "v"}, [("s3:DeleteObjectVersion", OBJ, "")]),
    ("s3", "GetObject", {"bucketName": "b", "key": "a*?"}, [("s3:GetObject", "arn:aws:s3:::b/a*?", "")]),
    (
        "s3",
        "CopyObject",
        {**S3_OBJECT, "x-amz-copy-source": "src/a%20b.csv"},
        [("s3:GetObject", "arn:aws:s3:::src/a b.csv", ""), ("s3:PutObject", OBJ, "")],
    ),
    (
        "s3",
        "CopyObject",
        {**S3_OBJECT, "x-amz-copy-source": "/src/a?versionId=3", "x-amz-tagging": "k=v"},
        [
            ("s3:GetObjectVersion", "arn:aws:s3:::src/a", ""),
            ("s3:PutObject", OBJ, ""),
            ("s3:PutObjectTagging", OBJ, ""),
        ],
    ),
    ("s3", "UploadPart", S3_OBJECT, [("s3:PutObject", OBJ, "")]),
    ("s3", "DeleteObjects", {"bucketName": "b", "delete": ""}, [("s3:DeleteObject", "arn:aws:s3:::b/*", "resource")]),
    ("s3", "GetBucketLifecycle", {"bucketName": "b"}, [("s3:GetLifecycleConfiguration", "arn:aws:s3:::b", "")]),
    ("s3", "DeleteBucketEncryption", {"bucketName": "b"}, [("s3:PutEncryptionConfiguration", "arn:aws:s3:::b", "")]),
    ("s3", "DeleteBucketCors", {"bucketName": "b"}, [("s3:PutBucketCORS", "arn:aws:s3:::b", "")]),
    ("s3", "GetObject", None, [("s3:GetObject", "*", "resource")]),
    (
        "s3",
        "GetObject",
        {"bucketName": "b", "key": "HIDDEN_DUE_TO_SECURITY_REASONS"},
        [("s3:GetObject", "*", "resource")],
    ),
    ("lambda", "Invoke", {"functionName": "f"}, [("lambda:InvokeFunction", LAMBDA, "")]),
    ("lambda", "GetFunction20150331v2", {"functionName": LAMBDA}, [("lambda:GetFunction", LAMBDA, "")]),
    ("sts", "AssumeRole", {"roleArn": ROLE}, [("sts:AssumeRole", ROLE, "")]),
    (
        "sts",
        "AssumeRole",
        {"roleArn": ROLE, "tags": [{"key": "a", "value": "b"}]},
        [("sts:AssumeRole", ROLE, ""), ("sts:TagSession", ROLE, "")],
    ),
    ("kms", "Decrypt", {"keyId": KEY1}, [("kms:Decrypt", KMS + KEY1, "")]),
    ("kms", "Decrypt", {"keyId": "alias/app"}, [("kms:Decrypt", "*", "resource")]),
    (
        "kms",
        "ReEncrypt",
        {"sourceKeyId": KEY1, "destinationKeyId": KEY2},
        [("kms:ReEncryptFrom", KMS + KEY1, ""), ("kms:ReEncryptTo", KMS + KEY2, "")],
    ),
    ("sqs", "SendMessageBatch", QUEUE, [("sqs:SendMessage", QUEUE_ARN, "")]),
    ("sqs", "DeleteMessageBatch", QUEUE, [("sqs:DeleteMessage", QUEUE_ARN, "")]),
    ("sqs", "ReceiveMessage", QUEUE, [("sqs:ReceiveMessage", QUEUE_ARN, "")]),
    ("dynamodb", "GetItem", {"tableName": "t"}, [("dynamodb:GetItem", TABLE + "t", "")]),
    ("dynamodb", "Query", {"tableName": "t", "indexName": "i"}, [("dynamodb:Query", TABLE + "t/index/i", "")]),
    (
        "dynamodb",
        "BatchGetItem",
        {"requestItems": {"t": {}, "u": {}}},
        [("dynamodb:BatchGetItem", TABLE + "t", ""), ("dynamodb:BatchGetItem", TABLE + "u", "")],
    ),
    (
        "dynamodb",
        "TransactWriteItems",
        {"transactItems": [{"put": {"tableName": "t"}}, {"delete": {"tableName": "u"}}, {"put": {"tableName": "t"}}]},
        [("dynamodb:PutItem", TABLE + "t", ""), ("dynamodb:DeleteItem", TABLE + "u", "")],
    ),
    (
        "dynamodb",
        "ExecuteStatement",
        {"statement": 'SELECT * FROM "t" WHERE a=?'},
        [("dynamodb:PartiQLSelect", TABLE + "t", "")],
    ),
    (
        "dynamodb",
        "BatchExecuteStatement",
        {"statements": [{"statement": "update t set a=1"}, {"statement": 'insert into "u" value {}'}]},
        [("dynamodb:PartiQLInsert", TABLE + "u", ""), ("dynamodb:PartiQLUpdate", TABLE + "t", "")],
    ),
    ("iam", "GetUser", None, [("iam:GetUser", ROLE, "")]),
    ("iam", "GetRole", {"roleName": "r"}, [("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/*r", "resource")]),
    ("ec2", "DescribeInstances", {}, [("ec2:DescribeInstances", "", "")]),
    ("newservice", "DoThing", {"a": 1}, [("newservice:DoThing", "*", "resource")]),
]


@pytest.mark.parametrize(("source", "name", "params", "wanted"), ROWS)
def test_row(tmp_path, source, name, params, wanted):
    con = read(tmp_path, record(source, name, params))
    assert requests(con) == wanted
    assert [row[0] for row in con.execute("SELECT part FROM staged ORDER BY part").fetchall()] == list(
        range(len(wanted))
    )
    sums(con)


def test_the_rest_of_an_event_row(tmp_path):
    con = read(tmp_path, record(params=None))
    row = con.execute("SELECT * FROM staged").fetchdf().to_dict("records")[0]
    assert str(row.pop("time")) == "2026-03-01 10:00:00"
    assert row.pop("approved_at") is not row  # NULL in pandas is not equal to itself
    assert row == {
        "file_id": 1, "position": 1, "part": 0, "source": "cloudtrail", "native_id": "id-1", "agent": "",
        "principal": ROLE, "session": "run-7", "service": "aws", "action": "s3:ListAllMyBuckets", "resource": "",
        "branch": "", "partial": "", "outcome": "used", "decision": "", "request_id": "req-1", "indirect": False,
        "suspicious": False, "mapped": True, "identity": 1,
    }  # fmt: skip


def test_resources_are_chosen_by_the_actions_own_formats(tmp_path):
    resources = [{"ARN": "arn:aws:s3:::b", "type": "AWS::S3::Bucket"}, {"ARN": OBJ, "type": "AWS::S3::Object"}]
    con = read(tmp_path, record("s3", "GetObject", S3_OBJECT, resources=resources),
               record("s3", "GetBucketAcl", None, 2, resources=resources),
               record("s3", "DeleteObject", None, 3, resources=[{"ARNPrefix": "arn:aws:s3:::b/in/"}]))  # fmt: skip
    assert requests(con) == [
        ("s3:GetObject", OBJ, ""),
        ("s3:GetBucketAcl", "arn:aws:s3:::b", ""),
        ("s3:DeleteObject", "arn:aws:s3:::b/in/*", "resource"),
    ]


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_partition(tmp_path, region, partition):
    con = read(tmp_path, record("lambda", "Invoke", {"functionName": "f"}, awsRegion=region))
    assert requests(con)[0][1] == f"arn:{partition}:lambda:{region}:{ACCOUNT}:function:f"


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"eventType": "AwsServiceEvent"}, "service event"),
        ({"eventType": "AwsConsoleSignIn"}, "console sign-in"),
        ({"eventType": "AwsVpceEvent"}, "copy seen by a VPC endpoint"),
        ({"eventType": "AwsMcpEvent"}, "tool call of the AWS MCP server"),
        ({"eventType": "AwsNewThing"}, "event type AwsNewThing"),
        ({"userIdentity": {"accountId": ACCOUNT, "invokedBy": "rds.amazonaws.com"}}, "service event"),
    ],
)
def test_no_use(tmp_path, over, reason):
    con = read(tmp_path, record(**over))
    assert con.execute("SELECT reason, records FROM staged_not_use").fetchall() == [(reason, 1)]
    assert sums(con) == (1, 0, 0, 1)


def test_a_call_that_needs_no_permission_is_no_evidence(tmp_path):
    con = read(tmp_path, record(eventSource="sts.amazonaws.com", eventName="GetCallerIdentity"))
    assert con.execute("SELECT action, resource, partial, outcome, mapped FROM staged").fetchall() == [
        ("sts:GetCallerIdentity", "", "", "no_evidence", True)
    ]


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"eventTime": "-absent-"}, "eventTime is missing"),
        ({"eventTime": None}, "eventTime is missing"),
        ({"eventTime": "yesterday"}, "eventTime is no time in UTC"),
        ({"eventTime": "2026-13-01T10:00:00Z"}, "eventTime is no time in UTC"),
        ({"eventTime": {"a": 1}}, "eventTime is no time in UTC"),
        ({"eventName": None}, "eventName is missing"),
        ({"eventSource": ["s3"]}, "eventSource or eventName is no name"),
        ({"userIdentity": None}, "userIdentity is missing"),
        ({"userIdentity": "me"}, "userIdentity is missing"),
    ],
)
def test_rejected(tmp_path, over, reason):
    con = read(tmp_path, record("s3", "GetObject", S3_OBJECT), record("s3", "GetObject", S3_OBJECT, 2, **over))
    assert con.execute("SELECT position, reason FROM staged_rejected").fetchall() == [(2, reason)]
    assert sums(con) == (2, 1, 1, 0)


def test_who(tmp_path):
    user = f"arn:aws:iam::{ACCOUNT}:user/ci"
    identity = record()["userIdentity"]
    con = read(
        tmp_path,
        record("kms", "Decrypt", {"keyId": KEY1}, 1, userIdentity={**identity, "invokedBy": "s3.amazonaws.com"}),
        record("s3", "GetObject", S3_OBJECT, 2, userIdentity={"type": "IAMUser", "arn": user}),
        record("s3", "PutObject", S3_OBJECT, 3, userIdentity={"type": "AWSService", "invokedBy": "x.amazonaws.com"}),
    )
    rows = con.execute("SELECT principal, session, indirect, outcome FROM staged ORDER BY position").fetchall()
    assert rows == [
        (ROLE, "run-7", True, "used"),
        (user, "", False, "used"),
        ("", "", False, "by_service"),
    ]


def test_outcomes(tmp_path):
    codes = ["AccessDenied", "ThrottlingException", "NoSuchKey", "Client.DryRunOperation", "InvalidParameterValue"]
    con = read(tmp_path, *(record("s3", "GetObject", S3_OBJECT, n, errorCode=code) for n, code in enumerate(codes, 1)))
    rows = con.execute("SELECT outcome FROM staged ORDER BY position").fetchall()
    assert [row[0] for row in rows] == ["refused", "no_evidence", "used", "used", "no_evidence"]


def test_a_record_without_id_gets_the_hash_of_its_canonical_form(tmp_path):
    bare = record("s3", "GetObject", S3_OBJECT, eventID="-absent-")
    con = read(tmp_path, record(), bare)
    wanted = "sha256:" + hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    assert con.execute("SELECT native_id FROM staged ORDER BY position").fetchall() == [("id-1",), (wanted,)]


RECORDS = [record("s3", "GetObject", {"bucketName": "b", "key": f'k{n} {{}}[]"\\ é'}, n) for n in range(1, 30)]
CARRIERS = {
    "records": json.dumps({"Records": RECORDS}).encode(),
    "compact": json.dumps({"Records": RECORDS}, separators=(",", ":"), ensure_ascii=False).encode(),
    "pretty": json.dumps({"Records": RECORDS}, indent=2).encode(),
    "array": json.dumps(RECORDS).encode(),
    "lines": b"\n".join(json.dumps(one).encode() for one in RECORDS) + b"\n",
    "crlf": b"\r\n".join(json.dumps(one).encode() for one in RECORDS) + b"\r\n",
    "blank lines": b"\n\n".join(json.dumps(one).encode() for one in RECORDS),
    "bom": b"\xef\xbb\xbf" + json.dumps({"Records": RECORDS}).encode(),
    "eventbridge": b"\n".join(
        json.dumps({"version": "0", "detail-type": "AWS API Call via CloudTrail", "detail": one}).encode()
        for one in RECORDS
    ),
    "two objects": json.dumps({"Records": RECORDS[:9]}).encode()
    + b"\n"
    + json.dumps({"Records": RECORDS[9:]}).encode(),
    "gzip": gzip.compress(json.dumps({"Records": RECORDS}).encode()),
    "gzip members": gzip.compress(json.dumps({"Records": RECORDS}).encode()[:700])
    + gzip.compress(json.dumps({"Records": RECORDS}).encode()[700:]),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_carriers_give_the_same_events(tmp_path, carrier):
    con = read(tmp_path, text=CARRIERS[carrier])
    rows = con.execute("SELECT position, native_id, resource FROM staged ORDER BY position").fetchall()
    assert rows == [
        (n, f"id-{n}", f"arn:aws:s3:::b/{one['requestParameters']['key']}") for n, one in enumerate(RECORDS, 1)
    ]
    assert sums(con) == (29, 29, 0, 0)
    if "gzip" not in carrier:
        assert CloudTrail().recognises(CARRIERS[carrier])


def test_empty_deliveries(tmp_path):
    assert CloudTrail().recognises(b'{"Records":[]}')
    assert not CloudTrail().recognises(b'{"agent":"a","time":"2026-01-01T00:00:00Z"}')
    for text in (b'{"Records":[]}', b'{ "Records" : [ ] }\n', b"[]"):
        assert sums(read(tmp_path, text=text)) == (0, 0, 0, 0)


def test_a_truncated_gzip_keeps_its_readable_records(tmp_path):
    many = [
        record("s3", "GetObject", {"bucketName": "b", "key": hashlib.sha256(b"%d" % n).hexdigest()}, n)
        for n in range(1, 400)
    ]
    whole = gzip.compress(json.dumps({"Records": many}).encode())
    con = read(tmp_path, text=whole[: len(whole) // 2], name="cut.json.gz")
    problem = con.execute("SELECT problem FROM staged_file").fetchone()[0]
    total, accepted, rejected, _ = sums(con)
    assert problem.startswith("truncated gzip after")
    assert "ends inside record" in problem
    assert 50 < total == accepted < 399
    assert rejected == 0
    assert con.execute("SELECT max(position), count(DISTINCT native_id) FROM staged").fetchone() == (total, total)


def test_broken_records_are_refused_one_by_one(tmp_path):
    texts = [json.dumps(one).encode() for one in RECORDS[:8]]
    texts[2] = texts[2].replace(b'"eventName"', b'"eventName', 1)
    texts[4] = b"7"
    texts[6] = texts[6][:-1]  # its closing brace is missing
    con = read(tmp_path, text=b'{"Records":[' + b",".join(texts) + b"]}")
    assert con.execute("SELECT position, reason FROM staged_rejected ORDER BY ALL").fetchall() == [
        (3, "not JSON"),
        (5, "not a JSON object"),
        (7, "not JSON"),
    ]
    assert [row[0] for row in con.execute("SELECT position FROM staged ORDER BY 1").fetchall()] == [1, 2, 4, 6, 8]


def test_a_broken_line_and_bytes_that_are_not_utf8(tmp_path):
    lines = [json.dumps(one).encode() for one in RECORDS[:4]]
    con = read(
        tmp_path,
        text=b"\n".join([lines[0], b"not json", lines[1], lines[2].replace(b"eu-west-1", b"\xff\xfe"), lines[3]]),
    )
    assert [row[0] for row in con.execute("SELECT position FROM staged_rejected ORDER BY 1").fetchall()] == [2, 4]
    assert sums(con) == (5, 3, 2, 0)


def test_null_and_odd_fields_do_not_break_a_record(tmp_path):
    odd = record("s3", "GetObject", S3_OBJECT, resources="none", errorCode=None, requestID=None, awsRegion=None)
    strange = record("s3", "GetObject", ["a", 1], 2, resources=[None, 3, {"ARN": None}])
    con = read(tmp_path, odd, strange)
    assert requests(con) == [("s3:GetObject", OBJ, ""), ("s3:GetObject", "*", "resource")]


def test_several_files_and_large_ones_count_their_own_positions(tmp_path):
    padded = [record("s3", "GetObject", {**S3_OBJECT, "pad": "x" * 5000}, n) for n in range(1, 801)]
    for name, part in (("a", padded[:700]), ("b", padded[700:])):
        (tmp_path / name).write_bytes(json.dumps({"Records": part}).encode())
    con = staged(tmp_path / "a", tmp_path / "b")
    rows = con.execute("SELECT file_id, position, native_id FROM staged ORDER BY 1, 2").fetchall()
    assert rows == [(1, n, f"id-{n}") for n in range(1, 701)] + [(2, n, f"id-{n + 700}") for n in range(1, 101)]


VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text('"\\{}[],:é aeventVersion', max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["eventVersion", "a", "}"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=6), st.integers(1, 400), st.sampled_from([None, 1]))
def test_cutting_never_changes_the_records(params, size, indent):
    records = [{"eventVersion": "1.09", "p": value} for value in params]
    text = json.dumps({"Records": records}, indent=indent, ensure_ascii=False).encode()
    found = []
    for array in arrays(text[at : at + size] for at in range(0, len(text), size)):
        found += json.loads(array)
    assert found == records
    assert [json.loads(one.text) for one in exact(text).records] == records


def test_what_is_not_closed_is_not_regular():
    with pytest.raises(IrregularError):
        list(arrays(iter([b'{"Records":[{"a":1}'])))
    assert [json.loads(one.text) for one in exact(b'{"Records":[{"a":1},{"a":').records] == [{"a": 1}]


def test_one_connection_reads_several_batches_inside_a_transaction(tmp_path):
    path = tmp_path / "log.json"
    path.write_bytes(CARRIERS["records"])
    con = duckdb.connect()
    con.execute(query("schema"))
    for number in (1, 2):
        con.begin()
        prepare(con)
        CloudTrail().stage(con, [log_file(number, path)])
        con.execute("INSERT INTO event BY NAME FROM staged")
        con.commit()
    assert con.execute("SELECT file_id, count(*) FROM event GROUP BY 1 ORDER BY 1").fetchall() == [(1, 29), (2, 29)]
    left = con.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'ct%'").fetchall()
    assert left == []
