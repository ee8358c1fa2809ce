"""The report in a real browser: the promises that only a browser can break."""

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
ACTIONS = (
    "[...document.querySelectorAll('#grants tbody tr:not([hidden]) td:nth-child(3)')].map(td => td.textContent.trim())"
)
USES = "[...document.querySelectorAll('#grants tbody tr td:nth-child(7)')].map(td => td.textContent.trim())"


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", ["lifelike", "hostile", "bare"])
def test_axe_finds_nothing(browser: Browser, page_file: Pages, name: str, width: int, scheme: str) -> None:
    # axe is injected as a script, which the page's own policy forbids: for this run only, that policy is off.
    with opened(browser, page_file(name), width=width, scheme=scheme, bypass_csp=True) as page:
        found = Axe().run(page)
        assert found.response["violations"] == [], found.generate_report()


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("name", ["lifelike", "hostile", "bare"])
def test_the_page_never_scrolls_sideways(browser: Browser, page_file: Pages, name: str, script: bool) -> None:
    with opened(browser, page_file(name), java_script_enabled=script) as page:
        for width in (1280, 768, 400, 320):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.locator("html").evaluate("node => node.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 400])
def test_cells_stay_readable(browser: Browser, page_file: Pages, width: int) -> None:
    """No cell is squeezed into a column of single letters."""
    with opened(browser, page_file("lifelike"), width=width) as page:
        boxes = page.evaluate(
            "[...document.querySelectorAll('#grants td')].filter(td => td.textContent.length > 8)"
            ".map(td => [td.textContent, td.clientWidth, td.clientHeight])"
        )
        assert len(boxes) > 20
        assert [box for box in boxes if box[1] < 80 or box[2] > 160] == []


def test_everything_is_there_without_javascript(browser: Browser, page_file: Pages, views: ModuleType) -> None:
    with opened(browser, page_file("large"), java_script_enabled=False) as page:
        assert page.locator("#grants tbody tr").count() == 2000
        assert not page.locator("#tools").is_visible()
        assert page.locator("#grants button").count() == 0
        text = page.inner_text("body")
    view = views.large()
    assert view.sentence in text
    assert all(one.why in text for one in view.suggestions)
    assert all(sentence in text for sentence in view.not_seen)
    assert all(grant.action in text for grant in view.grants)


def test_sorting_by_keyboard(browser: Browser, page_file: Pages, views: ModuleType) -> None:
    grants = views.lifelike().grants
    with opened(browser, page_file("lifelike")) as page:
        button = page.get_by_role("button", name="Action")
        for _ in range(60):
            page.keyboard.press("Tab")
            if button.evaluate("node => node === document.activeElement"):
                break
        page.keyboard.press("Enter")
        assert page.evaluate(ACTIONS) == sorted((g.action for g in grants), key=str.lower)
        assert page.locator("#grants th[aria-sort]").get_attribute("aria-sort") == "ascending"
        page.keyboard.press("Space")
        assert page.evaluate(ACTIONS) == sorted((g.action for g in grants), key=str.lower, reverse=True)
        assert page.locator("#grants th[aria-sort]").get_attribute("aria-sort") == "descending"
        page.get_by_role("button", name="Uses").press("Enter")
        assert page.evaluate(USES) == [f"{n:,}" for n in sorted((g.uses for g in grants), reverse=True)]
        assert page.locator("#grants th[aria-sort]").count() == 1
        page.get_by_role("button", name="Last used").press("Enter")
        last = page.evaluate(
            "[...document.querySelectorAll('#grants tbody tr')].map(tr => tr.cells[7] ? tr.cells[7].textContent : '')"
        )
        used = sorted(str(g.last_used) for g in grants if g.last_used)
        assert last == used + [""] * (len(grants) - len(used))


def test_filtering_by_keyboard(browser: Browser, page_file: Pages, views: ModuleType) -> None:
    grants = views.lifelike().grants
    with opened(browser, page_file("lifelike")) as page:
        box = page.get_by_role("searchbox")
        box.focus()
        page.keyboard.type("S3: invoices")
        wanted = [g.action for g in grants if "s3:" in g.action and "invoices" in " ".join(g.resources)]
        assert page.evaluate(ACTIONS) == wanted
        assert page.locator("#tools output").inner_text() == f"{len(wanted)} of {len(grants)} shown"
        page.keyboard.press("Tab")
        page.keyboard.type("unex")
        wanted = [g.action for g in grants if g.action in wanted and g.status == "unexercised"]
        assert page.evaluate(ACTIONS) == wanted
        box.fill("")
        assert page.evaluate(ACTIONS) == [g.action for g in grants if g.status == "unexercised"]
        page.get_by_role("combobox").select_option("")
        assert page.evaluate(ACTIONS) == [g.action for g in grants]
        box.press("Enter")  # nothing is sent anywhere
        assert page.evaluate(ACTIONS) == [g.action for g in grants]


def test_two_thousand_rows_sort_and_filter(browser: Browser, page_file: Pages) -> None:
    with opened(browser, page_file("large")) as page:
        page.get_by_role("button", name="Status").press("Enter")
        page.get_by_role("searchbox").fill("service7:")
        assert page.locator("#grants tbody tr:not([hidden])").count() == 50


def test_hostile_text_is_seen_and_does_nothing(browser: Browser, page_file: Pages, views: ModuleType) -> None:
    with opened(browser, page_file("hostile")) as page:
        text = " ".join(page.inner_text("body").split())
        for hostile in views.HOSTILE:
            assert " ".join(visible(hostile).split()) in text
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 1
        assert page.locator("[onerror], [onmouseover]").count() == 0


def test_a_planted_script_does_not_run(browser: Browser, page_file: Pages, tmp_path: Path) -> None:
    """Even with a hole in the escaping, the page's own policy stops what comes through."""
    path = tmp_path / "planted.html"
    html = page_file("lifelike").read_text(encoding="utf-8")
    path.write_text(html.replace("<main ", "<script>document.title = 'owned'</script><main ", 1), encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.title() == "invoice-reader: granted and exercised"
    context.close()


def test_dark_and_light_differ_and_paper_is_light(browser: Browser, page_file: Pages) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, page_file("lifelike")) as page:
        light = page.evaluate(colour)
    with opened(browser, page_file("lifelike"), scheme="dark") as page:
        assert page.evaluate(colour) != light
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(colour) == light
        assert not page.locator("nav").is_visible()
        assert page.locator("#again details pre").first.is_visible()  # what is folded on screen is there on paper
