"""What people and programs read of a backtest: a table with a row a way of tightening, and the periods behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tightener.report.interval import clopper_pearson
from tightener.report.terminal import Printer
from tightener.report.view import TriedRow
from tightener.results import Backtest, Forecast, Period, Tally
from tightener.tighten.evidence.verdict import HORIZON
from tightener.tighten.risk import RiskClass
from tightener.tighten.wording import count, there_are

BETAS = (("1/10", 0.1), ("1", 1.0), ("10", 10.0))
_STATEMENTS = (
    ("alone", "by the log alone"),
    ("fleet", "by the fleet, all of them"),
    ("remove", "those removed"),
    ("ask_first", "those moved to approval"),
)


def document(found: Sequence[Backtest]) -> dict[str, Any]:
    """The answer of `tightener backtest --json`."""
    return {"schema": "tightener.backtest/1", "agents": [one_document(one) for one in found]}


def one_document(found: Backtest) -> dict[str, Any]:
    """One agent's backtest: the periods, and each way's sums and tallies."""
    known = {row.name: row for row in rows(found)}
    return {
        "agent": found.agent,
        "window_days": found.days,
        "horizon_days": found.horizon,
        "logged_days": found.logged,
        "needed_days": found.needed,
        "periods": [
            {
                "learn": [one.learn.first.isoformat(), one.learn.last.isoformat()],
                "score": [one.score.first.isoformat(), one.score.last.isoformat()],
                "policy": one.policy,
                "stated": [_forecast(forecast) for forecast in stated.forecasts],
                "not_calibrated": stated.why,
            }
            for one, stated in zip(found.periods, found.stated, strict=True)
        ],
        "ways": [_way(name, known.get(name), tallies) for name, tallies in found.ways.items()],
        "skipped": list(found.skipped),
    }


def words(out: Printer, found: Backtest) -> None:
    """`tightener backtest`, one agent."""
    out.line(f"{found.agent}: {_sentence(found)}", style="bold")
    for text in found.skipped:
        out.line(f"- nothing learnt for {text}")
    if not found.periods:
        return
    out.line()
    headings = (
        "way of tightening",
        "still allowed",
        "95 % interval",
        "refused",
        "sessions",
        "asked",
        "unused",
        "reach",
    )
    known = {row.name: row for row in rows(found)}
    out.table(headings, [_cells(found, name, known) for name in found.ways])
    out.line()
    out.line("Reach by class of risk, newest period", style="bold")
    out.fields([(row.name, by_class(row)) for row in known.values()])
    out.line()
    out.line(f"Grants without use: stated beforehand, and used within {HORIZON} days", style="bold")
    for text in foretold(found):
        out.line(f"- {text}")
    out.line()
    out.line("Periods", style="bold")
    for one in found.periods:
        out.line(f"- {period(one)}")


def lacking(found: Backtest) -> str:
    """Why the log bears no backtest."""
    return f"a backtest takes {count(found.needed, 'day')} of log, and {there_are(found.logged)}"


def line(found: Backtest, way: str) -> str:
    """What `suggest` says of its own way of tightening, in one sentence."""
    tallies = [tally for tally in found.ways.get(way, ()) if tally is not None]
    if not tallies:
        if found.skipped:
            return f"not possible: {found.skipped[-1]}"
        return f"not yet: {lacking(found)}"
    periods = "period" if len(tallies) == 1 else f"{len(tallies)} periods"
    refused, moved, uses = (_sum(tallies, what) for what in ("refused", "moved", "uses"))
    asked = f", and asked a person about {moved:,} more" if moved else ""
    return (
        f"on the last {periods} of {found.horizon} days this way of tightening would have refused"
        f" {refused:,} of {count(uses, 'call')}{asked}"
    )


def _sentence(found: Backtest) -> str:
    if not found.periods:
        return f"no period to score on: {lacking(found)}"
    return (
        f"{count(len(found.periods), 'period')} of {found.horizon} days, each tightened as of its first day"
        f" with what was known then"
    )


def rows(found: Backtest) -> Iterator[TriedRow]:
    """A row a way of tightening for which there was log enough in any period."""
    for name, tallies in found.ways.items():
        known = _known(found, tallies)
        own = [tally for _, tally in known]
        if own:
            uses, allowed = _sum(own, "uses"), _sum(own, "allowed")
            low, high = clopper_pearson(allowed, uses)
            yield TriedRow(
                name=name,
                periods=len(own),
                uses=uses,
                allowed=allowed,
                low=low,
                high=high,
                refused=_sum(own, "refused"),
                sessions=_sum(own, "sessions"),
                sessions_hit=_sum(own, "sessions_hit"),
                asked_a_week=_weekly(known),
                reachable=_sum(own, "reachable"),
                unused=_sum(own, "unused"),
                reach=own[-1].reachable,
                classes=tuple((kind.value.replace("_", " "), many) for kind, many in own[-1].classes.items()),
            )


def period(one: Period) -> str:
    """One period in a sentence."""
    return (
        f"{one.score.first} to {one.score.last}, learnt on {count(one.learn.days, 'day')} before; policy: {one.policy}"
    )


def by_class(row: TriedRow) -> str:
    """The actions left in the newest period, by class of risk, the harmless ones first."""
    return " · ".join(f"{kind} {many:,}" for kind, many in row.classes) or "nothing"


def precision(row: TriedRow) -> float | None:
    """Of the actions that were left, the share that the following period used; None where nothing was left."""
    return 1 - row.unused / row.reachable if row.reachable else None


def recall(row: TriedRow) -> float | None:
    """Of the legitimate events, the share still allowed; None where there were none."""
    return row.allowed / row.uses if row.uses else None


def f_beta(row: TriedRow, beta: float) -> float | None:
    """(1 + beta^2) P R / (beta^2 P + R); None where precision or recall is none, 0 where both are 0."""
    p, r = precision(row), recall(row)
    if p is None or r is None:
        return None
    return (1 + beta * beta) * p * r / (beta * beta * p + r) if p or r else 0.0


def foretold(found: Backtest) -> Iterator[str]:
    """What the suggestions of all periods stated, what was realised and how often it held, a sentence a statement."""
    for of, name in _STATEMENTS:
        own = [one for stated in found.stated for one in stated.forecasts if one.of == of and one.used is not None]
        if own:
            yield f"{name}: {_foretold(own)}"
    if whys := [stated.why for stated in found.stated if stated.why]:
        yield f"by the fleet: {whys[-1]}"
    if unseen := sum(any(one.used is None for one in stated.forecasts) for stated in found.stated):
        yield f"of {count(unseen, 'period')} the log does not hold the {HORIZON} days that the suggestion spoke of"


def _foretold(some: Sequence[Forecast]) -> str:
    grants, used = sum(one.grants for one in some), sum(one.used or 0 for one in some)
    bounds = [one.bound for one in some if one.bound is not None]
    expected = [(one.expected, one.grants) for one in some if one.expected is not None]
    briers = [(one.brier, one.grants) for one in some if one.brier is not None]
    said = [f"stated at most {min(bounds):.1%} to {max(bounds):.1%}"] if bounds else []
    if expected:
        said.append(f"expected {_mean(expected):.2%}")
    said.append(f"realised {used:,} of {count(grants, 'grant')} ({used / grants:.1%})")
    if bounds:
        said.append(f"held in {sum(one.held is True for one in some)} of {count(len(bounds), 'period')}")
    if briers:
        said.append(f"Brier score {_mean(briers):.4f}")
    return "; ".join(said)


def _mean(weighed: Sequence[tuple[float, int]]) -> float:
    return sum(value * weight for value, weight in weighed) / sum(weight for _, weight in weighed)


def _forecast(one: Forecast) -> dict[str, Any]:
    return {
        "of": one.of,
        "grants": one.grants,
        "expected": one.expected,
        "bound": one.bound,
        "used": one.used,
        "held": one.held,
        "brier": one.brier,
    }


def interval(row: TriedRow) -> str:
    """The interval of the share that is allowed, in per cent."""
    return f"{_percent(row.low)} to {_percent(row.high)} %"


def _cells(found: Backtest, name: str, known: Mapping[str, TriedRow]) -> tuple[str, ...]:
    row = known.get(name)
    if row is None:
        return (name, "too little log", "", "", "", "", "", "")
    less = f" ({count(row.periods, 'period')})" if row.periods < len(found.periods) else ""
    return (
        name + less,
        f"{row.allowed:,} of {row.uses:,}",
        interval(row),
        f"{row.refused:,}",
        f"{row.sessions_hit:,} of {row.sessions:,}",
        f"{row.asked_a_week:.1f}/week",
        f"{100 * row.unused / row.reachable:.0f} %" if row.reachable else "-",
        f"{row.reach:,}",
    )


def _way(name: str, row: TriedRow | None, tallies: Sequence[Tally | None]) -> dict[str, Any]:
    known = [tally for tally in tallies if tally is not None]
    return {
        "name": name,
        "periods": len(known),
        "uses": _sum(known, "uses"),
        "allowed": _sum(known, "allowed"),
        "allowed_interval": [row.low, row.high] if row else None,
        "refused": _sum(known, "refused"),
        "moved": _sum(known, "moved"),
        "sessions": _sum(known, "sessions"),
        "sessions_hit": _sum(known, "sessions_hit"),
        "asked_a_week": row.asked_a_week if row else None,
        "reachable": row.reach if row else None,
        "unused_share": row.unused / row.reachable if row and row.reachable else None,
        "reachable_by_class": _classes(known[-1]) if known else None,
        "precision": precision(row) if row else None,
        "recall": recall(row) if row else None,
        "f_beta": {name: f_beta(row, beta) if row else None for name, beta in BETAS},
        "tallies": [None if tally is None else _tally(tally) for tally in tallies],
    }


def _classes(tally: Tally) -> dict[str, int]:
    return {kind.value: tally.classes.get(kind, 0) for kind in RiskClass}


def _tally(tally: Tally) -> Mapping[str, Any]:
    return {
        "uses": tally.uses,
        "allowed": tally.allowed,
        "refused": tally.refused,
        "moved": tally.moved,
        "asked": tally.asked,
        "sessions": tally.sessions,
        "sessions_hit": tally.sessions_hit,
        "reachable": tally.reachable,
        "unused": tally.unused,
        "by_class": _classes(tally),
    }


def _known(found: Backtest, tallies: Iterable[Tally | None]) -> list[tuple[Period, Tally]]:
    return [(period, tally) for period, tally in zip(found.periods, tallies, strict=True) if tally is not None]


def _sum(tallies: Iterable[Tally], what: str) -> int:
    return sum(int(getattr(tally, what)) for tally in tallies)


def _weekly(known: Sequence[tuple[Period, Tally]]) -> float:
    return 7 * sum(tally.asked for _, tally in known) / sum(period.score.days for period, _ in known)


def _percent(share: float) -> str:
    """Never rounded to 100 % where it is less."""
    if share == 1:
        return "100"
    return f"{min(100 * share, 99.99):.2f}"
