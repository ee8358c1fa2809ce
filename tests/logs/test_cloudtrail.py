"""CloudTrail records to requests: one hand-written record a row of the mapping table."""

from __future__ import annotations

import pytest
from cloudtrail_record import ACCOUNT, KEY1, KEY2, OBJ, ROLE, S3_OBJECT, read, record, requests, sums

LAMBDA = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
QUEUE = {"queueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/jobs"}
QUEUE_ARN = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs"
KMS = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/"
TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/"

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
    assert [row[0] for row in con.execute("SELECT part FROM staged_request ORDER BY part").fetchall()] == list(
        range(len(wanted))
    )
    sums(con)


def test_the_rest_of_an_event_row(tmp_path):
    con = read(tmp_path, record(params=None))
    row = con.execute("SELECT * FROM staged_request").fetchdf().to_dict("records")[0]
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
    assert con.execute("SELECT action, resource, partial, outcome, mapped FROM staged_request").fetchall() == [
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
    rows = con.execute("SELECT principal, session, indirect, outcome FROM staged_request ORDER BY position").fetchall()
    assert rows == [
        (ROLE, "run-7", True, "used"),
        (user, "", False, "used"),
        ("", "", False, "by_service"),
    ]


def test_outcomes(tmp_path):
    codes = ["AccessDenied", "ThrottlingException", "NoSuchKey", "Client.DryRunOperation", "InvalidParameterValue"]
    con = read(tmp_path, *(record("s3", "GetObject", S3_OBJECT, n, errorCode=code) for n, code in enumerate(codes, 1)))
    rows = con.execute("SELECT outcome FROM staged_request ORDER BY position").fetchall()
    assert [row[0] for row in rows] == ["refused", "no_evidence", "used", "used", "no_evidence"]
