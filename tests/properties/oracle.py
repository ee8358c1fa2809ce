"""The oracle of the contract: policies read, matched and decided as naively as can be, apart from the program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import yaml


@dataclass(frozen=True)
class NaiveRule:
    effect: str
    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] | None
    branches: tuple[str, ...] | None


@cache
def naive_match(pattern: str, value: str) -> bool:
    """The definition, by recursion."""

    @cache
    def at(i: int, j: int) -> bool:
        if i == len(pattern):
            return j == len(value)
        if pattern[i] == "*":
            return at(i + 1, j) or (j < len(value) and at(i, j + 1))
        return j < len(value) and pattern[i] in ("?", value[j]) and at(i + 1, j + 1)

    return at(0, 0)


def naive_actions(rule: NaiveRule) -> list[str]:
    actions = list(rule.actions)
    for a in rule.actions:
        thing, _, verb = a.partition(":")
        if verb == "write":
            actions += [f"{thing}:create", f"{thing}:update", f"{thing}:delete"]
    return actions


@cache
def naive_part(patterns: tuple[str, ...] | None, value: str) -> bool:
    return patterns is None or any(naive_match(p, value) for p in patterns)


def naive_level(rules: Iterable[NaiveRule], service: str, action: str, resource: str, branch: str) -> int:
    effects = {
        rule.effect
        for rule in rules
        if rule.service == service
        and naive_part(tuple(naive_actions(rule)), action)
        and naive_part(rule.resources, resource)
        and naive_part(rule.branches, branch)
    }
    if "deny" in effects:
        return 0
    return 1 if "require_approval" in effects else 2 if "allow" in effects else 0


def naive_rules(text: str, agent: str) -> list[NaiveRule]:
    """The rules of one agent as they stand in the text; a block may stand several times, so no plain load will do."""
    document = yaml.compose(text)
    assert document is not None
    (root,) = (value for key, value in document.value if key.value == "agents")
    (own,) = (value for key, value in root.value if key.value == agent)
    found = []
    for effect, block in own.value:
        if effect.value in ("allow", "require_approval", "deny"):
            for rule in block.value:
                parts = {key.value: value for key, value in rule.value}
                lists = [naive_list(parts.get(name)) for name in ("actions", "resources", "branches")]
                found.append(NaiveRule(effect.value, parts["service"].value, lists[0] or (), lists[1], lists[2]))
    return found


def naive_list(node: yaml.Node | None) -> tuple[str, ...] | None:
    if node is None:
        return None
    return tuple(one.value for one in node.value) if isinstance(node, yaml.SequenceNode) else (node.value,)
