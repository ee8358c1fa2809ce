"""Who changed a policy: what Git says, and what it does not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tightener.audit.changes import Change, History, history
from tightener.publish.commit import sealed

ANN, BOB = ("Ann", "ann@example.org"), ("Bob", "bob@example.org")
WEB = ("GitHub", "noreply@github.com")
POLICY = "agents:\n  a:\n    allow:\n      - {service: s3, actions: [get]}\n"


class Repository:
    """A repository in which everybody commits under the name that they are given."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.policy = top / "policies" / "a policy.yaml"
        self.policy.parent.mkdir()
        self.policy.write_text(POLICY)
        self.run("init", "-q", "-b", "main")
        self.commit("Policies", ANN)

    def run(self, *words: str, author: tuple[str, str] = ANN, committer: tuple[str, str] | None = None) -> str:
        landing = committer or author
        environment = {
            **os.environ,
            "GIT_AUTHOR_NAME": author[0],
            "GIT_AUTHOR_EMAIL": author[1],
            "GIT_COMMITTER_NAME": landing[0],
            "GIT_COMMITTER_EMAIL": landing[1],
            "GIT_AUTHOR_DATE": "1790000000 +0000",
            "GIT_COMMITTER_DATE": "1790000000 +0000",
        }
        done = subprocess.run(
            ["git", "-C", str(self.top), *words], check=True, capture_output=True, text=True, env=environment
        )
        return done.stdout.strip()

    def commit(self, message: str, author: tuple[str, str], committer: tuple[str, str] | None = None) -> None:
        self.policy.write_text(self.policy.read_text() + "# more\n")
        self.run("add", ".")
        self.run("commit", "-q", "-m", message, author=author, committer=committer)

    def merge(self, message: str, proposer: tuple[str, str], merger: tuple[str, str], said: str = "More") -> None:
        self.run("checkout", "-q", "-b", "side")
        self.commit(said, proposer)
        self.run("checkout", "-q", "main")
        self.run("merge", "-q", "--no-ff", "-m", message, "side", author=merger)
        self.run("branch", "-q", "-D", "side")

    @property
    def history(self) -> History:
        return history(str(self.policy))

    @property
    def newest(self) -> Change:
        return self.history.changes[0]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_merge_by_another_person(repository: Repository) -> None:
    repository.merge("Merge pull request #1", ANN, BOB)
    found = repository.newest
    assert found.proposed_by == ("Ann <ann@example.org>",)
    assert found.merged_by == "Bob <bob@example.org>"
    assert found.second_person
    assert not found.sealed
    assert found.unknown == "no trailer names a reviewer"
    assert len(repository.history.changes) == 2


@pytest.mark.parametrize("also", ["", "\n\nReviewed-by: Bob <bob@example.org>"])
def test_what_a_proposer_says_of_a_review_is_no_second_person(repository: Repository, also: str) -> None:
    repository.merge(f"Merge{also}", ANN, ANN, f"More{also}")
    assert not repository.newest.second_person
    repository.commit(f"Direct{also}", ANN)
    assert not repository.newest.second_person
    assert repository.newest.reviewed_by == (("Bob <bob@example.org>",) if also else ())
    assert "whether it was a pull request cannot be known" in repository.newest.unknown


def test_the_same_person_under_another_name_is_no_second_person(repository: Repository) -> None:
    repository.merge("Merge", ("Ann", "Ann@Example.org"), ("Ann of Ops", "ann@example.org"))
    assert not repository.newest.second_person
    repository.merge("Merge", ANN, BOB, "Ours\n\nCo-authored-by: Bob <bob@example.org>")
    assert repository.newest.with_authors == ("Bob <bob@example.org>",)
    assert not repository.newest.second_person


def test_the_same_person_under_another_address_is_no_second_person(repository: Repository) -> None:
    repository.merge("Merge", ANN, ("ann", "12+ann@users.noreply.github.com"))
    assert not repository.newest.second_person
    repository.commit("Squashed\n\nReviewed-by: Ann", ANN, WEB)
    assert repository.newest.reviewed_by == ()
    assert not repository.newest.second_person


@pytest.mark.parametrize("main_moved", [False, True])
@pytest.mark.parametrize("smuggled", [False, True])
def test_what_a_merge_itself_changes_is_proposed_by_the_merger(
    repository: Repository, *, main_moved: bool, smuggled: bool
) -> None:
    lines = [f"# {number}\n" for number in range(20)]
    repository.policy.write_text(POLICY + "".join(lines))
    repository.run("commit", "-q", "-a", "-m", "Lines", author=BOB)
    repository.run("checkout", "-q", "-b", "side")
    repository.commit("More", ANN)
    repository.run("checkout", "-q", "main")
    if main_moved:
        repository.policy.write_text("# first\n" + POLICY + "".join(lines))
        repository.run("commit", "-q", "-a", "-m", "Other", author=BOB)
    repository.run("merge", "-q", "--no-ff", "--no-commit", "side", author=BOB)
    if smuggled:
        repository.policy.write_text(repository.policy.read_text().replace("[get]", "['*']"))
        repository.run("add", ".")
    repository.run("commit", "-q", "-m", "Merge", author=BOB)
    found = repository.newest
    assert found.proposed_by == ("Ann <ann@example.org>", *(["Bob <bob@example.org>"] if smuggled else []))
    assert found.second_person is not smuggled
    assert ("its author may have edited the policy" in found.unknown) is smuggled


