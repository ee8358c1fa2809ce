"""`tightener publish` and `suggest --open-pr` on the sample story, in a repository of its own."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
from repository import ROOT, call, check_gold, git, state

BRANCH = "tightener/policy-yaml-f23324"
REPORT = ("--agent", "claude-report-03")  # which has two suggestions, and little to read
BODY = ".tightener/requests/policy-yaml-f23324.md"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story as a repository of its own, read into its database."""
    base = tmp_path_factory.mktemp("published") / "story"
    shutil.copytree(ROOT / "sample_logs", base, ignore=shutil.ignore_patterns(".tightener", "__pycache__", "*.py"))
    (base / ".gitignore").write_text(".tightener/\ngateway/\nAWSLogs/\n")
    git(base, "init", "-q", "-b", "main")
    git(base, "config", "user.email", "dana@acme.example")
    git(base, "config", "user.name", "Dana")
    git(base, "add", "--all")
    git(base, "commit", "-q", "-m", "the policy")
    assert call(base, "ingest", "--quiet")[0] == 0
    return base


@pytest.fixture
def story(ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GITHUB_ACTOR", "dana")
    shutil.copytree(ready, tmp_path / "story")
    return tmp_path / "story"


def request(out: str) -> dict[str, object]:
    document = json.loads(out)
    assert document["schema"] == "tightener.publish/1"
    (one,) = document["requests"]
    return dict(one)


def test_the_story_becomes_the_gold_body_and_a_second_run_changes_nothing(story: Path, tmp_path: Path) -> None:
    before = state(story)
    code, out, _ = call(story, "publish")
    assert (code, out.split("\n")[0]) == (0, "policy.yaml: opened: 20 changes proposed")
    body = (story / BODY).read_bytes()
    check_gold("pull-request.md", body.decode().replace(version("tightener"), "VERSION"))
    assert state(story) == before
    assert (story / "policy.yaml").read_bytes() == (ROOT / "sample_logs" / "policy.yaml").read_bytes()
    assert git(story, "diff", "--name-only", f"main...{BRANCH}") == "policy.yaml"
    (tmp_path / "new.yaml").write_text(git(story, "show", f"{BRANCH}:policy.yaml") + "\n")
    assert call(story, "verify", "policy.yaml", str(tmp_path / "new.yaml"), "--at", "2026-11-16")[0] == 0
    tip = git(story, "rev-parse", BRANCH)
    code, out, _ = call(story, "publish", "--json")
    assert (code, request(out)["outcome"]) == (0, "unchanged")
    assert (git(story, "rev-parse", BRANCH), (story / BODY).read_bytes(), state(story)) == (tip, body, before)


def test_one_agents_part_and_another_that_joins_it(story: Path) -> None:
    code, out, _ = call(story, "suggest", *REPORT, "--open-pr", "--json")
    (one,) = json.loads(out)["requests"]
    assert (code, one["outcome"], one["changes"]) == (0, "opened", 2)
    code, out, _ = call(story, "suggest", "--agent", "claude-invoice-01", "--open-pr", "--no-backtest")
    assert code == 0
    assert "policy.yaml: refreshed: 12 changes proposed" in out
    assert git(story, "branch", "--list", "tightener/*").split() == [BRANCH]
    assert call(story, "suggest", *REPORT, "--open-pr", "--write")[0] == 2


def test_ticks_and_closing_and_merging_are_heard(story: Path) -> None:
    call(story, "publish", *REPORT)
    body = story / BODY
    on, off = "- [x] <code>split-rule-94764c", "- [ ] <code>split-rule-94764c"
    body.write_text(body.read_text().replace(on, off))
    _, out, _ = call(story, "publish", *REPORT, "--json")
    assert (request(out)["outcome"], request(out)["changes"]) == ("refreshed", 1)
    assert "unticked in policy-yaml-f23324.md" in body.read_text()
    assert off in body.read_text()
    assert "dynamodb:DescribeTable" not in git(story, "diff", f"main...{BRANCH}")
    _, out, _ = call(story, "publish", *REPORT, "--json")
    assert request(out)["outcome"] == "unchanged"
    body.write_text(body.read_text().replace(off, on))
    _, out, _ = call(story, "publish", *REPORT, "--json")
    assert request(out)["changes"] == 2
    body.write_text(body.read_text().replace(on, off))
    git(story, "merge", "-q", "--ff-only", BRANCH)  # whoever merges takes the diff that is there
    _, out, _ = call(story, "publish", *REPORT, "--json")
    assert request(out)["outcome"] == "branch removed"


def test_a_branch_that_is_deleted_is_a_no(story: Path) -> None:
    call(story, "publish", *REPORT)
    git(story, "branch", "-D", BRANCH)
    _, out, _ = call(story, "publish", *REPORT, "--json")
    assert request(out)["outcome"] == "nothing to propose"
    assert "people said no" in str(request(out)["why"])


def test_a_policy_that_is_not_committed_is_refused_and_a_dry_run_writes_nothing(story: Path) -> None:
    before = (state(story), git(story, "count-objects", "-v"))
    code, out, _ = call(story, "publish", *REPORT, "--dry-run")
    assert code == 0
    assert f"git update-ref refs/heads/{BRANCH}" in out
    assert (state(story), git(story, "count-objects", "-v")) == before
    assert not (story / ".tightener" / "requests").exists()
    with (story / "policy.yaml").open("a") as file:
        file.write("# more\n")
    code, _, err = call(story, "publish", *REPORT)
    assert code == 1
    assert "policy-not-in-base" in err
    code, _, err = call(story, "publish", "--agent", "nobody")
    assert code == 1
    assert "unknown-agent" in err
    assert git(story, "branch", "--list", "tightener/*") == ""
