"""The authoriser: deny, then approval, then allow, else not granted (docs/policy-semantics.md, section 3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tightener.model import AgentPolicy, Answer, Box, Level, Request, Rule
from tightener.policy.patterns import matches, to_regex
from tightener.policy.rules import ANY, effective
from tightener.services.semantics import fold_action, normalise_branch

_ANSWERS = (Answer.DENIED, Answer.NEEDS_APPROVAL, Answer.ALLOWED)  # in the order in which they win
_Test = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer and the rule that gave it: the first in document order, None where nothing is granted.

    A rule that needs approval and has expired denies, so `denied` may come from a `require_approval` rule.
    """

    answer: Answer
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class _Tier:
    """What one answer covers for one action."""

    answer: Answer
    boxes: tuple[Box, ...]
    test: _Test
    of_resource: Callable[[str], object] | None  # the same, where no box names a branch


class Authoriser:
    """Decides requests of one agent at one moment. Built for very many: each action's rules are compiled once."""

    def __init__(self, policy: AgentPolicy, at: datetime) -> None:
        self._policy = policy
        self._at = at
        self._rules = {rule.index: rule for rule in policy.rules}
        self._services: dict[str, tuple[tuple[Box, ...], ...]] = {}
        self._tiers: dict[tuple[str, str], tuple[_Tier, ...]] = {}

    def decide(self, service: str, action: str, resource: str = "", branch: str = "") -> Decision:
        """The answer to one request, given as values (a `*` in it is a character). Raises nothing."""
        branch = normalise_branch(branch)
        for tier in self._compiled(service, action):
            if tier.test(resource, branch):
                index = next(b.rule for b in tier.boxes if matches(b.resource, resource) and matches(b.branch, branch))
                return Decision(tier.answer, self._rules[index])
        return Decision(Answer.NOT_GRANTED, None)

    def levels(self, service: str, action: str, targets: Iterable[tuple[str, str]]) -> list[Level]:
        """The levels of one action on many (resource, branch), in their order."""
        compiled = self._compiled(service, action)
        if all(tier.of_resource for tier in compiled):  # a column at a time: several times faster
            resources = [resource for resource, _ in targets]
            found = [Level.REFUSED] * len(resources)
            for tier in reversed(compiled):
                hits = map(tier.of_resource or bool, resources)
                level = tier.answer.level
                found = [level if hit else other for hit, other in zip(hits, found, strict=True)]
            return found
        tiers = [(tier.test, tier.answer.level) for tier in compiled]
        found = []
        for resource, branch in targets:
            short = normalise_branch(branch)
            for test, level in tiers:
                if test(resource, short):
                    found.append(level)
                    break
            else:
                found.append(Level.REFUSED)
        return found

    def patterns(self, service: str, action: str) -> tuple[tuple[Answer, frozenset[tuple[str, str]]], ...]:
        """What decides every request of this action: two that have the same answer the same to all of them."""
        return tuple(
            (tier.answer, frozenset((box.resource, box.branch) for box in tier.boxes))
            for tier in self._compiled(service, action)
        )

    def _compiled(self, service: str, action: str) -> tuple[_Tier, ...]:
        key = (service, action)
        if key not in self._tiers:
            if service not in self._services:
                self._services[service] = effective(self._policy, service, self._at)
            folded = fold_action(service, action)
            tiers = []
            for answer, boxes in zip(_ANSWERS, self._services[service], strict=True):
                own = tuple(box for box in boxes if matches(box.action, folded))
                if own:
                    of_resource = _one_of([b.resource for b in own]) if all(b.branch == ANY for b in own) else None
                    tiers.append(_Tier(answer, own, _test(own), of_resource))
            self._tiers[key] = tuple(tiers)
        return self._tiers[key]


def decide(policies: Mapping[str, AgentPolicy], request: Request, at: datetime) -> Decision:
    """The answer to one request; an agent that no policy names is granted nothing."""
    policy = policies.get(request.agent)
    if policy is None:
        return Decision(Answer.NOT_GRANTED, None)
    return Authoriser(policy, at).decide(request.service, request.action, request.resource, request.branch)


def _test(boxes: Sequence[Box]) -> _Test:
    """A test whether any of the boxes holds a resource and a branch. Boxes that name the same branch share a regex."""
    if any(box.resource == ANY and box.branch == ANY for box in boxes):
        return lambda _resource, _branch: True
    by_branch: dict[str, list[str]] = {}
    for box in boxes:
        by_branch.setdefault(box.branch, []).append(box.resource)
    pairs = [(_one_of([branch]), _one_of(resources)) for branch, resources in by_branch.items()]

    def test(resource: str, branch: str) -> bool:
        for of_branch, of_resource in pairs:  # noqa: SIM110 - `any` of a generator takes three times as long
            if of_resource(resource) and of_branch(branch):
                return True
        return False

    return test


def _one_of(patterns: Sequence[str]) -> Callable[[str], object]:
    """A test whether any of the patterns matches: a look-up for those without wildcards, one regex for the others."""
    if ANY in patterns:
        return lambda _value: True
    plain = frozenset(p for p in patterns if "*" not in p and "?" not in p)
    wild = [to_regex(p) for p in dict.fromkeys(patterns) if p not in plain]
    if not wild:
        return plain.__contains__
    full = re.compile("|".join(wild)).fullmatch
    if not plain:
        return full
    return lambda value: value in plain or full(value) is not None
