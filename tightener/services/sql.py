"""A text of SQL -> what it does to which table: one `verb table` for each statement and table.

sqlglot reads it, without knowing which database will: so whatever databases read differently is refused, and so is
every statement that could do more than its tables tell (docs/policy-semantics.md, section 3, "Tools").
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

LITERAL = "sql="  # a text that was refused is one request: this, and the text as it stands
LONGEST = 100_000  # characters; a longer text is refused
_AMBIGUOUS = re.compile(
    r"[\\#\0]"  # escapes or not, a comment or an operator
    r"|--(?![ \t\r\n]|\Z)"  # a comment, or twice minus
    r"|/\*[!+M]"  # MySQL runs what stands in such a comment
    r"|\$\w*\$"  # a quotation in PostgreSQL
)
_NAME = re.compile(r"[a-z_][a-z0-9_$]*")
_VERBS = ("select", "insert", "update", "delete", "merge", "create", "drop", "alter", "truncate")
_ALONE = {"Transaction": "begin", "Commit": "commit", "Rollback": "rollback"}
_DROPPED = {"TABLE", "VIEW"}


class RefusedError(Exception):
    """The text holds something that is not surely understood."""


def statements(text: str) -> list[str]:
    """What the statements do, in order, each once: `select db.schema.invoices`; `select` where no table is named.

    Names without quotes are in lower case. What a WITH names is no table. Raises RefusedError.
    """
    if len(text) > LONGEST or _AMBIGUOUS.search(text) or _nested_comment(text):
        raise RefusedError
    sqlglot = _sqlglot()
    try:
        found = [use for parsed in sqlglot.parse(text) if parsed is not None for use in _Statement(parsed).uses()]
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise RefusedError from error
    return list(dict.fromkeys(found))


def is_literal(resource: str) -> bool:
    """Whether a tool's resource is a text that was refused: it never stands under a wildcard."""
    return resource.startswith(LITERAL)


def is_statement(resource: str) -> bool:
    """Whether a tool's resource may be a statement of SQL: its verb and its table are guarded, all of it."""
    return resource.partition(" ")[0] in {*_VERBS, *_ALONE.values()}


@cache
def _sqlglot() -> ModuleType:
    """Loaded late: a log without SQL has no need of it, and it takes as long as everything else together."""
    import sqlglot  # noqa: PLC0415 - the same

    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it tells what it does not know; we refuse that
    found: ModuleType = sqlglot
    return found


def _nested_comment(text: str) -> bool:
    """Whether a comment holds the beginning of another: some databases nest them."""
    at = 0
    while (start := text.find("/*", at)) >= 0:
        end = text.find("*/", start + 2)
        inner = text.find("/*", start + 1)
        if end < 0 or start < inner < end:
            return True
        at = end + 2
    return False


class _Statement:
    """One statement; its nodes are walked with the verb that holds for a table there, and the names of WITHs."""

    def __init__(self, parsed: exp.Expression) -> None:
        self._exp = _sqlglot().exp
        self._parsed = parsed

    def uses(self) -> list[str]:
        """`verb table` for each table; the verb alone where there is none."""
        parsed, exp = self._parsed, self._exp
        verb = "select" if isinstance(parsed, exp.Query) else type(parsed).__name__.lower().removesuffix("table")
        if type(parsed).__name__ in _ALONE:
            return [_ALONE[type(parsed).__name__]]
        if verb not in _VERBS or (verb == "create" and parsed.args["kind"] not in _DROPPED):
            raise RefusedError
        if verb == "drop" and parsed.args["kind"] not in _DROPPED:
            verb = f"drop {str(parsed.args['kind']).lower()}"
        self._check_targets()
        found = list(self._walk(parsed, verb, frozenset()))
        if not found and verb != "select":
            raise RefusedError
        return found or [verb]

    def _check_targets(self) -> None:
        """Refuses a change of what a name inside the statement stands for: the table itself would go unseen."""
        exp = self._exp
        for changed in self._parsed.find_all(exp.Update, exp.Delete, exp.Merge):
            aliases = {_folded(one.this) for one in changed.find_all(exp.TableAlias) if one.this is not None}
            for target in (changed.this, *(changed.args.get("tables") or [])):
                if not isinstance(target, exp.Table) or (not target.db and _folded(target.this) in aliases):
                    raise RefusedError

    def _walk(self, node: Any, verb: str, known: frozenset[str]) -> Iterator[str]:
        exp = self._exp
        if isinstance(node, (exp.Command, exp.Copy, exp.Execute)):
            raise RefusedError
        if isinstance(node, exp.Table):
            yield from self._table(node, verb, known)
        if with_ := node.args.get("with_"):
            for cte in with_.expressions:
                name = _folded(cte.args["alias"].this)
                yield from self._walk(cte.this, _verb_of(exp, cte.this), known | {name} if with_.recursive else known)
                known |= {name}
        for key, child in _children(node):
            if key != "with_":
                yield from self._walk(child, self._verb_for(node, key, child, verb), known)

    def _verb_for(self, node: Any, key: str, child: Any, verb: str) -> str:
        """A table that is changed stands in certain places of a statement, every other one is read."""
        exp = self._exp
        if isinstance(child, (exp.Query, exp.DML)):
            return _verb_of(exp, child)
        if key == "into":
            return "create"
        if isinstance(node, (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create)):
            return verb if key in {"this", "tables"} else "select"
        if isinstance(node, exp.Schema):
            return verb if key == "this" else "select"
        return verb

    def _table(self, table: Any, verb: str, known: frozenset[str]) -> Iterator[str]:
        exp = self._exp
        if isinstance(table.this, (exp.GenerateSeries, exp.Unnest)):
            return
        parts = table.parts
        if not all(isinstance(part, exp.Identifier) for part in parts):
            raise RefusedError  # a function, a variable
        names = [_folded(part) for part in parts]
        if names == ["only"]:  # PostgreSQL's word for a table without those that inherit from it
            raise RefusedError
        if len(names) == 1 and names[0] in known:
            if verb != "select":
                raise RefusedError
            return
        yield f"{verb} {'.'.join(name if _NAME.fullmatch(name) else _quoted(name) for name in names)}"


def _verb_of(exp: Any, node: Any) -> str:
    return "select" if isinstance(node, exp.Query) else type(node).__name__.lower()


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    for key, value in node.args.items():
        for child in value if isinstance(value, list) else [value]:
            if hasattr(child, "args"):
                yield key, child


def _folded(identifier: Any) -> str:
    """A name as databases compare it, or most of them: without quotes in lower case."""
    name = str(identifier.name)
    return name if identifier.args.get("quoted") else name.lower()


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
