"""Blast radius: what an agent could do at all, by class of risk, before and after a proposal.

Permissions are counted as actions, wildcards expanded over the catalogue and what was ever logged, so that a reader
can count them again. An action counts once for what is allowed and once for what needs approval; what a deny covers
whole counts in neither, and what an approval covers whole is not allowed.

The score, to sort by: 100 x the sum over unused granted permissions of w, divided by the sum over all granted ones of
w. w is the class's weight (risk_class.csv: 1 for a read, 30 for what can change permissions), times 0.2 where a person
is asked first. A proposal's is set against all that is granted today: against its own, less of what is used, or a
person asked about it, would raise the score. It is never shown without the counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tightener.model import AgentPolicy, Body, Box, Effect, Rule
from tightener.policy.contain import Kind, Union
from tightener.policy.patterns import matches
from tightener.policy.rules import ANY, boxes, effective
from tightener.services.semantics import expand_actions, fold_action
from tightener.tighten.compare import Comparison
from tightener.tighten.grants import Status
from tightener.tighten.risk import APPROVAL_SHARE, RiskClass, risks, worst
from tightener.tighten.segments import fixed_head
from tightener.tighten.suggestion import Edit, Suggestion, compose


class Scope(StrEnum):
    """How much one resource pattern spans, the widest first."""

    ANY = "any"
    ACCOUNT = "account"
    SERVICE = "service"
    CONTAINER = "container"  # a bucket, a repository, a table, an argument: all of what is in it
    PREFIX = "prefix"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Count:
    """How many permissions of one class an agent has, and how many of them it used."""

    granted: int = 0
    used: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """One policy's blast radius. Classes and scopes that do not occur are left out."""

    allowed: Mapping[RiskClass, Count]
    approval: Mapping[RiskClass, Count]
    scopes: Mapping[Scope, int]  # resource patterns of allow and approval rules
    score: float  # 0 = nothing unused is granted
    weight: float  # of all that is granted: what the score is a part of


def reach(policy: AgentPolicy, comparison: Comparison, against: Reach | None = None) -> Reach:
    """The blast radius of a policy that grants nothing beyond the comparison's grants: that policy, or a proposal.

    In: the comparison knows the concrete actions, and which of them were used; `against` is the radius of today's
    policy, where this one is to take its place. Raises nothing.
    """
    used = {(g.rule.service, g.action) for g in comparison.grants if _exercised(g.status, g.evidence.uses)}
    actions: dict[str, dict[str, None]] = {}
    for grant in comparison.grants:
        actions.setdefault(grant.rule.service, {})[grant.action] = None
    moment = comparison.terms.moment
    counted = {
        effect: permissions(policy, actions, moment, effect) for effect in (Effect.ALLOW, Effect.REQUIRE_APPROVAL)
    }
    allowed, asked = counted[Effect.ALLOW], counted[Effect.REQUIRE_APPROVAL]
    unused, weight = _weights(allowed, asked, used)
    whole = weight if against is None else against.weight
    return Reach(
        allowed=_counts(allowed, used),
        approval=_counts(asked, used),
        scopes=_scopes(policy.rules),
        score=100 * unused / whole if whole else 0.0,
        weight=weight,
    )


def _weights(
    allowed: Mapping[tuple[str, str], RiskClass], asked: Mapping[tuple[str, str], RiskClass], used: Collection[object]
) -> tuple[float, float]:
    """The weights of what is granted and unused, and of all that is granted. What is allowed counts as that alone."""
    weights = {key: kind.weight * APPROVAL_SHARE for key, kind in asked.items()}
    weights |= {key: kind.weight for key, kind in allowed.items()}
    return sum(weight for key, weight in weights.items() if key not in used), sum(weights.values())


def scope(service: str, pattern: str) -> Scope:
    """How much a resource pattern spans."""
    ends = [at for at in (pattern.find("*"), pattern.find("?")) if at >= 0]
    if not ends:
        return Scope.EXACT
    head = pattern[: min(ends)]
    if service == "aws" and pattern.startswith("arn:"):
        fields = pattern.split(":", 5)
        if len(fields) < 6 or head.count(":") < 5:
            named = [len(fields) > at and fields[at] != "" and not set(fields[at]) & set("*?") for at in (2, 4)]
            return Scope.SERVICE if named[0] else Scope.ACCOUNT if named[1] else Scope.ANY
        own = fixed_head(service, "resource", head + "\0")
        if "\0" in own or not own:
            return Scope.SERVICE  # the wildcard stands in the name of a bucket or table, or before it
        return Scope.CONTAINER if head == own else Scope.PREFIX
    if not head:
        return Scope.ANY
    cut = head.rfind("/") if service in {"git", "github"} else -1
    if service in {"git", "github"}:
        return Scope.ACCOUNT if cut == len(head) - 1 and head.count("/") == 1 else Scope.PREFIX
    first = next((at for at, char in enumerate(head) if char in "/:="), len(head))
    return Scope.CONTAINER if first == len(head) - 1 else Scope.PREFIX


def removed(every: Sequence[Suggestion], comparison: Comparison) -> dict[str, float]:
    """How much risk each suggestion takes away, to rank by: the weights of the permissions that it changes.

    Each weight counts as far as the permission reaches: whole for any resource, a sixth less for each narrower scope, a
    fifth where a person is asked first.
    """
    weights: dict[int, list[tuple[str, int]]] = {}
    found = {}
    for one in every:
        rule = one.rule
        if rule.index not in weights:
            weights[rule.index] = [
                (fold_action(rule.service, g.action), worst(rule.service, g.action, rule.body).kind.weight)
                for g in comparison.of_rule(rule.index)
            ]
        needed = [s.edit for s in every if s.rule.index == rule.index and s.id in one.requires]
        own = weights[rule.index]
        found[one.id] = _risk(rule, needed, own) - _risk(rule, [*needed, one.edit], own)
    return found


