"""`tightener revert`: however something was merged, it comes back, as a pull request, and is not proposed again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openapi
import pytest
from fake_github import GitHub, Server
from repository import ROOT, call, git, state
from test_github import FAULTS
from tightened import ALL, CREATE, DROP, NARROW, POLICY, draft, merge

from tightener import reverting
from tightener.errors import TightenerError
from tightener.policy import document
from tightener.publish import client, merges, record
from tightener.publish.commit import branch_of, revert_branch_of
from tightener.publish.git import Git
from tightener.publish.github import GitHubHost
from tightener.publish.github_merges import GitHubHistory
from tightener.publish.host import Kind, Outcome
from tightener.publish.local import LocalHost
from tightener.publish.merges import Merged
from tightener.publish.settle import settle
from tightener.pulls import Place

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PATH = "policy.yaml"
WEEKLY, BRANCH = branch_of(PATH), revert_branch_of(PATH)
BODIES = ".tightener/pull-requests"


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a policy and a configuration."""
    monkeypatch.setenv("GITHUB_ACTOR", "dana")
    base = tmp_path / "work"
    base.mkdir()
    (base / PATH).write_text(POLICY)
    (base / "tightener.yaml").write_text("policy: policy.yaml\n")
    (base / ".gitignore").write_text(".tightener/\n")
    git(base, "init", "-q", "-b", "main")
    git(base, "config", "user.email", "dana@acme.example")
    git(base, "config", "user.name", "Dana")
    git(base, "config", "core.autocrlf", "false")
    commit(base, "start")
    return base


def commit(top: Path, what: str) -> str:
    git(top, "add", "--all")
    git(top, "commit", "-q", "-m", what)
    return git(top, "rev-parse", "HEAD")


def local(top: Path) -> LocalHost:
    return LocalHost(Git(top), top / BODIES, NOW)


def weekly(top: Path, number: int = len(ALL)) -> None:
    """The pull request of a week, with so many changes."""
    text = (top / PATH).read_text()
    content = merge(ALL[:number], text).encode()
    settle(local(top), draft(PATH, Git(top).name_of(content), ALL[:number], text), 1)


def fast_forward(top: Path) -> str:
    git(top, "merge", "-q", "--ff-only", WEEKLY)
    return git(top, "rev-parse", "HEAD")


def merge_commit(top: Path) -> str:
    git(top, "merge", "-q", "--no-ff", "--no-edit", WEEKLY)
    return git(top, "rev-parse", "HEAD")


def squash(top: Path) -> str:
    git(top, "merge", "-q", "--squash", WEEKLY)
    return commit(top, f"squashed\n\n{git(top, 'show', '-s', '--format=%B', WEEKLY)}")


def rebase(top: Path) -> str:
    git(top, "checkout", "-q", "-b", "rebased", WEEKLY)
    git(top, "rebase", "-q", "--force-rebase", "main")
    git(top, "checkout", "-q", "main")
    git(top, "merge", "-q", "--ff-only", "rebased")
    return git(top, "rev-parse", "HEAD")


WAYS = (fast_forward, merge_commit, squash, rebase)
MOVED = (merge_commit, squash, rebase)  # the base has, before the merge


