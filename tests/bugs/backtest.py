"""Bugs to plant in the backtest and the reports."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "hostile text reaches the terminal",
        "tightener/report/terminal.py",
        "        self._out.print(Text(terminal(text)), style=style)",
        "        self._out.print(Text(text), style=style)",
        "tests/report/test_terminal.py",
    ),
    Bug(
        "a backtest learns from what was logged later",
        "queries/known_until.sql",
        "WHERE time < getvariable('known_until')",
        "WHERE time < getvariable('known_until') + INTERVAL 20 DAY",
        "tests/backtest/test_rolling.py",
    ),
    Bug(
        "a backtest counts as refused what moves to approval",
        "tightener/backtest/rolling.py",
        "new is Level.REFUSED < old",
        "new < old",
        "tests/backtest/test_rolling.py",
    ),
    Bug(
        "a backtest counts an action under the class of its approval alone",
        "tightener/backtest/ways.py",
        "found[of] = max(found.get(of, kind), kind, key=_ORDER.index)\n        return found",
        "found[of] = kind\n        return found",
        "tests/backtest/test_foretold.py",
    ),
    Bug(
        "a forecast is held against days that were never logged",
        "tightener/backtest/rolling.py",
        "if after > last + timedelta(days=1):",
        "if after > last + timedelta(days=90):",
        "tests/backtest/test_foretold.py",
    ),
)
