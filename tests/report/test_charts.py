"""The pictures say what the numbers say: widths and heights are measured and compared with a naive count."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import date, timedelta
from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st

from tightener.report import charts
from tightener.report.view import STATUSES

FIRST = date(2026, 1, 1)


def _rects(svg: str) -> list[dict[str, str]]:
    root = ET.fromstring(svg)
    assert root[0].tag == "title"
    assert root[0].text
    assert root[1].tag == "desc"
    assert root[1].text
    return [dict(node.attrib) for node in root[2:]]


@given(st.lists(st.integers(0, 5000), min_size=5, max_size=5), st.integers(0, 3000))
def test_a_stacked_bar_is_as_wide_as_its_counts(counts: list[int], extra: int) -> None:
    tally = charts.Tally("x", tuple(counts))
    scale = max(tally.total + extra, 1)
    rects = _rects(charts.stacked(tally, title="t", scale=scale))
    assert [rect["class"] for rect in rects] == [s for s, count in zip(STATUSES, counts, strict=True) if count]
    for rect in rects:
        exact = counts[STATUSES.index(rect["class"])] * charts.WIDTH / scale
        assert abs(int(rect["width"]) - exact) <= 4.5  # rounding and the gap
        assert 0 <= int(rect["x"]) <= charts.WIDTH


@given(st.dictionaries(st.integers(0, 119), st.integers(0, 10**6), max_size=40), st.integers(120, 400))
def test_a_column_for_each_day_with_use(uses: dict[int, int], length: int) -> None:
    usage = [(FIRST + timedelta(day), count) for day, count in sorted(uses.items())]
    rects = _rects(charts.days(usage, FIRST, FIRST + timedelta(length - 1), {}))
    busy = [day for day, count in sorted(uses.items()) if count]
    assert [int(rect["x"]) * length // charts.WIDTH for rect in rects] == [
        (day * charts.WIDTH // length) * length // charts.WIDTH for day in busy
    ]
    for day, rect in zip(busy, rects, strict=True):
        height = int(rect["height"])
        assert height + int(rect["y"]) == charts.HEIGHT
        assert abs(height - uses[day] * charts.HEIGHT / max(uses.values())) <= 2


@given(st.text("fpn", min_size=1, max_size=400))
def test_a_strip_covers_every_day_with_its_own_kind(per_day: str) -> None:
    rects = _rects(charts.strip("log", per_day))
    for day, letter in enumerate(per_day):
        middle = (day + 0.5) * charts.WIDTH / len(per_day)
        assert [r["class"] for r in rects if int(r["x"]) <= middle < int(r["x"]) + int(r["width"])] == [letter]


def test_tallies_are_a_naive_count(views: ModuleType) -> None:
    grants = views.lifelike().grants
    for tally in charts.by_service(grants):
        for status, count in zip(STATUSES, tally.counts, strict=True):
            mine = [g for g in grants if g.service == tally.name and g.status == status and g.effect != "deny"]
            assert count == len(mine)
    assert sum(tally.total for tally in charts.by_service(grants)) == charts.tally("all", grants).total == 15


def test_a_hostile_source_stays_text() -> None:
    svg = charts.strip("</title><script>\x1b", "f")
    assert "<script" not in svg
    assert ET.fromstring(svg)[0].text == "Days read of </title><script>\\x1b"


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_trade_off_is_as_long_as_its_shares(refused: float, unused: float) -> None:
    rects = {rect["class"]: rect for rect in _rects(charts.trade(refused, unused, title="t"))}
    assert set(rects) == {kind for kind, share in (("n", refused), ("unobservable", unused)) if share}
    for kind, share in (("n", refused), ("unobservable", unused)):
        if share:  # however small, it is seen
            assert abs(int(rects[kind]["width"]) - max(share * charts.WIDTH, 2)) <= 0.5
    if len(rects) == 2:
        assert int(rects["n"]["y"]) + int(rects["n"]["height"]) < int(rects["unobservable"]["y"])
