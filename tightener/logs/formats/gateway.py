"""The gateway's own audit lines, version 1 (docs/gateway-audit-event.md): columns from end to end.

Python touches whole blocks of lines, the distinct names, codes and actions in them, arguments that are not plain texts,
and the lines without an id (their hash needs their canonical form); everything else is stage_gateway*.sql.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

import duckdb
import orjson
import pyarrow as pa

from tightener.logs.files import LogFile, read_pieces
from tightener.logs.formats import lines, spoken, whole
from tightener.logs.redact import is_secret, leaves, value_pattern
from tightener.logs.staging import REQUEST
from tightener.resources import query
from tightener.services.catalogue import catalogue_case
from tightener.services.semantics import normalise_path
from tightener.services.tool_kinds import NO_TOOLS, Tools

_REQUIRED = ("time", "agent", "service", "action", "decision")
_ENOUGH = 3  # of the required fields, so that a file whose first lines are broken is still known
_ID_BATCH = 50_000
_DOTTED = "SELECT DISTINCT resource FROM gw_resource WHERE spoken AND contains('/' || resource, '/.')"


class Gateway:
    """The format `gateway`: one JSON object a line. `tools` as tightener.yaml has them."""

    name = "gateway"
    source = "gateway"

    def __init__(self, tools: Tools = NO_TOOLS) -> None:
        self._tools = tools

    def recognises(self, head: bytes) -> bool:
        """Whether one of the first lines is an object with most of the required fields."""
        first, *others = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        for line in (first, *others):
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict) and sum(key in record for key in _REQUIRED) >= _ENOUGH:
                return True
        # one line that is longer than the head
        return not others and first.startswith(b"{") and all(b'"%b"' % key.encode() in first for key in _REQUIRED)

    def stage(self, con: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> None:
        """Read the files into the tables of logs/staging.py. Raises OSError where a file cannot be read."""
        problems: dict[int, str] = {}
        parsed = whole.read(con, files)

        def batches() -> Iterator[pa.RecordBatch]:
            for file in files:
                if file.id in parsed:
                    yield from whole.doubtful(file, parsed[file.id])
                else:
                    yield from lines.batches(file.id, read_pieces(file, partial(problems.__setitem__, file.id)))

        counted = stage_lines(con, self.source, batches(), self._tools, parsed=True)
        sound = {number: one.sound for number, one in parsed.items()}
        rows = [(f.id, counted.get(f.id, 0) + sound.get(f.id, 0), problems.get(f.id, "")) for f in files]
        con.executemany("INSERT INTO staged_file VALUES (?, ?, ?)", rows)


def stage_lines(
    con: duckdb.DuckDBPyConnection,
    source: str,
    batches: Iterator[pa.RecordBatch],
    tools: Tools,
    *,
    parsed: bool = False,
) -> dict[int, int]:
    """Read version 1 lines, given as batches of lines.SCHEMA, into `staged` and `staged_rejected`.

    `parsed`: and the calls of `staged_line`. Returns how many lines that are not blank each file has, without those
    that whole.read counts.
    """
    con.register("gw_text", pa.RecordBatchReader.from_batches(lines.SCHEMA, batches))
    whole.macros(con)
    con.execute(query("stage_gateway_parse"))
    con.unregister("gw_text")
    con.register("gw_kind", spoken.kinds(con, tools, parsed=parsed))
    _run(con, "stage_gateway_args", {"parsed": parsed, **spoken.PLAIN})
    con.unregister("gw_kind")
    tables = {"gw_id": _ids(con), "gw_leaf": _leaves(con), "gw_spoken": spoken.spoken(con)}
    for name, table in tables.items():
        con.register(name, table)
    con.register("gw_secret", _secrets(con))
    _run(con, "stage_gateway", {"source": source, "secret": value_pattern(), "parsed": parsed})
    for name in (*tables, "gw_secret"):
        con.unregister(name)
    if parsed:
        calls = con.sql(query("stage_gateway_call"), params={"source": source}).to_arrow_table()
        con.register("staged_call", calls.cast(REQUEST))
    counted = dict(con.execute("SELECT file_id, count(*) FROM gw_line GROUP BY file_id").fetchall())
    commands = {resource for (resource,) in con.execute(_DOTTED).fetchall()}
    for name in ("gw_line", "gw_call", "gw_entry", "gw_list", "gw_resource"):
        con.execute(f"DROP TABLE {name}")  # what is in `staged` need not be held twice
    _fold_actions(con, source)
    _normalise(con, source, commands)
    return counted


def _run(con: duckdb.DuckDBPyConnection, name: str, given: Mapping[str, object]) -> None:
    for statement in duckdb.extract_statements(query(name)):
        con.execute(statement, {parameter: given[parameter] for parameter in statement.named_parameters})


def _ids(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """The ids of the lines that have none: the hash of their canonical form."""
    found = con.execute("SELECT file_id, position, unnamed FROM gw_line WHERE reason IS NULL AND id IS NULL")
    files: list[int] = []
    positions: list[int] = []
    ids: list[str] = []
    while rows := found.fetchmany(_ID_BATCH):
        for file_id, position, line in rows:
            files.append(file_id)
            positions.append(position)
            ids.append(canonical_id(line))
    columns = [pa.array(files, pa.int32()), pa.array(positions, pa.int64()), pa.array(ids, pa.string())]
    return pa.table(columns, names=["file_id", "position", "native_id"])


def canonical_id(line: str | bytes) -> str:
    """'sha256:' and the hash of a JSON text with sorted keys and no spaces; of the text itself if it is not strict."""
    try:
        text = orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        text = line.strip().encode() if isinstance(line, str) else line.strip()
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def _leaves(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """The pairs of all distinct arguments that are no plain text."""
    found = con.execute(
        "SELECT DISTINCT name, raw FROM gw_entry WHERE kind IS NULL AND (name IS NULL OR NOT starts_with(raw, '\"'))"
    ).fetchall()
    rows = [
        (name, raw, number, path, text)
        for name, raw in found
        for number, (path, text) in enumerate(_leaves_of(name, raw))
    ]
    columns = list(zip(*rows, strict=True)) or [(), (), (), (), ()]
    kinds = (pa.string(), pa.string(), pa.int64(), pa.string(), pa.string())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    return pa.table(arrays, names=["name", "raw", "nr", "path", "text"])


def _leaves_of(name: str | None, raw: str) -> list[tuple[str, str]]:
    try:
        return leaves(name, raw)
    except (json.JSONDecodeError, RecursionError):  # DuckDB's reader forgives a comma too many; one literal argument
        return [(name or "", raw)]


def _secrets(con: duckdb.DuckDBPyConnection) -> pa.Table:
    found = con.execute("SELECT DISTINCT name FROM gw_entry WHERE name IS NOT NULL UNION SELECT path FROM gw_leaf")
    return pa.table([pa.array([n for (n,) in found.fetchall() if is_secret(n)], pa.string())], names=["path"])


def _fold_actions(con: duckdb.DuckDBPyConnection, source: str) -> None:
    """AWS actions in the catalogue's case, as a policy would be printed."""
    found = con.execute(
        "SELECT DISTINCT action FROM staged_request WHERE source = ? AND service = 'aws'", [source]
    ).fetchall()
    folded = {name: catalogue_case(name) for (name,) in found if catalogue_case(name) != name}
    if not folded:
        return
    names = {"old": list(folded), "new": list(folded.values())}
    con.execute("CREATE OR REPLACE TEMP TABLE gw_folded AS SELECT unnest($old) AS old, unnest($new) AS new", names)
    con.execute(
        "UPDATE staged SET action = f.new FROM gw_folded AS f WHERE source = ? AND service = 'aws' AND action = f.old",
        [source],
    )
    lines = con.sql(
        "SELECT l.* REPLACE (CASE WHEN l.service = 'aws' THEN COALESCE(f.new, l.action) ELSE l.action END AS action)"
        " FROM staged_line AS l LEFT JOIN gw_folded AS f ON f.old = l.action"
    ).to_arrow_table()
    con.register("staged_line", lines)


def _normalise(con: duckdb.DuckDBPyConnection, source: str, commands: Collection[str]) -> None:
    """Paths and branches with . or .. segments, as the service itself resolves them; marked suspicious.

    A command is no path: its words stay as the program gets them.
    """
    for column in ("resource", "branch"):
        found = con.execute(
            f"SELECT DISTINCT service, {column} FROM staged WHERE source = ? AND contains('/' || {column}, '/.')",  # noqa: S608 - one of two literals
            [source],
        ).fetchall()
        for service, value in sorted(found):
            normal, suspicious = normalise_path(service, value)
            if suspicious and not (column == "resource" and value in commands):
                con.execute(
                    f"UPDATE staged SET {column} = ?, suspicious = true"  # noqa: S608 - the same
                    f" WHERE source = ? AND service = ? AND {column} = ?",
                    [normal, source, service, value],
                )
