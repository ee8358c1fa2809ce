"""Page, CSV and JSON of the same object agree, cell by cell, whatever they hold; and the page keeps its promises."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightener import fleet
from tightener.report import fleet_page, html, tables
from tightener.report.defuse import visible
from tightener.report.fleet import AGENTS, KINDS, RUNS, agents_table, runs_table
from tightener.report.html import Beside
from tightener.report.tables import Column, Table, csv_text
from tightener.report.view import GrantRow

FLEETS = ("fleet", "hostile_fleet")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Cells(HTMLParser):
    """The cells of one table of a page, by its id; end tags may be missing, as HTML has it."""

    def __init__(self, text: str, table: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._table, self._in, self._body = table, False, False
        self.feed(text)
        self.close()
        self.rows = [[" ".join(cell.split()) for cell in row] for row in self.rows]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._in = dict(attrs).get("id") == self._table
        if self._in and tag == "tbody":
            self._body = True
        if self._in and self._body and tag == "tr":
            self.rows.append([])
        if self._in and self._body and tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"table", "tbody"}:
            self._body = False

    def handle_data(self, data: str) -> None:
        if self._in and self._body and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def squeezed(text: str) -> str:
    return " ".join(visible(text).split())


def of_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def on_page(value: Any) -> str:
    """What a page should show for a JSON value."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else squeezed(value)


def in_csv(value: Any) -> str:
    """What a CSV reader should get for a JSON value."""
    if value is None:
        return ""
    if isinstance(value, list):
        first, *others = [*map(visible, value)] or [""]
        return "\n".join(["'" * (value[:1] != [] and value[0].startswith(FORMULA)) + first, *others])
    if isinstance(value, str):
        return "'" * value.startswith(FORMULA) + visible(value)
    return str(value)


@pytest.mark.parametrize("name", FLEETS)
def test_the_fleets_three_agree(views: ModuleType, name: str) -> None:
    view = getattr(views, name)()
    document = json.loads(json.dumps(fleet_page.document(view)))
    page = fleet_page.render(view)
    for table, shown, columns, records in (
        (agents_table(view), Cells(page, "agents").rows, AGENTS, document["agents"]),
        (runs_table(view), Cells(page, "runs").rows, RUNS, document["runs"]),
    ):
        read = of_csv(csv_text(table))
        assert len(shown) == len(read) == len(records) == len(table.rows) > 0
        for cells, row, record in zip(shown, read, records, strict=True):
            assert list(row) == [column.key for column in columns]
            assert cells == [on_page(record[column.key]) for column in columns]
            assert list(row.values()) == [in_csv(record[column.key]) for column in columns]


@pytest.mark.parametrize("name", ["lifelike", "hostile", "large"])
def test_an_agents_three_agree(views: ModuleType, name: str) -> None:
    view = getattr(views, name)()
    document = json.loads(json.dumps(fleet.document(view)))
    shown = Cells(html.render(view), "grants").rows
    read = of_csv(csv_text(tables.grants(view.grants)))
    assert len(shown) == len(read) == len(document["grants"]) == len(view.grants)
    effects = {"allow": "allow", "require_approval": "approval", "deny": "deny"}
    for cells, row, record in zip(shown, read, document["grants"], strict=True):
        assert list(row) == [field.name for field in fields(GrantRow)]
        assert row == {key: in_csv(value) for key, value in record.items()}
        assert cells[0] == effects[record["effect"]]
        assert cells[1:3] == [squeezed(record["service"]), squeezed(record["action"])]
        assert all(squeezed(one) in cells[3] for one in record["resources"][:4])
        assert all(squeezed(one) in cells[3] for one in record["branches"][:4])
        assert cells[4] == record["status"].replace("_", " ")
        assert squeezed(record["place"]).endswith(cells[5])
        assert cells[6] == f"{record['uses']:,}"
        last, evidence = [*cells[7:], "", ""][:2]
        assert last == (record["last_used"] or "")
        for said in (record["note"], record["verdict"], *record["sample_events"]):
            assert squeezed(said) in evidence


TEXTS = st.one_of(st.text(), st.builds("{}{}".format, st.sampled_from(FORMULA), st.text()))


@given(st.lists(st.tuples(TEXTS, st.integers(-9, 9), st.lists(TEXTS, max_size=3).map(tuple)), max_size=5))
def test_no_cell_of_a_csv_is_a_formula(rows: list[tuple[str, int, tuple[str, ...]]]) -> None:
    table = Table((Column("a", "A"), Column("b", "B", number=True), Column("c", "C")), tuple(rows))
    text = csv_text(table)
    read = of_csv(text)
    assert len(read) == len(rows)
    for row, (name, number, several) in zip(read, rows, strict=True):
        assert not row["a"].startswith(FORMULA)
        assert not row["c"].startswith(FORMULA)
        assert row["b"] == str(number)
        assert row["a"].removeprefix("'") == visible(name).removeprefix("'") or row["a"] == visible(name)
        assert row["c"].count("\n") == max(len(several) - 1, 0)
    assert all(char.isprintable() or char == "\n" for char in text)


