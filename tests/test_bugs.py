"""The bugs that plant_bugs.py plants: each still has its place, once, and tests that are there."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_every_bug_has_its_place_and_its_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    bugs = import_module("plant_bugs").BUGS
    assert len(bugs) > 100
    assert len({bug.name for bug in bugs}) == len(bugs)
    lost = [bug.name for bug in bugs if (HERE.parent / bug.file).read_text(encoding="utf-8").count(bug.old) != 1]
    assert not lost
    tests = {word.partition("::")[0] for bug in bugs for word in bug.tests.split() if word.startswith("tests/")}
    assert not [path for path in sorted(tests) if not (HERE.parent / path).exists()]
