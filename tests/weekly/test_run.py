"""`tightener run`: all agents in one go, nothing twice, nothing where there is no news, one failure no other's."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import openapi
import pytest
from fake_github import GitHub, Server
from repository import ROOT, call, git, state
from worker import AGENT, POLICY, lines, policies, project

from tightener import cli, pipeline
from tightener.backtest import rolling
from tightener.errors import NoEvidence, PolicyError, TightenerError, VerificationFailed
from tightener.publish import client

AGENTS = ["claude-invoice-01", "claude-ops-02", "claude-report-03"]
PAGES = Path(".tightener/reports")


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "dana")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def committed(base: Path) -> Path:
    (base / ".gitignore").write_text(".tightener/\nlogs/\ngateway/\nAWSLogs/\n")
    git(base, "init", "-q", "-b", "main")
    git(base, "config", "user.email", "dana@acme.example")
    git(base, "config", "user.name", "Dana")
    git(base, "add", "--all")
    git(base, "commit", "-q", "-m", "the policy")
    return base


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample story as a repository of its own."""
    base = tmp_path_factory.mktemp("told") / "story"
    shutil.copytree(ROOT / "sample_logs", base, ignore=shutil.ignore_patterns(".tightener", "__pycache__", "*.py"))
    return committed(base)


@pytest.fixture
def story(told: Path, tmp_path: Path) -> Path:
    shutil.copytree(told, tmp_path / "story")
    return tmp_path / "story"


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


def pages(base: Path) -> list[str]:
    """The agents' pages."""
    return sorted(one.name for one in (base / PAGES / "agents").glob("*.html"))


def pulls(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["file"]: one["outcome"] for one in found["pull_requests"]}


def test_the_pages_are_those_of_report_and_nothing_is_published_unasked(story: Path, tmp_path: Path) -> None:
    before = state(story)
    code, out, _ = call(story, "run", "--no-progress")
    assert code == 0
    assert out.endswith("\ndone: 3 of 3 agents studied; 20 changes proposed; pages: 13 files written, 0 unchanged\n")
    assert call(story, "report", "--all", "-o", str(tmp_path / "pages"), "--quiet")[0] == 0
    made, again = (
        {one.relative_to(folder): one.read_bytes() for one in folder.rglob("*.*") if one.is_file()}
        for folder in (story / PAGES, tmp_path / "pages")
    )
    assert made == again
    assert {f"{agent}.html" for agent in AGENTS} <= {one.name for one in made}
    assert state(story) == before
    assert git(story, "branch", "--list").split() == ["*", "main"]
    first = everything(story)
    assert call(story, "run", "--exit-code", "--quiet")[0] == 10
    assert everything(story) == first, "a run without news changed something"


def test_a_week_of_new_logs_refreshes_the_same_pull_request(tmp_path: Path) -> None:
    """And the third run, which has no news, writes nothing at all, not even to the database."""
    base = small(tmp_path / "r", shared=True)
    with (base / "tightener.yaml").open("a") as file:
        file.write("reports: pages\n")
    code, found = answer(base)
    assert (code, pulls(found)) == (0, {"policies/0.yaml": "opened"})
    branch = found["pull_requests"][0]["branch"]
    body = Path(found["pull_requests"][0]["place"])
    first, text = git(base, "rev-parse", branch), body.read_text()
    write_days(base, ("one", "two"), date(2026, 11, 16), 7)
    code, found = answer(base)
    assert (code, pulls(found), found["logs"]["files_read"]) == (0, {"policies/0.yaml": "refreshed"}, 6)
    assert first in git(base, "rev-list", branch).split()
    assert body.read_text() != text
    assert git(base, "branch", "--list", "tightener/*").split() == [branch]
    known = everything(base)
    code, found = answer(base)
    assert (code, pulls(found)) == (0, {"policies/0.yaml": "unchanged"})
    assert found["pages"]["written"] == []
    assert everything(base) == known, "a run without news changed something"
    assert sorted(one.name for one in (base / "pages" / "agents").glob("*.html")) == ["one.html", "two.html"]
    assert "unchanged: nothing is new" in call(base, "publish")[1]
    assert everything(base) == known, "publish proposes something else than run"


@pytest.mark.parametrize("days", [40, 119, 120, 200])
@pytest.mark.parametrize("late", ["", "clone"])
def test_what_a_glance_would_say_is_in_the_longer_backtest(tmp_path: Path, days: int, late: str) -> None:
    made, granted = project(tmp_path, list(lines(days, days, late))), policies(tmp_path)
    for window, as_of in ((90, None), (35, None), (60, date(2026, 5, 1))):
        asked = {"days": window, "as_of": as_of, "min_age": 30}
        whole = rolling.backtest(made, granted, AGENT, most=3, **asked)
        assert rolling.glanced(whole) == rolling.glance(made, granted, AGENT, **asked)
    made.con.close()


