"""The usage query over a table of CloudTrail's records that a team has in another engine, in that engine's SQL."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from tightener.model import Outcome
from tightener.resources import query
from tightener.services.aws import resolve
from tightener.services.catalogue import is_action, rows

DIALECTS = ("athena", "trino", "spark", "snowflake", "bigquery")
_QUERY = "usage_cloudtrail"
_FIELDS = "userIdentity"  # the one column that has fields


def usage_sql(dialect: str) -> str:
    """What makes the table, and the query over it, as one text with comments. `dialect` is one of DIALECTS."""
    told = "\n".join(line for line in query(_QUERY).splitlines() if line.startswith("--"))
    return f"{query(f'cloudtrail_table_{dialect}')}\n{told}\n{usage_query(dialect)};\n"


def usage_query(dialect: str) -> str:
    """The query alone, in any dialect of sqlglot's."""
    tree = sqlglot.parse_one(query(_QUERY), read="duckdb")
    for node in list(tree.find_all(exp.Anonymous)):
        if node.name == "error_outcome":
            node.replace(_error_outcome(node.expressions[0]))
    facts = [_values("aws_label", ("label", "prefix"), _labels())]
    facts.append(_values("aws_event", ("prefix", "event", "action"), _events()))
    given = tree.args["with_"]
    given.set("expressions", [*facts, *given.expressions])
    if dialect == "snowflake":
        tree = tree.transform(_path)
    return tree.sql(dialect, pretty=True, comments=False)


def _labels() -> list[tuple[str, ...]]:
    return [(row["label"], row["prefix"]) for row in rows("event_source")]


def _events() -> list[tuple[str, ...]]:
    """The events that count as another action: the only one that they need, or the first where they are none."""
    found: list[tuple[str, ...]] = []
    for source, event in dict.fromkeys((row["source"], row["event"]) for row in rows("event_override")):
        own = f"{source}:{event}"
        first, *others = resolve(source, event)
        alone = not (others or first.when_path)
        if first.needs_permission and first.action != own and (alone or not is_action(own)):
            found.append((source, event, first.action))
    return found


def _error_outcome(code: exp.Expr) -> exp.Expr:
    """What services/outcomes.py says of an error code: the first pattern that fits, in which only `*` is special."""
    case = exp.Case()
    for row in rows("error_class"):
        pattern = exp.Literal.string(row["pattern"].replace("*", "%"))
        case = case.when(exp.Like(this=code.copy(), expression=pattern), exp.Literal.string(row["class"]))
    return case.else_(exp.Literal.string(Outcome.NO_EVIDENCE.value))


def _values(name: str, columns: tuple[str, ...], entries: list[tuple[str, ...]]) -> exp.CTE:
    table = exp.values(entries, alias="v", columns=columns)
    return exp.CTE(this=exp.select("*").from_(table), alias=exp.TableAlias(this=exp.to_identifier(name)))


def _path(node: exp.Expr) -> exp.Expr:
    """Snowflake's VARIANT: `userIdentity.sessionContext` is `userIdentity:sessionContext::VARCHAR`."""
    if isinstance(node, exp.Column) and node.parts[0].name == _FIELDS and len(node.parts) > 1:
        path = ".".join(part.name for part in node.parts[1:])
        return sqlglot.parse_one(f"{_FIELDS}:{path}::VARCHAR", read="snowflake")
    return node