@pytest.mark.parametrize("refreshed", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_however_it_was_merged_all_of_it_comes_back(top: Path, way: Callable[[Path], str], refreshed: bool) -> None:
    if refreshed:
        weekly(top, 2)
    weekly(top)
    merged = way(top)
    assert (top / PATH).read_text() == merge()
    before = state(top)
    code, out, _ = call(top, "revert", merged, "--json")
    assert code == 0
    (one,) = json.loads(out)["pull_requests"]
    assert (one["outcome"], one["branch"]) == ("opened", BRANCH)
    assert git(top, "show", f"{BRANCH}:{PATH}") + "\n" == POLICY
    assert git(top, "diff", "--name-only", "main", BRANCH) == PATH
    assert state(top) == before
    (undone,) = json.loads(out)["reverts"]
    assert undone["suggestions"] == [one.id for one in ALL]
    code, out, _ = call(top, "revert", merged, "--json")
    assert json.loads(out)["pull_requests"][0]["outcome"] == "unchanged"


@pytest.mark.parametrize("way", MOVED)
def test_what_others_had_changed_before_the_merge_is_no_part_of_it(top: Path, way: Callable[[Path], str]) -> None:
    weekly(top, 2)
    weekly(top)
    (top / PATH).write_text(POLICY.replace("# top", "# head, by kim"))
    commit(top, "kim")
    merged = way(top)
    later = (top / PATH).read_text().replace("# billing", "# billing, by dana")
    (top / PATH).write_text(later)
    commit(top, "dana")
    assert call(top, "revert", merged)[0] == 0
    expected = POLICY.replace("# top", "# head, by kim").replace("# billing", "# billing, by dana")
    assert git(top, "show", f"{BRANCH}:{PATH}") + "\n" == expected


def test_diff_write_and_dry_run(top: Path, tmp_path: Path) -> None:
    weekly(top)
    merged = squash(top)
    before = (state(top), git(top, "count-objects", "-v"), sorted((top / BODIES).iterdir()))
    code, out, _ = call(top, "revert", merged, "--diff")
    assert code == 0
    (tmp_path / "back.diff").write_text(out)
    code, dry, _ = call(top, "revert", merged, "--dry-run")
    assert code == 0
    assert f"git update-ref refs/heads/{BRANCH}" in dry
    assert (state(top), git(top, "count-objects", "-v"), sorted((top / BODIES).iterdir())) == before
    git(top, "apply", "--check", str(tmp_path / "back.diff"))
    code, out, _ = call(top, "revert", merged, "--write", "--only", NARROW.id)
    assert code == 0
    assert (top / PATH).read_text() == merge([one for one in ALL if one is not NARROW])
    assert call(top, "revert", merged, "--write")[0] == 0  # the rest, over what is not committed
    assert (top / PATH).read_text() == POLICY
    code, out, _ = call(top, "revert", merged, "--write")
    assert "granted again already" in out
    assert call(top, "revert", merged, "--diff", "--dry-run")[0] == 2


def test_windows_line_endings_in_the_work_tree_only(top: Path) -> None:
    weekly(top)
    merged = squash(top)
    git(top, "config", "core.autocrlf", "true")
    (top / PATH).write_bytes(merge().replace("\n", "\r\n").encode())
    assert call(top, "revert", merged)[0] == 0
    assert git(top, "show", f"{BRANCH}:{PATH}") + "\n" == POLICY
    assert call(top, "revert", merged, "--write")[0] == 0
    assert (top / PATH).read_bytes() == POLICY.replace("\n", "\r\n").encode()


def test_a_body_in_a_file_names_its_pull_request(top: Path) -> None:
    weekly(top)
    name = f"{WEEKLY.rpartition('/')[2]}.md"
    code, _, err = call(top, "revert", name)
    assert (code, "not-merged" in err) == (1, True)
    merge_commit(top)
    (top / PATH).write_text((top / PATH).read_text().replace("# top", "# head"))
    commit(top, "more")
    assert call(top, "revert", name, "--only", DROP.id)[0] == 0
    (body,) = (top / BODIES).glob("revert-*.md")
    assert f"{name} took away" in body.read_text()
    known = record.read(body.read_text())
    assert known is not None
    assert DROP.id in known.taken
    assert NARROW.id not in known.taken
    code, _, err = call(top, "revert", name, "--only", CREATE.id)
    assert (code, "revert-open" in err) == (1, True)


@pytest.mark.parametrize(
    ("what", "slug"),
    [("nonsense", "unknown-change"), ("#7", "unknown-change"), ("7", "unknown-change"), ("HEAD~1", "")],
)
def test_what_is_no_change_of_the_policy_is_said(top: Path, what: str, slug: str) -> None:
    weekly(top)
    merge_commit(top)
    (top / "other").write_text("x")
    commit(top, "other work")
    code, _, err = call(top, "revert", "--", what)
    assert (code, slug in err) == (1 if slug else 0, True)
    code, _, err = call(top, "revert", "HEAD")
    assert "unknown-change" in err
    code, _, err = call(top, "revert", "--", "--help")
    assert (code, "unknown-change" in err) == (1, True)


def test_what_is_not_merged_and_what_is_not_committed_is_refused(top: Path) -> None:
    weekly(top)
    code, _, err = call(top, "revert", WEEKLY)
    assert (code, "not-merged" in err) == (1, True)
    merged = merge_commit(top)
    (top / PATH).write_text((top / PATH).read_text() + "# more\n")
    code, _, err = call(top, "revert", merged)
    assert (code, "policy-not-in-base" in err) == (1, True)
    assert call(top, "revert", merged, "--diff")[0] == 0
    assert not git(top, "branch", "--list", BRANCH)


def test_a_run_that_was_interrupted_goes_on(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weekly(top)
    merged = merge_commit(top)
    with monkeypatch.context() as broken:
        broken.setattr(LocalHost, "_write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert call(top, "revert", merged)[0] != 0
    assert git(top, "show", f"{BRANCH}:{PATH}") + "\n" == POLICY
    code, out, _ = call(top, "revert", merged, "--json")
    assert (code, json.loads(out)["pull_requests"][0]["outcome"]) == (0, "opened")
    assert git(top, "rev-list", "--count", f"main..{BRANCH}") == "1"


def test_texts_of_then_that_are_no_policies_are_said(top: Path) -> None:
    (top / PATH).write_text(POLICY.replace("service: git", "servise: git"))
    commit(top, "broken")
    (top / PATH).write_text(merge())
    merged = commit(top, "mended, and tightened")
    code, _, err = call(top, "revert", merged)
    assert (code, "policy.yaml before the merge:6" in " ".join(err.split())) == (1, True), err


def test_an_entangled_revert_ends_with_11_and_writes_nothing(top: Path) -> None:
    twice = POLICY.replace(
        "    deny:", '      - {service: git, actions: [fetch], resources: ["acme/*"]}   # twice\n    deny:'
    )
    (top / PATH).write_text(twice)
    commit(top, "twice")
    weekly(top)
    merged = merge_commit(top)
    gone = "".join(x for x in (top / PATH).read_text().splitlines(keepends=True) if "# twice" not in x)
    (top / PATH).write_text(gone)
    commit(top, "no fetching any more")
    for words in ((), ("--write",), ("--diff",)):
        code, out, err = call(top, "revert", merged, *words)
        assert (code, out) == (11, "")
        assert "git fetch" in err
    assert (top / PATH).read_text() == gone
    assert not git(top, "branch", "--list", BRANCH)
    assert call(top, "revert", merged, "--only", CREATE.id)[0] == 0


def test_a_merged_revert_is_a_no_for_90_days(top: Path) -> None:
    weekly(top)
    merged = merge_commit(top)
    call(top, "revert", merged)
    seen = local(top).look(PATH, BRANCH)
    assert record.reverted(seen, NOW.date()) == {}, "nobody has said yes yet"
    git(top, "merge", "-q", "--no-edit", BRANCH)
    seen = local(top).look(PATH, BRANCH)
    no = record.reverted(seen, NOW.date())
    assert {one.id for one in ALL} <= set(no)
    assert "reverted in revert-" in no[DROP.id].reason
    assert no[DROP.id].standing == "aaaaaa"
    assert record.reverted(seen, seen.ended[0].day + timedelta(days=89))
    assert record.reverted(seen, seen.ended[0].day + timedelta(days=90)) == {}
    code, out, _ = call(top, "revert", merged, "--json")
    assert (code, json.loads(out)["pull_requests"][0]["outcome"]) == (0, "branch removed")


def test_a_revert_that_people_closed_is_no_no(top: Path) -> None:
    weekly(top)
    merged = merge_commit(top)
    call(top, "revert", merged)
    git(top, "branch", "-D", BRANCH)
    assert record.reverted(local(top).look(PATH, BRANCH), NOW.date()) == {}
    assert call(top, "revert", merged)[0] == 0
    assert git(top, "show", f"{BRANCH}:{PATH}") + "\n" == POLICY


# --- the weekly run afterwards ---------------------------------------------------------------------------------------

REPORT = ("--agent", "claude-report-03", "--min-age", "0d")  # else what came back is too new for a word, at first
SPLIT = "split-rule-94764c"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample story, read, and its first pull request merged."""
    base = tmp_path_factory.mktemp("reverted") / "story"
    shutil.copytree(ROOT / "sample_logs", base, ignore=shutil.ignore_patterns(".tightener", "__pycache__", "*.py"))
    (base / ".gitignore").write_text(".tightener/\ngateway/\nAWSLogs/\n")
    git(base, "init", "-q", "-b", "main")
    git(base, "config", "user.email", "dana@acme.example")
    git(base, "config", "user.name", "Dana")
    commit(base, "the policy")
    assert call(base, "ingest", "--quiet")[0] == 0
    assert call(base, "publish", *REPORT)[0] == 0
    git(base, "merge", "-q", "--no-ff", "--no-edit", WEEKLY)
    return base


@pytest.mark.parametrize("only", [(), ("--only", SPLIT)])
def test_the_next_week_does_not_propose_it_again(story: Path, tmp_path: Path, only: tuple[str, ...]) -> None:
    base = tmp_path / "story"
    shutil.copytree(story, base)
    assert call(base, "revert", "HEAD", *only)[0] == 0
    git(base, "merge", "-q", "--no-ff", "--no-edit", BRANCH)
    back = (base / PATH).read_text()
    assert (back == (ROOT / "sample_logs" / PATH).read_text()) is not bool(only)
    for _ in range(2):
        code, out, _ = call(base, "publish", *REPORT, "--json")
        (one,) = json.loads(out)["pull_requests"]
        assert (code, one["changes"]) == (0, 0), one
        assert only or "people said no" in one["why"]  # a part that is too young alone is not even considered
    assert not git(base, "branch", "--list", "tightener/*")
    assert sorted(file.name for file in (base / BODIES).iterdir()) == [
        f"{name.rpartition('/')[2]}.1.md" for name in (WEEKLY, BRANCH)
    ]
    shutil.rmtree(base / BODIES)  # what it remembers stands there and nowhere else
    _, out, _ = call(base, "publish", *REPORT, "--json")
    assert only or json.loads(out)["pull_requests"][0]["changes"] > 0


# --- on GitHub -------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.0)
    monkeypatch.setattr(client, "_BETWEEN_WRITES", None)
    monkeypatch.setattr(client, "_TRIES", 2)
    monkeypatch.setattr(client, "_TIMEOUT", 1)


@pytest.fixture
def github() -> Iterator[GitHub]:
    openapi.description()
    made = GitHub()
    yield made
    assert not made.broken, made.broken


@pytest.fixture
def url(github: GitHub) -> Iterator[str]:
    server = Server(github)
    yield server.url
    server.close()


def hosted(url: str) -> GitHubHost:
    return GitHubHost(client.connect("secret-token", url), "acme/policies", ("tightener",), date(2026, 11, 25))


def tightened_on(github: GitHub, url: str, *, refreshed: bool = False, **how: bool) -> None:
    """A pull request of tightener's, merged, after somebody else's work."""
    github.commit({PATH: POLICY.encode(), "README.md": b"x", "CODEOWNERS": b"* @dana\n"}, "start")
    for number in (2, len(ALL))[not refreshed :]:
        text = merge(ALL[:number]).encode()
        settle(hosted(url), draft(PATH, github.keep("blob", text), ALL[:number]), 1)
    github.merge(1, **how)
    assert github.read(github.refs["main"], PATH).decode() == merge()


def configured(top: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout of what is merged."""
    (top / "tightener.yaml").write_text(f"policy: policy.yaml\npublish: {{github: acme/policies, api: '{url}'}}\n")
    (top / PATH).write_text(merge())
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")


@pytest.mark.parametrize("refreshed", [False, True])
@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_a_number_is_enough(
    top: Path, github: GitHub, url: str, monkeypatch: pytest.MonkeyPatch, how: str, refreshed: bool
) -> None:
    tightened_on(github, url, refreshed=refreshed, **({} if how == "merge" else {how: True}))
    configured(top, url, monkeypatch)
    writes = len(github.writes)
    code, out, _ = call(top, "revert", "1", "--diff")
    assert (code, len(github.writes), out[:3]) == (0, writes, "---")
    code, out, _ = call(top, "revert", "1", "--dry-run")
    assert (code, len(github.writes)) == (0, writes)
    assert f"POST {url}/repos/acme/policies/pulls" in out
    code, out, err = call(top, "revert", "#1")
    assert code == 0, err
    pull = github.pulls[1]
    assert github.read(github.refs[BRANCH], PATH).decode() == POLICY
    assert github.read(github.refs[BRANCH], "README.md") == b"x"
    assert pull["title"] == "Give back what pull request 1 took away from policy.yaml"
    assert "This is a widening: it gives <code>a</code> back what #1 took away." in pull["body"]
    assert (pull["asked"], pull["labels"]) == (["dana"], [{"name": "tightener"}])
    writes = len(github.writes)
    code, out, _ = call(top, "revert", "1", "--json")
    assert (json.loads(out)["pull_requests"][0]["outcome"], len(github.writes)) == ("unchanged", writes)
    github.merge(2, squash=True)
    seen = hosted(url).look(PATH, BRANCH)
    assert {one.id for one in ALL} <= set(record.reverted(seen, NOW.date()))
    assert "reverted in #2" in record.reverted(seen, NOW.date())[DROP.id].reason


def test_one_suggestion_of_a_number_and_what_is_not_merged(
    top: Path, github: GitHub, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tightened_on(github, url)
    configured(top, url, monkeypatch)
    code, _, err = call(top, "revert", "1", "--only", "drop-rule-000000")
    assert (code, DROP.id in err) == (1, True)
    assert call(top, "revert", "1", "--only", DROP.id)[0] == 0
    assert github.read(github.refs[BRANCH], PATH).decode() == merge([one for one in ALL if one is not DROP])
    code, _, err = call(top, "revert", "2")
    assert (code, "#2 is open still" in err) == (1, True)
    github.close(2)
    code, _, err = call(top, "revert", "2")
    assert (code, "closed without merging" in err) == (1, True)
    code, _, err = call(top, "revert", "9")
    assert (code, "github-not-found" in err) == (1, True)
    github.pulls[0]["base"] = {"ref": "release"}
    code, _, err = call(top, "revert", "1")
    assert (code, "merged into release" in err) == (1, True)
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.delenv("GH_TOKEN", raising=False)
    code, _, err = call(top, "revert", "1")
    assert (code, "github-token" in err) == (1, True)


def test_a_commit_is_known_by_what_its_pull_request_proposed(
    top: Path, github: GitHub, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tightened_on(github, url)
    configured(top, url, monkeypatch)
    merged = commit(top, "pulled")
    code, out, err = call(top, "revert", merged, "--only", DROP.id, "--json")
    assert code == 0, err
    assert json.loads(out)["reverts"][0]["undoes"] == "#1"
    assert github.read(github.refs[BRANCH], PATH).decode() == merge([one for one in ALL if one is not DROP])


def test_a_file_that_github_does_not_hand_out_is_said(
    top: Path, github: GitHub, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tightened_on(github, url)
    configured(top, url, monkeypatch)
    answer = github.answer

    def empty(verb: str, path: str, query: dict[str, str], body: object) -> tuple[int, object]:
        status, found = answer(verb, path, query, body)
        return status, {**found, "content": "", "encoding": "none"} if path.endswith(PATH) else found

    monkeypatch.setattr(github, "answer", empty)
    code, _, err = call(top, "revert", "1")
    assert (code, "too large" in err) == (1, True)


def test_a_commit_needs_no_token_for_a_diff(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(top, "https://github.example", monkeypatch)
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.delenv("GH_TOKEN", raising=False)
    merged = commit(top, "tightened by hand")
    code, out, _ = call(top, "revert", merged, "--diff")
    assert (code, out[:3]) == (0, "---")
    assert call(top, "revert", merged, "--write")[0] == 0
    assert (top / PATH).read_text() == POLICY


def undone(top: Path, url: str) -> Outcome:
    host = hosted(url)
    history = GitHubHistory(host.api, host.repository)
    name, body = history.pull_request(1, host.base())
    found = merges.texts(history, name, PATH)
    assert found is not None
    place = Place(document.parse(merge(), PATH), Git(top), PATH, host)
    return reverting.propose(reverting.undo(place, Merged("#1", name, *found, body), (), NOW), "dana")


def lived(top: Path, fault: str, at: int, *, lasting: bool) -> tuple[object, int]:
    """What a revert comes to with a fault at one of its calls, and once more without; its calls."""
    github = GitHub()
    server = Server(github)
    try:
        tightened_on(github, server.url)
        start = len(github.log)

        def broken(number: int, verb: str) -> str:
            if at < 0 or (verb == "GET" and fault == "422"):
                return ""
            return fault if number - start == at or (lasting and number - start > at) else ""

        github.fault = broken
        slug = ""
        try:
            undone(top, server.url)
        except TightenerError as error:
            slug = error.slug
        assert not slug or slug.startswith("github-"), slug
        calls = len(github.log) - start
        github.fault = lambda number, verb: ""
        assert undone(top, server.url).kind in {Kind.UNCHANGED, Kind.OPENED, Kind.REFRESHED}
        before = len(github.writes)
        undone(top, server.url)
        assert len(github.writes) == before
        assert not github.broken, github.broken
        said = ("state", "body", "labels", *(() if fault == "422" else ("asked",)))
        pulls = [[one[key] for key in said] for one in github.pulls]
        return (pulls, {ref: github.read(sha, PATH) for ref, sha in github.refs.items()}), calls
    finally:
        server.close()


@pytest.mark.parametrize("fault", [one for one in FAULTS if one != "timeout"])
def test_a_fault_at_any_call_leaves_one_request(top: Path, fault: str) -> None:
    openapi.description()
    clean, calls = lived(top, fault, -1, lasting=False)
    assert calls > 20
    for at in range(FAULTS.index(fault), calls, 2 if fault == "drop after" else len(FAULTS)):
        assert lived(top, fault, at, lasting=False)[0] == clean, (fault, at)


def test_a_network_that_dies_at_any_call_loses_nothing(top: Path) -> None:
    openapi.description()
    clean, calls = lived(top, "drop", -1, lasting=False)
    for at in range(0, calls, 3):
        assert lived(top, "drop" if at % 2 else "drop after", at, lasting=True)[0] == clean, at
