from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser, sync_playwright

from tightener.report import fleet_page
from tightener.report.fleet import FleetView
from tightener.report.html import render

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def views() -> ModuleType:
    """The made-up views of tests/report."""
    path = Path(__file__).parent.parent / "report" / "sample_view.py"
    spec = importlib.util.spec_from_file_location("sample_view", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without the network. On CI a missing browser is a failure, elsewhere a reason to skip."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"no Chromium: none of {', '.join(NAMES)} is on the PATH"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=ARGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def page_file(views: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes the page of one of the views (by its name) and gives its path."""
    folder = tmp_path_factory.mktemp("pages")

    def write(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            view = getattr(views, name)()
            text = fleet_page.render(view) if isinstance(view, FleetView) else render(view)
            path.write_text(text, encoding="utf-8")
        return path

    return write
