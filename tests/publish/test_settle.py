"""The decision against a host in memory on which people do what people do, with a fault at every step."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tightener.publish.commit import Seal, branch_of, opened, sealed
from tightener.publish.host import Again, Base, Draft, Ended, Kind, Plan, PullRequest, Seen, Tip
from tightener.publish.settle import decide, settle

MOST = 3


@dataclass
class Commit:
    parents: tuple[str, ...]
    blob: str
    seal: Seal | None


@dataclass
class FakeHost:
    """Commits, one branch and its requests; `break_at` drops the connection after that many steps of writing."""

    commits: dict[str, Commit] = field(default_factory=lambda: {"c0": Commit((), "p0", None)})
    main: str = "c0"
    branch: str | None = None
    body: str | None = None  # of the open request
    dressed: bool = True
    ended: list[Ended] = field(default_factory=list)
    opened: int = 0
    writes: int = 0
    break_at: int = -1
    others: int = 0

    def commit(self, parents: tuple[str, ...], blob: str, seal: Seal | None) -> str:
        name = f"c{len(self.commits)}"
        self.commits[name] = Commit(parents, blob, seal)
        return name

    def inside(self, name: str, of: str) -> bool:
        """Whether a commit is in the history of another."""
        return name == of or any(self.inside(name, parent) for parent in self.commits[of].parents)

    def step(self) -> None:
        self.writes += 1
        if self.break_at == 0:
            self.break_at = -1
            raise Again("dropped", slug="host-unreachable")
        self.break_at -= 1

    def look(self, path: str, branch: str) -> Seen:
        tip = None
        if self.branch:
            one = self.commits[self.branch]
            tip = Tip(self.branch, one.blob, one.seal)
        request = PullRequest("#1", "", self.body, self.dressed) if self.body is not None else None
        base = Base("main", self.main, self.commits[self.main].blob)
        return Seen(base, tip, request, tuple(self.ended), self.others)

    def carry_out(self, plan: Plan, draft: Draft, seen: Seen) -> tuple[str, Sequence[str]]:
        if plan.kind is Kind.CLOSED:
            self.step()
            self.ended.append(Ended("#1", "", date(2026, 11, 24), merged=False, head=self.branch or ""))
            self.body = None
        if plan.kind in {Kind.CLOSED, Kind.CLEARED} and seen.tip:
            self.step()
            assert self.branch == seen.tip.commit
            self.branch = None
        if plan.kind in {Kind.OPENED, Kind.REFRESHED}:
            if plan.parents:
                self.step()
                assert self.branch is None or self.branch in plan.parents, "a commit that is no fast-forward"
                self.branch = self.commit(plan.parents, draft.blob, Seal(seen.base.commit, seen.base.blob))
            if self.body != draft.body:
                self.step()
                self.opened += self.body is None
                self.body = draft.body
                self.dressed = False if plan.kind is Kind.OPENED else self.dressed
            if not self.dressed:
                self.step()
                self.dressed = True
        return "", ()

    def reviewers(self, path: str) -> Sequence[str]:
        return ()


def draft(blob: str, body: str, changes: int = 1) -> Draft:
    return Draft("p.yaml", "tightener/p", changes, b"", blob, "t", "m", body, unsure=False, why="nothing is left")


class Weeks(RuleBasedStateMachine):
    """Weeks in which tightener runs, is interrupted, and people push, merge, close and edit."""

    def __init__(self) -> None:
        super().__init__()
        self.host = FakeHost()
        self.number = 0
        self.theirs: set[str] = set()

    @rule(new=st.booleans(), body=st.sampled_from("ab"), broken=st.integers(-1, 3))
    def run(self, new: bool, body: str, broken: int) -> None:
        self.number += new
        wanted = draft(f"q{self.number}", body + str(self.number))
        self.host.break_at = broken
        before = self.host.branch
        outcome = settle(self.host, wanted, MOST)
        if before in self.theirs and not any(e.merged and e.head == before for e in self.host.ended):
            assert outcome.kind is Kind.HANDS_OFF
            assert self.host.branch == before
            return
        assert self.host.body == wanted.body
        assert self.host.branch is not None
        assert self.host.commits[self.host.branch].blob == wanted.blob
        if before:
            assert self.host.inside(before, self.host.branch)
        writes = self.host.writes
        self.host.break_at = -1
        assert settle(self.host, wanted, MOST).kind is Kind.UNCHANGED
        assert self.host.writes == writes

    @rule(broken=st.integers(-1, 2))
    def run_empty(self, broken: int) -> None:
        self.host.break_at = broken
        before = self.host.branch
        settle(self.host, draft("", "", 0), MOST)
        if before in self.theirs and not any(e.merged and e.head == before for e in self.host.ended):
            assert self.host.branch == before
        else:
            assert self.host.body is None
            assert self.host.branch is None

    @precondition(lambda self: self.host.branch)
    @rule()
    def a_person_pushes(self) -> None:
        assert self.host.branch
        self.host.branch = self.host.commit((self.host.branch,), "theirs", None)
        self.theirs.add(self.host.branch)

    @precondition(lambda self: self.host.body is not None)
    @rule(squash=st.booleans(), delete=st.booleans())
    def a_person_merges(self, squash: bool, delete: bool) -> None:
        host = self.host
        assert host.branch
        parents = (host.main,) if squash else (host.main, host.branch)
        host.main = host.commit(parents, host.commits[host.branch].blob, None)
        self.end(merged=True, delete=delete)

    @precondition(lambda self: self.host.body is not None)
    @rule(delete=st.booleans())
    def a_person_closes(self, delete: bool) -> None:
        self.end(merged=False, delete=delete)

    def end(self, merged: bool, delete: bool) -> None:
        host = self.host
        host.ended.append(Ended("#1", host.body or "", date(2026, 11, 24), merged, head=host.branch or ""))
        host.body = None
        if delete:
            host.branch = None

    @rule()
    def somebody_changes_the_base(self) -> None:
        self.host.main = self.host.commit((self.host.main,), f"p{len(self.host.commits)}", None)

    @invariant()
    def a_persons_commit_stays(self) -> None:
        assert self.host.branch is None or self.host.branch in self.host.commits


TestWeeks = Weeks.TestCase
TestWeeks.settings = settings(max_examples=150, stateful_step_count=15)


def test_too_many_open_wait_and_what_is_open_goes_on() -> None:
    host = FakeHost(others=MOST)
    assert settle(host, draft("q", "b"), MOST).kind is Kind.WAITING
    assert host.writes == 0
    host.others = MOST - 1
    assert settle(host, draft("q", "b"), MOST).kind is Kind.OPENED
    host.others = MOST
    assert settle(host, draft("r", "c"), MOST).kind is Kind.REFRESHED


def test_it_gives_up_after_some_passes() -> None:
    class Broken(FakeHost):
        def step(self) -> None:
            self.writes += 1
            raise Again("dropped", slug="host-unreachable")

    host = Broken()
    with pytest.raises(Again):
        settle(host, draft("q", "b"), MOST)
    assert host.writes == 4


@pytest.mark.parametrize("changed", ["tree", "text", "below"])
def test_a_seal_that_does_not_fit_is_none(changed: str) -> None:
    message = sealed("Tighten p: 1 change\n\nwhy", "a" * 40, "b" * 40, "c" * 40)
    assert opened(message, "c" * 40) == Seal("a" * 40, "b" * 40)
    text = {"tree": message, "text": message.replace("Seal", "seal"), "below": f"{message}Co-authored-by: x\n"}[changed]
    assert opened(text, ("d" if changed == "tree" else "c") * 40) is None


@pytest.mark.parametrize(
    "path", ["policy.yaml", "policies/a b/ü.yaml", "a/../b", "x" * 300, ".lock", "a.lock", "~^:?*[\\"]
)
def test_branches_are_names_that_git_takes(path: str) -> None:
    command = ["git", "check-ref-format", "--branch", branch_of(path)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert branch_of(path) != branch_of(path + "x")


def test_a_person_may_take_the_branch_over_while_nothing_is_left() -> None:
    seen = Seen(Base("main", "c0", "p0"), Tip("c1", "theirs", None), PullRequest("#1", "", "b"))
    plan = decide(seen, draft("", "", 0), MOST)
    assert plan.kind is Kind.HANDS_OFF
    assert "nothing left to propose" in plan.why
    assert decide(replace(seen, tip=None), draft("", "", 0), MOST).kind is Kind.CLOSED
