"""The README shows what the program really prints."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_in_the_readme_is_the_gold_output() -> None:
    gold = (ROOT / "tests" / "gold" / "suggest-claude-invoice-01.txt").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split("```text\n", 1)[1].split("\n```\n", 1)[0]
    assert [line.rstrip() for line in shown.splitlines()] == [line.rstrip() for line in gold.rstrip().splitlines()]
