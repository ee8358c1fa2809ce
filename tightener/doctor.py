"""`tightener doctor`: whether all that a weekly run rests on is in order, and what to do where it is not.

What is known about logs, coverage and ages is asked of those who compute it; nothing is computed a second time here.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from tightener import pipeline
from tightener.config import Config
from tightener.errors import TightenerError
from tightener.logs import files
from tightener.logs.coverage import TRAIL
from tightener.logs.s3.bucket import Bucket
from tightener.logs.s3.layout import probe
from tightener.logs.s3.refusal import RefusedError
from tightener.logs.s3.source import Source
from tightener.pipeline import STALE_DAYS, Project
from tightener.policy import history
from tightener.policy.document import PolicySet
from tightener.publish import access
from tightener.report import overview
from tightener.report.defuse import visible
from tightener.services.observe import data_class
from tightener.tighten.grants import Status
from tightener.tighten.wording import count, listing

_AHEAD = timedelta(minutes=5)  # clocks that differ by less are as good as equal
_MOST = 5  # names in one sentence
_IGNORED = "skipped: "  # how logs.files begins what it leaves out on purpose


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what about, how it is, and what to do ('' = nothing)."""

    about: str
    level: Level
    says: str
    do: str = ""


def examine(config: Config, database: Path, now: datetime, environment: Mapping[str, str]) -> list[Check]:
    """Every check, in the order in which a run needs the things. Raises nothing for what a check is about."""
    found = [_configuration(config)]
    policies: PolicySet | None = None
    try:
        policies = pipeline.read_policies(pipeline.open_project(config, None))
        found += _policies(policies)
    except TightenerError as error:
        found.append(failed("policy", error))
    found += _logs(config)
    found += _database(database)
    if database.exists():
        try:
            project = pipeline.open_project(config, database)
            with project.con:
                found += _read(project, policies, now)
        except TightenerError as error:
            found.append(failed("database", error))
    found += _git(policies, database)
    found += _publish(config, environment)
    return found


def failed(about: str, error: TightenerError) -> Check:
    """The check that an error is the answer to."""
    where = f"{error.place}: " if error.place else ""
    return Check(about, Level.PROBLEM, f"{where}{error.message} [{error.slug}]", error.hint)


def _configuration(config: Config) -> Check:
    if config.path is None:
        says = "there is no tightener.yaml in this folder or a parent"
        return Check("configuration", Level.WARNING, says, "tightener init")
    return Check("configuration", Level.OK, f"{config.path} can be read")


def _policies(policies: PolicySet) -> Iterator[Check]:
    names = sorted(policies.agents)
    says = f"{count(len(policies.files), 'file')}, {count(len(names), 'agent')}: {_some(names)}"
    if names:
        yield Check("policy", Level.OK, says)
    else:
        yield Check("policy", Level.PROBLEM, "the policy files name no agent", "write one under `agents:`")
    for one in policies.warnings:
        yield Check(
            "policy", Level.WARNING, f"{one.place}: {one.message} [{one.slug}]", "correct the file, if it is not meant"
        )


def _logs(config: Config) -> Iterator[Check]:
    try:
        paths, sources = pipeline.logs_of(config)
    except TightenerError as error:
        yield Check("logs", Level.WARNING, error.message, "name them under `logs:` or `sources:` in tightener.yaml")
        return
    for source in sources:
        yield _source_in_s3(source)
    for path in paths:
        found = files.find([path])
        bad = [p for p in found.problems if not p.message.startswith(_IGNORED)]
        locked = [one.path for one in found.files if not os.access(one.path, os.R_OK)]
        if not found.files:
            why = bad[0].message if bad else "there is no log in it"
            yield Check("logs", Level.PROBLEM, f"{path}: {why}", "correct `logs:` in tightener.yaml, or fetch the logs")
            continue
        yield Check("logs", Level.OK, f"{path}: {count(len(found.files), 'file')}")
        if locked:
            says = f"{path}: {count(len(locked), 'file')} cannot be read, such as {locked[0]}"
            yield Check("logs", Level.PROBLEM, says, "let the user who runs tightener read them")
        for p in bad[:_MOST]:
            yield Check("logs", Level.WARNING, f"{p.path}: {p.message}", "look whether the logs were fetched whole")


