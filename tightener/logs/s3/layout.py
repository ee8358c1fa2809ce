"""AWS's layout of a trail's files, `AWSLogs/[o-id/]account/CloudTrail/region/yyyy/mm/dd/`; what is left alone in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tightener.logs.s3.bucket import Bucket, Remote
from tightener.logs.s3.refusal import Refusal, RefusedError

_TOP = "AWSLogs/"
_TRAIL = "CloudTrail"
_ACCOUNT = re.compile(r"\d{12}")
_ALONE = re.compile(r"(^|/)(CloudTrail-Digest|CloudTrail-Insight|AWSLogs/(.*/)?Config)/|(^|/)\.[^/]*$|/$")
_IN_TRAIL = re.compile(r"(^|/)AWSLogs/.*/CloudTrail/")
_DAY = re.compile(r"(?<!\d)(20\d\d)([/-]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_DELIVERED = re.compile(r"_(\d{8}T\d{4})Z_[^/]*$")
_LATE = timedelta(minutes=30)  # by then a record is delivered, nearly always


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix that is listed: of one account and region where `dated`, as its keys then go on with yyyy/mm/dd/.

    `refusal` says why it is not known what is below it.
    """

    prefix: str
    dated: bool = False
    refusal: Refusal | None = None

    def behind(self, day: date | None) -> str:
        """What the keys of `day` and later ones come behind; '' = all do."""
        return f"{self.prefix}{day:%Y/%m/%d}" if self.dated and day else ""

    def day(self, key: str) -> date | None:
        """The day that a key of this place lies in."""
        found = _DAY.match(key, len(self.prefix)) if self.dated else None
        return _date("".join(found.group(1, 3, 4))) if found else None


def places(bucket: Bucket) -> Iterator[Place]:
    """Every account and region of the source, in the order of their keys; what is no such layout is one place.

    What is not named is asked for, a folder at a time. Raises RefusedError where the top cannot be listed.
    """
    source, root = bucket.source, bucket.source.prefix
    before, found, tail = f"/{root}".rpartition(f"/{_TOP}")
    if not found:
        if not bucket.has(root + _TOP):
            yield Place(root if not root or bucket.has(root) else root.removesuffix("/"))  # a part of a name, then
            return
        before, tail = f"/{root}".removesuffix("/"), ""
    base = f"{before}/{_TOP}".removeprefix("/")
    steps = tail.split("/")[:-1]
    if steps and not _ACCOUNT.fullmatch(steps[0]):
        base, *steps = f"{base}{steps[0]}/", *steps[1:]
    elif source.organisation and not steps:
        base = f"{base}{source.organisation}/"
    elif not steps:
        names = bucket.folders(base)
        for name in (name for name in names if _ACCOUNT.fullmatch(name) and name in (source.accounts or names)):
            yield from _account(bucket, f"{base}{name}/", [])
        for name in (name for name in names if name.startswith("o-")):
            yield from _organisation(bucket, f"{base}{name}/", [])
        return
    yield from _organisation(bucket, base, steps)


def _organisation(bucket: Bucket, base: str, steps: list[str]) -> Iterator[Place]:
    """Below AWSLogs/ and the organisation's folder, if there is one."""
    if steps:
        yield from _account(bucket, f"{base}{steps[0]}/", steps[1:])
        return
    try:
        names = bucket.source.accounts or tuple(name for name in bucket.folders(base) if _ACCOUNT.fullmatch(name))
    except RefusedError as error:
        yield Place(base, refusal=error.refusal)
        return
    for name in sorted(names):
        yield from _account(bucket, f"{base}{name}/", [])


def _account(bucket: Bucket, base: str, steps: list[str]) -> Iterator[Place]:
    if len(steps) > 2 or (steps and steps[0] != _TRAIL):  # a day, a month, or another service's log, by name
        yield Place(bucket.source.prefix)
        return
    trail = f"{base}{_TRAIL}/"
    if len(steps) == 2:
        yield Place(f"{trail}{steps[1]}/", dated=True)
        return
    try:
        names = bucket.source.regions or bucket.folders(trail)
    except RefusedError as error:
        yield Place(trail, refusal=error.refusal)
        return
    for name in sorted(names):
        yield Place(f"{trail}{name}/", dated=True)


def probe(bucket: Bucket) -> str:
    """The key of the first object there is, after a byte of it was read; '' = there is none. Raises RefusedError."""
    for place in places(bucket):
        if place.refusal:
            raise RefusedError(place.refusal)
        for page in bucket.objects(place.prefix, place.behind(bucket.source.since)):
            for one in page:
                if one.size and not left_alone(one.key):
                    bucket.taste(one.key)
                    return one.key
    return ""


def left_alone(key: str) -> bool:
    """Whether a key is none of a log's: digest and Insights files, Config's, hidden files, markers of folders."""
    return _ALONE.search(key) is not None


def log_source(key: str) -> str:
    """The source (`log_file.source`) that an object's records would be of; '' = it might be any."""
    return "cloudtrail" if _IN_TRAIL.search(key) else ""


def days_of(one: Remote) -> tuple[date, date]:
    """The first and the last day that an object's records are of, as far as it can be known without reading it.

    A file of CloudTrail's that was delivered just after midnight holds the end of the day before. Where the key names
    no day, it is the day on which the object was written, and the one before.
    """
    delivered = _DELIVERED.search(one.key)
    if delivered:
        moment = datetime.strptime(delivered[1], "%Y%m%dT%H%M")  # noqa: DTZ007 - UTC, as all days here
        return (moment - _LATE).date(), moment.date()
    named = _DAY.search(one.key)
    if named and (day := _date("".join(named.group(1, 3, 4)))):
        return day, day
    if one.modified is None:
        return date.min, date.max
    return one.modified.date() - timedelta(days=1), one.modified.date()


def _date(digits: str) -> date | None:
    try:
        return date.fromisoformat(digits)
    except ValueError:
        return None
