"""One bucket: its keys page by page, its objects into files. Requests are counted, and tried again where that helps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tightener.logs.s3.refusal import RefusedError, of_listing, of_reading
from tightener.logs.s3.source import SCHEME, Source

THREADS = 32  # requests under way at a time: about as many as one process keeps up with
_TRIES = 5  # of one request by botocore, and of a body that is cut short by us
_PAUSE = 0.5  # seconds before the second try of a body; twice that before the third, and so on
_SILENCE = 60  # seconds without a byte that end a try
_PIECE = 1 << 20
_CUT = (
    *("IncompleteReadError", "ReadTimeoutError", "ResponseStreamingError", "ConnectionClosedError"),
    *("FlexibleChecksumError", "SSLError"),
)


@dataclass(frozen=True, slots=True)
class Remote:
    """One object, as the listing (or its own answer) describes it."""

    key: str
    size: int
    etag: str
    modified: datetime | None = None  # aware
    changed: bool = False  # the database knows another content of it
    again: bool = False  # it could not be read before

    @property
    def stamp(self) -> str:
        """What tells this content from another of the same key."""
        return f"{self.size} {self.etag}"


class StoppedError(Exception):
    """The download was given up, because nothing more is wanted."""


class Bucket:
    """The bucket of one source. Its methods raise RefusedError with the line that people see.

    Several threads may download at a time; `stop` makes all of them give up soon.
    """

    def __init__(self, source: Source, client: Any = None) -> None:
        self.source = source
        self.lists = 0
        self.gets = 0
        self._given = client
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._payer = {"RequestPayer": "requester"} if source.requester_pays else {}

    def uri(self, key: str) -> str:
        """A key, or a prefix, of this bucket with its address."""
        return f"{SCHEME}{self.source.bucket}/{key}"

    def folders(self, prefix: str) -> list[str]:
        """The names directly below a prefix that ends in a slash, as far as there is something below them."""
        return [
            one["Prefix"].removeprefix(prefix).removesuffix("/")
            for page in self._pages(prefix, Prefix=prefix, Delimiter="/")
            for one in page.get("CommonPrefixes", ())
        ]

    def has(self, prefix: str) -> bool:
        """Whether any key begins so."""
        return any(page.get("Contents") for page in self._pages(prefix, Prefix=prefix, MaxKeys=1))

    def objects(self, prefix: str, after: str = "") -> Iterator[list[Remote]]:
        """The objects whose keys begin with `prefix` and come behind `after`, in the order of their keys, in pages."""
        start = {"StartAfter": after} if after else {}
        for page in self._pages(prefix, Prefix=prefix, **start):
            yield [
                Remote(one["Key"], one["Size"], one["ETag"].strip('"'), one["LastModified"])
                for one in page.get("Contents", ())
            ]

    def _pages(self, prefix: str, **asked: Any) -> Iterator[dict[str, Any]]:
        """The answers to one listing. With MaxKeys, only the first."""
        while True:
            try:
                page = self._client().list_objects_v2(Bucket=self.source.bucket, **self._payer, **asked)
            except _errors() as error:
                raise RefusedError(of_listing(error, self.source, prefix)) from error
            with self._lock:
                self.lists += 1
            yield page
            if not page.get("IsTruncated") or "MaxKeys" in asked:
                return
            asked = {**asked, "ContinuationToken": page["NextContinuationToken"]}

    def download(self, key: str, to: Path) -> Remote:
        """Writes an object's bytes to a file; returns what was read, which may be newer than what was listed.

        Raises OSError where the file cannot be written, StoppedError after `stop`.
        """
        pause = _PAUSE
        for last in (*[False] * (_TRIES - 1), True):
            if self._stopped.is_set():
                raise StoppedError
            try:
                return self._body(key, to)
            except _errors() as error:
                if last or type(error).__name__ not in _CUT:
                    raise RefusedError(of_reading(error, self.source)) from error
            self._stopped.wait(pause)
            pause *= 2
        raise AssertionError("the last try either returns or raises")

    def _body(self, key: str, to: Path) -> Remote:
        client = self._client()
        with self._lock:
            self.gets += 1
        answer = client.get_object(Bucket=self.source.bucket, Key=key, **self._payer)
        size = 0
        with to.open("wb") as file:
            for piece in answer["Body"].iter_chunks(_PIECE):
                if self._stopped.is_set():
                    raise StoppedError
                size += file.write(piece)
        return Remote(key, size, answer["ETag"].strip('"'))

    def taste(self, key: str) -> None:
        """Reads one byte of an object: that shows whether it could be read."""
        try:
            asked = {"Bucket": self.source.bucket, "Key": key, "Range": "bytes=0-0", **self._payer}
            self._client().get_object(**asked)["Body"].read()
        except _errors() as error:
            raise RefusedError(of_reading(error, self.source)) from error

    def stop(self) -> None:
        """Ends all downloads."""
        self._stopped.set()

    def _client(self) -> Any:
        with self._lock:
            if self._given is None:
                self._given = connect(self.source)
            return self._given


def _errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - takes long, and few runs need it
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - the same; a body's, where botocore lets it through

    return BotoCoreError, ClientError, HTTPError


def connect(source: Source) -> Any:
    """An S3 client with the source's credentials. Raises RefusedError where there are none."""
    import boto3  # noqa: PLC0415 - boto3 takes longer to import than all of tightener
    from botocore.config import Config  # noqa: PLC0415 - the same

    settings = Config(
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        max_pool_connections=2 * THREADS,  # connections that are given up count for a moment longer
        connect_timeout=10,
        read_timeout=_SILENCE,
        user_agent_extra="tightener",
    )
    try:
        session = boto3.Session(profile_name=source.profile or None)
        if source.role:
            session = _assumed(session, source)
        return session.client("s3", endpoint_url=source.endpoint or None, config=settings)
    except _errors() as error:
        raise RefusedError(of_listing(error, source, source.prefix)) from error


def _assumed(session: Any, source: Source) -> Any:
    """A session with the role's credentials, which are renewed as they run out: a first reading may take a night."""
    import boto3  # noqa: PLC0415 - as above
    import botocore.session  # noqa: PLC0415 - as above
    from botocore import credentials  # noqa: PLC0415 - as above
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - as above

    own = session.get_credentials()
    if own is None:
        raise NoCredentialsError
    region = session.region_name or "us-east-1"

    def sts(service: str, **how: Any) -> Any:
        return session.client(service, region_name=region, **how)

    asked = {"RoleSessionName": "tightener", **({"ExternalId": source.external_id} if source.external_id else {})}
    fetcher = credentials.AssumeRoleCredentialFetcher(sts, own, source.role, extra_args=asked)

    class Assumed(credentials.CredentialProvider):  # type: ignore[misc] # botocore ships no types
        METHOD = "tightener-role"

        def load(self) -> Any:
            return credentials.DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)

    inner = botocore.session.Session(profile=source.profile or None)
    inner.register_component("credential_provider", credentials.CredentialResolver([Assumed()]))
    return boto3.Session(botocore_session=inner, region_name=session.region_name)
