"""An account's IAM: which policies reach whom, and the defects that others have with it (each a test)."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tightener.errors import PolicyError
from tightener.iam.account import Account, Identity, is_principal, load, parse
from tightener.iam.regions import Role

ROLE = "arn:aws:iam::123456789012:role/agents/claude-1"


def managed(name: str, *statements: dict[str, Any], made: str = "2025-06-01T00:00:00Z") -> dict[str, Any]:
    """A managed policy whose first version would allow everything, and is not the default."""
    wide = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    return {
        "PolicyName": name,
        "Arn": f"arn:aws:iam::aws:policy/{name}",
        "DefaultVersionId": "v2",
        "PolicyVersionList": [
            {"VersionId": "v1", "IsDefaultVersion": False, "Document": wide},
            {
                "VersionId": "v2",
                "IsDefaultVersion": True,
                "CreateDate": made,
                "Document": {"Statement": list(statements)},
            },
        ],
    }


def allow(action: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


def attached(*names: str) -> list[dict[str, str]]:
    return [{"PolicyName": n, "PolicyArn": f"arn:aws:iam::aws:policy/{n}"} for n in names]


ACCOUNT: dict[str, Any] = {
    "RoleDetailList": [
        {
            "RoleName": "claude-1",
            "Arn": ROLE,
            "CreateDate": "2025-01-01T00:00:00Z",
            "RolePolicyList": [
                {"PolicyName": "own", "PolicyDocument": {"Statement": allow("sqs:SendMessage", Sid="Send")}}
            ],
            "AttachedManagedPolicies": attached("Keys", "Missing"),
        }
    ],
    "UserDetailList": [
        {
            "UserName": "dana",
            "Arn": "arn:aws:iam::123456789012:user/dana",
            "GroupList": ["ops", "gone"],
            "UserPolicyList": [],
        }
    ],
    "GroupDetailList": [
        {
            "GroupName": "ops",
            "GroupPolicyList": [{"PolicyName": "g", "PolicyDocument": {"Statement": allow("ec2:RunInstances")}}],
            "AttachedManagedPolicies": attached("Keys"),
        }
    ],
    "Policies": [managed("Keys", allow("kms:Decrypt")), managed("Limit", allow("kms:*"))],
}


def account(change: Any = None) -> Account:
    data = copy.deepcopy(ACCOUNT)
    if change:
        change(data)
    return parse(json.dumps(data, indent=1), "account.json")


def role(change: Any = None) -> Identity:
    (found,) = account(change).identities([ROLE])
    return found


def test_inline_and_managed_policies_by_their_default_version() -> None:
    found = role()
    assert [(s.source.how, s.source.policy, s.source.sid, s.actions) for s in found.statements] == [
        ("inline policy", "own", "Send", ("sqs:SendMessage",)),
        ("managed policy", "Keys", "", ("kms:Decrypt",)),
    ]
    assert [s.source.since for s in found.statements] == [date(2025, 1, 1), date(2025, 6, 1)]


def test_a_policy_that_is_not_in_the_file_is_named() -> None:
    assert role().unread == ("managed policy arn:aws:iam::aws:policy/Missing",)


def test_policies_of_groups_reach_their_users() -> None:
    (dana,) = account().identities(["*user/dana"])
    assert [s.source.how for s in dana.statements] == ["inline policy of group ops", "managed policy of group ops"]
    assert dana.unread == ("group gone",)


def limited(name: str) -> Any:
    def change(data: dict[str, Any]) -> None:
        data["RoleDetailList"][0]["PermissionsBoundary"] = {"PermissionsBoundaryArn": f"arn:aws:iam::aws:policy/{name}"}

    return change


def test_a_boundary_limits_and_grants_nothing_by_itself() -> None:
    found = Role(role(limited("Limit")))
    assert found.reached("kms:Decrypt")
    assert not found.reached("sqs:SendMessage")
    assert not found.reached("kms:Encrypt")
    assert "kms:Encrypt" not in found.actions()


def test_a_boundary_that_is_not_in_the_file_is_named_and_limits_nothing() -> None:
    found = role(limited("Elsewhere"))
    assert found.boundary is None
    assert "permissions boundary arn:aws:iam::aws:policy/Elsewhere" in found.unread


def test_places_are_those_of_the_statements() -> None:
    text = json.dumps(ACCOUNT, indent=1)
    lines = text.split("\n")
    for statement in role().statements:
        around = "".join(lines[statement.source.place.line - 1 :][:4])
        assert statement.actions[0] in around


def test_no_default_version_is_an_error() -> None:
    def change(data: dict[str, Any]) -> None:
        data["Policies"][0]["DefaultVersionId"] = "v9"
        data["Policies"][0]["PolicyVersionList"][1]["IsDefaultVersion"] = False

    with pytest.raises(PolicyError, match="0 default versions"):
        role(change)


def test_the_default_version_may_be_named_by_its_id_alone() -> None:
    def change(data: dict[str, Any]) -> None:
        for version in data["Policies"][0]["PolicyVersionList"]:
            del version["IsDefaultVersion"]

    assert role(change).statements[1].actions == ("kms:Decrypt",)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (ROLE, True),
        ("arn:aws:iam::123456789012:role/*", True),
        ("arn:aws:sts::123456789012:assumed-role/claude-1/session", True),
        ("arn:aws:sts::123456789012:assumed-role/claude-*/*", True),
        ("arn:aws:sts::123456789012:assumed-role/claude-1", True),
        ("arn:aws:sts::999999999999:assumed-role/claude-1/session", False),
        ("arn:aws:sts::123456789012:assumed-role/claude-10/session", False),
        ("arn:aws:sts::123456789012:assumed-role/agents/claude-1", False),
        ("arn:aws:iam::123456789012:role/claude-1", False),
    ],
)
def test_which_principals_are_a_role(pattern: str, expected: bool) -> None:
    assert is_principal(pattern, ROLE) is expected


def test_a_session_is_no_user() -> None:
    assert not is_principal("arn:aws:sts::1:assumed-role/dana/s", "arn:aws:iam::1:user/dana")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_files_as_shells_write_them(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "account.json"
    path.write_text(json.dumps(ACCOUNT), encoding=encoding)
    assert load(path).arns() == (ROLE, "arn:aws:iam::123456789012:user/dana")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(b'{"\xff\xfe": 1}')
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "bad.json"):
        with pytest.raises(PolicyError) as caught:
            load(path)
        assert caught.value.slug == "unreadable"


def test_a_document_stands_for_its_role() -> None:
    text = json.dumps({"Statement": [allow("sqs:SendMessage"), allow("kms:Decrypt")]})
    (found,) = parse(text, "policy.json").identities(())
    assert found.kind == "document"
    assert [s.source.number for s in found.statements] == [1, 2]
