"""What a merge broke, as a pure question: which refused calls would a grant have let through that the merge removed?

In: the merges with the agent's policy before and after each, its policy now, and what it was refused. Out: the grants,
each with the calls that needed it, and the smallest part of it that would let them through again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tightener.logs.refused import Refused
from tightener.model import AgentPolicy, Answer, Body, Effect, Level, Rule
from tightener.policy.decide import Authoriser
from tightener.policy.patterns import intersects, matches
from tightener.policy.rules import boxes, boxes_of
from tightener.services.semantics import fold_action, normalise_branch


@dataclass(frozen=True, slots=True)
class Merge:
    """A pull request that was merged, and one agent's policy just before and just after."""

    name: str
    at: datetime
    before: AgentPolicy
    after: AgentPolicy


@dataclass(frozen=True, slots=True)
class Broken:
    """A grant (a rule of the former policy, and one action) that a merge removed, and the calls refused since then.

    `missing` are those that are not granted now either; without any, the grant has come back.
    """

    merge: Merge
    rule: Rule
    action: str
    calls: tuple[Refused, ...]
    missing: tuple[Refused, ...]


def broken(
    merges: Sequence[Merge], now: AgentPolicy, refused: Sequence[Refused], at: datetime
) -> tuple[list[Broken], int]:
    """What the merges broke, and how many refused calls nothing can be said of: the log hides a part of them.

    A call counts against the newest merge after which it was refused, and which took away what it needed. What a deny
    (or an approval that has expired) refuses now is somebody's decision and no break.
    """
    present = Authoriser(now, at)
    sides = [(one, Authoriser(one.before, at), Authoriser(one.after, at)) for one in merges]
    sides.sort(key=lambda side: side[0].at, reverse=True)
    found: dict[tuple[object, ...], list[tuple[Merge, Rule, Refused, bool]]] = {}
    unclear = 0
    for call in refused:
        if call.partial:
            unclear += any(
                call.last >= merge.at and _may(merge.before, call) - _may(merge.after, call) for merge in merges
            )
            continue
        asked = (call.request.service, call.request.action, call.request.resource, call.request.branch)
        answer = present.decide(*asked).answer
        if answer is Answer.DENIED:
            continue
        for merge, before, after in sides:
            was = before.decide(*asked)
            if call.last < merge.at or was.rule is None or was.answer.level is Level.REFUSED:
                continue
            if after.decide(*asked).answer.level is not Level.REFUSED:
                continue
            rule = was.rule
            key = (rule.effect, rule.service, rule.body, rule.twin, fold_action(rule.service, call.request.action))
            found.setdefault(key, []).append((merge, rule, call, answer is Answer.NOT_GRANTED))
            break
    return [
        Broken(
            entries[0][0],
            entries[0][1],
            entries[0][2].request.action,
            tuple(call for _, _, call, _ in entries),
            tuple(call for _, _, call, missing in entries if missing),
        )
        for entries in found.values()
    ], unclear


def _may(policy: AgentPolicy, call: Refused) -> set[tuple[Effect, str, str]]:
    """The grants that a partly hidden request may have been one of."""
    asked = call.request
    folded = fold_action(asked.service, asked.action)
    return {
        (box.effect, box.resource, box.branch)
        for box in boxes_of(policy, asked.service)
        if box.effect is not Effect.DENY
        and matches(box.action, folded)
        and intersects(box.resource, asked.resource)
        and intersects(box.branch, asked.branch)
    }


def parts(one: Broken) -> list[Body]:
    """What of the grant could be put back for the missing calls, the best first: the patterns of the rule that cover
    them, for this action alone; else the calls themselves, where they can be said."""
    body = one.rule.body
    covering = Body(
        (one.action,),
        None if body.resources is None else _needed(one, body.resources, "resources"),
        None if body.branches is None else _needed(one, body.branches, "branches"),
    )
    resources = tuple(dict.fromkeys(call.request.resource for call in one.missing))
    branches = tuple(dict.fromkeys(call.request.branch for call in one.missing))
    exact = Body((one.action,), resources, branches)
    wild = any(c in value for value in (*resources, *branches) for c in "*?")
    return [covering] if wild else [covering, exact]


def _needed(one: Broken, patterns: Sequence[str], name: str) -> tuple[str, ...]:
    return tuple(pattern for pattern in patterns if any(_covers(one, name, pattern, call) for call in one.missing))


def _covers(one: Broken, name: str, pattern: str, call: Refused) -> bool:
    """Whether the rule with this one pattern in a list still matches the call."""
    body = one.rule.body
    only = Body(body.actions, (pattern,), body.branches) if name == "resources" else replace(body, branches=(pattern,))
    asked = call.request
    folded, branch = fold_action(asked.service, asked.action), normalise_branch(asked.branch)
    return any(
        matches(box.action, folded) and matches(box.resource, asked.resource) and matches(box.branch, branch)
        for box in boxes(replace(one.rule, body=only), asked.service)
    )
