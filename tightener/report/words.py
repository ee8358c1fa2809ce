"""The sentences that the terminal, the page and the JSON share, so that they cannot disagree."""

from __future__ import annotations

import math
from datetime import timedelta

from tightener.results import Proposal, Study
from tightener.tighten.checklist import Breach
from tightener.tighten.compare import Attempt, Comparison
from tightener.tighten.evidence import verdict as evidence
from tightener.tighten.evidence.verdict import HORIZON, Class, Verdict
from tightener.tighten.grants import Status
from tightener.tighten.pieces import Why
from tightener.tighten.promotion import lines
from tightener.tighten.reach import Count, Scope
from tightener.tighten.risk import RiskClass
from tightener.tighten.rule_use import Open
from tightener.tighten.wording import count, listing, weekly


def sentence(found: Proposal) -> str:
    """The result in one sentence."""
    comparison = found.study.comparison
    name = found.study.policy.name
    used = sum(g.status is Status.EXERCISED for g in comparison.grants)
    head = f"{name} exercised {used:,} of {count(len(comparison.grants), 'grant')}"
    if not found.suggestions:
        return f"{head}; there is nothing to tighten."
    changes = count(len(found.suggestions), "change")
    gone = sum(g.goes for g in comparison.grants)
    what = (
        f" and {'removes' if len(found.suggestions) == 1 else 'remove'} {count(gone, 'unexercised grant')}"
        if gone
        else ""
    )
    verb = "makes" if len(found.suggestions) == 1 else "make"
    asks = f"; {approvals(found)}" if found.approvals else ""
    return f"{head}; {changes} {verb} its policy smaller{what}, proved never wider and without losing a use{asks}."


def grants_line(comparison: Comparison) -> str:
    """The five statuses with their counts."""
    parts = [f"{sum(g.status is s for g in comparison.grants):,} {s.value.replace('_', ' ')}" for s in Status]
    return " · ".join(parts)


def window_line(comparison: Comparison) -> str:
    """The window and its length."""
    window = comparison.terms.window
    return f"{window.first} to {window.last}, {count(window.days, 'day')}"


def coverage_lines(comparison: Comparison) -> list[str]:
    """One line a source: how many days were fully read, and which were not (at most five are named)."""
    lines = []
    first = comparison.terms.window.first
    for source in comparison.terms.coverage.sources:
        holes = [
            f"{first + timedelta(days=i)}{' in part' if letter == 'p' else ''}"
            for i, letter in enumerate(source.days)
            if letter != "f"
        ]
        named = (
            f"; not {', '.join(holes[:5])}{f' and {len(holes) - 5} more' if len(holes) > 5 else ''}" if holes else ""
        )
        proved = f", {source.proved} proved by digest" if source.proved else ""
        gaps = [str(gap) for gap in source.gaps]
        lost = f"; gaps: {', '.join(gaps[:3])}{f' and {len(gaps) - 3} more' if len(gaps) > 3 else ''}" if gaps else ""
        lines.append(f"{source.source}: {source.full} of {count(len(source.days), 'day')} whole{proved}{named}{lost}")
    return lines


def removal_line(comparison: Comparison) -> str:
    """What removals rest on, in one sentence: the gates alone, or the fleet's own past, with what it realised."""
    judge = comparison.terms.judge
    found = judge.calibration
    if found is None:
        return f"the gates alone decide (days at work, age, month-ends): {judge.uncalibrated}"
    said = [f"calibrated on {count(found.agents, 'other agent')}"]
    for kind, verb in ((Class.REMOVE, "removed"), (Class.ASK_FIRST, "moved to approval")):
        past = found.realised[kind]
        if past.grants:
            said.append(
                f"of {count(past.grants, 'grant')} of theirs to be {verb} {HORIZON} days earlier "
                f"{past.used:,} ({past.used / past.grants:.1%}, at most {past.upper:.1%}) were used since"
            )
        bound = risk(comparison, kind)
        if bound is not None:
            said.append(f"at most {bound:.1%} of those {verb} here will be within {HORIZON} days (95% confidence)")
    return "; ".join(said)