def test_a_period_that_was_skipped_is_one_of_the_glance_where_its_window_is_whole(tmp_path: Path) -> None:
    told = [one for one in lines(210, 3) if not "2026-05-01" <= one["time"][:10] <= "2026-06-30"]
    made, granted = project(tmp_path, told), policies(tmp_path, POLICY)
    seen = set()
    for window in (30, 45, 60, 90, 120, 150):
        asked = {"days": window, "as_of": None, "min_age": 30}
        whole = rolling.backtest(made, granted, AGENT, most=3, **asked)
        found = rolling.glanced(whole)
        assert found == rolling.glance(made, granted, AGENT, **asked)
        seen.add((len(whole.skipped) > len(found.skipped), bool(found.skipped)))
    made.con.close()
    assert len(seen) > 1


def test_one_agent_in_no_log_is_named_and_stops_nobody(tmp_path: Path) -> None:
    base = small(tmp_path / "r", agents=("one", "two", "absent"))
    (base / "logs").rename(base / "old")
    write_days(base, ("one", "two"), date(2026, 8, 18), 90)
    code, found = answer(base)
    assert code == 0
    assert outcomes(found) == {"one": "studied", "two": "studied", "absent": "no evidence"}
    assert "1 no evidence" in found["summary"]
    assert pulls(found) == {
        "policies/0.yaml": "opened",
        "policies/1.yaml": "opened",
        "policies/2.yaml": "nothing to propose",
    }
    assert pages(base) == ["one.html", "two.html"]
    index = json.loads((base / PAGES / "index.json").read_text())
    assert {one["agent"]: one["verification"] for one in index["agents"]} == {
        "one": "proved",
        "two": "proved",
        "absent": "no evidence",
    }


def test_without_evidence_for_anybody_it_is_3(tmp_path: Path) -> None:
    base = small(tmp_path / "r", agents=("one",), days=3)
    code, found = answer(base)
    assert (code, outcomes(found)) == (3, {"one": "no evidence"})
    shutil.rmtree(base / "logs")
    (base / "logs").mkdir()
    shutil.rmtree(base / ".tightener")
    code, found = answer(base, "--exit-code")
    assert (code, outcomes(found)) == (3, {"one": "no evidence"})


@pytest.mark.parametrize(
    ("error", "code", "outcome", "file"),
    [
        (VerificationFailed("it is wider", slug="proposal-not-proved"), 11, "not proved", "nothing to propose"),
        (PolicyError("it went away", slug="policy-syntax"), 1, "failed", "failed"),
        (NoEvidence("nothing known", slug="agent-not-seen"), 10, "no evidence", "nothing to propose"),
    ],
)
def test_one_agents_failure_is_told_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: TightenerError, code: int, outcome: str, file: str
) -> None:
    base = small(tmp_path / "r", agents=("one", "two", "three"))
    real = pipeline.study

    def study(made: Any, granted: Any, agent: str, **more: Any) -> Any:
        if agent == "two":
            raise error
        return real(made, granted, agent, **more)

    monkeypatch.setattr(pipeline, "study", study)
    got, found = answer(base, "--exit-code")
    assert got == code
    assert outcomes(found) == {"one": "studied", "two": outcome, "three": "studied"}
    assert pulls(found) == {"policies/0.yaml": "opened", "policies/1.yaml": file, "policies/2.yaml": "opened"}
    assert [one["error"] for one in found["agents"]] == [None, error.slug, None]
    assert pages(base) == ["one.html", "three.html"]
    quiet_code, out, err = call(base, "run", "--quiet")
    assert quiet_code == (code if code != 10 else 0)
    assert len(out.splitlines()) == 1
    assert (f"[{error.slug}]" in err) is (code != 10)
    monkeypatch.setattr(pipeline, "study", real)
    assert outcomes(answer(base)[1]) == dict.fromkeys(("one", "two", "three"), "studied")


def test_a_failed_proof_leaves_that_agent_out_of_a_file_that_others_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = small(tmp_path / "r", shared=True)
    real = pipeline.propose

    def propose(made: Any, found: Any, *more: Any) -> Any:
        if found.policy.name == "two":
            raise VerificationFailed("it is wider", slug="proposal-not-proved")
        return real(made, found, *more)

    monkeypatch.setattr(pipeline, "propose", propose)
    code, found = answer(base, "--exit-code")
    assert code == 11
    assert [one["changes"] for one in found["pull_requests"]] == [3]
    body = Path(found["pull_requests"][0]["place"]).read_text()
    assert "its proposal does not hold" in body
    assert "it is wider" not in body, "what a proof fails on quotes a request"
    (one,) = [
        row for row in git(base, "diff", f"main...{found['pull_requests'][0]['branch']}").splitlines() if "-  " in row
    ]
    assert "one" in one


