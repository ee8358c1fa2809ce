"""Never wider: for every request, at every moment from one on, the new policy is at most as permissive as the old one.

With D, R and A the requests that the deny, approval and allow rules of the old (O) and the new (N) policy match, that
is the same as these four (docs/policy-semantics.md, section 3), for each service:

1. `A_N <= D_N + R_N + A_O`
2. `A_N & (R_O + D_O) <= D_N + R_N`
3. `R_N <= D_N + A_O + R_O`
4. `R_N & D_O <= D_N`

Services that nobody names are all alike (only `deny` may say `*`), so one made-up name stands for them. Rules change
with time only where one expires, so each service is looked at now ("at") and at each later expiry of one of its rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tightener.model import AgentPolicy, Answer, Box
from tightener.policy.contain import Kind, Result, Union
from tightener.policy.decide import Authoriser
from tightener.policy.rules import effective, services_named

_Compiled = tuple[tuple[Box, ...], tuple[Box, ...], tuple[Box, ...]]  # deny, approval, allow
_NOTHING: _Compiled = ((), (), ())
_WORST_FIRST = (Kind.WIDER, Kind.NOT_PROVEN, Kind.CONTAINED)


@dataclass(frozen=True, slots=True)
class Witness:
    """A request that the new policy treats more permissively, and what the authoriser says to it, old and new."""

    service: str
    action: str
    resource: str
    branch: str
    old: Answer
    new: Answer
    moment: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one agent. `reason` is a sentence, '' where contained; `checks` counts the boxes looked at."""

    kind: Kind
    witness: Witness | None = None
    reason: str = ""
    checks: int = 0


@dataclass(frozen=True, slots=True)
class AgentVerdict:
    """The verdict of one agent of a policy set."""

    agent: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SetVerdict:
    """The worst verdict of a policy set, and each agent's, by name."""

    kind: Kind
    agents: tuple[AgentVerdict, ...]


def verify_sets(
    old: Mapping[str, AgentPolicy], new: Mapping[str, AgentPolicy], at: datetime, agent: str | None = None
) -> SetVerdict:
    """Compare two policy sets, agent by agent; with `agent` only that one.

    In: the agents of each set by name. An agent that one set lacks is granted nothing there. Out: the verdicts by name;
    a set without agents is contained. Raises what reading the rules raises.
    """
    names = sorted({*old, *new}) if agent is None else [agent]
    agents = tuple(AgentVerdict(name, compare_policies(old.get(name), new.get(name), at)) for name in names)
    kinds = {one.verdict.kind for one in agents}
    return SetVerdict(next((kind for kind in _WORST_FIRST if kind in kinds), Kind.CONTAINED), agents)


def compare_policies(old: AgentPolicy | None, new: AgentPolicy | None, at: datetime) -> Verdict:
    """Whether `new` is never wider than `old` at any moment from `at` on (an aware datetime).

    In: two policies of one agent; None grants nothing. Out: `contained` only with a proof over all strings; `wider`
    only with a request on which the authoriser itself answers more permissively; else `not_proven` with the reason. The
    first service and moment that is wider decides; it is looked for even where another was not proven. Raises what
    reading the rules raises.
    """
    if new is None:
        return Verdict(Kind.CONTAINED)
    checks = 0
    doubt = ""
    before_of, after_of = _rules_by_service(old), _rules_by_service(new)
    same_everywhere = before_of.get("*") == after_of.get("*")
    for service in _services(old, new):
        if old is not None and same_everywhere and before_of.get(service) == after_of.get(service):
            continue  # the same rules on both sides: then so is every answer at every moment
        for moment in _moments(old, new, service, at):
            before = _NOTHING if old is None else effective(old, service, moment)
            found, looked_at = _never_wider(before, effective(new, service, moment))
            checks += looked_at
            if found.kind is Kind.WIDER and found.witness is not None:
                witness = _answered(old, new, service, found.witness, moment)
                if witness.new.level > witness.old.level:
                    words = f"the new policy answers {witness.new.value} where the old one answers {witness.old.value}"
                    return Verdict(Kind.WIDER, witness, words, checks)
                doubt = doubt or (
                    f"the proof and the authoriser disagree about {_shown(witness)}: "
                    f"{witness.old.value} before, {witness.new.value} after"
                )
            elif found.kind is not Kind.CONTAINED:
                doubt = doubt or f"the patterns for {service} are too entangled to be compared within the limit of work"
    return Verdict(Kind.NOT_PROVEN, reason=doubt, checks=checks) if doubt else Verdict(Kind.CONTAINED, checks=checks)


