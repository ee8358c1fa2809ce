"""Finds queries/, reports/, schemas/, starter/, docs/: in a checkout beside the package, in a wheel inside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def folder(name: str) -> Path:
    """One of these folders, by its name. Raises FileNotFoundError when the installation is incomplete."""
    for base in (_PACKAGE, _PACKAGE.parent):
        if (base / name).is_dir():
            return base / name
    raise FileNotFoundError(f"tightener is installed without its folder {name}/")


@cache
def query(name: str) -> str:
    """The text of queries/NAME.sql."""
    return (folder("queries") / f"{name}.sql").read_text(encoding="utf-8")


def query_names() -> list[str]:
    """The names of all queries, sorted."""
    return sorted(path.stem for path in folder("queries").glob("*.sql"))


SCHEMAS = ("policy", "config")


@cache
def schema(name: str) -> str:
    """The text of the JSON Schema of a policy file (`policy`) or of tightener.yaml (`config`)."""
    return (folder("schemas") / f"{name}.schema.json").read_text(encoding="utf-8")
