"""Least privilege for AI agents from what they really did. As a library: `tightener.open(db).usage(agent).df()`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tightener.api import Database


def open(path: str | Path, config: str | Path | None = None) -> Database:  # noqa: A001 - tightener.open reads as it should
    """Opens a database file that `tightener ingest` made. Raises TightenerError when there is none."""
    from tightener import api  # noqa: PLC0415 - a part of the package must be importable without all of it

    return api.open_database(path, config)


__all__ = ["open"]
