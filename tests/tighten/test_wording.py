"""Numbers in sentences."""

from __future__ import annotations

import pytest

from tightener.tighten.wording import there_are, weekly


@pytest.mark.parametrize(
    ("number", "days", "said"),
    [(26, 90, "2"), (12, 90, ""), (28, 1, ""), (28, 13, ""), (28, 14, "14"), (30_000, 20, "10,500")],
)
def test_a_rate_is_told_where_the_days_bear_it(number: int, days: int, said: str) -> None:
    assert weekly(number, days) == said


def test_one_is_and_others_are() -> None:
    assert [there_are(n) for n in (0, 1, 1200)] == ["there are 0", "there is 1", "there are 1,200"]
