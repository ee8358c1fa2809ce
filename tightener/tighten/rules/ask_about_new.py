"""Move a risky request that one session made recently, on something new, to approval: literally, and flagged."""

from __future__ import annotations

from datetime import date, timedelta

from tightener.tighten.moves import NEW, Move
from tightener.tighten.rule_use import RuleUse
from tightener.tighten.rules.asking import ask
from tightener.tighten.suggestion import Suggestion

_EPOCH = date(1970, 1, 1)


def propose(use: RuleUse) -> list[Suggestion]:
    """One suggestion for each such part of a grant."""
    return ask(use, NEW, _why)


def _why(move: Move) -> str:
    (call,) = move.calls
    often = "once" if call.uses == 1 else "by one session"
    day = _EPOCH + timedelta(days=call.first)
    return f"{move.risk.words}, {often}, on {day}, on what nothing else touched: a person should look at it"
