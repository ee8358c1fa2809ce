"""Log files -> the database: a ledger of what was read, one transaction a batch, every record counted once.

Killing it at any moment loses and doubles nothing: a batch is there with its lines in the ledger, or not at all, and
ids are given in the order of paths, so that the next run ends with what one whole run would have made.
"""

from __future__ import annotations

import difflib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import duckdb

from tightener.errors import LogError, Place
from tightener.logs import digests, staging
from tightener.logs.anew import Again, shared
from tightener.logs.files import LIMIT, TOO_LARGE, LogFile, Problem, digest, find, head, in_batches, opened, too_large
from tightener.logs.formats import known
from tightener.logs.formats.field_map import FieldMap, Mapped
from tightener.logs.s3.bucket import Bucket
from tightener.logs.s3.fetch import Fetcher
from tightener.logs.s3.reading import Reading
from tightener.logs.s3.source import Source
from tightener.logs.staging import Format, Progress
from tightener.resources import query
from tightener.services.tool_kinds import NO_TOOLS, Tools

_BATCH = 512 << 20  # decompressed bytes, estimated, that one transaction takes
_SETTLED = timedelta(seconds=5)  # a file touched later than that before the reading may change without a new time stamp


@dataclass(frozen=True, slots=True)
class FileSum:
    """What became of one file's records."""

    path: str
    format: str
    source: str
    records: int
    accepted: int
    duplicate: int
    rejected: int
    not_use: int
    unmapped: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SourceSum:
    """The same for all files of one source; `unmapped` records are among the accepted ones."""

    source: str
    files: int
    records: int
    accepted: int
    duplicate: int
    rejected: int
    not_use: int
    unmapped: int


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one reading did: the files that it read, those that the ledger knew, and what it could not read."""

    files: tuple[FileSum, ...]
    sources: tuple[SourceSum, ...]
    already_read: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: `anew` in one transaction, because they share records, then `fresh` in batches."""

    anew: tuple[LogFile, ...]
    fresh: tuple[LogFile, ...]
    already_read: int
    problems: tuple[Problem, ...]
    digests: tuple[str, ...]


@dataclass(slots=True)
class _Reading:
    """One run of `ingest`."""

    con: duckdb.DuckDBPyConnection
    formats: tuple[Format, ...]
    forced: Format | None
    now: datetime
    largest: int
    problems: list[Problem] = field(default_factory=list)

    @property
    def unknown(self) -> str:
        """What is said of a file that no format knows; '' where one is forced."""
        return "" if self.forced else unknown_to(self.formats)


def formats_of(formats: Mapping[str, FieldMap], tools: Tools) -> tuple[Format, ...]:
    """Every format that a file may be of: tightener's own, then those that tightener.yaml describes."""
    return (*known(tools), *(Mapped(one, tools=tools) for one in formats.values()))


def unknown_to(formats: Sequence[Format]) -> str:
    """What is said of a file that none of the formats knows."""
    return f"this is no log that tightener knows ({', '.join(one.name for one in formats)})"


def ingest(
    con: duckdb.DuckDBPyConnection,
    paths: Sequence[str],
    *,
    now: datetime,
    formats: Mapping[str, FieldMap],
    tools: Tools = NO_TOOLS,
    force_format: str | None = None,
    progress: Callable[[Progress], None],
    sources: Sequence[Source] = (),
    largest: int = LIMIT,
) -> IngestReport:
    """Read the files under `paths`, and the objects of `sources`, that the database does not know yet.

    `now` is aware; `formats` and `tools` are as tightener.yaml has them; `largest` is how many decompressed bytes of
    one file are read. Raises LogError for an unknown `force_format`, and where the sum of a file does not hold (a bug,
    never hidden). Files that cannot be read are problems in the report; everything else is read.
    """
    every = formats_of(formats, tools)
    reading = _Reading(con, every, forced(force_format, every), now.astimezone(UTC).replace(tzinfo=None), largest)
    files: list[FileSum] = []
    with Fetcher(con) as fetcher:
        remote = Reading(con, [Bucket(source) for source in sources], fetcher, reading.unknown, _BATCH)
        plan = plan_of(con, paths, remote.again, largest)
        local = (*plan.anew, *plan.fresh)
        total = 0 if sources else len(local)  # how much there is in S3 is not known before its end
        total_bytes = sum(file.size for file in local)
        done = done_bytes = records = 0
        for batch in chain([plan.anew] if plan.anew else [], in_batches(plan.fresh, _BATCH), remote.batches()):
            sums = _read(reading, batch)
            files += sums
            done += len(batch)
            done_bytes += sum(file.size for file in batch)
            records += sum(one.records for one in sums)
            progress(Progress(done, total, records, done_bytes, total_bytes))
        if sources and done:
            progress(Progress(done, done, records, done_bytes, done_bytes))
    problems = (*reading.problems, *plan.problems, *remote.problems)
    return report(con, replace(plan, already_read=plan.already_read + remote.already_read), files, problems)


