"""Foreign log formats from tightener.yaml, and `ingest --try FILE`: the first records as they would be read.

mapping.py is what a field map says, mapped.py reads the files that it describes.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tightener.errors import LogError, Place
from tightener.logs import staging, store
from tightener.logs.files import LogFile, head
from tightener.logs.formats import known
from tightener.logs.formats.mapped import Mapped
from tightener.logs.formats.mapping import FieldMap, Notes
from tightener.logs.staging import Format
from tightener.resources import query
from tightener.services.tool_kinds import NO_TOOLS, Tools

__all__ = ["FieldMap", "Mapped", "TryResult", "try_file"]

_MOST = 10_000  # records of a foreign file that are looked at
_SHOWN = 10


_ROUTED = ("service", "action", "resource", "branch")  # a route may supply them


@dataclass(frozen=True, slots=True)
class TryResult:
    """What a try-out showed: the first rows, field by field (empty ones left out), and sentences on what is missing."""

    format: str
    records: int
    rows: tuple[Mapping[str, object], ...]
    missing: tuple[str, ...]


def try_file(
    path: Path, format_name: str | None, formats: Mapping[str, FieldMap], tools: Tools = NO_TOOLS, rows: int = 5
) -> TryResult:
    """Read the beginning of one file into a database in memory and tell what came of it; nothing is stored.

    Raises LogError: the file cannot be read, the format is unknown, or no format recognises the file.
    """
    notes = Notes()
    try:
        beginning = head(str(path))
        found = _format(path, beginning, format_name, formats, tools, notes)
        with store.open(None) as con:
            staging.prepare(con)
            found.stage(con, [LogFile(1, str(path), path.stat().st_size)])
            return _result(con, found, formats.get(found.name), notes, rows)
    except OSError as error:
        raise LogError(
            f"the file cannot be read: {error.strerror}", slug="log-unreadable", place=Place(str(path))
        ) from error


def _format(
    path: Path, beginning: bytes, name: str | None, formats: Mapping[str, FieldMap], tools: Tools, notes: Notes
) -> Format:
    every: list[Format] = [*known(tools), *(Mapped(one, notes, _MOST, tools) for one in formats.values())]
    names = [one.name for one in every]
    if name is not None:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise LogError(
                f"there is no log format {name!r}",
                slug="unknown-format",
                hint=f"did you mean {near[0]}?" if near else f"formats there are: {', '.join(names)}",
            )
        return every[names.index(name)]
    for one in every:
        if one.recognises(beginning):
            return one
    raise LogError(
        f"this is no log that tightener knows ({', '.join(names)})",
        slug="unknown-log",
        place=Place(str(path)),
        hint="describe it under `formats:` in tightener.yaml, and name it with --format",
    )


def _result(
    con: duckdb.DuckDBPyConnection, found: Format, field_map: FieldMap | None, notes: Notes, rows: int
) -> TryResult:
    shown = con.execute(query("ingest_try"), {"rows": rows})
    names = [column[0] for column in shown.description or []]
    first = tuple(
        {name: value for name, value in zip(names, row, strict=True) if value not in ("", None)}
        for row in shown.fetchall()
    )
    records, problem = con.execute("SELECT sum(records)::BIGINT, max(problem) FROM staged_file").fetchone() or (0, "")
    missing = [problem] if problem else []
    if field_map is not None:
        missing += _gaps(field_map, notes)
    missing += [
        f"{count:,} rejected: {reason} (first: record {position})"
        for reason, count, position in con.execute(
            "SELECT reason, count(*), min(position) FROM staged_rejected GROUP BY reason ORDER BY 2 DESC, 1 LIMIT ?",
            [_SHOWN],
        ).fetchall()
    ]
    return TryResult(found.name, records or 0, first, tuple(missing))


def _gaps(field_map: FieldMap, notes: Notes) -> list[str]:
    """What the map names and the records do not have, and the other way round."""
    gaps = [
        f"{key}: nothing stands at `{source.path}` in any record"
        for key, source in field_map.fields.items()
        if source.path and not notes.found[key] and not (field_map.routes and key in _ROUTED)
    ]
    gaps += [
        f"{key}: the value {value[:80]!r} has no meaning ({count:,} records)"
        for (key, value), count in notes.outside.most_common(_SHOWN)
    ]
    gaps += [
        f"no route for {method} {path[:120]} ({count:,} records)"
        for (method, path), count in notes.unmatched.most_common(_SHOWN)
    ]
    return gaps
