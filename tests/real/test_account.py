"""A real account's IAM that is not part of the project: every role and user against a naive evaluation of raw JSON.

Its folder is TIGHTENER_REAL_DATA, or shared/data beside the checkout; without it the tests are skipped.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tightener.iam.account import load
from tightener.iam.beyond import beyond
from tightener.services.catalogue import all_actions

DATA = Path(os.environ.get("TIGHTENER_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
FILE = DATA / "grants" / "account-authorization-details.json"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not FILE.is_file(), reason="no real account: set TIGHTENER_REAL_DATA to its folder"),
]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def raw_statements(data: dict[str, Any], member: dict[str, Any]) -> list[dict[str, Any]]:
    """All statements that reach a role or user, straight from the file."""
    holders = [member, *(g for g in data["GroupDetailList"] if g["GroupName"] in member.get("GroupList", []))]
    found: list[dict[str, Any]] = []
    for holder in holders:
        for key in ("RolePolicyList", "UserPolicyList", "GroupPolicyList"):
            for policy in holder.get(key, []):
                found += listed(policy["PolicyDocument"]["Statement"])
        for policy in data["Policies"]:
            if policy["Arn"] in {a["PolicyArn"] for a in holder["AttachedManagedPolicies"]}:
                version = next(v for v in policy["PolicyVersionList"] if v["IsDefaultVersion"])
                found += listed(version["Document"]["Statement"])
    return found


@cache
def by_prefix() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for action in all_actions():
        found.setdefault(action.partition(":")[0], []).append(action)
    return found


@cache
def named_by(pattern: str) -> frozenset[str]:
    """The actions that one pattern matches; only those of its service are looked at where it names one."""
    candidates = by_prefix().get(pattern.partition(":")[0].lower(), []) if pattern != "*" else list(all_actions())
    one = re.compile(fnmatch.translate(pattern.lower()))
    return frozenset(a for a in candidates if one.match(a.lower()))


def about(statement: dict[str, Any], actions: list[str]) -> set[str]:
    key = "Action" if "Action" in statement else "NotAction"
    named = {action for pattern in listed(statement[key]) for action in named_by(pattern)}
    return named if key == "Action" else set(actions) - named


def test_every_role_and_user_against_raw_json() -> None:
    data = json.loads(FILE.read_text(encoding="utf-8"))
    members = {m["Arn"]: m for m in (*data["RoleDetailList"], *data["UserDetailList"])}
    found = load(FILE).identities(["*"])
    assert {one.arn for one in found} == set(members)
    assert len(found) == 78 + 44
    actions = list(all_actions())
    catalogue = set(actions)
    listing = {"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}
    for one in found:
        statements = raw_statements(data, members[one.arn])
        assert len(one.statements) == len(statements)
        # All denies of this account name every resource and have no condition, so actions alone decide.
        denied: set[str] = set()
        could: set[str] = set()
        surely: set[str] = set()
        for s in statements:
            if s["Effect"] == "Deny":
                assert (s["Resource"], "Condition" in s) == ("*", False)
                denied |= about(s, actions)
                continue
            named = about(s, actions)
            if all(r.startswith("arn:aws:s3:::") and "/" in r for r in listed(s["Resource"])):
                named -= listing
            could |= named
            sure = [r for r in listed(s["Resource"]) if "${" not in r]
            surely |= named if sure and not s.get("Condition") else set()
        compared = beyond("a", None, one, NOW)
        known = {e.action: e for e in compared.excess if e.action in catalogue}
        assert set(known) == could - denied, one.name
        assert {a for a, e in known.items() if not e.conditional} == surely - denied, one.name
        assert one.unread == ()
