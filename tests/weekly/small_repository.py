"""A repository with policies that are too wide and a log, for runs that must not take long."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from repository import call, git


def committed(base: Path) -> Path:
    (base / ".gitignore").write_text(".tightener/\nlogs/\ngateway/\nAWSLogs/\n")
    git(base, "init", "-q", "-b", "main")
    git(base, "config", "user.email", "dana@acme.example")
    git(base, "config", "user.name", "Dana")
    git(base, "add", "--all")
    git(base, "commit", "-q", "-m", "the policy")
    return base


def line(agent: str, at: datetime, number: int, **more: str) -> str:
    said = {
        "v": 1, "id": f"{agent}-{number}", "time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "agent": agent, "session": "s",
        "service": "git", "action": "clone", "resource": "acme/a", "decision": "allow", "outcome": "success",
    }  # fmt: skip
    return json.dumps({**said, **more})


def small(base: Path, agents: tuple[str, ...] = ("one", "two"), days: int = 90, *, shared: bool = False) -> Path:
    """A repository with policies that are too wide, a file an agent unless they share one; a log until 2026-11-15."""
    (base / "policies").mkdir(parents=True)
    rule = "{service: git, actions: [clone, push, fetch], resources: ['acme/*']}"
    rows = [f"  {json.dumps(agent)}: {{x-granted-since: 2026-01-01, allow: [{rule}]}}\n" for agent in agents]
    for number, text in enumerate(["".join(rows)] if shared else rows):
        (base / "policies" / f"{number}.yaml").write_text(f"agents:\n{text}", encoding="utf-8")
    (base / "tightener.yaml").write_text("policy: policies\nlogs: logs\npublish:\n")
    write_days(base, agents, date(2026, 11, 16) - timedelta(days=days), days)
    return committed(base)


def write_days(base: Path, agents: tuple[str, ...], first: date, days: int) -> None:
    """Lines of these days, in six files."""
    (base / "logs").mkdir(exist_ok=True)
    for number in range(days):
        at = datetime(first.year, first.month, first.day, 9, tzinfo=UTC) + timedelta(days=number)
        text = "".join(line(agent, at, at.toordinal()) + "\n" for agent in agents)
        with (base / "logs" / f"{first}-{number % 6}.jsonl").open("a", encoding="utf-8") as out:
            out.write(text)
    for one in (base / "logs").iterdir():
        os.utime(one, (1, 1))


def everything(base: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and the moment of its last change, Git's own store included."""
    return {
        p.relative_to(base).as_posix(): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in base.rglob("*") if p.is_file() and p.name != "index"
    }  # fmt: skip


def answer(base: Path, *words: str) -> tuple[int, dict[str, Any]]:
    code, out, err = call(base, "run", "--json", "--no-progress", *words)
    found = json.loads(out)
    assert found["exit_code"] == code
    assert err.rstrip("\n").rpartition("\n")[2] == found["summary"]
    return code, found


def outcomes(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["agent"]: one["outcome"] for one in found["agents"]}
