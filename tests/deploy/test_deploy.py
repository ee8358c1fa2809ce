"""The action, the units, the cron line and the example workflow: each tried as far as it can be, and as documented."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_repository import small

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
DOCUMENT = (ROOT / "docs" / "scheduling.md").read_text(encoding="utf-8")
WORKFLOWS = {
    name: yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    for name in ("starter/workflow.yml", "deploy/workflow.yml")
}


def steps() -> list[dict[str, Any]]:
    jobs = [job for flow in WORKFLOWS.values() for job in flow["jobs"].values()]
    return [*ACTION["runs"]["steps"], *(step for job in jobs for step in job["steps"])]


def script(name: str) -> str:
    (found,) = [step["run"] for step in ACTION["runs"]["steps"] if step.get("name", "").startswith(name)]
    return str(found)


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def tightener(path: Path) -> None:
    """The command, as an installation puts it there."""
    program(path, f'PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m tightener.cli "$@"')


def bash(text: str, where: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """As GitHub runs `shell: bash`."""
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    known = {"PATH": os.environ["PATH"], "HOME": str(where), **environment}
    return subprocess.run(shell, cwd=where, env=known, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda p: p.name)
def test_the_document_shows_the_files(path: Path) -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert path.read_text(encoding="utf-8") in blocks


def test_every_input_is_documented_and_reaches_a_step() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT, re.MULTILINE)
    assert rows == list(ACTION["inputs"])
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(ACTION["inputs"])
    assert all(one["description"] for one in ACTION["inputs"].values())


def test_nothing_is_pasted_into_a_script_and_everything_is_pinned() -> None:
    pins: dict[str, set[str]] = {}
    for step in steps():
        assert "${{" not in step.get("run", "")
        if "uses" in step:
            name, _, commit = step["uses"].partition("@")
            assert re.fullmatch("[0-9a-f]{40}", commit), step["uses"]
            pins.setdefault(name, set()).add(commit)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}  # one version of each, everywhere


def test_workflows_read_and_no_more_and_leave_no_token_behind() -> None:
    for flow in WORKFLOWS.values():
        assert flow["permissions"] == {"contents": "read"}
        (job,) = flow["jobs"].values()
        assert "permissions" not in job
        (checkout,) = [step["with"] for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert checkout == {"fetch-depth": 0, "persist-credentials": False}
    given = next(s["with"] for s in WORKFLOWS["deploy/workflow.yml"]["jobs"]["run"]["steps"] if "/tightener@" in str(s))
    assert set(given) <= set(ACTION["inputs"])


def test_inputs_are_words_and_never_code(tmp_path: Path) -> None:
    inside = tmp_path / "our policies; touch sign"
    inside.mkdir()
    (inside / "star.yaml").touch()
    program(tmp_path / "temp" / "tightener" / "bin" / "tightener", 'pwd; printf "<%s>" "$@"')
    said = bash(
        script("tightener run"), tmp_path, RUNNER_TEMP=str(tmp_path / "temp"), FOLDER=inside.name,
        CONFIG='a "b" $(touch sign).yaml', ARGUMENTS=" --dry-run\n--window  $(touch sign);`touch sign` * ",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    where, _, words = said.stdout.partition("\n")
    assert Path(where).name == inside.name
    head = '<--no-progress><--config><a "b" $(touch sign).yaml><run>'
    assert words == f"{head}<--dry-run><--window><$(touch><sign);`touch><sign`><*>"
    assert not list(tmp_path.rglob("sign"))


def test_the_action_runs_it(tmp_path: Path) -> None:
    small(tmp_path / "our policies")
    tightener(tmp_path / "temp" / "tightener" / "bin" / "tightener")
    given = {"RUNNER_TEMP": str(tmp_path / "temp"), "FOLDER": "our policies", "CONFIG": "", "ARGUMENTS": "--exit-code"}
    given["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary.md")
    said = bash(script("tightener run"), tmp_path, **given)
    assert said.returncode == 10, said.stderr  # there are suggestions
    assert "2 of 2 agents studied" in said.stdout.splitlines()[-1]
    assert "<code>two</code>" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    kept = WORKFLOWS["deploy/workflow.yml"]["jobs"]["run"]["steps"][-1]["with"]
    pages = tmp_path / "our policies" / kept["path"]
    assert (pages / "index.html").exists()
    assert len(list((pages / "agents").glob("*.html"))) == 2


def test_the_action_installs_its_own_checkout_with_the_locked_versions(tmp_path: Path) -> None:
    """With a pip that only says what it was asked for: the real one needs the network."""
    place = tmp_path / "temp" / "tightener"
    program(
        tmp_path / "bin" / "python", 'test "$2" = venv && mkdir -p "$3/bin" && cp "$0" "$3/bin/" || printf "<%s>" "$@"'
    )
    said = bash(
        script("Install"), tmp_path, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        RUNNER_TEMP=str(tmp_path / "temp"), SOURCE=str(ROOT),
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert said.stdout.endswith(f"<--constraint><{place}/constraints.txt><{ROOT}[github]>")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = [line.partition("==")[0] for line in lock.splitlines() if re.match("[a-zA-Z0-9]", line)]
    asked = (place / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line.partition("==")[0] for line in asked] == names
    assert "pygithub" in names
    assert not [line for line in asked if "\\" in line or "--hash" in line]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    analyse = shutil.which("systemd-analyze")
    if analyse is None:
        pytest.skip("systemd-analyze is not installed")
    program(tmp_path / "tightener", "exit 0")
    program(tmp_path / "git", "exit 0")
    units = [tmp_path / name for name in ("tightener.service", "tightener.timer")]
    for unit in units:
        text = (DEPLOY / unit.name).read_text(encoding="utf-8")
        text = text.replace("/opt/tightener/bin/tightener", str(tmp_path / "tightener"))
        unit.write_text(text.replace("/usr/bin/git", str(tmp_path / "git")), encoding="utf-8")
    done = subprocess.run([analyse, "verify", *map(str, units)], capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "tightener" in line]
    assert (done.returncode, ours) == (0, [])
    units[0].write_text(units[0].read_text(encoding="utf-8").replace("NoNewPrivileges", "NoNewPrivilege"))
    broken = subprocess.run([analyse, "verify", *map(str, units)], capture_output=True, text=True, check=False)
    assert "NoNewPrivilege" in broken.stdout + broken.stderr  # so that silence says something


def test_the_service_may_write_where_the_run_writes_and_nowhere_else() -> None:
    text = (DEPLOY / "tightener.service").read_text(encoding="utf-8")
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert said["ProtectSystem"] == "strict"
    assert said["NoNewPrivileges"] == "true"
    assert said["ReadWritePaths"] == said["WorkingDirectory"]
    assert said["CapabilityBoundingSet"] == ""
    assert said["User"] != "root"


def test_the_cron_line_needs_nothing_of_the_environment(tmp_path: Path) -> None:
    text = (DEPLOY / "tightener.cron").read_text(encoding="utf-8")
    (line,) = [one for one in text.splitlines() if not one.startswith("#")]
    assert text.endswith("\n")  # cron leaves out a last line without an end
    found = re.fullmatch(r"(\S+ \S+ \S+ \S+ \S+)  (\S+)  (.+)", line)
    assert found
    when, who, command = found.groups()
    assert (when, who) == ("17 5 * * 1", "tightener")
    assert "%" not in command  # to cron, the end of the line
    base = small(tmp_path / "policies", ("one",))
    subprocess.run(["git", "clone", "-q", "--bare", str(base), str(tmp_path / "hub")], check=True, capture_output=True)
    for words in (("remote", "add", "origin", str(tmp_path / "hub")), ("fetch", "-q"), ("branch", "-u", "origin/main")):
        subprocess.run(["git", "-C", str(base), *words], check=True, capture_output=True)
    tightener(tmp_path / "installed" / "tightener")
    command = command.replace("/srv/policies", shlex.quote(str(base)))
    command = command.replace("/opt/tightener/bin", shlex.quote(str(tmp_path / "installed")))
    bare = ["env", "-i", f"HOME={tmp_path}", "PATH=/usr/bin:/bin", "SHELL=/bin/sh", "sh", "-c", command]
    done = subprocess.run(bare, cwd="/", capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (said,) = done.stdout.splitlines()  # one line of mail
    assert said.startswith("done: 1 of 1 agent studied; 3 changes proposed; pull requests: 1 opened;")
    assert (base / ".tightener" / "tightener.duckdb").exists()
