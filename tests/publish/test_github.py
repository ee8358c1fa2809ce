"""The whole life of a request against a small GitHub that obeys GitHub's own description, with faults at every call."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import openapi
import pytest
from fake_github import ROOT, GitHub, Server
from repository import NEW, NEWER, OLD, PATH

from tightener.errors import ConfigError, TightenerError
from tightener.publish import client, record
from tightener.publish.commit import branch_of
from tightener.publish.github import GitHubHost
from tightener.publish.host import Again, Draft, Kind, Outcome
from tightener.publish.record import Record
from tightener.publish.settle import settle

TODAY = date(2026, 11, 24)
BRANCH = branch_of(PATH)
ONE = "drop-rule-111111"
LABELS = ("tightener", "least privilege")
OWNERS = b"/policies/ @dana @acme/security\n"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    openapi.description()
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.0)
    monkeypatch.setattr(client, "_BETWEEN_WRITES", None)
    monkeypatch.setattr(client, "_TRIES", 2)
    monkeypatch.setattr(client, "_TIMEOUT", 1)
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=_slept, time=time.time))


def _slept(seconds: float) -> None:
    assert seconds < 2, f"it waits for {seconds} seconds"


@pytest.fixture
def github() -> Iterator[GitHub]:
    made = repository()
    yield made
    assert not made.broken, made.broken


@pytest.fixture
def url(github: GitHub) -> Iterator[str]:
    server = Server(github)
    yield server.url
    server.close()


@pytest.fixture
def host(url: str) -> GitHubHost:
    return GitHubHost(client.connect("secret-token", url), "acme/policies", LABELS, TODAY)


def repository() -> GitHub:
    made = GitHub()
    made.commit({PATH: OLD.encode(), "README.md": b"x", "CODEOWNERS": OWNERS}, "start")
    return made


def draft(text: str = NEW, changes: int = 1, *, unsure: bool = False) -> Draft:
    blob = GitHub().keep("blob", text.encode())
    known = Record(("a",), {ONE: "aaaaaa"} if changes else {}, {}, "dana", blob)
    body = f"{text}\n- [x] <code>{ONE}</code> drop it\n{record.hidden(known)}\n"
    return Draft(PATH, BRANCH, changes, text.encode(), blob, "Tighten", "Tighten", body, unsure, why="nothing is left")


def run(host: GitHubHost, *wanted: Draft) -> list[Outcome]:
    return [settle(host, one, 3) for one in wanted]


def test_it_opens_once_and_refreshes_in_place(github: GitHub, host: GitHubHost) -> None:
    (done,) = run(host, draft())
    assert (done.kind, done.place) == (Kind.OPENED, "https://github.example/acme/policies/pull/1")
    (pull,) = github.pulls
    assert (pull["body"], pull["title"], pull["draft"]) == (draft().body, "Tighten", False)
    assert {one["name"] for one in pull["labels"]} == set(LABELS)
    assert pull["asked"] == ["dana", "security"]
    tip = github.refs[BRANCH]
    assert github.read(tip, PATH) == NEW.encode()
    assert github.read(tip, "README.md") == b"x"
    assert github.objects[tip]["parents"] == [github.refs["main"]]
    writes = len(github.writes)
    assert run(host, draft())[0].kind is Kind.UNCHANGED
    assert len(github.writes) == writes, "a run without news wrote something"
    assert run(host, draft(NEWER))[0].kind is Kind.REFRESHED
    assert github.objects[github.refs[BRANCH]]["parents"] == [tip]
    assert [one["body"] for one in github.pulls] == [draft(NEWER).body]


def test_a_moved_base_is_merged_in_and_the_rest_of_it_kept(github: GitHub, host: GitHubHost) -> None:
    run(host, draft())
    tip = github.refs[BRANCH]
    main = github.commit({"README.md": b"y"}, "other work")
    assert run(host, draft())[0].kind is Kind.UNCHANGED
    run(host, draft(NEWER))
    assert github.objects[github.refs[BRANCH]]["parents"] == [tip, main]
    assert github.read(github.refs[BRANCH], "README.md") == b"y"


def test_hands_off_once_a_person_has_pushed(github: GitHub, host: GitHubHost) -> None:
    run(host, draft())
    theirs = github.commit({PATH: b"mine\n"}, "mine", to=BRANCH)
    writes = len(github.writes)
    for wanted in (draft(NEWER), draft(OLD, 0)):
        (done,) = run(host, wanted)
        assert done.kind is Kind.HANDS_OFF
    assert (github.refs[BRANCH], len(github.writes)) == (theirs, writes)
    assert github.pulls[0]["state"] == "open"


@pytest.mark.parametrize("at", range(1, 6))
def test_a_push_between_two_calls_is_never_overwritten(github: GitHub, host: GitHubHost, at: int) -> None:
    run(host, draft())
    left = [at]

    def push() -> None:
        left[0] -= 1
        if left[0] == 0:
            github.commit({PATH: b"mine\n"}, "mine", to=BRANCH)

    github.before_write = push
    (done,) = run(host, draft(NEWER))
    history = [name for name, one in github.objects.items() if isinstance(one, dict) and one.get("message") == "mine"]
    assert all(github.inside(one, github.refs[BRANCH]) for one in history)
    if at <= 4:  # blob, tree, commit, ref
        assert done.kind is Kind.HANDS_OFF


def test_closing_is_a_no_with_its_reason_and_new_evidence_opens_another(github: GitHub, host: GitHubHost) -> None:
    run(host, draft())
    github.close(1, "not before the year-end\nclose")
    no = record.refused(host.look(PATH, BRANCH), TODAY)
    assert set(no) == {ONE}
    assert "#1 was closed without merging on 2026-11-24 (kim: not before the year-end close)" in no[ONE].reason
    assert record.refused(host.look(PATH, BRANCH), date(2027, 2, 22)) == {}
    assert run(host, draft(NEWER))[0].kind is Kind.OPENED  # about something else
    assert [one["state"] for one in github.pulls] == ["closed", "open"]


@pytest.mark.parametrize("squash", [True, False])
def test_after_merging_the_next_one_starts_from_the_base(github: GitHub, host: GitHubHost, squash: bool) -> None:
    run(host, draft())
    github.merge(1, squash=squash)
    assert record.refused(host.look(PATH, BRANCH), TODAY) == {}
    assert run(host, draft(NEWER))[0].kind is Kind.OPENED
    assert github.inside(github.refs["main"], github.refs[BRANCH])
    github.merge(2, squash=squash)
    assert run(host, draft(NEWER, 0))[0].kind is Kind.CLEARED
    assert BRANCH not in github.refs


def test_an_empty_proposal_closes_its_own_request_with_a_word(github: GitHub, host: GitHubHost) -> None:
    run(host, draft())
    (done,) = run(host, draft(OLD, 0))
    assert (done.kind, BRANCH in github.refs) == (Kind.CLOSED, False)
    assert github.pulls[0]["body"].startswith("**Closed by tightener: nothing is left**")
    assert record.refused(host.look(PATH, BRANCH), TODAY) == {}
    assert run(host, draft(OLD, 0))[0].kind is Kind.NOTHING
    assert run(host, draft())[0].kind is Kind.OPENED


def test_an_edit_in_the_browser_is_no_news_but_its_ticks_are_heard(github: GitHub, host: GitHubHost) -> None:
    run(host, draft())
    github.pulls[0]["body"] = github.pulls[0]["body"].replace("\n", "\r\n")
    assert run(host, draft())[0].kind is Kind.UNCHANGED
    github.pulls[0]["body"] = github.pulls[0]["body"].replace("[x]", "[ ]")
    assert set(record.refused(host.look(PATH, BRANCH), TODAY)) == {ONE}


def test_thin_evidence_opens_a_draft_where_there_are_drafts(github: GitHub, host: GitHubHost) -> None:
    (done,) = run(host, draft(unsure=True))
    assert github.pulls[0]["draft"]
    assert "draft" in done.notes[0]
    github.close(1)
    github.no_drafts = True
    (done,) = run(host, draft(NEWER, unsure=True))
    assert not github.pulls[1]["draft"]
    assert "no drafts" in done.notes[0]


def test_a_reviewer_who_cannot_be_asked_is_said_and_stops_nothing(github: GitHub, host: GitHubHost) -> None:
    github.collaborators = frozenset()
    (done,) = run(host, draft())
    (note,) = done.notes
    assert note.startswith("no review was asked of dana: GitHub refused POST")
    assert github.pulls[0]["asked"] == ["security"]  # who can be asked is
    assert github.pulls[0]["labels"]
    assert run(host, draft())[0].kind is Kind.UNCHANGED


def test_at_most_so_many_are_open_and_strangers_do_not_count(github: GitHub, host: GitHubHost) -> None:
    github.commit({"x": b"1"}, "x", to="feature")
    github.commit({"x": b"2"}, "x", to="tightener/other-000000")
    for head in ("feature", "tightener/other-000000"):
        github.answer("POST", f"{ROOT}/pulls", {}, {"title": "t", "head": head, "base": "main", "body": ""})
    assert settle(host, draft(), 1).kind is Kind.WAITING
    assert settle(host, draft(), 2).kind is Kind.OPENED


FAULTS = ("500", "403", "429 soon", "422", "drop", "drop after", "timeout")


def final(github: GitHub, fault: str) -> object:
    """What a repository has come to, commits by what they hold. A 422 may mean that a review cannot be asked for."""
    said = ("state", "body", "labels", *(() if fault == "422" else ("asked",)))
    pulls = [[p[key] for key in said] for p in github.pulls]
    return pulls, {ref: github.read(sha, PATH) for ref, sha in github.refs.items()}


def lived(step: str, fault: str, at: int, *, lasting: bool) -> tuple[object, list[str]]:
    """What one step of a request's life comes to with a fault at one of its calls, and once more without; its calls.

    What goes wrong once is no error: it is waited for, and tried again.
    """
    github = repository()
    server = Server(github)
    try:
        host = GitHubHost(client.connect("secret-token", server.url), "acme/policies", LABELS, TODAY)
        wanted = {"open": draft(), "refresh": draft(NEWER), "close": draft(OLD, 0)}[step]
        if step != "open":
            run(host, draft())
        start = len(github.log)

        def broken(number: int, verb: str) -> str:
            if at < 0 or (verb == "GET" and fault == "422"):
                return ""  # which GitHub never answers to one
            return fault if number - start == at or (lasting and number - start > at) else ""

        github.fault = broken
        error: TightenerError | None = None
        try:
            run(host, wanted)
        except TightenerError as raised:
            error = raised
        assert error is None or (lasting and error.slug.startswith("github-") and error.hint), error
        calls = [verb for verb, _, _ in github.log[start:]]
        github.fault = lambda number, verb: ""
        run(host, wanted)
        before = len(github.writes)
        run(host, wanted)
        assert len(github.writes) == before
        assert not github.broken, github.broken
        return final(github, fault), calls
    finally:
        server.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_call_of_opening_leaves_one_request(fault: str) -> None:
    clean, calls = lived("open", fault, -1, lasting=False)
    assert len(calls) > 20
    every = range(2, len(calls), 9) if fault == "timeout" else range(len(calls))
    for at in every:
        assert lived("open", fault, at, lasting=False)[0] == clean, (fault, at)


@pytest.mark.parametrize("fault", [one for one in FAULTS if one != "timeout"])
@pytest.mark.parametrize(("step", "writes"), [("refresh", 5), ("close", 2)])
def test_a_fault_at_any_later_write_loses_nothing_either(step: str, writes: int, fault: str) -> None:
    clean, calls = lived(step, fault, -1, lasting=False)
    every = [at for at, verb in enumerate(calls) if verb != "GET"]
    assert len(every) == writes
    for at in every:
        assert lived(step, fault, at, lasting=False)[0] == clean, (fault, at)


@pytest.mark.parametrize("step", ["open", "refresh", "close"])
def test_a_network_that_dies_at_any_call_loses_nothing(step: str) -> None:
    clean, calls = lived(step, "drop", -1, lasting=False)
    for at in range(len(calls)):
        fault = "drop" if at % 2 else "drop after"
        assert lived(step, fault, at, lasting=True)[0] == clean, (fault, at)


@pytest.mark.parametrize(
    ("fault", "slug"),
    [
        ("500", "github-unreachable"),
        ("drop", "github-unreachable"),
        ("403 long", "github-rate-limit"),
        ("403 hour", "github-rate-limit"),
        ("429 hour", "github-rate-limit"),
        ("429", "github-rate-limit"),
        ("403 weak", "github-forbidden"),
        ("422", "github-refused"),
    ],
)
def test_what_lasts_is_said_in_clear_words(github: GitHub, host: GitHubHost, fault: str, slug: str) -> None:
    github.fault = lambda number, verb: fault
    with pytest.raises(TightenerError) as error:
        run(host, draft())
    assert error.value.slug == slug
    assert error.value.hint


def test_a_wrong_token_a_missing_repository_and_a_weak_token_are_told_apart(github: GitHub, url: str) -> None:
    for token, repository_, slug in (
        ("wrong", "acme/policies", "github-token"),
        ("secret-token", "acme/other", "github-not-found"),
    ):
        host = GitHubHost(client.connect(token, url), repository_, LABELS, TODAY)
        with pytest.raises(TightenerError) as error:
            run(host, draft())
        assert error.value.slug == slug
    github.broken.clear()


def test_a_base_that_is_not_there_is_named(github: GitHub, url: str) -> None:
    host = GitHubHost(client.connect("secret-token", url), "acme/policies", LABELS, TODAY, "release")
    with pytest.raises(TightenerError, match="no branch release") as error:
        run(host, draft())
    assert error.value.slug == "no-base"
    assert not github.writes


def test_a_token_is_never_sent_in_the_clear() -> None:
    with pytest.raises(ConfigError) as error:
        client.connect("secret-token", "http://ghes.example/api/v3")
    assert error.value.slug == "github-insecure"


def test_a_dry_run_prints_every_request_that_it_would_send(github: GitHub, url: str) -> None:
    said: list[str] = []
    host = GitHubHost(client.connect("secret-token", url, said.append), "acme/policies", LABELS, TODAY)
    run(host, draft())
    assert not github.writes
    heads = [line.removeprefix(url) if not line.startswith("{") else json.loads(line) for line in said]
    shown = [(one.replace(url, ""), body) for one, body in zip(heads[::2], heads[1::2], strict=True)]
    run(GitHubHost(client.connect("secret-token", url), "acme/policies", LABELS, TODAY), draft())
    sent = [(f"{verb} {path}", body) for verb, path, body in github.writes]
    assert [what for what, _ in shown] == [
        what.replace("/pulls/1/", "/pulls/0/").replace("issues/1", "issues/0") for what, _ in sent
    ]
    assert [sorted(body) for _, body in shown] == [sorted(body) for _, body in sent]
    assert "secret-token" not in "\n".join(said)


def test_the_check_refuses_what_github_does_not_know() -> None:
    path = f"{ROOT}/pulls"
    good = {"title": "t", "head": "h", "base": "main", "body": ""}
    openapi.check_request("POST", path, {}, good)
    bad: list[tuple[str, dict[str, str], object]] = [
        (path, {}, {**good, "drafts": True}),
        (path, {}, {**good, "draft": "yes"}),
        (path, {}, {"title": "t", "head": "h"}),
        (path, {"what": "x"}, good),
        (path, {}, None),
        (f"{ROOT}/pull", {}, good),
    ]
    for where, query, body in bad:
        with pytest.raises(AssertionError):
            openapi.check_request("POST", where, query, body)
    with pytest.raises(AssertionError):
        openapi.check_answer("GET", f"{ROOT}/git/commits/x", 200, {"shaa": "x"})


def test_again_is_an_error_that_people_can_read() -> None:
    assert isinstance(Again("x", slug="github-refused"), TightenerError)
    assert Path(openapi.KEPT).suffix == ".json"
