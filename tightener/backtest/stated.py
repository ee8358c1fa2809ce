"""What a suggestion stated of its own risk on a day in the past, against what the next 30 days showed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tightener.results import Forecast, Stated
from tightener.services.semantics import fold_action
from tightener.tighten.compare import Comparison
from tightener.tighten.evidence.verdict import Class, Verdict

Action = tuple[str, str]  # service, and the action folded
Judged = tuple[Action, Verdict]


def stated(comparison: Comparison, used: Collection[Action] | None) -> Stated:
    """What the verdicts of a comparison stated, beside what was used since.

    In: the actions used within HORIZON days after the comparison's window, None where the log does not hold them.
    Use is told by action, not by rule (docs/evidence.md), so grants of what another rule saw in use are left out.
    """
    grants = [((g.rule.service, fold_action(g.rule.service, g.action)), g) for g in comparison.grants]
    busy = {of for of, grant in grants if grant.evidence.uses}
    every = [(of, grant.verdict) for of, grant in grants if grant.verdict is not None and of not in busy]
    judge = comparison.terms.judge
    found = []
    if every:
        found.append(_forecast("alone", every, sum(verdict.alone for _, verdict in every) / len(every), used))
        if judge.calibration is not None:
            found.append(_forecast("fleet", every, None, used))
    for kind in (Class.REMOVE, Class.ASK_FIRST):
        if own := [(of, verdict) for of, verdict in every if verdict.kind is kind]:
            past = judge.calibration.realised[kind] if judge.calibration else None
            found.append(_forecast(kind.value, own, past.bound(_expected(own)) if past else None, used))
    return Stated(tuple(found), judge.uncalibrated)


def _forecast(of: str, some: Sequence[Judged], bound: float | None, used: Collection[Action] | None) -> Forecast:
    estimated = all(verdict.pooled is not None for _, verdict in some)
    brier = None
    if estimated and used is not None:
        brier = sum(((verdict.pooled or 0.0) - (action in used)) ** 2 for action, verdict in some) / len(some)
    return Forecast(
        of=of,
        grants=len(some),
        expected=_expected(some) if estimated else None,
        bound=bound,
        used=None if used is None else sum(action in used for action, _ in some),
        brier=brier,
    )


def _expected(some: Sequence[Judged]) -> float:
    return sum(verdict.pooled or 0.0 for _, verdict in some) / len(some)