def test_a_failed_pull_request_leaves_the_pages_and_the_other_files(tmp_path: Path) -> None:
    base = small(tmp_path / "r")
    with (base / "policies" / "0.yaml").open("a") as file:
        file.write("# changed, and not committed\n")
    code, found = answer(base)
    assert (code, pulls(found)) == (1, {"policies/0.yaml": "failed", "policies/1.yaml": "opened"})
    assert [one["error"] for one in found["pull_requests"]] == ["policy-not-in-base", None]
    assert pages(base) == ["one.html", "two.html"]
    shutil.rmtree(base / PAGES)
    (base / PAGES).write_text("in the way")
    git(base, "checkout", "-q", "policies")
    code, found = answer(base)
    assert (code, pulls(found)) == (1, {"policies/0.yaml": "opened", "policies/1.yaml": "unchanged"})
    assert "pages: failed" in found["summary"]
    assert "cannot write" in found["pages"]["problem"]


def test_a_dry_run_writes_nothing_and_says_what_a_run_then_does(tmp_path: Path) -> None:
    base = small(tmp_path / "r")
    before = everything(base)
    code, found = answer(base, "--dry-run")
    assert (code, pulls(found)) == (0, {"policies/0.yaml": "opened", "policies/1.yaml": "opened"})
    assert everything(base) == before
    assert sorted(one.name for one in base.iterdir()) == [".git", ".gitignore", "logs", "policies", "tightener.yaml"]
    assert answer(base)[1] == {
        **found,
        "dry_run": False,
        "summary": found["summary"].removeprefix("dry run, nothing written; "),
    }
    write_days(base, ("one", "two"), date(2026, 11, 16), 7)
    before = everything(base)
    code, out, _ = call(base, "run", "--dry-run", "--no-progress")
    assert code == 0
    assert everything(base) == before
    flat = "".join(out.split())
    for words in ("pull-requests/policies-1", "one.html", "6files read,6 known already"):
        assert words.replace(" ", "") in flat
    assert out.splitlines()[-1].startswith("dry run, nothing written; done: 2 of 2 agents")


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    base = tmp_path / "r"
    base.mkdir()
    for text, slug, hint in (
        (None, "no-config", "tightener init"),
        ("policy: p\n", "no-logs", "`logs:`"),
        ("logs: l\n", "no-policy", "`policy:`"),
        ("logs: l\npolicy: p.yaml\n", "no-agents", "`agents:`"),
    ):
        (base / "p.yaml").write_text("agents: {}\n")
        if text is not None:
            (base / "tightener.yaml").write_text(text)
        code, out, err = call(base, "run")
        assert code == 1
        assert (f"[{slug}]" in err, hint in err) == (True, True)
        assert out == f"not done: stopped before any agent was studied [{slug}]\n"
        assert "stopped before any agent was studied" in summary.read_text()
        assert not (base / PAGES).exists()
        summary.unlink()


