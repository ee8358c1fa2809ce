"""Deny what nobody should be able to grant by mistake, and what no rule grants: IAM, for every agent that uses AWS.

A deny changes no answer today. It is there for the rule that somebody adds tomorrow. The floors are the rows of
services/data/deny_floor.csv; where a part of one is granted, only those of its parts are denied that are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from tightener.errors import Place
from tightener.model import AgentPolicy, Body, Box, Effect, Rule
from tightener.policy.contain import covered
from tightener.policy.patterns import intersects
from tightener.policy.rules import ANY, boxes_of
from tightener.services.catalogue import rows
from tightener.services.semantics import expand_actions, fold_action
from tightener.tighten.suggestion import Edit, Suggestion, compose
from tightener.tighten.wording import listing


def propose(policy: AgentPolicy, found: Sequence[Suggestion]) -> list[Suggestion]:
    """One suggestion for each floor that some part of is neither denied nor granted once `found` is in force.

    It requires whatever takes grants of the floor away, so that it never covers a grant that stays.
    """
    suggestions = []
    for row in rows("deny_floor"):
        service = row["service"]
        left = _granted_after(policy, found, service)
        if not left and not any(r.service == service and r.effect is not Effect.DENY for r in policy.rules):
            continue
        denies = [box for box in boxes_of(policy, service) if box.effect is Effect.DENY]
        free = [row["pattern"]] if not _meets(service, row["pattern"], left) else row["parts"].split()
        patterns = tuple(
            pattern
            for pattern in free
            if not _meets(service, pattern, left)
            and not covered(Box(-1, Effect.DENY, fold_action(service, pattern), ANY, ANY), denies)
        )
        if patterns:
            suggestions.append(_suggestion(policy, found, service, patterns))
    return suggestions


def _suggestion(
    policy: AgentPolicy, found: Sequence[Suggestion], service: str, patterns: tuple[str, ...]
) -> Suggestion:
    body = Body(patterns)
    taking = [s.id for s in found if s.rule.service == service and _meets_any(service, patterns, s.rule.body.actions)]
    return Suggestion(
        kind="deny_floor",
        rule=Rule(policy.name, -1, Effect.DENY, service, body, Place(policy.place.path, policy.place.line)),
        title=f"Deny {listing(patterns)}",
        why="nothing grants it today, and no later rule can by mistake",
        evidence={"denies": list(patterns)},
        edit=Edit(deny=body),
        requires=tuple(taking),
    )


def _granted_after(policy: AgentPolicy, found: Sequence[Suggestion], service: str) -> list[str]:
    """The action patterns that allow and approval rules of the service hold with these suggestions, folded."""
    edits: Mapping[int, list[Edit]] = {rule.index: [] for rule in policy.rules}
    for one in found:
        edits[one.rule.index].append(one.edit)
    left = []
    for rule in policy.rules:
        if rule.service == service and rule.effect is not Effect.DENY:
            asks = chain.from_iterable(edit.asks for edit in edits[rule.index])
            for body in (*compose(rule.body, edits[rule.index]), *asks):
                left += [fold_action(service, one) for one in expand_actions(service, body.actions, rule.aliases)]
    return left


def _meets(service: str, pattern: str, granted: Sequence[str]) -> bool:
    folded = fold_action(service, pattern)
    return any(intersects(folded, one) for one in granted)


def _meets_any(service: str, patterns: Sequence[str], actions: Sequence[str]) -> bool:
    granted = [fold_action(service, one) for one in actions]
    return any(_meets(service, pattern, granted) for pattern in patterns)
