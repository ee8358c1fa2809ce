"""Dates in names, and whether they are those of the events' own days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightener.tighten.segments import is_sensitive
from tightener.tighten.slots import ANY, ONE, Dated, Slot, agrees, joint, opened, slot

EPOCH = date(1970, 1, 1)


def shown(found: Slot | None) -> str | None:
    return None if found is None else found.text.replace(ONE, "?").replace(ANY, "*")


@pytest.mark.parametrize(
    ("name", "above", "text", "level"),
    [
        ("2026", "", "20??", "year"),
        ("2026-09", "", "20??-??", "month"),
        ("2026_09_07", "", "20??_??_??", "day"),
        ("x-20260907.csv", "", "x-20??????.csv", "day"),
        ("20260907T101500Z", "", "20??????T??????Z", "day"),
        ("2026-Q3.csv", "", "20??-Q?.csv", "quarter"),
        ("2026q3", "", "20??q?", "quarter"),
        ("2026-W36", "", "20??-W??", "week"),
        ("september.csv", "", "*.csv", "month"),
        ("Sep-2026", "", "*-20??", "month"),
        ("year=2026", "", "year=20??", "year"),
        ("09", "year", "?", "month"),
        ("month=09", "year", "month=?", "month"),
        ("Q3.csv", "year", "Q?.csv", "quarter"),
        ("W36", "year", "W?", "week"),
        ("07", "month", "?", "day"),
        ("13", "day", "?", "hour"),
        ("00", "day", "?", "hour"),
        ("09", "", None, ""),
        ("13", "year", None, ""),
        ("00", "month", None, ""),
        ("1999", "", None, ""),
        ("12026", "", None, ""),
        ("2026-13", "", "20??-13", "year"),
        ("mayor", "", None, ""),
        ("a2026b", "", "a20??b", "year"),
    ],
)
def test_slots(name: str, above: str, text: str | None, level: str) -> None:
    found = slot(name, above)
    assert shown(found) == text
    assert found is None or found.dated.level == level


def test_a_lone_part_keeps_two_digits_only_where_a_zero_shows_that_it_has_them() -> None:
    def both(*names: str) -> str:
        return joint([found for name in names if (found := slot(name, "year"))]).replace(ONE, "?").replace(ANY, "*")

    assert both("09", "10") == "??"
    assert both("10", "11") == "*"
    assert both("9", "10") == "*"
    assert both("Q3", "Q4") == "Q?"


@given(st.dates(date(2001, 1, 2), date(2099, 12, 30)), st.integers(-400, 400))
def test_a_date_agrees_with_its_own_period_and_the_next(day: date, lag: int) -> None:
    other = day + timedelta(days=lag)
    number = (other - EPOCH).days
    assert agrees(Dated("day", day.year, day.month, day.day), number) == (abs(lag) <= 1)
    months = 12 * (other.year - day.year) + other.month - day.month
    assert agrees(Dated("month", day.year, day.month, 0), number) == (abs(months) <= 1)
    assert agrees(Dated("month", 0, day.month, 0), number) == (months % 12 in {0, 1, 11})
    quarters = 4 * (other.year - day.year) + (other.month - 1) // 3 - (day.month - 1) // 3
    assert agrees(Dated("quarter", day.year, (day.month + 2) // 3, 0), number) == (abs(quarters) <= 1)
    assert agrees(Dated("year", day.year, 0, 0), number) == (abs(other.year - day.year) <= 1)
    assert agrees(Dated("hour", 0, 5, 0), number)
    if abs(lag) <= 1:
        assert agrees(Dated("day", 0, 0, day.day), number)
        assert agrees(Dated("week", day.year, day.isocalendar().week, 0), number)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inv-88020.pdf", "inv-*.pdf"),
        ("0b9f6c1e-2d3a-4b5c-8d7e-9f0a1b2c3d4e", "*"),
        ("a/1a2b3c4d/x", "a/*/x"),
        ("app-1.20.3.tar", "app-*.tar"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "*"),
        ("20260907", "20260907"),
        ("2026/09", "2026/09"),
        ("20269999", "*"),
        ("1731024000", "*"),
        ("v2", "v2"),
        ("x999", "x999"),
        ("deadbeef", "deadbeef"),
        ("invoice", "invoice"),
    ],
)
def test_ids(text: str, expected: str) -> None:
    assert opened([text, "other"])[0].replace(ANY, "*") == expected


def test_sensitive_segments() -> None:
    for name in (
        "secrets",
        "Secret.txt",
        "aws-credentials.json",
        "prod.env",
        ".env",
        "id_rsa",
        "hr",
        "payroll-2026",
        "prod",
    ):
        assert is_sensitive("resource", name), name
    for name in ("keyboard", "monkey.png", "product", "hrefs", "main", "raw", "environment"):
        assert not is_sensitive("resource", name), name
    assert is_sensitive("branch", "main")
    assert is_sensitive("branch", "release")
