"""The proofs behind the two changes that add something: what was asked for and no more, what was there and no more.

As for every proof here, over all requests, at every moment from one on, on the policies as they were read back, and
without any code of what proposes (docs/policy-semantics.md, section 3). "Not proven" is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from tightener.errors import Place
from tightener.model import AgentPolicy, Answer, Body, Box, Effect, Level, Request, Rule
from tightener.policy.contain import Kind, Union
from tightener.policy.decide import Authoriser
from tightener.policy.rules import boxes, effective, services_named
from tightener.policy.verify import compare_policies
from tightener.services.semantics import fold_action, normalise_branch

_Compiled = tuple[tuple[Box, ...], tuple[Box, ...], tuple[Box, ...]]  # deny, approval, allow


def literal(request: Request, rule: Rule) -> bool:
    """Whether a rule matches this one request and nothing else: no wildcard, no alias, no list call that says more."""
    folded = fold_action(request.service, request.action)
    one = (folded, request.resource, normalise_branch(request.branch))
    found = {(box.action, box.resource, box.branch) for box in boxes(rule, request.service)}
    return found == {one} and rule.service == request.service and not any(c in part for part in one for c in "*?")


def asked_for_only(
    old: AgentPolicy, new: AgentPolicy, requests: Sequence[Request], expires: datetime, at: datetime
) -> str:
    """Why `new` is not `old` with an approval for exactly these requests, up to `expires`; '' where it is.

    Shown: the policy made of `old` and one literal approval rule a request answers as `new` does, to every request, at
    every moment from `at` on; nothing that `old` grants is lost; each request was refused, needs approval now, and is
    refused again at `expires`.
    """
    more = []
    for number, one in enumerate(requests):
        body = Body((one.action,), (one.resource,), (one.branch,))
        index = len(old.rules) + number
        rule = Rule(old.name, index, Effect.REQUIRE_APPROVAL, one.service, body, Place(""), expires=expires)
        rule = replace(rule, aliases=old.rules[0].aliases if old.rules else {})
        if not literal(one, rule):
            return f"a rule for {_shown(one)} would say more than this one request"
        more.append(rule)
    wanted = replace(old, rules=(*old.rules, *more))
    for before, after, what in ((wanted, new, "more than was asked for"), (new, wanted, "less than was asked for")):
        found = compare_policies(before, after, at)
        if found.kind is not Kind.CONTAINED:
            return f"the new policy would grant {what}: {found.reason}"
    if compare_policies(new, old, at).kind is not Kind.CONTAINED:
        return "something that is granted now would be lost"
    for moment, answer in ((at, Answer.NEEDS_APPROVAL), (expires, None)):
        was, becomes = Authoriser(old, moment), Authoriser(new, moment)
        for one in requests:
            asked = (one.service, one.action, one.resource, one.branch)
            now = becomes.decide(*asked).answer
            if was.decide(*asked).answer.level is not Level.REFUSED:
                return f"{_shown(one)} is granted already"
            if (now is not answer) if answer else (now.level is not Level.REFUSED):
                return f"{_shown(one)} would be {now.value} at {moment:%Y-%m-%d %H:%M}"
    return ""


def within_both(new: AgentPolicy, current: AgentPolicy, before: AgentPolicy, at: datetime) -> str:
    """Why `new` is not within the two others together; '' where no request has a higher level than either gives it.

    With D, R, A as in `policy.verify`, G = A + R and L = D + R, of the new (N), the current (C) and the former policy
    (B), for each service and moment, and for either order of C and B, all of these:
    `A_N <= L_N + A_C + A_B`; `A_N & L_C <= L_N + A_B`; `A_N & L_B <= L_N + A_C`; `A_N & L_C & L_B <= L_N`;
    `R_N <= D_N + G_C + G_B`; `R_N & D_C <= D_N + G_B`; `R_N & D_B <= D_N + G_C`; `R_N & D_C & D_B <= D_N`.
    """
    for service in _services(new, current, before):
        if _rules(new, service) == _rules(current, service):
            continue  # then every answer is the same
        for moment in _moments(service, at, new, current, before):
            sides = [effective(policy, service, moment) for policy in (new, current, before)]
            if not all(union.check(inner).kind is Kind.CONTAINED for union, inner in _questions(*sides)):
                return f"something of {service} would be granted that neither the policy nor the former one grants"
    return ""


def _questions(new: _Compiled, current: _Compiled, before: _Compiled) -> Iterator[tuple[Union, tuple[Box, ...]]]:
    """What must be inside of what. A limit that the new policy has as well needs no question: its box is inside."""
    deny, ask, allow = new
    limited, denied = Union((*deny, *ask)), Union(deny)

    def gone(boxes_: Sequence[Box], union: Union) -> list[Box]:
        return [box for box in boxes_ if union.check((box,)).kind is not Kind.CONTAINED]

    grants = ((allow, limited, (*deny, *ask), _limits, _allows), (ask, denied, deny, _denies, _grants))
    for inner, union, base, limits, gives in grants:
        first, second = gone(limits(current), union), gone(limits(before), union)
        for kept, of_current, of_before in _choices(first, second):
            outer = [*base]
            outer += [] if of_current else gives(current)
            outer += [] if of_before else gives(before)
            whole = Union(outer)
            for box in inner:
                for limit in kept:
                    yield whole, (box, *limit)


def _choices(first: Sequence[Box], second: Sequence[Box]) -> Iterator[tuple[list[tuple[Box, ...]], bool, bool]]:
    """The limits to cut with, and of which of the two policies they are: none, one's, the other's, both's."""
    yield [()], False, False
    yield [(one,) for one in first], True, False
    yield [(two,) for two in second], False, True
    yield [(one, two) for one in first for two in second], True, True


def _limits(side: _Compiled) -> tuple[Box, ...]:
    return (*side[0], *side[1])


def _denies(side: _Compiled) -> tuple[Box, ...]:
    return side[0]


def _allows(side: _Compiled) -> tuple[Box, ...]:
    return side[2]


def _grants(side: _Compiled) -> tuple[Box, ...]:
    return (*side[1], *side[2])


def _rules(policy: AgentPolicy, service: str) -> set[tuple[object, ...]]:
    rules = (rule for rule in policy.rules if rule.service in (service, "*"))
    return {(rule.effect, rule.service, rule.body, rule.expires, _aliases(rule)) for rule in rules}


def _aliases(rule: Rule) -> tuple[object, ...]:
    return tuple(sorted(rule.aliases.items()))


def _services(*policies: AgentPolicy) -> Sequence[str]:
    """The services that are named. One that nobody names is granted by nobody: only denies may say `*`."""
    return sorted(set().union(*map(services_named, policies)))


def _moments(service: str, at: datetime, *policies: AgentPolicy) -> Sequence[datetime]:
    ends = {r.expires for p in policies for r in p.rules if r.service == service and r.expires and r.expires > at}
    return (at, *sorted(ends))


def _shown(one: Request) -> str:
    return " ".join(part for part in (one.service, one.action, one.resource, one.branch) if part)
