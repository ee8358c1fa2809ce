"""Replay: every exercised request of the window is put to the authoriser again, under the old policy and the new one.

Shares no code with tighten/: it reads the usage by a query of its own and knows nothing of suggestions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

import duckdb

from tightener.model import AgentPolicy, Box, Effect, Level
from tightener.policy.contain import check
from tightener.policy.decide import Authoriser
from tightener.policy.rules import effective
from tightener.resources import query
from tightener.services.semantics import fold_action


@dataclass(frozen=True, slots=True)
class Lost:
    """A request that the new policy treats more strictly. Of a partial use, these may be patterns."""

    service: str
    action: str
    resource: str
    branch: str
    before: Level
    after: Level


@dataclass(slots=True)
class Exercised:
    """The distinct requests of one agent and window that must keep their level, grouped by what they do.

    Those without evidence either way are among them: they may be needed. They are not counted.
    """

    whole: dict[tuple[str, str], list[tuple[str, str]]] = field(
        default_factory=dict
    )  # (service, action) -> (resource, branch)
    partial: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    uses: int = 0
    requests: int = 0  # exercised ones, partial ones included


def exercised(con: duckdb.DuckDBPyConnection) -> Exercised:
    """Reads the requests from what was collected."""
    found = Exercised()
    for service, action, partial, certain, resources, branches, uses in con.execute(query("replay")).fetchall():
        targets = list(zip(resources, branches, strict=True))
        if certain:
            found.uses += uses
            found.requests += len(targets)
        if partial:
            found.partial += [(service, action, *target, partial) for target in targets]
        else:
            found.whole.setdefault((service, action), []).extend(targets)
    return found


def replay(
    old: AgentPolicy,
    new: AgentPolicy,
    requests: Exercised,
    moment: datetime,
    only: Iterable[tuple[str, str]] | None = None,
) -> list[Lost]:
    """The requests that lose their level. `only` restricts the replay to these (service, action) pairs."""
    before, after = Authoriser(old, moment), Authoriser(new, moment)
    lost: list[Lost] = []
    pairs = requests.whole.keys() if only is None else [pair for pair in only if pair in requests.whole]
    for service, action in pairs:
        if before.same(after, service, action):
            continue
        targets = requests.whole[service, action]
        now = after.levels(service, action, targets)
        doubtful = [(target, level) for target, level in zip(targets, now, strict=True) if level < Level.ALLOWED]
        was = before.levels(service, action, [target for target, _ in doubtful])
        lost += [
            Lost(service, action, *target, old_level, level)
            for (target, level), old_level in zip(doubtful, was, strict=True)
            if level < old_level
        ]
    for service, action, resource, branch, _ in requests.partial:
        if not _partial_kept(
            old, new, service, Box(-1, Effect.ALLOW, fold_action(service, action), resource, branch), moment
        ):
            lost.append(Lost(service, action, resource, branch, Level.ALLOWED, Level.REFUSED))
    return sorted(lost, key=lambda one: (one.service, one.action, one.resource, one.branch))


def _partial_kept(old: AgentPolicy, new: AgentPolicy, service: str, seen: Box, moment: datetime) -> bool:
    """Whether every request that a partial use may have been keeps its level.

    The four conditions of policy-semantics, section 3, with the policies exchanged and everything cut to `seen`:
    never stricter there is "the old policy is never wider than the new one there".
    """
    deny_old, ask_old, allow_old = effective(old, service, moment)
    deny_new, ask_new, allow_new = effective(new, service, moment)
    return (
        _inside([(a, seen) for a in allow_old], (*deny_old, *ask_old, *allow_new))
        and _inside([(a, x, seen) for a in allow_old for x in (*ask_new, *deny_new)], (*deny_old, *ask_old))
        and _inside([(r, seen) for r in ask_old], (*deny_old, *allow_new, *ask_new))
        and _inside([(r, d, seen) for r in ask_old for d in deny_new], deny_old)
    )


def _inside(inners: list[tuple[Box, ...]], outer: tuple[Box, ...]) -> bool:
    return check([tuple(replace(box) for box in inner) for inner in inners], outer).kind == "contained"
