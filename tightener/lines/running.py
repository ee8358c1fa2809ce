"""The command line of the weekly run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from tightener.commands import running
from tightener.commands.context import Question
from tightener.options import AsOf, MinAge, WindowOption, date_of, days_of


def run(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,  # noqa: FBT002 - a flag
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 10 when there are suggestions.")] = False,  # noqa: FBT002 - a flag
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
) -> None:
    """Everything that tightener.yaml names, for all agents: read, study, prove, report, and publish if it says so."""
    asked = Question("", None, None, None, days_of(window), days_of(min_age), date_of(as_of))
    raise typer.Exit(running.run(ctx.obj, asked, datetime.now(UTC), dry=dry_run, exit_code=exit_code))
