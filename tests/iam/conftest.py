"""A naive IAM evaluator: one request, one state of the world, straight from AWS's evaluation logic.

It shares no code with iam/. A state says for every statement with conditions whether they hold, and what the policy
variables stand for. Two readings are held against it: *could* is "in some state", *surely* "in every state".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Naive = Callable[..., bool]


def tokens(pattern: str, values: Mapping[str, str]) -> list[tuple[str, str]]:
    """A pattern as ('any',), ('one',) and ('char', c), variables filled in as plain text."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("${", at) and "}" in pattern[at:]:
            end = pattern.index("}", at)
            name = pattern[at + 2 : end]
            text = name if name in ("*", "?", "$") else values[name]
            found += [("char", c) for c in text]
            at = end + 1
            continue
        kind = {"*": "any", "?": "one"}.get(pattern[at], "char")
        found.append((kind, pattern[at]))
        at += 1
    return found


def fits(pattern: list[tuple[str, str]], text: str) -> bool:
    if not pattern:
        return not text
    kind, char = pattern[0]
    if kind == "any":
        return any(fits(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return bool(text) and (kind == "one" or char == text[0]) and fits(pattern[1:], text[1:])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def applies(statement: Mapping[str, Any], action: str, resource: str, state: Mapping[str, Any]) -> bool:
    """Whether a statement, as JSON, is about a request in a state of the world."""

    def some(name: str, text: str, *, lower: bool = False) -> bool:
        return any(
            fits(tokens(p.lower() if lower else p, state["variables"]), text.lower() if lower else text)
            for p in listed(statement[name])
        )

    right_action = (
        some("Action", action, lower=True) if "Action" in statement else not some("NotAction", action, lower=True)
    )
    right_resource = some("Resource", resource) if "Resource" in statement else not some("NotResource", resource)
    holds = not statement.get("Condition") or state["conditions"][statement["Sid"]]
    return right_action and right_resource and holds


def allows(
    own: list[Mapping[str, Any]],
    boundary: list[Mapping[str, Any]] | None,
    action: str,
    resource: str,
    state: Mapping[str, Any],
) -> bool:
    """Explicit deny wins; then both the policies and the boundary have to allow."""
    every = [*own, *(boundary or [])]
    if any(s["Effect"] == "Deny" and applies(s, action, resource, state) for s in every):
        return False
    sides = [own] if boundary is None else [own, boundary]
    return all(any(s["Effect"] == "Allow" and applies(s, action, resource, state) for s in side) for side in sides)


@pytest.fixture(scope="session")
def naive() -> Naive:
    return allows
