"""For tests: a small repository with one policy file, git as people use it, and the command line in a folder."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from pathlib import Path

from tightener.cli import run

ROOT = Path(__file__).parents[2]

OLD, NEW, NEWER = "agents: {}\n", "agents: {}  # smaller\n", "agents: {}  # smaller yet\n"
PATH = "policies/a b.yaml"


def git(top: Path, *words: str) -> str:
    """What git prints, with its own configuration kept out."""
    clean = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "LC_ALL": "C"}
    done = subprocess.run(["git", "-C", str(top), *words], check=True, capture_output=True, env={**os.environ, **clean})
    return done.stdout.decode().rstrip("\n")


def made(top: Path, path: str = PATH, text: str = OLD) -> Path:
    """A repository with one commit on main."""
    (top / path).parent.mkdir(parents=True, exist_ok=True)
    (top / path).write_bytes(text.encode())
    git(top, "init", "-q", "-b", "main")
    git(top, "config", "user.email", "dana@acme.example")
    git(top, "config", "user.name", "Dana")
    git(top, "config", "core.autocrlf", "false")
    git(top, "add", path)
    git(top, "commit", "-q", "-m", "start")
    return top


def state(top: Path) -> tuple[str, bytes, str]:
    """What a person would notice: status, index, what is checked out."""
    status = git(top, "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=all")
    return status, (top / ".git" / "index").read_bytes(), git(top, "stash", "list")


def call(base: Path, *words: str) -> tuple[int, str, str]:
    """One command line in a folder: exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(base), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([*words])
    return code, out.getvalue(), err.getvalue()


def check_gold(name: str, text: str) -> None:
    """Compares with tests/gold/NAME; UPDATE_GOLD=1 writes it instead (then read the diff before you commit it)."""
    path = ROOT / "tests" / "gold" / name
    if os.environ.get("UPDATE_GOLD"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
