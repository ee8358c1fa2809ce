"""`tightener explain`: the whole story of one grant, suggestion, event or error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from tightener.tighten.because import Because, because
from tightener.tighten.compare import Comparison
from tightener.tighten.grants import Grant
from tightener.tighten.suggestion import Suggestion
from tightener.tighten.wording import count

_MOST_EVENTS = 10
_MOST_PATTERNS = 8  # of one grant by its use
_MOST_GRANTS = 5  # of one suggestion, told one by one
_TOLD_BY_GATES = frozenset({"observed_days", "exposure_days", "calendar", "log_alone", "pooled"})
_NARROWING = frozenset({"narrow_resources", "narrow_branches", "split_rule"})


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
    events = _events(con, study.comparison, one, _MOST_EVENTS)
    e = one.evidence
    facts = [
        (
            "grant",
            f"{one.rule.effect.value} {one.rule.service} {one.action}"
            + (f", written as {one.pattern}" if one.is_wildcard else ""),
        ),
        ("line", str(one.rule.place)),
        ("status", one.status.value.replace("_", " ") + (f": {one.note}" if one.note else "")),
        ("use", f"{_used(one)}; {e.approved_uses:,} approved"),
        ("first, last", f"{_text(e.first_used) or '-'}, {_text(e.last_used) or '-'}"),
        ("could be seen", f"{one.observed_days} of {count(study.comparison.terms.window.days, 'day')}"),
        ("granted since", str(one.granted_since or "unknown")),
        *_verdict(one, study),
    ]
    uses = because(con, study.comparison, one)
    facts += [(f"{dimension} by use", _by_use(said)) for dimension, said in uses.items()]
    document = {
        "schema": "tightener.explain/1",
        "kind": "grant",
        "grant": payload.grant(one),
        "by_use": {
            dimension: {"values": said.values, "new": said.late, "patterns": [r.document for r in said.reasons]}
            for dimension, said in uses.items()
        },
        "events": list(events),
        "sql": query("grant_events"),
    }
    return Story(f"grant {one.id}", document, tuple(facts), events, sql=query("grant_events"))


def _events(
    con: duckdb.DuckDBPyConnection, comparison: Comparison, one: Grant, most: int
) -> tuple[Mapping[str, Any], ...]:
    first, after = bounds(comparison.terms.window)
    inputs = {"agent": comparison.policy.name, "first": first, "after": after, "rule": one.rule.index}
    rows = con.execute(query("grant_events"), {**inputs, "action": one.action, "most": most}).fetchall()
    names = ("time", "source", "id", "resource", "branch", "outcome", "session", "file", "position")
    return tuple({n: _text(v) for n, v in zip(names, row, strict=True)} for row in rows)


def _used(one: Grant) -> str:
    e = one.evidence
    return f"{count(e.uses, 'use')} on {count(e.days_active, 'day')} in {count(e.sessions, 'session')}"


def _by_use(said: Because) -> str:
    """What a grant's uses say of its patterns: how many values, and whether new ones keep coming."""
    number = f"{count(said.values, 'distinct value')}, {said.late:,} new in the window's second half"
    more = len(said.reasons) - _MOST_PATTERNS
    rest = [f"and {more:,} more"] if more > 0 else []
    return "\n".join([number, _said("patterns", [r.document for r in said.reasons[:_MOST_PATTERNS]]), *rest])


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


def suggestion(con: duckdb.DuckDBPyConnection, proposal: Proposal, what: str) -> Story | None:
    """A suggestion by its id, whether it was made or left out; `with_backtest` adds how its kind did on the past.

    In: the connection still holds the temporary tables of the proposal's study.
    """
    reasons = {s.id: (s, "") for s in proposal.suggestions} | {s.id: (s, why) for s, why in proposal.left_out}
    return _of_suggestion(con, proposal, *reasons[what]) if what in reasons else None


def with_backtest(found: Story, line: str, document: Mapping[str, Any]) -> Story:
    """The story with the line that `suggest` prints about its own way of tightening, and the backtest behind it."""
    return replace(
        found,
        facts=(*found.facts, ("backtest", line)),
        document={**found.document, "tried": line, "backtest": document},
    )


