"""Narrow the branches of a rule to what its actions were used on."""

from __future__ import annotations

from tightener.tighten.rule_use import RuleUse
from tightener.tighten.rules.narrowing import narrow
from tightener.tighten.suggestion import Edit, Suggestion


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion when all kept actions share one target whose branches are narrower than granted."""
    return narrow(
        use, "branch", lambda target: target.branches, use.rule.body.branches, lambda patterns: Edit(branches=patterns)
    )
