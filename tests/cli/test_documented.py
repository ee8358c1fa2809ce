"""Every command, option, error slug and query is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from tightener.cli import app

ROOT = Path(__file__).parents[2]
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
PARSER = typer.main.get_command(app)


@pytest.mark.parametrize("name", sorted(PARSER.commands))
def test_every_command_and_option_is_documented(name: str) -> None:
    assert f"\n## {name}\n" in COMMANDS
    for parameter in PARSER.commands[name].params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert f"`{option}" in COMMANDS or f" {option}" in COMMANDS or f"[{option}" in COMMANDS, option
        assert getattr(parameter, "help", None), f"{name} {parameter.name} has no help text"


def test_global_options_are_documented() -> None:
    for parameter in PARSER.params:
        assert f"`{parameter.opts[0]}" in COMMANDS


def _slugs() -> list[str]:
    found = set()
    for path in (ROOT / "tightener").rglob("*.py"):
        found |= set(re.findall(r'slug="([a-z0-9-]+)"', path.read_text(encoding="utf-8")))
    return sorted(found)


@pytest.mark.parametrize("slug", _slugs())
def test_every_error_has_a_page(slug: str) -> None:
    assert f"\n## {slug}\n" in ERRORS


@pytest.mark.parametrize("path", sorted((ROOT / "queries").glob("*.sql")), ids=lambda p: p.stem)
def test_every_query_says_what_it_answers(path: Path) -> None:
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    for word in ("-- question:", "-- grain:", "-- inputs:", "-- parameters:"):
        assert word in head or path.stem == "schema", f"{path.name} lacks {word}"
