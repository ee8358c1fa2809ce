"""Split a rule whose actions were used on different things, each part with its own resources and branches."""

from __future__ import annotations

from tightener.model import Body
from tightener.tighten.rule_use import RuleUse
from tightener.tighten.rules import narrow_action
from tightener.tighten.rules.narrowing import insufficient, moving
from tightener.tighten.suggestion import Edit, Suggestion
from tightener.tighten.wording import listing, scope


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion when the rule's use falls into several targets, at least one of them narrower than the rule."""
    targets = use.targets()
    narrowed = [
        t for t in targets if use.body_of(t) != Body(t.actions, use.rule.body.resources, use.rule.body.branches)
    ]
    if len(targets) < 2 or not narrowed:
        return []
    rest = len(narrowed) < len(targets)
    parts = tuple(use.body_of(t) for t in narrowed)
    return [
        Suggestion(
            kind="split_rule",
            rule=use.rule,
            title=f"Split into {len(narrowed) + rest} rules, each with its own scope",
            why="; ".join(f"{listing(p.actions)} only on {scope(p.resources, p.branches)}" for p in parts)
            + "".join(
                insufficient(use, dimension, patterns)
                for p in parts
                for dimension, patterns in (("resource", p.resources or ()), ("branch", p.branches or ()))
            ),
            evidence={
                "parts": [
                    {
                        "actions": list(p.actions),
                        "resources": _list(p.resources),
                        "branches": _list(p.branches),
                        "patterns": use.because("resource", p.resources or ())
                        + use.because("branch", p.branches or ()),
                    }
                    for p in parts
                ]
            },
            edit=Edit(parts=parts),
            requires=(*(s.id for s in narrow_action.propose(use)), *moving(use)),
        )
    ]


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
