"""Drop a whole rule none of whose actions was exercised."""

from __future__ import annotations

from tightener.tighten.rule_use import RuleUse
from tightener.tighten.suggestion import Edit, Suggestion
from tightener.tighten.wording import facts, listing, unused


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion when every grant of the rule is unexercised, on evidence that is good enough."""
    if not use.grants or use.kept:
        return []
    covering = sorted({g.covered_by.place.line for g in use.grants if g.covered_by})
    reason = (
        f"redundant: covered by line {', '.join(map(str, covering))}"
        if covering
        else unused(use.grants, use.window_days)
    )
    return [
        Suggestion(
            kind="drop_rule",
            rule=use.rule,
            title=f"Drop the {use.rule.service} rule {listing(use.rule.body.actions)}",
            why=reason,
            evidence={
                "actions": [g.action for g in use.grants],
                **facts(use.grants),
            },
            edit=Edit(drop=frozenset(use.rule.body.actions)),
        )
    ]
