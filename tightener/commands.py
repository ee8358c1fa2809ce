"""What each command does between parsing and printing: open, call the pipeline, choose the shape of the answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from tightener import api, decided, pipeline, roles
from tightener import config as configuration
from tightener.backtest import rolling
from tightener.backtest.ways import OURS
from tightener.config import Config, Rejection
from tightener.errors import EXIT_DONE, EXIT_SUGGESTIONS, EXIT_VERIFICATION, NoEvidence, TightenerError
from tightener.iam import account as accounts
from tightener.iam import live
from tightener.iam.account import Account
from tightener.logs.formats import field_map
from tightener.model import Answer, Request
from tightener.pipeline import Project
from tightener.policy import document
from tightener.policy import verify as verification
from tightener.policy.decide import Authoriser, Decision
from tightener.policy.decide import decide as authorise
from tightener.report import backtest as backtest_report
from tightener.report import html, overview, page, payload, story, terminal
from tightener.report import roles as role_report
from tightener.report.progress import progress_printer
from tightener.report.terminal import Printer
from tightener.resources import query, query_names
from tightener.results import Backtest, Study

REPORTED_PERIODS = 3  # of the backtest, in a report
STALE_DAYS = 7  # a window that ends longer ago than this is warned about


@dataclass(frozen=True, slots=True)
class Context:
    """The global options."""

    config_path: Path | None
    database: Path | None
    json: bool
    quiet: bool
    progress: bool

    @property
    def words(self) -> Printer:
        """Where people's words go: stdout, or stderr where stdout carries a document."""
        return Printer(sys.stderr if self.json else sys.stdout)

    def config(self) -> Config:
        """The configuration: the named one, the nearest one, or an empty one."""
        path = self.config_path or configuration.find(Path.cwd())
        return configuration.load(path) if path else Config()

    def database_of(self, config: Config) -> Path:
        """The database file: named, configured, or beside the configuration."""
        base = config.path.parent if config.path else Path.cwd()
        return self.database or config.database or base / ".tightener" / "tightener.duckdb"

    def answer(self, document: Mapping[str, Any]) -> None:
        """Prints one JSON document."""
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=True) + "\n")


@dataclass(frozen=True, slots=True)
class Question:
    """Which agent, policy, logs and window a command is about."""

    agent: str
    policy: Sequence[Path] | None
    logs: Sequence[str] | None
    principals: Sequence[str] | None
    days: int
    min_age: int
    as_of: date | None


@dataclass(frozen=True, slots=True)
class SuggestOutput:
    """How `suggest` answers."""

    diff: bool
    write: bool
    exit_code: bool
    backtest: bool


def ingest(ctx: Context, paths: Sequence[str], force_format: str | None, now: datetime) -> None:
    """tightener ingest"""
    config = ctx.config()
    paths = paths or config.logs
    if not paths:
        raise TightenerError("no logs are named", slug="no-logs", hint="give PATHs, or `logs:` in tightener.yaml")
    project = pipeline.open_project(config, ctx.database_of(config))
    done = pipeline.read_logs(project, paths, now, progress_printer(sys.stderr, shown=ctx.progress), force_format)
    if ctx.json:
        ctx.answer(overview.ingest_document(done))
    elif not ctx.quiet:
        overview.ingest_words(ctx.words, done)


def try_file(ctx: Context, path: str, format_name: str | None) -> None:
    """tightener ingest --try FILE"""
    config = ctx.config()
    shown = field_map.try_file(Path(path), format_name, config.formats, config.tools)
    if ctx.json:
        ctx.answer(overview.try_document(shown))
    else:
        overview.try_words(ctx.words, shown)


def status(ctx: Context) -> None:
    """tightener status"""
    project = _existing(ctx)
    found = overview.status(project.con, project.config)
    if ctx.json:
        ctx.answer(found)
    else:
        overview.status_words(ctx.words, found)


def agents(ctx: Context) -> None:
    """tightener agents"""
    project = _existing(ctx)
    found = overview.agents(project.con, project.config)
    if ctx.json:
        ctx.answer(found)
    else:
        overview.agents_words(ctx.words, found)


