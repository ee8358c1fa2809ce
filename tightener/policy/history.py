"""Since when Git has granted something: from the revisions of a policy file, by containment and not by its lines."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from tightener.errors import PolicyError
from tightener.model import AgentPolicy, Aliases, Box, Effect, Rule
from tightener.policy import document
from tightener.policy.contain import Kind, Union
from tightener.policy.rules import boxes, effective

MAX_REVISIONS = 200  # further back than any age that matters; the oldest one looked at is then the answer


@dataclass(frozen=True, slots=True)
class _Revision:
    commit: str
    moment: datetime
    path: str  # the file may have had another name then


@dataclass(frozen=True, slots=True)
class Then:
    """A policy file as it was: its text, and the commit that had made it so."""

    text: str
    commit: str
    day: date


@dataclass(frozen=True, slots=True)
class Known:
    """What Git knows of a file, as far back as it was looked at (MAX_REVISIONS)."""

    revisions: int
    oldest: date
    cut: bool  # the clone is shallow: there may be older ones
    changed: bool  # the file differs from the newest revision


def known(policy_path: Path) -> Known | None:
    """What Git knows of a file; None where it does not know it. Raises nothing of its own."""
    revisions = _revisions(policy_path)
    if not revisions:
        return None
    path = policy_path.resolve()
    shallow = _git(path.parent, ["rev-parse", "--is-shallow-repository"])
    return Known(
        len(revisions),
        revisions[-1].moment.date(),
        cut=shallow is not None and shallow.strip() == b"true",
        changed=bool(_git(path.parent, ["status", "--porcelain", "--", path.name])),
    )


def would_commit(path: Path) -> bool:
    """Whether Git tracks a file, or would take it in with `git add .`; False outside a repository."""
    path = path.resolve()
    wanted = ["ls-files", "--cached", "--others", "--exclude-standard", "--", path.name]
    return bool(_git(path.parent, wanted))


def as_of(policy_path: Path, moment: datetime) -> Then | None:
    """The file as Git had it at a moment, along the main line of history.

    None where Git does not know the file, or knows of no revision that old (cut history included), or where the file
    was absent or not UTF-8 then. Raises nothing of its own.
    """
    revision = next((r for r in _revisions(policy_path) if r.moment <= moment), None)
    if revision is None:
        return None
    text = next(_texts(policy_path.resolve().parent, [revision]))
    return None if text is None else Then(text, revision.commit, revision.moment.date())


def granted_since(
    policy_path: Path,
    agent: str,
    rules: Sequence[tuple[Rule, str]],
    until: datetime | None = None,
    declared: date | None = None,
) -> Mapping[tuple[int, str], date | None] | None:
    """Since which day each (rule, action as written) has been granted without a break.

    In: a policy file, an agent in it, and pairs of a rule with one of its actions; `until` looks at the file's past as
    it was then, without later revisions. Out: (rule index, action) -> the day
    (UTC, of the commit) of the oldest revision from which on, up to the newest one, every request of the pair was
    granted: by an allow, or for an approval rule by an allow or an approval. None for a pair that the newest revision
    does not grant yet (the change is not committed). The answer is None where Git does not know the file. An old
    revision that cannot be read as a policy granted nothing. Where history is cut (a shallow clone, or more than
    MAX_REVISIONS), the oldest revision there is counts, so an age is never overstated. `declared` is the day that the
    agent's owners name: it takes the place of the revision in which the agent came into the file, and says nothing of
    what Git has seen come later. Raises nothing of its own.
    """
    revisions = [r for r in _revisions(policy_path) if until is None or r.moment <= until]
    if not revisions:
        return None
    found: dict[tuple[int, str], date | None] = {(rule.index, action): None for rule, action in rules}
    waiting = list(rules)
    for revision, text in zip(revisions, _texts(policy_path.resolve().parent, revisions), strict=True):
        if declared is not None and revision.moment.date() <= declared:
            break  # what is older than that changes nothing
        agents = _agents(text, revision.path, rules[0][0].aliases if rules else {})
        policy = agents.get(agent)
        if policy is None:
            waiting = waiting if agents else []  # what was no policy granted nothing
            break
        unions: dict[tuple[str, Effect], Union] = {}
        waiting = [pair for pair in waiting if _granted(policy, pair, revision.moment, unions)]
        if not waiting:
            break
        for rule, action in waiting:
            found[rule.index, action] = revision.moment.date()
    if declared is not None:
        found |= {(rule.index, action): declared for rule, action in waiting}
    return found


def _granted(
    policy: AgentPolicy, pair: tuple[Rule, str], moment: datetime, unions: dict[tuple[str, Effect], Union]
) -> bool:
    rule, action = pair
    key = (rule.service, rule.effect)
    if key not in unions:
        _, approval, allow = effective(policy, rule.service, moment)
        unions[key] = Union((*allow, *approval) if rule.effect is Effect.REQUIRE_APPROVAL else allow)
    cell = boxes(replace(rule, body=replace(rule.body, actions=(action,))), rule.service)
    return all(_inside(unions[key], box) for box in cell)


def _inside(union: Union, box: Box) -> bool:
    return union.check((box,)).kind is Kind.CONTAINED


def _agents(text: str | None, path: str, aliases: Aliases) -> Mapping[str, AgentPolicy]:
    """The agents of a revision; none where it was no policy."""
    if text is None:
        return {}
    try:
        return document.parse(text, path, aliases).agents
    except PolicyError:
        return {}


def _revisions(path: Path) -> list[_Revision]:
    """The revisions of a file, newest first, along the main line of history: a merge grants on the day it lands."""
    path = path.resolve()
    wanted = ["--follow", "--first-parent", "-m", f"-n{MAX_REVISIONS}", "--name-only", "--format=%x01%H %ct", "-z"]
    shown = _git(path.parent, ["log", *wanted, "--", path.name])
    found = []
    for entry in (shown or b"").decode("utf-8", "surrogateescape").split("\x01")[1:]:
        head, _, names = entry.partition("\0")
        commit, _, seconds = head.strip().partition(" ")
        name = names.strip("\0\n").split("\0")[0]
        found.append(_Revision(commit, datetime.fromtimestamp(int(seconds.split()[0]), UTC), name))
    return found


def _texts(folder: Path, revisions: Sequence[_Revision]) -> Iterator[str | None]:
    """The file's text in each revision; None where it was absent, or is not UTF-8."""
    for revision in revisions:
        shown = _git(folder, ["cat-file", "blob", f"{revision.commit}:{revision.path}"])
        try:
            yield None if shown is None else shown.decode("utf-8")
        except UnicodeDecodeError:
            yield None


def _git(folder: Path, arguments: Sequence[str]) -> bytes | None:
    """What Git prints, or None where it is not installed, or says no."""
    command = ["git", "-C", str(folder), "--literal-pathspecs", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
