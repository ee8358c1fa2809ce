"""Narrow the resources of a rule to what its actions were used on."""

from __future__ import annotations

from tightener.tighten.rule_use import RuleUse
from tightener.tighten.rules.narrowing import narrow
from tightener.tighten.suggestion import Edit, Suggestion


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion when all kept actions share one target whose resources are narrower than granted."""
    return narrow(
        use,
        "resource",
        lambda target: target.resources,
        use.rule.body.resources,
        lambda patterns: Edit(resources=patterns),
    )