def exceptions(ctx: Context, policy: Sequence[Path] | None, now: datetime) -> None:
    """tightener exceptions"""
    config = ctx.config()
    policies = pipeline.read_policies(pipeline.open_project(config, None), policy or ())
    found = decided.decisions(config, policies.agents, now.date())
    if ctx.json:
        ctx.answer(overview.decisions_document(found))
    else:
        overview.decisions_words(ctx.words, found)


def reject(ctx: Context, asked: Question, suggestion: str, said: tuple[str, str, date | None], now: datetime) -> None:
    """tightener reject"""
    project = project_of(ctx, asked, now)
    reason, owner, until = said
    until = until or now.date() + timedelta(days=decided.REJECTED_DAYS)
    proposal = pipeline.propose(project, _study(project, asked, now))
    one = pipeline.chosen(proposal.suggestions, [suggestion])[0]
    path = decided.reject(project.config, Rejection(asked.agent, one.id, reason, owner, until))
    if ctx.json:
        ctx.answer(
            {"schema": "tightener.reject/1", "suggestion": one.id, "until": until.isoformat(), "file": str(path)}
        )
    elif not ctx.quiet:
        ctx.words.line(f"{one.id} is not suggested again until {until}, unless its evidence changes; written to {path}")


def compare(ctx: Context, asked: Question, now: datetime, *, every: bool) -> None:
    """tightener compare"""
    project = project_of(ctx, asked, now)
    study = _study(project, asked, now)
    if ctx.json:
        ctx.answer(payload.comparison(study))
    else:
        terminal.comparison(ctx.words, study, every=every)
    pipeline.enough(study.comparison)


def compare_role(ctx: Context, asked: Question, account: Path | None, now: datetime, *, every: bool) -> None:
    """tightener compare --account FILE, or --live: the agent's IAM role as the granted side"""
    read = _account(account)
    project = project_of(ctx, asked, now)
    found = roles.study_role(project, read, asked.agent, days=asked.days, as_of=asked.as_of, min_age=asked.min_age)
    if ctx.json:
        ctx.answer(role_report.comparison(found))
    else:
        role_report.comparison_words(ctx.words, found, every=every)
    pipeline.enough(found.study.comparison)


def iam(ctx: Context, asked: Question, account: Path | None, now: datetime, *, every: bool) -> None:
    """tightener iam"""
    config = pipeline.with_principals(ctx.config(), asked.agent, asked.principals or ())
    policies = pipeline.read_policies(pipeline.open_project(config, None), asked.policy or ())
    read = _account(account)
    if read.is_document and not asked.agent:
        raise TightenerError("whose policy document is this?", slug="no-agent", hint="say --agent A")
    found, notes = roles.beyond_gateways(config, read, policies.agents, asked.agent, now)
    if ctx.json:
        ctx.answer(role_report.document(read, found, notes))
    else:
        role_report.words(ctx.words, read, found, notes, every=every)


def suggest(ctx: Context, asked: Question, only: Sequence[str], shape: SuggestOutput, now: datetime) -> int:
    """tightener suggest; returns the exit code"""
    project = project_of(ctx, asked, now)
    tried = _tried(project, asked) if shape.backtest and not shape.diff else None
    proposal = pipeline.propose(project, _study(project, asked, now), only)
    if ctx.json:
        answer = payload.proposal(proposal)
        ctx.answer({**answer, "backtest": backtest_report.one_document(tried) if tried else None})
    elif shape.diff:
        sys.stdout.write(proposal.diff)
        sys.stdout.flush()
    else:
        terminal.proposal(ctx.words, proposal, backtest_report.line(tried, OURS) if tried else "")
    if shape.write and proposal.diff:
        pipeline.write(proposal)
        if not ctx.quiet:
            Printer(sys.stderr).line(f"written: {proposal.study.file.path}")
    return EXIT_SUGGESTIONS if shape.exit_code and proposal.suggestions else EXIT_DONE


