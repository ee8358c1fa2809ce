"""The command lines of the main job: what is granted, what is used, what could go."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tightener.commands import policies, scanning, tightening
from tightener.commands.context import Question
from tightener.options import (
    AccountFile,
    Agent,
    AsOf,
    Live,
    Logs,
    MinAge,
    Policies,
    Principals,
    WindowOption,
    account_of,
    date_of,
    days_of,
    moment_of,
)


def compare(
    ctx: typer.Context,
    agent: Agent,
    policy: Policies = None,
    logs: Logs = None,
    principal: Principals = None,
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
    account: AccountFile = None,
    live: Live = False,  # noqa: FBT002 - a flag
    every: Annotated[bool, typer.Option("--all", help="One row a grant, wildcards written out.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Every grant with its status and evidence. With --account or --live, what the agent's IAM role grants instead."""
    asked = Question(agent, policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    if account is None and not live:
        tightening.compare(ctx.obj, asked, datetime.now(UTC), every=every)
    else:
        tightening.compare_role(ctx.obj, asked, account_of(account, live=live), datetime.now(UTC), every=every)


def iam(
    ctx: typer.Context,
    account: AccountFile = None,
    live: Live = False,  # noqa: FBT002 - a flag
    agent: Annotated[str | None, typer.Option("--agent", help="Only this agent. Default: all.")] = None,
    policy: Policies = None,
    principal: Principals = None,
    at: Annotated[str | None, typer.Option("--at", help="The gateway's policy at this moment. Default: now.")] = None,
    every: Annotated[bool, typer.Option("--all", help="One row an action.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """What each agent's AWS role can do beyond its gateway policy, by service, with the statements that grant it."""
    asked = Question(agent or "", policy, None, principal, 0, 0, None)
    if principal and not agent:
        raise typer.BadParameter("--principal needs --agent")
    moment = moment_of(at) or datetime.now(UTC)
    policies.iam(ctx.obj, asked, account_of(account, live=live), moment, every=every)


def suggest(
    ctx: typer.Context,
    agent: Agent,
    policy: Policies = None,
    logs: Logs = None,
    principal: Principals = None,
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
    diff: Annotated[bool, typer.Option("--diff", help="Print only the unified diff, for `git apply`.")] = False,  # noqa: FBT002 - a flag
    write: Annotated[bool, typer.Option("--write", help="Write the proposal into the policy file.")] = False,  # noqa: FBT002 - a flag
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this suggestion (may be repeated).")] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 10 when there are suggestions.")] = False,  # noqa: FBT002 - a flag
    backtest: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--backtest/--no-backtest", help="Say how this way of tightening did on up to 3 past periods."),
    ] = True,
    open_pr: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option("--open-pr", help="Open or refresh the policy file's pull request, as `tightener publish` does."),
    ] = False,
    by: Annotated[
        str | None, typer.Option("--by", help="job: what each of the agent's jobs would be granted as a new agent.")
    ] = None,
    form: Annotated[str | None, typer.Option("--format", help="sarif: a SARIF 2.1.0 log, for code scanning.")] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="With --format sarif: the log of the last time, to compare with.")
    ] = None,
) -> None:
    """The smallest policy that keeps the agent working, proved, as a diff of the same file."""
    if open_pr and (diff or write or only or by):
        raise typer.BadParameter("--open-pr proposes all of it: it goes with none of --diff, --write, --only and --by")
    asked = Question(agent, policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    if form is not None or baseline is not None:
        if form != "sarif":
            raise typer.BadParameter("--format takes `sarif` only" if form else "--baseline goes with --format sarif")
        if diff or write or only or by or open_pr or ctx.obj.json:
            raise typer.BadParameter(
                "--format sarif is an answer of its own: it goes with none of --json, --diff, --write, --only, --by"
                " and --open-pr"
            )
        scanning.sarif(ctx.obj, asked, baseline, datetime.now(UTC))
        return
    shape = tightening.SuggestOutput(diff=diff, write=write, exit_code=exit_code, backtest=backtest, open_pr=open_pr)
    if by is not None:
        if by != "job" or only:
            raise typer.BadParameter("--by takes `job` only" if by != "job" else "--only does not go with --by job")
        raise typer.Exit(tightening.split(ctx.obj, asked, shape, datetime.now(UTC)))
    code = tightening.suggest(ctx.obj, asked, only or [], shape, datetime.now(UTC))
    raise typer.Exit(code)


def explain(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(help="A grant (3/s3:GetObject), a suggestion's id, an event's id, or an error's slug.")
    ],
    agent: Annotated[str | None, typer.Option("--agent", help="Whose grant or suggestion.")] = None,
    policy: Policies = None,
    logs: Logs = None,
    principal: Principals = None,
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
) -> None:
    """The whole story of one grant, suggestion, event or error: events, policy line, SQL."""
    asked = Question(agent or "", policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    tightening.explain(ctx.obj, what, asked, datetime.now(UTC))


def reject(
    ctx: typer.Context,
    suggestion: Annotated[str, typer.Argument(help="The suggestion's id.")],
    agent: Agent,
    reason: Annotated[str, typer.Option("--reason", help="Why not: the next reader will want to know.")],
    owner: Annotated[str, typer.Option("--owner", help="Who answers for it.")],
    until: Annotated[
        str | None, typer.Option("--until", help="The last day on which it holds. Default: 90 days from now.")
    ] = None,
    policy: Policies = None,
    logs: Logs = None,
    principal: Principals = None,
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
) -> None:
    """Say no to a suggestion: remembered in tightener.yaml, and not made again while its evidence stays the same."""
    asked = Question(agent, policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    tightening.reject(ctx.obj, asked, suggestion, (reason, owner, date_of(until)), datetime.now(UTC))


def exceptions(ctx: typer.Context, policy: Policies = None) -> None:
    """What people decided in tightener.yaml: exceptions and rejections, honoured, expired or without effect."""
    policies.exceptions(ctx.obj, policy, datetime.now(UTC))
