"""`tightener watch`: what a merge broke is asked for again, that grant alone, once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openapi
import pytest
from fake_github import GitHub, Server
from repository import call, git, made, state

from tightener.policy import document
from tightener.policy.decide import Authoriser
from tightener.publish import client

BEFORE = """\
agents:
  a:
    x-granted-since: 2025-01-01
    allow:
      # all that it was ever given
      - service: git
        actions: [clone, pull, push]
        resources: ["acme/*", "tools/*"]
      - {service: stripe, actions: ["invoices:read", "customers:read"]}
    deny:
      - {service: aws, actions: ["iam:*"]}
  b:
    allow:
      - {service: git, actions: [clone]}
"""
AFTER = BEFORE.replace("[clone, pull, push]", "[clone]").replace(', "customers:read"', "")
FIRST = datetime(2026, 8, 1, 8, tzinfo=UTC)
DAYS = 100


def work() -> list[dict[str, object]]:
    """A hundred days on which the agent only clones and reads invoices."""
    found = []
    for day in range(DAYS):
        for n, (service, action, resource) in enumerate(
            [("git", "clone", "acme/x"), ("git", "clone", "tools/y"), ("stripe", "invoices:read", "")]
        ):
            time = FIRST + timedelta(days=day, minutes=n)
            found.append(event(f"w{day}-{n}", service, action, resource, time, "allow"))
    return found


def event(
    name: str, service: str, action: str, resource: str, time: datetime, decision: str = "deny", branch: str = ""
) -> dict[str, object]:
    outcome = {"allow": "success", "deny": "denied"}[decision]
    return {
        "v": 1,
        "id": name,
        "time": time.isoformat(),
        "agent": "a",
        "session": f"s{time:%m%d}",
        "service": service,
        "action": action,
        "resource": resource,
        "branch": branch,
        "decision": decision,
        "outcome": outcome,
    }


def logged(base: Path, *more: dict[str, object]) -> None:
    """Writes a log and reads it."""
    file = base / "logs" / f"{more[0]['id']}.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps(one) + "\n" for one in more))
    code, _, err = call(base, "ingest", "--quiet")
    assert code == 0, err


def later(hours: float) -> datetime:
    """After everything that is merged in a test, on the fake GitHub too."""
    return max(datetime.now(UTC).replace(microsecond=0), datetime(2026, 11, 25, tzinfo=UTC)) + timedelta(hours=hours)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a merged pull request that took away what was not used."""
    return written(tmp_path_factory.mktemp("watch") / "r", BEFORE)


def written(folder: Path, policy: str) -> Path:
    top = made(folder, "policy.yaml", policy)
    (top / ".git" / "info" / "exclude").write_text("/logs/\n/.tightener/\n/tightener.yaml\n")
    (top / "tightener.yaml").write_text("policy: policy.yaml\nlogs: [logs]\n")
    logged(top, *work())
    code, out, err = call(top, "publish", "--agent", "a", "--min-age", "0d")
    assert "opened" in out, (code, out, err)
    return top


@pytest.fixture
def fresh(ready: Path, tmp_path: Path) -> Path:
    """With the pull request still open."""
    return Path(shutil.copytree(ready, tmp_path / "r"))


@pytest.fixture
def base(fresh: Path) -> Path:
    """With the pull request merged."""
    merge(fresh, "tightener/")
    new = document.load([fresh / "policy.yaml"]).agents["a"]
    assert [rule.body.actions for rule in new.rules if rule.effect == "allow"] == [("clone",), ("invoices:read",)]
    return fresh


def merge(base: Path, start: str, *how: str) -> None:
    (branch,) = (one for one in branches(base) if one.startswith(start))
    git(base, "merge", "-q", *(how or ("--no-ff", "-m", "take it")), branch)
    if "--squash" in how:
        git(base, "commit", "-q", "-m", "take it")


def branches(base: Path) -> list[str]:
    return git(base, "for-each-ref", "--format=%(refname:short)", "refs/heads/").split()


def watched(base: Path, *more: str) -> dict[str, object]:
    code, out, err = call(base, "watch", "--json", *more)
    assert code == 0, err
    return dict(json.loads(out))


def outcomes(found: dict[str, object]) -> list[tuple[str, str]]:
    restores = found["restores"]
    assert isinstance(restores, list)
    return [(one["action"], one["pull_request"]["outcome"]) for one in restores]


def proposed(base: Path) -> document.PolicyFile:
    (branch,) = (one for one in branches(base) if one.startswith("tightener-restore/"))
    return document.parse(git(base, "show", f"{branch}:policy.yaml") + "\n", "policy.yaml")


