"""The command lines of putting it before reviewers and auditors."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tightener.commands import auditing, publishing, reporting, tightening
from tightener.commands.context import Question
from tightener.options import (
    Agent,
    AsOf,
    Logs,
    MinAge,
    Policies,
    Principals,
    WindowOption,
    date_of,
    days_of,
)


def publish(
    ctx: typer.Context,
    agent: Annotated[
        list[str] | None, typer.Option("--agent", help="Only this agent (may be repeated). Default: all.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,  # noqa: FBT002 - a flag
    policy: Policies = None,
    logs: Logs = None,
    principal: Principals = None,
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
) -> None:
    """Put the proposals before people: one pull request a policy file, refreshed in place."""
    if principal and len(agent or ()) != 1:
        raise typer.BadParameter("--principal needs one --agent")
    first = agent[0] if agent else ""
    asked = Question(first, policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    publishing.publish(ctx.obj, asked, agent or [], datetime.now(UTC), dry=dry_run)


def report(
    ctx: typer.Context,
    agent: Annotated[
        list[str] | None,
        typer.Option("--agent", help="The agent. With --compliance: may be repeated, default all."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="A folder of pages: of all agents, and of each.")] = False,  # noqa: FBT002 - a flag
    compliance: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--compliance", help="What was checked by control, and who changed the policies.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The HTML file, or with --all the folder. Default: report.html, report or compliance.html.",
        ),
    ] = None,
    oscal: Annotated[
        Path | None, typer.Option("--oscal", help="With --compliance: the OSCAL assessment results to write, too.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="With --compliance: the findings as a CSV file to write, too.")
    ] = None,
    policy: Policies = None,
    logs: Logs = None,
    principal: Principals = None,
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
) -> None:
    """Self-contained pages for reviewers and auditors: one agent's, everybody's (--all), by control (--compliance)."""
    named = agent or []
    if every and (named or compliance):
        raise typer.BadParameter("--all goes without --agent and --compliance")
    if not every and not compliance and len(named) != 1:
        raise typer.BadParameter("give one --agent, --all or --compliance")
    if (oscal or csv) and not compliance:
        raise typer.BadParameter("--oscal and --csv go with --compliance")
    if principal and len(named) != 1:
        raise typer.BadParameter("--principal needs one --agent")
    first = named[0] if named else ""
    asked = Question(first, policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    if every:
        raise typer.Exit(reporting.report_all(ctx.obj, asked, output or Path("report"), datetime.now(UTC)))
    if compliance:
        page = output or Path("compliance.html")
        auditing.compliance(ctx.obj, asked, named, (page, oscal, csv), datetime.now(UTC))
        return
    tightening.report(ctx.obj, asked, output or Path("report.html"), datetime.now(UTC))


def evidence(
    ctx: typer.Context,
    agent: Agent,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write: new, or empty.")],
    policy: Policies = None,
    logs: Logs = None,
    principal: Principals = None,
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
) -> None:
    """The evidence pack: what was read, asked and proved about an agent, for an auditor to do again."""
    asked = Question(agent, policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    auditing.evidence(ctx.obj, asked, output, datetime.now(UTC))


def verify_evidence(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The evidence pack.")],
    logs: Annotated[
        list[str] | None,
        typer.Option("--logs", help="The logs behind it (may be repeated): everything is then done again."),
    ] = None,
) -> None:
    """Hash an evidence pack again, and with --logs read, ask and prove all of it again. Exit code 11 where it fails."""
    raise typer.Exit(auditing.verify_evidence(ctx.obj, folder, logs, datetime.now(UTC)))
