"""The `--json` documents: plain data with a `schema` key, made from the same objects as the words and the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from tightener.logs.coverage import TRAIL
from tightener.model import Rule
from tightener.report.words import removal_line, risk, sentence, verdict_line, wanting
from tightener.results import Proposal, Study
from tightener.tighten.compare import Attempt, Comparison
from tightener.tighten.evidence.calibration import FEWEST_AGENTS
from tightener.tighten.evidence.verdict import HORIZON, Class, Verdict
from tightener.tighten.grants import Grant, Status
from tightener.tighten.reach import Count, Scope
from tightener.tighten.risk import RiskClass
from tightener.tighten.rule_use import Open
from tightener.tighten.suggestion import Suggestion


def comparison(study: Study) -> dict[str, Any]:
    """`tightener.compare/1`."""
    found = study.comparison
    return {
        "schema": "tightener.compare/1",
        **common(study),
        "grants": [grant(g) for g in found.grants],
        "for_a_person_to_promote": [
            {
                "grant": one.grant.id,
                "line": one.grant.rule.place.line,
                "approved": one.approved,
                "refused": 0,
                "days": one.days,
                "first": one.first.isoformat(),
                "last": one.last.isoformat(),
            }
            for one in study.promotions
        ],
        **_lists(found),
    }


def proposal(found: Proposal) -> dict[str, Any]:
    """`tightener.suggest/1`."""
    study = found.study
    return {
        "schema": "tightener.suggest/1",
        "sentence": sentence(found),
        **common(study),
        "suggestions": [suggestion(s, found) for s in found.suggestions],
        "left_out": [{**suggestion(s, found), "reason": reason} for s, reason in found.left_out],
        "left_as_granted": [_open(one) for one in found.open],
        "proof": {
            "verdict": found.proof.containment.kind,
            "holds": found.proof.holds,
            "replayed_requests": found.proof.replayed,
            "replayed_uses": study.requests.uses,
            "lost": len(found.proof.lost),
            "moved_to_approval": found.proof.moved,
        },
        "risk": radius(found),
        "minimum_viable_policy": [
            {
                "rule": item.number,
                "text": item.rule,
                "kept": not item.breaches,
                "breaches": [
                    {"line": b.line, "service": b.service, "actions": list(b.actions), "reason": b.reason}
                    for b in item.breaches
                ],
            }
            for item in found.checklist
        ],
        "diff": found.diff,
        **_lists(study.comparison),
    }


def suggestion(one: Suggestion, of: Proposal) -> dict[str, Any]:
    """One suggestion of a proposal, with the risk that it removes (null where it is left out)."""
    return {
        "id": one.id,
        "kind": one.kind,
        "title": one.title,
        "why": one.why,
        "effect": one.rule.effect.value,
        "service": one.rule.service,
        "file": one.rule.place.path,
        "line": one.rule.place.line,
        "evidence": dict(one.evidence),
        "requires": list(one.requires),
        "moves": [_moved(rule) for rule in one.moved],
        "risk_removed": round(of.removes[one.id], 2) if one.id in of.removes else None,
    }


def _open(one: Open) -> dict[str, Any]:
    """A granted pattern that stays because what is used below it keeps growing."""
    return {
        "file": one.rule.place.path,
        "line": one.rule.place.line,
        "service": one.rule.service,
        "actions": list(one.actions),
        "dimension": one.dimension,
        **one.because.document,
    }


def _moved(rule: Rule) -> dict[str, Any]:
    """An approval rule to which a suggestion moves requests in use."""
    body = rule.body
    return {
        "actions": list(body.actions),
        "resources": None if body.resources is None else list(body.resources),
        "branches": None if body.branches is None else list(body.branches),
        "ttl": rule.ttl,
    }


def radius(found: Proposal) -> dict[str, Any]:
    """The blast radius, before and after."""
    before, after = found.before, found.after
    return {
        "score": {"before": round(before.score, 1), "after": round(after.score, 1)},
        "allowed": _classes(before.allowed, after.allowed),
        "approval": _classes(before.approval, after.approval),
        "scopes": {
            one.value: {"before": before.scopes.get(one, 0), "after": after.scopes.get(one, 0)} for one in Scope
        },
        "approvals": found.approvals,
    }


def _classes(before: Mapping[RiskClass, Count], after: Mapping[RiskClass, Count]) -> dict[str, dict[str, int]]:
    rows = ((kind, before.get(kind, Count()), after.get(kind, Count())) for kind in RiskClass)
    return {
        kind.value: {"before": old.granted, "used_before": old.used, "after": new.granted, "used_after": new.used}
        for kind, old, new in rows
    }


def grant(one: Grant) -> dict[str, Any]:
    """One grant with its status and evidence."""
    e = one.evidence
    body = one.rule.body
    return {
        "id": one.id,
        "effect": one.rule.effect.value,
        "service": one.rule.service,
        "action": one.action,
        "granted_as": one.pattern,
        "resources": None if body.resources is None else list(body.resources),
        "branches": None if body.branches is None else list(body.branches),
        "status": one.status.value,
        "note": one.note,
        "file": one.rule.place.path,
        "line": one.rule.place.line,
        "uses": e.uses,
        "approved_uses": e.approved_uses,
        "outcome_not_logged": e.unlogged_uses,
        "indirect_uses": e.indirect_uses,
        "partial_uses": e.partial_uses,
        "no_evidence": e.doubtful,
        "unmapped": e.unmapped,
        "first_used": _time(e.first_used),
        "last_used": _time(e.last_used),
        "days_active": e.days_active,
        "sessions": e.sessions,
        "sample_events": list(e.samples),
        "observed_days": one.observed_days,
        "granted_since": one.granted_since.isoformat() if one.granted_since else None,
        "covered_by_line": one.covered_by.place.line if one.covered_by else None,
        "verdict": verdict(one.verdict) if one.verdict else None,
    }


def verdict(one: Verdict) -> dict[str, Any]:
    """What becomes of an unexercised grant, and the facts behind it."""
    return {
        "class": one.kind.value,
        "exposure_days": one.exposure,
        "age_days": one.age,
        "calendar": {t.name: {"covered": t.covered, "of": t.of, "needed": t.needed} for t in one.calendar},
        "log_alone": round(one.alone, 4),
        "pooled": None if one.pooled is None else round(one.pooled, 6),
        "missing": list(one.missing),
        "suffices_on": _time(one.suffices),
        "in_window_of_days": one.window,
        "says": "; ".join(filter(None, [verdict_line(one), wanting(one)])),
    }


def _removal(found: Comparison) -> dict[str, Any]:
    judge = found.terms.judge
    document: dict[str, Any] = {
        "says": removal_line(found),
        "horizon_days": HORIZON,
        "other_agents": judge.agents,
        "agents_needed": FEWEST_AGENTS,
        "calibrated": judge.calibration is not None,
        "classes": {
            kind.value: sum(g.verdict is not None and g.verdict.kind is kind for g in found.grants) for kind in Class
        },
    }
    if judge.calibration is not None:
        document["realised"] = {
            kind.value: {
                "agents": past.agents,
                "grants": past.grants,
                "used": past.used,
                "upper": round(past.upper, 4),
                "bound_here": risk(found, kind),
            }
            for kind, past in judge.calibration.realised.items()
        }
    return document


def common(study: Study) -> dict[str, Any]:
    """What every document says of the agent, the window, the logs and the use."""
    found = study.comparison
    terms = found.terms
    return {
        "agent": study.policy.name,
        "policy": study.file.path,
        "window": {
            "first": terms.window.first.isoformat(),
            "last": terms.window.last.isoformat(),
            "days": terms.window.days,
            "days_needed": terms.days_needed,
            **({"usage_only_days": study.dropped} if study.dropped else {}),
        },
        "coverage": [
            {
                "source": s.source,
                "services": list(s.services),
                "full": s.full,
                "partial": s.days.count("p"),
                "none": s.days.count("n"),
                "days": s.days,
                **({"proved_by_digest": s.proved, "gaps": [str(gap) for gap in s.gaps]} if s.source == TRAIL else {}),
            }
            for s in terms.coverage.sources
        ],
        "counts": {status.value: sum(g.status is status for g in found.grants) for status in Status},
        "removal": _removal(found),
        "uses": found.uses,
        "requests": found.requests,
        "shared_credentials": list(study.shared),
        "ended_decisions": list(study.ended),
    }


def _lists(found: Comparison) -> dict[str, Any]:
    return {
        "used_but_not_granted": [attempt(a) for a in found.ungranted],
        "refused": [attempt(a) for a in found.refused],
        "around_gateway": [attempt(a) for a in found.around],
        "unmapped": [{"event": event, "count": count} for event, count in found.unmapped],
    }


def attempt(one: Attempt) -> dict[str, Any]:
    """One line of the lists beside the grants."""
    document: dict[str, Any] = {
        "service": one.service,
        "action": one.action,
        "resource": one.resource,
        "branch": one.branch,
        "count": one.count,
        "first": _time(one.first),
        "last": _time(one.last),
        "note": one.note,
    }
    if one.denied_by:
        document["denied_by"] = [{"layer": d.layer, "explicit": d.explicit, "count": d.count} for d in one.denied_by]
    return document


def _time(value: datetime | date | None) -> str | None:
    if value is None:
        return None
    return value.isoformat() + "Z" if isinstance(value, datetime) else value.isoformat()
