"""What S3 and STS say no with, as one line that names the permission or the step that is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tightener.logs.s3.source import Source

_DENIED = ("AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403", "Forbidden")
_STALE = (
    *("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidAccessKeyId"),
    *("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"),
)
_ELSEWHERE = (
    *("PermanentRedirect", "301", "TemporaryRedirect", "AuthorizationHeaderMalformed"),
    *("IllegalLocationConstraintException", "InvalidRegionError"),
)
_SILENT = ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError")
_NOBODY = (
    *("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "NoAuthTokenError", "TokenRetrievalError"),
    *("CredentialRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "LoginRefreshRequired"),
    *("LoginTokenLoadError", "MetadataRetrievalError", "InvalidConfigError", "InfiniteLoopConfigError"),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something cannot be read, and what to do. `final`: nothing else of its source can be read either."""

    slug: str
    says: str
    final: bool = False

    def __str__(self) -> str:
        return f"{self.says} [{self.slug}]"


class RefusedError(Exception):
    """Something in S3 that cannot be read."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def of_listing(error: Exception, source: Source, prefix: str) -> Refusal:
    """Why the keys under a prefix cannot be listed."""
    code = _code(error)
    if code in _DENIED and _operation(error) != "AssumeRole":
        says = f"the listing was refused: these credentials need s3:ListBucket on arn:aws:s3:::{source.bucket}"
        says += f" (for the prefix {prefix})" if prefix else ""
        return Refusal(slug="s3-list-denied", says=says + _payer(source))
    return _of_any(error, source)


def of_reading(error: Exception, source: Source) -> Refusal:
    """Why one object cannot be read."""
    code, message = _code(error), _message(error)
    if code.startswith("KMS.") or (code in _DENIED and "kms" in message.lower()):
        says = "it is encrypted with a KMS key that cannot be used: these credentials need kms:Decrypt on that key"
        if code.startswith("KMS."):
            says = f"the KMS key that it is encrypted with cannot be used ({code}): see to the key"
        return Refusal(slug="s3-kms-denied", says=says)
    if code in _DENIED and _operation(error) != "AssumeRole":
        says = "reading was refused: these credentials need s3:GetObject on arn:aws:s3:::"
        return Refusal(slug="s3-get-denied", says=f"{says}{source.bucket}/{source.prefix}*{_payer(source)}")
    if code == "InvalidObjectState":
        says = "it is in an archive and cannot be read as it is: restore it first (aws s3api restore-object)"
        return Refusal(slug="s3-archived", says=says)
    if code in {"NoSuchKey", "404"}:
        return Refusal(slug="s3-object-gone", says="it was listed, and is not there any more")
    return _of_any(error, source)


def _of_any(error: Exception, source: Source) -> Refusal:
    code, message = _code(error), _message(error)
    if _operation(error) == "AssumeRole":
        says = f"the role {source.role} cannot be assumed ({code}): the credentials need sts:AssumeRole on it, and its"
        says += " trust policy has to name them" + (f" and {_given(source)}" if source.external_id else "")
        return Refusal(slug="s3-role-refused", says=says, final=True)
    if code == "NoSuchBucket":
        says = f"there is no bucket {source.bucket}: correct its name, or the endpoint"
        return Refusal(slug="s3-no-bucket", says=says, final=True)
    if code in _STALE:
        says = f"AWS does not accept these credentials ({code}): sign in again"
        says = "the clock of this machine is wrong: set it" if code == "RequestTimeTooSkewed" else says
        return Refusal(slug="s3-credentials", says=says, final=True)
    if code in _NOBODY:
        says = f"there are no AWS credentials ({message}): set AWS_PROFILE or `profile:`, or sign in"
        return Refusal(slug="s3-credentials", says=says, final=True)
    if code in _ELSEWHERE:
        says = f"the bucket is in another region{_region(error)}: set AWS_REGION, or the region of the profile, to that"
        return Refusal(slug="s3-wrong-region", says=says, final=True)
    if code in _SILENT:
        says = f"S3 cannot be reached ({message}): look at the network, a proxy, or `endpoint:`"
        return Refusal(slug="s3-unreachable", says=says, final=True)
    return Refusal(slug="s3-failed", says=f"S3 failed ({code}: {message}), several times: the next run tries again")


def _given(source: Source) -> str:
    return f"the external id {source.external_id}"


def _payer(source: Source) -> str:
    """A bucket whose requester pays refuses all who do not say that they will."""
    return "" if source.requester_pays else "; a bucket whose requester pays needs `requester_pays: true`"


def _answer(error: Exception) -> Mapping[str, Any]:
    """AWS's; empty where there was none."""
    return getattr(error, "response", None) or {}


def _error(error: Exception) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _answer(error).get("Error", {})
    return found


def _code(error: Exception) -> str:
    """AWS's word for it; where AWS did not answer, botocore's."""
    return str(_error(error).get("Code") or type(error).__name__)


def _message(error: Exception) -> str:
    return " ".join(str(_error(error).get("Message") or error).split())[:300]


def _operation(error: Exception) -> str:
    return str(getattr(error, "operation_name", ""))


def _region(error: Exception) -> str:
    headers = _answer(error).get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = _error(error).get("Region") or headers.get("x-amz-bucket-region")
    return f", {region}" if region else ""
