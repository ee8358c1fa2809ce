"""What a rule matches: boxes of patterns for one concrete service, with aliases and list actions spelt out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from tightener.model import AgentPolicy, Box, Effect, Rule
from tightener.services.semantics import expand_actions, fold_action, list_resources, normalise_branch

ANY = "*"


def boxes(rule: Rule, service: str) -> tuple[Box, ...]:
    """The boxes of one rule for one service; none when the rule is about another service, or holds an empty list."""
    if rule.service not in (service, ANY):
        return ()
    body = rule.body
    resources = (ANY,) if body.resources is None else body.resources
    branches = (ANY,) if body.branches is None else tuple(map(normalise_branch, body.branches))
    pairs: dict[tuple[str, str], None] = {}
    for action in expand_actions(service, body.actions, rule.aliases):
        folded = fold_action(service, action)
        for resource in resources:
            pairs[folded, resource] = None
            pairs.update(dict.fromkeys(list_resources(service, folded, resource)))
    return tuple(
        Box(rule.index, rule.effect, action, resource, branch, rule.expires)
        for action, resource in pairs
        for branch in dict.fromkeys(branches)
    )


def boxes_of(policy: AgentPolicy, service: str) -> tuple[Box, ...]:
    """The boxes of all rules for one service, in document order."""
    return tuple(box for rule in policy.rules for box in boxes(rule, service))


def services_named(policy: AgentPolicy) -> frozenset[str]:
    """The services that some rule names (`*` is no name)."""
    return frozenset(rule.service for rule in policy.rules if rule.service != ANY)


def effective(
    policy: AgentPolicy, service: str, at: datetime
) -> tuple[tuple[Box, ...], tuple[Box, ...], tuple[Box, ...]]:
    """The deny, approval and allow boxes that hold at one moment.

    An expired allow is gone. An expired approval denies what it covered, or the allow below it would take over.
    """
    sets: dict[Effect, list[Box]] = {effect: [] for effect in Effect}
    for box in _at(boxes_of(policy, service), at):
        sets[box.effect].append(box)
    return tuple(sets[Effect.DENY]), tuple(sets[Effect.REQUIRE_APPROVAL]), tuple(sets[Effect.ALLOW])


def _at(found: Iterable[Box], at: datetime) -> Iterable[Box]:
    for box in found:
        if box.expires is None or box.expires > at:
            yield box
        elif box.effect is Effect.REQUIRE_APPROVAL:
            yield replace(box, effect=Effect.DENY)
