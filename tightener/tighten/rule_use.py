"""What the edit kinds look at: one rule, its grants, and the targets that its use would be content with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from tightener.model import Body, Rule
from tightener.policy.patterns import intersects, matches
from tightener.services.semantics import expand_actions, fold_action
from tightener.tighten.generalise import Reason, clipped, covered
from tightener.tighten.grants import Grant, Status
from tightener.tighten.moves import RuleMoves
from tightener.tighten.pieces import UNSURE
from tightener.tighten.rollup import Heads, TooMany, joined, roll_up
from tightener.tighten.segments import Seen, merged

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Target:
    """Actions of one rule that were used on the same things, and the patterns for them (None = nothing can be said)."""

    actions: tuple[str, ...]
    resources: tuple[str, ...] | None
    branches: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class RuleUse:
    """One rule with everything that an edit kind may want to know about it."""

    rule: Rule
    grants: tuple[Grant, ...]
    seen: Mapping[tuple[str, str], tuple[Seen, ...]]  # (concrete action, dimension) -> values of what does not move
    frozen: frozenset[tuple[str, str]]  # (concrete action, dimension) that must not be narrowed
    window_days: int
    days_needed: int  # observed days without which nothing is called unexercised
    moves: RuleMoves = field(default_factory=RuleMoves)
    _covers: dict[tuple[str, tuple[str, ...]], list[Reason] | None] = field(
        default_factory=dict, compare=False, repr=False
    )
    _rolled: dict[tuple[str, str], Heads] = field(default_factory=dict, compare=False, repr=False)
    _reasons: dict[tuple[str, str], Reason] = field(default_factory=dict, compare=False, repr=False)
    _targets_once: list[tuple[Target, ...]] = field(default_factory=list, compare=False, repr=False)

    def of_pattern(self, pattern: str) -> tuple[Grant, ...]:
        """The grants that one action as written covers, those included that the rule writes out beside it."""
        service = self.rule.service
        folded = [fold_action(service, p) for p in expand_actions(service, [pattern], self.rule.aliases)]
        return tuple(g for g in self.grants if any(matches(p, fold_action(service, g.action)) for p in folded))

    @property
    def kept(self) -> tuple[Grant, ...]:
        """The grants that stay: all but the unexercised ones."""
        return tuple(g for g in self.grants if g.status is not Status.UNEXERCISED)

    @property
    def staying(self) -> tuple[Grant, ...]:
        """The grants of which something stays in the rule's own block: the kept ones that do not move as a whole."""
        return tuple(g for g in self.kept if g.action not in self.moves.whole)

    def listed(self, pattern: str) -> bool:
        """Whether a wildcard has to become a list of what is kept of it.

        It has to where some of its actions are unexercised or move to approval, and where another text of the rule
        covers one of them: narrowing that text would be in vain as long as the wildcard grants the same.
        """
        grants = self.of_pattern(pattern)
        if all(fold_action(self.rule.service, pattern) == fold_action(self.rule.service, g.action) for g in grants):
            return False
        others = {g.id for text in self.rule.body.actions if text != pattern for g in self.of_pattern(text)}
        return any(g.status is Status.UNEXERCISED or g.id in others or g.action in self.moves.whole for g in grants)

    def targets(self) -> tuple[Target, ...]:
        """The staying actions grouped by what they were used on. One group = narrow the rule; several = split it.

        Worked out once: several edit kinds ask, and an agent may have used a hundred thousand resources.
        """
        if self._targets_once:
            return self._targets_once[0]
        singles: dict[str, list[Grant]] = {}
        listed = {pattern: self.listed(pattern) for pattern in dict.fromkeys(g.pattern for g in self.staying)}
        for grant in self.staying:  # as it stands in the rule afterwards: by name where a wildcard goes
            text = grant.action if grant.is_wildcard and listed[grant.pattern] else grant.pattern
            singles.setdefault(text, []).append(grant)
        self._targets_once.append(self._targets(singles, self.rule.body.resources, self.rule.body.branches))
        return self._targets_once[0]

    def _targets(
        self,
        singles: Mapping[str, list[Grant]],
        resources: tuple[str, ...] | None,
        branches: tuple[str, ...] | None,
    ) -> tuple[Target, ...]:
        """The groups under granted patterns; what a group is narrowed to may tell its actions apart in turn."""
        alone = {text: self._target((text,), grants, resources, branches) for text, grants in singles.items()}
        groups: list[list[str]] = []
        for text in singles:
            home = next((g for g in groups if any(_together(alone[text], alone[t]) for t in g)), None)
            if home is None:
                groups.append([text])
            else:
                home.append(text)
        found: list[Target] = []
        for group in groups:
            if len(group) == 1:
                found.append(alone[group[0]])
                continue
            whole = self._target(tuple(group), [g for t in group for g in singles[t]], resources, branches)
            if narrower(whole.resources, resources) or narrower(whole.branches, branches):
                inner = self._targets(
                    {t: singles[t] for t in group},
                    resources if whole.resources is None else whole.resources,
                    branches if whole.branches is None else whole.branches,
                )
                if len(inner) > 1:
                    found += [
                        Target(
                            t.actions,
                            whole.resources if t.resources is None else t.resources,
                            whole.branches if t.branches is None else t.branches,
                        )
                        for t in inner
                    ]
                    continue
            found.append(whole)
        return tuple(found)

    def _target(
        self,
        actions: tuple[str, ...],
        grants: list[Grant],
        resources: tuple[str, ...] | None,
        branches: tuple[str, ...] | None,
    ) -> Target:
        return Target(actions, self._narrow(grants, "resource", resources), self._narrow(grants, "branch", branches))

    def _narrow(self, grants: list[Grant], dimension: str, granted: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if granted == () or any(
            g.status is not Status.EXERCISED
            or not g.evidence.uses  # only partial ones: nothing says that there was not more
            or g.evidence.unmapped
            or g.observed_days < self.days_needed  # what would go might have been used unseen
            or (fold_action(self.rule.service, g.action), dimension) in self.frozen
            for g in grants
        ):
            return None
        actions = tuple(grant.action for grant in grants)
        parts = [self.seen.get((action, dimension), ()) for action in actions]
        pooled = parts[0] if len(parts) == 1 else merged(*parts)
        if not pooled:
            return None
        if (dimension, actions) not in self._covers:  # asked again under what it was narrowed to
            self._covers[dimension, actions] = self._cover(dimension, actions, parts, pooled)
        every = self._covers[dimension, actions]
        found = None if every is None else clipped(every, pooled, granted if granted is not None else ("*",))
        if found is None:
            return None
        self._reasons.update(((dimension, one.pattern), one) for one in found)
        return tuple(one.pattern for one in found)

    def _cover(
        self,
        dimension: str,
        actions: tuple[str, ...],
        parts: Sequence[Sequence[Seen]],
        pooled: Sequence[Seen],
    ) -> list[Reason] | None:
        """What covers the values of these actions. What was rolled up for one of them is used again for several."""
        try:
            for action, values in zip(actions, parts, strict=True):
                if (dimension, action) not in self._rolled and len(pooled) == sum(map(len, parts)):
                    self._rolled[dimension, action] = roll_up(self.rule.service, dimension, values)
            if len(pooled) < sum(map(len, parts)):  # some value was used by two of them
                return covered(dimension, roll_up(self.rule.service, dimension, pooled))
            rolled = [self._rolled[dimension, action] for action in actions]
            return covered(dimension, rolled[0] if len(rolled) == 1 else joined(dimension, rolled))
        except TooMany:
            return None

    def because(self, dimension: str, patterns: Sequence[str]) -> list[dict[str, object]]:
        """What made each of these patterns of a target, with the dated uses that bear it out."""
        return [
            {
                "pattern": one.pattern,
                "because": one.why.value,
                "witnesses": [{"value": w.value, "day": str(_EPOCH + timedelta(days=w.day))} for w in one.witnesses],
            }
            for pattern in patterns
            if (one := self._reasons.get((dimension, pattern)))
        ]

    def thin(self, dimension: str, patterns: Sequence[str]) -> list[str]:
        """Those of the patterns that are granted still only because there is too little evidence for narrower ones."""
        return [p for p in patterns if (one := self._reasons.get((dimension, p))) and one.why in UNSURE]

    def body_of(self, target: Target) -> Body:
        """The body of a rule for one target."""
        body = self.rule.body
        return Body(
            target.actions,
            target.resources if narrower(target.resources, body.resources) else body.resources,
            target.branches if narrower(target.branches, body.branches) else body.branches,
        )


def narrower(patterns: tuple[str, ...] | None, granted: tuple[str, ...] | None) -> bool:
    """Whether a target says something else than what is granted (None there = any)."""
    return patterns is not None and set(patterns) != set(("*",) if granted is None else granted)


def _together(a: Target, b: Target) -> bool:
    """Whether two actions belong in one rule: narrowed alike in kind, and used on things that overlap."""
    for mine, other in ((a.resources, b.resources), (a.branches, b.branches)):
        if (mine is None) != (other is None):
            return False
        if mine is not None and other is not None and not any(_meet(p, q) for p in mine for q in other):
            return False
    return True


def _meet(p: str, q: str) -> bool:
    """Whether two patterns are about one place: they share a string, or one is a folder that the other lies in."""
    return (
        intersects(p, q) or (p.endswith("/") and intersects(p + "*", q)) or (q.endswith("/") and intersects(p, q + "*"))
    )
