"""A worker's policy and log, made up: what the tests of the backtest share."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tightener import pipeline
from tightener.config import Config
from tightener.policy import document

FIRST = date(2026, 3, 1)
AGENT = "worker"
READ_AT = datetime(2027, 1, 1, tzinfo=UTC)
POLICY = """\
agents:
  worker:
    x-granted-since: 2025-01-01
    allow:
      - service: git
        actions: [clone, push, fetch]
        resources: ["acme/*"]
        branches: ["feature/*", "fix/*"]
      - service: tools
        actions: [read_file, send, unused_tool]
      - service: aws
        actions: ["s3:GetObject", "s3:PutObject"]
        resources: ["arn:aws:s3:::data/*"]
    require_approval:
      - service: tools
        actions: [pay]
    deny:
      - service: tools
        actions: [send]
        resources: ["to=mallory"]
"""
Line = dict[str, Any]


def lines(days: int, seed: int, late: str = "") -> Iterator[Line]:
    """A worker's log: every kind of request, some refused, some approved, one action (`late`) only from day 90 on."""
    chance = random.Random(seed)
    for day in range(days):
        moment = datetime(FIRST.year, FIRST.month, FIRST.day, 9, tzinfo=UTC) + timedelta(days=day)
        for number in range(chance.randrange(3, 7)):
            moment += timedelta(minutes=1)
            kind = chance.randrange(8)
            told: Line = {"agent": AGENT, "session": f"run-{day}", "decision": "allow", "outcome": "success"}
            if kind <= 1:
                repo = chance.choice(["acme/a", "acme/b", f"acme/new-{day // 20}"])
                told |= {"service": "git", "action": "push", "resource": repo, "branch": f"feature/{day}-{number}"}
            elif kind == 2:
                told |= {"service": "git", "action": "clone", "resource": "acme/a", "branch": "feature/base"}
            elif kind == 3:
                key = f"arn:aws:s3:::data/{chance.choice(['raw', 'done'])}/{chance.randrange(60)}.csv"
                told |= {"service": "aws", "action": "s3:GetObject", "resource": key}
            elif kind == 4:
                told |= {"service": "tools", "action": "read_file", "args": {"path": f"/docs/{chance.randrange(4)}"}}
            elif kind == 5:
                told |= {
                    "service": "tools",
                    "action": "send",
                    "args": {"to": chance.choice("abc"), "body": "hello you"},
                }
            elif kind == 6:
                yes = {"state": "approved", "by": "dana", "at": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
                told |= {"service": "tools", "action": "pay", "args": {"n": 1}}
                told |= {"decision": "require_approval", "approval": yes}
            else:
                told |= {"service": "tools", "action": "send", "args": {"to": "mallory"}}
                told |= {"decision": "deny", "outcome": "denied"}
            if late and day >= 90 and not number:
                told = {**told, "service": "git", "action": late, "resource": "acme/a", "branch": "fix/1"}
                told |= {"decision": "allow", "outcome": "success"}
                told.pop("args", None)
                told.pop("approval", None)
            yield told | {"v": 1, "id": f"{day}-{number}", "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}


def project(folder: Path, told: list[Line]) -> pipeline.Project:
    path = folder / f"log-{len(told)}-{len(list(folder.iterdir()))}.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in told), encoding="utf-8")
    found = pipeline.open_project(Config(), None)
    pipeline.read_logs(found, [str(path)], READ_AT, lambda _: None)
    return found


def policies(folder: Path, text: str = POLICY) -> document.PolicySet:
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    return document.load([folder / "policy.yaml"])


def requests(told: Line) -> list[tuple[str, str, str, str]]:
    """The requests of one line, by hand."""
    args = told.get("args")
    if args:
        return [(told["service"], told["action"], f"{k}={v}", "") for k, v in args.items()]
    return [(told["service"], told["action"], told.get("resource", ""), told.get("branch", ""))]


def legitimate(told: list[Line], first: date, last: date) -> Iterator[tuple[tuple[str, str, str, str], bool, str]]:
    for one in told:
        if one["outcome"] == "success" and first.isoformat() <= one["time"][:10] <= last.isoformat():
            for request in requests(one):
                yield request, "approval" in one, one["session"]
