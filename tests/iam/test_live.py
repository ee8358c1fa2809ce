"""--live, with botocore's own stub instead of AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber

from tightener.errors import TightenerError
from tightener.iam.live import PERMISSION, fetch

ROLE = "arn:aws:iam::123456789012:role/claude-1"
MADE = datetime(2025, 3, 4, tzinfo=UTC)


def client() -> Any:
    return boto3.client("iam", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")


def page(**lists: Any) -> dict[str, Any]:
    return {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": [],
        "Policies": [],
        "IsTruncated": False,
        **lists,
    }


def test_all_pages_are_read() -> None:
    # On the wire a document is URL-encoded text; botocore's handler decodes it, which a stub leaves out.
    document = quote(json.dumps({"Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}))
    role = {
        "RoleName": "claude-1",
        "Arn": ROLE,
        "CreateDate": MADE,
        "AttachedManagedPolicies": [{"PolicyName": "Queue", "PolicyArn": "arn:aws:iam::aws:policy/Queue"}],
    }
    policy = {
        "PolicyName": "Queue",
        "Arn": "arn:aws:iam::aws:policy/Queue",
        "DefaultVersionId": "v1",
        "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": MADE, "Document": document}],
    }
    iam = client()
    with Stubber(iam) as stub:
        stub.add_response(
            "get_account_authorization_details", page(RoleDetailList=[role], IsTruncated=True, Marker="more"), {}
        )
        stub.add_response("get_account_authorization_details", page(Policies=[policy]), {"Marker": "more"})
        account = fetch(iam)
        stub.assert_no_pending_responses()
    (found,) = account.identities([ROLE])
    assert [(s.actions, s.source.policy, s.source.since) for s in found.statements] == [
        (("sqs:*",), "Queue", MADE.date())
    ]
    assert str(found.statements[0].source.place) == "live account"


@pytest.mark.parametrize(
    ("code", "slug"),
    [
        ("AccessDenied", "aws-refused"),
        ("ExpiredToken", "aws-no-credentials"),
        ("InvalidClientTokenId", "aws-no-credentials"),
        ("Throttling", "aws-failed"),
    ],
)
def test_what_aws_says_no_to(code: str, slug: str) -> None:
    iam = client()
    with Stubber(iam) as stub:
        stub.add_client_error("get_account_authorization_details", code, "User x may not")
        with pytest.raises(TightenerError) as caught:
            fetch(iam)
    assert caught.value.slug == slug
    assert "User x may not" in caught.value.message
    if slug == "aws-refused":
        assert PERMISSION in caught.value.hint


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_paginator(self, name: str) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (NoCredentialsError(), "aws-no-credentials"),
        (EndpointConnectionError(endpoint_url="https://iam.amazonaws.com"), "aws-failed"),
    ],
)
def test_no_credentials_and_no_network(error: Exception, slug: str) -> None:
    with pytest.raises(TightenerError) as caught:
        fetch(Broken(error))
    assert caught.value.slug == slug
    assert "--account" in caught.value.hint
