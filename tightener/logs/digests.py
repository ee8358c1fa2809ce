"""CloudTrail's digest files: the list of what a trail delivered, hour by hour, and the chain that ties them together.

A digest names each log file of its hour with the sha256 of its decompressed bytes, and the digest before it with its
hash. That proves that nothing delivered is missing or altered, as far as the digests themselves are sound: their
signatures are in the metadata of the S3 objects, which a copy of the files does not have, and AWS's public keys would
be needed to check them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson

from tightener.logs.files import LogFile, Problem, read_pieces
from tightener.model import Window
from tightener.resources import query

_LATE = timedelta(minutes=15)  # by then the records of a day are delivered


def read(con: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> None:
    """Take new and changed digest files into the database, and hash the log files that digests name."""
    known = dict(con.execute("SELECT uri, stamp FROM digest_file").fetchall())
    for path in paths:
        stamp = _stamp(path)
        if known.get(path) == stamp:
            continue
        about, entries = _parse(path, stamp)
        con.begin()
        try:
            con.execute("DELETE FROM digest_file WHERE uri = ?", [path])
            con.execute("DELETE FROM digest_entry WHERE uri = ?", [path])
            con.execute("INSERT INTO digest_file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", about)
            if entries:
                con.executemany("INSERT INTO digest_entry VALUES (?, ?, ?, ?, ?)", entries)
            con.commit()
        except BaseException:
            con.rollback()
            raise
    _hash_logs(con)


def problems(con: duckdb.DuckDBPyConnection) -> list[Problem]:
    """Every file that is missing, altered or unreadable by the digests' word, in the order of their names."""
    rows = con.execute(query("digest_problem")).fetchall()
    return [Problem(path, message) for path, message in dict.fromkeys((row[0], row[1]) for row in rows)]


def regions(con: duckdb.DuckDBPyConnection, accounts: Iterable[str], after: datetime) -> dict[str, date]:
    """The regions that digest files were delivered of, quiet ones too, each with its first day."""
    rows = con.execute(
        "SELECT region, min(CAST(starts AS DATE)) FROM digest_file"
        " WHERE problem = '' AND list_contains($accounts, account) AND starts < $after GROUP BY region ORDER BY region",
        {"accounts": sorted(accounts), "after": after},
    ).fetchall()
    return dict(rows)


def holes(con: duckdb.DuckDBPyConnection) -> frozenset[date]:
    """The days of which a log file is missing or altered."""
    found: set[date] = set()
    for *_, starts, ends, holed in con.execute(query("digest_problem")).fetchall():
        if holed and starts is not None and ends is not None:
            found.update(starts.date() + timedelta(days=i) for i in range((ends.date() - starts.date()).days + 1))
    return frozenset(found)


def proved(con: duckdb.DuckDBPyConnection, window: Window, regions_: Iterable[tuple[str, str]]) -> frozenset[date]:
    """The days of the window whose log files are all there and unaltered, in each of these (account, region).

    The chain has to reach from the day's first moment to a quarter of an hour behind it without a break.
    """
    wanted = set(regions_)
    broken: dict[str, list[tuple[datetime, datetime]]] = {}
    for _, _, chain, starts, ends, _ in con.execute(query("digest_problem")).fetchall():
        if starts is not None and ends is not None:
            broken.setdefault(chain, []).append((starts, ends))
    chains: dict[str, tuple[tuple[str, str], list[tuple[datetime, datetime]]]] = {}
    for chain, account, region, starts, ends in con.execute(
        "SELECT chain, account, region, starts, ends FROM digest_file WHERE problem = '' ORDER BY chain, starts, ends"
    ).fetchall():
        chains.setdefault(chain, ((account, region), []))[1].append((starts, ends))
    sound = set()
    for day in (window.first + timedelta(days=i) for i in range(window.days)):
        start = datetime.combine(day, time())
        end = start + timedelta(days=1) + _LATE
        shown = {
            place
            for chain, (place, spans) in chains.items()
            if _reaches(spans, start, end) and not any(a < end and b >= start for a, b in broken.get(chain, ()))
        }
        if wanted and wanted <= shown:
            sound.add(day)
    return frozenset(sound)


def _reaches(spans: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime) -> bool:
    """Whether the spans, in order, cover everything from `start` to `end`."""
    reached = start
    for a, b in spans:
        if a <= reached < b:
            reached = b
    return reached >= end


def _stamp(path: str) -> str:
    with suppress(OSError):
        stat = Path(path).stat()
        return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    return ""


def _parse(path: str, stamp: str) -> tuple[list[Any], list[list[Any]]]:
    """The rows of digest_file and digest_entry for one file; what is no digest is a row with a problem."""
    name = Path(path).name
    chain = name.rpartition("_")[0] or name
    trouble: list[str] = []
    try:
        data = b"".join(read_pieces(LogFile(0, path, 0), trouble.append))
    except OSError as error:
        return _unread(path, stamp, chain, f"this digest file cannot be read: {error.strerror}"), []
    if trouble:
        return _unread(path, stamp, chain, f"this digest file is {trouble[0]}"), []
    try:
        found = orjson.loads(data)
        own = str(found["digestS3Object"])
        region = own.partition("/CloudTrail-Digest/")[2].partition("/")[0]
        about = [
            path, stamp, chain, str(found["awsAccountId"]), region, own,
            _time(found["digestStartTime"]), _time(found["digestEndTime"]), hashlib.sha256(data).hexdigest(),
            found.get("previousDigestS3Object") or "", found.get("previousDigestHashValue") or "", "",
        ]  # fmt: skip
        entries = [
            [
                path,
                str(e["s3Object"]),
                str(e["hashValue"]).lower(),
                *map(_maybe, (e.get("oldestEventTime"), e.get("newestEventTime"))),
            ]
            for e in found["logFiles"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return _unread(path, stamp, chain, "this is no digest file of CloudTrail's"), []
    return about, entries


def _unread(path: str, stamp: str, chain: str, problem: str) -> list[Any]:
    return [path, stamp, chain, "", "", "", None, None, "", "", "", problem]


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 - the database's times are UTC without zone


def _maybe(text: str | None) -> datetime | None:
    return _time(text) if text else None


def _hash_logs(con: duckdb.DuckDBPyConnection) -> None:
    """Hash the decompressed bytes of the log files that digests name, once for each content on disk."""
    rows = con.execute(query("digest_unhashed")).fetchall()
    if not rows:
        return
    with ThreadPoolExecutor(2) as pool:
        contents = list(pool.map(_content, [uri for uri, _ in rows]))
    new = [(digest, content) for (_, digest), content in zip(rows, contents, strict=True) if content]
    if new:
        con.executemany("INSERT OR IGNORE INTO log_content VALUES (?, ?)", new)


def _content(path: str) -> str:
    sha = hashlib.sha256()
    try:
        for piece in read_pieces(LogFile(0, path, 0)):
            sha.update(piece)
    except OSError:
        return ""
    return sha.hexdigest()
