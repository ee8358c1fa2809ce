"""The five rules of the minimum viable policy, asked of a proposal: what is left of each breach, and why.

1. no wildcard actions · 2. no wildcard resources · 3. push to main requires approval · 4. data deletion requires
approval · 5. no IAM actions. A breach stays where the evidence does not let tightener close it; then a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from tightener.model import AgentPolicy, Box, Effect, Rule
from tightener.policy.contain import Kind, Union
from tightener.policy.patterns import matches
from tightener.policy.rules import ANY, boxes, effective
from tightener.services.catalogue import AWS, arn_formats
from tightener.services.semantics import fold_action
from tightener.tighten.compare import Comparison
from tightener.tighten.evidence.verdict import wanting
from tightener.tighten.grants import Grant, Status
from tightener.tighten.moves import MOST_A_WEEK, RuleMoves
from tightener.tighten.reach import Boxes, Scope, scope
from tightener.tighten.risk import Risk, RiskClass, risks

RULES = (
    "no wildcard actions",
    "no wildcard resources",
    "push to main requires approval",
    "data deletion requires approval",
    "no IAM actions",
)
_WIDE = (Scope.ANY, Scope.ACCOUNT, Scope.SERVICE)


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule of the proposal that breaks one of the five, with the actions that do and why they stay."""

    line: int  # in the proposal
    service: str
    actions: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Item:
    """One of the five and what is left of its breaches."""

    number: int
    rule: str
    breaches: tuple[Breach, ...]


def checklist(
    con: duckdb.DuckDBPyConnection,
    proposal: AgentPolicy,
    origin: Sequence[int],
    comparison: Comparison,
    moved: Mapping[int, RuleMoves],
    left_out: Mapping[tuple[int, str], str],
) -> tuple[Item, ...]:
    """Asks the five of a proposal. `origin` says from which rule of the policy each of its rules came.

    `left_out`: (rule, action as it would move) -> why its move to approval was left out.

    Reads `value_seen`, which the suggestions leave behind: whose calls name no resource cannot be scoped to one.
    """
    scoped = {
        (rule, action)
        for rule, action in con.execute(
            "SELECT DISTINCT rule, action FROM value_seen WHERE dimension = 'resource' AND value <> ''"
        ).fetchall()
    }
    asking = _Asking(comparison, moved, left_out, scoped)
    tests = (asking.wild_actions, asking.wild_resources, asking.main, asking.deletion, asking.iam)
    at = comparison.terms.moment
    granting = [
        (_Granting(rule, Boxes(boxes(rule, rule.service)), _limits(proposal, rule, at)), old)
        for rule, old in zip(proposal.rules, origin, strict=True)
        if rule.effect is not Effect.DENY and not (rule.expires and rule.expires <= at)
    ]
    return tuple(
        Item(number, text, tuple(breach for own, old in granting for breach in asking.breaches(own, old, test)))
        for number, (text, test) in enumerate(zip(RULES, tests, strict=True), 1)
    )


@dataclass(frozen=True, slots=True)
class _Granting:
    """A rule of the proposal, with what stands over it: denies, and for an allow rule approvals, too."""

    rule: Rule
    boxes: Boxes
    limits: Union


def _limits(proposal: AgentPolicy, rule: Rule, at: datetime) -> Union:
    denied, asked, _ = effective(proposal, rule.service, at)
    return Union((*denied, *asked) if rule.effect is Effect.ALLOW else denied)


@dataclass(frozen=True, slots=True)
class _Asking:
    comparison: Comparison
    moved: Mapping[int, RuleMoves]
    left_out: Mapping[tuple[int, str], str]
    scoped: set[tuple[int, str]]  # (rule, action) of which some call named a resource

    def breaches(self, own: _Granting, old: int, test: Callable[[_Granting, Grant], bool]) -> Iterator[Breach]:
        """The breaches of one rule, grouped by the reason why they stay."""
        rule = own.rule
        reasons: dict[str, list[str]] = {}
        for grant in self.comparison.of_rule(old):
            if own.boxes.of(fold_action(rule.service, grant.action)) and test(own, grant):
                reasons.setdefault(self._reason(rule, grant), []).append(grant.action)
        for reason, actions in reasons.items():
            yield Breach(rule.place.line, rule.service, tuple(actions), reason)

    def wild_actions(self, own: _Granting, grant: Grant) -> bool:
        """1: it is granted by a pattern, and not by its name."""
        service = own.rule.service
        patterns = [fold_action(service, one) for one in own.rule.body.actions]
        folded = fold_action(service, grant.action)
        wild = [one for one in patterns if set(one) & set("*?")]
        return any(matches(one, folded) for one in wild) and not (folded in patterns and folded not in wild)

    def wild_resources(self, own: _Granting, grant: Grant) -> bool:
        """2: it may be done on any resource of a service or account, and what it is done on could be named."""
        service, body = own.rule.service, own.rule.body
        patterns = ("*",) if body.resources is None else body.resources
        if not any(scope(service, one) in _WIDE for one in patterns):
            return False
        if grant.evidence.uses:
            return (grant.rule.index, grant.action) in self.scoped
        return service != AWS or bool(arn_formats(grant.action))

    def main(self, own: _Granting, grant: Grant) -> bool:
        """3: it may be pushed to a protected branch and nobody is asked."""
        return self._unasked(own, grant, lambda one: bool(one.branch))

    def deletion(self, own: _Granting, grant: Grant) -> bool:
        """4: it deletes and nobody is asked."""
        return self._unasked(own, grant, lambda one: one.kind is RiskClass.DELETE)

    def iam(self, own: _Granting, grant: Grant) -> bool:
        """5: it is an action of IAM, asked about or not."""
        return own.rule.service == AWS and grant.action.lower().startswith("iam:")

    def _unasked(self, own: _Granting, grant: Grant, risky: Callable[[Risk], bool]) -> bool:
        service, body = own.rule.service, own.rule.body
        if own.rule.effect is not Effect.ALLOW:
            return False
        folded = fold_action(service, grant.action)
        for one in risks(service, grant.action, body):
            if risky(one):
                region = Box(-1, Effect.ALLOW, folded, one.resource or ANY, one.branch or ANY)
                if any(own.limits.check((box, region)).kind is not Kind.CONTAINED for box in own.boxes.of(folded)):
                    return True
        return False

    def _reason(self, rule: Rule, grant: Grant) -> str:
        """Why the evidence does not let it go."""
        for text in (grant.pattern, grant.action):
            if (grant.rule.index, text) in self.left_out:
                return self.left_out[grant.rule.index, text]
        if grant.note:
            return grant.note
        if grant.verdict is not None and grant.verdict.missing:
            return f"unexercised: {wanting(grant.verdict.missing, grant.verdict.suffices, grant.verdict.window)}"
        if grant.status is not Status.EXERCISED:
            return grant.status.value.replace("_", " ")
        often = [one for one in self.moved.get(grant.rule.index, RuleMoves()).too_often if one.grant.id == grant.id]
        if often:
            weekly = max(one.load.weekly for one in often)
            return f"used so often that {weekly:.0f} approvals a week would be asked for, more than {MOST_A_WEEK}"
        if grant.evidence.indirect_uses and grant.evidence.indirect_uses == grant.evidence.uses:
            return "used by services on its behalf, which nobody can be asked about"
        folded = fold_action(rule.service, grant.action)
        if any((grant.rule.index, folded, one) in self.comparison.partial.blocked for one in ("resource", "branch")):
            return "some of its calls hide what exactly they touched"
        return "used on too much else for anything narrower"