def _risk(rule: Rule, edits: Sequence[Edit], weights: Sequence[tuple[str, int]]) -> float:
    asked = [(body, set(body.actions) <= edit.drop) for edit in edits for body in edit.asks]
    share = APPROVAL_SHARE if rule.effect is Effect.REQUIRE_APPROVAL else 1.0
    total = 0.0
    staying = [(_Named(rule, body), _span(rule.service, body) * share) for body in compose(rule.body, edits)]
    asking = [(_Named(rule, body), _span(rule.service, body), whole) for body, whole in asked]
    for folded, weight in weights:
        left = max((span for named, span in staying if folded in named), default=0.0)
        for named, span, whole in asking:
            if folded in named:
                left = span * APPROVAL_SHARE if whole else max(left - span * (1 - APPROVAL_SHARE), 0.0)
        total += weight * left
    return total


class _Named:
    """The folded actions that a body names; a list of a thousand is looked up, not walked through."""

    def __init__(self, rule: Rule, body: Body) -> None:
        patterns = [fold_action(rule.service, one) for one in expand_actions(rule.service, body.actions, rule.aliases)]
        self._literal = frozenset(patterns)
        self._wild = [one for one in patterns if "*" in one or "?" in one]

    def __contains__(self, action: str) -> bool:
        return action in self._literal or any(matches(one, action) for one in self._wild)


class Boxes:
    """Boxes of one service by the concrete action that they hold."""

    def __init__(self, every: Iterable[Box]) -> None:
        self._literal: dict[str, list[Box]] = {}
        self._wild: list[Box] = []
        for box in every:
            if "*" in box.action or "?" in box.action:
                self._wild.append(box)
            else:
                self._literal.setdefault(box.action, []).append(box)

    def of(self, folded: str) -> list[Box]:
        """The boxes that hold an action (folded), each cut to it."""
        wild = (box for box in self._wild if matches(box.action, folded))
        return [replace(box, action=folded) for box in (*self._literal.get(folded, ()), *wild)]


def _span(service: str, body: Body) -> float:
    """1 for any resource and branch, less for each narrower scope of the widest pattern."""
    order = list(Scope)
    span = 1.0
    for patterns in (body.resources, body.branches):
        if patterns is not None:
            widest = min((order.index(scope(service, one)) for one in patterns), default=len(order))
            span *= 1 - widest / len(order)
    return span


def _exercised(status: Status, uses: int) -> bool:
    return uses > 0 or status is Status.EXERCISED


def permissions(
    policy: AgentPolicy, actions: Mapping[str, Iterable[str]], moment: datetime, effect: Effect
) -> dict[tuple[str, str], RiskClass]:
    """(service, action) -> the gravest class under which the policy grants it with this effect, outright or on asking.

    In: the concrete actions of each service that are asked about. Out: those that some rule still grants at that
    moment; what a deny covers whole is none, and what an approval covers whole is not allowed outright.
    """
    order = list(RiskClass)
    found: dict[tuple[str, str], RiskClass] = {}
    for service, names in actions.items():
        denied, asked, _ = effective(policy, service, moment)
        limits = Boxes((*denied, *asked) if effect is Effect.ALLOW else denied)
        for rule in policy.rules:
            if rule.effect is not effect or rule.service != service or _lapsed(rule, moment):
                continue
            own = Boxes(boxes(rule, service))
            for action in names:
                folded = fold_action(service, action)
                over = limits.of(folded)
                kind = _kind(service, action, rule.body, own.of(folded), Union(over) if over else None)
                if kind is not None:
                    key = (service, action)
                    found[key] = max(found.get(key, kind), kind, key=order.index)
    return found


def _kind(service: str, action: str, body: Body, reached: Sequence[Box], limits: Union | None) -> RiskClass | None:
    """The gravest class of what some boxes of one action hold beyond the limits; None where they hold nothing."""
    if not reached or (limits and all(limits.check((box,)).kind is Kind.CONTAINED for box in reached)):
        return None
    order = list(RiskClass)
    kinds = []
    for one in risks(service, action, body):
        region = Box(-1, Effect.ALLOW, fold_action(service, action), one.resource or ANY, one.branch or ANY)
        if one.of_scope and limits and all(limits.check((box, region)).kind is Kind.CONTAINED for box in reached):
            continue
        kinds.append(one.kind)
    return max(kinds, key=order.index)


def _lapsed(rule: Rule, moment: datetime) -> bool:
    return rule.expires is not None and rule.expires <= moment


def _counts(found: Mapping[tuple[str, str], RiskClass], used: set[tuple[str, str]]) -> dict[RiskClass, Count]:
    counts = {}
    for kind in RiskClass:
        own = [key for key, one in found.items() if one is kind]
        if own:
            counts[kind] = Count(len(own), sum(key in used for key in own))
    return counts


def _scopes(rules: Iterable[Rule]) -> dict[Scope, int]:
    found = dict.fromkeys(Scope, 0)
    for rule in rules:
        if rule.effect is not Effect.DENY:
            for pattern in ("*",) if rule.body.resources is None else rule.body.resources:
                found[scope(rule.service, pattern)] += 1
    return {one: number for one, number in found.items() if number}
