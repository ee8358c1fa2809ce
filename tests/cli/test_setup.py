"""`init`, `doctor` and what they say: on a new repository, on one that is amiss, with names nobody would choose."""

from __future__ import annotations

import gzip
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tightener import cli, config, doctor, resources
from tightener.commands.context import Context
from tightener.doctor import Check, Level
from tightener.report import setup
from tightener.report.terminal import Printer

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 16, 8, tzinfo=UTC)  # the day after the sample logs end
AGENT = "claude-invoice-01"


AWS = {"service": "aws", "action": "s3:GetObject", "resource": "arn:aws:s3:::invoice-data/raw/1.pdf"}


def git(folder: Path, *arguments: str) -> None:
    named = ("-c", "user.name=dana", "-c", "user.email=dana@acme.example")
    subprocess.run(["git", "-C", str(folder), *named, *arguments], check=True, capture_output=True)


def write_log(folder: Path, moments: list[datetime], **more: str) -> None:
    """One line a moment, by the example's agent."""
    folder.mkdir(parents=True, exist_ok=True)
    line = {
        "v": 1, "agent": AGENT, "session": "s", "service": "git", "action": "clone", "resource": "acme/billing",
        "decision": "allow", "outcome": "success", **more,
    }  # fmt: skip
    text = "".join(
        json.dumps({"time": m.isoformat().replace("+00:00", "Z"), "id": str(i), **line}) + "\n"
        for i, m in enumerate(moments)
    )
    with (folder / "log.jsonl").open("a", encoding="utf-8") as out:
        out.write(text)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh repository with a space in its name, initialised and entered."""
    base = tmp_path / "our policies"
    assert cli.run(["--quiet", "init", str(base)]) == 0
    git(base.parent, "init", "-q", str(base))
    git(base, "add", ".")
    git(base, "commit", "-qm", "begin")
    monkeypatch.chdir(base)
    return base


def ingest(base: Path) -> None:
    assert cli.run(["--config", str(base / "tightener.yaml"), "--quiet", "--no-progress", "ingest"]) == 0


def examine(base: Path, now: datetime = NOW, **environment: str) -> list[Check]:
    found = config.load(base / "tightener.yaml")
    return doctor.examine(found, base / ".tightener" / "tightener.duckdb", now, environment)


def levels(checks: list[Check], about: str) -> list[Level]:
    return [one.level for one in checks if one.about == about]


def bad(checks: list[Check]) -> list[tuple[str, Level]]:
    return [(one.about, one.level) for one in checks if one.level is not Level.OK]


def test_what_init_wrote_works_at_once(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "sample_logs" / "gateway", repository / "logs" / "gateway")
    file = repository / "policies" / "agents.yaml"
    text = file.read_text(encoding="utf-8").replace("# x-granted-since", "x-granted-since")  # else it is a day old
    file.write_text(text, encoding="utf-8")
    ingest(repository)
    for words in (
        ["status"], ["agents"], ["compare", "--agent", AGENT], ["report", "--agent", AGENT, "-o", "r.html"],
        ["exceptions"], ["verify", "policies", "policies"],
    ):  # fmt: skip
        assert cli.run(words) == 0, words
    capsys.readouterr()
    assert cli.run(["suggest", "--agent", AGENT, "--exit-code", "--json"]) == 10
    found = json.loads(capsys.readouterr().out)
    assert found["suggestions"]
    assert cli.run(["suggest", "--agent", AGENT, "--write", "--quiet"]) == 0
    assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=")  # comments stay
    assert cli.run(["suggest", "--agent", AGENT, "--exit-code", "--quiet"]) == 0


def test_the_files_name_schemas_that_are_there(repository: Path) -> None:
    for name, kind in (("tightener.yaml", "config"), ("policies/agents.yaml", "policy")):
        first = (repository / name).read_text(encoding="utf-8").splitlines()[0]
        target = (repository / name).parent / first.partition("$schema=")[2]
        assert target.read_text(encoding="utf-8") == resources.schema(kind)


def test_the_workflow_runs_commands_that_exist(repository: Path) -> None:
    flow = yaml.safe_load((repository / ".github/workflows/tightener.yml").read_text(encoding="utf-8"))
    (job,) = flow["jobs"].values()
    assert flow["permissions"] == {"contents": "read"}
    write_log(repository / "logs" / "gateway", [NOW - timedelta(days=i, hours=1) for i in range(60)])
    lines = [
        line.strip()
        for step in job["steps"] if "tightener " in step.get("run", "")
        for line in step["run"].splitlines() if line.strip().startswith("tightener ")
    ]  # fmt: skip
    assert lines == ["tightener --no-progress run"]
    script = "set -e\n" + "\n".join(lines)
    here = repository / "bin"
    here.mkdir()
    (here / "tightener").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tightener.cli "$@"\n')
    (here / "tightener").chmod(0o755)
    path = f"{here}{os.pathsep}{os.environ['PATH']}"
    modules = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": modules,
        "GITHUB_STEP_SUMMARY": str(repository / "summary.md"),
    }
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 agent studied" in done.stdout
    assert "tightener" in (repository / "summary.md").read_text(encoding="utf-8")
    (kept,) = [step["with"] for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    assert list((repository / kept["path"]).rglob("*.html"))
    assert kept["include-hidden-files"] is kept["path"].startswith(".")
    for step in job["steps"]:  # actions are pinned, and no value is pasted into a script
        assert len(step.get("uses", "x@" + "0" * 40).partition("@")[2]) == 40
        assert "${{" not in step.get("run", "")


def test_init_overwrites_nothing_and_says_so(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p: p.read_bytes() for p in repository.rglob("*") if p.is_file() and ".git/" not in p.as_posix()}
    (repository / ".gitignore").unlink()
    assert cli.run(["--json", "init"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["written"] == [".gitignore"]
    assert len(found["left"]) == 5
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("what", ["configuration", "policies"])
def test_init_puts_no_example_among_policies_in_force(what: str, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    name = "tightener.yaml" if what == "configuration" else "policies/own.yml"
    (tmp_path / name).write_text("", encoding="utf-8")
    assert cli.run(["--quiet", "init", str(tmp_path)]) == 0
    assert not (tmp_path / "policies" / "agents.yaml").exists()
    assert (tmp_path / "tightener.yaml").exists()


def test_init_follows_no_link_and_explains_what_stands_in_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / ".gitignore").symlink_to(outside)
    (inside / ".schemas").write_text("a file", encoding="utf-8")
    assert cli.run(["init", str(inside)]) == 1
    assert not outside.exists()
    assert "[init-failed]" in capsys.readouterr().err
    (inside / ".schemas").unlink()
    assert cli.run(["--quiet", "init", str(inside)]) == 0
    assert (inside / ".schemas" / "tightener.schema.json").exists()


def test_a_repository_in_order_has_no_problem(repository: Path) -> None:
    write_log(repository / "logs" / "gateway", [NOW - timedelta(days=i, hours=1) for i in range(10)])
    write_log(repository / "logs" / "gateway", [NOW - timedelta(days=2)], id="aws", **AWS)
    ingest(repository)
    checks = examine(repository)
    assert bad(checks) == []
    about = ["configuration", "policy", "logs", "database", "source", "clock", "agents", "data events", "git"]
    assert [one.about for one in checks] == about
    assert not any(one.do for one in checks)


def test_each_thing_amiss_is_named_with_what_to_do(repository: Path) -> None:
    base, old = repository, NOW - timedelta(days=9)
    assert bad(examine(base)) == [("logs", Level.PROBLEM), ("database", Level.WARNING)]
    write_log(base / "logs" / "gateway", [old, old - timedelta(days=3)])
    ingest(base)
    (base / ".tightener" / "tightener.duckdb").chmod(0o640)
    (base / ".gitignore").write_text("", encoding="utf-8")
    file = base / "policies" / "agents.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "  other:\n    allow: []\n", encoding="utf-8")
    (base / "policies" / "new.yaml").write_text(
        "agents: {new: {allow: [{service: git, actions: [pull]}]}}\n", encoding="utf-8"
    )
    (base / "tightener.yaml").write_text(
        "policy: policies\nlogs: [logs/gateway, logs/none]\npublish: {github: acme/policies}\n", encoding="utf-8"
    )
    checks = examine(base)
    expected = [
        ("policy", Level.WARNING),  # allow has no rules
        ("policy", Level.WARNING),  # nor has the agent
        ("logs", Level.PROBLEM),  # logs/none
        ("database", Level.PROBLEM),  # 0640
        ("source", Level.WARNING),  # nine days old
        ("source", Level.WARNING),  # two days missing
        ("agents", Level.WARNING),  # new and other are in no log
        ("data events", Level.WARNING),  # no log shows s3:GetObject
        ("git", Level.WARNING),  # agents.yaml is changed
        ("git", Level.WARNING),  # new.yaml is not in Git
        ("git", Level.PROBLEM),  # the database would be committed
        ("publish", Level.PROBLEM),
    ]
    assert bad(checks) == expected
    assert all(one.do for one in checks if one.level is not Level.OK)
    says = "\n".join(one.says for one in checks)
    for words in ("mode 0640", "9 days ago", "2026-11-05", "`new`, `other`", "no token", "logs/none"):
        assert words in says, words
    (do,) = [one.do for one in checks if one.about == "data events"]
    assert "`covers:`" in do
    assert "AWS::S3::Object" in do
    (one,) = [c for c in examine(base, GH_TOKEN="x", GITHUB_API_URL="http://acme.example") if c.about == "publish"]
    assert (one.level, "unencrypted" in one.says) == (Level.PROBLEM, True)  # the rest: tests/publish/test_access.py


def test_log_lines_of_the_future_are_a_clock_that_is_wrong(repository: Path) -> None:
    write_log(repository / "logs" / "gateway", [NOW])
    ingest(repository)
    assert levels(examine(repository, NOW - timedelta(minutes=4)), "clock") == [Level.OK]
    assert levels(examine(repository, NOW - timedelta(minutes=6)), "clock") == [Level.PROBLEM]


def test_a_shallow_clone_is_told(repository: Path, tmp_path: Path) -> None:
    with (repository / "policies" / "agents.yaml").open("a", encoding="utf-8") as out:
        out.write("# more\n")
    git(repository, "commit", "-qam", "more")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", str(tmp_path / "shallow"))
    (whole,) = [one for one in examine(repository) if one.about == "git"]
    assert "2 revisions" in whole.says
    shallow = [one for one in examine(tmp_path / "shallow") if one.about == "git"]
    assert [one.level for one in shallow] == [Level.OK, Level.WARNING]
    assert "unshallow" in shallow[1].do


def test_data_events_that_the_trail_does_not_show_are_named(tmp_path: Path) -> None:
    """The sample trail shows no queue: a grant that needs its data events can never be seen."""
    shutil.copytree(ROOT / "sample_logs", tmp_path / "s")
    base = tmp_path / "s"
    text = "agents:\n  claude-ops-02:\n    allow:\n"
    text += "      - {service: aws, actions: ['sqs:ReceiveMessage', 'ec2:DescribeInstances'], resources: ['*']}\n"
    (base / "policy.yaml").write_text(text, encoding="utf-8")
    (base / "tightener.yaml").write_text(
        "policy: policy.yaml\nlogs: AWSLogs\n"
        "agents: {claude-ops-02: {principals: ['arn:aws:iam::123456789012:role/claude-ops-02']}}\n",
        encoding="utf-8",
    )
    ingest(base)
    (one,) = [one for one in examine(base) if one.about == "data events"]
    assert one.level is Level.WARNING
    assert "sqs:ReceiveMessage" in one.says
    assert "ec2:" not in one.says
    assert "AWS::SQS::Queue" in one.do


def test_the_command_answers_with_an_exit_code_and_a_document(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["doctor"]) == 1  # no logs are there
    words = capsys.readouterr().out
    assert "1 problem, 1 warning" in words
    assert "-> " in words
    assert cli.run(["--json", "doctor"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["problems"], found["warnings"]) == ("tightener.doctor/1", 1, 1)
    assert {one["level"] for one in found["checks"]} == {"ok", "warning", "problem"}
    assert all(one["do"] for one in found["checks"] if one["level"] != "ok")
    assert cli.run(["--quiet", "doctor"]) == 1
    assert "ok" not in [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.split()]
    (repository / "logs" / "gateway").mkdir(parents=True)
    with gzip.open(repository / "logs" / "gateway" / "a.jsonl.gz", "wb") as out:
        out.write(b"{}\n")
    assert cli.run(["doctor"]) == 0  # warnings alone are no problem


def test_a_configuration_that_cannot_be_read_is_the_answer(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "tightener.yaml").write_text("polcy: x\n", encoding="utf-8")
    assert cli.run(["--json", "doctor"]) == 1
    (one,) = json.loads(capsys.readouterr().out)["checks"]
    assert one["level"] == "problem"
    assert "tightener.yaml:1:1" in one["says"]
    assert one["do"] == "did you mean `policy`?"


def test_without_a_configuration_there_is_a_way_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["--json", "doctor"]) == 1
    checks: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["checks"]
    assert checks[0]["do"] == "tightener init"
    assert not list(tmp_path.iterdir())  # looking changes nothing


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_hostile_names_stay_inert_in_80_columns(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "ops\x1b[31m\u202e[bold]x" + "y" * 90
    write_log(repository / "logs" / "gateway", [NOW], agent=evil)
    text = json.dumps({"agents": {evil: {"allow": [{"service": "git", "actions": ["clone"]}]}, f"{evil}2": None}})
    (repository / "policies" / "agents.yaml").write_text(text, encoding="utf-8")
    ingest(repository)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    out = _Terminal()
    checks = examine(repository)
    setup.doctor_words(Printer(out), [(c.about, c.level.value, c.says, c.do) for c in checks], quiet=False)
    shown = out.getvalue()
    assert "[bold]" in shown.replace("\n", "")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\u202e" in shown.replace("\n", "").replace(" ", "")
    assert max(map(len, shown.splitlines())) <= 80


def test_quiet_init_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Context(None, None, json=False, quiet=True, progress=False).quiet
    assert cli.run(["--quiet", "init", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", "")
