"""The commands that write what is passed on, over a log with a secret in every argument."""

from __future__ import annotations

import contextlib
import html
import io
import json
import os
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest

from tightener.cli import run
from tightener.redaction import digest

DAYS = 91  # enough for a removal
POLICY = """agents:
  bot:
    x-granted-since: 2025-01-01
    allow:
      - {service: tools, actions: [mail, look, pay, bash]}
      - {service: git, actions: [push], resources: ["acme/*"]}
"""
OWED, REFUSED, COMMAND = "QzOWEDvX", "QzREFUSEDvX", "QzCOMMANDvX"


def event(number: int, day: int, action: str, args: dict[str, str], decision: str = "allow") -> str:
    said = {"v": 1, "id": f"e{number}", "time": f"{date(2026, 8, 1) + timedelta(days=day)}T09:{number % 60:02}:00Z"}
    said |= {"agent": "bot", "session": f"s{day}", "service": "tools", "action": action, "args": args}
    return json.dumps({**said, "decision": decision, "outcome": "success" if decision == "allow" else "error"})


def call(base: Path, *words: str) -> tuple[int, str]:
    out = io.StringIO()
    here = Path.cwd()
    os.chdir(base)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = run(["--no-progress", *words])
    finally:
        os.chdir(here)
    return code, out.getvalue()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("outgoing")
    lines = []
    for day in range(DAYS):
        lines.append(event(3 * day, day, "mail", {"to": "a@x.example", "text": f"you owe {OWED} {day} euros"}))
        lines.append(event(3 * day + 1, day, "bash", {"command": f"echo {COMMAND}{day} | grep x"}))
        lines.append(event(3 * day + 2, day, "pay", {"iban": f"{REFUSED}{day}"}, "deny"))
    (base / "gateway.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (base / "policy.yaml").write_text(POLICY, encoding="utf-8")
    settings(base, "")
    for words in (["init", "-q", "-b", "main"], ["add", "policy.yaml"], ["commit", "-q", "-m", "policy"]):
        who = ["-c", "user.name=dana", "-c", "user.email=dana@example.org"]
        subprocess.run(["git", *who, *words], cwd=base, check=True)
    assert call(base, "ingest", "gateway.jsonl")[0] == 0
    return base


def settings(base: Path, more: str) -> None:
    (base / "tightener.yaml").write_text(f"policy: policy.yaml\n{more}", encoding="utf-8")


def outgoing(base: Path, name: str) -> dict[str, str]:
    """Writes all of it and reads it back."""
    asked = ("--agent", "bot")
    assert call(base, "report", *asked, "-o", f"{name}.html")[0] == 0
    assert call(base, "evidence", *asked, "-o", name)[0] == 0
    code, sarif = call(base, "suggest", *asked, "--format", "sarif")
    assert code == 0
    assert call(base, "publish")[0] == 0
    (body,) = (base / ".tightener" / "pull-requests").glob("*.md")
    found = {"sarif": sarif, "body": html.unescape(body.read_text(encoding="utf-8"))}
    for path in [base / f"{name}.html", *(one for one in (base / name).rglob("*") if one.is_file())]:
        found[path.relative_to(base).as_posix()] = html.unescape(path.read_text(encoding="utf-8"))
    message = ["git", "log", "-1", "--format=%B", "--all", "--grep=Tighten"]
    found["message"] = subprocess.run(message, cwd=base, check=True, capture_output=True, text=True).stdout
    assert "Tighten" in found["message"]
    return found


def test_no_document_quotes_what_a_tool_was_called_with(repository: Path) -> None:
    settings(repository, "")
    made = outgoing(repository, "first")
    named = made["first/policy/after/01.yaml"]
    for secret in (OWED, REFUSED, COMMAND):
        assert secret not in named
        assert not [name for name, text in made.items() if secret in text], secret
    assert f"iban={digest(f'{REFUSED}50')}" in made["first/comparison.json"]
    assert f"iban={digest(f'{REFUSED}50')}" in made["first.html"]  # equal values have equal hashes everywhere
    code, out = call(repository, "verify-evidence", "first", "--logs", "gateway.jsonl", "--json")
    assert (code, json.loads(out)["rerun"]) == (0, True)
    assert f"iban={REFUSED}50" in call(repository, "compare", "--agent", "bot", "--json")[1]  # the house may see it


def test_the_configuration_decides(repository: Path) -> None:
    settings(repository, "redact: {arguments: hide}\n")
    hidden = outgoing(repository, "second")
    assert "iban=[hidden]" in hidden["second/comparison.json"]
    assert not [name for name, text in hidden.items() if digest(f"{REFUSED}50") in text]
    settings(repository, "redact: {arguments: show}\n")
    assert call(repository, "evidence", "--agent", "bot", "-o", "third")[0] == 0
    for name in ("comparison.json", "report.html"):
        assert f"iban={REFUSED}50" in (repository / "third" / name).read_text(encoding="utf-8")
    code, _ = call(repository, "verify-evidence", "second", "--logs", "gateway.jsonl")  # by its own configuration
    assert code == 0