def risk(comparison: Comparison, kind: Class) -> float | None:
    """The calibrated 95 % bound on the share of this agent's grants of one class that is used within the horizon.

    None where it has none of them, or too few agents have.
    """
    found = comparison.terms.judge.calibration
    chances = [g.verdict.pooled or 0.0 for g in comparison.grants if g.verdict and g.verdict.kind is kind]
    return found.realised[kind].bound(sum(chances) / len(chances)) if found and chances else None


def verdict_line(verdict: Verdict) -> str:
    """The facts of a verdict in one short line."""
    parts = [count(verdict.exposure, "day") + " at work", *map(str, verdict.calendar), alone_line(verdict.alone)]
    if verdict.pooled is not None:
        parts.append(f"by the fleet {verdict.pooled:.1%}")
    return "; ".join(parts)


def verdict(of: Verdict) -> str:
    """The class, the facts and what is missing, in one line."""
    facts = f"{of.kind.value.replace('_', ' ')}: {verdict_line(of)}"
    return "; ".join(filter(None, [facts, wanting(of)]))


def alone_line(alone: float) -> str:
    """What the log alone proves: never rounded down."""
    return f"the log alone: at most {math.ceil(alone * 100)}% for a use in {HORIZON} days"


def wanting(verdict: Verdict) -> str:
    """Why a grant without use is kept, and the day on which the evidence will suffice."""
    return evidence.wanting(verdict.missing, verdict.suffices, verdict.window)


def kept(comparison: Comparison) -> list[str]:
    """The grants without use that stay for want of evidence, grouped by what is missing."""
    groups: dict[str, list[str]] = {}
    for grant in comparison.grants:
        if grant.verdict is not None and grant.verdict.kind is Class.KEEP:
            groups.setdefault(wanting(grant.verdict), []).append(grant.action)
    return [f"{_few(actions)}: {why}" for why, actions in groups.items()]


def stays(found: Proposal) -> list[str]:
    """What is used and stays as wide as it was granted: for want of evidence, or because it keeps growing."""
    groups: dict[str, list[str]] = {}
    for grant in found.study.comparison.grants:
        if grant.lacking and grant.note == f"not narrowed: {grant.lacking}":
            groups.setdefault(grant.note, []).append(grant.action)
    return [*(f"{_few(actions)}: {note}" for note, actions in groups.items()), *map(_open, found.open)]


def _open(one: Open) -> str:
    """Without the values that were used: the pattern and the days say enough."""
    pattern = one.because.pattern
    what = f"any {one.dimension}" if pattern == "*" else f"`{pattern}`"
    days = " and ".join(map(str, one.because.days))
    shown = f"first used on {days}" if one.because.why is Why.ENDS else f"new ones on {days}"
    where = f"line {one.rule.place.line}, {one.rule.service} {listing(one.actions)}"
    return f"{where}: {what}, as granted: what is used there {one.because.why.value} ({shown})"


def _few(actions: list[str]) -> str:
    return ", ".join(actions[:4]) + (f" and {len(actions) - 4} more" if len(actions) > 4 else "")


