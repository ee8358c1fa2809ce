"""Drop an action, as the rule writes it, that nothing exercised while others of the rule are kept."""

from __future__ import annotations

from tightener.tighten.grants import Status
from tightener.tighten.rule_use import RuleUse
from tightener.tighten.suggestion import Edit, Suggestion
from tightener.tighten.wording import unused


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion for each such action; none where the whole rule goes."""
    if not use.kept:
        return []
    found = []
    for pattern in dict.fromkeys(use.rule.body.actions):
        grants = use.of_pattern(pattern)
        if grants and all(g.status is Status.UNEXERCISED for g in grants):
            found.append(
                Suggestion(
                    kind="drop_action",
                    rule=use.rule,
                    title=f"Drop `{pattern}`",
                    why=unused(grants, use.window_days),
                    evidence={
                        "actions": [g.action for g in grants],
                        "observed_days": min(g.observed_days for g in grants),
                    },
                    edit=Edit(drop=frozenset({pattern})),
                )
            )
    return found