def test_the_runs_are_sums_over_the_agents(views: ModuleType) -> None:
    view = views.fleet()
    found = [row.found for row in view.agents]
    for kind in ("granted", *KINDS, "suggestions"):
        assert getattr(view.now, kind) == sum(getattr(one, kind) for one in found)
    assert view.now.granted == sum(getattr(view.now, kind) for kind in KINDS)
    judged = [one for one in found if one.score is not None]
    mean = sum(one.score * one.weight for one in judged) / sum(one.weight for one in judged)
    assert view.now.score == pytest.approx(mean, abs=0.05)
    assert [one.day for one in view.runs] == sorted({one.day for one in view.runs})


def test_what_changed_is_told_against_the_run_before(views: ModuleType) -> None:
    view = views.fleet()
    told = dict(zip((row.found.agent for row in view.agents), agents_table(view).rows, strict=True))
    ops = next(row for row in view.agents if row.found.agent == "ops")
    assert ops.before is not None
    assert f"granted {ops.found.granted - ops.before.granted:+}" in str(told["ops"][-1])
    assert any(
        one.startswith(f"ops: granted {ops.before.granted} → {ops.found.granted}") for one in fleet_page.changes(view)
    )
    assert str(told["silent"][-1]) == "new; why silent has no page"  # not there the week before
    assert "gone-agent: no policy names it any more" in fleet_page.changes(view)
    first = views.fleet(weeks=1)
    assert fleet_page.changes(first) == []
    assert "This is the first run that is remembered." in fleet_page.render(first)
    same = replace(
        view,
        agents=tuple(replace(row, before=row.found) for row in view.agents),
        gone=(),
    )
    assert "Nothing has changed since" in fleet_page.render(same)


def test_two_thousand_agents_fit_into_400_kb(views: ModuleType) -> None:
    view = views.large_fleet()
    page = fleet_page.render(view)
    assert len(Cells(page, "agents").rows) == 2000
    assert sum(row[-1] != "" for row in Cells(page, "agents").rows) > 1900
    assert len(page.encode()) < 400_000
    assert len(fleet_page.changes(view)) == fleet_page.MOST_CHANGES + 1


@pytest.mark.parametrize("name", FLEETS)
def test_the_page_may_run_its_own_script_and_nothing_else(views: ModuleType, name: str) -> None:
    page = fleet_page.render(getattr(views, name)())
    assert re.findall("<script[^>]*>", page) == ["<script>"]
    assert not re.search("<(img|link|iframe|object|base|embed)", page)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", page)
    for kind in ("script", "style"):
        text = page.split(f"<{kind}>")[1].split(f"</{kind}>")[0]
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in page
    links = re.findall('<a [^>]*href="?([^" >]+)', page)
    assert links
    assert all(re.fullmatch(r"#[a-z0-9_-]+|agents/[a-z0-9-]+\.html|(index|runs)\.(csv|json)", link) for link in links)


def test_every_link_within_a_page_leads_somewhere(views: ModuleType) -> None:
    names = (
        "own_event",
        "request",
        "match",
        "owner",
        "evidence",
        "values",
        "coverage",
        "usage_by_day",
        "attempt",
        "status",
    )
    view = replace(views.lifelike(), sql=tuple((name, "SELECT 1") for name in names))
    for page in (html.render(view, Beside("../index.html", "a.csv", "a.json")), fleet_page.render(views.fleet())):
        ids = set(re.findall(r'\bid="?([^" >]+)', page))
        links = set(re.findall('href="#([^"]+)"', page))
        assert links <= ids
        assert "sql-usage_by_day" in links or "trend" in links
    assert 'href="../index.html"' not in html.render(view)


def test_days_with_gaps_are_told_from_days_without_use(views: ModuleType) -> None:
    view = views.lifelike()
    page = html.render(view)
    assert page.count('<rect class="gap"') == 7  # nnnn and ppp of cloudtrail
    assert "7 of the days were not read as a whole" in page
    table = page[page.index("The same numbers, day by day") :]
    assert '<tr><td>2026-03-18<td class="n">0<td>cloudtrail missing' in table
    whole = replace(view, coverage=view.coverage[:1])
    assert '<rect class="gap"' not in html.render(whole)
