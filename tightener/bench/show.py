"""What people and programs read of the agent benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tightener.bench.agentdojo import Data
from tightener.bench.score import MEASURES, RESAMPLES, Row, Share
from tightener.report.terminal import Printer
from tightener.tighten.wording import count

_HEADINGS = {
    "stopped": "stopped",
    "attacks_stopped": "attacks",
    "allowed": "allowed",
    "runs_allowed": "runs",
    "others_allowed": "others",
    "left": "left",
}


def document(data: Data, rows: Sequence[Row]) -> dict[str, Any]:
    """The answer of `tightener bench agentdojo --json`. Shares are between 0 and 1."""
    return {
        "schema": "tightener.bench.agentdojo/1",
        "runs": len(data.runs),
        "calls": len(data.calls),
        "measures": MEASURES,
        "resamples": RESAMPLES,
        "rows": [
            {
                "setting": row.setting.title,
                "policy": row.policy,
                **{key: _share(row.measures[key]) for key in MEASURES},
                "stopped_by_suite": {suite: _share(share) for suite, share in row.by_suite.items()},
            }
            for row in rows
        ],
    }


def words(out: Printer, data: Data, rows: Sequence[Row]) -> None:
    """`tightener bench agentdojo`: a table a setting, each share with its interval below it."""
    benign = sum(not run.attacked for run in data.runs)
    out.line(f"{count(benign, 'benign run')}, {count(len(data.runs) - benign, 'attacked run')}")
    out.line(f"per cent, and below it the middle 95 % of {RESAMPLES:,} resamplings of the tasks")
    for title in dict.fromkeys(row.setting.title for row in rows):
        out.line()
        out.line(title, style="bold")
        own = [row for row in rows if row.setting.title == title]
        cells = [(row.policy, *(_cell(row.measures[key]) for key in _HEADINGS)) for row in own]
        out.table(("policy", *_HEADINGS.values()), cells)
    out.line()
    for key, heading in _HEADINGS.items():
        out.line(f"{heading}: {MEASURES[key]}")


def _cell(share: Share) -> str:
    if not share.whole:
        return "-"
    return f"{100 * share.value:.1f}\n{100 * share.low:.0f}-{100 * share.high:.0f}"


def _share(share: Share) -> dict[str, Any]:
    return {
        "share": share.value if share.whole else None,
        "part": share.part,
        "whole": share.whole,
        "interval": [share.low, share.high],
    }
