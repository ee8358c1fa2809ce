"""Move a risky action that is used outright to approval: deletions, payments, whatever changes permissions."""

from __future__ import annotations

from tightener.tighten.moves import ASK_FIRST, Move
from tightener.tighten.rule_use import RuleUse
from tightener.tighten.rules.asking import ask
from tightener.tighten.suggestion import Suggestion
from tightener.tighten.wording import count


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion for each such part of a grant."""
    return ask(use, ASK_FIRST, _why)


def _why(move: Move) -> str:
    return f"{move.risk.words}, granted outright and used {count(move.load.uses, 'time')}"
