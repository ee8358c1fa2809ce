"""The command line of undoing what was merged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from tightener.commands import reverting
from tightener.commands.reverting import RevertOutput
from tightener.options import Policies


def revert(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="PR-OR-COMMIT", help="A merged pull request's number, or its merge's commit.")
    ],
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this suggestion's change (may be repeated).")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Print only the unified diff, for `git apply`.")] = False,  # noqa: FBT002 - a flag
    write: Annotated[bool, typer.Option("--write", help="Write it into the policy file; no pull request.")] = False,  # noqa: FBT002 - a flag
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,  # noqa: FBT002 - a flag
    policy: Policies = None,
) -> None:
    """Put back what a merged tightening took away, as a pull request: proved, and people's later edits kept."""
    if dry_run and (diff or write):
        raise typer.BadParameter("--dry-run is about the pull request: it goes with neither --diff nor --write")
    reverting.revert(ctx.obj, what, only or [], policy or (), RevertOutput(diff, write, dry_run), datetime.now(UTC))
