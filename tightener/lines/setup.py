"""The command lines of getting started."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tightener.commands import setup


def schema(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="policy: of policy files; config: of tightener.yaml.")],
) -> None:
    """Print the JSON Schema (draft 2020-12) that editors complete and check a file by."""
    setup.schema(ctx.obj, what)


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The repository. Default: this folder.")] = Path(),
) -> None:
    """Write tightener.yaml, an example policy and a weekly workflow into a repository. Overwrites nothing."""
    setup.init(ctx.obj, folder)


def doctor(ctx: typer.Context) -> None:
    """Check all that a weekly run rests on, and say what to do. Exit code 1 where there is a problem."""
    raise typer.Exit(setup.doctor(ctx.obj, datetime.now(UTC)))
