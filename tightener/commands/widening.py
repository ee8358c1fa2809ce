"""The commands that give something back: what people ask for, and what a merge broke."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tightener import merged, pipeline, widenings
from tightener import watch as watching
from tightener.commands import publishing
from tightener.commands.context import Context, Question, policies_of, project_of
from tightener.model import Addition
from tightener.publish.host import Outcome
from tightener.publish.settle import settle
from tightener.publish.widening import Opened
from tightener.report.terminal import Printer
from tightener.watch import Watched
from tightener.widenings import Widening, Wish

_MOST = 50  # requests that are listed
_NO_LIMIT = sys.maxsize  # a person asked: `most_open` is about what opens by itself


@dataclass(frozen=True, slots=True)
class RequestOutput:
    """What becomes of a request besides a pull request."""

    diff: bool  # print it
    write: bool  # into the policy file
    dry: bool  # print what would be written


def refused(ctx: Context, asked: Question, now: datetime) -> None:
    """tightener request, without an event: what was refused in all that was read, and what the policy says now."""
    project = project_of(ctx, asked, now)
    found = widenings.attempts(project, policies_of(project, asked), asked.agent, now)
    if ctx.json:
        rows = [
            {
                "event": one.event,
                "service": one.request.service,
                "action": one.request.action,
                "resource": one.request.resource,
                "branch": one.request.branch,
                "partial": one.partial,
                "refusals": one.count,
                "first": one.first.isoformat(),
                "last": one.last.isoformat(),
                "policy": answer.value,
            }
            for one, answer in found
        ]
        ctx.answer({"schema": "tightener.refused/1", "agent": asked.agent, "refused": rows})
        return
    if not found:
        ctx.words.line(f"{asked.agent} was refused nothing in the logs that were read")
    for one, answer in found[:_MOST]:
        words = " ".join(filter(None, (one.request.service, one.request.action, one.request.resource)))
        branch = f", branch {one.request.branch}" if one.request.branch else ""
        often = f"refused {one.count:,}x, the last time on {one.last:%Y-%m-%d}"
        ctx.words.line(f"{one.event}  {words}{branch}")
        ctx.words.line(f"  {often}; the policy says now: {answer.value.replace('_', ' ')}")
    if len(found) > _MOST:
        ctx.words.line(f"and {len(found) - _MOST:,} more (--json lists them)")


def request(
    ctx: Context, asked: Question, said: tuple[str, str, str, datetime], shape: RequestOutput, now: datetime
) -> None:
    """tightener request. `said`: event, requester, why, and when it ends."""
    wish = Wish(asked.agent, *said)
    project = project_of(ctx, asked, now)
    policies = policies_of(project, asked)
    found = widenings.widen(project, policies, wish, now)
    done: Outcome | None = None
    if shape.write:
        pipeline.write(found.file, found.text)
    elif not shape.diff:
        (place,) = publishing.places_of(ctx, project, policies, [wish.agent], now, dry=shape.dry)
        done = settle(place.host, widenings.draft(place, found), _NO_LIMIT)
    if ctx.json:
        ctx.answer(_document(found, shape, done))
    elif shape.diff:
        sys.stdout.write(found.diff)
    else:
        _words(ctx, found, done)


def _document(found: Widening, shape: RequestOutput, done: Outcome | None) -> dict[str, Any]:
    wish = found.wish
    return {
        "schema": "tightener.request/1",
        "agent": wish.agent,
        "event": wish.event,
        "requester": wish.requester,
        "why": wish.why,
        "expires": wish.expires.isoformat(),
        "file": found.file.path,
        "requests": [
            {
                "service": one.request.service,
                "action": one.request.action,
                "resource": one.request.resource,
                "branch": one.request.branch,
            }
            for one in found.logged
        ],
        "risk": sorted({kind.value for one in found.rules for kind, _ in _opened(one).classes}),
        "diff": found.diff,
        "written": shape.write,
        "dry_run": shape.dry,
        "pull_request": publishing.document(done) if done else None,
    }


def _opened(rule: Addition) -> Opened:
    return Opened(rule.effect, rule.service, rule.body)


def _words(ctx: Context, found: Widening, done: Outcome | None) -> None:
    out = ctx.words
    wish = found.wish
    out.line(f"This WIDENS the policy of {wish.agent}, with approval, until {wish.expires:%Y-%m-%d %H:%M} UTC:")
    for rule in found.rules:
        one = _opened(rule)
        out.line(f"  {one.words}: {', '.join(kind.words for kind, _ in one.classes)}")
    out.line("Proved: this and nothing else, over all requests and all time to come.")
    if done is None:
        out.line(f"written to {found.file.path}")
    else:
        publishing.words(out, [done])


def watch(ctx: Context, asked: Question, agents: Sequence[str], now: datetime, *, dry: bool) -> None:
    """tightener watch"""
    project = project_of(ctx, asked, now)
    policies = policies_of(project, asked)
    for agent in agents:
        pipeline.agent_of(policies, agent)
    places = publishing.places_of(ctx, project, policies, agents, now, dry=dry)
    found = watching.watch(project, places, publishing.terms_of(project, asked, now), agents)
    for place, one in zip(places, found.realised, strict=True):
        if not dry and not agents:
            merged.remember(project.con, place.file.path, one)
    if ctx.json:
        ctx.answer({"schema": "tightener.watch/1", "dry_run": dry, **watched_document(found)})
    else:
        watched_words(ctx.words, found)


def watched_document(found: Watched) -> dict[str, Any]:
    """What watching found, for `--json`."""
    return {
        "restores": [
            {
                "agent": one.agent,
                "service": one.service,
                "action": one.action,
                "removed_by": one.merge,
                "refused": [
                    {
                        "event": call.event,
                        "resource": call.request.resource,
                        "branch": call.request.branch,
                        "refusals": call.count,
                        "first": call.first.isoformat(),
                        "last": call.last.isoformat(),
                    }
                    for call in one.calls
                ],
                "pull_request": publishing.document(one.outcome),
            }
            for one in found.restores
        ],
        "realised": [
            {"file": one.path, "merged_changes": one.removals, "missed": one.missed, "restored": one.restored}
            for one in found.realised
        ],
        "notes": found.notes,
    }


def watched_words(out: Printer, found: Watched) -> None:
    """What watching found, for people."""
    for one in found.restores:
        times = sum(call.count for call in one.calls)
        out.line(
            f"{one.agent}: {one.service} {one.action}, which {one.merge} removed, was refused {times:,}x since:"
            f" {one.outcome.kind.value}: {one.outcome.why}"
        )
        if one.outcome.place:
            out.line(f"  {one.outcome.place}, branch {one.outcome.branch}")
        for note in one.outcome.notes:
            out.line(f"  note: {note}")
    for realised in found.realised:
        out.line(f"{realised.path}: {realised.words or 'nothing was merged so far that could have broken something'}")
    for note in found.notes:
        out.line(f"note: {note}")
