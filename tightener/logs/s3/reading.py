"""What is new in S3, a batch at a time, and what the database remembers of it.

`meta` has the size and etag of every object that was read (`stamp:URI`), and of every account and region the days that
were listed to their end (`listed:URI`): the next run lists from the last of these on, less a few days for files that
arrive late. `unread` has every object that could not be read and every prefix that was not listed to its end, with the
days that are not whole because of it; a source is entered before its reading begins, so that a run that is killed
leaves it there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb

from tightener.logs.anew import shared
from tightener.logs.files import LogFile, Problem, digest, opened, weight
from tightener.logs.s3.bucket import Bucket, Remote, StoppedError
from tightener.logs.s3.fetch import Fetcher
from tightener.logs.s3.layout import Place, days_of, left_alone, log_source, places
from tightener.logs.s3.refusal import Refusal, RefusedError
from tightener.logs.s3.source import SCHEME, Source
from tightener.resources import query

LOOK_BACK = timedelta(days=3)  # a delivery that failed is tried again, so a day's folder may still grow
_MOST_FILES = 4000  # of one batch
_LISTS = 8  # places that are listed side by side
_CUT_SHORT = "its reading was cut short"
_NO_SUCH = "s3-no-bucket"
Pages = Iterator[list[Remote]]
_Known = dict[str, tuple[date, date]]  # address of a place -> the first and the last of the days that were listed


@dataclass(slots=True)
class Listed:
    """What one listing of a source has come to."""

    places: dict[str, str] = field(default_factory=dict)  # listed to the end -> what meta is to say of it
    holes: dict[str, tuple[Refusal, date]] = field(default_factory=dict)  # not listed to the end, from that day on
    objects: int = 0


@dataclass(slots=True)
class Reading:
    """The sources of one run.

    `unknown` ends the stamp of an object that none of the run's formats knows ('' = one is forced); `most` is how many
    decompressed bytes, estimated, one batch takes.
    """

    con: duckdb.DuckDBPyConnection
    buckets: Sequence[Bucket]
    fetcher: Fetcher
    unknown: str
    most: int
    problems: list[Problem] = field(default_factory=list)
    already_read: int = 0

    def batches(self) -> Iterator[tuple[LogFile, ...]]:
        """Everything new and changed, source by source; a batch's files are gone when the next one is asked for."""
        for bucket in self.buckets:
            yield from self._source(bucket)

    def again(self, uri: str) -> LogFile | None:
        """The bytes of an object that was read before; None = they are not to be had any more."""
        name, _, key = uri.removeprefix(SCHEME).partition("/")
        bucket = next((one for one in self.buckets if one.source.bucket == name), None) or Bucket(Source(name))
        try:
            return _file(bucket, *self.fetcher.one(bucket, key))
        except (RefusedError, StoppedError):
            return None

    def wanted(self, bucket: Bucket, listed: Listed) -> Iterator[Remote]:
        """What is to be fetched, in the order of its keys: what could not be read before, then what is new or changed.

        Raises RefusedError where the source cannot be listed at all.
        """
        root = bucket.uri(bucket.source.prefix)
        since = bucket.source.since or date.min
        before = self.con.execute(query("s3_unread"), {"root": root, "since": since}).fetchall()
        tried = {uri.removeprefix(bucket.uri("")): changed for uri, changed in before}
        for key, changed in tried.items():
            yield Remote(key, 0, "", changed=changed, again=True)
        known = self._known(root)
        for place, start, pages in self._side_by_side(bucket, known):
            if place.refusal:
                listed.holes[bucket.uri(place.prefix)] = place.refusal, since
                continue
            yield from self._place(bucket, place, known, listed, tried, start, pages)
        if not listed.objects and not known:
            when = f" since {since}" if bucket.source.since else ""
            self.problems.append(Problem(root, f"there is no object below this prefix{when}"))

    def _side_by_side(self, bucket: Bucket, known: _Known) -> Iterator[tuple[Place, date, Pages]]:
        """The places in their order, each with the day that its listing begins at, and its pages.

        The first pages of the next few are asked for meanwhile: of a week's new objects most places have no second one.
        """
        asked = bucket.source.since or date.min
        waiting: deque[tuple[Place, date, Pages]] = deque()
        with ThreadPoolExecutor(_LISTS) as pool:
            for place in places(bucket):
                first, last = known.get(bucket.uri(place.prefix), (date.max, date.min))
                start = asked if first > asked else max(asked, last - LOOK_BACK)
                rest = bucket.objects(place.prefix, place.behind(start if start > date.min else None))
                page: Future[list[Remote]] | None = None if place.refusal else pool.submit(next, rest, [])
                waiting.append((place, start, _pages(page, rest)))
                if len(waiting) == _LISTS:
                    yield waiting.popleft()
            yield from waiting

    def _place(
        self,
        bucket: Bucket,
        place: Place,
        known: _Known,
        listed: Listed,
        tried: dict[str, bool],
        start: date,
        pages: Pages,
    ) -> Iterator[Remote]:
        """What is new of one account and region, or below a prefix."""
        uri = bucket.uri(place.prefix)
        asked = bucket.source.since or date.min
        first, last = known.get(uri, (date.max, date.min))
        reached = start
        try:
            for page in pages:
                kept = [one for one in page if not left_alone(one.key) and days_of(one)[1] >= asked]
                listed.objects += len(kept)
                yield from self._new(bucket, [one for one in kept if one.key not in tried])
                if kept:
                    reached = place.day(kept[-1].key) or reached if place.dated else reached
                    last = max(last, *((place.day(one.key) or days_of(one)[1]) for one in kept))
        except RefusedError as error:
            if error.refusal.final:
                raise
            listed.holes[uri] = error.refusal, reached
            return
        if last > date.min:
            listed.places[uri] = f"{min(first, asked)} {last}"

    def _new(self, bucket: Bucket, page: Sequence[Remote]) -> Iterator[Remote]:
        """Those of a page that the database does not know as they are."""
        keys = [f"stamp:{bucket.uri(one.key)}" for one in page]
        known = dict(
            self.con.execute(
                "SELECT key, value FROM meta WHERE key IN (SELECT unnest($keys))", {"keys": keys}
            ).fetchall()
        )
        for key, one in zip(keys, page, strict=True):
            stamp = known.get(key)
            if not one.size:
                self.problems.append(Problem(bucket.uri(one.key), "the file is empty"))
            elif stamp == one.stamp:
                self.already_read += 1
            elif self.unknown and stamp == one.stamp + self.unknown:
                self.problems.append(Problem(bucket.uri(one.key), self.unknown))
            else:
                yield replace(one, changed=stamp is not None)

    def _known(self, root: str) -> _Known:
        """What was listed to its end before, of a source: the first and the last of its days."""
        rows = self.con.execute(
            "SELECT key, value FROM meta WHERE starts_with(key, $root) OR key = rtrim($root, '/')",
            {"root": f"listed:{root}"},
        ).fetchall()
        days = {key.removeprefix("listed:"): value.split() for key, value in rows}
        return {key: (date.fromisoformat(first), date.fromisoformat(last)) for key, (first, last) in days.items()}

    def _source(self, bucket: Bucket) -> Iterator[tuple[LogFile, ...]]:
        root = bucket.uri(bucket.source.prefix)
        until = [last for _, last in self._known(root).values()]
        self._hole(root, min(until) - LOOK_BACK if until else bucket.source.since or date.min, _CUT_SHORT)
        listed = Listed()
        refused: dict[str, list[str]] = {}
        stopped: Refusal | None = None
        held: list[LogFile] = []
        size = 0
        try:
            for one, found in self.fetcher.ahead(bucket, self.wanted(bucket, listed)):
                uri = bucket.uri(one.key)
                if isinstance(found, Refusal):
                    self._unread(uri, one, found)
                    refused.setdefault(str(found), []).append(uri)
                elif not (one.changed and self._same(uri, one, found)):
                    held.append(_file(bucket, one, found))
                    size += weight(held[-1])
                if size >= self.most or len(held) >= _MOST_FILES:
                    yield from self._batch(held)
                    held, size = [], 0
        except RefusedError as error:
            stopped = error.refusal
        if held:
            yield from self._batch(held)
        self._end(bucket, listed, stopped)
        self.problems += [
            Problem(uris[0], f"{says}, and {len(uris) - 1:,} more objects like it" if uris[1:] else says)
            for says, uris in refused.items()
        ]

    def _batch(self, held: Sequence[LogFile]) -> Iterator[tuple[LogFile, ...]]:
        """The files, with those that have to be read with the changed ones among them."""
        names = {file.name for file in held}
        ids = [
            number
            for (number,) in self.con.execute(
                "SELECT id FROM log_file WHERE uri IN (SELECT unnest($names))", {"names": sorted(names)}
            ).fetchall()
        ]
        others, gone = shared(self.con, ids, names, self.again)
        self.problems += gone
        yield tuple(sorted((*held, *others), key=lambda file: file.name))
        for file in held:
            Path(file.path).unlink(missing_ok=True)

    def _same(self, uri: str, one: Remote, body: Path) -> bool:
        """Whether a changed object, encrypted anew perhaps, has the bytes that were read before."""
        row = self.con.execute("SELECT size, digest FROM log_file WHERE uri = ?", [uri]).fetchone()
        if row != (one.size, digest(str(body))):
            return False
        body.unlink()
        self.con.execute("UPDATE meta SET value = ? WHERE key = ?", [one.stamp, f"stamp:{uri}"])
        self.con.execute("DELETE FROM unread WHERE uri = ?", [uri])
        self.already_read += 1
        return True

    def _unread(self, uri: str, one: Remote, why: Refusal) -> None:
        """An object that could not be read. What is known of its days stays, when it is tried again."""
        self.con.execute(
            "INSERT INTO unread VALUES (?, false, ?, ?, ?, ?) ON CONFLICT (uri) DO UPDATE SET reason = excluded.reason",
            [uri, log_source(one.key), *days_of(one), str(why)],
        )

    def _hole(self, uri: str, first: date, why: str) -> None:
        """A prefix that is not listed to its end."""
        self.con.execute(
            "INSERT OR REPLACE INTO unread VALUES (?, true, ?, ?, ?, ?)", [uri, log_source(uri), first, date.max, why]
        )

    def _end(self, bucket: Bucket, listed: Listed, stopped: Refusal | None) -> None:
        """All that was listed is in the database, or in `unread`."""
        root = bucket.uri(bucket.source.prefix)
        self.con.begin()
        if stopped:
            self.con.execute("UPDATE unread SET reason = ? WHERE uri = ?", [str(stopped), root])
            self.problems.append(Problem(root, str(stopped)))
        else:
            keys = [f"listed:{uri}" for uri in listed.places]
            self.con.execute(
                "INSERT OR REPLACE INTO meta SELECT unnest(?), unnest(?)", [keys, list(listed.places.values())]
            )
            self.con.execute("DELETE FROM unread WHERE listing AND starts_with(uri, ?)", [root])
        if stopped and stopped.slug == _NO_SUCH and bucket.source.typed and not self._known(root):
            self.con.execute("DELETE FROM unread WHERE uri = ?", [root])
        for uri, (why, first) in listed.holes.items():
            self._hole(uri, first, str(why))
            self.problems.append(Problem(uri, str(why)))
        self.con.commit()


def _pages(first: Future[list[Remote]] | None, rest: Iterator[list[Remote]]) -> Pages:
    if first is not None:
        yield first.result()
        yield from rest


def keep(con: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Forget what could not be read of sources that are not named any more."""
    roots = [source.uri for source in sources]
    con.execute(
        "DELETE FROM unread WHERE NOT EXISTS (FROM unnest($roots) AS r(root) WHERE starts_with(uri, root))",
        {"roots": roots},
    )


def _file(bucket: Bucket, one: Remote, body: Path) -> LogFile:
    return opened(LogFile(0, str(body), one.size, uri=bucket.uri(one.key), stamp=one.stamp))
