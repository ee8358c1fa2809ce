"""The commands about logs and the database: read them, look at what is there, take it elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tightener import api, pipeline
from tightener.commands.context import Context, Question, existing, project_of
from tightener.errors import EXIT_DONE, EXIT_ERROR, TightenerError
from tightener.logs import pruning
from tightener.logs.formats import field_map
from tightener.report import overview, planned
from tightener.report.progress import progress_printer
from tightener.report.terminal import Printer
from tightener.resources import query, query_names

LOCAL, SPARK = ENGINES = ("local", "spark")
_BATCH = 50_000  # rows that an export holds at a time


@dataclass(frozen=True, slots=True)
class Engine:
    """What reads: this machine, or Spark's `master`."""

    name: str
    master: str | None


def ingest(ctx: Context, paths: Sequence[str], force_format: str | None, engine: Engine, now: datetime) -> int:
    """tightener ingest; its exit code: 1 where there was something wrong with all that there was to read."""
    if engine.name not in ENGINES or (engine.master and engine.name != SPARK):
        wrong = f"there is no engine {engine.name}" if engine.name not in ENGINES else "--master is of Spark"
        raise TightenerError(wrong, slug="unknown-engine", hint=f"say --engine {SPARK}; engines: {', '.join(ENGINES)}")
    config = ctx.config()
    pipeline.logs_of(config, paths)  # before a database is made
    project = pipeline.open_project(config, ctx.database_of(config))
    if engine.name == SPARK:
        say = Printer(sys.stderr).line
        done = pipeline.read_logs_on_spark(project, paths, now, engine.master, say, force_format, progress=ctx.progress)
    else:
        done = pipeline.read_logs(project, paths, now, progress_printer(sys.stderr, shown=ctx.progress), force_format)
    pipeline.keep_usage(project)
    if ctx.json:
        ctx.answer(overview.ingest_document(done))
    elif not ctx.quiet:
        overview.ingest_words(ctx.words, done)
    return EXIT_ERROR if done.problems and not done.files and not done.already_read else EXIT_DONE


def plan(ctx: Context, paths: Sequence[str]) -> None:
    """tightener ingest --plan"""
    config = ctx.config()
    path = ctx.database_of(config)
    project = pipeline.open_project(config, path if path.exists() else None)
    found = pipeline.plan_logs(project, paths)
    if ctx.json:
        ctx.answer(planned.document(found))
    else:
        planned.words(ctx.words, found)


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
    project = existing(ctx)
    found = overview.status(project.con, project.config)
    if ctx.json:
        ctx.answer(found)
    else:
        overview.status_words(ctx.words, found)


def prune(ctx: Context, *, dry_run: bool) -> None:
    """tightener prune"""
    project = existing(ctx)
    keep = project.config.keep_events
    if keep is None:
        raise TightenerError(
            "tightener.yaml does not say how long events are kept",
            slug="no-keep-events",
            hint="write `keep_events: 400`, at least the days of the longest --window",
        )
    plan = pruning.plan(project.con, keep)
    size = None if dry_run else pipeline.prune(project, plan)
    if ctx.json:
        ctx.answer(overview.prune_document(plan, keep, size))
    elif not ctx.quiet:
        overview.prune_words(ctx.words, plan, keep, size)


def agents(ctx: Context) -> None:
    """tightener agents"""
    project = existing(ctx)
    found = overview.agents(project.con, project.config)
    if ctx.json:
        ctx.answer(found)
    else:
        overview.agents_words(ctx.words, found)


def export(ctx: Context, what: str, output: Path, asked: Question, now: datetime) -> None:
    """tightener export"""
    project = project_of(ctx, asked, now)
    if what != "events" and not asked.agent:
        raise TightenerError(f"whose {what}?", slug="no-agent", hint="say --agent A")
    if what == "usage":
        found = pipeline.usage_of(project, asked.agent, asked.days, asked.as_of).to_arrow_reader(_BATCH)
    elif what == "events":
        found = project.con.sql(query("events")).to_arrow_reader(_BATCH)
    elif what == "comparison":
        found = (
            api.Database(project)
            .comparison(asked.agent, asked.policy or (), days=asked.days, as_of=asked.as_of, min_age=asked.min_age)
            .arrow()
            .to_reader()
        )
    else:
        raise TightenerError(f"cannot export {what}", slug="unknown-export", hint="usage, events or comparison")
    rows = api.write(found, output)
    if ctx.json:
        ctx.answer({"schema": "tightener.export/1", "what": what, "path": str(output), "rows": rows})
    elif not ctx.quiet:
        ctx.words.line(f"{rows:,} rows written: {output}")


def sql(ctx: Context, name: str | None, dialect: str | None) -> None:
    """tightener sql"""
    from tightener.logs import warehouse  # noqa: PLC0415 - sqlglot takes a while to load

    names = query_names()
    if name is not None and name not in names:
        raise TightenerError(f"there is no query {name}", slug="unknown-query", hint=f"there are: {', '.join(names)}")
    if dialect is not None and (name != "usage" or dialect not in warehouse.DIALECTS):
        raise TightenerError(
            f"there is no {name or 'list of queries'} in the dialect {dialect}",
            slug="unknown-dialect",
            hint=f"there is usage, in: {', '.join(warehouse.DIALECTS)}",
        )
    if dialect is not None:
        text = warehouse.usage_sql(dialect)
        if ctx.json:
            ctx.answer({"schema": "tightener.sql/1", "dialect": dialect, "queries": {"usage": text}})
        else:
            sys.stdout.write(text)
    elif ctx.json:
        ctx.answer({"schema": "tightener.sql/1", "queries": {n: query(n) for n in ([name] if name else names)}})
    else:
        sys.stdout.write(query(name) if name else "\n".join(names) + "\n")
