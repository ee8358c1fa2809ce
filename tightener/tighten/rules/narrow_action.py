"""Replace a wildcard action by the actions that were exercised and those that not enough can be said of."""

from __future__ import annotations

from tightener.tighten.grants import Status
from tightener.tighten.rule_use import RuleUse
from tightener.tighten.suggestion import Edit, Suggestion
from tightener.tighten.wording import count, facts, listing


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion for each wildcard or alias that has to become a list (RuleUse.listed)."""
    found = []
    for pattern in dict.fromkeys(use.rule.body.actions):
        grants = use.of_pattern(pattern)
        gone = [g for g in grants if g.goes]
        kept = [g for g in grants if not g.goes]
        if not kept or not use.listed(pattern):
            continue
        names = tuple(g.action for g in kept)
        if pattern in names and set(names) <= set(use.rule.body.actions):
            continue  # an alias that names itself, beside all that it stands for: only their order would change
        exercised = [g.action for g in kept if g.status is Status.EXERCISED]
        unseen = [g.action for g in kept if g.status is Status.UNOBSERVABLE]
        unsure = [g.action for g in kept if g.status is Status.UNEXERCISED and g not in use.asked]
        why = f"{count(len(exercised), 'action')} exercised ({listing(exercised)}), {len(gone)} unexercised"
        if unseen:
            why += f", {len(unseen)} kept because no log could have shown them"
        if unsure:
            why += f", {len(unsure)} more without use stay for want of evidence"
        found.append(
            Suggestion(
                kind="narrow_action",
                rule=use.rule,
                title=f"Narrow `{pattern}` to {count(len(kept), 'action')}",
                why=f"{why}; actions that are in no catalogue and no log (those to come) go too",
                evidence={
                    "exercised": exercised,
                    "unobservable": unseen,
                    "kept_unexercised": unsure,
                    "removed": [g.action for g in gone],
                    **facts(gone or kept),
                },
                edit=Edit(replace={pattern: names}),
            )
        )
    return found
