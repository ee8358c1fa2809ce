"""The commands for auditors: the evidence pack, and its verification."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tightener import pipeline
from tightener.audit import compliance as checked
from tightener.audit import manifest, oscal, pack, shown
from tightener.audit.pack import Policy
from tightener.audit.verify import Verified, verify_pack
from tightener.commands.context import Context, Question, policies_of, project_of
from tightener.commands.tightening import write_whole
from tightener.errors import EXIT_DONE, EXIT_VERIFICATION
from tightener.report.defuse import visible
from tightener.report.progress import progress_printer
from tightener.report.terminal import Printer


def evidence(ctx: Context, asked: Question, output: Path, now: datetime) -> None:
    """tightener evidence"""
    project = project_of(ctx, asked, now)
    found = policies_of(project, asked)
    pipeline.agent_of(found, asked.agent)
    terms = pack.terms_of(
        project, found, asked.agent, asked.days, asked.min_age, asked.as_of, tuple(asked.principals or ())
    )
    path = project.config.path
    files = pack.build(
        project,
        [Policy(Path(file.path).name, file.text) for file in found.files],
        path.read_bytes() if path else None,
        terms,
    )
    pack.write(files, output)
    digest = manifest.sha256(files[manifest.NAME])
    if ctx.json:
        ctx.answer(
            {
                "schema": "tightener.evidence/1",
                "agent": asked.agent,
                "path": str(output),
                "files": sorted(files),
                "manifest_sha256": digest,
            }
        )
    elif not ctx.quiet:
        ctx.words.line(f"written: {output} ({len(files)} files)")
        ctx.words.line(f"manifest sha256: {digest}")


def compliance(
    ctx: Context, asked: Question, agents: Sequence[str], outputs: tuple[Path, Path | None, Path | None], now: datetime
) -> None:
    """tightener report --compliance; `outputs`: the page, the OSCAL file, the CSV file"""
    project = project_of(ctx, asked, now)
    policies = policies_of(project, asked)
    found = checked.build(project, policies, agents, days=asked.days, min_age=asked.min_age, as_of=asked.as_of)
    written = [
        (path, make(found))
        for path, make in zip(outputs, (shown.page, oscal.text, shown.table), strict=True)
        if path is not None
    ]
    for path, text in written:
        write_whole(path, text)
    if ctx.json:
        ctx.answer({**checked.document(found), "written": [str(path) for path, _ in written]})
    elif not ctx.quiet:
        ctx.words.line(checked.sentence(found))
        for path, _ in written:
            ctx.words.line(f"written: {path}")


def verify_evidence(ctx: Context, folder: Path, logs: Sequence[str] | None, now: datetime) -> int:
    """tightener verify-evidence; returns the exit code"""
    found = verify_pack(folder, logs, now, progress_printer(sys.stderr, shown=ctx.progress))
    if ctx.json:
        ctx.answer(
            {
                "schema": "tightener.verify-evidence/1",
                "holds": found.holds,
                "manifest_sha256": found.manifest_sha256,
                "files": found.files,
                "logs": found.logs,
                "rerun": found.rerun,
                "not_rerun_because": found.why_not,
                "failures": [{"item": one.item, "problem": one.problem} for one in found.failures],
                "notes": list(found.notes),
            }
        )
    else:
        _words(ctx.words, found)
    return EXIT_DONE if found.holds else EXIT_VERIFICATION


def _words(out: Printer, found: Verified) -> None:
    for one in found.failures:
        out.line(f"failed: {visible(one.item)}: {visible(one.problem)}")
    for note in found.notes:
        out.line(f"note: {note}")
    out.line(f"manifest sha256: {found.manifest_sha256}")
    out.line(f"files of the pack hashed: {found.files}; logs found again: {found.logs}")
    out.line("read, asked and proved again" if found.rerun else f"not run again: {found.why_not}")
    out.line(f"verdict: {'holds' if found.holds else 'failed'}", style="bold")
