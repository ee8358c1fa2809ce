"""The commands of the main job: compare, suggest, refuse, explain, report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from tightener import decided, jobs, merged, pipeline, roles
from tightener.backtest import rolling
from tightener.backtest.ways import OURS
from tightener.commands import publishing
from tightener.commands.context import (
    Context,
    Question,
    account_of,
    existing,
    policies_of,
    project_of,
    study_of,
    warn_of_age,
)
from tightener.config import Rejection
from tightener.errors import EXIT_DONE, EXIT_SUGGESTIONS, TightenerError
from tightener.merged import Realised
from tightener.pipeline import Project
from tightener.report import backtest as backtest_report
from tightener.report import html, page, payload, story, terminal
from tightener.report import jobs as job_report
from tightener.report import roles as role_report
from tightener.report.terminal import Printer
from tightener.results import Backtest, Proposal

REPORTED_PERIODS = 3  # of the backtest, in a report


@dataclass(frozen=True, slots=True)
class SuggestOutput:
    """How `suggest` answers."""

    diff: bool
    write: bool
    exit_code: bool
    backtest: bool
    open_pr: bool


def compare(ctx: Context, asked: Question, now: datetime, *, every: bool) -> None:
    """tightener compare"""
    project = project_of(ctx, asked, now)
    study = study_of(project, asked, now)
    if ctx.json:
        ctx.answer(payload.comparison(study))
    else:
        terminal.comparison(ctx.words, study, every=every)
    pipeline.enough(study.comparison)


def compare_role(ctx: Context, asked: Question, account: Path | None, now: datetime, *, every: bool) -> None:
    """tightener compare --account FILE, or --live: the agent's IAM role as the granted side"""
    read = account_of(account)
    project = project_of(ctx, asked, now)
    found = roles.study_role(project, read, asked.agent, days=asked.days, as_of=asked.as_of, min_age=asked.min_age)
    if ctx.json:
        ctx.answer(role_report.comparison(found))
    else:
        role_report.comparison_words(ctx.words, found, every=every)
    pipeline.enough(found.study.comparison)


def suggest(ctx: Context, asked: Question, only: Sequence[str], shape: SuggestOutput, now: datetime) -> int:
    """tightener suggest; returns the exit code"""
    project = project_of(ctx, asked, now)
    tried = _tried(project, asked) if shape.backtest and not shape.diff else None
    proposal = pipeline.propose(project, study_of(project, asked, now), only)
    so_far = merged.known(project.con, proposal.study.file.path)
    if shape.open_pr and not ctx.json:
        _told(ctx, proposal, tried, so_far)
    opened = publishing.pull_requests(ctx, project, asked, [asked.agent], now, dry=False) if shape.open_pr else []
    if ctx.json:
        answer = payload.proposal(proposal)
        pulls = {"pull_requests": [publishing.document(one) for one in opened]} if shape.open_pr else {}
        past = {
            "backtest": backtest_report.one_document(tried) if tried else None,
            "merged_so_far": {"changes": so_far.removals, "missed": so_far.missed, "restored": so_far.restored}
            if so_far
            else None,
        }
        ctx.answer({**answer, **past, **pulls})
    elif shape.open_pr:
        ctx.words.line()
        publishing.words(ctx.words, opened)
    elif shape.diff:
        sys.stdout.write(proposal.diff)
        sys.stdout.flush()
    else:
        _told(ctx, proposal, tried, so_far)
    if shape.write and proposal.diff:
        pipeline.write(proposal.study.file, proposal.text)
        if not ctx.quiet:
            Printer(sys.stderr).line(f"written: {proposal.study.file.path}")
    return EXIT_SUGGESTIONS if shape.exit_code and proposal.suggestions else EXIT_DONE


def _told(ctx: Context, proposal: Proposal, tried: Backtest | None, so_far: Realised | None) -> None:
    line = backtest_report.line(tried, OURS) if tried else ""
    terminal.proposal(ctx.words, proposal, line, so_far.words if so_far else "")


def split(ctx: Context, asked: Question, shape: SuggestOutput, now: datetime) -> int:
    """tightener suggest --by job; returns the exit code"""
    project = project_of(ctx, asked, now)
    policies = policies_of(project, asked)
    found = jobs.split(project, policies, asked.agent, days=asked.days, as_of=asked.as_of, min_age=asked.min_age)
    warn_of_age(found.study, now)
    if ctx.json:
        ctx.answer(job_report.document(found))
    elif shape.diff:
        sys.stdout.write(found.diff)
        sys.stdout.flush()
    else:
        job_report.words_of(ctx.words, found)
    if shape.write:
        pipeline.write(found.study.file, found.text)
        if not ctx.quiet:
            Printer(sys.stderr).line(f"written: {found.study.file.path}")
    return EXIT_SUGGESTIONS if shape.exit_code else EXIT_DONE


def reject(ctx: Context, asked: Question, suggestion: str, said: tuple[str, str, date | None], now: datetime) -> None:
    """tightener reject"""
    project = project_of(ctx, asked, now)
    reason, owner, until = said
    until = until or now.date() + timedelta(days=decided.REJECTED_DAYS)
    proposal = pipeline.propose(project, study_of(project, asked, now))
    one = pipeline.chosen(proposal.suggestions, [suggestion])[0]
    path = decided.reject(project.config, Rejection(asked.agent, one.id, reason, owner, until))
    if ctx.json:
        ctx.answer(
            {"schema": "tightener.reject/1", "suggestion": one.id, "until": until.isoformat(), "file": str(path)}
        )
    elif not ctx.quiet:
        ctx.words.line(f"{one.id} is not suggested again until {until}, unless its evidence changes; written to {path}")


def explain(ctx: Context, what: str, asked: Question, now: datetime) -> None:
    """tightener explain"""
    found = story.error_page(what)
    if found is None and asked.agent:
        project = project_of(ctx, asked, now)
        study = study_of(project, asked, now)
        found = story.grant(project.con, study, what) or story.event(project.con, what)
        if found is None:
            found = story.suggestion(project.con, pipeline.propose(project, study), what)
            if found is not None:  # only now: a backtest takes the temporary tables that the story has been read from
                tried = _tried(project, asked)
                found = story.with_backtest(
                    found, backtest_report.line(tried, OURS), backtest_report.one_document(tried)
                )
    elif found is None:
        found = story.event(existing(ctx).con, what)
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
    proposal = pipeline.propose(project, study_of(project, asked, now))
    text = html.render(page.view(project.con, proposal, tried, project.config.redact))
    write_whole(output, text)
    if ctx.json:
        ctx.answer(
            {"schema": "tightener.report/1", "agent": asked.agent, "path": str(output), "bytes": len(text.encode())}
        )
    elif not ctx.quiet:
        ctx.words.line(f"written: {output}")


def _tried(project: Project, asked: Question) -> Backtest:
    """How this way of tightening did on the past, where the logs reach back far enough. Never asked between a study
    and what reads its temporary tables: both use the same."""
    policies = pipeline.read_policies(project, asked.policy or ())
    return rolling.glance(project, policies, asked.agent, days=asked.days, as_of=asked.as_of, min_age=asked.min_age)


def write_whole(output: Path, text: str) -> None:
    """Writes a file whole or not at all. What is there and is no file, such as a pipe, is written into."""
    temporary = output.with_name(f".{output.name}.part")
    try:
        if output.exists() and not output.is_file():
            output.write_text(text, encoding="utf-8", newline="\n")
            return
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(output)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TightenerError(f"cannot write {output}: {error.strerror}", slug="unwritable") from error
