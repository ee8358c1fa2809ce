"""tightener run: where the weekly run's database, pages and pull requests are, and to whom it says what it did."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tightener import pipeline
from tightener.commands import publishing
from tightener.commands.context import Context, Question, policies_of
from tightener.config import Config
from tightener.errors import LogError, TightenerError
from tightener.logs import store
from tightener.pipeline import Project
from tightener.report import overview
from tightener.report.defuse import visible
from tightener.report.progress import progress_printer
from tightener.report.terminal import Printer
from tightener.weekly import sequence, words
from tightener.weekly.sequence import Ends, Week


def run(ctx: Context, asked: Question, now: datetime, *, dry: bool, exit_code: bool) -> int:
    """tightener run; returns the exit code."""
    try:
        week, folder = _week(ctx, asked, now, dry=dry)
    except TightenerError as error:
        text = words.stopped(error.slug)
        _summary(f"### tightener: {text}\n")
        _last_line(ctx, text)
        raise
    code = week.exit_code(suggestions=exit_code)
    if ctx.json:
        ctx.answer(words.document(week, folder, code, dry=dry))
    elif not ctx.quiet:
        overview.ingest_words(ctx.words, week.read)
        ctx.words.line()
        words.words(ctx.words, week, folder, now.date())
    else:
        for text in words.wrong(week):
            Printer(sys.stderr).line(f"error: {visible(text)}")
    _summary(words.summary(week, code, now.date(), dry=dry))
    _last_line(ctx, words.line(week, code, dry=dry))
    return code


def _week(ctx: Context, asked: Question, now: datetime, *, dry: bool) -> tuple[Week, Path]:
    """The run, and the folder of its pages."""
    config = ctx.config()
    if config.path is None:
        raise TightenerError(
            "there is no tightener.yaml in this folder or a parent",
            slug="no-config",
            hint="write one with `tightener init`, or name it with --config FILE",
        )
    pipeline.logs_of(config)
    folder = config.reports or config.path.parent / ".tightener" / "reports"
    with _database(ctx, config, dry=dry) as project, _pages(folder, dry=dry) as pages:
        policies = policies_of(project, asked)
        if not policies.agents:
            raise TightenerError(
                "the policy files name no agent", slug="no-agents", hint="write one under `agents:` in a policy file"
            )
        shown = Printer(sys.stderr if ctx.json else sys.stdout).verbatim if dry else None
        ends = Ends(
            pages=pages,
            place=publishing.placer(ctx, project, now, shown) if config.publishes else None,
            progress=progress_printer(sys.stderr, shown=ctx.progress),
        )
        week = sequence.run(project, policies, publishing.terms_of(project, asked, now), ends, now)
        if not dry:
            pipeline.keep_usage(project)
        return week, folder


@contextmanager
def _database(ctx: Context, config: Config, *, dry: bool) -> Iterator[Project]:
    """The database, which no other process has while this one does. With `dry`, a copy for this run.

    The lock is DuckDB's own on the file, held as long as it is open: the kernel gives it back when a process ends,
    however it ends. A second lock beside it would only be one more thing that could disagree.
    """
    path = ctx.database_of(config)
    with tempfile.TemporaryDirectory() as folder:
        try:
            if dry and path.exists():
                store.copy(path, Path(folder) / "tightener.duckdb")
            project = pipeline.open_project(config, Path(folder) / "tightener.duckdb" if dry else path)
        except LogError as error:
            if error.slug != "database-locked":
                raise
            raise LogError(
                f"{error.message}; this run has not begun",
                slug="run-locked",
                place=error.place,
                hint="leave it to the process that has it, and run again when that has ended",
            ) from error
        with project.con:
            yield project


@contextmanager
def _pages(folder: Path, *, dry: bool) -> Iterator[Path]:
    """The folder of pages. With `dry`, a copy for this run."""
    if not dry:
        yield folder
        return
    with tempfile.TemporaryDirectory() as other:
        copy = Path(other) / "pages"
        if folder.is_dir():
            shutil.copytree(folder, copy)
        yield copy


def _summary(text: str) -> None:
    """Adds to the page of the workflow run that this is a step of, if it is one."""
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if place:
        try:
            with Path(place).open("a", encoding="utf-8") as out:
                out.write(text)
        except OSError as error:
            Printer(sys.stderr).line(f"warning: no summary was written to {place}: {error.strerror}")


def _last_line(ctx: Context, text: str) -> None:
    """One line, however narrow the terminal is."""
    stream = sys.stderr if ctx.json else sys.stdout
    stream.write(f"{visible(text)}\n")
    stream.flush()
