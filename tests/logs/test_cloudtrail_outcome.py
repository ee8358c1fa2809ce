"""What became of a call: who refused what, and which records are the same call or no call of the agent's at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import duckdb
import pytest
from cloudtrail_record import ACCOUNT, ROLE, S3_OBJECT, record

from tightener import pipeline
from tightener.config import Config
from tightener.logs.callers import Entry
from tightener.logs.files import LogFile
from tightener.logs.formats.cloudtrail import CloudTrail
from tightener.logs.staging import prepare
from tightener.policy import document
from tightener.report import payload, words
from tightener.resources import query

USER = f"arn:aws:sts::{ACCOUNT}:assumed-role/agent/run-7"
DENIED = [json.loads(line) for line in (Path(__file__).parent / "cloudtrail_denied.jsonl").read_text().splitlines()]
POLICY = """\
project: p
agents:
  agent:
    allow:
      - service: aws
        actions: ["s3:GetObject"]
"""


def read(tmp_path: Path, *records) -> duckdb.DuckDBPyConnection:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"Records": records}))
    con = duckdb.connect()
    con.execute(query("schema"))
    con.execute("SET TimeZone = 'UTC'")
    prepare(con)
    CloudTrail().stage(con, [LogFile(1, str(path), path.stat().st_size)])
    total, accepted, refused, idle = con.execute(
        "SELECT (SELECT sum(records) FROM staged_file), (SELECT count(DISTINCT position) FROM staged_request),"
        " (SELECT count(*) FROM staged_rejected), (SELECT COALESCE(sum(records), 0) FROM staged_not_use)"
    ).fetchone()
    assert total == len(records) == accepted + refused + idle
    return con


def requests(con):
    return con.execute("SELECT action, resource, partial FROM staged_request ORDER BY position, part").fetchall()


def denied(one: dict, number: int = 1) -> dict:
    return record(
        *one["event"], one["params"], number,
        errorCode=one["errorCode"], errorMessage=one["errorMessage"].replace("USER", USER),
    )  # fmt: skip


@pytest.mark.parametrize("number", range(len(DENIED)))
def test_a_refusal_names_action_resource_and_layer(tmp_path: Path, number: int) -> None:
    one = DENIED[number]
    con = read(tmp_path, denied(one))
    partial = "resource" if "*" in one["resource"] or "?" in one["resource"] else ""
    wanted = one["resource"]
    if one["action"] == "codecommit:ListRepositories":  # an action without resource types
        wanted, partial = "", ""
    assert requests(con) == [(one["action"], wanted, partial)]
    assert con.execute("SELECT DISTINCT outcome FROM staged_request").fetchall() == [("refused",)]
    layers = con.execute("SELECT denied_by, explicit FROM staged_trail_record").fetchall()
    assert layers == ([(one["layer"], one["explicit"])] if one["layer"] else [])


def test_every_layer_has_both_kinds_of_refusal() -> None:
    named = {(one["layer"], one["explicit"]) for one in DENIED if one["layer"]}
    for layer in ("identity-based policy", "service control policy", "VPC endpoint policy", "permissions boundary",
                  "session policy", "resource-based policy"):  # fmt: skip
        assert {(layer, True), (layer, False)} <= named
    assert ("resource control policy", True) in named


def study(tmp_path: Path, *files: list[dict]):
    """The agent's comparison over these files, each read by a run of its own."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    project = pipeline.open_project(Config(principals={"agent": (Entry({"role": ROLE}),)}), None)
    for number, records in enumerate(files):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps({"Records": records}))
        pipeline.read_logs(project, [str(path)], datetime(2026, 4, 1, tzinfo=UTC), lambda _: None)
    return pipeline.study(project, document.load([policy]), "agent", min_age=0)


