"""The same account, asked of AWS itself (`--live`): one read-only call, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tightener.errors import TightenerError
from tightener.iam.account import Account

LIVE = "live account"
PERMISSION = "iam:GetAccountAuthorizationDetails"
_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_STALE = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch")


def fetch(client: Any = None) -> Account:
    """Reads the account of the credentials that boto3 finds. `client` is an IAM client, for tests.

    Raises TightenerError: `aws-no-credentials`, `aws-refused` (says which permission is missing), `aws-failed`.
    """
    # boto3 takes longer to import than all of tightener, and only this command needs it
    import boto3  # noqa: PLC0415 - see above
    from botocore import exceptions as aws  # noqa: PLC0415 - the same

    try:
        client = client or boto3.client("iam")
        return Account(LIVE, _pages(client))
    except (aws.NoCredentialsError, aws.PartialCredentialsError) as error:
        raise TightenerError(
            f"there are no AWS credentials: {error}",
            slug="aws-no-credentials",
            hint="set AWS_PROFILE, or sign in with `aws sso login`; or give a file with --account",
        ) from error
    except aws.ClientError as error:
        raise _refused(error.response.get("Error", {})) from error
    except aws.BotoCoreError as error:
        raise TightenerError(
            f"AWS could not be asked: {error}", slug="aws-failed", hint="or give a file with --account"
        ) from error


def _pages(client: Any) -> Mapping[str, Any]:
    found: dict[str, list[Any]] = {name: [] for name in _LISTS}
    for page in client.get_paginator("get_account_authorization_details").paginate():
        for name in _LISTS:
            found[name] += page.get(name, [])
    return found


def _refused(answer: Mapping[str, Any]) -> TightenerError:
    code, message = str(answer.get("Code", "")), str(answer.get("Message", ""))
    if code in _REFUSED:
        return TightenerError(
            f"AWS refused: {message}",
            slug="aws-refused",
            hint=f"these credentials need {PERMISSION} on *, or somebody who has it makes the file for --account",
        )
    if code in _STALE:
        return TightenerError(
            f"AWS does not accept these credentials: {message}", slug="aws-no-credentials", hint="sign in again"
        )
    return TightenerError(f"AWS answered {code}: {message}", slug="aws-failed", hint="try again, or use --account")
