"""What `tightener doctor` says of a token: by what GitHub answers, without a write, and no more than can be known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openapi
import pytest
from fake_github import GitHub, Server

from tightener import doctor
from tightener.config import Config, Publish
from tightener.doctor import Check, Level
from tightener.publish import client

NOW = datetime(2026, 11, 24, tzinfo=UTC)
READS = ["/repos/acme/policies", "/repos/acme/policies/git/ref/heads/main", "/repos/acme/policies/pulls"]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    openapi.description()
    monkeypatch.setattr(client, "_FIRST_WAIT", 0.0)
    monkeypatch.setattr(client, "_TRIES", 1)
    monkeypatch.setattr(client, "_TIMEOUT", 1)


@pytest.fixture
def github() -> Iterator[GitHub]:
    made = GitHub(facts=permitted(push=True))
    made.commit({"README.md": b"x"}, "start")
    yield made
    assert not made.broken, made.broken
    assert not made.writes


@pytest.fixture
def url(github: GitHub) -> Iterator[str]:
    server = Server(github)
    yield server.url
    server.close()


def permitted(*, push: bool) -> dict[str, Any]:
    more = {"admin": False, "maintain": False, "triage": push, "pull": True}
    return {"permissions": {**more, "push": push}, "archived": False, "disabled": False}


def asked(tmp_path: Path, url: str, *, of: str = "acme/policies", base: str = "", **environment: str) -> list[Check]:
    config = Config(path=tmp_path / "tightener.yaml", publish=Publish(github=of, api=url, base=base))
    found = doctor.examine(config, tmp_path / "none.duckdb", NOW, {"GITHUB_TOKEN": "secret-token", **environment})
    return [one for one in found if one.about == "publish"]


def test_a_token_in_order_is_said_to_be_so_as_far_as_is_known(tmp_path: Path, url: str, github: GitHub) -> None:
    (one,) = asked(tmp_path, url)
    assert one.level is Level.OK
    assert "acme/policies, branch main" in one.says
    assert "its user may push" in one.says
    assert "only a write would show" in one.says
    assert [path for _, path, _ in github.log] == READS
    (same,) = asked(tmp_path, url, GITHUB_TOKEN="", GH_TOKEN="secret-token")
    assert same == one
    assert "secret-token" not in repr(one)


@pytest.mark.parametrize("given", ["GITHUB_TOKEN", "GH_TOKEN"])
def test_a_token_that_github_does_not_know(given: str, tmp_path: Path, url: str) -> None:
    (one,) = asked(tmp_path, url, **{"GITHUB_TOKEN": "", given: "an old one"})
    assert (one.level, "[github-token]" in one.says) == (Level.PROBLEM, True)


def test_no_token_asks_nobody(tmp_path: Path, url: str, github: GitHub) -> None:
    (one,) = asked(tmp_path, url, GITHUB_TOKEN="")
    assert (one.level, one.do) == (Level.PROBLEM, "set GITHUB_TOKEN")
    assert not github.log


def test_a_repository_that_is_not_there_for_the_token(tmp_path: Path, url: str, github: GitHub) -> None:
    (one,) = asked(tmp_path, url, of="acme/secrets")
    assert (one.level, "[github-not-found]" in one.says) == (Level.PROBLEM, True)
    assert len(github.log) == 1


def test_a_branch_that_is_not_there(tmp_path: Path, url: str) -> None:
    (one,) = asked(tmp_path, url, base="release")
    assert (one.level, "release" in one.says, "[no-base]" in one.says) == (Level.PROBLEM, True, True)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_what_may_not_be_read_is_named(number: int, tmp_path: Path, url: str, github: GitHub) -> None:
    github.fault = lambda at, verb: "403 weak" if at == number else ""
    (one,) = asked(tmp_path, url)
    assert (one.level, "[github-forbidden]" in one.says) == (Level.PROBLEM, True)
    assert f"GET {READS[number]}:" in one.says
    assert "contents: write" in one.do


@pytest.mark.parametrize("word", ["archived", "disabled"])
def test_a_repository_that_takes_nothing(word: str, tmp_path: Path, url: str, github: GitHub) -> None:
    github.facts[word] = True
    (one,) = asked(tmp_path, url)
    assert (one.level, word in one.says) == (Level.PROBLEM, True)


def test_a_user_who_may_not_push(tmp_path: Path, url: str, github: GitHub) -> None:
    github.facts = permitted(push=False)
    (one,) = asked(tmp_path, url)
    assert (one.level, "may not push" in one.says) == (Level.PROBLEM, True)


def test_an_answer_without_permissions_says_nothing_about_them(tmp_path: Path, url: str, github: GitHub) -> None:
    del github.facts["permissions"]
    (one,) = asked(tmp_path, url)
    assert (one.level, "may push" in one.says) == (Level.OK, False)
    assert "only a write would show" in one.says


@pytest.mark.parametrize("push", [True, False])
def test_of_an_apps_token_push_says_nothing(push: bool, tmp_path: Path, url: str, github: GitHub) -> None:
    github.token, github.facts = "ghs_app", permitted(push=push)
    (one,) = asked(tmp_path, url, GITHUB_TOKEN="ghs_app")
    assert (one.level, "may push" in one.says) == (Level.OK, False)
    assert "only a write would show" in one.says


def test_a_workflows_own_token_starts_no_checks(tmp_path: Path, url: str, github: GitHub) -> None:
    github.token = "ghs_own"
    first, second = asked(tmp_path, url, GITHUB_TOKEN="ghs_own", GITHUB_ACTIONS="true")
    assert (first.level, second.level) == (Level.OK, Level.WARNING)
    assert "start no checks" in second.says
    github.token = "ghp_a_persons"
    (one,) = asked(tmp_path, url, GITHUB_TOKEN="ghp_a_persons", GITHUB_ACTIONS="true")
    assert one.level is Level.OK


def test_a_repository_by_another_name_is_one_whose_pull_requests_would_not_be_known(
    tmp_path: Path, url: str, github: GitHub
) -> None:
    github.facts["full_name"] = "acme/rules"
    first, second = asked(tmp_path, url)
    assert (first.level, first.do) == (Level.PROBLEM, "write `publish: github: acme/rules`")
    assert second.level is Level.OK


@pytest.mark.parametrize("fault", ["500", "drop", "403 long", "429"])
def test_no_answer_is_no_verdict(fault: str, tmp_path: Path, url: str, github: GitHub) -> None:
    github.fault = lambda at, verb: fault
    (one,) = asked(tmp_path, url)
    assert (one.level, "is not known" in one.says) == (Level.WARNING, True)
    assert one.do