def size(number: int) -> str:
    """Bytes in words, three digits at most: 512 bytes, 1.2 MB."""
    units = ("kB", "MB", "GB", "TB")
    power = min((len(str(number)) - 1) // 3, len(units))
    if not power:
        return f"{number} bytes"
    tenths = number * 10 // 1000**power
    return f"{tenths / 10} {units[power - 1]}" if tenths < 100 else f"{tenths // 10:,} {units[power - 1]}"


def promotions(study: Study) -> list[str]:
    """Grants under approval that a person may want to allow, with their record."""
    return [f"{line}; only a person can promote it" for line in lines(study.promotions)]


def not_seen(study: Study) -> list[str]:
    """What could not be seen, grouped by reason."""
    groups: dict[str, list[str]] = {}
    for grant in study.comparison.grants:
        if grant.status is Status.UNOBSERVABLE:
            groups.setdefault(grant.note, []).append(grant.action)
    lines = [f"{_few(actions)}: {note}" for note, actions in groups.items()]
    terms = study.comparison.terms
    if any(day is None for day in terms.granted_since.values()):
        lines.append(
            "since when the grants exist: the policy is not in Git and the database is temporary, "
            "so the minimum age was not applied"
        )
    if study.dropped:
        lines.append(
            f"single events of {count(study.dropped, 'day')} of the window: they were dropped, and their usage is kept;"
            " sessions and bursts are at least so many"
        )
    lines.extend(f"whose use is whose, for certain: {one}" for one in study.shared)
    lines.extend(
        f"{count(n, 'event')} of {event}: read, but not mapped to an action" for event, n in study.comparison.unmapped
    )
    return lines


def not_proposed(found: Proposal) -> list[str]:
    """The suggestions that were left out, each with its reason: not proved, or rejected by a person."""
    return [f"{one.title} (line {one.rule.place.line}): {reason}" for one, reason in found.left_out]


def _article(layer: str) -> str:
    return "an" if layer[0] in "aeiou" else "a"


def attempt_note(one: Attempt) -> str:
    """What is known of an attempt besides its request: where it stands, or which layer refused it."""
    said = [
        f"{f'an explicit deny in {_article(d.layer)}' if d.explicit else 'not allowed by any'} {d.layer}"
        + (f", {d.count:,} times" if d.count != one.count else "")
        for d in one.denied_by
    ]
    return "; ".join(part for part in (one.note, *said) if part)


def proof_line(found: Proposal) -> str:
    """What was proved, in one sentence."""
    return (
        f"never wider over all requests; {count(found.proof.replayed, 'distinct request')} "
        f"({found.study.requests.uses:,} uses) replayed, {len(found.proof.lost)} would lose their level"
        + (f", {found.proof.moved:,} move to approval as suggested" if found.proof.moved else "")
    )


def approvals(found: Proposal) -> str:
    """How often a person would be asked because of the proposal."""
    days = found.study.comparison.terms.window.days
    if often := weekly(found.approvals, days):
        return f"a person will be asked about {often} time{'' if often == '1' else 's'} a week"
    return f"a person would have been asked {count(found.approvals, 'time')} in {count(days, 'day')}"


def reach_lines(found: Proposal) -> list[tuple[str, str]]:
    """The blast radius: what is allowed and what needs approval, by class of risk, before and after."""
    lines = [
        ("risk", f"score {found.before.score:.0f} → {found.after.score:.0f} of 100; 0 = nothing unused is granted")
    ]
    for name, before, after in (
        ("allowed", found.before.allowed, found.after.allowed),
        ("asked", found.before.approval, found.after.approval),
    ):
        parts: list[str] = []
        for kind in RiskClass:
            old, new = before.get(kind, Count()), after.get(kind, Count())
            if old.granted or new.granted:
                used = f" ({new.used:,}{'' if parts else ' used'})"
                parts.append(f"{kind.value.replace('_', ' ')} {old.granted:,} → {new.granted:,}{used}")
        if parts:
            lines.append((name, " · ".join(parts)))
    scopes = [(one, found.before.scopes.get(one, 0), found.after.scopes.get(one, 0)) for one in Scope]
    shown = [f"{one.value} {old:,} → {new:,}" for one, old, new in scopes if old or new]
    return [*lines, ("scope", f"patterns that span: {' · '.join(shown)}")] if shown else lines


def breach_line(one: Breach) -> str:
    """What is left of a breach of the minimum viable policy."""
    return f"line {one.line}, {one.service} {listing(one.actions, 2)}: {one.reason}"
