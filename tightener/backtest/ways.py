"""The ways of tightening that a backtest compares: tightener's own, and what others do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from os.path import commonprefix
from typing import Protocol

from tightener.model import AgentPolicy, Body, Effect, Level, Rule
from tightener.policy.decide import Authoriser
from tightener.prove.replay import Exercised, replay
from tightener.services.semantics import fold_action, normalise_branch
from tightener.tighten.grants import granted_actions
from tightener.tighten.reach import permissions
from tightener.tighten.risk import RiskClass, worst

NO_CHANGE = "no change"
OURS = "tightener"
UNUSED_DAYS = (30, 90, 180)
_ORDER = list(RiskClass)

Action = tuple[str, str]  # service, and the action folded
Target = tuple[str, str]  # resource, branch


@dataclass(frozen=True, slots=True)
class Seen:
    """One exercised request of the learning window and the rule that it belongs to."""

    rule: int
    service: str
    action: str
    resource: str
    branch: str

    @property
    def of(self) -> Action:
        """What it did."""
        return self.service, fold_action(self.service, self.action)


class Way(Protocol):
    """A policy, or what stands for one."""

    @property
    def reach(self) -> Mapping[Action, RiskClass]:
        """The actions that it leaves, on whatever resource, each with the gravest class of risk that it can have."""

    def levels(self, service: str, action: str, targets: Sequence[Target]) -> list[Level]:
        """The levels of one action on many resources and branches."""

    def partial(self, service: str, action: str, target: Target, hidden: str, was: Level) -> Level:
        """The level of a use of which the log hides a part, whatever it may have been; it `was` at this level."""


@dataclass(frozen=True, slots=True)
class Written:
    """A policy that stands in a file, or could."""

    policy: AgentPolicy
    old: AgentPolicy
    moment: datetime
    logged: Mapping[str, Sequence[str]]  # service -> the actions that were ever logged of it
    _once: list[Authoriser] = field(init=False, default_factory=list, compare=False, repr=False)
    _reach: list[Mapping[Action, RiskClass]] = field(init=False, default_factory=list, compare=False, repr=False)

    @property
    def reach(self) -> Mapping[Action, RiskClass]:
        if not self._reach:
            self._reach.append(self._reached())
        return self._reach[0]

    def _reached(self) -> dict[Action, RiskClass]:
        actions: dict[str, set[str]] = {}
        for rule in self.policy.rules:
            if rule.effect is not Effect.DENY and (rule.expires is None or rule.expires > self.moment):
                for _, action in granted_actions(rule, self.logged.get(rule.service, ())):
                    actions.setdefault(rule.service, set()).add(fold_action(rule.service, action))
        found = permissions(self.policy, actions, self.moment, Effect.ALLOW)
        for of, kind in permissions(self.policy, actions, self.moment, Effect.REQUIRE_APPROVAL).items():
            found[of] = max(found.get(of, kind), kind, key=_ORDER.index)
        return found

    def levels(self, service: str, action: str, targets: Sequence[Target]) -> list[Level]:
        if not self._once:
            self._once.append(Authoriser(self.policy, self.moment))
        return self._once[0].levels(service, action, targets)

    def partial(self, service: str, action: str, target: Target, hidden: str, was: Level) -> Level:
        use = Exercised(partial=[(service, action, *target, hidden)])
        if self.policy == self.old or not replay(self.old, self.policy, use, self.moment).lost:
            return was
        asking = [rule for rule in self.policy.rules if rule.effect is Effect.REQUIRE_APPROVAL]
        asked = replay(self.old, self.policy, use, self.moment, moved=asking)
        return Level.REFUSED if asked.lost else min(was, Level.NEEDS_APPROVAL)


@dataclass(frozen=True, slots=True)
class Filtered:
    """The old policy, less what a test does not let through."""

    old: Written
    reach: Mapping[Action, RiskClass]
    passes: Callable[[Action, str, str], bool]

    def levels(self, service: str, action: str, targets: Sequence[Target]) -> list[Level]:
        of = (service, fold_action(service, action))
        before = self.old.levels(service, action, targets)
        return [
            level if self.passes(of, *target) else Level.REFUSED for target, level in zip(targets, before, strict=True)
        ]

    def partial(self, service: str, action: str, target: Target, _hidden: str, was: Level) -> Level:
        return was if self.passes((service, fold_action(service, action)), *target) else Level.REFUSED


def exact_list(old: Written, seen: Iterable[Seen]) -> Way:
    """What was used, to the letter."""
    known = {(s.of, s.resource, normalise_branch(s.branch)) for s in seen}
    bodies = ((of, Body((of[1],), (resource,), (branch,))) for of, resource, branch in known)
    return Filtered(old, _within(old, bodies), lambda of, r, b: (of, r, normalise_branch(b)) in known)


def without_unused(old: Written, used: frozenset[Action]) -> Way:
    """Actions that were not used in some time are dropped; the rest stays as wide as it was."""
    left = {of: kind for of, kind in old.reach.items() if of in used}
    return Filtered(old, left, lambda of, _r, _b: of in used)


def longest_prefix(old: Written, seen: Iterable[Seen]) -> Way:
    """For each rule and action the longest prefix that the resources share, and that of the branches, and a `*`.

    It is what folding the requests of each wildcard with `lcp*` gives (D'Antoni et al., OOPSLA 2024, with prefixes).
    """
    groups: dict[tuple[int, Action], list[Target]] = {}
    for s in seen:
        groups.setdefault((s.rule, s.of), []).append((s.resource, normalise_branch(s.branch)))
    tests: dict[Action, list[tuple[Callable[[str], bool], Callable[[str], bool]]]] = {}
    bodies: list[tuple[Action, Body]] = []
    for (_, of), targets in groups.items():
        resources, branches = zip(*targets, strict=True)
        bodies.append((of, Body((of[1],), (_pattern(resources),), (_pattern(branches),))))
        tests.setdefault(of, []).append((_shares_prefix(resources), _shares_prefix(branches)))

    def passes(of: Action, resource: str, branch: str) -> bool:
        short = normalise_branch(branch)
        return any(good(resource) and fine(short) for good, fine in tests.get(of, ()))

    return Filtered(old, _within(old, bodies), passes)


def actions_only(old: Written, seen: Iterable[Seen]) -> Way:
    """The actions that were used, on any resource: a policy generated from a log, as AWS's Access Analyzer does it.

    The denies stay. It may be wider than the policy that stood.
    """
    rules = [rule for rule in old.policy.rules if rule.effect is Effect.DENY]
    first = 1 + max((rule.index for rule in rules), default=-1)
    for index, (service, action) in enumerate(sorted({(s.service, s.action) for s in seen}), start=first):
        rules.append(Rule(old.policy.name, index, Effect.ALLOW, service, Body((action,)), old.policy.place))
    policy = replace(old.policy, rules=tuple(rules))
    return Written(policy, old.old, old.moment, old.logged)


def _within(old: Written, bodies: Iterable[tuple[Action, Body]]) -> dict[Action, RiskClass]:
    """The gravest class of each action of some bodies, where the old policy grants it, and no graver than there."""
    found: dict[Action, RiskClass] = {}
    for of, body in bodies:
        if of in old.reach:
            kind = min(worst(*of, body).kind, old.reach[of], key=_ORDER.index)
            found[of] = max(found.get(of, kind), kind, key=_ORDER.index)
    return found


def _pattern(values: Sequence[str]) -> str:
    return values[0] if len(set(values)) == 1 else f"{commonprefix(list(values))}*"


def _shares_prefix(values: Sequence[str]) -> Callable[[str], bool]:
    if len(set(values)) == 1:
        return values[0].__eq__
    prefix = commonprefix(list(values))
    return lambda value: value.startswith(prefix)
