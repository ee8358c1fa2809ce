"""What a suggestion makes of commands: listed, or opened behind their program where new words keep coming."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tightener import pipeline
from tightener.config import Config
from tightener.policy import document
from tightener.policy.patterns import matches

POLICY = """agents:
  a:
    x-granted-since: 2026-01-01
    allow:
      - service: tools
        actions: [bash]
        resources: [{granted}]
"""
TRAPS = (
    "git status; rm -rf /",
    "git status --output=/etc/passwd",
    "command=git status > /etc/passwd",
    "command=git log > log.txt; rm -rf /",
    "command=git log > log.txt.sh",
    "git log --format=x --output=/etc/passwd",
    "ls -la /srv/jobs/1",
    "command=ls -l /srv/jobs/1; rm -rf /",
    "sql=drop table x",
)


def proposed(tmp_path: Path, granted: str, *texts: str) -> list[str]:
    """The resources of the rules that tightener proposes."""
    (tmp_path / "policy.yaml").write_text(POLICY.format(granted=granted))
    lines = []
    for day in range(90):
        moment = f"{date(2026, 6, 1) + timedelta(days=day)}T06:00:00Z"
        for number, text in enumerate(texts):
            call = {"time": moment, "agent": "a", "session": f"s{day}", "service": "tools", "action": "bash"}
            given = {"id": f"{day}-{number}", "args": {"command": text.replace("DAY", str(day))}}
            lines.append(json.dumps(call | given | {"decision": "allow", "outcome": "success"}))
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")
    project = pipeline.open_project(Config(), None)
    pipeline.read_logs(project, [str(tmp_path / "log.jsonl")], datetime(2026, 8, 30, tzinfo=UTC), lambda _: None)
    study = pipeline.study(project, document.load([tmp_path / "policy.yaml"]), "a")
    text = pipeline.propose(project, study).text
    project.con.close()
    (tmp_path / "policy.yaml").write_text(text)
    agent = document.load([tmp_path / "policy.yaml"]).agents["a"]
    return [one for rule in agent.rules for one in rule.body.resources or ["*"]]


@pytest.mark.parametrize(
    ("granted", "texts", "found"),
    [
        ('"*"', ["git status", "git log --format="], ["git log --format=", "git status"]),
        ('"*"', ["git status", "git log > log.txt"], ["command=git log > log.txt", "git status"]),
        ('"*"', ["git status && git push"], ["git push", "git status"]),
        ('"git *"', ["git status", "git commit -m 'a; b'"], ["git commit -m 'a; b'", "git status"]),
        ('"git *", "ls *"', ["git status", "ls -l /srv/jobs/DAY"], ["git status", "ls -l /srv/jobs/*"]),
    ],
)
def test_commands_are_listed(tmp_path: Path, granted: str, texts: list[str], found: list[str]) -> None:
    patterns = proposed(tmp_path, granted, *texts)
    assert sorted(patterns) == found
    for trap in TRAPS:
        assert not any(matches(pattern, trap) for pattern in patterns), trap


def test_a_word_that_is_not_known_keeps_the_grant(tmp_path: Path) -> None:
    assert proposed(tmp_path, '"git push *"', "git push origin main", 'git push origin "$BRANCH"') == ["git push *"]
