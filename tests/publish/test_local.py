"""Requests in a local repository: the life of one, with real commits, and nothing of the user's touched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from repository import NEW, NEWER, OLD, PATH, git, made, state

from tightener.errors import TightenerError
from tightener.publish import record
from tightener.publish.commit import branch_of
from tightener.publish.git import Git, repository_of
from tightener.publish.host import Again, Draft, Kind
from tightener.publish.local import LocalHost
from tightener.publish.record import Record
from tightener.publish.settle import settle

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BRANCH = branch_of(PATH)
ONE = "drop-rule-111111"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return made(tmp_path / "a repository")


@pytest.fixture
def host(top: Path, tmp_path: Path) -> LocalHost:
    return LocalHost(Git(top), tmp_path / "requests", NOW)


@pytest.fixture(autouse=True)
def nothing_of_the_users(top: Path) -> Iterator[None]:
    yield
    assert "tightener" not in git(top, "status", "--porcelain", "--branch").replace("## main", "")


def draft(top: Path, text: str = NEW, changes: int = 1) -> Draft:
    blob = Git(top).name_of(text.encode())
    known = Record(("a",), {ONE: "aaaaaa"} if changes else {}, {}, "dana", blob)
    body = f"words\n- [x] <code>{ONE}</code> drop it\n{record.hidden(known)}\n"
    return Draft(
        PATH,
        BRANCH,
        changes,
        text.encode(),
        blob,
        "Tighten",
        "Tighten: 1 change",
        body,
        unsure=False,
        why="nothing is left",
    )


def tip(top: Path) -> str:
    return git(top, "rev-parse", BRANCH)


def test_a_request_is_a_branch_a_commit_and_a_file(top: Path, host: LocalHost) -> None:
    before = state(top)
    done = settle(host, draft(top), 1)
    assert (done.kind, done.branch) == (Kind.OPENED, BRANCH)
    assert state(top) == before
    assert (top / PATH).read_text() == OLD
    assert git(top, "show", f"{BRANCH}:{PATH}") == NEW.strip()
    assert git(top, "diff", "--name-only", "main", BRANCH) == PATH
    assert git(top, "log", "-1", "--format=%an %cI %s", BRANCH) == "Dana 2026-11-24T12:00:00+00:00 Tighten: 1 change"
    assert Path(done.place).read_text() == draft(top).body


def test_without_news_nothing_changes_at_all(top: Path, host: LocalHost) -> None:
    settle(host, draft(top), 1)
    file = host.folder / f"{BRANCH.rpartition('/')[2]}.md"
    before = (tip(top), file.read_bytes(), file.stat().st_mtime_ns, state(top))
    assert settle(host, draft(top), 1).kind is Kind.UNCHANGED
    assert (tip(top), file.read_bytes(), file.stat().st_mtime_ns, state(top)) == before


def test_it_is_refreshed_in_place_on_top_of_itself(top: Path, host: LocalHost) -> None:
    settle(host, draft(top), 1)
    first = tip(top)
    assert settle(host, draft(top, NEWER), 1).kind is Kind.REFRESHED
    assert git(top, "rev-parse", f"{BRANCH}^@").split() == [first]
    assert git(top, "branch", "--list", "tightener/*").split() == [BRANCH]
    (top / "other").write_text("x")
    git(top, "add", "other")
    git(top, "commit", "-q", "-m", "other work")
    assert settle(host, draft(top, NEWER), 1).kind is Kind.UNCHANGED  # the policy is as it was
    second = tip(top)
    assert settle(host, draft(top, NEW), 1).kind is Kind.REFRESHED
    assert git(top, "rev-parse", f"{BRANCH}^@").split() == [second, git(top, "rev-parse", "main")]
    assert git(top, "diff", "--name-only", "main", BRANCH) == PATH


@pytest.mark.parametrize("how", ["commit", "amend", "merge"])
def test_hands_off_what_a_person_committed_to(top: Path, host: LocalHost, tmp_path: Path, how: str) -> None:
    settle(host, draft(top), 1)
    work = tmp_path / "work"
    git(top, "worktree", "add", "-q", str(work), BRANCH)
    (work / PATH).write_text("mine\n")
    words = {
        "commit": ["commit", "-qam", "mine"],
        "amend": ["commit", "-qa", "--amend", "--no-edit"],
        "merge": ["commit", "-qam", "mine\n\nTightener-Seal: base a policy b tree c"],
    }[how]
    git(work, *words)
    git(top, "worktree", "remove", "--force", str(work))
    theirs = tip(top)
    for wanted in (draft(top, NEWER), draft(top, OLD, 0)):
        done = settle(host, wanted, 1)
        assert done.kind is Kind.HANDS_OFF
        assert "somebody else has committed" in done.why
        assert tip(top) == theirs


def test_an_empty_proposal_closes_its_own_request_with_a_word(top: Path, host: LocalHost) -> None:
    settle(host, draft(top), 1)
    done = settle(host, draft(top, OLD, 0), 1)
    assert (done.kind, done.why) == (Kind.CLOSED, "nothing is left")
    assert git(top, "branch", "--list", "tightener/*") == ""
    assert Path(done.place).read_text().startswith("**Closed by tightener: nothing is left**")
    assert record.refused(host.look(PATH, BRANCH), NOW.date()) == {}
    assert settle(host, draft(top, OLD, 0), 1).kind is Kind.NOTHING
    assert settle(host, draft(top), 1).kind is Kind.OPENED


def test_deleting_the_branch_is_a_no_for_90_days(top: Path, host: LocalHost) -> None:
    settle(host, draft(top), 1)
    git(top, "branch", "-D", BRANCH)
    no = record.refused(host.look(PATH, BRANCH), NOW.date())
    assert set(no) == {ONE}
    assert "its branch was deleted" in no[ONE].reason
    assert settle(host, draft(top, OLD, 0), 1).kind is Kind.NOTHING  # which files it away
    later = replace(host, now=NOW + timedelta(days=89))
    assert set(record.refused(later.look(PATH, BRANCH), later.now.date())) == {ONE}
    assert record.refused(later.look(PATH, BRANCH), date(2027, 2, 22)) == {}
    assert settle(later, draft(top, NEWER), 1).kind is Kind.OPENED
    assert set(record.refused(later.look(PATH, BRANCH), later.now.date())) == set()  # proposed again, and ticked
    git(top, "branch", "-D", BRANCH)
    assert settle(later, draft(top, OLD, 0), 1).kind is Kind.NOTHING
    assert len(list(host.folder.glob("*.[0-9].md"))) == 2


@pytest.mark.parametrize("how", ["merge", "squash"])
def test_merging_is_no_no(top: Path, host: LocalHost, how: str) -> None:
    settle(host, draft(top), 1)
    git(top, "merge", "-q", *(["--squash"] if how == "squash" else ["--no-ff", "-m", "take it"]), BRANCH)
    if how == "squash":
        git(top, "commit", "-q", "-m", "take it")
    else:
        git(top, "branch", "-d", BRANCH)
    assert record.refused(host.look(PATH, BRANCH), NOW.date()) == {}
    done = settle(host, draft(top, NEW, 0), 1)
    assert done.kind is (Kind.CLEARED if how == "squash" else Kind.NOTHING)
    assert git(top, "branch", "--list", "tightener/*") == ""
    assert settle(host, draft(top, NEWER), 1).kind is Kind.OPENED
    assert git(top, "merge-base", "main", BRANCH) == git(top, "rev-parse", "main")


def test_what_was_unticked_is_heard(top: Path, host: LocalHost) -> None:
    place = Path(settle(host, draft(top), 1).place)
    place.write_bytes(place.read_bytes().replace(b"- [x]", b"- [ ]").replace(b"\n", b"\r\n"))
    assert set(record.refused(host.look(PATH, BRANCH), NOW.date())) == {ONE}


def test_a_proposal_that_is_checked_out_is_no_base(top: Path, host: LocalHost) -> None:
    """It holds its own last commit, so it would pass for merged, and what was unticked in it be forgotten."""
    place = Path(settle(host, draft(top), 1).place)
    git(top, "checkout", "-q", BRANCH)
    with pytest.raises(TightenerError, match="it is a proposal") as error:
        settle(host, draft(top, NEWER), 1)
    assert error.value.slug == "no-base"
    assert [one.name for one in host.folder.iterdir()] == [place.name]
    named = replace(host, base_branch="main")
    assert settle(named, draft(top), 1).kind is Kind.UNCHANGED
    git(top, "checkout", "-q", "main")


def test_at_most_so_many_are_open_here_too(top: Path, host: LocalHost) -> None:
    (top / "b.yaml").write_text(OLD)
    git(top, "add", "b.yaml")
    git(top, "commit", "-qm", "another policy")
    other = replace(draft(top), path="b.yaml", branch=branch_of("b.yaml"))
    settle(host, draft(top), 1)
    assert settle(host, draft(top), 1).kind is Kind.UNCHANGED  # its own does not count
    done = settle(host, other, 1)
    assert (done.kind, done.why) == (Kind.WAITING, "1 pull request is open already, and 1 may be (most_open)")
    git(top, "branch", "tightener/of-a-person", "main")
    assert settle(host, other, 2).kind is Kind.OPENED
    git(top, "branch", "-D", other.branch)
    settle(host, replace(other, changes=0), 1)
    git(top, "merge", "-q", "--ff-only", BRANCH)  # and is not tidied up yet
    assert settle(host, other, 1).kind is Kind.OPENED


def test_a_branch_that_is_checked_out_is_left_alone(top: Path, host: LocalHost, tmp_path: Path) -> None:
    settle(host, draft(top), 1)
    git(top, "worktree", "add", "-q", str(tmp_path / "work"), BRANCH)
    for wanted in (draft(top, NEWER), draft(top, OLD, 0)):
        with pytest.raises(TightenerError, match="is checked out") as error:
            settle(host, wanted, 1)
        assert error.value.slug == "branch-checked-out"
    assert settle(host, draft(top), 1).kind is Kind.UNCHANGED


@pytest.mark.parametrize("at", ["commit-tree", "update-ref", "write"])
def test_an_interruption_leaves_nothing_twice(
    top: Path, host: LocalHost, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: object, **more: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if at == "write":
            patch.setattr("tightener.publish.local._write", broken)
        else:
            real = Git.write
            patch.setattr(Git, "write", lambda self, *w, **m: broken() if w[0] == at else real(self, *w, **m))
        with pytest.raises(KeyboardInterrupt):
            settle(host, draft(top), 1)
    done = settle(host, draft(top), 1)
    assert done.kind is Kind.OPENED
    assert git(top, "rev-list", "--count", f"main..{BRANCH}") == "1"
    assert settle(host, draft(top), 1).kind is Kind.UNCHANGED


def test_a_push_in_between_is_noticed(top: Path, host: LocalHost) -> None:
    settle(host, draft(top), 1)
    first = tip(top)
    with pytest.raises(Again):
        host.git.move(BRANCH, git(top, "rev-parse", "main"), git(top, "rev-parse", "main"))
    assert tip(top) == first


def test_a_dry_run_says_it_and_writes_nothing(top: Path, tmp_path: Path) -> None:
    said: list[str] = []
    host = LocalHost(Git(top, said.append), tmp_path / "requests", NOW)
    before = git(top, "count-objects", "-v")
    assert settle(host, draft(top), 1).kind is Kind.OPENED
    assert git(top, "count-objects", "-v") == before
    assert git(top, "branch", "--list", "tightener/*") == ""
    assert not host.folder.exists()
    assert [line.split()[1] for line in said if line.startswith("git ")] == [
        *("hash-object", "read-tree", "update-index", "write-tree", "commit-tree", "update-ref"),
    ]
    assert said[-1].startswith("write ")


def test_line_endings_are_stored_as_git_stores_them(tmp_path: Path) -> None:
    top = made(tmp_path / "crlf", text="a: 1\n")
    (top / ".gitattributes").write_text("*.yaml text eol=crlf\n")
    assert Git(top).normal(PATH, b"a: 1\r\nb: 2\r\n") == b"a: 1\nb: 2\n"
    (top / ".gitattributes").write_text("*.yaml -text\n")
    assert Git(top).normal(PATH, b"a: 1\r\nb: 2\r\n") == b"a: 1\r\nb: 2\r\n"
    git(top, "config", "filter.upper.clean", "tr a-z A-Z")
    (top / ".gitattributes").write_text("*.yaml filter=upper\n")
    with pytest.raises(TightenerError) as error:
        Git(top).normal(PATH, b"a: 1\n")
    assert error.value.slug == "git-filter"


def test_a_repository_is_needed_with_a_commit(tmp_path: Path, top: Path) -> None:
    (tmp_path / "p.yaml").write_text("x")
    with pytest.raises(TightenerError) as error:
        repository_of(tmp_path / "p.yaml")
    assert error.value.slug == "no-repository"
    empty = tmp_path / "empty"
    subprocess.run(["git", "init", "-q", str(empty)], check=True)
    with pytest.raises(TightenerError) as error:
        LocalHost(Git(empty), tmp_path, NOW).look(PATH, BRANCH)
    assert error.value.slug == "no-base"
    assert repository_of(top / PATH)[1] == PATH


def test_code_owners_of_the_base_are_named(top: Path, host: LocalHost) -> None:
    assert host.reviewers(PATH) == ()
    (top / "CODEOWNERS").write_text("/policies/ @acme/security\n")
    git(top, "add", "CODEOWNERS")
    git(top, "commit", "-q", "-m", "owners")
    assert host.reviewers(PATH) == ("@acme/security",)


def test_a_policy_keeps_its_mode(top: Path, host: LocalHost) -> None:
    (top / PATH).chmod(0o755)
    git(top, "commit", "-qam", "executable")
    settle(host, draft(top), 1)
    assert git(top, "ls-tree", BRANCH, "--", PATH).split()[0] == "100755"
