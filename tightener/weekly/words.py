"""What a run says: lines for people, a document for programs, Markdown for a workflow's page, one line at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from tightener.errors import (
    EXIT_DONE,
    EXIT_ERROR,
    EXIT_NO_EVIDENCE,
    EXIT_SUGGESTIONS,
    EXIT_VERIFICATION,
    TightenerError,
)
from tightener.pipeline import STALE_DAYS
from tightener.publish import markdown
from tightener.publish.host import Kind, Outcome
from tightener.report.defuse import visible
from tightener.report.overview import ingest_document
from tightener.report.terminal import Printer
from tightener.shelf import Placed
from tightener.tighten.wording import count
from tightener.weekly.sequence import Agent, Fate, File, Week

_WORDS = {
    EXIT_DONE: "done",
    EXIT_SUGGESTIONS: "done",
    EXIT_ERROR: "done in part",
    EXIT_NO_EVIDENCE: "no evidence",
    EXIT_VERIFICATION: "a proof failed",
}
_MOST_PAGES = 10  # named in a terminal
_MOST_ROWS = 100  # of the Markdown's table
_MOST_TEXT = 300  # characters of one cell


def line(week: Week, code: int, *, dry: bool) -> str:
    """The run in one line: what was studied, what is proposed, what was written, what went wrong."""
    fates = Counter(one.fate for one in week.agents)
    parts = [f"{fates[Fate.STUDIED]} of {count(len(week.agents), 'agent')} studied"]
    parts += [f"{fates[fate]} {fate.value}" for fate in Fate if fate is not Fate.STUDIED and fates[fate]]
    parts.append(f"{count(week.suggestions, 'change')} proposed")
    kinds = Counter(one.outcome.kind for one in week.files if one.outcome)
    told = [f"{many} {kind.value}" for kind in Kind if (many := kinds[kind])]
    if broken := sum(one.error is not None for one in week.files):
        told.append(f"{broken} failed")
    if told:
        parts.append(f"pull requests: {', '.join(told)}")
    if asked := [one for one in week.watched.restores if one.outcome.kind is not Kind.NOTHING]:
        parts.append(f"{count(len(asked), 'removed grant')} needed after all")
    if isinstance(week.pages, Placed):
        removed = f", {len(week.pages.removed)} removed" if week.pages.removed else ""
        parts.append(f"pages: {len(week.pages.written)} files written, {week.pages.unchanged} unchanged{removed}")
    else:
        parts.append("pages: failed")
    if bad := len(week.read.problems):
        parts.append(f"{count(bad, 'problem')} with the logs")
    return f"{'dry run, nothing written; ' if dry else ''}{_WORDS[code]}: {'; '.join(parts)}"


def stopped(slug: str) -> str:
    """The same for a run that an error ended before any agent was studied."""
    return f"not done: stopped before any agent was studied [{slug}]"


def words(out: Printer, week: Week, folder: Path, today: date) -> None:
    """A row an agent, the pull requests, and what went wrong."""
    out.table(("agent", "", "what was found"), [(visible(one.name), one.fate.value, _says(one)) for one in week.agents])
    if isinstance(week.pages, Placed):
        out.listed(f"Written to {folder}", week.pages.written, _MOST_PAGES, "they stand beside these")
    out.listed("Pull requests", [text for one in week.files for text in _pull(one)])
    out.listed("After merges", list(after_merges(week)))
    out.listed("What went wrong", list(wrong(week)))
    if old := stale(week, today):
        out.line()
        out.line(f"warning: {old}")
    out.line()


def wrong(week: Week) -> Iterator[str]:
    """A sentence for everything that failed."""
    for one in week.agents:
        if one.fate not in {Fate.STUDIED, Fate.THIN}:
            yield f"{one.name}: {one.says} [{one.slug}]"
    if isinstance(week.pages, TightenerError):
        yield f"no pages: {_failed(week.pages)}"
    for file in week.files:
        if file.error:
            yield f"{file.path}: {_failed(file.error)}"


def _failed(error: TightenerError) -> str:
    """An error in one sentence."""
    place = f"{error.place}: " if error.place else ""
    return f"{place}{error.message} [{error.slug}]{f'; {error.hint}' if error.hint else ''}"


def after_merges(week: Week) -> Iterator[str]:
    """What was merged so far, how much of it had to be restored, and what was asked for again now."""
    for one in week.watched.realised:
        if one.words:
            yield f"{one.path}: {one.words}"
    for restore in week.watched.restores:
        done = restore.outcome
        where = f" ({done.place})" if done.place else ""
        yield f"{restore.agent}: {restore.service} {restore.action}: {done.kind.value}: {done.why}{where}"
    yield from week.watched.notes


def stale(week: Week, today: date) -> str:
    """A warning where the logs end long ago; '' where they do not."""
    last = max((one.last for one in week.agents if one.last), default=None)
    if last is None or (today - last).days <= STALE_DAYS:
        return ""
    return f"the window ends on {last}, {(today - last).days} days ago; newer logs may tell more"


def document(week: Week, folder: Path, code: int, *, dry: bool) -> dict[str, Any]:
    """`tightener.run/1`."""
    return {
        "schema": "tightener.run/1",
        "dry_run": dry,
        "exit_code": code,
        "summary": line(week, code, dry=dry),
        "logs": ingest_document(week.read),
        "agents": [
            {
                "agent": one.name,
                "outcome": one.fate.value,
                "says": one.says,
                "error": one.slug or None,
                "suggestions": one.suggestions,
                "window_last": one.last.isoformat() if one.last else None,
                "page": one.page or None,
            }
            for one in week.agents
        ],
        "pages": {"folder": str(folder), **_pages(week.pages)},
        "after_merges": list(after_merges(week)),
        "pull_requests": [_file(one) for one in week.files],
    }


def summary(week: Week, code: int, today: date, *, dry: bool) -> str:
    """Markdown for a workflow run's page ($GITHUB_STEP_SUMMARY). Names and sentences in it are shown and do nothing."""
    lines = [f"### tightener: {markdown.prose(line(week, code, dry=dry))}", ""]
    if week.agents:
        lines += ["| agent | outcome | what was found |", "| --- | --- | --- |"]
        for one in week.agents[:_MOST_ROWS]:
            said = markdown.short(_says(one), _MOST_TEXT)
            lines.append(f"| {markdown.short(one.name, _MOST_TEXT, markdown.code)} | {one.fate.value} | {said} |")
        lines.append("")
    if len(week.agents) > _MOST_ROWS:
        lines += [f"and {len(week.agents) - _MOST_ROWS:,} more agents", ""]
    told = [text for one in week.files for text in _pull(one)]
    told += [*after_merges(week), *wrong(week), stale(week, today)]
    lines += [f"- {markdown.short(text, _MOST_TEXT)}" for text in told[:_MOST_ROWS] if text]
    return "\n".join(lines).rstrip() + "\n"


def _pages(done: Placed | TightenerError) -> dict[str, Any]:
    if isinstance(done, TightenerError):
        return {"written": [], "removed": [], "unchanged": 0, "problem": done.message}
    return {
        "written": list(done.written),
        "removed": list(done.removed),
        "unchanged": done.unchanged,
        "problem": None,
    }


def _says(one: Agent) -> str:
    return visible(one.says)


def _pull(one: File) -> Iterator[str]:
    if one.outcome is None:
        return
    done: Outcome = one.outcome
    where = f" ({done.place})" if done.place else ""
    yield f"{done.path}: {done.kind.value}: {done.why}{where}"
    yield from (f"{done.path}: {note}" for note in done.notes)


def _file(one: File) -> dict[str, Any]:
    done, error = one.outcome, one.error
    return {
        "file": done.path if done else one.path,
        "branch": done.branch if done else None,
        "outcome": done.kind.value if done else "failed",
        "why": done.why if done else error.message if error else "",
        "error": error.slug if error else None,
        "place": done.place if done else None,
        "changes": done.changes if done else 0,
        "notes": list(done.notes) if done else [],
    }
