"""Git's plumbing: objects and references of a repository, never its work tree or index."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tightener.errors import TightenerError
from tightener.policy.diff import top_level
from tightener.publish.commit import opened
from tightener.publish.host import Again, Tip

_LOCKED = re.compile(rb"\.lock': File exists|[Uu]nable to create '[^']*\.lock'")
_TRIES, _PAUSE = 10, 0.2  # seconds
_MISSING = "0" * 40  # what a reference is before it is made


@dataclass(frozen=True, slots=True)
class Git:
    """One repository. With `dry`, what would be written is told to it instead, and stand-ins are returned."""

    top: Path
    dry: Callable[[str], None] | None = None

    def ask(self, *arguments: str) -> str | None:
        """What git prints, without the last line break; None where it says no."""
        done = self._run(arguments)
        return done.stdout.decode("utf-8", "replace").rstrip("\n") if done.returncode == 0 else None

    def must(self, *arguments: str) -> str:
        """What git prints. Raises TightenerError (`git-failed`)."""
        done = self._run(arguments)
        if done.returncode:
            raise _failed(arguments, done.stderr)
        return done.stdout.decode("utf-8", "replace").rstrip("\n")

    def write(
        self, *arguments: str, data: bytes | None = None, extra: Mapping[str, str] | None = None, stand_in: str = ""
    ) -> str:
        """As `must`, for what changes the repository. Raises Again where a reference has moved meanwhile."""
        if self.dry is not None:
            given = "" if data is None else f"  # {len(data)} bytes on stdin"
            self.dry(shlex.join(("git", *arguments)) + given)
            return stand_in
        done = self._run(arguments, data, extra)
        for _ in range(_TRIES):
            # another git has the lock: one of ours that outlived a run that was killed is done in a moment
            if not done.returncode or not _LOCKED.search(done.stderr):
                break
            time.sleep(_PAUSE)
            done = self._run(arguments, data, extra)
        if done.returncode:
            error = _failed(arguments, done.stderr)
            if arguments[0] == "update-ref" and "but expected" in done.stderr.decode("utf-8", "replace"):
                raise Again(error.message, slug=error.slug, hint="another program works on the same branch")
            raise error
        return done.stdout.decode("utf-8", "replace").rstrip("\n")

    def _run(
        self, arguments: Sequence[str], data: bytes | None = None, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        command = ["git", "-C", str(self.top), "--literal-pathspecs", *arguments]
        try:
            return subprocess.run(
                command,
                input=data,
                capture_output=True,
                check=False,
                env={**os.environ, **(extra or {}), "LC_ALL": "C"},
            )
        except OSError as error:
            raise TightenerError("git is not installed", slug="git-failed", hint="install git") from error

    def normal(self, path: str, content: bytes) -> bytes:
        """A file's bytes as Git stores them: where `eol` attributes or autocrlf say so, without carriage returns.

        Raises TightenerError (`git-filter`) where another filter would change them.
        """
        wanted = self._hashed(content, path)
        for stored in (content, content.replace(b"\r\n", b"\n")):
            if self._hashed(stored) == wanted:
                return stored
        raise TightenerError(
            f"a Git filter changes {path} when it is stored",
            slug="git-filter",
            hint="take the policy file out of the filter in .gitattributes",
        )

    def name_of(self, stored: bytes) -> str:
        """Git's name of a file with these bytes."""
        return self._hashed(stored)

    def _hashed(self, content: bytes, path: str | None = None) -> str:
        arguments = ["hash-object", "--stdin", *([f"--path={path}"] if path else [])]
        done = self._run(arguments, content)
        if done.returncode:
            raise _failed(arguments, done.stderr)
        return done.stdout.decode().strip()

    def blob(self, commit: str, path: str) -> str:
        """Git's name of a file in a commit, '' where it is not there."""
        return self.ask("rev-parse", "--verify", "--quiet", f"{commit}:{path}") or ""

    def content(self, commit: str, path: str) -> bytes | None:
        """A file's bytes in a commit; None where it is not there."""
        done = self._run(["cat-file", "blob", f"{commit}:{path}"])
        return done.stdout if done.returncode == 0 else None

    def parents(self, commit: str) -> tuple[Sequence[str], str]:
        """A commit's parents and its message. Raises TightenerError (`git-failed`)."""
        names, _, message = self.must("show", "-s", "--no-show-signature", "--format=%P%n%B", commit).partition("\n")
        return names.split(), message

    def merged_at(self, base: str, path: str, head: str) -> str:
        """The commit in which a branch came into a base: the oldest of the main line that holds its last one; without
        that (`head` = ''), the newest that changed the file. '' where none is found."""
        if not head:
            return self.ask("rev-list", "--first-parent", "-1", base, "--", path) or ""
        later = self.ask("rev-list", "--first-parent", "--ancestry-path", f"{head}..{base}")
        return later.split()[-1] if later else head

    def branches(self, folder: str) -> list[str]:
        """The branches in a folder of branches."""
        return self.must("for-each-ref", "--format=%(refname:lstrip=2)", f"refs/heads/{folder}/").split()

    def holds(self, commit: str, other: str) -> bool:
        """Whether a commit is another one, or comes after it."""
        return self.ask("merge-base", "--is-ancestor", other, commit) is not None

    def tip(self, branch: str, path: str) -> Tip | None:
        """The last commit of a branch, None where there is none."""
        commit = self.ask("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
        if commit is None:
            return None
        tree, _, message = self.must("show", "-s", "--no-show-signature", "--format=%T%n%B", commit).partition("\n")
        seal = opened(message, tree)
        blob = self.blob(commit, path)
        return Tip(commit, blob, seal)

    def tree_with(self, commit: str, path: str, content: bytes) -> str:
        """Writes a commit's tree with one file replaced, through an index of its own; returns its name."""
        entry = self.must("ls-tree", commit, "--", path)
        blob = self.write("hash-object", "-w", "--stdin", data=content, stand_in="BLOB")
        with tempfile.TemporaryDirectory() as folder:
            own = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.write("read-tree", commit, extra=own)
            self.write("update-index", "--cacheinfo", f"{entry.split()[0]},{blob},{path}", extra=own)
            return self.write("write-tree", extra=own, stand_in="TREE")

    def commit(self, tree: str, parents: Sequence[str], message: str, now: datetime) -> str:
        """Writes a commit, by the person whom Git knows here, else by tightener; returns its name."""
        when = f"{int(now.timestamp())} +0000"
        who = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        if not self.ask("config", "user.email"):
            names = {"NAME": "tightener", "EMAIL": "tightener@localhost"}
            who |= {f"GIT_{role}_{what}": said for role in ("AUTHOR", "COMMITTER") for what, said in names.items()}
        parts = [word for parent in parents for word in ("-p", parent)]
        return self.write("commit-tree", tree, *parts, data=message.encode(), extra=who, stand_in="COMMIT")

    def move(self, branch: str, new: str, old: str | None) -> None:
        """Points a branch at a commit, if it is still where it was (`old`; None = not there). Raises Again."""
        self.write("update-ref", f"refs/heads/{branch}", new, old or _MISSING)

    def drop(self, branch: str, old: str) -> None:
        """Removes a branch, if it is still where it was. Raises Again."""
        self.write("update-ref", "-d", f"refs/heads/{branch}", old)

    def checked_out(self, branch: str) -> bool:
        """Whether some work tree has this branch checked out: to move it would make that one look changed."""
        return f"branch refs/heads/{branch}" in self.must("worktree", "list", "--porcelain").split("\n")


def repository_of(policy: Path, dry: Callable[[str], None] | None = None) -> tuple[Git, str]:
    """The repository that a policy file lies in, and its path there. Raises TightenerError (`no-repository`)."""
    policy = policy.resolve()
    top = top_level(policy.parent)
    if top is None:
        raise TightenerError(
            f"{policy} is in no Git repository",
            slug="no-repository",
            hint="keep the policy in one; without one: tightener suggest --write",
        )
    return Git(top, dry), policy.relative_to(top).as_posix()


def _failed(arguments: Sequence[str], said: bytes) -> TightenerError:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return TightenerError(
        f"git {arguments[0]} failed: {lines[-1] if lines else 'it did not say why'}", slug="git-failed"
    )
