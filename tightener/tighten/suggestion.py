"""Suggestions: what one proposes to change in one rule, and how several compose.

A suggestion is data, so any subset of them can be applied: wildcards are replaced, what is dropped (or moves to
approval as a whole) is taken out, and what is left is narrowed or split. What moves to approval comes on top, as it
says itself: an approval wins over an allow, so it needs nothing of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tightener.model import Addition, Body, Effect, Rule


@dataclass(frozen=True, slots=True)
class Edit:
    """The change to one rule's body. Only the parts that a suggestion's kind is about are filled."""

    drop: frozenset[str] = frozenset()  # actions as written, or as they are listed in place of a wildcard
    replace: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # action as written -> actions
    resources: tuple[str, ...] | None = None
    branches: tuple[str, ...] | None = None
    parts: tuple[Body, ...] = ()  # split: the actions that leave the rule, with their own resources and branches
    asks: tuple[Body, ...] = ()  # what needs approval from now on; actions of which nothing stays are in `drop`, too
    ttl: str | None = None  # how long one approval of `asks` holds
    deny: Body | None = None  # a deny rule that comes on top


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One proposed edit with its reasons."""

    kind: str  # the name of its file in tighten/rules/
    rule: Rule  # a rule that it adds has the index -1
    title: str
    why: str
    evidence: Mapping[str, object]
    edit: Edit
    requires: tuple[str, ...] = ()  # ids without which this one says nothing (a split of a wildcard not yet listed)
    name: str = ""  # its id where it is for showing only and no longer says what it was made of (report/veil.py)

    @property
    def id(self) -> str:
        """Names the suggestion: the same for the same change to the same rule, whatever else is proposed."""
        if self.name:
            return self.name
        rule = self.rule
        parts = (rule.agent, rule.effect, rule.service, rule.body, self.kind, _canonical(self.edit))
        text = repr((*parts, rule.twin) if rule.twin else parts)
        return f"{self.kind.replace('_', '-')}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"

    @property
    def moved(self) -> tuple[Rule, ...]:
        """The approval rules to which it says that it moves requests, use and all; none for every other kind."""
        return tuple(
            replace(self.rule, effect=Effect.REQUIRE_APPROVAL, body=body, ttl=self.edit.ttl) for body in self.edit.asks
        )


def _canonical(edit: Edit) -> object:
    said = (sorted(edit.drop), sorted(edit.replace.items()), edit.resources, edit.branches, edit.parts)
    return (*said, edit.asks, edit.ttl, edit.deny) if edit.asks or edit.deny else said


def additions(chosen: Sequence[Suggestion]) -> dict[str, list[Addition]]:
    """The rules that the chosen suggestions add: agent -> additions, in the order of the suggestions."""
    found: dict[str, list[Addition]] = {}
    for one in chosen:
        for rule in one.moved:
            addition = Addition(rule.effect, rule.service, rule.body, rule.index, rule.ttl)
            found.setdefault(rule.agent, []).append(addition)
        if one.edit.deny is not None:
            found.setdefault(one.rule.agent, []).append(Addition(Effect.DENY, one.rule.service, one.edit.deny))
    return found


def compose(body: Body, edits: Sequence[Edit]) -> tuple[Body, ...]:
    """The bodies that stay in the rule's block: none (it goes, or moves), one, or several (it is split)."""
    actions: list[str] = []
    dropped = frozenset[str]().union(*(edit.drop for edit in edits))
    for action in body.actions:
        if action not in dropped:
            replaced = next((edit.replace[action] for edit in edits if action in edit.replace), (action,))
            actions.extend(a for a in replaced if a not in actions and a not in dropped)
    if not actions:
        return ()
    resources = next((e.resources for e in edits if e.resources is not None), body.resources)
    branches = next((e.branches for e in edits if e.branches is not None), body.branches)
    parts = next((e.parts for e in edits if e.parts), ())
    found = []
    for part in parts:
        own = tuple(a for a in part.actions if a in actions)
        if own:
            found.append(Body(own, part.resources, part.branches))
            actions = [a for a in actions if a not in own]
    rest = (Body(tuple(actions), resources, branches),) if actions else ()
    return (*rest, *found)
