"""The compliance page in a real browser."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tightener.audit.changes import Change, History
from tightener.audit.compliance import (
    NUMBERS,
    STATES,
    Cadence,
    Compliance,
    Finding,
    Number,
    Subject,
    controls,
)
from tightener.audit.shown import page
from tightener.decided import Decision, State
from tightener.model import Window

pytestmark = pytest.mark.browser
HOSTILE = "</title></td><script>document.title='owned'</script>\u202e" + "x" * 300
AGENTS = ("claude-ops-02", HOSTILE, "an agent with a space")


def sample() -> Compliance:
    """Three agents, one of each state, with hostile names wherever a name goes."""
    findings = [
        Finding(
            agent,
            one.framework,
            one.control,
            state,
            tuple(Number(n, *NUMBERS[n], {"clear": 0, "open": 1234}.get(state)) for n in one.numbers),
            HOSTILE if state == "cannot tell" else "",
        )
        for agent, state in zip(AGENTS, STATES, strict=True)
        for one in controls()
    ]
    change = Change(
        *("policy.yaml", "5feeeb9a66fcb3da4c8457f0d3c805f43b26bb5d", date(2026, 11, 2), HOSTILE, (HOSTILE,)),
        *((HOSTILE,), (HOSTILE,), (HOSTILE,), HOSTILE),
        sealed=True,
        second_person=True,
        unknown=HOSTILE,
    )
    bare = Change(
        "policy.yaml",
        "a" * 40,
        date(2026, 11, 1),
        "",
        (),
        (),
        (),
        (),
        "",
        sealed=False,
        second_person=False,
        unknown="x",
    )
    return Compliance(
        tool_version="1.0",
        window=Window(date(2026, 8, 18), date(2026, 11, 15)),
        asked=(HOSTILE,),
        logs=3,
        logs_digest="a" * 64,
        controls=controls(),
        subjects=tuple(Subject(one, HOSTILE, "b" * 64, 3, {"too_new": 3}, "") for one in AGENTS),
        findings=tuple(findings),
        cadence=Cadence(date(2026, 11, 2), None, 2, 1),
        histories=(History(HOSTILE, (change, bare), (HOSTILE,)), History("none.yaml", (), ("not known",))),
        exceptions=tuple(
            Decision("exception", HOSTILE, HOSTILE, HOSTILE, HOSTILE, date(2026, 11, 15), one) for one in State
        ),
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "compliance.html"
    path.write_text(page(sample()), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing_and_nothing_moves(browser: Browser, file: Path, width: int, scheme: str) -> None:
    # axe is injected as a script, which the page's own policy forbids: for this run only, that policy is off.
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        offline=True,
        bypass_csp=True,
    )
    shown = context.new_page()
    shown.goto(file.as_uri())
    found = Axe().run(shown)
    assert found.response["violations"] == [], found.generate_report()
    assert shown.title() == "Compliance: what was checked"
    assert shown.locator("html").evaluate("node => node.scrollWidth") <= width
    context.close()


def test_without_javascript_all_is_there_and_asks_nothing(browser: Browser, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    shown = context.new_page()
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert shown.locator("script").count() == 0
    assert shown.locator(".compliance tbody tr").count() == len(controls()) * len(AGENTS)
    links = shown.locator("main a, nav a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    ids = set(shown.locator("[id]").evaluate_all("all => all.map(one => '#' + one.id)"))
    assert len(links) > 20
    assert set(links) <= ids
    context.close()
