"""The sample story before and after its first 70 days are dropped: the same statuses, counts and proposals."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tightener.cli import run

ROOT = Path(__file__).parents[2]
AGENTS = ("claude-invoice-01", "claude-ops-02", "claude-report-03")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a story") / "sample logs"
    shutil.copytree(ROOT / "sample_logs", folder, ignore=shutil.ignore_patterns(".tightener", "__pycache__"))
    call(folder, "ingest")
    return folder


def call(base: Path, *words: str, code: int = 0) -> str:
    """What a command prints."""
    out, here = io.StringIO(), Path.cwd()
    os.chdir(base)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            assert run([*words]) == code
    finally:
        os.chdir(here)
    return out.getvalue()


def answer(base: Path, *words: str) -> Any:
    return json.loads(call(base, *words, "--json"))


def without_sessions(value: Any) -> Any:
    """What stays as it is: all but the number of sessions, and that days are known by their usage."""
    if isinstance(value, dict):
        return {k: without_sessions(v) for k, v in value.items() if k not in {"sessions", "usage_only_days"}}
    return [without_sessions(one) for one in value] if isinstance(value, list) else value


def questions(base: Path) -> dict[str, Any]:
    asked = [("suggest", "--no-backtest"), ("compare",)]
    found = {
        f"{name} {agent}": answer(base, name, "--agent", agent, *more) for name, *more in asked for agent in AGENTS
    }
    found["agents"] = answer(base, "agents")
    found["suggest before"] = answer(
        base, "suggest", "--agent", AGENTS[0], "--no-backtest", "--window", "40d", "--as-of", "2026-10-20"
    )
    return found


def sessions(value: Any) -> list[int]:
    """Every number of sessions, in order."""
    if isinstance(value, dict):
        return [n for k, v in value.items() for n in ([v] if k == "sessions" else sessions(v))]
    return [n for one in value for n in sessions(one)] if isinstance(value, list) else []


def test_proposals_are_the_same_when_old_events_are_gone(base: Path) -> None:
    kept = json.loads(call(base, "prune", "--json", code=1))
    assert kept["error"] == "no-keep-events"
    with (base / "tightener.yaml").open("a") as file:
        file.write("keep_events: 20\n")
    before = questions(base)
    status = answer(base, "status")
    plan = answer(base, "prune", "--dry-run")
    assert answer(base, "status") == status
    done = answer(base, "prune")
    assert {**plan, "bytes_after": done["bytes_after"], "dry_run": False} == done
    assert done["bytes_after"] > 0
    assert (done["kept_since"], done["events"], len(done["days"])) == ("2026-10-27", 2781, 70)
    after = questions(base)
    assert without_sessions(after) == without_sessions(before)
    assert after["compare claude-ops-02"]["window"]["usage_only_days"] == 70
    pairs = list(zip(sessions(before), sessions(after), strict=True))
    assert all(now <= then for then, now in pairs)
    assert sum(now for _, now in pairs) > 0.9 * sum(then for then, _ in pairs)

    first = json.loads(gzip.decompress(min((base / "gateway").glob("*.gz")).read_bytes()).splitlines()[0])
    gone = answer(base, "explain", first["id"])
    assert gone["days"] == [{"source": "gateway", "day": first["time"][:10]}]
    assert call(base, "explain", "no-such-event", code=1) == ""

    told = answer(base, "status")
    dropped, told["dropped"] = told["dropped"], None
    assert (dropped["days"], dropped["events"], dropped["last_day"]) == (70, 2781, "2026-10-26")
    assert told["usage_files"].pop("bytes") > status["usage_files"].pop("bytes") // 2
    assert told == status
    assert "70 days of the window: they were dropped" in " ".join(
        call(base, "suggest", "--agent", AGENTS[0], "--no-backtest").split()
    )
    assert call(base, "prune").startswith("nothing to drop: no event is older than 2026-10-27")
