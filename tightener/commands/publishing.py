"""The commands that put proposals before people: where the pull requests go, and what is said of them."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tightener import pipeline, pulls
from tightener.commands.context import Context, Question, policies_of, project_of
from tightener.config import Publish
from tightener.pipeline import Project
from tightener.policy.document import PolicyFile, PolicySet
from tightener.publish import access
from tightener.publish.git import Git, repository_of
from tightener.publish.host import Host, Outcome
from tightener.publish.local import LocalHost
from tightener.pulls import Place
from tightener.report.terminal import Printer

if TYPE_CHECKING:  # PyGithub is an extra
    from tightener.publish.client import Api
    from tightener.publish.github import GitHubHost


def publish(ctx: Context, asked: Question, agents: Sequence[str], now: datetime, *, dry: bool) -> None:
    """tightener publish"""
    project = project_of(ctx, asked, now)
    done = pull_requests(ctx, project, asked, agents, now, dry=dry)
    if ctx.json:
        ctx.answer({"schema": "tightener.publish/1", "dry_run": dry, "pull_requests": [document(one) for one in done]})
    else:
        words(ctx.words, done)


def pull_requests(
    ctx: Context, project: Project, asked: Question, agents: Sequence[str], now: datetime, *, dry: bool
) -> list[Outcome]:
    """Opens, refreshes or closes the pull requests of the agents' policy files. Nothing is written with `dry`."""
    policies = policies_of(project, asked)
    for agent in agents:
        pipeline.agent_of(policies, agent)
    terms = terms_of(project, asked, now)
    return pulls.publish(project, policies, places_of(ctx, project, policies, agents, now, dry=dry), agents, terms)


def terms_of(project: Project, asked: Question, now: datetime) -> pulls.Terms:
    """What is asked of every agent, and who asks."""
    return pulls.Terms(
        days=asked.days,
        min_age=asked.min_age,
        as_of=asked.as_of,
        today=now.date(),
        requester=requester(),
        most_open=project.config.publish.most_open,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as containers have
        return f"uid {os.getuid()}"


def placer(
    ctx: Context, project: Project, now: datetime, dry: Callable[[str], None] | None
) -> Callable[[PolicyFile], Place]:
    """Finds where a policy file's pull request goes. What it returns raises TightenerError."""
    said = project.config.publish
    remote: list[Host] = []  # one for all files, made when it is first needed

    def host(git: Git) -> Host:
        if not said.github:
            return local_host(ctx, project, git, now)
        if not remote:
            remote.append(github_host(said, now, dry))
        return remote[0]

    def place(file: PolicyFile) -> Place:
        git, path = repository_of(Path(file.path), dry)
        return Place(file, git, path, host(git))

    return place


def places_of(
    ctx: Context, project: Project, policies: PolicySet, agents: Sequence[str], now: datetime, *, dry: bool
) -> list[Place]:
    """The agents' policy files, and where the pull requests about them go. With `dry`, what is written is told."""
    place = placer(ctx, project, now, Printer(sys.stderr if ctx.json else sys.stdout).verbatim if dry else None)
    return [place(file) for file in policies.files if not agents or any(agent in file.agents for agent in agents)]


def requester() -> str:
    """Who runs this."""
    return os.environ.get("GITHUB_ACTOR") or _user()


def local_host(ctx: Context, project: Project, git: Git, now: datetime) -> LocalHost:
    """The repository of a policy file as a host; the bodies lie beside the database."""
    folder = ctx.database_of(project.config).parent / "pull-requests"
    return LocalHost(git, folder, now, project.config.publish.base)


def github_host(said: Publish, now: datetime, dry: Callable[[str], None] | None) -> GitHubHost:
    """The host that the configuration names. Raises TightenerError."""
    api = github_api(said, dry)
    from tightener.publish import github  # noqa: PLC0415 - PyGithub is an extra: most people do without it

    return github.GitHubHost(api, said.github, said.labels, now.date(), said.base)


def github_api(said: Publish, dry: Callable[[str], None] | None = None) -> Api:
    """The API of the host that the configuration names. Raises TightenerError."""
    return access.api_of(said, os.environ, dry)


def document(one: Outcome) -> dict[str, Any]:
    """One pull request for `--json`."""
    return {
        "file": one.path,
        "branch": one.branch,
        "outcome": one.kind.value,
        "why": one.why,
        "place": one.place,
        "changes": one.changes,
        "notes": list(one.notes),
    }


def words(out: Printer, done: Sequence[Outcome]) -> None:
    """A line for each pull request, and where to read it."""
    for one in done:
        out.line(f"{one.path}: {one.kind.value}: {one.why}")
        if one.place:
            out.line(f"  {one.place}, branch {one.branch}")
        for note in one.notes:
            out.line(f"  note: {note}")
