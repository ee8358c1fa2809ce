"""What narrowing resources and narrowing branches have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from tightener.tighten.moves import ASK_FIRST, IN_BURSTS, NEW, Move
from tightener.tighten.rule_use import RuleUse, Target, narrower
from tightener.tighten.rules import ask_about_new, ask_first, ask_in_bursts, ask_unused
from tightener.tighten.suggestion import Edit, Suggestion
from tightener.tighten.wording import count, listing


def asked(use: RuleUse) -> list[tuple[Move, Suggestion]]:
    """What is used and moves to approval, and the suggestion that says so."""
    kinds = ((ASK_FIRST, ask_first), (IN_BURSTS, ask_in_bursts), (NEW, ask_about_new))
    return [
        pair
        for name, kind in kinds
        for pair in zip([m for m in use.moves.moves if m.kind == name], kind.propose(use), strict=True)
    ]


def moving(use: RuleUse) -> tuple[str, ...]:
    """The ids of what moves to approval: what is narrowed without it would lose those uses."""
    return (*(suggestion.id for _, suggestion in asked(use)), *(s.id for s in ask_unused.propose(use)))


def narrow(
    use: RuleUse,
    dimension: str,
    pick: Callable[[Target], tuple[str, ...] | None],
    granted: tuple[str, ...] | None,
    edit: Callable[[tuple[str, ...]], Edit],
) -> list[Suggestion]:
    """The narrowing of one dimension ("resource" or "branch"), where the rule need not be split for it."""
    targets = use.targets()
    patterns = pick(targets[0]) if len(targets) == 1 else None
    if patterns is None or not narrower(patterns, granted):
        return []
    values = use.values(dimension)
    before = "any" if granted is None else listing(granted)
    plural = "branches" if dimension == "branch" else "resources"
    return [
        Suggestion(
            kind=f"narrow_{plural}",
            rule=use.rule,
            title=f"Narrow {plural} from {before} to {listing(patterns)}",
            why=f"{count(len(values), 'distinct value')} used, none outside" + insufficient(use, dimension, patterns),
            evidence={
                "before": None if granted is None else list(granted),
                "after": list(patterns),
                "distinct_values": len(values),
                "examples": [one.value for one in islice(values, 3)],
                "patterns": use.because(dimension, patterns),
                "observed_days": min(g.observed_days for g in use.staying),
            },
            edit=edit(patterns),
            requires=moving(use),
        )
    ]


def insufficient(use: RuleUse, dimension: str, patterns: Sequence[str]) -> str:
    """What is said of patterns that rest on too little."""
    thin = use.thin(dimension, patterns)
    return f"; insufficient evidence to say more about {listing(thin)}" if thin else ""
