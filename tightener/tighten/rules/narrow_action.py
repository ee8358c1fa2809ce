"""Replace a wildcard action by the actions that were exercised and those of which nothing can be said."""

from __future__ import annotations

from tightener.tighten.grants import Status
from tightener.tighten.rule_use import RuleUse
from tightener.tighten.suggestion import Edit, Suggestion
from tightener.tighten.wording import count, listing


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion for each wildcard or alias that has to become a list (RuleUse.listed)."""
    found = []
    for pattern in dict.fromkeys(use.rule.body.actions):
        grants = use.of_pattern(pattern)
        gone = [g for g in grants if g.status is Status.UNEXERCISED]
        kept = [g for g in grants if g.status is not Status.UNEXERCISED]
        if not kept or not use.listed(pattern):
            continue
        exercised = [g.action for g in kept if g.status is Status.EXERCISED]
        unseen = [g.action for g in kept if g.status is Status.UNOBSERVABLE]
        why = f"{count(len(exercised), 'action')} exercised ({listing(exercised)}), {len(gone)} unexercised"
        if unseen:
            why += f", {len(unseen)} kept because no log could have shown them"
        found.append(
            Suggestion(
                kind="narrow_action",
                rule=use.rule,
                title=f"Narrow `{pattern}` to {count(len(kept), 'action')}",
                why=f"{why}; actions that are in no catalogue and no log (those to come) go too",
                evidence={
                    "exercised": exercised,
                    "unobservable": unseen,
                    "removed": [g.action for g in gone],
                    "observed_days": min(g.observed_days for g in gone or kept),
                },
                edit=Edit(replace={pattern: tuple(g.action for g in kept)}),
            )
        )
    return found
