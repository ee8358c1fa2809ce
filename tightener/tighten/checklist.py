"""The five rules of the minimum viable policy, asked of a proposal: what is left of each breach, and why.

1. no wildcard actions · 2. no wildcard resources · 3. push to main requires approval · 4. data deletion requires
approval · 5. no IAM actions. A breach stays where the evidence does not let tightener close it; then a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from tightener.model import AgentPolicy, Body, Box, Effect, Rule
from tightener.policy.contain import Kind, Union
from tightener.policy.patterns import matches
from tightener.policy.rules import ANY, boxes, effective
from tightener.services.catalogue import AWS, arn_formats
from tightener.services.semantics import fold_action
from tightener.tighten.compare import Comparison
from tightener.tighten.grants import Grant, Status
from tightener.tighten.moves import MOST_A_WEEK, RuleMoves
from tightener.tighten.reach import Scope, scope
from tightener.tighten.risk import RiskClass, risks

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
) -> tuple[Item, ...]:
    """Asks the five of a proposal. `origin` says from which rule of the policy each of its rules came.

    Reads `value_seen`, which the suggestions leave behind: whose calls name no resource cannot be scoped to one.
    """
    scoped = {
        (rule, action)
        for rule, action in con.execute(
            "SELECT DISTINCT rule, action FROM value_seen WHERE dimension = 'resource' AND value <> ''"
        ).fetchall()
    }
    asking = _Asking(proposal, comparison, moved, scoped)
    tests = (asking.wild_actions, asking.wild_resources, asking.main, asking.deletion, asking.iam)
    items = []
    for number, (text, test) in enumerate(zip(RULES, tests, strict=True), 1):
        breaches = [
            breach
            for rule, old in zip(proposal.rules, origin, strict=True)
            if rule.effect is not Effect.DENY
            for breach in asking.breaches(rule, old, test)
        ]
        items.append(Item(number, text, tuple(breaches)))
    return tuple(items)


@dataclass(frozen=True, slots=True)
class _Asking:
    proposal: AgentPolicy
    comparison: Comparison
    moved: Mapping[int, RuleMoves]
    scoped: set[tuple[int, str]]  # (rule, action) of which some call named a resource

    def breaches(self, rule: Rule, old: int, test: Callable[[Rule, Grant], bool]) -> Iterator[Breach]:
        """The breaches of one rule, grouped by the reason why they stay."""
        reasons: dict[str, list[str]] = {}
        for grant in self.comparison.of_rule(old):
            folded = fold_action(rule.service, grant.action)
            if any(matches(box.action, folded) for box in boxes(rule, rule.service)) and test(rule, grant):
                reasons.setdefault(self._reason(rule, grant), []).append(grant.action)
        for reason, actions in reasons.items():
            yield Breach(rule.place.line, rule.service, tuple(actions), reason)

    def wild_actions(self, rule: Rule, grant: Grant) -> bool:
        """1: it is granted by a pattern, and not by its name."""
        patterns = [fold_action(rule.service, one) for one in rule.body.actions]
        folded = fold_action(rule.service, grant.action)
        wild = [one for one in patterns if set(one) & set("*?")]
        return any(matches(one, folded) for one in wild) and not (folded in patterns and folded not in wild)

    def wild_resources(self, rule: Rule, grant: Grant) -> bool:
        """2: it may be done on any resource of a service or account, and what it is done on could be named."""
        patterns = ("*",) if rule.body.resources is None else rule.body.resources
        if not any(scope(rule.service, one) in _WIDE for one in patterns):
            return False
        if grant.evidence.uses:
            return (grant.rule.index, grant.action) in self.scoped
        return rule.service != AWS or bool(arn_formats(grant.action))

    def main(self, rule: Rule, grant: Grant) -> bool:
        """3: it may be pushed to a protected branch and nobody is asked."""
        return self._unasked(rule, grant, lambda one: bool(one.branch))

    def deletion(self, rule: Rule, grant: Grant) -> bool:
        """4: it deletes and nobody is asked."""
        return self._unasked(rule, grant, lambda one: one.kind is RiskClass.DELETE)

    def iam(self, rule: Rule, grant: Grant) -> bool:
        """5: it is an action of IAM, asked about or not."""
        return rule.service == AWS and grant.action.lower().startswith("iam:")

    def _unasked(self, rule: Rule, grant: Grant, risky: Callable[..., bool]) -> bool:
        if rule.effect is not Effect.ALLOW:
            return False
        denied, asked, _ = effective(self.proposal, rule.service, self.comparison.terms.moment)
        limits = Union((*denied, *asked))
        folded = fold_action(rule.service, grant.action)
        own = [
            Box(b.rule, b.effect, folded, b.resource, b.branch)
            for b in boxes(rule, rule.service)
            if matches(b.action, folded)
        ]
        body = Body((grant.action,), rule.body.resources, rule.body.branches)
        for one in risks(rule.service, grant.action, body):
            region = Box(-1, Effect.ALLOW, folded, one.resource or ANY, one.branch or ANY)
            if risky(one) and any(limits.check((box, region)).kind is not Kind.CONTAINED for box in own):
                return True
        return False

    def _reason(self, rule: Rule, grant: Grant) -> str:
        """Why the evidence does not let it go."""
        if grant.note:
            return grant.note
        if grant.status is not Status.EXERCISED:
            return grant.status.value.replace("_", " ")
        often = [one for one in self.moved.get(grant.rule.index, RuleMoves()).too_often if one.grant.id == grant.id]
        if often:
            weekly = max(one.load.weekly for one in often)
            return f"used so often that {weekly:.0f} approvals a week would be asked for, more than {MOST_A_WEEK}"
        if grant.evidence.indirect_uses and grant.evidence.indirect_uses == grant.evidence.uses:
            return "used by services on its behalf, which nobody can be asked about"
        folded = fold_action(rule.service, grant.action)
        if any((grant.rule.index, folded, one) in self.comparison.blocked for one in ("resource", "branch")):
            return "some of its calls hide what exactly they touched"
        return "used on too much else for anything narrower"
