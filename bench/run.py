"""Ratios, each measured in one run against a baseline: DuckDB's bare typed load of the same files into a table.
CloudTrail with its mapping and without, and how its cost grows; with --trailscraper against that peer as well.
Then the agent benchmark, where TIGHTENER_REAL_DATA names a folder that holds its data (agents/agentdojo).

Then what generalising very many different resources takes, against looking at each of them once, and whether a growing
log makes a policy looser.

    make bench              # or: python bench/run.py [--lines N] [--records N] [--growth N,N,N] [--runs N]

Every measurement is a process of its own, so that its peak memory is its own; start-up (interpreter and imports) is not
counted, for the baseline as for us. Runs alternate, and the median of the pairwise ratios is what counts. Each run is
kept in bench/results/, and shown beside the last one with the same options.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import results

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Generates the inputs once, measures, prints a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=1_000_000, help="gateway lines")
    options.add_argument("--records", type=int, default=400_000, help="CloudTrail records")
    options.add_argument("--growth", default="100000,1000000", help="CloudTrail records, several numbers of them")
    options.add_argument("--trailscraper", help="its program, in an environment of its own: read a quarter as well")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--own", type=int, default=1_000_000, help="lines of one agent, no two on the same resource")
    options.add_argument("--resources", type=int, default=10_000_000, help="different resources of one agent")
    options.add_argument("--events", type=int, default=1_000_000, help="of the log that grows")
    asked = options.parse_args()
    before = results.last(vars(asked))
    figures = []
    with tempfile.TemporaryDirectory(prefix="tightener-bench-") as folder:
        base = Path(folder)
        lines, trail, own = base / "gateway.jsonl", base / "trail", base / "own.jsonl"
        _generate("gateway", asked.lines, lines)
        _generate("cloudtrail", asked.records, trail)
        _generate("distinct", asked.own, own)
        for what, baseline, theirs, ours, source in (
            (f"{asked.lines:,} gateway lines -> printed diff", "typed load", "load_gateway", "suggest", lines),
            (
                f"{asked.records:,} CloudTrail records -> database",
                "typed read_json",
                "load_cloudtrail",
                "ingest",
                trail,
            ),
            (
                f"{asked.records:,} CloudTrail records -> database, without the mapping",
                "typed read_json",
                "load_cloudtrail",
                "ingest_unmapped",
                trail,
            ),
            (
                f"{asked.own:,} different resources, logged -> usage and diff",
                "typed load",
                "load_gateway",
                "whole",
                own,
            ),
        ):
            pairs = [(_measure(theirs, source), _measure(ours, source)) for _ in range(asked.runs)]
            figures.append(_told(results.figure(what, f"DuckDB's bare {baseline} into a table", pairs), before))
        figures += _grown([int(number) for number in asked.growth.split(",")], base, before)
        if asked.trailscraper:
            figures.append(_peer(asked.trailscraper, asked.records // 4, base, before))
    figures += _distinct(asked.resources, before)
    print("\na log that grows, from a thousandth to the whole")
    print("\n".join(f"  {line}" for line in _said("grow", asked.events)), flush=True)
    _agents()
    print(f"\nkept in {results.keep(vars(asked), figures)}")


def _told(found: dict[str, Any], before: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    print("\n" + results.shown(found, before.get(found["what"])), flush=True)
    return found


def _grown(numbers: Sequence[int], base: Path, before: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """More and more records, to see that time is linear in them and memory is not."""
    found = []
    for number in numbers:
        trail = base / "grown"
        _generate("cloudtrail", number, trail)
        pair = _measure("load_cloudtrail", trail), _measure("usage", trail)
        what = f"{number:,} CloudTrail records -> database and usage files"
        found.append(_told(results.figure(what, "DuckDB's bare typed read_json into a table", [pair]), before))
        shutil.rmtree(trail)
    return found


def _peer(program: str, number: int, base: Path, before: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """trailscraper's two steps on the same files: `select` reads them, `generate` makes a policy of what it prints."""
    trail, read = base / "peer", base / "selected.json"
    _generate("cloudtrail", number, trail)
    select = [program, "select", "--log-dir", str(trail), "--from", "2020-01-01", "--to", "now"]
    started = time.perf_counter()
    with read.open("wb") as out:
        subprocess.run(select, check=True, stdout=out)
    with read.open("rb") as text:
        subprocess.run([program, "generate"], check=True, stdin=text, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of the largest child so far: at most that
    pair = {"seconds": seconds, "peak_mb": peak}, _measure("ingest", trail)
    theirs, ours = (number / one["seconds"] for one in pair)
    print(f"\n{theirs:,.0f} records a second read by trailscraper, {ours:,.0f} by tightener")
    return _told(results.figure(f"{number:,} CloudTrail records", "trailscraper's select and generate", [pair]), before)


def _distinct(number: int, before: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A hundredth, a tenth and the whole, to see that it is linear and that memory does not grow with it."""
    found = []
    for some in (number // 100, number // 10, number):
        pair = _measure("walk", Path(str(some))), _measure("generalise", Path(str(some)))
        found.append(
            _told(results.figure(f"{some:,} different resources -> patterns", "looking at each", [pair]), before)
        )
    return found


def _said(job: str, number: int) -> list[str]:
    command = [sys.executable, str(HERE / "job.py"), job, str(number), "."]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[:-1]


def _agents() -> None:
    """Who is stopped and who is not, by policies mined from benign runs (docs/backtest.md)."""
    real = os.environ.get("TIGHTENER_REAL_DATA")
    folder = Path(real or "") / "agents" / "agentdojo"
    if not real or not folder.is_dir():
        print("\nagent benchmark: left out, TIGHTENER_REAL_DATA names no folder with agents/agentdojo in it")
        return
    print(f"\nagent benchmark on {folder}", flush=True)
    subprocess.run([sys.executable, "-m", "tightener.cli", "bench", "agentdojo", str(folder)], check=True)


def _generate(kind: str, number: int, target: Path) -> None:
    print(f"generating {number:,} {kind} records ...", flush=True)
    subprocess.run([sys.executable, str(HERE / "generate.py"), kind, str(number), str(target)], check=True)


def _measure(job: str, source: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="tightener-bench-") as folder:
        done = subprocess.run(
            [sys.executable, str(HERE / "job.py"), job, str(source), folder], check=True, capture_output=True, text=True
        )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


if __name__ == "__main__":
    main()
