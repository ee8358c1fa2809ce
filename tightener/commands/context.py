"""What every command starts from: the global options, the question, the open database; and how errors are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from tightener import config as configuration
from tightener import pipeline
from tightener.config import Config
from tightener.errors import NoEvidence, TightenerError
from tightener.iam import account as accounts
from tightener.iam import live
from tightener.iam.account import Account
from tightener.logs import store
from tightener.pipeline import STALE_DAYS, Project
from tightener.policy.document import PolicySet
from tightener.report import overview
from tightener.report.progress import progress_printer
from tightener.report.terminal import Printer
from tightener.results import Study


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


def account_of(path: Path | None) -> Account:
    """The account's IAM: the named file, or (None) the live account."""
    return live.fetch() if path is None else accounts.load(path)


def existing(ctx: Context) -> Project:
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
        project = existing(ctx)
        return Project(project.con, pipeline.with_principals(project.config, asked.agent, asked.principals or ()))
    config = pipeline.with_principals(ctx.config(), asked.agent, asked.principals or ())
    project = pipeline.open_project(config, ctx.database)
    done = pipeline.read_logs(project, asked.logs, now, progress_printer(sys.stderr, shown=ctx.progress))
    if not ctx.quiet:
        overview.ingest_words(Printer(sys.stderr), done)
    return project


def policies_of(project: Project, asked: Question) -> PolicySet:
    """The policies asked about; what deserves a second look in them is warned about."""
    policies = pipeline.read_policies(project, asked.policy or ())
    for warning in policies.warnings:
        Printer(sys.stderr).line(f"warning: {warning.place}: {warning.message} [{warning.slug}]")
    return policies


def study_of(project: Project, asked: Question, now: datetime) -> Study:
    policies = policies_of(project, asked)
    study = pipeline.study(project, policies, asked.agent, days=asked.days, as_of=asked.as_of, min_age=asked.min_age)
    warn_of_age(study, now)
    return study


def warn_of_age(study: Study, now: datetime) -> None:
    """Warns of a window that ends long ago."""
    warn_of_end(study.comparison.terms.window.last, now)


def warn_of_end(last: date, now: datetime) -> None:
    """Warns of logs that end long ago, on `last`."""
    if (now.date() - last).days > STALE_DAYS:
        Printer(sys.stderr).line(f"warning: the window ends on {last}, more than a week ago; newer logs may tell more")


def ran_out(error: Exception) -> TightenerError:
    """What to say where DuckDB ran out of memory, or of room for what it spills."""
    return store.out_of_memory(str(error))


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