def _of_suggestion(con: duckdb.DuckDBPyConnection, proposal: Proposal, one: Suggestion, left_out: str) -> Story:
    comparison = proposal.study.comparison
    grants = _about(comparison, one)
    in_use = [grant for grant in grants if grant.evidence.uses]
    each = max(1, _MOST_EVENTS // max(1, min(len(in_use), _MOST_GRANTS)))
    events = tuple(event for grant in in_use[:_MOST_GRANTS] for event in _events(con, comparison, grant, each))
    facts = [
        ("what", one.title),
        *([("left out", left_out)] if left_out else []),
        ("why", one.why),
        ("line", str(one.rule.place)),
        *(
            (name.replace("_", " "), _said(name, value))
            for name, value in one.evidence.items()
            if name not in _TOLD_BY_GATES
        ),
        ("days", "\n".join(_days(comparison, grant) for grant in grants[:_MOST_GRANTS]) or "it is about no use"),
        ("gate", "\n".join(_gates(one, grants[:_MOST_GRANTS]))),
        ("bound", _bound(comparison, grants)),
        *([("not listed", f"{count(len(grants) - _MOST_GRANTS, 'further grant')}")] if grants[_MOST_GRANTS:] else []),
    ]
    document = {
        "schema": "tightener.explain/1",
        "kind": "suggestion",
        "suggestion": payload.suggestion(one, proposal),
        "left_out": left_out,
        "grants": [payload.grant(grant) for grant in grants],
        "events": list(events),
        "sql": query("evidence"),
    }
    return Story(f"suggestion {one.id}", document, tuple(facts), events, sql=query("evidence"))


def _about(comparison: Comparison, one: Suggestion) -> list[Grant]:
    """The grants that a suggestion changes: those it names, and where it narrows the rule, those of it in use."""
    edit = one.edit
    bodies = (*edit.asks, *edit.parts)
    named = edit.drop | edit.replace.keys() | {action for body in bodies for action in body.actions}
    narrows = edit.resources is not None or edit.branches is not None
    own = comparison.of_rule(one.rule.index)
    return [g for g in own if g.action in named or g.pattern in named or (narrows and g.evidence.uses)]


def _days(comparison: Comparison, one: Grant) -> str:
    seen = f"could be seen on {one.observed_days} of {count(comparison.terms.window.days, 'day')}"
    last = f", the last on {str(one.evidence.last_used)[:10]}" if one.evidence.uses else ""
    return f"{one.action}: {_used(one) if one.evidence.uses else 'no use'}{last}; {seen}"


def _gates(one: Suggestion, grants: Sequence[Grant]) -> list[str]:
    """What had to be fulfilled before anything was taken away, for each grant."""
    found = [f"{g.action}: {sentences.verdict(g.verdict)}" for g in grants if g.verdict is not None]
    if one.kind in _NARROWING:
        passed = "days at work, age and turns suffice to take away what was not used"
        found += [f"{g.action}: {f'missing: {g.lacking}' if g.lacking else passed}" for g in grants if g.evidence.uses]
    return found or ["none: nothing is taken away, a person is asked or a deny is added (docs/risk.md)"]


def _bound(comparison: Comparison, grants: Sequence[Grant]) -> str:
    if any(grant.verdict is not None for grant in grants):
        alone = max(grant.verdict.alone for grant in grants if grant.verdict is not None)
        return f"{sentences.alone_line(alone)}; {sentences.removal_line(comparison)}"
    return "none: no probability is estimated for a change that leaves the action granted (docs/evidence.md)"


def _said(name: str, value: object) -> str:
    """A piece of evidence as a reader wants it: of patterns, a line each with what made it."""
    if name != "patterns" or not isinstance(value, list):
        if isinstance(value, list):
            return ", ".join(map(str, value)) or "none"
        return "any" if value is None and name == "before" else str(value)
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
        return _dropped_event(con, what)
    document = {"schema": "tightener.explain/1", "kind": "event", "requests": list(rows), "sql": query("event_by_id")}
    return Story(f"event {what}", document, events=rows, sql=query("event_by_id"))


def _dropped_event(con: duckdb.DuckDBPyConnection, what: str) -> Story | None:
    """An event of which only a hash of its id is left (tightener prune)."""
    rows = con.execute(query("dropped_event"), {"id": what}).fetchall()
    if not rows:
        return None
    days = [{"source": source, "day": day.isoformat()} for source, day in rows]
    document = {"schema": "tightener.explain/1", "kind": "dropped_event", "days": days, "sql": query("dropped_event")}
    said = " and ".join(f"{one['source']} on {one['day']}" for one in days)
    text = f"It was logged by {said} and counts in that day's usage. The event itself was dropped by `tightener prune`."
    return Story(f"event {what}", document, text=text, sql=query("dropped_event"))


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
