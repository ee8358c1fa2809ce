"""`tightener run`: all agents in one go, nothing twice, nothing where there is no news, one failure no other's."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import openapi
import pytest
from fake_github import GitHub, Server
from repository import ROOT, call, git, state
from small_repository import answer, committed, everything, line, outcomes, small, write_days
from worker import AGENT, POLICY, lines, policies, project

from tightener import pipeline
from tightener.backtest import rolling
from tightener.errors import NoEvidence, PolicyError, TightenerError, VerificationFailed
from tightener.publish import body as bodies
from tightener.publish import client

AGENTS = ["claude-invoice-01", "claude-ops-02", "claude-report-03"]
PAGES = Path(".tightener/reports")


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "dana")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


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


def pages(base: Path) -> list[str]:
    """The agents' pages."""
    return sorted(one.name for one in (base / PAGES / "agents").glob("*.html"))


def pulls(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["file"]: one["outcome"] for one in found["pull_requests"]}


def test_two_weeks_of_the_story_and_a_third_run_without_news(story: Path, tmp_path: Path) -> None:
    """One pull request, refreshed in place; then nothing at all is written, not even to the database."""
    late = [p for p in story.rglob("*.gz") if "/11/" in str(p)] + list(story.glob("gateway/2026-11-1*"))
    assert len(late) > 4
    for one in late:
        one.rename(tmp_path / one.name)
    with (story / "tightener.yaml").open("a") as file:
        file.write("publish:\n")
    git(story, "commit", "-qam", "pull requests")
    before = state(story)
    code, found = answer(story)
    assert (code, pulls(found), found["pages"]["unchanged"]) == (0, {"policy.yaml": "opened"}, 0)
    (branch,) = git(story, "branch", "--list", "tightener*").split()
    body = Path(found["pull_requests"][0]["place"])
    first, text = git(story, "rev-parse", branch), body.read_text()
    for one in late:
        (tmp_path / one.name).rename(one)
    code, out, _ = call(story, "run", "--no-progress", "--exit-code")
    assert code == 10
    assert re.search("\ndone: 3 of 3 agents studied; 20 changes proposed; pull requests: 1 refreshed; pages: ", out)
    assert git(story, "branch", "--list", "tightener*").split() == [branch]
    assert first in git(story, "rev-list", branch).split()
    assert (body.read_text() != text, len(list(body.parent.iterdir()))) == (True, 1)
    assert state(story) == before
    known = everything(story)
    code, found = answer(story)
    assert (code, pulls(found), found["pages"]["written"]) == (0, {"policy.yaml": "unchanged"}, [])
    assert everything(story) == known, "a run without news changed something"
    assert call(story, "report", "--all", "-o", str(tmp_path / "pages"), "--quiet")[0] == 0
    made, again = (
        {one.relative_to(folder): one.read_bytes() for one in folder.rglob("*.*") if one.is_file()}
        for folder in (story / PAGES, tmp_path / "pages")
    )
    assert made == again
    assert {f"{agent}.html" for agent in AGENTS} <= {one.name for one in made}


def test_nothing_is_published_unasked_and_publish_proposes_what_run_does(tmp_path: Path) -> None:
    base = small(tmp_path / "r", ("one",))
    said = (base / "tightener.yaml").read_text()
    (base / "tightener.yaml").write_text(said.replace("publish:\n", "reports: pages\n"))
    code, found = answer(base)
    assert (code, found["pull_requests"], found["after_merges"]) == (0, [], [])
    assert git(base, "branch", "--list").split() == ["*", "main"]
    assert [one.name for one in (base / "pages" / "agents").glob("*.html")] == ["one.html"]
    (base / "tightener.yaml").write_text(said)
    assert "opened" in call(base, "publish")[1]
    known = git(base, "for-each-ref")
    assert pulls(answer(base)[1]) == {"policies/0.yaml": "unchanged"}
    assert git(base, "for-each-ref") == known


@pytest.mark.parametrize(("days", "late"), [(40, ""), (119, ""), (120, "clone"), (200, "")])
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
    for window in (30, 90, 150):
        asked = {"days": window, "as_of": None, "min_age": 30}
        whole = rolling.backtest(made, granted, AGENT, most=3, **asked)
        found = rolling.glanced(whole)
        assert found == rolling.glance(made, granted, AGENT, **asked)
        seen.add((len(whole.skipped) > len(found.skipped), bool(found.skipped)))
    made.con.close()
    assert len(seen) > 1


