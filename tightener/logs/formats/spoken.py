"""Arguments of tools that a program reads, a shell or a database: text -> the requests that it makes.

Each distinct text is read once; a shell command that says all by itself is never seen here (stage_gateway_args.sql).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

import duckdb
import pyarrow as pa

from tightener.logs.redact import hide, is_secret, name_pattern, names_secret
from tightener.services import shell, sql
from tightener.services.tool_kinds import Tools, spoken_arguments

_KINDS = pa.schema([("action", pa.string()), ("name", pa.string()), ("kind", pa.string())])
_SPOKEN = pa.schema(
    [
        *[("kind", pa.string()), ("text", pa.string()), ("nr", pa.int64())],
        *[("resource", pa.string()), ("partial", pa.bool_())],
    ]
)
PLAIN = {"shell_plain": shell.PLAIN, "shell_not_plain": f"{shell.NOT_PLAIN}|{name_pattern()}"}


def kinds(con: duckdb.DuckDBPyConnection, tools: Tools, *, parsed: bool) -> pa.Table:
    """gw_kind: which arguments of the logged tools a program reads. One whose name is a secret's is none."""
    found = con.execute(
        "SELECT action FROM gw_line WHERE args IS NOT NULL AND reason IS NULL"
        " UNION SELECT action FROM staged_line WHERE $parsed AND call ORDER BY ALL",
        {"parsed": parsed},
    ).fetchall()
    rows = [
        {"action": action, "name": name, "kind": kind}
        for (action,) in found
        for name, kind in spoken_arguments(action, tools)
        if not is_secret(name)
    ]
    return pa.Table.from_pylist(rows, _KINDS)


def spoken(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """gw_spoken: the requests of every distinct text that has to be read."""
    found = con.execute("SELECT DISTINCT kind, text FROM gw_entry WHERE kind IS NOT NULL AND NOT plain").fetchall()
    rows = [(kind, text, nr, *one) for kind, text in found for nr, one in enumerate(requests(kind, text))]
    columns = list(zip(*rows, strict=True)) or [()] * len(_SPOKEN)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, _SPOKEN, strict=True)], _SPOKEN)


def requests(kind: str, text: str) -> list[tuple[str, bool]]:
    """The (resource, whether it is partial) pairs of one text.

    `kind`: shell; words, a JSON list of a command's words; sql. What is not surely understood is one request, as it
    stands. Values behind the names of secrets are left out (redact.py).
    """
    try:
        if kind == "sql":
            found = [(one, False) for one in sql.statements(text)]
        elif kind == "words":
            found = list(_commands([[shell.Word((word,)) for word in json.loads(text)]]))
        else:
            found = list(_commands(shell.commands(text)))
    except (shell.RefusedError, sql.RefusedError):
        found = []
    if found:
        return found
    name = sql.LITERAL if kind == "sql" else shell.LITERAL
    return [(f"{name}*", True)] if names_secret(text) else [(f"{name}{text}", False)]


def _commands(found: Iterable[Sequence[shell.Word]]) -> Iterator[tuple[str, bool]]:
    for words in found:
        said, partial = shell.text(words)
        yield shell.text(hide(words)) if re.search(name_pattern(), said) else (said, partial)