def _never_wider(old: _Compiled, new: _Compiled) -> tuple[Result, int]:
    """The four conditions for one service at one moment, and the number of boxes looked at."""
    deny_old, approval_old, allow_old = old
    deny_new, approval_new, allow_new = new
    # A box that stands on the new side's stricter blocks cannot be where the policy widens: conditions 2 and 4 ask only
    # about old limits that are gone, so that unchanged ones cost no pair of boxes.
    limited = Union((*deny_new, *approval_new))
    denied = Union(deny_new)
    gone = [box for box in (*deny_old, *approval_old) if limited.check((box,)).kind is not Kind.CONTAINED]
    gone_denies = [box for box in deny_old if denied.check((box,)).kind is not Kind.CONTAINED]
    looked_at = len(deny_old) * 2 + len(approval_old)
    doubt: Result | None = None
    questions: tuple[tuple[Union, Iterator[tuple[Box, ...]]], ...] = (
        (Union((*deny_new, *approval_new, *allow_old)), _others(allow_new, allow_old)),
        (limited, _pairs(gone, allow_new)),
        (Union((*deny_new, *allow_old, *approval_old)), _others(approval_new, approval_old)),
        (denied, _pairs(gone_denies, approval_new)),
    )
    for union, inners in questions:
        for inner in inners:
            looked_at += 1
            found = union.check(inner)
            if found.kind is Kind.WIDER:
                return found, looked_at
            if found.kind is Kind.NOT_PROVEN:
                doubt = doubt or found
    return doubt or Result(Kind.CONTAINED), looked_at


def _others(new: Sequence[Box], old: Sequence[Box]) -> Iterator[tuple[Box]]:
    """The new boxes that are no old ones: a box lies in itself."""
    known = {(box.action, box.resource, box.branch) for box in old}
    return ((box,) for box in new if (box.action, box.resource, box.branch) not in known)


def _pairs(limits: Sequence[Box], granted: Sequence[Box]) -> Iterator[tuple[Box, Box]]:
    """Each old limit with each new grant that shares a request with it; other intersections are empty."""
    grants = Union(granted)
    for limit in limits:
        for index in grants.meeting(limit):
            yield granted[index], limit


def _services(old: AgentPolicy | None, new: AgentPolicy) -> Sequence[str]:
    """The services named on either side, and one that nobody names."""
    named = set(services_named(new)) | (set() if old is None else set(services_named(old)))
    named.discard("*")
    unnamed = "unnamed"
    while unnamed in named:
        unnamed += "-"
    return (*sorted(named), unnamed)


def _rules_by_service(policy: AgentPolicy | None) -> Mapping[str, set[tuple[object, ...]]]:
    """What the rules of each service say; those for all services are under `*`."""
    found: dict[str, set[tuple[object, ...]]] = {}
    for rule in () if policy is None else policy.rules:
        found.setdefault(rule.service, set()).add((rule.effect, rule.body, rule.expires))
    return found


def _moments(old: AgentPolicy | None, new: AgentPolicy, service: str, at: datetime) -> Sequence[datetime]:
    """`at`, and each later moment at which a rule for this service expires: between them nothing changes."""
    policies = (new,) if old is None else (old, new)
    expiries = {
        rule.expires
        for policy in policies
        for rule in policy.rules
        if rule.expires is not None and rule.expires > at and rule.service == service
    }
    return (at, *sorted(expiries))


def _answered(
    old: AgentPolicy | None, new: AgentPolicy, service: str, request: tuple[str, str, str], moment: datetime
) -> Witness:
    """What the authoriser itself says to the request, before and after."""
    before = Answer.NOT_GRANTED if old is None else Authoriser(old, moment).decide(service, *request).answer
    after = Authoriser(new, moment).decide(service, *request).answer
    return Witness(service, *request, before, after, moment)


def _shown(witness: Witness) -> str:
    return " ".join(part for part in (witness.service, witness.action, witness.resource, witness.branch) if part)
