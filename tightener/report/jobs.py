"""`tightener suggest --by job` for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tightener.logs.jobs import Share
from tightener.report import payload, words
from tightener.report.defuse import visible
from tightener.report.terminal import Printer
from tightener.results import Part, Split
from tightener.tighten.evidence.verdict import Class
from tightener.tighten.grants import Status
from tightener.tighten.reach import Count, Reach
from tightener.tighten.risk import RiskClass
from tightener.tighten.wording import count, listing

_MOST = 5  # sentences about one job
_OTHERS = "--json lists them"


def sentence(found: Split) -> str:
    """The result in one sentence."""
    agent = found.study.policy.name
    before = _reached(found.before)
    after = [_reached(part.proposal.after) for part in found.parts]
    span = f"{min(after):,}" if min(after) == max(after) else f"{min(after):,} to {max(after):,}"
    each = "as an agent of its own it" if len(after) == 1 else "as agents of their own they"
    return (
        f"{agent} does {count(len(after), 'job')}; {each} would reach {span} of its {count(before, 'permission')}, "
        "proved never wider and without losing a use."
    )


def words_of(out: Printer, found: Split) -> None:
    """One sentence, a row a job, what stays where it is and why, the diff."""
    comparison = found.study.comparison
    out.line(sentence(found), style="bold")
    out.line()
    out.fields(
        [
            ("window", words.window_line(comparison)),
            ("logs", "\n".join(words.coverage_lines(comparison)) or "none in this window"),
            ("jobs", "named in tightener.yaml" if found.named else "by the gateway's on_behalf_of"),
            ("use", f"{count(comparison.uses, 'use')}, {count(comparison.requests, 'distinct request')}"),
            ("proof", _proof(found)),
        ]
    )
    out.line()
    today = (f"{found.study.policy.name}\ntoday", "", f"{comparison.uses:,}", *_reach(found.before))
    headings = ("agent", "sessions", "uses", "allowed", "asked", "risk")
    out.table(headings, [today, *(_row(part) for part in found.parts)])
    out.listed("Whose use is whose", whose(found))
    for part in found.parts:
        out.listed(f"{part.name} keeps for want of evidence", kept(part), _MOST, _OTHERS)
        out.listed(f"Left out of {part.name}", left_out(part), _MOST, _OTHERS)
    out.line()
    out.line(_next(found))
    out.line()
    out.diff(found.diff)


def whose(found: Split) -> list[str]:
    """Sentences on use that is of no job, of any job, or of several, and on jobs without use."""
    agent, shares = found.study.policy.name, found.shares
    said = []
    if shares.none.uses:
        said.append(f"{_used(shares.none)} are of no job: {agent} is needed as long as there are such runs")
    if shares.any.uses:
        said.append(
            f"{count(shares.any.uses, 'use')} on lines that do not tell their run: they may be any job's, so "
            "they count for every job"
        )
    if shares.several.uses:
        said.append(f"{_used(shares.several)} are of several jobs: they count for each of these")
    if found.idle:
        said.append(f"no use in this window by {listing(found.idle, 10)}: no agent is made for what did nothing")
    return said


def kept(part: Part) -> list[str]:
    """What stays with the job for want of evidence: grants that it did not use, and the width of those that it did."""
    comparison = part.proposal.study.comparison
    groups: dict[str, list[str]] = {}
    for one in comparison.grants:
        if one.status in (Status.UNOBSERVABLE, Status.TOO_NEW, Status.EXCEPTED):
            groups.setdefault(f"{one.status.value.replace('_', ' ')}: {one.note}", []).append(one.action)
        elif one.lacking:
            groups.setdefault(f"used, not narrowed: {one.lacking}", []).append(one.action)
    return [
        *words.kept(comparison),
        *(f"{listing(list(dict.fromkeys(actions)))}: {why}" for why, actions in groups.items()),
    ]


def left_out(part: Part) -> list[str]:
    """What could be taken from the job's part, and is not: not proved, or rejected by a person."""
    return [
        f"{one.title} (line {one.rule.place.line}): {reason}"
        for one, reason in part.proposal.left_out
        if not one.moved and one.edit.deny is None
    ]


def _proof(found: Split) -> str:
    replayed = sum(part.proof.replayed for part in found.parts)
    uses = sum(part.proposal.study.requests.uses for part in found.parts)
    return (
        f"each never wider than {found.study.policy.name} over all requests; {count(replayed, 'distinct request')} of "
        f"the jobs ({uses:,} uses) replayed, 0 lose their level"
    )


def _next(found: Split) -> str:
    agent = found.study.policy.name
    return (
        f"{agent} stays as it is: let the callers of each job use the new name, and remove {agent} when none is left. "
        "What should need approval is asked of the new agents, once their runs are logged."
    )


def _row(part: Part) -> tuple[str, ...]:
    share = part.share
    return (
        f"{part.name}\n{visible('; '.join(part.runs))}",
        f"{share.sessions:,}",
        f"{share.uses:,}",
        *_reach(part.proposal.after),
    )


def _reach(of: Reach) -> tuple[str, str, str]:
    return _counted(of.allowed), _counted(of.approval), f"{of.score:.0f}"


def _counted(of: Mapping[RiskClass, Count]) -> str:
    granted, used = sum(one.granted for one in of.values()), sum(one.used for one in of.values())
    return f"{granted:,} ({used:,} used)" if granted else "0"


def _reached(of: Reach) -> int:
    return sum(one.granted for one in (*of.allowed.values(), *of.approval.values()))


def _used(share: Share) -> str:
    return f"{count(share.uses, 'use')} in {count(share.sessions, 'session')}"


def document(found: Split) -> dict[str, Any]:
    """`tightener.jobs/1`."""
    shares = found.shares
    return {
        "schema": "tightener.jobs/1",
        "sentence": sentence(found),
        **payload.common(found.study),
        "named_in": "tightener.yaml" if found.named else "on_behalf_of",
        "jobs": [_part(part) for part in found.parts],
        "no_job": _share(shares.none),
        "any_job": _share(shares.any),
        "several_jobs": _share(shares.several),
        "idle_jobs": list(found.idle),
        "diff": found.diff,
    }


def _part(part: Part) -> dict[str, Any]:
    made = part.proposal
    return {
        "agent": part.name,
        "runs": list(part.runs),
        **_share(part.share),
        "rules": len(part.policy.rules),
        "risk": payload.radius(made),
        "suggestions": [payload.suggestion(one, made) for one in made.suggestions],
        "without_use_and_kept": [
            payload.grant(g)
            for g in made.study.comparison.grants
            if g.verdict is not None and g.verdict.kind is Class.KEEP
        ],
        "kept": kept(part),
        "left_out": left_out(part),
        "proof": {
            "verdict": part.proof.containment.kind,
            "holds": part.proof.holds,
            "replayed_requests": part.proof.replayed,
            "replayed_uses": made.study.requests.uses,
            "lost": len(part.proof.lost),
        },
    }


def _share(share: Share) -> dict[str, int]:
    return {"sessions": share.sessions, "days": share.days, "uses": share.uses}
