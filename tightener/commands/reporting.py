"""The command that writes the pages of all agents."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tightener import fleet
from tightener.commands.context import Context, Question, policies_of, project_of, warn_of_end
from tightener.errors import EXIT_DONE, EXIT_NO_EVIDENCE, EXIT_VERIFICATION
from tightener.report import fleet_page


def report_all(ctx: Context, asked: Question, output: Path, now: datetime) -> int:
    """tightener report --all; returns the exit code: 11 where a proposal does not hold, 3 where nobody has evidence"""
    project = project_of(ctx, asked, now)
    policies = policies_of(project, asked)
    done = fleet.write(project, policies, output, days=asked.days, min_age=asked.min_age, as_of=asked.as_of)
    view, files = done.view, done.files
    warn_of_end(view.last, now)
    if ctx.json:
        ctx.answer(
            {
                **fleet_page.document(view),
                "folder": str(output),
                "written": list(files.written),
                "removed": list(files.removed),
                "unchanged": files.unchanged,
            }
        )
    elif not ctx.quiet:
        ctx.words.line(fleet_page.sentence(view))
        for row in view.agents:
            if row.problem:
                ctx.words.line(f"- {row.found.agent}: {row.problem}")
        gone = f", {len(files.removed):,} removed" if files.removed else ""
        ctx.words.line(f"{output}: {len(files.written):,} files written, {files.unchanged:,} unchanged{gone}")
    if done.failed:
        return EXIT_VERIFICATION
    return EXIT_DONE if any(row.found.state == "proved" for row in view.agents) else EXIT_NO_EVIDENCE
