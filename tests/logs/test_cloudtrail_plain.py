"""What an event says plainly is what the search for its resource finds: the same rows with it and without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cloudtrail_record import ACCOUNT, KEY1, ROLE, record, staged
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.logs.formats import cloudtrail, cloudtrail_plain
from tightener.services.aws import resolve

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "sample_logs").rglob("*.json.gz"))
CALLS = [
    *[
        ("s3", name)
        for name in ("GetObject", "PutObject", "ListObjectsV2", "DeleteObject", "CopyObject", "GetBucketAcl")
    ],
    *[("kms", name) for name in ("Decrypt", "GenerateDataKey", "ReEncrypt", "CreateGrant")],
    *[("sts", name) for name in ("AssumeRole", "GetCallerIdentity", "AssumeRoleWithWebIdentity")],
    *[("iam", name) for name in ("GetRole", "PassRole", "GetUser", "AttachRolePolicy", "CreatePolicy")],
    *[("lambda", name) for name in ("Invoke", "GetFunction20150331v2", "CreateFunction20150331")],
    *[("dynamodb", name) for name in ("GetItem", "DescribeTable", "Query", "BatchGetItem", "TransactWriteItems")],
    *[("sqs", name) for name in ("SendMessage", "GetQueueAttributes")],
    *[("ec2", name) for name in ("DescribeInstances", "RunInstances", "TerminateInstances", "CreateTags")],
    *[("logs", name) for name in ("DescribeLogGroups", "PutLogEvents")],
    *[("ssm", name) for name in ("GetParameter", "GetParameters")],
    *[("secretsmanager", "GetSecretValue"), ("bedrock", "InvokeModel"), ("glue", "GetTable"), ("nobody", "KnowsThis")],
]
ARNS = [
    *[
        "arn:aws:s3:::b",
        "arn:aws:s3:::b/k",
        f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/p/object/k",
        "arn:aws:s3:::b/*",
    ],
    *[ROLE, f"arn:aws:iam::{ACCOUNT}:policy/p", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{KEY1}"],
    *[f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f", f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t/index/i"],
    *["arn:aws-cn:s3:::b/k", "arn:", "not an arn", ""],
]
WORDS = ["b", "in/x.csv", KEY1, "alias/a", "f", "t", "i-1", "/a/", "v", "HIDDEN_DUE_TO_SECURITY_REASONS", "a\\b", "é"]
QUEUE = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/jobs"
NAMES = [
    *[
        "bucketName",
        "key",
        "prefix",
        "versionId",
        "x-amz-tagging",
        "x-amz-copy-source",
        "keyId",
        "sourceKeyId",
        "roleArn",
    ],
    *[
        "roleName",
        "path",
        "userName",
        "policyArn",
        "functionName",
        "qualifier",
        "role",
        "tableName",
        "indexName",
        "queueUrl",
    ],
    *[
        "logGroupName",
        "name",
        "secretId",
        "modelId",
        "instancesSet",
        "requestItems",
        "tags",
        "sourceIdentity",
        "policy",
    ],
]
value = st.sampled_from(ARNS + WORDS + [QUEUE])
parameters = st.none() | st.dictionaries(
    st.sampled_from(NAMES),
    value | st.lists(value, max_size=2) | st.dictionaries(st.sampled_from(NAMES), value, max_size=2),
    max_size=5,
)
listed = st.lists(
    st.fixed_dictionaries({}, optional={"ARN": st.sampled_from(ARNS), "ARNPrefix": st.sampled_from(ARNS)}), max_size=3
)
REFUSED = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/agent/run-7 is not authorized to perform: s3:GetObject"
records = st.lists(
    st.tuples(
        st.sampled_from(CALLS),
        parameters,
        st.fixed_dictionaries(
            {},
            optional={
                "resources": listed,
                "awsRegion": st.sampled_from(["cn-north-1", "", "-absent-"]),
                "recipientAccountId": st.just("-absent-"),
                "errorCode": st.sampled_from(["AccessDenied", "NoSuchKey"]),
                "errorMessage": st.just(REFUSED),
                "eventCategory": st.just("Data"),
                "userIdentity": st.just({"type": "AWSService", "invokedBy": "s3.amazonaws.com"}),
            },
        ),
    ),
    min_size=1,
    max_size=30,
)
TABLES = ("request", "rejected", "not_use", "trail_record", "trail_shown")


def rows(*paths: Path) -> tuple[dict[str, list[Any]], int]:
    """What is staged of the files, sorted, and how many of its requests were plain."""
    plain = []
    keep = cloudtrail.CloudTrail._events

    def events(con):
        plain.append(con.execute("SELECT count(*) FROM ct_request WHERE plain").fetchone()[0])
        return keep(con)

    with mock.patch.object(cloudtrail.CloudTrail, "_events", staticmethod(events)):
        con = staged(*paths)
    return {name: sorted(con.execute(f"FROM staged_{name}").fetchall(), key=repr) for name in TABLES}, sum(plain)


def searched(*paths: Path) -> dict[str, list[Any]]:
    """The same, with a search for each."""
    with mock.patch.object(cloudtrail_plain, "plain", lambda requests: [{"plain": False} for _ in requests]):
        found, plain = rows(*paths)
    assert plain == 0
    return found


def test_the_sample_says_the_same_plainly() -> None:
    found, plain = rows(*SAMPLES)
    assert found == searched(*SAMPLES)
    assert plain > len(found["request"]) // 2


@settings(max_examples=8)
@given(some=records)
def test_random_records_say_the_same_plainly(tmp_path_factory: pytest.TempPathFactory, some: list[Any]) -> None:
    every = [record(*call, params, number, **over) for number, (call, params, over) in enumerate(some)]
    path = tmp_path_factory.mktemp("plain") / "log.json"
    path.write_text(json.dumps({"Records": every}), encoding="utf-8")
    assert rows(path)[0] == searched(path)


def test_what_depends_on_parameters_is_plain_only_without_them() -> None:
    (get, version) = cloudtrail_plain.plain(resolve("s3.amazonaws.com", "GetObject"))
    assert (get["plain"], get["rivals"], version["plain"]) == (True, ['"versionId"'], False)
    assert not any(one["plain"] for one in cloudtrail_plain.plain(resolve("dynamodb.amazonaws.com", "BatchGetItem")))


POINT = f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/p/object/k"


@pytest.mark.parametrize(
    ("call", "params", "arns"),
    [
        (("s3", "GetObject"), {"bucketName": "b", "key": "k"}, [POINT]),
        (("s3", "GetObject"), {"bucketName": "b", "key": "k"}, ["arn:aws:s3:::b/k", POINT]),
        (("s3", "GetObject"), {"bucketName": "b", "key": "k", "role": POINT}, []),
        (("s3", "PutObject"), {"bucketName": "b", "key": "k", "x-amz-tagging": "a=b"}, []),
        (("kms", "Decrypt"), {}, [f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}" for key in (KEY1, KEY1[::-1])]),
    ],
)
def test_what_says_more_than_one_thing_is_searched(
    tmp_path: Path, call: tuple[str, str], params: dict[str, str], arns: list[str]
) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(record(*call, params, resources=[{"ARN": arn} for arn in arns])), encoding="utf-8")
    found, plain = rows(path)
    assert found == searched(path)
    assert (plain, len(found["request"])) == (0, 2)