def test_what_a_merge_broke_is_asked_for_again_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = small(tmp_path / "r", ("one",))
    code, found = answer(base)
    assert (code, pulls(found), found["after_merges"]) == (0, {"policies/0.yaml": "opened"}, [])
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-11-16T10:00:00Z")
    git(base, "merge", "-q", "--no-ff", "--no-edit", found["pull_requests"][0]["branch"])
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    assert "push" not in (base / "policies" / "0.yaml").read_text()
    refused = {"action": "push", "branch": "main", "decision": "deny", "outcome": "denied"}
    late = line("one", datetime(2026, 11, 17, 9, tzinfo=UTC), 1, **refused)
    (base / "logs" / "late.jsonl").write_text(late + "\n", encoding="utf-8")
    code, found = answer(base)
    assert code == 0
    merged, asked = found["after_merges"]
    assert merged == "policies/0.yaml: 3 changes were merged so far, 0 had to be restored"
    assert asked.startswith("one: git push: opened: ")
    assert "1 removed grant needed after all" in found["summary"]
    (branch,) = git(base, "branch", "--list", "tightener-restore/*").split()
    (added,) = (one for one in git(base, "diff", f"main...{branch}").splitlines() if one.startswith("+ "))
    assert added.endswith("resources: ['acme/a']}, {service: git, actions: [push], resources: ['acme/*']}]}")
    known = everything(base)
    again = answer(base)[1]["after_merges"]
    assert "one: git push: unchanged: nothing is new" in again[1]
    assert everything(base) == known
    git(base, "merge", "-q", "--no-ff", "--no-edit", branch)
    assert answer(base)[1]["after_merges"][0] == merged.replace("0 had", "1 had")
    # and whoever reads the page or looks at the next suggestions is told, without asking the repository again
    rate = "3 changes were merged so far, 1 had to be restored"
    assert rate in (base / PAGES / "index.html").read_text()
    assert json.loads((base / PAGES / "index.json").read_text())["merged"] == [f"policies/0.yaml: {rate}"]
    assert rate in " ".join(call(base, "suggest", "--agent", "one")[1].split())
    told = json.loads(call(base, "suggest", "--agent", "one", "--json", "--no-backtest")[1])
    assert told["merged_so_far"] == {"changes": 3, "missed": 1, "restored": 1}
    write_days(base, ("two",), date(2026, 8, 19), 90)
    with (base / "policies" / "0.yaml").open("a") as file:
        file.write("  two: {x-granted-since: 2026-01-01, allow: [{service: git, actions: [clone, push]}]}\n")
    git(base, "commit", "-qam", "another agent")
    (found_,) = answer(base)[1]["pull_requests"]
    assert f"{rate}." in Path(found_["place"]).read_text()


def test_what_a_tool_was_called_with_is_not_told_where_a_grant_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = small(tmp_path / "r", ("one",))
    rule = "allow: [{service: git, actions: [clone]}, {service: tools, actions: [send, look], resources: ['to=*']}]"
    policy = f"agents:\n  one: {{x-granted-since: 2026-01-01, {rule}}}\n"
    (base / "policies" / "0.yaml").write_text(policy, encoding="utf-8")
    asked = {"service": "tools", "action": "look", "resource": ""}
    days = [datetime(2026, 8, 18, 10, tzinfo=UTC) + timedelta(days=n) for n in range(90)]
    looks = [json.loads(line("one", at, at.toordinal() * 2, **asked)) | {"args": {"to": "me"}} for at in days]
    text = "".join(json.dumps(one) + "\n" for one in looks)
    (base / "logs" / "looks.jsonl").write_text(text, encoding="utf-8")
    git(base, "commit", "-q", "-a", "--amend", "--no-edit")  # one commit: what Git sees come later is young
    _, found = answer(base)
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-11-16T10:00:00Z")
    git(base, "merge", "-q", "--no-ff", "--no-edit", found["pull_requests"][0]["branch"])
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    refused = {**asked, "action": "send", "decision": "deny", "outcome": "denied"}
    late = json.loads(line("one", datetime(2026, 11, 17, 9, tzinfo=UTC), 1, **refused)) | {"args": {"to": "hunter2"}}
    (base / "logs" / "late.jsonl").write_text(json.dumps(late) + "\n", encoding="utf-8")
    assert any(one.startswith("one: tools send: opened") for one in answer(base)[1]["after_merges"])
    (body,) = (base / ".tightener" / "pull-requests").glob("*restore*.md")
    said = body.read_text()
    assert "tools send to=sha256:" in said
    assert "hunter2" not in said


def test_a_file_of_many_agents_is_proposed_in_parts_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = small(tmp_path / "r", shared=True)
    monkeypatch.setattr(bodies, "MOST_CHANGES", 4)
    (one,) = answer(base)[1]["pull_requests"]
    assert one["changes"] == 3  # those of one agent, and all of them
    body = Path(one["place"]).read_text()
    assert "3 more changes wait for the next pull request" in body
    assert "unchanged" in call(base, "publish")[1]
    git(base, "merge", "-q", "--ff-only", one["branch"])
    (other,) = answer(base)[1]["pull_requests"]
    assert (other["outcome"], other["changes"]) == ("opened", 3)
    assert "more change" not in Path(other["place"]).read_text()


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
    base = small(tmp_path / "r")
    real = pipeline.study

    def study(made: Any, granted: Any, agent: str, **more: Any) -> Any:
        if agent == "one":
            raise error
        return real(made, granted, agent, **more)

    monkeypatch.setattr(pipeline, "study", study)
    got, found = answer(base, "--exit-code")
    assert got == code
    assert outcomes(found) == {"one": outcome, "two": "studied"}
    assert pulls(found) == {"policies/0.yaml": file, "policies/1.yaml": "opened"}
    assert [one["error"] for one in found["agents"]] == [error.slug, None]
    assert pages(base) == ["two.html"]
    quiet_code, out, err = call(base, "run", "--quiet")
    assert quiet_code == (code if code != 10 else 0)
    assert len(out.splitlines()) == 1
    assert (f"[{error.slug}]" in err) is (code != 10)
    monkeypatch.setattr(pipeline, "study", real)
    assert outcomes(answer(base)[1]) == dict.fromkeys(("one", "two"), "studied")


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
