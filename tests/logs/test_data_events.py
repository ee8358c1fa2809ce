"""Data events: a trail's selectors often name a few buckets or tables; it is evidence for those, and for no other."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_trail import ACCOUNT, DAILY, DATA, DAYS, FIRST, OTHER_REGION, days, measured, read, record

from tightener import pipeline, roles
from tightener.iam import account
from tightener.policy import document
from tightener.resources import query
from tightener.services.observe import container, container_cut

A, B = "arn:aws:s3:::bucket-a", "arn:aws:s3:::bucket-b"
TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:"
BASE = [*DAILY, OTHER_REGION]
SINCE = FIRST.date()


def s3(name: str, bucket: str = "bucket-a", day: int = 0, **more: str) -> dict:
    parameters = {"bucketName": bucket, "key": "x/y.pdf", **more}
    return record("s3", name, day, **{**DATA, "requestParameters": parameters, "eventID": f"{name}{bucket}{day}{more}"})


def call(source: str, name: str, **parameters: object) -> dict:
    return record(source, name, **{**DATA, "requestParameters": parameters})


def test_a_bucket_says_nothing_of_another(tmp_path: Path) -> None:
    found = measured(tmp_path, [*BASE, s3("GetObject", day=3)])
    assert days(found, "s3:GetObject", f"{A}/*") == DAYS - 3
    assert days(found, "s3:GetObject", f"{A}/x/*", A) == DAYS - 3
    assert days(found, "s3:ListBucket", A) == DAYS - 3  # a data event of the same type, and a read
    for elsewhere in (f"{B}/*", f"{A}*", "arn:aws:s3:::*", "arn:aws:s3:::bucket-?/*", "*", "arn:*:s3:::bucket-a/*"):
        assert days(found, "s3:GetObject", elsewhere) == 0, elsewhere
        assert days(found, "s3:GetObject", f"{A}/*", elsewhere) == 0, elsewhere
    assert days(found, "s3:GetObject") == 0
    # reads and writes apart
    assert days(found, "s3:PutObject", f"{A}/*") == 0


def test_the_latest_first_day_counts(tmp_path: Path) -> None:
    records = [s3("GetObject", day=3), s3("GetObject", "bucket-b", 7), s3("GetObject", "bucket-b", 9)]
    found = measured(tmp_path, [*BASE, *records])
    assert days(found, "s3:GetObject", f"{A}/*", f"{B}/*") == DAYS - 7


@pytest.mark.parametrize(
    ("shown", "action", "inside", "outside"),
    [
        (call("dynamodb", "GetItem", tableName="t"), "dynamodb:Query", f"{TABLE}t/index/*", f"{TABLE}u"),
        (call("dynamodb", "GetItem", tableName="t"), "dynamodb:GetItem", f"{TABLE}t", f"{TABLE}t*"),
        ({**call("lambda", "Invoke", functionName="f"), "readOnly": False}, "lambda:InvokeFunction",
         f"{FUNCTION}f:PROD", f"{FUNCTION}g"),
        ({**call("lambda", "Invoke", functionName=f"{FUNCTION}f:PROD"), "readOnly": False}, "lambda:InvokeFunction",
         f"{FUNCTION}f", f"{FUNCTION}*"),
        (call("sqs", "SendMessage", queueUrl=f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/q"), "sqs:SendMessage",
         f"{QUEUE}q", f"{QUEUE}r"),
        ({**call("sns", "Publish", topicArn=f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"), "readOnly": False}, "sns:Publish",
         f"arn:aws:sns:eu-west-1:{ACCOUNT}:t", "arn:aws:sns:eu-west-1:*:t"),
    ],
)  # fmt: skip
def test_tables_functions_queues_topics(tmp_path: Path, shown: dict, action: str, inside: str, outside: str) -> None:
    found = measured(tmp_path, [*BASE, shown])
    assert (days(found, action, inside), days(found, action, outside)) == (DAYS, 0)


def test_what_has_no_arn_is_selected_as_a_whole(tmp_path: Path) -> None:
    found = measured(tmp_path, [*BASE, {**call("monitoring", "PutMetricData", namespace="n"), "readOnly": False}])
    assert days(found, "cloudwatch:PutMetricData") == DAYS


def test_a_record_of_two_containers_says_nothing_of_either(tmp_path: Path) -> None:
    """It was logged because one of them is selected; which one it does not say."""
    copy = s3("CopyObject", "bucket-a", **{"x-amz-copy-source": "bucket-b/old.pdf"})
    found = measured(tmp_path, [*BASE, {**copy, "readOnly": False}])
    assert [days(found, "s3:PutObject", f"{one}/*") for one in (A, B)] == [0, 0]
    inside = s3("CopyObject", "bucket-a", **{"x-amz-copy-source": "bucket-a/old.pdf"})
    found = measured(tmp_path, [*BASE, {**inside, "readOnly": False}])
    assert [days(found, action, f"{A}/*") for action in ("s3:PutObject", "s3:GetObject")] == [DAYS, 0]
    batch = call("dynamodb", "BatchGetItem", requestItems={"t": {}, "u": {}})
    found = measured(tmp_path, [*BASE, batch])
    assert [days(found, "dynamodb:GetItem", f"{TABLE}{name}") for name in "tu"] == [0, 0]


def test_a_bucket_whose_keys_are_not_named(tmp_path: Path) -> None:
    found = measured(tmp_path, [*BASE, {**s3("DeleteObjects"), "readOnly": False}])
    assert days(found, "s3:DeleteObject", f"{A}/*") == DAYS


def test_every_account_has_to_show_it(tmp_path: Path) -> None:
    other = "444455556666"
    there = {
        "recipientAccountId": other,
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{other}:assumed-role/agent/run",
            "sessionContext": {"sessionIssuer": {"arn": f"arn:aws:iam::{other}:role/agent"}},
        },
    }
    mine = [s3("GetObject"), s3("GetObject", "bucket-b")]
    theirs = [{**s3("GetObject", day=2), **there}]
    theirs += [{**one, **there, "eventID": f"{one['eventID']} there"} for one in DAILY]
    found = measured(tmp_path, [*BASE, *mine, *theirs], "arn:aws:iam::*:role/agent")
    assert [days(found, "s3:GetObject", f"{one}/*") for one in (A, B)] == [DAYS - 2, 0]


# --- what people declare ---------------------------------------------------------------------------------------------


def test_a_declaration_counts_from_its_day_on(tmp_path: Path) -> None:
    found = measured(tmp_path, [*BASE, s3("GetObject", day=2)], data_events={"AWS::S3::Object": date(2026, 3, 9)})
    assert days(found, "s3:GetObject", f"{A}/*") == DAYS - 2
    for anywhere in (f"{B}/*", "*", "arn:aws:s3:::*"):
        assert days(found, "s3:GetObject", anywhere) == days(found, "s3:PutObject", anywhere) == DAYS - 8
    assert days(found, "lambda:InvokeFunction", f"{FUNCTION}f") == 0
    # other switches are no part of it
    assert days(found, "ec2:StopInstances") == 0
    one_region = measured(tmp_path, DAILY, data_events={"AWS::Lambda::Function": date(2026, 1, 1)})
    assert [days(one_region, "lambda:InvokeFunction", r) for r in (f"{FUNCTION}*", "*")] == [DAYS, 0]
    assert "eu-west-1 only" in one_region.why_not("aws", "lambda:InvokeFunction")


def test_a_declaration_is_for_the_resources_of_its_type(tmp_path: Path) -> None:
    """A queue's ARN is no bucket's; an access point is a resource type of its own in a trail's selectors."""
    found = measured(tmp_path, BASE, data_events={"AWS::S3::Object": date(2026, 1, 1)})
    point = f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/p/object/*"
    assert days(found, "s3:GetObject", point) == 0
    assert "an access point" in found.why_not("aws", "s3:GetObject", [point])


@pytest.mark.parametrize(
    ("records", "action", "resources", "says"),
    [
        ([], "s3:GetObject", [f"{B}/*"], "has shown no data event of AWS::S3::Object: switch on its data events"),
        ([s3("PutObject", "bucket-b")], "s3:GetObject", [f"{B}/*"], "AWS::S3::Object, but no reads: log its reads"),
        ([s3("GetObject")], "s3:GetObject", [f"{A}/*", f"{B}/*"], f"but no reads in {B}: let it select it, and say"),
        ([s3("GetObject")], "s3:GetObject", [f"{B}/*", "arn:aws:s3:::bucket-c"], f"in {B} and 1 more: let it select"),
        ([s3("GetObject")], "s3:GetObject", [f"{B}/*"], "under `data_events` since when it selects all of AWS::S3::Ob"),
        ([s3("GetObject")], "s3:GetObject", ["*"], f"reads of AWS::S3::Object in {A} only, and a use elsewhere"),
        ([s3("GetObject"), s3("GetObject", "bucket-b")], "s3:GetObject", None, "in 2 places only, and a use elsewhere"),
    ],
)  # fmt: skip
def test_what_there_is_to_do(
    tmp_path: Path, records: list[dict], action: str, resources: list[str] | None, says: str
) -> None:
    found = measured(tmp_path, [*BASE, *records])
    assert sum(found.observed("aws", action, resources)) == 0
    assert says in found.why_not("aws", action, resources)


# --- containers ------------------------------------------------------------------------------------------------------

SEGMENTS = ["arn", "aws", "s3", "", "b", "b*", "?", "*", "function", "table", "t", "index", "accesspoint", "lambda",
            "dynamodb", "eu-west-1", "1", "sqs", "runtime", "bedrock-agentcore", "x\ny"]  # fmt: skip


NAMED_PARTS = {
    ("s3", "accesspoint", "/"),
    ("lambda", "function", ":"),
    ("dynamodb", "table", "/"),
    ("bedrock-agentcore", "runtime", "/"),
}


def naive_container(resource: str) -> str:
    """By counting separators, for the kinds of ARN that have parts; everything else is its own."""
    fields = resource.split(":", 5)
    found = resource
    if len(fields) == 6 and fields[0] == "arn" and fields[1]:
        service, region, account, rest = fields[2:]
        parts = re.split("([:/])", rest)
        scoped = bool(region and account)
        most = 0
        if service == "s3" and not region and not account:
            most = 1
        elif scoped and (service, *parts[:2]) in NAMED_PARTS:
            most = 2
        head = parts[: 2 * most - 1]
        cut = most and all(head) and len(parts) > len(head) == 2 * most - 1
        if cut and not {"*", "?"} & set("".join(fields[:5] + head)):
            found = ":".join([*fields[:5], "".join(head)])
    return "" if {"*", "?"} & set(found) else found


resources = st.one_of(
    st.tuples(st.sampled_from(["arn:aws:s3:::", "arn:aws:lambda:r:1:function:", "arn:aws:dynamodb:r:1:table/",
                               "arn:aws:s3:r:1:accesspoint/", "arn:aws:sqs:r:1:", "arn:*:s3:::", ""]),
              st.lists(st.sampled_from([*SEGMENTS, "/", ":"]), max_size=6).map("".join)).map("".join),
    st.lists(st.tuples(st.sampled_from(SEGMENTS), st.sampled_from(":/")).map("".join), max_size=9).map("".join),
)  # fmt: skip


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("SET VARIABLE ct_cut = $cut", {"cut": container_cut()})
    con.execute(query("stage_cloudtrail_macros"))
    return con


@settings(max_examples=40)
@given(st.lists(resources, min_size=20, max_size=60))
def test_containers_are_cut_alike_by_sql_and_by_counting(con: duckdb.DuckDBPyConnection, values: list[str]) -> None:
    cut = con.execute("SELECT list_transform($values, lambda r: ct_container(r))", {"values": values}).fetchone()[0]
    assert cut == [container(one) for one in values] == [naive_container(one) for one in values]


@settings(max_examples=4)
@given(st.data())
def test_days_against_a_naive_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Random events on three buckets: a grant counts from the day on which each of its buckets has been shown."""
    names = ["bucket-a", "bucket-b", "bucket-c"]
    events = data.draw(
        st.lists(st.tuples(st.sampled_from(["GetObject", "PutObject"]), st.sampled_from(names), st.integers(0, 19)))
    )
    found = measured(tmp_path_factory.mktemp("t"), [*BASE, *(s3(*one) for one in events)])
    for name in ("GetObject", "PutObject"):
        for some in (names[:1], names[1:], names):
            first = [min((day for n, b, day in events if (n, b) == (name, one)), default=None) for one in some]
            wanted = 0 if None in first else DAYS - max(first)
            assert days(found, f"s3:{name}", *(f"arn:aws:s3:::{one}/*" for one in some)) == wanted


# --- from the log to the proposal -------------------------------------------------------------------------------------

POLICY = """agents:
  agent:
    x-granted-since: 2025-01-01
    allow:
      - service: aws
        actions: ["s3:GetObject"]
        resources: ["arn:aws:s3:::bucket-a/*", "arn:aws:s3:::bucket-b/*"]
      - service: aws
        actions: ["s3:GetObjectTagging"]
        resources: ["arn:aws:s3:::bucket-b/*"]
    deny:
      - service: aws
        actions: ["iam:*"]
"""


@pytest.mark.parametrize("declared", [False, True])
def test_what_the_trail_may_not_select_stays_granted(tmp_path: Path, declared: bool) -> None:
    """Only bucket-a was ever shown: no grant on bucket-b may go, nor bucket-b from a grant that is used."""
    daily = [s3("GetObject", day=day) for day in range(DAYS)]
    config = {"data_events": {"AWS::S3::Object": SINCE}} if declared else {}
    project = read(tmp_path, [*BASE, *daily], **config)
    (tmp_path / "policy.yaml").write_text(POLICY)
    found = pipeline.study(project, document.load([tmp_path / "policy.yaml"], {}), "agent", days=DAYS)
    statuses = [(g.action, str(g.status)) for g in found.comparison.grants]
    proposal = pipeline.propose(project, found)
    if declared:
        assert statuses == [("s3:GetObject", "exercised"), ("s3:GetObjectTagging", "unexercised")]
        # thirty days are enough to see, and not enough to take anything away (docs/evidence.md)
        assert proposal.text == POLICY
        used, unused = found.comparison.grants
        assert "month-ends" in used.lacking
        assert "month-ends" in str(unused.verdict.missing)
    else:
        assert statuses == [("s3:GetObject", "exercised"), ("s3:GetObjectTagging", "unobservable")]
        assert proposal.text == POLICY
        assert f"no reads in {B}" in found.comparison.grants[0].note


def test_a_role_is_held_to_the_same(tmp_path: Path) -> None:
    """With the agent's IAM as the granted side: what the trail may not select is unobservable there, too."""
    allow = {"Effect": "Allow", "Action": "s3:GetObjectTagging", "Resource": [f"{B}/*"]}
    document_ = {"Version": "2012-10-17", "Statement": [allow]}
    (tmp_path / "iam.json").write_text(json.dumps(document_))
    daily = [s3("GetObject", day=day) for day in range(DAYS)]
    found = {}
    for declared in ({}, {"AWS::S3::Object": SINCE}):
        project = read(tmp_path, [*BASE, *daily], data_events=declared)
        study = roles.study_role(project, account.load(tmp_path / "iam.json"), "agent", days=DAYS).study
        found[len(declared)] = [str(g.status) for g in study.comparison.grants]
    assert found == {0: ["unobservable"], 1: ["unexercised"]}
