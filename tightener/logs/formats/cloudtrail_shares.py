"""CloudTrail files shared out among the cores: each share is staged by one thread, in a database of its own in memory.

From the inflating to the mapping nothing of a file needs another, so no core waits for another one either. What the
shares have in common is only who called: each numbers its callers, and here they get the numbers of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

import duckdb
import numpy as np
import pyarrow as pa

from tightener.logs import staging, store
from tightener.logs.files import LogFile, weight
from tightener.logs.limits import LEAST, Limits, private_folder
from tightener.resources import query

_SHARE = 16 << 20  # decompressed bytes, estimated, that are worth a database of their own
_TABLES = ("rejected", "not_use", "file", "trail_record", "trail_shown", "mcp_call", "identity")  # and staged_trail

Stage = Callable[[duckdb.DuckDBPyConnection, Sequence[LogFile]], pa.Table]  # what staged_trail is to be


def shared_out(files: Sequence[LogFile], cores: int) -> list[Sequence[LogFile]]:
    """The files in order, in at most `cores` shares of about one weight; in one where that would not be quicker."""
    weights = [weight(file) for file in files]
    whole = sum(weights)
    shares = min(cores, len(files), whole // _SHARE)
    if shares < 2 or max(weights) * shares > 2 * whole:  # a great file is better read by all cores together
        return [files]
    found: list[list[LogFile]] = [[] for _ in range(shares)]
    for file, before, own in zip(files, accumulate(weights, initial=0), weights, strict=False):
        found[(2 * before + own) * shares // (2 * whole + 1)].append(file)
    return [share for share in found if share]


class Shares:
    """The databases of the shares: made when first needed, and used for one batch after the other."""

    def __init__(self) -> None:
        self._own: dict[int, duckdb.DuckDBPyConnection] = {}

    def stage(self, con: duckdb.DuckDBPyConnection, files: Sequence[LogFile], stage_share: Stage) -> None:
        """Read the files into the temporary tables of logs/staging.py, as `stage_share` does it for each share."""
        ((memory, cores),) = con.execute(
            "SELECT parse_formatted_bytes(current_setting('memory_limit')), current_setting('threads')"
        ).fetchall()
        most = min(cores, max(1, memory // LEAST))
        shares = shared_out(files, most)
        if len(shares) == 1:
            con.register("staged_trail", stage_share(con, files))
            return

        def staged(number: int) -> dict[str, pa.Table]:
            if number not in self._own:
                spilled = private_folder() / f"share-{number}"  # DuckDB gives its files the same names in each
                self._own[number] = store.open(None, Limits(memory // most, 1, spilled))
            return _staged(self._own[number], shares[number], stage_share)

        with ThreadPoolExecutor(len(shares)) as pool:
            try:
                tables = list(pool.map(staged, range(len(shares))))
            except BaseException:
                for own in list(self._own.values()):
                    own.interrupt()  # else Ctrl-C would wait for all of them
                raise
        for name in _TABLES[:-2]:
            _insert(con, name, pa.concat_tables([one[name] for one in tables]))
        con.register("staged_trail", pa.concat_tables(_known_callers(con, tables)))


def _staged(con: duckdb.DuckDBPyConnection, files: Sequence[LogFile], stage_share: Stage) -> dict[str, pa.Table]:
    staging.prepare(con)
    trail = stage_share(con, files)
    return {"trail": trail, **{name: con.sql(f"FROM staged_{name}").to_arrow_table() for name in _TABLES}}


def _known_callers(con: duckdb.DuckDBPyConnection, shares: Sequence[dict[str, pa.Table]]) -> Iterator[pa.Table]:
    """Number each share's callers as the database does, in the order of the shares; gives staged_trail so numbered."""
    for share in shares:
        con.register("ct_caller", share["identity"])
        con.execute(query("stage_cloudtrail_caller"))
        numbers = con.sql("SELECT number FROM ct_numbered ORDER BY id").to_arrow_table()["number"].to_numpy()
        con.unregister("ct_caller")
        numbers = pa.array(np.concatenate([np.zeros(1, np.int32), numbers]))  # nobody stays nobody
        _insert(con, "mcp_call", _renumbered(share["mcp_call"], numbers))
        yield _renumbered(share["trail"], numbers)


def _renumbered(table: pa.Table, numbers: pa.Array) -> pa.Table:
    at = table.schema.get_field_index("identity")
    return table.set_column(at, table.schema.field(at), numbers.take(table["identity"]))


def _insert(con: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    con.register("ct_shared", table)
    con.execute(f"INSERT INTO staged_{name} FROM ct_shared")
    con.unregister("ct_shared")
