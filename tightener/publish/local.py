"""Pull requests without any server: a branch and its commits in the policy's own repository, and the body in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from tightener.errors import TightenerError
from tightener.publish import owners, record
from tightener.publish.commit import folder_of, is_ours, just_before, sealed
from tightener.publish.git import Git
from tightener.publish.host import Base, Draft, Ended, Kind, Landed, Plan, PullRequest, Seen, Tip


@dataclass(frozen=True, slots=True)
class LocalHost:
    """The local repository. `folder` holds the bodies: NAME.md is the open one, NAME.1.md and so on have ended."""

    git: Git
    folder: Path
    now: datetime
    base_branch: str = ""  # '' = the one that is checked out

    def look(self, path: str, branch: str) -> Seen:
        """What there is. Raises TightenerError (`no-base`)."""
        base = self._base(path)
        tip = self.git.tip(branch, path)
        file = self._file(branch)
        past = [one for _, one in self._filed(branch)]
        others = sum(1 for one in self.git.branches(folder_of(branch)) if one != branch and self._is_open(one, base))
        body = _read(file)
        known = record.read(body) if body is not None else None
        if body is None or known is None:
            return Seen(base, tip, None, tuple(past), others)
        ended = self._ended(file, body, known, base, tip, path)
        if ended is not None:
            return Seen(base, tip, None, (*past, ended), others)
        return Seen(base, tip, PullRequest(file.name, str(file), body), tuple(past), others)

    def _is_open(self, branch: str, base: Base) -> bool:
        """Whether a pull request about something else is open: it has a body that has not ended, and is not merged."""
        body = _read(self._file(branch))
        known = record.read(body) if body is not None else None
        return known is not None and not known.state and not self.git.holds(base.commit, f"refs/heads/{branch}")

    def _base(self, path: str) -> Base:
        branch = self.base_branch or self.git.ask("symbolic-ref", "--quiet", "--short", "HEAD") or "HEAD"
        if is_ours(branch):  # else every proposal on it would pass for merged
            raise TightenerError(
                f"{branch} is checked out, and it is a proposal: nothing is proposed to change it",
                slug="no-base",
                hint="check out the branch that it should be merged into, or name that one: `publish: base:`",
            )
        commit = self.git.ask("rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}")
        if commit is None:
            raise TightenerError(
                f"there is no commit on {branch} to make a branch from",
                slug="no-base",
                hint="commit the policy first" if not self.base_branch else "check `publish: base:`",
            )
        return Base(branch, commit, self.git.blob(commit, path))

    def _ended(
        self, file: Path, body: str, known: record.Record, base: Base, tip: Tip | None, path: str
    ) -> Ended | None:
        """How an open pull request was found to have ended: its text has reached the base, or its branch is gone."""
        today = self.now.date()
        if known.state:
            return _past(file.name, body, known)
        inside = tip is not None and self.git.holds(base.commit, tip.commit)
        if inside or known.blob == base.blob:
            head = tip.commit if tip else ""
            merge = self.git.merged_at(base.commit, path, head if inside else "")
            before = just_before(merge, head, self.git.parents) if merge else ""
            return Ended(file.name, body, today, merged=True, head=head, merge=merge, before=before)
        return None if tip else Ended(file.name, body, today, merged=False, said="its branch was deleted")

    def carry_out(self, plan: Plan, draft: Draft, seen: Seen) -> tuple[str, Sequence[str]]:
        """Commits first, then the body: what is interrupted in between, the next run goes on with."""
        file = self._file(draft.branch)
        for one in seen.ended:
            if one.name == file.name:
                state = record.MERGED if one.merged else record.REFUSED
                how = (
                    "was merged" if one.merged else "was closed without merging: a no to what it proposed, for 90 days"
                )
                self._file_away(draft.branch, self._ending(one, state, how))
        if plan.kind in {Kind.CLOSED, Kind.CLEARED}:
            return self._close(plan, draft, seen)
        if plan.kind not in {Kind.OPENED, Kind.REFRESHED}:
            return (seen.open.place if seen.open else ""), ()
        if plan.parents:
            self._commit(plan, draft, seen)
        self._write(file, draft.body)
        return str(file), ("its evidence is thin: look twice",) if draft.unsure else ()

    def _ending(self, one: Ended, state: str, how: str) -> str:
        return record.ended(one.body, state, one.day, f"This pull request {how}.", one.merge, one.before)

    def landed(self, path: str, ended: Ended) -> Landed | None:
        """From the repository's own history."""
        when = self.git.ask("show", "-s", "--format=%ct", ended.merge) if ended.merge and ended.before else None
        if not when:
            return None
        at = datetime.fromtimestamp(int(when), UTC)
        return Landed(at, self.git.content(ended.before, path), self.git.content(ended.merge, path))

    def _commit(self, plan: Plan, draft: Draft, seen: Seen) -> None:
        self._free(draft.branch)
        tree = self.git.tree_with(seen.base.commit, draft.path, draft.content)
        message = sealed(draft.message, seen.base.commit, seen.base.blob, tree)
        commit = self.git.commit(tree, plan.parents, message, self.now)
        self.git.move(draft.branch, commit, seen.tip.commit if seen.tip else None)

    def _close(self, plan: Plan, draft: Draft, seen: Seen) -> tuple[str, Sequence[str]]:
        place = ""
        if seen.tip:
            self._free(draft.branch)
        if seen.open:
            words = f"Closed by tightener: {plan.why}"
            place = self._file_away(draft.branch, record.ended(seen.open.body, record.CLOSED, self.now.date(), words))
        if seen.tip:
            self.git.drop(draft.branch, seen.tip.commit)
        return place, ()

    def _free(self, branch: str) -> None:
        if self.git.checked_out(branch):
            raise TightenerError(
                f"{branch} is checked out, and moving it would change that work tree",
                slug="branch-checked-out",
                hint="check out another branch there, and run this again",
            )

    def reviewers(self, path: str) -> Sequence[str]:
        """By CODEOWNERS of the base."""
        base = self._base(path)
        texts = (self.git.ask("cat-file", "blob", f"{base.commit}:{place}") for place in owners.PLACES)
        text = next((found for found in texts if found is not None), "")
        return owners.of(text, path)

    def _file(self, branch: str) -> Path:
        return self.folder / f"{branch.rpartition('/')[2]}.md"

    def _filed(self, branch: str) -> Iterator[tuple[Path, Ended]]:
        """The pull requests that have ended, oldest first."""
        file = self._file(branch)
        number = 1
        while (body := _read(old := file.with_suffix(f".{number}.md"))) is not None:
            known = record.read(body)
            if known and known.day:
                yield old, _past(old.name, body, known)
            number += 1

    def _file_away(self, branch: str, body: str) -> str:
        """Moves the body of a pull request that has ended out of the way of the next one."""
        file = self._file(branch)
        number = 1
        while (old := file.with_suffix(f".{number}.md")).exists():
            number += 1
        self._write(file, body)
        if self.git.dry is None:
            file.replace(old)
        return str(old)

    def _write(self, file: Path, body: str) -> None:
        if self.git.dry is not None:
            self.git.dry(f"write {len(body.encode())} bytes to {file}")
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file, body)


def _past(name: str, body: str, known: record.Record) -> Ended:
    """One that ended, as its own body remembers it."""
    day, merged = date.fromisoformat(known.day), known.state == record.MERGED
    return Ended(name, body, day, merged, merge=known.merge, before=known.before)


def _read(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TightenerError(
            f"cannot read {file}", slug="unreadable", hint="it is a pull request's body: repair or remove it"
        ) from error


def _write(file: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_bytes(text.encode())
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TightenerError(f"cannot write {file}: {error.strerror}", slug="unwritable") from error