def test_a_merge_that_takes_one_side_against_the_other_is_the_mergers_own(repository: Repository) -> None:
    repository.run("checkout", "-q", "-b", "side")
    repository.commit("More", ANN)
    repository.run("checkout", "-q", "main")
    repository.policy.write_text(POLICY.replace("[get]", "[]"))
    repository.run("commit", "-q", "-a", "-m", "Tightened", author=BOB)
    repository.run("merge", "-q", "--no-commit", "-s", "ort", "-X", "theirs", "side", author=BOB)
    repository.run("checkout", "side", "--", ".")  # the tightening of main is gone
    repository.run("commit", "-q", "-m", "Merge", author=BOB)
    assert not repository.newest.second_person


def test_a_merge_of_three_sides_is_not_taken_on_trust(repository: Repository) -> None:
    repository.run("checkout", "-q", "-b", "one")
    repository.commit("More", ANN)
    repository.run("checkout", "-q", "-b", "two", "main")
    repository.run("commit", "-q", "--allow-empty", "-m", "Beside", author=ANN)
    repository.run("checkout", "-q", "main")
    repository.run("merge", "-q", "-m", "Octopus", "one", "two", author=BOB)
    assert not repository.newest.second_person


def test_who_pressed_the_button_is_not_guessed(repository: Repository) -> None:
    repository.commit("Squashed (#3)", ANN, WEB)
    assert repository.newest.merged_by == ""
    assert not repository.newest.second_person
    assert "somebody whom Git does not name" in repository.newest.unknown
    repository.commit("Squashed (#4)\n\nApproved-by: Ann <ann@example.org>", ANN, WEB)
    assert repository.newest.reviewed_by == ()
    assert not repository.newest.second_person
    repository.commit("Squashed (#5)\n\napproved-by: Bob <bob@example.org>\nRequested-by: Cid", ANN, WEB)
    assert repository.newest.second_person
    assert repository.newest.requested_by == ("Cid",)


def test_the_seal_counts_while_it_is_unbroken(repository: Repository) -> None:
    tree = repository.run("rev-parse", "HEAD^{tree}")
    repository.run("commit", "-q", "--amend", "-m", sealed("Tighten", "abc", "def", tree), author=ANN)
    assert repository.newest.sealed
    repository.commit(sealed("Tighten", "abc", "def", tree), ANN)  # the tree is another
    assert not repository.newest.sealed


def test_a_renamed_file_keeps_its_past(repository: Repository) -> None:
    repository.run("mv", "policies/a policy.yaml", "policies/b.yaml")
    repository.run("commit", "-q", "-m", "Renamed", author=BOB)
    repository.policy = repository.policy.with_name("b.yaml")
    assert [one.subject for one in repository.history.changes] == ["Renamed", "Policies"]


def test_merges_before_a_rename_keep_their_proposers(repository: Repository) -> None:
    repository.merge("First", ANN, BOB)
    repository.run("checkout", "-q", "-b", "side")
    repository.commit("Under the old name", ("Cid", "cid@example.org"))
    repository.run("mv", "policies/a policy.yaml", "policies/b.yaml")
    repository.policy = repository.policy.with_name("b.yaml")
    repository.run("commit", "-q", "-m", "Renamed", author=ANN)
    repository.run("checkout", "-q", "main")
    repository.run("merge", "-q", "--no-ff", "-m", "Second", "side", author=BOB)
    second, first, _ = repository.history.changes
    assert first.proposed_by == ("Ann <ann@example.org>",)
    assert second.proposed_by == ("Cid <cid@example.org>", "Ann <ann@example.org>")
    assert first.merged_by == second.merged_by == "Bob <bob@example.org>"
    assert first.second_person
    assert second.second_person


def test_what_git_does_not_know_is_said(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> None:
    repository.policy.write_text(POLICY)
    assert "it differs from the last commit" in repository.history.notes[0]
    new = repository.policy.with_name("new.yaml")
    new.write_text(POLICY)
    assert history(str(new)) == History(str(new), (), ("who changed it cannot be known: it was never committed",))
    outside = tmp_path_factory.mktemp("outside") / "policy.yaml"
    outside.write_text(POLICY)
    assert "is in no Git repository" in history(str(outside)).notes[0]
