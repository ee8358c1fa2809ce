"""The options that several commands share, what their texts mean, and where on the line the global ones may stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

Agent = Annotated[str, typer.Option("--agent", help="The agent's name, as in the policy.")]
Paths = Annotated[
    list[str] | None,
    typer.Argument(help="Files, folders, globs, s3://BUCKET/PREFIX. Default: what tightener.yaml names."),
]
Policies = Annotated[
    list[Path] | None, typer.Option("--policy", help="A policy file or folder. Default: `policy:` in tightener.yaml.")
]
Logs = Annotated[
    list[str] | None,
    typer.Option("--logs", help="Read these logs first, into a temporary database unless --db is given."),
]
Principals = Annotated[
    list[str] | None, typer.Option("--principal", help="AWS principals (ARN patterns) that are this agent.")
]
WindowOption = Annotated[str, typer.Option("--window", help="How far to look back, in days: 90d.")]
MinAge = Annotated[str, typer.Option("--min-age", help="Grants younger than this are left alone: 30d.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="End the window on this day, 2026-11-15. Default: the last logged day.")
]
AccountFile = Annotated[
    Path | None,
    typer.Option(
        "--account",
        help="The account's IAM: the JSON of `aws iam get-account-authorization-details`, or one policy document.",
    ),
]
Live = Annotated[
    bool, typer.Option("--live", help="Ask AWS itself, with the credentials that boto3 finds; reads, never writes.")
]
Format = Annotated[
    str | None, typer.Option("--format", help="Force a format: gateway, cloudtrail, or the name of a field map.")
]


def account_of(account: Path | None, *, live: bool) -> Path | None:
    """The account's file; None = the live account."""
    if (account is None) is not live:
        raise typer.BadParameter("give --account FILE or --live")
    return account


def days_of(text: str) -> int:
    """`90d` -> 90. Raises BadParameter, as do all of these."""
    digits = text.removesuffix("d")
    if not digits.isascii() or not digits.isdigit():
        raise typer.BadParameter(f"{text!r} is not a number of days such as 90d")
    return int(digits)


def date_of(text: str | None) -> date | None:
    """`2026-11-15` as a day; None stays None."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-11-15") from None


def moment_of(text: str | None) -> datetime | None:
    """RFC 3339 or a day as an aware moment, UTC where no zone is named; None stays None."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-11-15T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_GLOBAL_FLAGS = ("--json", "--quiet", "--no-progress")
_GLOBAL_VALUES = ("--config", "--db")


def hoist(arguments: Sequence[str]) -> list[str]:
    """The arguments with the global options in front, wherever they stood (up to a `--`)."""
    front: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if word == "--":
            rest += [word, *queue]
            break
        if word in _GLOBAL_FLAGS or word.startswith(tuple(f"{name}=" for name in _GLOBAL_VALUES)):
            front.append(word)
        elif word in _GLOBAL_VALUES:
            front += [word, *queue[:1]]
            del queue[:1]
        else:
            rest.append(word)
    return front + rest