@pytest.mark.parametrize("how", [(), ("--ff-only",), ("--squash",)])
def test_a_planted_refusal_gives_one_restore_request_with_that_grant_alone(fresh: Path, how: tuple[str, ...]) -> None:
    base = fresh
    merge(base, "tightener/", *how)
    assert outcomes(watched(base)) == []
    logged(
        base,
        event("r1", "git", "push", "acme/x", later(1), branch="main"),
        event("r2", "git", "push", "acme/y", later(2), branch="side"),
        event("never", "git", "push", "other/x", later(2)),  # was never granted
        event("hidden", "git", "push", "acme/x", later(2)),  # the log does not say to which branch
        event("denied", "aws", "iam:ListUsers", "", later(2)),
    )
    removed = git(base, "rev-parse", "HEAD")
    before = state(base)
    found = watched(base)
    assert outcomes(found) == [("push", "opened")]
    notes = found["notes"]
    assert isinstance(notes, list)
    assert [one.partition(" of which")[0] for one in notes] == ["a: 1 refused request"]
    assert state(base) == before
    old, new = document.load([base / "policy.yaml"]).agents["a"], proposed(base).agents["a"]
    (more,) = (rule for rule in new.rules if rule.body not in [one.body for one in old.rules])
    assert (more.effect, more.body.actions, more.body.resources, more.body.branches, more.expires) == (
        *("allow", ("push",), ("acme/*",), None, None),
    )
    now = Authoriser(new, later(0))
    assert now.decide("git", "push", "acme/x", "main").answer == "allowed"
    for request in (("git", "pull", "acme/x"), ("git", "push", "tools/x"), ("stripe", "customers:read")):
        assert now.decide(*request).answer == "not_granted"
    call(base, "publish", "--agent", "a", "--as-of", "2026-11-08")  # files the merged one away
    assert len(list((base / ".tightener" / "pull-requests").glob("*.1.md"))) == 1
    tips = {one: git(base, "rev-parse", one) for one in branches(base)}
    assert outcomes(watched(base)) == [("push", "unchanged")]
    assert tips == {one: git(base, "rev-parse", one) for one in branches(base)}
    (body,) = (base / ".tightener" / "pull-requests").glob("*-restore-*.md")
    said = body.read_text()
    assert said.startswith("**This WIDENS the policy of a: it puts back git push")
    for words in (
        "event <code>r1</code>",
        "without asking",
        git(base, "rev-parse", "--short=10", removed),
        "nothing is lost",
    ):
        assert words in said


def test_calls_before_the_merge_and_of_others_are_no_break(base: Path) -> None:
    logged(
        base,
        event("early", "git", "push", "acme/x", FIRST + timedelta(days=DAYS - 2), branch="main"),
        {**event("b", "git", "push", "acme/x", later(1), branch="main"), "agent": "b"},
        {**event("asked", "git", "push", "acme/x", later(1), branch="main"), "decision": "require_approval"},
        {**event("ran", "git", "push", "acme/x", later(1), branch="main"), "enforced": False, "outcome": "success"},
    )
    found = watched(base)
    assert outcomes(found) == []
    assert found["realised"] == [{"file": "policy.yaml", "merged_changes": 4, "missed": 0, "restored": 0}]


def test_merged_it_counts_and_closed_it_is_a_no(base: Path) -> None:
    logged(
        base,
        event("r1", "git", "push", "acme/x", later(1), branch="main"),
        event("s1", "stripe", "customers:read", "", later(1)),
    )
    assert outcomes(watched(base)) == [("push", "opened"), ("customers:read", "opened")]
    push, read = sorted(
        (one for one in branches(base) if one.startswith("tightener-restore/")),
        key=lambda one: "stripe" in git(base, "log", "-1", "--format=%s", one),
    )
    git(base, "branch", "-D", read)
    found = watched(base)
    assert outcomes(found) == [("push", "unchanged"), ("customers:read", "nothing to propose")]
    assert read not in branches(base)
    git(base, "merge", "-q", "--ff-only", push)
    found = watched(base)
    assert outcomes(found) == [("push", "branch removed"), ("customers:read", "nothing to propose")]
    assert found["realised"] == [{"file": "policy.yaml", "merged_changes": 4, "missed": 2, "restored": 1}]
    logged(
        base,
        event("r2", "git", "push", "tools/x", later(2), branch="main"),
        event("s2", "stripe", "customers:read", "", later(2)),
    )
    assert outcomes(watched(base)) == [("push", "opened"), ("customers:read", "nothing to propose")]
    _, out, _ = call(base, "watch")
    assert "policy.yaml: 4 changes were merged so far, 1 had to be restored" in out


def test_what_is_granted_again_by_hand_closes_its_request(base: Path) -> None:
    logged(base, event("r1", "git", "push", "acme/x", later(1), branch="main"))
    assert outcomes(watched(base)) == [("push", "opened")]
    policy = base / "policy.yaml"
    policy.write_text(policy.read_text().replace("[clone]", "[clone, push]", 1))
    git(base, "commit", "-qam", "by hand")
    assert outcomes(watched(base)) == [("push", "closed")]
    assert outcomes(watched(base)) == []


