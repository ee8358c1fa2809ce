"""The command lines of giving something back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import typer

from tightener.commands import widening
from tightener.commands.context import Question
from tightener.commands.widening import RequestOutput
from tightener.options import Agent, AsOf, Logs, Policies, date_of, days_of


def request(
    ctx: typer.Context,
    agent: Agent,
    event: Annotated[
        str | None,
        typer.Option("--from", help="The event that was refused, by its id. Default: list what was refused."),
    ] = None,
    requester: Annotated[str, typer.Option("--requester", help="Who asks for it, and answers for it.")] = "",
    why: Annotated[str, typer.Option("--why", help="What it is needed for: the reviewer decides by it.")] = "",
    expires: Annotated[
        str, typer.Option("--expires", help="The last day on which it holds, 2027-01-31, or how many days: 90d.")
    ] = "90d",
    diff: Annotated[bool, typer.Option("--diff", help="Print only the unified diff, for `git apply`.")] = False,  # noqa: FBT002 - a flag
    write: Annotated[bool, typer.Option("--write", help="Write it into the policy file: no pull request.")] = False,  # noqa: FBT002 - a flag
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,  # noqa: FBT002 - a flag
    policy: Policies = None,
    logs: Logs = None,
) -> None:
    """Ask for what an agent was refused: a pull request that widens its policy by exactly that, with approval."""
    if diff + write + dry_run > 1:
        raise typer.BadParameter("--diff, --write and --dry-run do not go together")
    now = datetime.now(UTC)
    asked = Question(agent, policy, logs, None, 0, 0, None)
    if event is None:
        if requester or why or diff or write or dry_run:
            raise typer.BadParameter("name the refused event with --from; without options this command lists them")
        widening.refused(ctx.obj, asked, now)
        return
    said = (event, _said("--requester", requester), _said("--why", why), _end(expires, now))
    widening.request(ctx.obj, asked, said, RequestOutput(diff=diff, write=write, dry=dry_run), now)


def watch(
    ctx: typer.Context,
    agent: Annotated[
        list[str] | None, typer.Option("--agent", help="Only this agent (may be repeated). Default: all.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,  # noqa: FBT002 - a flag
    policy: Policies = None,
    logs: Logs = None,
    as_of: AsOf = None,
) -> None:
    """Look for refused calls that a merged pull request broke, and ask for each such grant again."""
    asked = Question(agent[0] if agent else "", policy, logs, None, 0, 0, date_of(as_of))
    widening.watch(ctx.obj, asked, agent or [], datetime.now(UTC), dry=dry_run)


def _said(name: str, text: str) -> str:
    """A text on one line. Raises BadParameter where it says nothing."""
    if not text.strip():
        raise typer.BadParameter(f"{name} says nothing: whoever reviews it has to know")
    return " ".join(text.split())


def _end(text: str, now: datetime) -> datetime:
    """The first moment behind a day, or behind so many days from today. Raises BadParameter."""
    try:
        last = now.date() + timedelta(days=days_of(text)) if text.endswith("d") else date_of(text) or now.date()
        end = datetime.combine(last, time(), UTC) + timedelta(days=1)
    except OverflowError:
        raise typer.BadParameter(f"--expires {text} is too far away") from None
    if end <= now:
        raise typer.BadParameter(f"--expires {text} has passed")
    return end
