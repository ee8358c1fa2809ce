"""The commands: parse, call, print. No logic.

The global options (--config, --db, --json, --quiet, --no-progress) may stand anywhere on the line.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from tightener.commands import auditing, policies, publishing, reading, setup, tightening, trials
from tightener.commands.context import Context, Question, fail
from tightener.errors import TightenerError
from tightener.options import (
    AccountFile,
    Agent,
    AsOf,
    Format,
    Live,
    Logs,
    MinAge,
    Paths,
    Policies,
    Principals,
    WindowOption,
    account_of,
    date_of,
    days_of,
    hoist,
    moment_of,
)

app = typer.Typer(
    name="tightener",
    help="Least privilege for AI agents from what they really did: reads audit logs, compares them with the policy, "
    "and proposes the smallest policy that keeps the agent working, proved never wider.",
    epilog="--config, --db, --json, --quiet and --no-progress may stand anywhere on the line. "
    "Exit codes: 0 done, 1 error, 2 usage, 3 no events or coverage too thin, 10 suggestions exist (with --exit-code), "
    "11 verification failed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def root(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", help="tightener.yaml. Default: in this folder or a parent.")
    ] = None,
    db: Annotated[
        Path | None,
        typer.Option("--db", help="Database. Default: .tightener/tightener.duckdb beside the configuration."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout; words go to stderr.")] = False,  # noqa: FBT002 - a flag
    quiet: Annotated[bool, typer.Option("--quiet", help="Only results and errors.")] = False,  # noqa: FBT002 - a flag
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No progress bar.")] = False,  # noqa: FBT002 - a flag
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Global options."""
    if version:
        typer.echo(f"tightener {installed_version('tightener')}")
        raise typer.Exit
    ctx.obj = Context(config_path=config, database=db, json=json, quiet=quiet, progress=not no_progress and not quiet)


@app.command()
def ingest(
    ctx: typer.Context,
    paths: Paths = None,
    force_format: Format = None,
    attempt: Annotated[
        str | None,
        typer.Option("--try", help="Show the first rows of this file as read, and what is missing. Stores nothing."),
    ] = None,
) -> None:
    """Read logs into the database; every file once. Prints the reconciling sum by source."""
    if attempt is not None:
        reading.try_file(ctx.obj, attempt, force_format)
    else:
        reading.ingest(ctx.obj, paths or [], force_format, datetime.now(UTC))


@app.command()
def status(ctx: typer.Context) -> None:
    """What is known: sources, days, gaps, agents, rejected, unmapped."""
    reading.status(ctx.obj)


@app.command()
def agents(ctx: typer.Context) -> None:
    """Who acted, and which agent each principal maps to."""
    reading.agents(ctx.obj)


@app.command()
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


@app.command()
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


@app.command()
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
) -> None:
    """The smallest policy that keeps the agent working, proved, as a diff of the same file."""
    if open_pr and (diff or write or only or by):
        raise typer.BadParameter("--open-pr proposes all of it: it goes with none of --diff, --write, --only and --by")
    asked = Question(agent, policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    shape = tightening.SuggestOutput(diff=diff, write=write, exit_code=exit_code, backtest=backtest, open_pr=open_pr)
    if by is not None:
        if by != "job" or only:
            raise typer.BadParameter("--by takes `job` only" if by != "job" else "--only does not go with --by job")
        raise typer.Exit(tightening.split(ctx.obj, asked, shape, datetime.now(UTC)))
    code = tightening.suggest(ctx.obj, asked, only or [], shape, datetime.now(UTC))
    raise typer.Exit(code)


@app.command()
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


@app.command()
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


@app.command()
def exceptions(ctx: typer.Context, policy: Policies = None) -> None:
    """What people decided in tightener.yaml: exceptions and rejections, honoured, expired or without effect."""
    policies.exceptions(ctx.obj, policy, datetime.now(UTC))


@app.command()
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


@app.command()
def bench(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="agentdojo: runs of real models with and without injected texts.")],
    path: Annotated[Path, typer.Argument(help="The folder with its data.")],
) -> None:
    """Measure tightener on a benchmark of others, beside naive policies."""
    trials.bench(ctx.obj, what, path)


@app.command()
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


@app.command()
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


@app.command()
def verify(
    ctx: typer.Context,
    old: Annotated[Path, typer.Argument(help="The policy in force: a file or folder.")],
    new: Annotated[Path, typer.Argument(help="The policy that must not be wider.")],
    agent: Annotated[str | None, typer.Option("--agent", help="Only this agent.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="From this moment on. Default: now.")] = None,
) -> None:
    """Prove that NEW is never wider than OLD, agent by agent, over all requests and all time to come."""
    raise typer.Exit(policies.verify(ctx.obj, old, new, agent, moment_of(at) or datetime.now(UTC)))


@app.command()
def report(
    ctx: typer.Context,
    agent: Agent,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path("report.html"),
    policy: Policies = None,
    logs: Logs = None,
    principal: Principals = None,
    window: WindowOption = "90d",
    min_age: MinAge = "30d",
    as_of: AsOf = None,
) -> None:
    """One self-contained page for reviewers and auditors."""
    asked = Question(agent, policy, logs, principal, days_of(window), days_of(min_age), date_of(as_of))
    tightening.report(ctx.obj, asked, output, datetime.now(UTC))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def sql(
    ctx: typer.Context, name: Annotated[str | None, typer.Argument(help="A query's name; none lists them.")] = None
) -> None:
    """Print one of the queries behind every number."""
    reading.sql(ctx.obj, name)


@app.command()
def schema(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(help="policy: of policy files; config: of tightener.yaml.")],
) -> None:
    """Print the JSON Schema (draft 2020-12) that editors complete and check a file by."""
    setup.schema(ctx.obj, what)


@app.command()
def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The repository. Default: this folder.")] = Path(),
) -> None:
    """Write tightener.yaml, an example policy and a weekly workflow into a repository. Overwrites nothing."""
    setup.init(ctx.obj, folder)


@app.command()
def doctor(ctx: typer.Context) -> None:
    """Check all that a weekly run rests on, and say what to do. Exit code 1 where there is a problem."""
    raise typer.Exit(setup.doctor(ctx.obj, datetime.now(UTC)))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Typer itself answers usage errors, with exit code 2."""
    try:
        app(hoist(arguments), prog_name="tightener")
    except TightenerError as error:
        fail(error, as_json="--json" in arguments)
        return error.exit_code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


def gather_less() -> None:
    """Keep the garbage collector from walking all modules whenever a hundred thousand values were read."""
    gc.freeze()
    gc.set_threshold(100_000)


def main() -> None:
    """The console script."""
    gather_less()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
