"""The command lines of reading the logs, and asking what was read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tightener.commands import reading
from tightener.commands.context import Question
from tightener.options import (
    AsOf,
    Format,
    MinAge,
    Paths,
    Policies,
    WindowOption,
    date_of,
    days_of,
)


def ingest(
    ctx: typer.Context,
    paths: Paths = None,
    force_format: Format = None,
    attempt: Annotated[
        str | None,
        typer.Option("--try", help="Show the first rows of this file as read, and what is missing. Stores nothing."),
    ] = None,
    plan: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--plan", help="Say what would be read, and what S3 would be asked for. Fetches nothing.")
    ] = False,
    engine: Annotated[
        str, typer.Option("--engine", help="local, or spark: for what does not fit one machine; keeps usage alone.")
    ] = reading.LOCAL,
    master: Annotated[
        str | None,
        typer.Option("--master", help="Spark's master: spark://HOST:7077, yarn, local[4]. Default: as Spark has it."),
    ] = None,
) -> None:
    """Read logs into the database; every file once. Prints the reconciling sum by source."""
    if plan:
        reading.plan(ctx.obj, paths or [])
    elif attempt is not None:
        reading.try_file(ctx.obj, attempt, force_format)
    else:
        chosen = reading.Engine(engine, master)
        raise typer.Exit(reading.ingest(ctx.obj, paths or [], force_format, chosen, datetime.now(UTC)))


def status(ctx: typer.Context) -> None:
    """What is known: sources, days, gaps, agents, rejected, unmapped."""
    reading.status(ctx.obj)


def prune(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and drop nothing.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Drop events older than `keep_events` days; their usage stays, and every count with it."""
    reading.prune(ctx.obj, dry_run=dry_run)


def agents(ctx: typer.Context) -> None:
    """Who acted, and which agent each principal maps to."""
    reading.agents(ctx.obj)


def sql(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A query's name; none lists them.")] = None,
    dialect: Annotated[
        str | None,
        typer.Option(
            "--dialect",
            help="With usage: over a table of CloudTrail's records that you have in athena, trino, spark, snowflake or "
            "bigquery, with what makes that table.",
        ),
    ] = None,
) -> None:
    """Print one of the queries behind every number."""
    reading.sql(ctx.obj, name, dialect)


def export(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="usage, events or comparison.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .parquet or .csv file.")],
    agent: Annotated[str | None, typer.Option("--agent", help="Whose (events: of everybody by default).")] = None,
    policy: Policies = None,
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
) -> None:
    """Usage, events or the comparison as Parquet or CSV."""
    asked = Question(agent or "", policy, None, None, days_of(window), days_of(min_age), date_of(as_of))
    reading.export(ctx.obj, what, output, asked, datetime.now(UTC))
