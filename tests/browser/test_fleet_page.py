"""The page of all agents in a real browser: the promises that only a browser can break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tightener.report.defuse import visible

pytestmark = pytest.mark.browser
Pages = Callable[[str], Path]


@contextmanager
def opened(browser: Browser, path: Path, *, width: int = 1280, scheme: str = "light", **more: bool) -> Iterator[Page]:
    """The page, offline; whatever it logs, throws or asks the network for fails the test."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        offline=True,
        **more,  # type: ignore[arg-type]
    )
    page = context.new_page()
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on(
        "request", lambda request: trouble.append(f"request: {request.url}") if request.url != path.as_uri() else None
    )
    page.goto(path.as_uri())
    yield page
    context.close()
    assert trouble == []


def column(page: Page, number: int) -> list[str]:
    """The texts of one column of the rows that are shown."""
    found: list[str] = page.evaluate(
        "n => [...document.querySelectorAll('#agents tbody tr:not([hidden])')]"
        ".map(tr => tr.cells[n].textContent.trim())",
        number,
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", ["fleet", "hostile_fleet"])
def test_axe_finds_nothing(browser: Browser, page_file: Pages, name: str, width: int, scheme: str) -> None:
    # axe is injected as a script, which the page's own policy forbids: for this run only, that policy is off.
    with opened(browser, page_file(name), width=width, scheme=scheme, bypass_csp=True) as page:
        found = Axe().run(page)
        assert found.response["violations"] == [], found.generate_report()


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("name", ["fleet", "hostile_fleet"])
def test_the_page_never_scrolls_sideways(browser: Browser, page_file: Pages, name: str, script: bool) -> None:
    with opened(browser, page_file(name), java_script_enabled=script) as page:
        for width in (1280, 1000, 768, 400, 320):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.locator("html").evaluate("node => node.scrollWidth") <= width


def test_everything_is_there_without_javascript(browser: Browser, page_file: Pages, views: ModuleType) -> None:
    with opened(browser, page_file("large_fleet"), java_script_enabled=False) as page:
        assert page.locator("#agents tbody tr").count() == 2000
        assert not page.locator("#tools").is_visible()
        assert page.locator("#agents button").count() == 0
        assert sorted(column(page, 0)) == sorted(row.found.agent for row in views.large_fleet().agents)


def test_sorting_and_filtering_by_keyboard(browser: Browser, page_file: Pages, views: ModuleType) -> None:
    view = views.fleet()
    granted = [row.found.granted for row in view.agents]
    with opened(browser, page_file("fleet")) as page:
        page.get_by_role("button", name="Granted").press("Enter")
        assert column(page, 1) == [f"{number:,}" for number in sorted(granted, reverse=True)]
        page.get_by_role("button", name="Agent").press("Enter")
        assert column(page, 0) == sorted(row.found.agent for row in view.agents)
        page.get_by_role("button", name="Risk").press("Enter")
        risks = [row.found.score for row in view.agents if row.found.score is not None]
        silent = [""] * (len(view.agents) - len(risks))
        assert column(page, 7) == [f"{risk:.1f}" for risk in sorted(risks, reverse=True)] + silent
        page.get_by_role("searchbox").focus()
        page.keyboard.type("REPORT")
        assert column(page, 0) == ["report-writer"]
        page.get_by_role("searchbox").fill("")
        page.get_by_role("combobox").select_option("f")
        assert column(page, 0) == [row.found.agent for row in view.agents if row.found.state == "failed"]


def test_hostile_names_are_seen_and_do_nothing(browser: Browser, page_file: Pages, views: ModuleType) -> None:
    with opened(browser, page_file("hostile_fleet")) as page:
        names = {" ".join(name.split()) for name in column(page, 0)}
        assert {" ".join(visible(name).split()) for name in views.HOSTILE} <= names
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 1


def test_on_paper_it_is_light_and_whole(browser: Browser, page_file: Pages) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, page_file("fleet")) as page:
        light = page.evaluate(colour)
    with opened(browser, page_file("fleet"), scheme="dark") as page:
        assert page.evaluate(colour) != light
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(colour) == light
        assert not page.locator("nav").is_visible()
        assert page.locator("#runs").is_visible()
        assert page.locator("#again details pre").first.is_visible()  # what is folded on screen is there on paper


def test_a_link_to_a_query_opens_its_fold(browser: Browser, page_file: Pages) -> None:
    with opened(browser, page_file("fleet")) as page:
        assert not page.locator("#sql-trend").is_visible()
        page.locator("a[href='#sql-trend']").first.click()
        assert page.locator("#sql-trend").is_visible()
