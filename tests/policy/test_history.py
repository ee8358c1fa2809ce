"""Ages from Git, on small repositories written here."""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path

import pytest

from tightener.policy import document
from tightener.policy.history import granted_since

Since = dict[tuple[int, str], date | None]


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, day: int = 1) -> None:
        when = f"2026-01-{day:02d}T12:00:00+00:00"
        settings = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(
            ["git", "-C", str(self.folder), *settings, *words],
            check=True,
            capture_output=True,
            env={
                "PATH": "/usr/bin:/bin",
                "GIT_AUTHOR_DATE": when,
                "GIT_COMMITTER_DATE": when,
                "HOME": str(self.folder),
            },
        )

    def commit(self, day: int, text: str, name: str = "p.yaml") -> Path:
        path = self.folder / name
        path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change", day=day)
        return path


def text(*rules: str, block: str = "allow") -> str:
    return f"agents:\n  a:\n    {block}:\n" + "".join(f"    - {{service: git, {rule}}}\n" for rule in rules)


def since(path: Path, declared: date | None = None) -> Since | None:
    rules = document.load([path]).agents["a"].rules
    pairs = [(rule, action) for rule in rules for action in rule.body.actions]
    found = granted_since(path, "a", pairs, declared=declared)
    return None if found is None else dict(found)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_without_git_nothing_is_known(tmp_path: Path, repository: Repository) -> None:
    (tmp_path / "q.yaml").write_text(text("actions: [push]"))
    assert since(tmp_path / "q.yaml") is None
    assert granted_since(tmp_path / "nowhere" / "p.yaml", "a", []) is None


def test_an_edit_of_the_line_does_not_make_it_new(repository: Repository) -> None:
    repository.commit(1, text('actions: ["p*"]'))
    repository.commit(5, "# a comment\n" + text('actions: ["push", "p*"]', "actions: [clone]"))
    path = repository.commit(9, text('actions: [push, clone], resources: ["acme/*"]'))
    assert since(path) == {(0, "push"): date(2026, 1, 1), (0, "clone"): date(2026, 1, 5)}


def test_a_wider_grant_is_new_and_a_gap_counts(repository: Repository) -> None:
    repository.commit(1, text('actions: [push, clone], resources: ["acme/*"]'))
    repository.commit(3, text("actions: [clone]"))
    path = repository.commit(5, text("actions: [push, clone]"))
    assert since(path) == {(0, "push"): date(2026, 1, 5), (0, "clone"): date(2026, 1, 3)}


def test_what_is_not_committed_is_new(repository: Repository) -> None:
    path = repository.commit(1, text("actions: [clone]"))
    path.write_text(text("actions: [clone, push]"))
    assert since(path) == {(0, "clone"): date(2026, 1, 1), (0, "push"): None}


def test_the_file_may_have_been_renamed_and_broken(repository: Repository) -> None:
    repository.commit(1, text("actions: [clone]"), "old name.yaml")
    repository.commit(2, "agents: [", "old name.yaml")
    repository.commit(3, text("actions: [clone]"), "old name.yaml")
    repository.git("mv", "old name.yaml", "p.yaml")
    repository.git("commit", "-q", "-m", "rename", day=4)
    assert since(repository.folder / "p.yaml") == {(0, "clone"): date(2026, 1, 3)}


def test_a_merge_grants_on_the_day_it_lands(repository: Repository) -> None:
    repository.commit(1, text("actions: [clone]"))
    repository.git("checkout", "-q", "-b", "side")
    repository.commit(2, text("actions: [clone, push]"))
    repository.git("checkout", "-q", "main")
    repository.commit(3, "x", "other.txt")
    repository.git("merge", "-q", "--no-ff", "side", "-m", "merge", day=9)
    path = repository.folder / "p.yaml"
    assert since(path) == {(0, "clone"): date(2026, 1, 1), (0, "push"): date(2026, 1, 9)}


def test_an_approval_counts_for_an_approval_only(repository: Repository) -> None:
    repository.commit(1, text("actions: [push, clone]", block="require_approval"))
    path = repository.commit(4, text("actions: [push]") + text("actions: [clone]", block="require_approval")[13:])
    assert since(path) == {(0, "push"): date(2026, 1, 4), (1, "clone"): date(2026, 1, 1)}


def test_what_is_declared_holds_for_what_came_in_with_the_agent_only(repository: Repository) -> None:
    repository.commit(1, "agents:\n  b: {}\n")
    repository.commit(2, text("actions: [clone, pull]"))
    repository.commit(4, text("actions: [pull]"))
    repository.commit(5, text("actions: [pull, clone]"))
    path = repository.commit(6, text("actions: [pull, clone]", "actions: [push]"))
    told, jan = date(2025, 6, 1), date(2026, 1, 5)
    assert since(path, told) == {(0, "pull"): told, (0, "clone"): jan, (1, "push"): date(2026, 1, 6)}


def test_what_was_no_policy_ends_what_is_declared(repository: Repository) -> None:
    repository.commit(1, text("actions: [pull]"))
    repository.commit(2, "agents: [")
    path = repository.commit(3, text("actions: [pull]"))
    assert since(path, date(2025, 6, 1)) == {(0, "pull"): date(2026, 1, 3)}
