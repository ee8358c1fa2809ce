"""Fills the report page's view from one proposal, so that page, JSON and terminal show the same numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import version

import duckdb

from tightener.logs.usage import inputs_of
from tightener.model import Effect
from tightener.redaction import Redact
from tightener.report import backtest, veil, words
from tightener.report.view import (
    AttemptRow,
    CheckRow,
    CoverageRow,
    GrantRow,
    ReachRow,
    ReportView,
    SuggestionRow,
    Totals,
)
from tightener.resources import query
from tightener.results import Backtest, Proposal, Study
from tightener.tighten.compare import Attempt
from tightener.tighten.grants import Grant
from tightener.tighten.reach import Count, Scope
from tightener.tighten.risk import RiskClass
from tightener.tighten.suggestion import Suggestion, compose
from tightener.tighten.wording import count

_PREPARING = ("own_event", "request", "match", "owner")
_QUERIES = (
    *_PREPARING,
    "evidence",
    "values",
    "risky_use",
    "bursts",
    "coverage",
    "usage_by_day",
    "attempt",
    "denied_by",
    "around_gateway",
    "status",
    "replay",
)
_TRIED = ("backtest_requests", "backtest_actions", "backtest_seen", "backtest_sessions")


def view(
    con: duckdb.DuckDBPyConnection, found: Proposal, tried: Backtest | None = None, redact: Redact | None = None
) -> ReportView:
    """The page's data for one agent; `tried` is how this way of tightening did on the past.

    Logged values are shown as `redact` lets them, and where nobody says so as its defaults do.
    """
    found = veil.proposal(found, redact or Redact())
    study = found.study
    window = study.comparison.terms.window
    return ReportView(
        agent=study.policy.name,
        sentence=words.sentence(found),
        window_first=window.first,
        window_last=window.last,
        as_of=window.last,
        tool_version=version("tightener"),
        policy_path=study.file.path,
        policy_digest=hashlib.sha256(study.file.text.encode()).hexdigest(),
        verdict="proved" if found.proof.holds else "failed",
        proof="never wider, over all requests and all time to come",
        replayed=found.proof.replayed,
        replay_lost=len(found.proof.lost),
        totals=_totals(con),
        grants=tuple(_grant(g) for g in study.comparison.grants),
        suggestions=tuple(_suggestion(s, study) for s in found.ranked),
        diff=found.diff,
        score=(found.before.score, found.after.score),
        reach=tuple(_reach(found)),
        scopes=tuple(
            (one.value, found.before.scopes.get(one, 0), found.after.scopes.get(one, 0))
            for one in Scope
            if one in found.before.scopes or one in found.after.scopes
        ),
        checklist=tuple(
            CheckRow(item.rule, tuple(words.breach_line(one) for one in item.breaches)) for item in found.checklist
        ),
        coverage=_coverage(study),
        not_proposed=tuple(words.not_proposed(found)),
        tried=tuple(backtest.rows(tried)) if tried else (),
        tried_on=tuple(map(backtest.period, tried.periods)) if tried else (),
        foretold=tuple(backtest.foretold(tried)) if tried else (),
        ended=study.ended,
        removal=words.removal_line(study.comparison) if any(g.verdict for g in study.comparison.grants) else "",
        kept=tuple(words.kept(study.comparison)),
        stays=tuple(words.stays(found)),
        promotions=tuple(words.promotions(study)),
        not_seen=tuple(words.not_seen(study)),
        refused=tuple(_attempt(a) for a in study.comparison.refused),
        around_gateway=tuple(_attempt(a) for a in study.comparison.around),
        ungranted=tuple(_attempt(a) for a in study.comparison.ungranted),
        sql=tuple((name, query(name)) for name in (*_QUERIES, *(_TRIED if tried else ()))),
        usage_by_day=tuple(con.execute(query("usage_by_day"), inputs_of(study.policy.name, window)).fetchall()),
        rerun=(f"tightener report --agent {study.policy.name} --as-of {window.last} --window {window.days}d",),
    )


def _reach(found: Proposal) -> Iterator[ReachRow]:
    for effect, before, after in (
        (Effect.ALLOW, found.before.allowed, found.after.allowed),
        (Effect.REQUIRE_APPROVAL, found.before.approval, found.after.approval),
    ):
        for kind in RiskClass:
            old, new = before.get(kind, Count()), after.get(kind, Count())
            if old.granted or new.granted:
                used = new.used
                yield ReachRow(effect.value, kind.value.replace("_", " "), old.granted, new.granted, used)


def _totals(con: duckdb.DuckDBPyConnection) -> Totals:
    sums = [0] * 6
    for row in con.execute(query("status")).fetchall():
        sums = [a + b for a, b in zip(sums, row[2:8], strict=True)]
    return Totals(*sums)


def _grant(g: Grant) -> GrantRow:
    e = g.evidence
    body = g.rule.body
    return GrantRow(
        id=g.id,
        effect=g.rule.effect.value,
        service=g.rule.service,
        action=g.action,
        resources=body.resources or (),
        branches=body.branches or (),
        status=g.status.value,
        place=f"{g.rule.place.path}:{g.rule.place.line}",
        uses=e.uses,
        approved_uses=e.approved_uses,
        first_used=e.first_used.date() if e.first_used else None,
        last_used=e.last_used.date() if e.last_used else None,
        days_active=e.days_active,
        sessions=e.sessions,
        sample_events=e.samples,
        note=g.note,
        verdict=words.verdict(g.verdict) if g.verdict else "",
        covered_by=f"{g.covered_by.place.path}:{g.covered_by.place.line}" if g.covered_by else "",
    )


def _suggestion(s: Suggestion, study: Study) -> SuggestionRow:
    grants = study.comparison.of_rule(s.rule.index)
    after = {a for body in compose(s.rule.body, [s.edit]) for a in body.actions}
    left = sum(g.pattern in after or g.action in after for g in grants)
    parts = []
    if isinstance(days := s.evidence.get("observed_days"), int):
        parts.append(f"could be seen on {days} of {count(study.comparison.terms.window.days, 'day')}")
    if isinstance(alone := s.evidence.get("log_alone"), float):
        parts += [str(s.evidence["calendar"]), words.alone_line(alone)]
    if isinstance(pooled := s.evidence.get("pooled"), float):
        parts.append(f"by the fleet {pooled:.1%}")
    if isinstance(values := s.evidence.get("distinct_values"), int):
        parts.append(count(values, "distinct value"))
    if isinstance(approvals := s.evidence.get("approvals"), int):
        parts.append(f"{count(approvals, 'approval')} would have been asked for")
    evidence = ", ".join(parts) or "the resources and branches of each action's own uses"
    return SuggestionRow(
        id=s.id,
        title=s.title,
        why=s.why,
        evidence=evidence,
        place=f"{s.rule.place.path}:{s.rule.place.line}",
        kind=s.kind.replace("_", "-"),
        actions_before=len(grants),
        actions_after=left,
    )


def _coverage(study: Study) -> tuple[CoverageRow, ...]:
    lines = words.coverage_lines(study.comparison)
    return tuple(
        CoverageRow(s.source, s.full, s.days.count("p"), s.days.count("n"), s.days, line.partition("; ")[2])
        for s, line in zip(study.comparison.terms.coverage.sources, lines, strict=True)
    )


def _attempt(a: Attempt) -> AttemptRow:
    return AttemptRow(
        a.service, a.action, a.resource, a.branch, a.count, a.first.date(), a.last.date(), note=words.attempt_note(a)
    )