def _source_in_s3(source: Source) -> Check:
    """Whether it can be listed and read: of its first account and region, and its first object there."""
    try:
        key = probe(Bucket(source))
    except RefusedError as error:
        why = error.refusal
        return Check("logs", Level.PROBLEM, f"{source.uri}: {why}", f"tightener explain {why.slug} (docs/s3.md)")
    if not key:
        says = f"{source.uri}: there is no object below this prefix"
        return Check("logs", Level.PROBLEM, says, "correct `sources:` in tightener.yaml")
    return Check("logs", Level.OK, f"{source.uri}: can be listed and read (the first byte of {visible(key)})")


def _database(path: Path) -> Iterator[Check]:
    if not path.exists():
        yield Check("database", Level.WARNING, f"no log has been read yet: there is no {path}", "tightener ingest")
        return
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        says = f"{path} is open to others (mode {mode:04o}), and holds what agents did"
        yield Check("database", Level.PROBLEM, says, f"chmod 600 {shlex.quote(str(path))}")
    else:
        yield Check("database", Level.OK, f"{path} is its owner's alone (mode {mode:04o})")


def _read(project: Project, policies: PolicySet | None, now: datetime) -> Iterator[Check]:
    """What was read: the sources, the clock, the agents, the data events."""
    known = overview.status(project.con, project.config)
    for source in known["sources"]:
        yield from _source(source, now)
    yield from _clock(known["sources"], now)
    callers = overview.agents(project.con, project.config)
    for text in callers["warnings"]:
        yield Check("agents", Level.WARNING, text, "give each agent credentials of its own")
    if policies is not None and known["last_day"]:
        unseen = [name for name in sorted(policies.agents) if name not in known["agents"]]
        if unseen:
            do = "say who they are in CloudTrail (`principals:`, see tightener agents), or check their names"
            yield Check("agents", Level.WARNING, f"no log that was read knows {_some(unseen)}", do)
        else:
            yield Check("agents", Level.OK, "the logs know every agent of the policy")
        yield from _data_events(project, policies)


def _source(source: Mapping[str, Any], now: datetime) -> Iterator[Check]:
    name = visible(source["source"] or "files of no known format")
    if source["last"] is None:
        do = "tightener status says why; tightener ingest --try FILE shows how a file is read"
        yield Check("source", Level.PROBLEM, f"{name}: no event could be read from it", do)
        return
    last = _moment(source["last"])
    age = (now.date() - last.date()).days
    if age > STALE_DAYS:
        says = f"{name}: the newest event is of {last.date()}, {count(age, 'day')} ago"
        yield Check("source", Level.WARNING, says, "fetch newer logs, then: tightener ingest")
    else:
        yield Check("source", Level.OK, f"{name}: events from {source['first'][:10]} to {last.date()}")
    if gaps := source["missing_days"]:
        says = f"{name}: no record on {count(len(gaps), 'day')}: {_some(gaps)}"
        yield Check("source", Level.WARNING, says, "fetch these days, unless nothing ran then")
    if bad := source["rejected"]:
        says = f"{name}: {count(bad, 'record')} rejected of {source['records']:,}"
        yield Check("source", Level.WARNING, says, "tightener status says why")
    if bad := source["files_with_problems"]:
        yield Check(
            "source", Level.WARNING, f"{name}: {count(bad, 'file')} with problems", "tightener status names them"
        )


def _clock(sources: list[dict[str, Any]], now: datetime) -> Iterator[Check]:
    newest = max((_moment(s["last"]) for s in sources if s["last"] is not None), default=None)
    if newest is None:
        return
    if newest > now + _AHEAD:
        says = f"the newest log line is of {newest:%Y-%m-%d %H:%M:%S} UTC, here it is {now:%Y-%m-%d %H:%M:%S} UTC"
        yield Check("clock", Level.PROBLEM, says, "set the clock of this machine, or of the one that writes the log")
    else:
        yield Check("clock", Level.OK, "no log line is of the future")


