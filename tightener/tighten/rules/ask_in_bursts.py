"""Move a risky action that is used in rare bursts to approval, which holds as long as a burst lasts."""

from __future__ import annotations

from tightener.tighten.moves import IN_BURSTS, Move
from tightener.tighten.rule_use import RuleUse
from tightener.tighten.rules.asking import ask
from tightener.tighten.suggestion import Suggestion
from tightener.tighten.wording import count


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion for each such part of a grant."""
    return ask(use, IN_BURSTS, _why)


def _why(move: Move) -> str:
    return f"{move.risk.words} in {count(move.load.bursts, 'rare burst')}, {count(move.load.uses, 'use')} in all"
