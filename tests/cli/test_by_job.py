"""`suggest --by job` from the command line: the page shows what is printed, and what is written is what was shown."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tightener import cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
ASKED = ("suggest", "--agent", "claude-invoice-01", "--by", "job")


def block(language: str) -> str:
    return PAGE.split(f"```{language}\n", 1)[1].split("```", 1)[0]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the sample logs, which no test changes: it is copied."""
    database = tmp_path_factory.mktemp("db") / "t.duckdb"
    config = str(ROOT / "sample_logs" / "tightener.yaml")
    assert cli.run(["--config", config, "--db", str(database), "--quiet", "ingest"]) == 0
    return database


@pytest.fixture
def folder(tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository like sample_logs, whose tightener.yaml names jobs as the page says."""
    inside = tmp_path / "sample_logs"
    inside.mkdir()
    shutil.copy(ROOT / "sample_logs" / "policy.yaml", inside)
    shutil.copy(logs, tmp_path / "t.duckdb")
    plain = (ROOT / "sample_logs" / "tightener.yaml").read_text(encoding="utf-8")
    line = next(one for one in plain.splitlines(keepends=True) if one.startswith("  claude-invoice-01:"))
    (inside / "tightener.yaml").write_text(plain.replace(line, block("yaml")), encoding="utf-8")
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    return cli.run(["--config", "sample_logs/tightener.yaml", "--db", "t.duckdb", *arguments])


def test_the_page_shows_what_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*ASKED) == 0
    head, _, diff = capsys.readouterr().out.partition("--- a/")
    shown = block("console").split("\n", 1)
    assert shown[0] == f"$ tightener --config sample_logs/tightener.yaml {' '.join(ASKED)}"
    assert shown[1].rstrip() == head.rstrip()
    assert f"--- a/{diff}".startswith(block("diff").removesuffix("...\n"))


def test_what_is_written_is_what_was_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = folder / "sample_logs" / "policy.yaml"
    before = policy.read_bytes()
    assert run(*ASKED, "--diff") == 0
    patch = capsys.readouterr().out
    assert policy.read_bytes() == before
    assert not [line for line in patch.splitlines()[2:] if line.startswith("-")]
    assert run(*ASKED, "--write", "--exit-code") == 10
    written = policy.read_bytes()
    policy.write_bytes(before)
    subprocess.run(["git", "apply"], input=patch.encode(), cwd=folder, check=True)
    assert policy.read_bytes() == written
    capsys.readouterr()
    assert run(*ASKED, "--write") == 1
    assert "[agent-exists]" in capsys.readouterr().err
    assert policy.read_bytes() == written


def test_the_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json", *ASKED) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "tightener.jobs/1"
    assert found["named_in"] == "tightener.yaml"
    assert [job["agent"] for job in found["jobs"]] == ["claude-invoice-01.daily", "claude-invoice-01.month-end"]
    assert sum(job["uses"] for job in found["jobs"]) + found["no_job"]["uses"] == found["uses"]
    assert all(job["proof"]["holds"] and not job["proof"]["lost"] for job in found["jobs"])
    daily, month_end = found["jobs"]
    assert daily["runs"] == ["session run-*-a"]
    assert month_end["suggestions"] == []
    assert month_end["kept"]
    assert daily["risk"]["score"]["after"] == 0


def test_other_use(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("suggest", "--agent", "claude-invoice-01", "--by", "jobs") == 2
    assert run(*ASKED, "--only", "drop-rule-1a2b3c") == 2
    assert run("suggest", "--agent", "claude-report-03", "--by", "job") == 1
    assert "[no-jobs]" in capsys.readouterr().err