def test_the_comparison_says_who_refused(tmp_path: Path) -> None:
    boundary, bare = DENIED[7], DENIED[15]
    found = study(tmp_path, [denied(boundary, 1), denied(boundary, 2), denied(bare, 3)]).comparison
    listed = {one.action: (payload.attempt(one).get("denied_by"), words.attempt_note(one)) for one in found.refused}
    assert listed == {
        "s3:PutObjectTagging": (
            [{"layer": "permissions boundary", "explicit": False, "count": 2}],
            "not allowed by any permissions boundary",
        ),
        "s3:GetObject": (None, ""),
    }


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_copies_for_several_accounts_are_one_use(tmp_path: Path, order: tuple[int, ...]) -> None:
    """The caller's own account's copy counts, in whatever order and run they are read."""
    copies = [
        record("s3", "GetObject", S3_OBJECT, 1, sharedEventID="one"),
        record("s3", "GetObject", S3_OBJECT, 2, sharedEventID="one", recipientAccountId="444455556666"),
        # a copy that does not name the caller belongs to nobody
        record("s3", "GetObject", S3_OBJECT, 3, sharedEventID="one", recipientAccountId="777788889999",
               userIdentity={"type": "AWSAccount", "principalId": "AROAEXAMPLE:run-7", "accountId": ACCOUNT}),
    ]  # fmt: skip
    found = study(tmp_path, *([copies[i]] for i in order)).comparison
    assert found.uses == 1
    assert [grant.evidence.samples for grant in found.grants] == [("id-1",)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_correction_replaces_its_original(tmp_path: Path, order: tuple[int, ...]) -> None:
    pair = [
        record("s3", "GetObject", S3_OBJECT, 1),
        record("s3", "GetObject", S3_OBJECT, 2, errorCode="AccessDenied",
               addendum={"reason": "UPDATED_DATA", "updatedFields": "errorCode", "originalEventID": "id-1"}),
    ]  # fmt: skip
    found = study(tmp_path, *([pair[i]] for i in order)).comparison
    assert (found.uses, [one.count for one in found.refused]) == (0, [1])


def test_records_that_replace_each_other_or_themselves_are_kept(tmp_path: Path) -> None:
    found = study(tmp_path, [
        record("s3", "GetObject", S3_OBJECT, 1, addendum={"originalEventID": "id-2"}),
        record("s3", "GetObject", S3_OBJECT, 2, addendum={"originalEventID": "id-1"}),
        record("s3", "GetObject", S3_OBJECT, 3, addendum={"originalEventID": "id-3"}),
    ]).comparison  # fmt: skip
    assert found.uses == 3


def test_a_service_linked_role_is_no_agent(tmp_path: Path) -> None:
    linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    identity = {**record()["userIdentity"], "sessionContext": {"sessionIssuer": {"arn": linked}}}
    con = read(tmp_path, record("s3", "GetObject", S3_OBJECT, userIdentity=identity))
    assert con.execute("SELECT outcome FROM staged_request").fetchall() == [("by_service",)]


@pytest.mark.parametrize("category", ["NetworkActivity", "Insight", "Aggregated"])
def test_only_management_and_data_events_are_calls(tmp_path: Path, category: str) -> None:
    con = read(tmp_path, record("s3", "GetObject", S3_OBJECT, eventCategory=category))
    assert con.execute("SELECT reason FROM staged_not_use").fetchall() == [(f"event category {category}",)]


def test_dry_run_throttling_and_forward_access(tmp_path: Path) -> None:
    forward = {**record()["userIdentity"], "invokedBy": "secretsmanager.amazonaws.com"}
    dry = record("ec2", "StartInstances", {"instancesSet": {"items": [{"instanceId": "i-1"}]}}, 1,
                 errorCode="Client.DryRunOperation",
                 errorMessage="Request would have succeeded, but DryRun flag is set.")  # fmt: skip
    con = read(
        tmp_path, dry, record("s3", "GetObject", S3_OBJECT, 2, errorCode="SlowDown"),
        record("kms", "Decrypt", {"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}, 3, userIdentity=forward),
    )  # fmt: skip
    assert con.execute("SELECT DISTINCT position, outcome, indirect FROM staged_request ORDER BY ALL").fetchall() == [
        (1, "used", False),
        (2, "no_evidence", False),
        (3, "used", True),
    ]
