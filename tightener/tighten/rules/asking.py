"""What the kinds that move uses to approval have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from heapq import nsmallest

from tightener.model import Body, Effect, Rule
from tightener.policy.patterns import matches
from tightener.policy.rules import boxes
from tightener.services.semantics import fold_action
from tightener.tighten.moves import Load, Move
from tightener.tighten.partial import may_touch
from tightener.tighten.rule_use import RuleUse
from tightener.tighten.suggestion import Edit, Suggestion
from tightener.tighten.wording import count, listing, weekly


def ask(use: RuleUse, kind: str, why: Callable[[Move], str]) -> list[Suggestion]:
    """One suggestion for each move of this kind: its calls need approval from now on, as narrowly as they were made."""
    found = []
    for move in use.moves.moves:
        if move.kind != kind:
            continue
        body = _body(use, move)
        where = f" on {_where(body)}" if _where(body) else ""
        ttl = f", one approval holds {move.load.ttl}" if move.load.ttl else ""
        found.append(
            Suggestion(
                kind=kind,
                rule=use.rule,
                title=f"Ask before {listing(body.actions)}{where}",
                why=f"{why(move)}; {asked(move.load)}{ttl}",
                evidence={
                    "class": move.risk.value,
                    "uses": move.load.uses,
                    "requests": len(move.calls),
                    "bursts": move.load.bursts,
                    "approvals": move.load.approvals,
                    "approvals_a_week": round(move.load.weekly, 1),
                    "ttl": move.load.ttl,
                    "examples": nsmallest(3, {call.resource or call.branch for call in move.calls} - {""}),
                    "observed_days": move.grant.observed_days,
                },
                edit=Edit(
                    drop=frozenset(body.actions) if move.grant.action in use.moves.whole else frozenset(),
                    asks=(body,),
                    ttl=move.load.ttl,
                ),
            )
        )
    return found


def asked(load: Load) -> str:
    """How often a person would be asked, in words."""
    told = f"{count(load.approvals, 'approval')} in {count(load.days, 'day')}"
    often = weekly(load.approvals, load.days)
    return f"{told}, about {often} a week" if often else told


def _body(use: RuleUse, move: Move) -> Body:
    """The approval rule's body: what narrowing that very rule would make of it, so a second run leaves it alone."""
    if move.literal:
        return move.scope
    rule = replace(use.rule, effect=Effect.REQUIRE_APPROVAL, body=move.scope)
    grant = replace(move.grant, pattern=move.scope.actions[0])
    part = RuleUse(rule, (grant,), move.seen(), _hidden(use, move, rule), use.window_days, use.days_needed)
    (target,) = part.targets()
    return part.body_of(target)


def _hidden(use: RuleUse, move: Move, rule: Rule) -> frozenset[tuple[str, str]]:
    """What the approval rule may not narrow: the dimensions hidden by calls that may have touched that very rule."""
    action = fold_action(rule.service, move.grant.action)
    own = [box for box in boxes(rule, rule.service) if matches(box.action, action)]
    return frozenset(
        (action, dimension)
        for call in use.moves.calls[move.grant.action]
        if call.partial and any(may_touch(box, call.resource, call.branch, call.partial) for box in own)
        for dimension in call.partial.split(",")
    )


def _where(body: Body) -> str:
    branches = "" if body.branches in (None, ("*",)) else f"branches {listing(body.branches or ())}"
    resources = "" if body.resources in (None, ("*",)) else listing(body.resources or (), 2)
    return " of ".join(part for part in (branches, resources) if part)
