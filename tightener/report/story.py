"""`tightener explain`: the whole story of one grant, suggestion, event or error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from tightener.logs.usage import bounds
from tightener.report import payload
from tightener.report import words as sentences
from tightener.report.defuse import visible
from tightener.report.terminal import Printer
from tightener.resources import folder, query
from tightener.results import Proposal, Study
from tightener.services.semantics import fold_action
from tightener.tighten.grants import Grant
from tightener.tighten.suggestion import Suggestion
from tightener.tighten.wording import count

_MOST_EVENTS = 10


@dataclass(frozen=True, slots=True)
class Story:
    """A title, facts, events and the SQL behind them."""

    title: str
    document: Mapping[str, Any]
    facts: tuple[tuple[str, str], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    text: str = ""
    sql: str = ""


def grant(con: duckdb.DuckDBPyConnection, study: Study, what: str) -> Story | None:
    """A grant by its id (`3/s3:GetObject`), or by its action alone where only one rule grants it."""
    grants = study.comparison.grants
    found = [g for g in grants if g.id == what] or [g for g in grants if _same(g, what)]
    if len(found) != 1:
        return None
    return _of_grant(con, study, found[0])


def _same(one: Grant, what: str) -> bool:
    return fold_action(one.rule.service, one.action) == fold_action(one.rule.service, what)


def _of_grant(con: duckdb.DuckDBPyConnection, study: Study, one: Grant) -> Story:
    first, after = bounds(study.comparison.terms.window)
    rows = con.execute(
        query("grant_events"),
        {
            "agent": study.policy.name,
            "first": first,
            "after": after,
            "rule": one.rule.index,
            "action": one.action,
            "most": _MOST_EVENTS,
        },
    ).fetchall()
    names = ("time", "source", "id", "resource", "branch", "outcome", "session", "file", "position")
    events = tuple({n: _text(v) for n, v in zip(names, row, strict=True)} for row in rows)
    e = one.evidence
    used = f"{count(e.uses, 'use')} on {count(e.days_active, 'day')} in {count(e.sessions, 'session')}"
    facts = [
        (
            "grant",
            f"{one.rule.effect.value} {one.rule.service} {one.action}"
            + (f", written as {one.pattern}" if one.is_wildcard else ""),
        ),
        ("line", str(one.rule.place)),
        ("status", one.status.value.replace("_", " ") + (f": {one.note}" if one.note else "")),
        ("use", f"{used}; {e.approved_uses:,} approved"),
        ("first, last", f"{_text(e.first_used) or '-'}, {_text(e.last_used) or '-'}"),
        ("could be seen", f"{one.observed_days} of {count(study.comparison.terms.window.days, 'day')}"),
        ("granted since", str(one.granted_since or "unknown")),
        *_verdict(one, study),
    ]
    document = {
        "schema": "tightener.explain/1",
        "kind": "grant",
        "grant": payload.grant(one),
        "events": list(events),
        "sql": query("grant_events"),
    }
    return Story(f"grant {one.id}", document, tuple(facts), events, sql=query("grant_events"))


def _verdict(one: Grant, study: Study) -> list[tuple[str, str]]:
    if one.verdict is None:
        return []
    wanting = sentences.wanting(one.verdict)
    return [
        ("verdict", one.verdict.kind.value.replace("_", " ")),
        ("it rests on", sentences.verdict_line(one.verdict)),
        *([("missing", wanting)] if wanting else []),
        ("removal", sentences.removal_line(study.comparison)),
    ]


def suggestion(proposal: Proposal, what: str) -> Story | None:
    """A suggestion by its id, whether it was made or left out."""
    reasons = {s.id: (s, "") for s in proposal.suggestions} | {s.id: (s, why) for s, why in proposal.left_out}
    return _of_suggestion(proposal, *reasons[what]) if what in reasons else None


def _of_suggestion(proposal: Proposal, one: Suggestion, left_out: str) -> Story:
    facts = [
        ("what", one.title),
        *([("left out", left_out)] if left_out else []),
        ("why", one.why),
        ("line", str(one.rule.place)),
        *((name.replace("_", " "), _said(name, value)) for name, value in one.evidence.items()),
    ]
    document = {
        "schema": "tightener.explain/1",
        "kind": "suggestion",
        "suggestion": payload.suggestion(one, proposal),
        "left_out": left_out,
        "sql": query("evidence"),
    }
    return Story(f"suggestion {one.id}", document, tuple(facts), sql=query("evidence"))


def _said(name: str, value: object) -> str:
    """A piece of evidence as a reader wants it: of patterns, a line each with what made it."""
    if name != "patterns" or not isinstance(value, list):
        return str(value)
    lines = []
    for pattern in value:
        uses = ", ".join(f"{w['value']} on {w['day']}" for w in pattern["witnesses"])
        lines.append(f"{pattern['pattern']}: {pattern['because']}{f' ({uses})' if uses else ''}")
    return "\n".join(lines)


def event(con: duckdb.DuckDBPyConnection, what: str) -> Story | None:
    """An event by its native id: every request that it became."""
    cursor = con.execute(query("event_by_id"), {"id": what})
    names = [column[0] for column in cursor.description]
    rows = tuple({n: _text(v) for n, v in zip(names, row, strict=True)} for row in cursor.fetchall())
    if not rows:
        return None
    document = {"schema": "tightener.explain/1", "kind": "event", "requests": list(rows), "sql": query("event_by_id")}
    return Story(f"event {what}", document, events=rows, sql=query("event_by_id"))


def error_page(slug: str) -> Story | None:
    """The page of an error's slug in docs/errors.md."""
    text = (folder("docs") / "errors.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(slug)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        return None
    body = found.group(1).strip()
    return Story(
        f"error {slug}", {"schema": "tightener.explain/1", "kind": "error", "slug": slug, "text": body}, text=body
    )


def words(out: Printer, found: Story) -> None:
    """The story for people."""
    out.line(found.title, style="bold")
    if found.facts:
        out.fields(found.facts)
    if found.text:
        out.line(found.text)
    for one in found.events:
        out.line()
        out.fields([(name, visible(str(value))) for name, value in one.items() if value not in (None, "")])
    if found.sql:
        out.line()
        out.line("SQL", style="bold")
        out.line(found.sql.strip())


def _text(value: object) -> Any:
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