def report(
    con: duckdb.DuckDBPyConnection, plan: Plan, files: Sequence[FileSum], problems: Sequence[Problem]
) -> IngestReport:
    """What became of a plan whose files were read. Reads its digest files; `problems` lacks those of `files`."""
    digests.read(con, plan.digests)
    every = [*problems, *digests.problems(con), *(Problem(one.path, one.problem) for one in files if one.problem)]
    return IngestReport(
        tuple(files), _by_source(files), plan.already_read, tuple(sorted(every, key=lambda p: (p.path, p.message)))
    )


def forced(name: str | None, formats: Sequence[Format]) -> Format | None:
    """The format of this name. Raises LogError (`unknown-format`)."""
    if name is None:
        return None
    names = [one.name for one in formats]
    if name in names:
        return formats[names.index(name)]
    near = difflib.get_close_matches(name, names, n=1)
    raise LogError(
        f"there is no log format {name!r}",
        slug="unknown-format",
        hint=f"did you mean {near[0]}?" if near else f"formats there are: {', '.join(names)}",
    )


def plan_of(con: duckdb.DuckDBPyConnection, paths: Sequence[str], again: Again, largest: int = LIMIT) -> Plan:
    """Tell new, known and changed files apart. What has the time stamps of its last reading is not even opened.

    A file that was too large for another limit counts as changed.
    """
    found = find(paths)
    problems = list(found.problems)
    known = {
        uri: (number, size, known_digest, problem, stamp)
        for number, uri, size, known_digest, problem, stamp in con.execute(
            "SELECT f.id, f.uri, f.size, f.digest, f.problem, m.value"
            " FROM log_file AS f LEFT JOIN meta AS m ON m.key = 'stamp:' || f.uri"
        ).fetchall()
    }
    fresh: list[LogFile] = []
    changed: list[LogFile] = []
    already = 0
    for file in found.files:
        try:
            if file.path not in known:
                fresh.append(opened(file))
                continue
            _, size, known_digest, problem, stamp = known[file.path]
            if TOO_LARGE in problem and too_large(largest) not in problem:
                changed.append(opened(file))
            elif stamp == _stamp(file.path) or (size == file.size and digest(file.path) == known_digest):
                already += 1
            else:
                changed.append(opened(file))
        except OSError as error:
            problems.append(Problem(file.path, f"cannot be read: {error.strerror}"))
    ids = [known[file.path][0] for file in changed]
    others, gone = shared(con, ids, {file.path for file in (*fresh, *changed)}, again)
    already -= len({file.path for file in found.files} & {file.path for file in others})
    anew = tuple(sorted((*changed, *others), key=lambda f: f.name))
    return Plan(anew, tuple(fresh), already, (*problems, *gone), found.digests)


def _stamp(path: str) -> str:
    """Everything that a file system says about a file's content without opening it."""
    stat = Path(path).stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def _read(reading: _Reading, batch: Sequence[LogFile]) -> list[FileSum]:
    """One batch in one transaction."""
    con = reading.con
    stamps: dict[str, str] = {}
    names: list[str] = []
    files: list[tuple[LogFile, Format]] = []
    number = (con.execute("SELECT COALESCE(max(id), 0) FROM log_file").fetchone() or (0,))[0]
    for file in batch:
        try:
            stamp = file.stamp or _stamp(file.path)
            beginning = head(file.path)
            found = reading.forced or _recognised(beginning, reading.formats)
            names.append(file.name)
            if found is None:
                problem = reading.unknown if beginning.strip() else "the file is empty"
                reading.problems.append(Problem(file.name, problem))
                if file.uri:  # it would be fetched again each time
                    stamps[file.name] = stamp + reading.unknown
                continue
            number += 1
            files.append((replace(file, id=number, limit=reading.largest), found))
        except OSError as error:
            reading.problems.append(Problem(file.name, f"cannot be read: {error.strerror}"))
            continue
        settled = (reading.now - _SETTLED).replace(tzinfo=UTC).timestamp()
        if file.uri or Path(file.path).stat().st_mtime < settled:
            stamps[file.name] = stamp
    staging.prepare(con)
    with ThreadPoolExecutor(1, initializer=_stand_back) as pool:
        hashes = pool.map(digest, [file.path for file, _ in files])  # wanted last, so it may take its time
        _stage(reading, files)  # before the transaction: an error that a format can do without would end it
        con.begin()
        try:
            _forget(con, names)
            sums = _take(reading, files, hashes) if files else []
            keys = [f"stamp:{path}" for path in stamps]
            con.execute("INSERT OR REPLACE INTO meta SELECT unnest(?), unnest(?)", [keys, list(stamps.values())])
            con.commit()
        except BaseException as error:
            con.rollback()
            if isinstance(error, OSError):
                raise _gone(error) from error
            raise
    staging.prepare(con)  # empties them: a batch may be large
    return sums


