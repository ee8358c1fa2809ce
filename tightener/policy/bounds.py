"""Bounds: for every request, at every moment from one on, some policies together are at most as permissive as others.

`verify` compares two policies. Here each side may be several: what all of the left ones grant, some right one grants.
With the level that each policy gives to a request, that is `min(lefts) <= max(rights)`.

At one level a policy grants `G - X`: granted outright, G is what its allow rules match and X what its approval and deny
rules match; granted or asked for, G is what its allow and approval rules match and X what its deny rules match. So
`(G1-X1) & (G2-X2) & ... <= (H1-Y1) + (H2-Y2) + ...`. A request is outside `H-Y` where it is outside H or inside Y, so
for each choice C of right policies that is the same as

    G1 & G2 & ... & Y(c in C) <= X1 + X2 + ... + H(c not in C)

which `contain` answers: intersections of boxes inside, a union of boxes outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from tightener.model import AgentPolicy, Box, Level
from tightener.policy.contain import Kind, Union
from tightener.policy.decide import Authoriser
from tightener.policy.rules import effective, services_named


@dataclass(frozen=True, slots=True)
class Breach:
    """Why a bound does not hold: a request and its levels, left and right; without a request, it was not proved."""

    request: tuple[str, str, str, str] | None  # service, action, resource, branch
    left: Level = Level.REFUSED
    right: Level = Level.REFUSED
    moment: datetime | None = None


_Sides = tuple[tuple[Box, ...], tuple[Box, ...]]  # what a policy grants at a level, and what it takes away from that


def breach(lefts: Sequence[AgentPolicy | None], rights: Sequence[AgentPolicy | None], at: datetime) -> Breach | None:
    """The first request found that all of `lefts` treat more permissively than every one of `rights`, from `at` on.

    In: policies of one agent, at least one on either side; None grants nothing. Out: None only with a proof over all
    strings; a request only where the authoriser itself answers so; else a Breach without one. Raises what reading the
    rules raises.
    """
    every = [policy for policy in (*lefts, *rights) if policy is not None]
    doubt: Breach | None = None
    for service in _services(every):
        said = [_rules(policy, service) for policy in lefts]
        if any(not rules or rules == _rules(right, service) for rules in said for right in rights):
            continue
        for moment in _moments(every, service, at):
            for level in (Level.ALLOWED, Level.NEEDS_APPROVAL):
                found = _at(lefts, rights, service, moment, level)
                if found is not None and found.request is not None:
                    return found
                doubt = doubt or found
    return doubt


def _at(
    lefts: Sequence[AgentPolicy | None],
    rights: Sequence[AgentPolicy | None],
    service: str,
    moment: datetime,
    level: Level,
) -> Breach | None:
    """The bound for one service, moment and level."""
    left = [_sides(policy, service, moment, level) for policy in lefts]
    right = [_sides(policy, service, moment, level) for policy in rights]
    taken = [box for _, limits in left for box in limits]
    # What the left takes away itself is no way out of a right policy: unchanged limits cost no pair of boxes.
    limited = Union(taken)
    gone = [[box for box in limits if limited.check((box,)).kind is not Kind.CONTAINED] for _, limits in right]
    doubt = False
    for choice in product((False, True), repeat=len(right)):
        inside = [granted for granted, _ in left] + [boxes for boxes, c in zip(gone, choice, strict=True) if c]
        outside = [h for (granted, _), c in zip(right, choice, strict=True) if not c for h in granted]
        union = Union((*taken, *outside))
        for inner in _meets(inside):
            found = union.check(inner)
            if found.kind is Kind.WIDER and found.witness is not None:
                request = (service, *found.witness)
                least = min(_level(policy, request, moment) for policy in lefts)
                most = max(_level(policy, request, moment) for policy in rights)
                if least > most:
                    return Breach(request, least, most, moment)
            doubt = doubt or found.kind is not Kind.CONTAINED
    return Breach(None) if doubt else None


def _meets(sets: Sequence[Sequence[Box]]) -> Iterator[tuple[Box, ...]]:
    """The intersection of unions of boxes, as intersections of one box of each, without those that are surely empty.

    A box that the next union has as well meets all of that union in itself, so nothing else is asked of that one.
    """
    first, *others = sorted(sets, key=len)
    unions = [Union(boxes) for boxes in others]
    rows = [{_row(box) for box in boxes} for boxes in others]

    def further(so_far: tuple[Box, ...], at: int) -> Iterator[tuple[Box, ...]]:
        if at == len(unions):
            yield so_far
        elif any(_row(box) in rows[at] for box in so_far):
            yield from further(so_far, at + 1)
        else:
            for index in unions[at].meeting(so_far[-1]):
                yield from further((*so_far, others[at][index]), at + 1)

    for box in first:
        yield from further((box,), 0)


def _row(box: Box) -> tuple[str, str, str]:
    return box.action, box.resource, box.branch


def _sides(policy: AgentPolicy | None, service: str, moment: datetime, level: Level) -> _Sides:
    if policy is None:
        return (), ()
    deny, approval, allow = effective(policy, service, moment)
    return (allow, (*approval, *deny)) if level is Level.ALLOWED else ((*allow, *approval), deny)


def _level(policy: AgentPolicy | None, request: tuple[str, str, str, str], moment: datetime) -> Level:
    return Level.REFUSED if policy is None else Authoriser(policy, moment).decide(*request).answer.level


def _rules(policy: AgentPolicy | None, service: str) -> frozenset[object]:
    """The rules that concern a service: where two policies have the same, they answer the same."""
    rules = () if policy is None else policy.rules
    return frozenset((r.effect, r.service, r.body, r.expires) for r in rules if r.service in (service, "*"))


def _services(policies: Sequence[AgentPolicy]) -> Sequence[str]:
    """The services that are named anywhere, and one that nobody names: all of those are alike."""
    named = set[str]().union(*(services_named(policy) for policy in policies))
    unnamed = "unnamed"
    while unnamed in named:
        unnamed += "-"
    return (*sorted(named), unnamed)


def _moments(policies: Sequence[AgentPolicy], service: str, at: datetime) -> Sequence[datetime]:
    """`at`, and each later moment at which a rule for this service expires: between them nothing changes."""
    rules = [rule for policy in policies for rule in policy.rules if rule.service in (service, "*")]
    return (at, *sorted({rule.expires for rule in rules if rule.expires is not None and rule.expires > at}))
