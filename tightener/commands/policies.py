"""The commands about policies: what one decides, whether one is wider, what people said of them, what a role adds."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tightener import decided, pipeline, roles
from tightener.commands.context import Context, Question, account_of
from tightener.errors import EXIT_DONE, EXIT_VERIFICATION, TightenerError
from tightener.model import Answer, Request
from tightener.policy import document
from tightener.policy import verify as verification
from tightener.policy.decide import Authoriser, Decision
from tightener.policy.decide import decide as authorise
from tightener.report import overview
from tightener.report import roles as role_report


def exceptions(ctx: Context, policy: Sequence[Path] | None, now: datetime) -> None:
    """tightener exceptions"""
    config = ctx.config()
    policies = pipeline.read_policies(pipeline.open_project(config, None), policy or ())
    found = decided.decisions(config, policies.agents, now.date())
    if ctx.json:
        ctx.answer(overview.decisions_document(found))
    else:
        overview.decisions_words(ctx.words, found)


def iam(ctx: Context, asked: Question, account: Path | None, now: datetime, *, every: bool) -> None:
    """tightener iam"""
    config = pipeline.with_principals(ctx.config(), asked.agent, asked.principals or ())
    policies = pipeline.read_policies(pipeline.open_project(config, None), asked.policy or ())
    read = account_of(account)
    if read.is_document and not asked.agent:
        raise TightenerError("whose policy document is this?", slug="no-agent", hint="say --agent A")
    found, notes = roles.beyond_gateways(config, read, policies.agents, asked.agent, now)
    if ctx.json:
        ctx.answer(role_report.document(read, found, notes))
    else:
        role_report.words(ctx.words, read, found, notes, every=every)


def decide(ctx: Context, policy: Path, asked: tuple[str, str, str, str, str], moment: datetime) -> None:
    """tightener decide, one request"""
    request = Request(*asked)
    decision = authorise(document.load([policy], ctx.config().aliases).agents, request, moment)
    answer = {"schema": "tightener.decide/1", **_decision(request, decision)}
    if ctx.json:
        ctx.answer(answer)
    else:
        where = f" by {decision.rule.effect.value} in {decision.rule.place}" if decision.rule else ""
        ctx.words.line(f"{decision.answer.value}{where}")


def decide_many(ctx: Context, policy: Path, requests: str, moment: datetime) -> None:
    """tightener decide --requests FILE: one JSON answer a line, in order; a broken line gets an error in its place."""
    policies = document.load([policy], ctx.config().aliases).agents
    authorisers = {name: Authoriser(found, moment) for name, found in policies.items()}
    nothing = Decision(Answer.NOT_GRANTED, None)
    for number, line in enumerate(_lines(requests), start=1):
        try:
            data = json.loads(line)
            request = Request(
                **{k: str(data[k]) for k in ("agent", "service", "action", "resource", "branch") if data.get(k)}
            )
        except (ValueError, TypeError, AttributeError) as error:
            answer: dict[str, Any] = {"line": number, "error": f"not a request: {error}"}
        else:
            one = authorisers.get(request.agent)
            r = request
            answer = _decision(r, one.decide(r.service, r.action, r.resource, r.branch) if one else nothing)
        sys.stdout.write(json.dumps(answer) + "\n")


def verify(ctx: Context, old: Path, new: Path, agent: str | None, moment: datetime) -> int:
    """tightener verify; returns the exit code"""
    aliases = ctx.config().aliases
    before, after = document.load([old], aliases).agents, document.load([new], aliases).agents
    found = verification.verify_sets(before, after, moment, agent)
    if ctx.json:
        ctx.answer(overview.verify_document(found))
    else:
        overview.verify_words(ctx.words, found)
    return EXIT_DONE if found.kind == "contained" else EXIT_VERIFICATION


def _decision(request: Request, decision: Decision) -> dict[str, Any]:
    place = decision.rule.place if decision.rule else None
    return {
        "agent": request.agent,
        "service": request.service,
        "action": request.action,
        "resource": request.resource,
        "branch": request.branch,
        "decision": decision.answer.value,
        "file": place.path if place else None,
        "line": place.line if place else None,
    }


def _lines(path: str) -> Sequence[str]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise TightenerError(f"cannot read {path}: {error.strerror}", slug="unreadable") from error
    return [line for line in text.split("\n") if line.strip()]
