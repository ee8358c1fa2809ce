"""Files that are read again because another one has changed: their records may have been duplicates of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import duckdb

from tightener.logs.files import LogFile, Problem, opened
from tightener.resources import query

Again = Callable[[str], LogFile | None]  # the address of an object -> its bytes in a file; None = it is not to be had


def shared(
    con: duckdb.DuckDBPyConnection, ids: Sequence[int], planned: AbstractSet[str], again: Again
) -> tuple[list[LogFile], tuple[Problem, ...]]:
    """The files that have to be read with the changed ones, which the ledger knows by `ids`; not those in `planned`."""
    if not ids:
        return [], ()
    found: list[LogFile] = []
    gone: list[Problem] = []
    for (uri,) in con.execute(query("ingest_shared"), {"ids": ids}).fetchall():
        if uri in planned:
            continue
        try:
            one = again(uri) if "://" in uri else opened(LogFile(0, uri, Path(uri).stat().st_size))
        except OSError:
            one = None
        if one:
            found.append(one)
        else:
            gone.append(Problem(uri, "is gone: records that it shared with a changed file may be missing now"))
    return found, tuple(gone)
