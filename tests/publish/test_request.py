"""`tightener request`: what an agent was refused, asked for by a person, exactly that, with approval and an end."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openapi
import pytest
import yaml
from fake_github import GitHub, Server
from repository import call, git, made, state

from tightener.policy import document
from tightener.publish import client, record
from tightener.publish.commit import branch_of
from tightener.publish.github import GitHubHost

POLICY = """\
agents:
  a:
    x-granted-since: 2026-01-01
    allow:
      - service: git
        actions: [clone]
        resources: ["acme/*"]
    require_approval:
      - service: git
        actions: [push]
        resources: ["acme/asked"]
    deny:
      - {service: aws, actions: ["iam:*"]}
  b:
    deny:
      - {service: git, actions: [push]}
"""
LINES = [
    {"id": "clone", "service": "git", "action": "clone", "resource": "other/x@y <b>|`", "decision": "deny"},
    {"id": "iam", "service": "aws", "action": "iam:ListUsers", "decision": "deny"},
    {"id": "ran", "service": "git", "action": "clone", "resource": "acme/x", "decision": "allow", "outcome": "success"},
    {"id": "service", "service": "git", "action": "clone", "resource": "acme/y", "decision": "allow"},
    {"id": "granted", "service": "git", "action": "clone", "resource": "acme/z", "decision": "deny"},
    {"id": "person", "service": "git", "action": "push", "resource": "acme/asked", "decision": "require_approval"},
    {"id": "star", "service": "git", "action": "clone", "resource": "other/*", "decision": "deny"},
    {"id": "question", "service": "git", "action": "clone", "resource": "other/?", "decision": "deny"},
    {"id": "slash", "service": "git", "action": "clone", "resource": "other\\a\n", "decision": "deny"},
    {"id": "alias", "service": "stripe", "action": "invoices:write", "decision": "deny"},
    {"id": "bucket", "service": "aws", "action": "s3:ListBucket", "resource": "arn:aws:s3:::b", "decision": "deny"},
    {"id": "two", "service": "tools", "action": "send", "args": {"to": "kim", "text": "hi"}, "decision": "deny"},
    {"id": "logged", "service": "git", "action": "clone", "resource": "q", "decision": "deny", "enforced": False},
    {"id": "b", "agent": "b", "service": "git", "action": "push", "resource": "r", "decision": "deny"},
]
TODAY = date(2026, 11, 25)
SAID = ("--requester", "dana", "--why", "for the audit\n of @kim")


def line(number: int, said: dict[str, object]) -> str:
    time = (datetime(2026, 11, 2, tzinfo=UTC) + timedelta(minutes=number)).isoformat()
    outcome = "success" if said.get("enforced") is False else "denied"
    approval = {"approval": {"state": "refused"}} if said["decision"] == "require_approval" else {}
    return json.dumps({"v": 1, "time": time, "agent": "a", "outcome": outcome, **approval, **said})


@pytest.fixture
def base(tmp_path: Path) -> Path:
    top = made(tmp_path / "r", "policy.yaml", POLICY)
    (top / ".git" / "info" / "exclude").write_text("/log.jsonl\n/.tightener/\n/tightener.yaml\n")
    (top / "log.jsonl").write_text("\n".join(line(n, one) for n, one in enumerate(LINES)) + "\n")
    (top / "tightener.yaml").write_text("policy: policy.yaml\nlogs: [log.jsonl]\n")
    code, _, err = call(top, "ingest", "--quiet")
    assert code == 0, err
    return top


def wanted(base: Path, event: str, *more: str) -> tuple[int, str, str]:
    return call(base, "request", "--agent", "a", "--from", event, *SAID, *more)


def branches(base: Path) -> list[str]:
    return git(base, "for-each-ref", "--format=%(refname:short)", "refs/heads/").split()


def test_it_is_a_branch_with_exactly_that_and_says_that_it_widens(base: Path) -> None:
    before = state(base)
    code, out, _ = wanted(base, "clone", "--expires", "2999-12-31")
    assert code == 0
    assert "This WIDENS the policy of a" in out
    assert state(base) == before
    (branch,) = (one for one in branches(base) if one != "main")
    assert branch.startswith("tightener-request/policy-yaml-")
    text = git(base, "show", f"{branch}:policy.yaml") + "\n"
    asked = yaml.safe_load(text)["agents"]["a"]["require_approval"]
    assert asked[1] == {
        "service": "git",
        "actions": ["clone"],
        "resources": ["other/x@y <b>|`"],
        "branches": [""],
        "reason": "for the audit of @kim",
        "owner": "dana",
        "expires": datetime(2999, 12, 31, tzinfo=UTC).date(),
    }
    gone = [one for one in git(base, "diff", "main", branch).splitlines() if one.startswith("-") and one[1] != "-"]
    assert gone == []
    (body,) = (base / ".tightener" / "pull-requests").iterdir()
    said = body.read_text()
    assert said.startswith("**This WIDENS the policy of a: dana asks")
    for words in ("| reads |", "event <code>clone</code>", "for the audit of", "2999-12-31", "### Undo"):
        assert words in said
    for acting in ("@kim", "@y", "<b>", "x@", "`"):
        assert acting not in said.split("<!--")[0]
    assert record.read(said) == record.Record(("a",), {}, {}, "dana", git(base, "rev-parse", f"{branch}:policy.yaml"))


def test_the_same_again_changes_nothing_and_after_merging_it_is_granted(base: Path) -> None:
    wanted(base, "clone", "--expires", "2999-12-31")
    before = {one: git(base, "rev-parse", one) for one in branches(base)}
    _, out, _ = wanted(base, "clone", "--expires", "2999-12-31", "--json")
    assert json.loads(out)["pull_request"]["outcome"] == "unchanged"
    assert before == {one: git(base, "rev-parse", one) for one in branches(base)}
    git(base, "merge", "-q", "--ff-only", *(one for one in branches(base) if one != "main"))
    code, _, err = wanted(base, "clone")
    assert code == 1
    assert "already-granted" in err


@pytest.mark.parametrize(
    ("event", "slug", "word"),
    [
        ("nothing", "unknown-event", "no event"),
        ("b", "unknown-event", "of b"),
        ("iam", "denied-by-rule", "policy.yaml:13"),
        ("ran", "event-not-refused", "it ran"),
        ("service", "event-not-refused", "had let it through"),
        ("person", "event-not-refused", "asked a person"),
        ("logged", "event-not-refused", "only noted"),
        ("granted", "already-granted", "line 5"),
        ("star", "not-literal", "wildcard"),
        ("question", "not-literal", "wildcard"),
        ("alias", "not-literal", "grant 3"),
        ("bucket", "not-literal", "list of a bucket"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_a_word(base: Path, event: str, slug: str, word: str) -> None:
    before = (state(base), git(base, "count-objects", "-v"))
    code, out, err = wanted(base, event, "--json")
    assert (code, json.loads(out)["error"]) == (1, slug)
    assert word in err
    assert (state(base), git(base, "count-objects", "-v")) == before
    assert not (base / ".tightener" / "pull-requests").exists()


@pytest.mark.parametrize(
    ("event", "resources"), [("slash", ["other\\a\n"]), ("two", ["text=hi", "to=kim"]), ("clone", ["other/x@y <b>|`"])]
)
def test_what_is_written_is_the_value_itself(base: Path, event: str, resources: list[str]) -> None:
    old = document.load([base / "policy.yaml"]).agents["a"]
    code, out, _ = wanted(base, event, "--write")
    assert code == 0
    assert "written to" in out
    new = document.load([base / "policy.yaml"]).agents["a"]
    more = [rule for rule in new.rules if rule.body not in [known.body for known in old.rules]]
    assert sorted(one for rule in more for one in rule.body.resources or ()) == resources
    assert all(rule.expires and rule.effect == "require_approval" for rule in more)
    days = [rule.expires - datetime.now(UTC) for rule in more if rule.expires]
    assert all(timedelta(days=90) < left <= timedelta(days=91) for left in days)
    assert branches(base) == ["main"]


def test_a_diff_applies_and_a_dry_run_writes_nothing(base: Path) -> None:
    before = (state(base), git(base, "count-objects", "-v"))
    code, out, _ = wanted(base, "two", "--diff")
    (base / "log.jsonl").with_name("p.diff").write_text(out)
    git(base, "apply", "--check", "p.diff")
    (base / "p.diff").unlink()
    code, out, _ = wanted(base, "clone", "--dry-run")
    assert code == 0
    assert "update-ref refs/heads/tightener-request/" in out
    assert (state(base), git(base, "count-objects", "-v")) == before
    for more in (("--expires", "2020-01-01"), ("--expires", "soon"), ("--expires", "9999-12-31"), ("--why", " ")):
        assert wanted(base, "clone", *more)[0] == 2
    assert call(base, "request", "--agent", "a", "--write")[0] == 2


def test_what_was_refused_is_listed_with_an_event(base: Path) -> None:
    code, out, _ = call(base, "request", "--agent", "a", "--json")
    rows = {row["event"]: row["policy"] for row in json.loads(out)["refused"]}
    assert code == 0
    assert set(rows) == {"clone", "iam", "granted", "star", "question", "slash", "alias", "bucket", "two"}
    assert (rows["iam"], rows["granted"], rows["clone"]) == ("denied", "allowed", "not_granted")
    _, out, _ = call(base, "request", "--agent", "a")
    assert "refused 1x, the last time on 2026-11-02; the policy says now: not granted" in out


def test_the_next_run_leaves_what_was_just_granted_alone(base: Path) -> None:
    """The agent declares an old age; Git has seen that this rule is young."""
    assert wanted(base, "clone")[0] == 0
    git(base, "merge", "-q", "--ff-only", *(one for one in branches(base) if one != "main"))
    _, out, _ = call(base, "compare", "--agent", "a", "--window", "1d", "--json")
    grants = json.loads(out)["grants"]
    status = {(one["line"], one["action"]): one["status"] for one in grants}
    assert status[12, "clone"] == "too_new"
    assert status[9, "push"] != "too_new"


def test_on_github_it_is_a_request_of_its_own(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openapi.description()
    monkeypatch.setattr(client, "_BETWEEN_WRITES", None)
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")
    github = GitHub()
    github.commit({"policy.yaml": POLICY.encode(), "CODEOWNERS": b"* @dana\n"}, "start")
    other = "tightener/other-file-123456"
    github.commit({"x": b"x"}, "tighten", to=other)
    github.answer("POST", "/pulls", {}, {"head": other, "base": "main", "title": "t", "body": "b"})
    server = Server(github)
    try:
        with (base / "tightener.yaml").open("a") as file:
            file.write(f"publish: {{github: acme/policies, api: '{server.url}', most_open: 1}}\n")
        code, out, err = wanted(base, "clone", "--json")  # one is open, and it is another kind
        assert code == 0, err
        assert json.loads(out)["pull_request"]["outcome"] == "opened"
        _, pull = github.pulls
        assert pull["title"].startswith("WIDEN policy.yaml")
        assert pull["asked"] == ["dana"]
        writes = len(github.writes)
        _, out, _ = wanted(base, "clone", "--json")
        assert (json.loads(out)["pull_request"]["outcome"], len(github.writes)) == ("unchanged", writes)
        assert wanted(base, "two", "--json")[0] == 0
        assert len(github.pulls) == 3
        host = GitHubHost(client.connect("secret-token", server.url), "acme/policies", ("tightener",), TODAY)
        assert host.look("other.yaml", branch_of("other.yaml")).others_open == 1  # the one that tightens
        assert not github.broken, github.broken
    finally:
        server.close()
