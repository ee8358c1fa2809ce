"""Drop an action, as the rule writes it, that nothing exercised, on good evidence, while others of the rule stay."""

from __future__ import annotations

from tightener.tighten.rule_use import RuleUse
from tightener.tighten.suggestion import Edit, Suggestion
from tightener.tighten.wording import facts, unused


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion for each such action; none where the whole rule goes."""
    if not use.kept:
        return []
    found = []
    for pattern in dict.fromkeys(use.rule.body.actions):
        grants = use.of_pattern(pattern)
        if grants and all(g.goes for g in grants):
            found.append(
                Suggestion(
                    kind="drop_action",
                    rule=use.rule,
                    title=f"Drop `{pattern}`",
                    why=unused(grants, use.window_days),
                    evidence={
                        "actions": [g.action for g in grants],
                        **facts(grants),
                    },
                    edit=Edit(drop=frozenset({pattern})),
                )
            )
    return found
