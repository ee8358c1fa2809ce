"""What a run of the benchmarks found, kept as JSON beside the machine and the versions, and set against the run before.

A file of bench/results/ is one run: `{"schema", "at", "machine", "versions", "options", "figures"}`. A figure is
`{"what", "baseline", "seconds": [theirs, ours], "ratio", "lowest", "highest", "peak_mb": [theirs, ours]}`: seconds are
medians, the ratio is the median of the pairs' ratios, and the peaks are the highest resident memory of a process.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
SCHEMA = "tightener.bench/1"
PACKAGES = ("tightener", "duckdb", "pyarrow", "isal", "orjson")

Pair = tuple[Mapping[str, float], Mapping[str, float]]  # the baseline's measurement and ours


def figure(what: str, baseline: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """The figure of some pairs, each measured one after the other."""
    ratios = [ours["seconds"] / theirs["seconds"] for theirs, ours in pairs]
    return {
        "what": what,
        "baseline": baseline,
        "seconds": [round(statistics.median(pair[side]["seconds"] for pair in pairs), 3) for side in (0, 1)],
        "ratio": round(statistics.median(ratios), 3),
        "lowest": round(min(ratios), 3),
        "highest": round(max(ratios), 3),
        "peak_mb": [round(max(pair[side]["peak_mb"] for pair in pairs)) for side in (0, 1)],
    }


def shown(found: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """One figure as lines of a table, with what the run before had found of the same."""
    lines = [f"{found['what']}, against {found['baseline']}"]
    for name, side in (("baseline", 0), ("tightener", 1)):
        lines.append(f"  {name:<10} {found['seconds'][side]:8.2f} s   peak {found['peak_mb'][side]:6,.0f} MB")
    lines.append(f"  {'ratio':<10} {found['ratio']:8.2f} x   ({found['lowest']:.2f} to {found['highest']:.2f})")
    if before:
        change = found["ratio"] / before["ratio"] - 1
        # Outside of what the runs of both times span, it is no chance of the day.
        apart = found["lowest"] > before["highest"] or found["highest"] < before["lowest"]
        word = ("SLOWER" if change > 0 else "faster") if apart else "within the spread"
        lines.append(f"  {'before':<10} {before['ratio']:8.2f} x   {change:+.0%}, {word}")
    return "\n".join(lines)


def last(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of the newest run with the same options, by what they are of; empty where there was none."""
    for path in sorted(RESULTS.glob("*.json"), reverse=True):
        run = json.loads(path.read_text(encoding="utf-8"))
        if run["schema"] == SCHEMA and run["options"] == dict(options):
            return {one["what"]: one for one in run["figures"]}
    return {}


def keep(options: Mapping[str, Any], figures: Sequence[Mapping[str, Any]]) -> Path:
    """Writes a run, named by its time (UTC)."""
    now = datetime.now(UTC)
    run = {
        "schema": SCHEMA,
        "at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": _memory(),
            "system": platform.platform(),
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "options": dict(options),
        "figures": list(figures),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
    return path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
