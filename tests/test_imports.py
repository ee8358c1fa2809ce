"""Imports point one way: the rule of the house, read from the syntax tree of every module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tightener"

# A module may import from its own room and from the rooms listed for it.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "resources": set(),
    "model": {"errors"},
    "redaction": set(),
    "services": {"model", "errors", "resources"},
    "policy": {"services", "model", "errors", "resources"},
    "logs": {"services", "model", "errors", "resources"},
    "tighten": {"policy", "services", "logs", "model", "errors", "resources"},
    "iam": {"policy", "services", "model", "errors", "resources"},
    "prove": {"policy", "services", "logs", "model", "errors", "resources"},
    "checked": {"errors"},
    "config": {"checked", "redaction", "policy", "services", "logs", "model", "errors", "resources"},
    "decided": {"config", "policy", "services", "model", "errors"},
    "results": {"prove", "tighten", "iam", "policy", "logs", "model", "errors"},
    "report": {
        "redaction",
        "results",
        "config",
        "decided",
        "iam",
        "prove",
        "tighten",
        "policy",
        "services",
        "logs",
        "model",
        "errors",
        "resources",
    },
    "publish": {"redaction", "report", "results", "config", "tighten", "policy", "model", "errors"},
    "composition": {"results", "prove", "tighten", "policy", "services", "model", "errors"},
    "pipeline": {
        *(
            "composition",
            "results",
            "decided",
            "config",
            "prove",
            "tighten",
            "policy",
            "services",
            "logs",
            "model",
            "errors",
            "resources",
        )
    },
    "roles": {
        *(
            "pipeline",
            "results",
            "decided",
            "config",
            "iam",
            "prove",
            "tighten",
            "policy",
            "logs",
            "model",
            "errors",
            "resources",
        )
    },
    "pulls": {
        *("backtest", "pipeline", "publish", "report", "results", "policy", "tighten", "model", "errors", "resources"),
        "merged",
    },
    "reverting": {"pulls", "pipeline", "publish", "policy", "tighten", "errors"},
    "weekly": {
        *("fleet", "shelf", "watch", "merged", "pulls", "backtest", "pipeline", "publish", "report", "results"),
        *("policy", "logs", "tighten", "errors"),
    },
    "widenings": {
        *("pulls", "pipeline", "publish", "prove", "tighten", "policy", "logs", "model", "errors"),
    },
    "broken": {"policy", "services", "logs", "model"},
    "watch": {
        *(
            "broken",
            "merged",
            "pulls",
            "pipeline",
            "publish",
            "prove",
            "tighten",
            "policy",
            "logs",
            "redaction",
            "model",
            "errors",
        ),
    },
    "shelf": {"errors"},
    "merged": {"tighten"},
    "trend": {"report", "resources"},
    "fleet": {
        *(
            "trend",
            "merged",
            "shelf",
            "backtest",
            "pipeline",
            "report",
            "results",
            "policy",
            "logs",
            "model",
            "errors",
            "resources",
        )
    },
    "jobs": {"pipeline", "results", "prove", "tighten", "policy", "logs", "errors"},
    "backtest": {
        *("pipeline", "results", "prove", "tighten", "policy", "services", "logs", "model", "errors", "resources")
    },
    "bench": {"pipeline", "results", "report", "config", "tighten", "policy", "model", "errors"},
    "audit": {
        *("pipeline", "publish", "report", "results", "config", "decided", "tighten", "policy", "services", "logs"),
        *("model", "errors", "resources"),
    },
    "api": {"pipeline", "report", "results", "config", "errors", "resources"},
    "commands": {
        "starter",
        "doctor",
        "api",
        "audit",
        "fleet",
        "pulls",
        "reverting",
        "weekly",
        "widenings",
        "watch",
        "merged",
        "publish",
        "roles",
        "jobs",
        "backtest",
        "bench",
        "pipeline",
        "report",
        "results",
        "decided",
        "config",
        "iam",
        "policy",
        "logs",
        "model",
        "errors",
        "resources",
    },
    "starter": {"config", "errors", "resources"},
    "doctor": {
        *("pipeline", "publish", "report", "results", "config", "tighten", "policy", "services", "logs", "model"),
        "errors",
    },
    "options": set(),
    "lines": {"commands", "options", "errors"},
    "cli": {"lines", "commands", "options", "errors"},
    "__init__": {"api", "errors"},
}
# policy/ may hand its patterns to logs (redaction, overlap) but never rules or documents.
PATTERNS_ONLY = {("logs", "policy"): "tightener.policy.patterns", ("services", "policy"): "tightener.policy.patterns"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def _imported(tree: ast.Module) -> list[str]:
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tightener":
            inside = node.module == "tightener" or (PACKAGE / node.module.split(".", 1)[1].replace(".", "/")).is_dir()
            found += [f"{node.module}.{name.name}" for name in node.names] if inside else [node.module]
        elif isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.startswith("tightener.")]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in ROOMS, f"{path.name} stands in no room of the house"
    for module in _imported(ast.parse(path.read_text(encoding="utf-8"))):
        target = module.split(".")[1]
        allowed = target == room or target in ROOMS[room] or module == PATTERNS_ONLY.get((room, target))
        assert allowed, f"{path.relative_to(PACKAGE)} imports {module}"


def test_the_proof_shares_no_code_with_the_tightening() -> None:
    for path in [*(PACKAGE / "prove").rglob("*.py"), PACKAGE / "policy" / "contain.py"]:
        for module in _imported(ast.parse(path.read_text(encoding="utf-8"))):
            assert module.split(".")[1] != "tighten", f"{path.name} imports {module}"


def test_files_stay_small() -> None:
    long = {p.relative_to(PACKAGE).as_posix(): n for p in MODULES if (n := len(p.read_text().splitlines())) > 450}
    assert not long, f"these files want to be two rooms: {long}"
