"""`tightener publish` and `suggest --open-pr` on the sample story, in a repository of its own."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import openapi
import pytest
from fake_github import GitHub, Server
from repository import ROOT, call, check_gold, git, state

from tightener.publish import body as bodies
from tightener.publish import client

BRANCH = "tightener/policy-yaml-f23324"
REPORT = ("--agent", "claude-report-03")  # which has two suggestions, and little to read
BODY = ".tightener/pull-requests/policy-yaml-f23324.md"


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
    (one,) = document["pull_requests"]
    return dict(one)


def test_the_story_becomes_the_gold_body_and_a_second_run_changes_nothing(story: Path, tmp_path: Path) -> None:
    before = state(story)
    code, out, _ = call(story, "publish")
    assert (code, out.split("\n")[0]) == (0, "policy.yaml: opened: 20 changes proposed")
    body = (story / BODY).read_bytes()
    packed = re.sub(r'"edits":"[A-Za-z0-9+/]+=*"', '"edits":"PACKED"', body.decode())  # zlib need not pack alike
    check_gold("pull-request.md", packed.replace(version("tightener"), "VERSION"))
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
    (one,) = json.loads(out)["pull_requests"]
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
    assert not (story / ".tightener" / "pull-requests").exists()
    with (story / "policy.yaml").open("a") as file:
        file.write("# more\n")
    code, _, err = call(story, "publish", *REPORT)
    assert code == 1
    assert "policy-not-in-base" in err
    code, _, err = call(story, "publish", "--agent", "nobody")
    assert code == 1
    assert "unknown-agent" in err
    assert git(story, "branch", "--list", "tightener/*") == ""


def test_two_weeks_on_github_and_a_run_without_news(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openapi.description()
    monkeypatch.setattr(client, "_BETWEEN_WRITES", None)
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")
    github = GitHub()
    github.commit({"policy.yaml": (story / "policy.yaml").read_bytes(), "CODEOWNERS": b"* @dana\n"}, "start")
    server = Server(github)
    try:
        with (story / "tightener.yaml").open("a") as file:
            file.write(f"publish: {{github: acme/policies, api: '{server.url}'}}\n")
        before = state(story)
        code, out, _ = call(story, "publish", *REPORT, "--dry-run", "--as-of", "2026-11-08")
        assert (code, github.writes) == (0, [])
        shown = out.partition(f"POST {server.url}/repos/acme/policies/pulls\n")[2]
        _, out, _ = call(story, "publish", *REPORT, "--json", "--as-of", "2026-11-08")
        assert request(out)["outcome"] == "opened"
        (sent,) = [body for verb, path, body in github.writes if (verb, path.rpartition("/")[2]) == ("POST", "pulls")]
        assert json.JSONDecoder().raw_decode(shown)[0] == sent  # to the letter, however narrow the terminal is
        first = github.refs[BRANCH]
        _, out, _ = call(story, "publish", *REPORT, "--json")
        assert request(out)["outcome"] == "refreshed"
        (pull,) = github.pulls
        assert "2026-11-15" in pull["body"]
        assert pull["asked"] == ["dana"]
        assert github.inside(first, github.refs[BRANCH])
        writes = len(github.writes)
        _, out, _ = call(story, "publish", *REPORT, "--json")
        assert (request(out)["outcome"], len(github.writes)) == ("unchanged", writes)
        assert state(story) == before
        github.close(1, "after the audit", f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}")
        _, out, _ = call(story, "publish", *REPORT, "--json")
        assert request(out)["outcome"] == "branch removed"
        assert len(github.pulls) == 1
        monkeypatch.delenv("GITHUB_TOKEN")
        monkeypatch.delenv("GH_TOKEN", raising=False)
        code, _, err = call(story, "publish", *REPORT)
        assert code == 1
        assert "github-token" in err
        assert not github.broken, github.broken
    finally:
        server.close()


def test_what_is_too_much_for_one_request_waits_for_the_next(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_CHANGES", 1)
    _, out, _ = call(story, "publish", *REPORT, "--json")
    assert request(out)["changes"] == 1
    assert "1 more change waits for the next pull request" in (story / BODY).read_text()
    git(story, "merge", "-q", "--ff-only", BRANCH)
    _, out, _ = call(story, "publish", *REPORT, "--json")
    assert (request(out)["outcome"], request(out)["changes"]) == ("opened", 1)


def test_a_no_ends_when_the_status_of_its_grant_has_changed(story: Path) -> None:
    call(story, "publish", *REPORT)
    body = story / BODY
    record = '"split-rule-94764c":"'
    at = body.read_text().index(record) + len(record)
    text = body.read_text().replace("- [x] <code>split-rule-94764c", "- [ ] <code>split-rule-94764c")
    body.write_text(f"{text[:at]}000000{text[at + 6 :]}")  # as if its grants had stood otherwise then
    _, out, _ = call(story, "publish", *REPORT, "--json")
    assert request(out)["changes"] == 2
