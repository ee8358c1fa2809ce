"""Move actions to approval that nothing exercised, where the evidence is good for that but not for removal."""

from __future__ import annotations

from tightener.model import Body
from tightener.tighten.evidence.verdict import HORIZON
from tightener.tighten.rule_use import RuleUse, name
from tightener.tighten.suggestion import Edit, Suggestion
from tightener.tighten.wording import facts, listing, unused


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion for all such actions of the rule (RuleUse.asked)."""
    asked = use.asked
    if not asked:
        return []
    actions = tuple(dict.fromkeys(map(name, asked)))
    evidence = facts(asked)
    return [
        Suggestion(
            kind="ask_unused",
            rule=use.rule,
            title=f"Ask before {listing(actions)}",
            why=f"{unused(asked, use.window_days)}; up to {evidence['pooled']:.1%} of such grants are used within "
            f"{HORIZON} days after all, so approval first",
            evidence={"actions": [g.action for g in asked], **evidence},
            edit=Edit(drop=frozenset(actions), asks=(Body(actions, use.rule.body.resources, use.rule.body.branches),)),
        )
    ]