def _data_events(project: Project, policies: PolicySet) -> Iterator[Check]:
    """The data events that grants would need: what `compare` calls unobservable, by agent, resource type and reason."""
    every = True
    for agent in sorted(policies.agents):
        found = pipeline.study(project, policies, agent, since={}).comparison
        trail = any(source.source == TRAIL for source in found.terms.coverage.sources)
        missing: dict[tuple[str, str], list[str]] = {}
        for grant in found.grants:
            kind = data_class(grant.action) if grant.rule.service == "aws" else ""
            if kind and grant.status is Status.UNOBSERVABLE:
                missing.setdefault((kind.removeprefix("data:"), grant.note), []).append(grant.action)
        for (kind, why), actions in missing.items():
            every = False
            says = f"{visible(agent)}: {_some(sorted(set(actions)))} cannot be seen: {why}"
            do = f"let the trail record data events of {kind} (docs/data-events.md)"
            if not trail:
                do = f"read CloudTrail with data events of {kind}, or say under `covers:` whose log covers aws"
            yield Check("data events", Level.WARNING, says, do)
    if every:
        yield Check("data events", Level.OK, "no grant of the policies lacks any")


def _git(policies: PolicySet | None, database: Path) -> Iterator[Check]:
    for file in policies.files if policies else ():
        known = history.known(Path(file.path))
        if known is None:
            said = all(agent.granted_since for agent in file.agents.values())
            says = f"{file.path} is not in Git" + (", its agents say x-granted-since" if said else "")
            do = "commit it: proposals, reviews and the age of each grant rest on its history"
            yield Check("git", Level.WARNING, says, do)
            continue
        yield Check("git", Level.OK, f"{file.path}: {count(known.revisions, 'revision')} since {known.oldest}")
        if known.cut:
            says = f"{file.path}: the clone is shallow, so that grants look younger than they are"
            yield Check("git", Level.WARNING, says, "git fetch --unshallow (in a workflow: fetch-depth: 0)")
        if known.changed:
            says = f"{file.path} has changes that are not committed"
            yield Check("git", Level.WARNING, says, "commit them, or take them back: what is new is of unknown age")
    if database.exists() and history.would_commit(database):
        says = f"Git would commit the database {database}"
        yield Check("git", Level.PROBLEM, says, "add its folder to .gitignore (if it is committed: git rm --cached)")


def _publish(config: Config, environment: Mapping[str, str]) -> Iterator[Check]:
    """What a token can do. GitHub is asked, and nothing is written there."""
    said = config.publish
    if not said.github:
        return
    token = access.token_of(environment)
    if not token:
        says = f"pull requests go to {said.github}, and there is no token"
        yield Check("publish", Level.PROBLEM, says, "set GITHUB_TOKEN")
        return
    try:
        found = access.look(access.api_of(said, environment), said, token)
    except TightenerError as error:
        yield _asked(error)
        return
    yield from _repository(said.github, found)
    if access.is_of_an_app(token) and environment.get("GITHUB_ACTIONS"):
        says = "pull requests that a workflow opens with its own token start no checks; this token is one, or an App's"
        says += ", which looks the same"
        yield Check(
            "publish", Level.WARNING, says, "where checks must run, use the token of an App (docs/scheduling.md)"
        )


def _repository(name: str, found: access.Access) -> Iterator[Check]:
    yield from map(_asked, found.errors)
    if found.name != name:
        says = f"GitHub calls {name} {found.name}, so that tightener would not know its own pull requests again"
        yield Check("publish", Level.PROBLEM, says, f"write `publish: github: {found.name}`")
    if found.closed:
        says = f"{name} is {found.closed}: nothing can be written to it"
        yield Check("publish", Level.PROBLEM, says, "have that undone, or name another one under `publish: github:`")
    elif found.pushes is False:
        says = f"the user whose token it is may not push to {name}"
        yield Check("publish", Level.PROBLEM, says, "let the user write to the repository, or use another token")
    elif not found.errors:
        says = f"pull requests go to {name}, branch {found.base}; the token reads the branch and the pull requests"
        says += ", and its user may push" if found.pushes else ""
        says += ". Whether it has `contents: write` and `pull-requests: write`, only a write would show"
        yield Check("publish", Level.OK, says)


def _asked(error: TightenerError) -> Check:
    """An answer that is an error. No answer says nothing about the token."""
    if error.slug in {"github-unreachable", "github-rate-limit"}:
        says = f"what the token can do is not known: {error.message} [{error.slug}]"
        return Check("publish", Level.WARNING, says, "run this again later, or where GitHub can be reached")
    return failed("publish", error)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _some(names: list[str]) -> str:
    return listing([visible(name) for name in names], _MOST)