def explain(ctx: Context, what: str, asked: Question, now: datetime) -> None:
    """tightener explain"""
    found = story.error_page(what)
    if found is None and asked.agent:
        project = project_of(ctx, asked, now)
        study = _study(project, asked, now)
        found = (
            story.grant(project.con, study, what)
            or story.event(project.con, what)
            or story.suggestion(pipeline.propose(project, study), what)
        )
    elif found is None:
        found = story.event(_existing(ctx).con, what)
    if found is None:
        raise TightenerError(
            f"nothing is called {what}",
            slug="nothing-to-explain",
            hint="name a grant (3/s3:GetObject) or a suggestion with --agent, an event's id, or an error's slug",
        )
    if ctx.json:
        ctx.answer(found.document)
    else:
        story.words(ctx.words, found)


def decide(ctx: Context, policy: Path, asked: tuple[str, str, str, str, str], moment: datetime) -> None:
    """tightener decide, one request"""
    request = Request(*asked)
    decision = authorise(document.load([policy], ctx.config().aliases).agents, request, moment)
    answer = {"schema": "tightener.decide/1", **_decision(request, decision)}
    if ctx.json:
        ctx.answer(answer)
    else:
        where = f" by {decision.rule.effect.value} in {decision.rule.place}" if decision.rule else ""
        ctx.words.line(f"{decision.answer.value}{where}")


def decide_many(ctx: Context, policy: Path, requests: str, moment: datetime) -> None:
    """tightener decide --requests FILE: one JSON answer a line, in order; a broken line gets an error in its place."""
    policies = document.load([policy], ctx.config().aliases).agents
    authorisers = {name: Authoriser(found, moment) for name, found in policies.items()}
    nothing = Decision(Answer.NOT_GRANTED, None)
    for number, line in enumerate(_lines(requests), start=1):
        try:
            data = json.loads(line)
            request = Request(
                **{k: str(data[k]) for k in ("agent", "service", "action", "resource", "branch") if data.get(k)}
            )
        except (ValueError, TypeError, AttributeError) as error:
            answer: dict[str, Any] = {"line": number, "error": f"not a request: {error}"}
        else:
            one = authorisers.get(request.agent)
            r = request
            answer = _decision(r, one.decide(r.service, r.action, r.resource, r.branch) if one else nothing)
        sys.stdout.write(json.dumps(answer) + "\n")


def verify(ctx: Context, old: Path, new: Path, agent: str | None, moment: datetime) -> int:
    """tightener verify; returns the exit code"""
    aliases = ctx.config().aliases
    before, after = document.load([old], aliases).agents, document.load([new], aliases).agents
    found = verification.verify_sets(before, after, moment, agent)
    if ctx.json:
        ctx.answer(overview.verify_document(found))
    else:
        overview.verify_words(ctx.words, found)
    return EXIT_DONE if found.kind == "contained" else EXIT_VERIFICATION


def report(ctx: Context, asked: Question, output: Path, now: datetime) -> None:
    """tightener report"""
    project = project_of(ctx, asked, now)
    # before the study, whose temporary tables the page reads
    policies = pipeline.read_policies(project, asked.policy or ())
    tried = rolling.backtest(
        project,
        policies,
        asked.agent,
        days=asked.days,
        as_of=asked.as_of,
        min_age=asked.min_age,
        most=REPORTED_PERIODS,
    )
    proposal = pipeline.propose(project, _study(project, asked, now))
    text = html.render(page.view(project.con, proposal, tried))
    _write_whole(output, text)
    if ctx.json:
        ctx.answer(
            {"schema": "tightener.report/1", "agent": asked.agent, "path": str(output), "bytes": len(text.encode())}
        )
    elif not ctx.quiet:
        ctx.words.line(f"written: {output}")


def export(ctx: Context, what: str, output: Path, asked: Question, now: datetime) -> None:
    """tightener export"""
    database = api.Database(project_of(ctx, asked, now))
    if what != "events" and not asked.agent:
        raise TightenerError(f"whose {what}?", slug="no-agent", hint="say --agent A")
    if what == "usage":
        table = database.usage(asked.agent, days=asked.days, as_of=asked.as_of)
    elif what == "events":
        table = database.events()
    elif what == "comparison":
        table = database.comparison(
            asked.agent, asked.policy or (), days=asked.days, as_of=asked.as_of, min_age=asked.min_age
        )
    else:
        raise TightenerError(f"cannot export {what}", slug="unknown-export", hint="usage, events or comparison")
    rows = table.write(output)
    if ctx.json:
        ctx.answer({"schema": "tightener.export/1", "what": what, "path": str(output), "rows": rows})
    elif not ctx.quiet:
        ctx.words.line(f"{rows:,} rows written: {output}")