HOLD = """
import pathlib, sys
from tightener.logs import store
con = store.open(pathlib.Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(database: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the database open, until it is killed."""
    start = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_second_run_ends_at_once_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    base = small(tmp_path / "r")
    assert call(base, "run", "--quiet")[0] == 0
    before = everything(base)
    with holder(base / ".tightener" / "tightener.duckdb") as process:
        begun = datetime.now(UTC)
        for words in ((), ("--dry-run",)):
            code, out, err = call(base, "run", *words)
            assert code == 1
            assert out == "not done: stopped before any agent was studied [run-locked]\n"
            assert f"process {process.pid} (python" in err
            since = datetime.strptime(err.partition("running since ")[2][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            assert abs(begun - since) < timedelta(minutes=2)
        assert "[database-locked]" in call(base, "status")[2]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert everything(base) == before
        assert call(base, "run", "--quiet")[0] == 0


def test_the_lock_is_held_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a run does in between, such as reading files beside the database, keeps DuckDB's lock."""
    base = small(tmp_path / "r")
    found: list[bytes] = []
    real = cli.showing.publishing  # any module of commands/ will do to reach the one that settles
    assert real
    from tightener.weekly import sequence  # noqa: PLC0415 - only to stand between two steps

    def settle(*words: Any) -> Any:
        start = [sys.executable, "-m", "tightener.cli", "run"]
        found.append(subprocess.run(start, cwd=base, capture_output=True, check=False).stderr)
        return inner(*words)

    inner = sequence.settle
    monkeypatch.setattr(sequence, "settle", settle)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert call(base, "run", "--quiet")[0] == 0
    assert len(found) == 2
    assert all(b"[run-locked]" in one and str(os.getpid()).encode() in one for one in found)


def test_hostile_names_stay_inert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "<img src=x>|`@kim` fixes #1\x1b[31m\u202e/../../x"
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    base = small(tmp_path / "r", agents=(evil, "two"))
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = call(base, "run")
    assert code == 0
    assert not {"\x1b", "\u202e"} & set(out)
    text = summary.read_text()
    assert text.startswith("# before\n### tightener: done: 2 of 2 agents studied;")
    assert not re.search("(?<!&)#1", text)
    for bad in ("<img", "@kim", "\x1b", "\u202e", "`"):
        assert bad not in text
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert {row.count("|") for row in rows} == {4}
    hostile, two = pages(base)
    assert two == "two.html"
    assert hostile.startswith("img-src-x-kim-fixes-1-31m-x-")


def test_on_github_a_run_without_news_writes_nothing_and_an_outage_costs_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openapi.description()
    monkeypatch.setattr(client, "_BETWEEN_WRITES", None)
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.0)
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")
    base = small(tmp_path / "r", shared=True)
    github = GitHub()
    github.commit({"policies/0.yaml": (base / "policies" / "0.yaml").read_bytes()}, "start")
    server = Server(github)
    try:
        with (base / "tightener.yaml").open("w") as file:
            file.write("policy: policies\nlogs: logs\n")
            file.write(f"publish: {{github: acme/policies, api: '{server.url}'}}\n")
        github.fault = lambda number, verb: "500"
        code, found = answer(base)
        assert (code, pulls(found)) == (1, {"policies/0.yaml": "failed"})
        assert found["pull_requests"][0]["error"] == "github-unreachable"
        assert len(pages(base)) == 2
        github.fault = lambda number, verb: ""
        assert pulls(answer(base)[1]) == {"policies/0.yaml": "opened"}
        known, writes = everything(base), len(github.writes)
        code, found = answer(base)
        assert (code, pulls(found), len(github.writes)) == (0, {"policies/0.yaml": "unchanged"}, writes)
        assert everything(base) == known
        monkeypatch.delenv("GITHUB_TOKEN")
        monkeypatch.delenv("GH_TOKEN", raising=False)
        code, found = answer(base)
        assert (code, found["pull_requests"][0]["error"]) == (1, "github-token")
        assert set(outcomes(found).values()) == {"studied"}
        assert not github.broken, github.broken
    finally:
        server.close()


def content(base: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that the database holds, but when files were read and which inodes they had."""
    shown = {"log_file": f"* EXCLUDE (read_at) REPLACE (replace(uri, '{base}', '') AS uri)"}
    with duckdb.connect(str(base / ".tightener" / "tightener.duckdb"), read_only=True) as con:
        names = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        found = {n: con.execute(f"SELECT {shown.get(n, '*')} FROM {n} ORDER BY ALL").fetchall() for n in names}
    return {**found, "meta": [row for row in found["meta"] if not row[0].startswith("stamp:")]}


def end_of(base: Path) -> tuple[dict[str, bytes], dict[str, str], dict[str, Any], set[str]]:
    """Where a run leaves things: pages and bodies, the branches' trees and how far they are from main, the database."""
    files = {p.relative_to(base).as_posix(): p.read_bytes() for p in (base / ".tightener").rglob("*") if p.is_file()}
    files.pop(".tightener/tightener.duckdb", None)
    branches = git(base, "for-each-ref", "--format=%(refname:short)", "refs/heads/tightener/").split()
    trees = {
        one: git(base, "rev-parse", f"{one}^{{tree}}") + git(base, "rev-list", "--count", f"main..{one}")
        for one in branches
    }
    return files, trees, content(base), set(git(base, "status", "-s").split())


def started(base: Path) -> int:
    """A run in a process of its own, which need not import anything again."""
    child = os.fork()
    if not child:
        code, out, err = call(base, "run", "--quiet")
        (base.parent / f"{base.name}.said").write_text(out + err)
        os._exit(code)
    return child


def test_twenty_kills_end_where_one_whole_run_does(tmp_path: Path) -> None:
    chance = random.Random(11)
    made = small(tmp_path / "made", ("one",))
    clean = tmp_path / "clean"
    shutil.copytree(made, clean)
    begun = time.monotonic()
    assert os.waitpid(started(clean), 0)[1] == 0
    lasts = time.monotonic() - begun
    wanted = end_of(clean)
    assert (len(wanted[1]), len(wanted[0])) == (1, 9)
    stages = set()
    for round_ in range(4):
        base = tmp_path / f"killed-{round_}"
        shutil.copytree(made, base)
        for _ in range(5):
            child = started(base)
            time.sleep(lasts * chance.random())
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            stages.add(sum(p.is_file() for p in (base / ".tightener").rglob("*")))
        assert os.waitpid(started(base), 0)[1] == 0, base.with_name(f"{base.name}.said").read_text()
        assert end_of(base) == wanted
    assert len(stages) > 1, "every kill came at the same stage"
