"""What a reading would cost, before it costs it: nothing is fetched and nothing is stored; S3 is only listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from tightener.logs.files import LogFile, Problem
from tightener.logs.formats.mapping import FieldMap
from tightener.logs.ingest import formats_of, plan_of, unknown_to
from tightener.logs.s3.bucket import Bucket
from tightener.logs.s3.fetch import Fetcher
from tightener.logs.s3.reading import Listed, Reading
from tightener.logs.s3.refusal import RefusedError
from tightener.logs.s3.source import Source
from tightener.services.tool_kinds import NO_TOOLS, Tools

FILES = "files"


@dataclass(frozen=True, slots=True)
class Planned:
    """One source: what would be read of it, and what the reading would ask of S3 (LIST as this plan itself did).

    `size` is in bytes as they lie there, compressed; what could not be read before is among `objects` without its size.
    """

    where: str  # FILES, or an address in S3
    objects: int
    size: int
    known: int
    lists: int = 0
    gets: int = 0


@dataclass(frozen=True, slots=True)
class PlanReport:
    """All sources, and what could not be looked into."""

    sources: tuple[Planned, ...]
    problems: tuple[Problem, ...]


def plan(
    con: duckdb.DuckDBPyConnection,
    paths: Sequence[str],
    sources: Sequence[Source],
    formats: Mapping[str, FieldMap],
    tools: Tools = NO_TOOLS,
) -> PlanReport:
    """What `ingest` would read, and ask for."""
    found: list[Planned] = []
    problems: list[Problem] = []
    if paths:
        again: list[str] = []  # objects that would be read again because of files that have changed

        def once_more(uri: str) -> LogFile:
            again.append(uri)
            return LogFile(0, uri, 0, uri=uri)

        local = plan_of(con, paths, once_more)
        files = (*local.anew, *local.fresh)
        size = sum(file.size for file in files)
        found.append(Planned(FILES, len(files), size, local.already_read, gets=len(again)))
        problems += local.problems
    reading = Reading(con, (), Fetcher(con), unknown_to(formats_of(formats, tools)), 0)
    for source in sources:
        bucket = Bucket(source)
        listed = Listed()
        objects = size = 0
        before = reading.already_read
        try:
            for one in reading.wanted(bucket, listed):
                objects += 1
                size += one.size
        except RefusedError as error:
            problems.append(Problem(source.uri, str(error)))
        problems += [Problem(uri, str(why)) for uri, (why, _) in listed.holes.items()]
        known = reading.already_read - before
        found.append(Planned(source.uri, objects, size, known, bucket.lists, objects))
    problems += reading.problems
    return PlanReport(tuple(found), tuple(sorted(problems, key=lambda p: (p.path, p.message))))
