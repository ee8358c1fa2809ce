"""No record, however mutilated, stops the run or is lost from the sums."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tightener.config import Config
from tightener.logs.formats.cloudtrail_text import exact
from tightener.pipeline import open_project, read_logs

ARN = "arn:aws:iam::111122223333:role/agent"
CALLS = [
    ("s3", "PutObject", {"bucketName": "b", "key": "k", "x-amz-tagging": "a=b"}),
    ("s3", "CopyObject", {"bucketName": "b", "key": "k", "x-amz-copy-source": "b/x%20y?versionId=1"}),
    (
        "ec2",
        "RunInstances",
        {"instancesSet": {"items": [{"imageId": "ami-1"}]}, "subnetId": "subnet-1", "groupSet": {}},
    ),
    ("ec2", "CreateTags", {"resourcesSet": {"items": [{"resourceId": "i-1"}, {"resourceId": "vol-1"}]}}),
    (
        "dynamodb",
        "TransactWriteItems",
        {"transactItems": [{"put": {"tableName": "t"}}, {"delete": {"tableName": "u"}}]},
    ),
    ("dynamodb", "ExecuteStatement", {"statement": 'select * from "t"'}),
    ("kms", "ReEncrypt", {"sourceKeyId": "1234abcd-12ab", "destinationKeyId": "alias/a"}),
    ("ssm", "GetParameters", {"names": ["/a", "b"]}),
    ("ssm", "AddTagsToResource", {"resourceType": "Parameter", "resourceId": "/a"}),
    ("lambda", "CreateFunction20150331", {"functionName": "f", "role": ARN, "tags": {"a": "b"}}),
    ("apigateway", "CreateAuthorizer", {"restApiId": "r"}),
    ("sts", "AssumeRole", {"roleArn": ARN, "tags": []}),
    ("glue", "GetTable", {"databaseName": "d", "name": "t", "catalogId": "1:c"}),
    ("iam", "GetUser", None),
    ("nobody", "KnowsThis20200101", {"a": 1}),
]
LONG = "x" * (1 << 20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text('arn:aws*?"\\{}[]/\0é\ud7ff x', max_size=12)
WRONG = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("aARN$.*[]\"'", max_size=6), inner, max_size=3),
    max_leaves=6,
)
VALUES = st.one_of(
    WRONG,
    WRONG.map(json.dumps),  # JSON in a string
    st.sampled_from(
        [LONG, "arn:" + "a:" * 9, "2026-03-01T10:00:00Z", "99999-01-01T00:00:00Z", {"items": [{"instanceId": LONG}]}]
    ),
)


def record(number: int) -> dict[str, object]:
    source, name, params = CALLS[number % len(CALLS)]
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/agent/run",
            "accountId": "111122223333",
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ARN}},
        },
        "eventTime": "2026-03-01T10:00:00Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "errorCode": "AccessDenied",
        "requestParameters": copy.deepcopy(params),
        "resources": [{"ARN": "arn:aws:s3:::b/k", "type": "AWS::S3::Object"}, {"ARNPrefix": "arn:aws:s3:::b/"}],
        "eventID": f"id-{number}",
        "requestID": f"req-{number}",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every place inside a record that can be mutilated."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [found for key in keys for found in ((*path, key), *places(value[key], (*path, key)))]


@st.composite
def mutilated(draw, number: int) -> object:
    one = record(number)
    for _ in range(draw(st.integers(1, 4))):
        found = places(one)
        if not found:
            break
        *above, last = draw(st.sampled_from(found))
        inside = one
        for key in above:
            inside = inside[key]
        if draw(st.booleans()):
            inside[last] = copy.deepcopy(draw(VALUES))
        else:
            del inside[last]
    return draw(st.sampled_from([one] * 30 + [None, 7, "text", [one], []]))


BATCHES = st.integers(2, 12).flatmap(
    lambda size: st.tuples(*(st.integers(0, len(CALLS) - 1).flatmap(mutilated) for _ in range(size)))
)
CARRIERS = {
    "records": lambda records: json.dumps({"Records": records}),
    "array": json.dumps,
    "lines": lambda records: "\n".join(json.dumps(one) for one in records),
}


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(records=BATCHES, carrier=st.sampled_from(sorted(CARRIERS)))
def test_every_record_is_in_the_sums(tmp_path_factory, records, carrier):
    path = tmp_path_factory.mktemp("mutilated") / "trail.json"
    # One sound record is always accepted; NaN and Infinity are left as Python writes them, which is no JSON.
    path.write_text(CARRIERS[carrier]([record(0), *records]), encoding="utf-8")
    project = open_project(Config(), None)
    report = read_logs(project, [str(path)], datetime(2026, 4, 1, tzinfo=UTC), lambda _: None, "cloudtrail")
    (file,) = report.files
    assert file.records == len(records) + 1
    assert file.records == file.accepted + file.duplicate + file.rejected + file.not_use
    kept = project.con.execute(
        "SELECT (SELECT count(DISTINCT position) FROM event), (SELECT count(*) FROM rejected),"
        " (SELECT COALESCE(sum(records), 0) FROM not_use)"
    ).fetchone()
    assert kept == (file.accepted, file.rejected, file.not_use)
    assert file.accepted >= 1
    project.con.close()


def test_behind_a_broken_record_one_with_another_first_key_is_not_lost():
    sound, odd = record(0), record(1)
    del odd["eventVersion"]
    broken = {**record(2), "eventVersion": "@"}
    found = exact(json.dumps([sound, None, broken, odd, sound]).replace('"@"', "[oops]").encode())
    assert [one.position for one in found.records] == [1, 4, 5]
    assert found.bad == [(2, "not a JSON object"), (3, "not JSON")]


def test_an_empty_array_among_broken_records_is_counted():
    found = exact(b'[{"eventName": "A"}, [], {"eventName": oops}, {"eventName": "B"}]')
    assert (len(found.records), [position for position, _ in found.bad]) == (2, [2, 3])