def _recognised(beginning: bytes, formats: Sequence[Format]) -> Format | None:
    return next((one for one in formats if one.recognises(beginning)), None)


def _forget(con: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    found = con.execute("SELECT id FROM log_file WHERE uri IN (SELECT unnest(?))", [names]).fetchall()
    con.execute("DELETE FROM meta WHERE key IN (SELECT unnest(?))", [[f"stamp:{name}" for name in names]])
    con.execute("DELETE FROM unread WHERE uri IN (SELECT unnest(?))", [names])
    if found:
        for statement in duckdb.extract_statements(query("ingest_forget")):
            con.execute(statement, {"ids": [number for (number,) in found]})


def _stage(reading: _Reading, files: Sequence[tuple[LogFile, Format]]) -> None:
    """Read the files into the temporary tables."""
    try:
        for one in reading.formats:
            its = [file for file, found in files if found is one]
            if its:
                one.stage(reading.con, its)
    except OSError as error:
        raise _gone(error) from error


def _gone(error: OSError) -> LogError:
    return LogError(
        f"a log file went away while it was read: {error.strerror}",
        slug="log-unreadable",
        place=Place(str(error.filename)),
        hint="run it again: what was read before is kept",
    )


def _stand_back() -> None:
    """Let this thread have only what time the others leave, where the system can tell threads apart."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _take(reading: _Reading, files: Sequence[tuple[LogFile, Format]], hashes: Iterator[str]) -> list[FileSum]:
    """Tell duplicates, store what is staged, and write the ledger (with the files' hashes). In the transaction."""
    con = reading.con
    latest = reading.now + timedelta(days=1)
    first, last = con.execute("SELECT min(time), max(time) FROM staged_request").fetchone() or (None, None)
    given = {"latest": latest, "first": first, "last": last}
    for statement in duckdb.extract_statements(query("ingest_finish")):
        con.execute(statement, {name: given[name] for name in statement.named_parameters})
    by_id = {file.id: (file, found) for file, found in files}
    sums: list[FileSum] = []
    digests_of = dict(zip(by_id, hashes, strict=True))
    ledger: list[list[object]] = []
    for row in con.execute(query("ingest_sums"), {"latest": latest}).fetchall():
        number, records, accepted, duplicate, rejected, not_use, unmapped, first, last, problem = row
        file, found = by_id[number]
        if records != accepted + duplicate + rejected + not_use:
            raise LogError(
                f"{records} records read, but {accepted} accepted + {duplicate} duplicate + {rejected} rejected"
                f" + {not_use} not a use",
                slug="sum-mismatch",
                place=Place(file.name),
                hint="this is a bug of tightener's: please report it; nothing of this batch was stored",
            )
        counts = (records, accepted, duplicate, rejected, not_use)
        sums.append(FileSum(file.name, found.name, found.source, *counts, unmapped, problem))
        about = (number, file.name, found.name, found.source, file.size, digests_of[number])
        ledger.append([*about, *counts, first, last, problem, reading.now])
    if len(sums) != len(files):
        missing = sorted({file.name for file, _ in files} - {one.path for one in sums})
        raise LogError("a file was not counted", slug="sum-mismatch", place=Place(missing[0]))
    con.executemany("INSERT INTO log_file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", ledger)
    return sums


def _by_source(files: Sequence[FileSum]) -> tuple[SourceSum, ...]:
    found: list[SourceSum] = []
    for source in sorted({one.source for one in files}):
        its = [one for one in files if one.source == source]
        found.append(
            SourceSum(
                source,
                len(its),
                sum(one.records for one in its),
                sum(one.accepted for one in its),
                sum(one.duplicate for one in its),
                sum(one.rejected for one in its),
                sum(one.not_use for one in its),
                sum(one.unmapped for one in its),
            )
        )
    return tuple(found)
