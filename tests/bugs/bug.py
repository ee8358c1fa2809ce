"""One bug to plant: a text of one file, and what it becomes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """`old` stands in `file` exactly once."""

    name: str
    file: str
    old: str
    new: str
    tests: str  # where the test that notices is expected
