"""The command that undoes a merged tightening."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tightener import pipeline, reverting
from tightener.commands import publishing
from tightener.commands.context import Context
from tightener.errors import TightenerError
from tightener.pipeline import Project
from tightener.publish import merges
from tightener.publish.git import repository_of
from tightener.publish.host import Outcome
from tightener.publish.merges import Merged
from tightener.pulls import Place
from tightener.report.terminal import Printer
from tightener.reverting import Reverted

_NUMBER = re.compile(r"#?([1-9][0-9]{0,5})")  # a commit's name is longer


@dataclass(frozen=True, slots=True)
class RevertOutput:
    """How `revert` answers: with a pull request, or one of these."""

    diff: bool
    write: bool
    dry: bool


def revert(
    ctx: Context, what: str, only: Sequence[str], policy: Sequence[Path], shape: RevertOutput, now: datetime
) -> None:
    """tightener revert"""
    config = ctx.config()
    project = Project(pipeline.open_project(config, None).con, config, temporary=True)
    shown = Printer(sys.stderr if ctx.json else sys.stdout).verbatim if shape.dry else None
    found = _found(ctx, project, what, only, policy, shown, now, here=shape.diff or shape.write)
    if shape.diff or shape.write:
        opened: list[Outcome] = []
        for one in found if shape.write else ():
            if one.diff:
                pipeline.write(one.place.file, one.done.text)
    else:
        opened = [reverting.propose(one, publishing.requester()) for one in found]
    if ctx.json:
        answer = {"schema": "tightener.revert/1", "dry_run": shape.dry, "written": shape.write}
        files = [_document(one) for one in found]
        pulls_ = [publishing.document(one) for one in opened]
        ctx.answer({**answer, "reverts": files, "pull_requests": pulls_})
        return
    for one in found:
        if shape.diff:
            sys.stdout.write(one.diff)
            sys.stdout.flush()
        _words(Printer(sys.stderr) if shape.diff else ctx.words, one, written=shape.write, quiet=ctx.quiet)
    publishing.words(ctx.words, opened)


def _found(
    ctx: Context,
    project: Project,
    what: str,
    only: Sequence[str],
    policy: Sequence[Path],
    shown: Callable[[str], None] | None,
    now: datetime,
    *,
    here: bool,
) -> list[Reverted]:
    """What comes back into each policy file that the change was about. With `here`, hosts are asked only if needed."""
    said = project.config.publish
    number = _NUMBER.fullmatch(what)
    if number and not said.github:
        number = None if what[0] != "#" else number
    if number and not said.github:
        raise TightenerError(
            f"there is no {what}, since `publish: github:` names no repository",
            slug="unknown-change",
            hint="name a commit, or the file of a pull request's body",
        )
    policies = pipeline.read_policies(project, policy)
    asked = bool(said.github) and (number is not None or not here or bool(only))
    remote = publishing.github_host(said, now, shown) if asked else None
    found: list[Reverted] = []
    for file in policies.files:
        git, path = repository_of(Path(file.path), shown)
        place = Place(file, git, path, remote or publishing.local_host(ctx, project, git, now))
        if number:
            merge = _numbered(place, int(number[1]))
        else:
            merge = reverting.find(place, what, said.base or "HEAD")
            if merge and (asked or not said.github):
                merge = reverting.with_body(place, merge)
        if merge:
            found.append(reverting.undo(place, merge, only, now))
    if not found:
        files = ", ".join(file.path for file in policies.files[:5])
        raise TightenerError(
            f"{what} is no commit or pull request that changed {files}",
            slug="unknown-change",
            hint="give a pull request's number, or the commit of its merge; --policy names other policy files",
        )
    return found


def _numbered(place: Place, number: int) -> Merged | None:
    """What a pull request on GitHub made of a policy file."""
    from tightener.publish.github import GitHubHost  # noqa: PLC0415 - PyGithub is an extra
    from tightener.publish.github_merges import GitHubHistory  # noqa: PLC0415

    host = place.host
    if not isinstance(host, GitHubHost):
        raise TypeError("a number needs GitHub")
    history = GitHubHistory(host.api, host.repository)
    commit, body = history.pull_request(number, host.base())
    found = merges.texts(history, commit, place.path)
    return Merged(f"#{number}", commit, *found, body) if found else None


def _document(one: Reverted) -> dict[str, Any]:
    return {
        "file": one.place.path,
        "undoes": one.merge.title,
        "commit": one.merge.commit,
        "suggestions": list(one.done.ids),
        "along": list(one.done.along),
        "rules": [
            {
                "agent": rule.agent,
                "effect": rule.effect.value,
                "service": rule.service,
                "actions": list(rule.body.actions),
                "resources": None if rule.body.resources is None else list(rule.body.resources),
                "branches": None if rule.body.branches is None else list(rule.body.branches),
                "expires": rule.expires.isoformat() if rule.expires else None,
            }
            for rule in one.done.back
        ],
        "diff": one.diff,
    }


def _words(out: Printer, one: Reverted, *, written: bool, quiet: bool) -> None:
    """What comes back, and what people should know of it."""
    if quiet:
        return
    if not one.diff:
        out.line(f"{one.place.path}: all that {one.merge.title} took away is granted again already")
        return
    number = len(one.done.back)
    rules = f"{number} rule{'' if number == 1 else 's'} as before"
    out.line(f"{one.place.path}: puts back what {one.merge.title} took away: {rules}")
    for name in one.done.along:
        out.line(f"  {name} comes along: it says nothing without another that is undone")
    if written:
        out.line(f"written: {one.place.file.path}")