def test_the_next_run_does_not_take_the_restored_grant_away_again(base: Path) -> None:
    logged(base, event("r1", "git", "push", "acme/x", later(1), branch="main"))
    watched(base)
    merge(base, "tightener-restore/", "--ff-only")
    _, out, _ = call(base, "compare", "--agent", "a", "--as-of", "2026-11-08", "--json")
    status = {one["action"]: one["status"] for one in json.loads(out)["grants"]}
    assert (status["push"], status["clone"]) == ("too_new", "exercised")


def test_a_limit_that_went_with_the_grant_is_not_forgotten(tmp_path: Path) -> None:
    """Before the merge, some pushes were denied, and some needed approval; the merge took these limits out, too."""
    deny = '      - {service: git, actions: [push], resources: ["acme/no*"]}\n'
    ask = '    require_approval:\n      - {service: git, actions: [push], resources: ["acme/q*"]}\n'
    base = written(tmp_path / "r", BEFORE.replace("    deny:\n", f"{ask}    deny:\n{deny}"))
    (branch,) = (one for one in branches(base) if one.startswith("tightener/"))
    git(base, "merge", "-q", "--no-ff", "--no-commit", branch)
    policy = base / "policy.yaml"
    text = policy.read_text()
    assert deny in text
    policy.write_text(text.replace(ask, "").replace(deny, ""))
    git(base, "add", "policy.yaml")
    git(base, "commit", "-q", "-m", "take it, and more")
    logged(base, event("r1", "git", "push", "acme/x", later(1), branch="main"))
    assert outcomes(watched(base)) == [("push", "opened")]
    (more,) = (rule for rule in proposed(base).agents["a"].rules if rule.body.actions == ("push",))
    assert (more.body.resources, more.body.branches) == (("acme/x",), ("main",))


@pytest.fixture
def github(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    openapi.description()
    monkeypatch.setattr(client, "_BETWEEN_WRITES", None)
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")
    made_ = GitHub()
    server = Server(made_)
    with (fresh / "tightener.yaml").open("a") as file:
        file.write(f"publish: {{github: acme/policies, api: '{server.url}'}}\n")
    yield made_
    server.close()
    assert not made_.broken, made_.broken


@pytest.mark.parametrize("squash", [False, True])
def test_on_github_too(fresh: Path, github: GitHub, *, squash: bool) -> None:
    base = fresh
    github.commit({"policy.yaml": BEFORE.encode()}, "start")
    code, _, err = call(base, "publish", "--agent", "a", "--min-age", "0d", "--json")
    assert code == 0, err
    github.merge(1, squash=squash)
    (base / "policy.yaml").write_bytes(github.read(github.refs["main"], "policy.yaml"))
    git(base, "commit", "-qam", "pulled")
    assert outcomes(watched(base)) == []
    logged(base, event("r1", "git", "push", "acme/x", later(1), branch="main"))
    dry = call(base, "watch", "--dry-run")
    assert "POST" in dry[1]
    assert len(github.pulls) == 1
    assert outcomes(watched(base)) == [("push", "opened")]
    writes = len(github.writes)
    assert (outcomes(watched(base)), len(github.writes)) == ([("push", "unchanged")], writes)
    _, restore = github.pulls
    assert restore["title"].startswith("Restore git push for a in")
    github.close(2, "not needed", when=f"{later(0):%Y-%m-%dT%H:%M:%SZ}")
    found = watched(base)
    assert outcomes(found) == [("push", "branch removed")]
    assert "not needed" in json.dumps(found)
    assert outcomes(watched(base)) == [("push", "nothing to propose")]
    assert len(github.pulls) == 2


@pytest.mark.parametrize("how", ["500", "drop", "drop after"])
def test_a_fault_at_any_write_leaves_no_second_request(
    fresh: Path, github: GitHub, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.0)
    monkeypatch.setattr(client, "_TRIES", 0)
    monkeypatch.setattr(client, "_TIMEOUT", 1)
    github.commit({"policy.yaml": BEFORE.encode(), "CODEOWNERS": b"* @dana\n"}, "start")
    assert call(fresh, "publish", "--agent", "a", "--min-age", "0d")[0] == 0
    github.merge(1)
    (fresh / "policy.yaml").write_bytes(github.read(github.refs["main"], "policy.yaml"))
    git(fresh, "commit", "-qam", "pulled")
    logged(fresh, event("r1", "git", "push", "acme/x", later(1), branch="main"))
    wanted = len(github.writes)
    for _ in range(10):  # the next write fails, and the run after it goes on
        left = [True]

        def fault(_number: int, verb: str, left: list[bool] = left) -> str:
            return how if verb != "GET" and left and left.pop() else ""

        github.fault = fault
        call(fresh, "watch")
    github.fault = lambda number, verb: ""
    assert outcomes(watched(fresh)) == [("push", "unchanged")]
    assert len(github.pulls) == 2
    assert github.pulls[1]["labels"] == [{"name": "tightener"}]
    assert github.pulls[1]["asked"] == ["dana"]
    assert len(github.writes) > wanted
