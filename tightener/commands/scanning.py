"""The commands for code scanning."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tightener import pipeline
from tightener.commands.context import Context, Question, project_of, study_of
from tightener.errors import TightenerError
from tightener.policy import diff
from tightener.report import sarif as report


def sarif(ctx: Context, asked: Question, baseline: Path | None, now: datetime) -> None:
    """tightener suggest --format sarif"""
    known = read_baseline(baseline) if baseline else None
    project = project_of(ctx, asked, now)
    proposal = pipeline.propose(project, study_of(project, asked, now))
    path = diff.name_in_repository(Path(proposal.study.file.path))
    ctx.answer(report.document(proposal, path, project.config.redact, known))


def read_baseline(path: Path) -> report.Baseline:
    """An earlier log. Raises TightenerError (`no-baseline`)."""
    try:
        return report.read(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problem = str(error.strerror)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        problem = f"it is no SARIF log of tightener ({type(error).__name__})"
    raise TightenerError(
        f"cannot read the baseline {path}: {problem}",
        slug="no-baseline",
        hint="name what `tightener suggest --format sarif` wrote the last time",
    )