def sql(ctx: Context, name: str | None) -> None:
    """tightener sql"""
    names = query_names()
    if name is not None and name not in names:
        raise TightenerError(f"there is no query {name}", slug="unknown-query", hint=f"there are: {', '.join(names)}")
    if ctx.json:
        ctx.answer({"schema": "tightener.sql/1", "queries": {n: query(n) for n in ([name] if name else names)}})
    else:
        sys.stdout.write(query(name) if name else "\n".join(names) + "\n")


def fail(error: TightenerError, *, as_json: bool) -> None:
    """Prints an error: words on stderr, and with --json a document on stdout."""
    Printer(sys.stderr).line(f"error: {error}")
    if as_json:
        document_ = {
            "schema": "tightener.error/1",
            "error": error.slug,
            "message": error.message,
            "hint": error.hint,
            "place": str(error.place) if error.place else None,
            "exit_code": error.exit_code,
        }
        sys.stdout.write(json.dumps(document_, indent=2) + "\n")


def _account(path: Path | None) -> Account:
    """The account's IAM: the named file, or (None) the live account."""
    return live.fetch() if path is None else accounts.load(path)


def _existing(ctx: Context) -> Project:
    config = ctx.config()
    path = ctx.database_of(config)
    if not path.exists():
        raise NoEvidence(
            f"there is no database at {path}", slug="no-database", hint="read logs first: tightener ingest PATH..."
        )
    return pipeline.open_project(config, path)


def project_of(ctx: Context, asked: Question, now: datetime) -> Project:
    """The database: the existing one, or with --logs one that is filled first (temporary unless --db names it)."""
    if not asked.logs:
        project = _existing(ctx)
        return Project(project.con, pipeline.with_principals(project.config, asked.agent, asked.principals or ()))
    config = pipeline.with_principals(ctx.config(), asked.agent, asked.principals or ())
    project = pipeline.open_project(config, ctx.database)
    done = pipeline.read_logs(project, asked.logs, now, progress_printer(sys.stderr, shown=ctx.progress))
    if not ctx.quiet:
        overview.ingest_words(Printer(sys.stderr), done)
    return project


def _tried(project: Project, asked: Question) -> Backtest:
    """How this way of tightening did on the past, where the logs reach back far enough. Asked before the study: both
    use the same temporary tables."""
    policies = pipeline.read_policies(project, asked.policy or ())
    return rolling.glance(project, policies, asked.agent, days=asked.days, as_of=asked.as_of, min_age=asked.min_age)


def _study(project: Project, asked: Question, now: datetime) -> Study:
    policies = pipeline.read_policies(project, asked.policy or ())
    for warning in policies.warnings:
        Printer(sys.stderr).line(f"warning: {warning.place}: {warning.message} [{warning.slug}]")
    study = pipeline.study(project, policies, asked.agent, days=asked.days, as_of=asked.as_of, min_age=asked.min_age)
    last = study.comparison.terms.window.last
    if (now.date() - last).days > STALE_DAYS:
        Printer(sys.stderr).line(f"warning: the window ends on {last}, more than a week ago; newer logs may tell more")
    return study


def _decision(request: Request, decision: Decision) -> dict[str, Any]:
    place = decision.rule.place if decision.rule else None
    return {
        "agent": request.agent,
        "service": request.service,
        "action": request.action,
        "resource": request.resource,
        "branch": request.branch,
        "decision": decision.answer.value,
        "file": place.path if place else None,
        "line": place.line if place else None,
    }


def _lines(path: str) -> Sequence[str]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise TightenerError(f"cannot read {path}: {error.strerror}", slug="unreadable") from error
    return [line for line in text.split("\n") if line.strip()]


def _write_whole(output: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    temporary = output.with_name(f".{output.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(output)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TightenerError(f"cannot write {output}: {error.strerror}", slug="unwritable") from error
