"""The benchmarks' figures: medians of pairs, and what is called slower than the run before."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def results(tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_results", ROOT / "bench" / "results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.RESULTS = tmp_path / "results"
    return module


def pairs(*ratios: float) -> list[tuple[dict[str, float], dict[str, float]]]:
    return [
        ({"seconds": 2.0, "peak_mb": 100 + n}, {"seconds": 2.0 * r, "peak_mb": 200 - n}) for n, r in enumerate(ratios)
    ]


def test_a_figure_is_the_median_of_the_pairs(results: ModuleType) -> None:
    found = results.figure("reading", "bare", pairs(1.5, 1.1, 1.2))
    assert (found["ratio"], found["lowest"], found["highest"]) == (1.2, 1.1, 1.5)
    assert found["seconds"] == [2.0, 2.4]
    assert found["peak_mb"] == [102, 200]  # the highest of each side


@pytest.mark.parametrize(
    ("now", "word"),
    [((1.6, 1.7, 1.8), "SLOWER"), ((0.9, 0.8, 1.0), "faster"), ((1.3, 1.4, 1.5), "within the spread")],
)
def test_a_change_counts_when_the_runs_do_not_overlap(results: ModuleType, now: tuple[float, ...], word: str) -> None:
    before = results.figure("reading", "bare", pairs(1.1, 1.2, 1.35))
    assert results.shown(results.figure("reading", "bare", pairs(*now)), before).endswith(word)


def test_the_last_run_with_the_same_options_is_found(results: ModuleType) -> None:
    assert results.last({"runs": 3}) == {}
    kept = results.keep({"runs": 3}, [results.figure("reading", "bare", pairs(1.25))])
    for name, options, what in (
        ("2000-01-01T000000Z.json", {"runs": 3}, "an older one"),
        ("2999-01-01T000000Z.json", {"runs": 1}, "other options"),
    ):
        run = json.loads(kept.read_text()) | {"options": options, "figures": [{"what": what}]}
        (kept.parent / name).write_text(json.dumps(run))
    assert results.last({"runs": 3})["reading"]["ratio"] == 1.25
    run = json.loads(kept.read_text())
    assert run["machine"]["cores"] >= 1
    assert {"duckdb", "python"} <= run["versions"].keys()
