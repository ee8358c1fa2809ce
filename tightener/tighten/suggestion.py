"""Suggestions: what one proposes to change in one rule, and how several compose.

A suggestion is data, so any subset of them can be applied: a rule's body is first stripped of dropped actions, then
wildcards are replaced, then resources and branches are narrowed or the rule is split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tightener.model import Body, Rule


@dataclass(frozen=True, slots=True)
class Edit:
    """The change to one rule's body. Only the parts that a suggestion's kind is about are filled."""

    drop: frozenset[str] = frozenset()  # actions as written
    replace: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # action as written -> actions
    resources: tuple[str, ...] | None = None
    branches: tuple[str, ...] | None = None
    parts: tuple[Body, ...] = ()  # split: the actions that leave the rule, with their own resources and branches


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One proposed edit with its reasons."""

    kind: str  # the name of its file in tighten/rules/
    rule: Rule
    title: str
    why: str
    evidence: Mapping[str, object]
    edit: Edit
    requires: tuple[str, ...] = ()  # ids without which this one says nothing (a split of a wildcard not yet listed)

    @property
    def id(self) -> str:
        """Names the suggestion: the same for the same change to the same rule, whatever else is proposed."""
        rule = self.rule
        parts = (rule.agent, rule.effect, rule.service, rule.body, self.kind, _canonical(self.edit))
        text = repr((*parts, rule.twin) if rule.twin else parts)
        return f"{self.kind.replace('_', '-')}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _canonical(edit: Edit) -> object:
    return (sorted(edit.drop), sorted(edit.replace.items()), edit.resources, edit.branches, edit.parts)


def compose(body: Body, edits: Sequence[Edit]) -> tuple[Body, ...]:
    """The bodies that the rule becomes: none (it goes), one, or several (it is split)."""
    actions: list[str] = []
    for action in body.actions:
        if any(action in edit.drop for edit in edits):
            continue
        replaced = next((edit.replace[action] for edit in edits if action in edit.replace), (action,))
        actions.extend(a for a in replaced if a not in actions)
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
