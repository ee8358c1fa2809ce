"""A source in S3, as `sources:` in tightener.yaml or an address on the command line names it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

from tightener.errors import ConfigError, LogError, Place

SCHEME = "s3://"
KEYS = (
    *("bucket", "prefix", "organisation", "accounts", "regions", "since", "role", "external_id", "profile"),
    *("endpoint", "requester_pays"),
)
_LISTS = ("accounts", "regions")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SHAPES = {  # key -> what each of its texts looks like, and how that is said
    "bucket": (_BUCKET, "the name of a bucket, without s3://"),
    "organisation": (re.compile(r"o-[a-z0-9]{10,32}"), "the id of an organisation, such as o-exampleorgid"),
    "accounts": (re.compile(r"[0-9]{12}"), "the 12 digits of an account, in quotes"),
    "regions": (re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]"), "regions such as eu-central-1"),
    "role": (re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[^\s]+"), "the ARN of a role"),
    "endpoint": (re.compile(r"https?://[^/\s]+/?"), "a URL such as https://s3.example.com"),
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where logs lie in S3, and how they are come by. `prefix` is '' or ends in a slash."""

    bucket: str
    prefix: str = ""
    organisation: str = ""  # below AWSLogs/; '' = all there are, as with the next two
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    since: date | None = None  # the first day that is read; None = all there are
    role: str = ""  # that is assumed for reading
    external_id: str = ""
    profile: str = ""  # of ~/.aws/config; '' = what boto3 finds by itself
    endpoint: str = ""  # '' = AWS's
    requester_pays: bool = False
    typed: bool = False  # on the command line: a slip of the pen is no hole in what is known

    @property
    def uri(self) -> str:
        """Where it begins."""
        return f"{SCHEME}{self.bucket}/{self.prefix}"

    @classmethod
    def several(cls, values: Any, place_of: Callable[..., Place]) -> tuple[Source, ...]:
        """Check plain data from tightener.yaml; `place_of(*keys)` says where it stands. Raises ConfigError."""
        if not isinstance(values, list | None):
            raise _wrong(place_of(), "`sources` must be a list", "write - {bucket: NAME, prefix: PREFIX}")
        return tuple(cls._parse(one, partial(place_of, i)) for i, one in enumerate(values or ()))

    @classmethod
    def _parse(cls, value: Any, place_of: Callable[..., Place]) -> Source:
        if not isinstance(value, dict) or "bucket" not in value:
            what = "names no bucket" if isinstance(value, dict) else "must be a mapping"
            raise _wrong(place_of(), f"a source {what}", "write {bucket: NAME, prefix: PREFIX}")
        given = {key: _checked(str(key), one, place_of(str(key))) for key, one in value.items()}
        if "external_id" in given and "role" not in given:
            place = place_of("external_id")
            raise _wrong(place, "`external_id` is for a role that is assumed, and none is named", "name it: `role:`")
        return cls(**{**given, "prefix": _folder(given.get("prefix", ""))})


def _checked(key: str, value: Any, place: Place) -> Any:
    """The value of one key, as Source has it."""
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, n=1)
        known = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(KEYS)}"
        raise _wrong(place, f"unknown key `{key}`", known)
    kind, words = {
        "since": (date, "a date such as 2026-06-01"),
        "requester_pays": (bool, "true or false"),
    }.get(key, (str, "text"))
    several = value if key in _LISTS and isinstance(value, list) else [value]
    for one in several:
        if type(one) is not kind:  # True is an int, and a moment is a date
            raise _wrong(place, f"`{key}` must be {words}, not {one!r}", "put it in quotes" if kind is str else "")
        shape, looks = _SHAPES.get(key, (None, ""))
        if shape and not shape.fullmatch(str(one)):
            raise _wrong(place, f"`{key}` must be {looks}, not {one!r}")
    return tuple(several) if key in _LISTS else value


def _wrong(place: Place, message: str, hint: str = "") -> ConfigError:
    return ConfigError(message, slug="config-invalid", place=place, hint=hint)


def _folder(prefix: str) -> str:
    prefix = prefix.lstrip("/")
    return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def named(paths: Iterable[str], sources: Sequence[Source]) -> tuple[tuple[str, ...], tuple[Source, ...]]:
    """Paths of files, and the addresses in S3 among them as sources.

    An address in the bucket of one of `sources` is reached as that one is (its role, its endpoint, ...).
    Raises LogError (`s3-address`).
    """
    local: list[str] = []
    found: list[Source] = []
    for path in paths:
        if not path.startswith(SCHEME):
            local.append(path)
            continue
        bucket, _, prefix = path.removeprefix(SCHEME).partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise LogError(f"{path} names no bucket", slug="s3-address", hint="an address in S3 is s3://BUCKET/PREFIX")
        like = next((one for one in sources if one.bucket == bucket), Source(bucket))
        found.append(replace(like, prefix=_folder(prefix), typed=True))
    return tuple(local), tuple(found)
