"""A view refuses what no page could show truthfully."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import ModuleType

import pytest

from tightener.report.view import CoverageRow, Totals


def test_days_of_a_source_have_to_add_up() -> None:
    assert CoverageRow("a", 2, 1, 0, "fpf").per_day == "fpf"
    with pytest.raises(ValueError, match="do not add up"):
        CoverageRow("a", 3, 0, 0, "fpf")
    with pytest.raises(ValueError, match="do not add up"):
        CoverageRow("a", 1, 0, 0, "fx")


def test_words_outside_the_lists_are_refused(views: ModuleType) -> None:
    view = views.lifelike()
    with pytest.raises(ValueError, match="status"):
        replace(view.grants[0], status="unused")
    with pytest.raises(ValueError, match="effect"):
        replace(view.grants[0], effect="permit")
    with pytest.raises(ValueError, match="verdict"):
        replace(view, verdict="maybe")
    with pytest.raises(ValueError, match="before it begins"):
        replace(view, window_last=date(2020, 1, 1))


@pytest.mark.parametrize(
    ("totals", "adds_up"),
    [
        (Totals(10, 4, 3, 2, 1, 4), True),
        (Totals(0, 0, 0, 0, 0, 0), True),
        (Totals(11, 4, 3, 2, 1, 0), False),
        (Totals(10, 4, 3, 2, 1, 5), False),
    ],
)
def test_the_reconciling_sum(totals: Totals, adds_up: bool) -> None:
    assert totals.adds_up is adds_up
