"""The command lines of trying it out: on the past, on other people's data, on one request, on two policies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tightener.commands import policies, trials
from tightener.commands.context import Question
from tightener.options import (
    AsOf,
    Logs,
    MinAge,
    Policies,
    Principals,
    WindowOption,
    date_of,
    days_of,
    moment_of,
)


def backtest(
    ctx: typer.Context,
    agent: Annotated[str | None, typer.Option("--agent", help="The agent's name, as in the policy.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every agent of the policy.")] = False,  # noqa: FBT002 - a flag
    policy: Policies = None,
    logs: Logs = None,
    principal: Principals = None,
    window: WindowOption = "90d",
    horizon: Annotated[str, typer.Option("--horizon", help="How many days each period is scored on: 30d.")] = "30d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
) -> None:
    """Tighten as of days in the past, and count what the days that followed would have been refused."""
    if (agent is None) is not every:
        raise typer.BadParameter("give --agent A or --all")
    if principal and not agent:
        raise typer.BadParameter("--principal needs --agent")
    asked = Question(agent or "", policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    trials.backtest(ctx.obj, asked, days_of(horizon), datetime.now(UTC))


def bench(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="agentdojo: runs of real models with and without injected texts.")],
    path: Annotated[Path, typer.Argument(help="The folder with its data.")],
) -> None:
    """Measure tightener on a benchmark of others, beside naive policies."""
    trials.bench(ctx.obj, what, path)


def decide(
    ctx: typer.Context,
    policy: Annotated[Path, typer.Argument(help="The policy file or folder.")],
    agent: Annotated[str | None, typer.Option("--agent", help="Who asks.")] = None,
    service: Annotated[str | None, typer.Option("--service", help="git, aws, stripe, tools, ...")] = None,
    action: Annotated[str | None, typer.Option("--action", help="push, s3:GetObject, ...")] = None,
    resource: Annotated[str, typer.Option("--resource", help="On what; absent by default.")] = "",
    branch: Annotated[str, typer.Option("--branch", help="For git; absent by default.")] = "",
    requests: Annotated[
        str | None,
        typer.Option(
            "--requests", help="A file of JSON lines {agent, service, action, resource, branch}; - for stdin."
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="The moment of the decision, RFC 3339 or a date. Default: now.")
    ] = None,
) -> None:
    """The authoriser: allowed, needs_approval, denied or not_granted, with the rule's file and line."""
    moment = moment_of(at) or datetime.now(UTC)
    if requests is not None:
        policies.decide_many(ctx.obj, policy, requests, moment)
    elif agent and service and action:
        policies.decide(ctx.obj, policy, (agent, service, action, resource, branch), moment)
    else:
        raise typer.BadParameter("give --agent, --service and --action, or --requests FILE")


def verify(
    ctx: typer.Context,
    old: Annotated[Path, typer.Argument(help="The policy in force: a file or folder.")],
    new: Annotated[Path, typer.Argument(help="The policy that must not be wider.")],
    agent: Annotated[str | None, typer.Option("--agent", help="Only this agent.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="From this moment on. Default: now.")] = None,
) -> None:
    """Prove that NEW is never wider than OLD, agent by agent, over all requests and all time to come."""
    raise typer.Exit(policies.verify(ctx.obj, old, new, agent, moment_of(at) or datetime.now(UTC)))
