"""What the edit kinds look at: one rule, its grants, and the targets that its use would be content with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tightener.model import Body, Rule
from tightener.policy.patterns import intersects, matches
from tightener.services.semantics import expand_actions, fold_action
from tightener.tighten.arguments import Argument
from tightener.tighten.generalise import Reason, clipped, covered, staying, unmasked
from tightener.tighten.grants import Grant, Status
from tightener.tighten.moves import Move, RuleMoves
from tightener.tighten.pieces import OPEN, UNSURE
from tightener.tighten.risk import only_reads
from tightener.tighten.rollup import Heads, TooMany, joined, roll_up
from tightener.tighten.segments import Seen, pooled


@dataclass(frozen=True, slots=True)
class Target:
    """Actions of one rule that were used on the same things, and the patterns for them (None = nothing can be said)."""

    actions: tuple[str, ...]
    resources: tuple[str, ...] | None
    branches: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Open:
    """A granted pattern that stays as it is because what is guarded below it is not all known yet."""

    rule: Rule
    actions: tuple[str, ...]
    dimension: str
    because: Reason  # its pattern, why it stays, and the dated uses that show it


@dataclass(slots=True)
class _Known:
    """What was worked out once: several edit kinds ask, and an agent may have used a hundred thousand resources."""

    covers: dict[tuple[str, tuple[str, ...]], list[Reason] | None] = field(default_factory=dict)
    pools: dict[tuple[str, tuple[str, ...]], Collection[Seen]] = field(default_factory=dict)
    rolled: dict[tuple[str, str], Heads] = field(default_factory=dict)
    reasons: dict[tuple[str, str], Reason] = field(default_factory=dict)
    open: dict[tuple[str, tuple[str, ...]], list[Reason]] = field(default_factory=dict)  # by actions as written
    targets: tuple[Target, ...] | None = None


@dataclass(frozen=True, slots=True)
class RuleUse:
    """One rule with everything that an edit kind may want to know about it."""

    rule: Rule
    grants: tuple[Grant, ...]
    seen: Mapping[tuple[str, str], Collection[Seen]]  # (concrete action, dimension) -> values of what does not move
    frozen: frozenset[tuple[str, str]]  # (concrete action, dimension) that must not be narrowed
    window_days: int
    days_needed: int  # observed days without which nothing is called unexercised
    masked: Mapping[str, frozenset[str]] = field(default_factory=dict)  # folded action -> arguments whose values hide
    moves: RuleMoves = field(default_factory=RuleMoves)
    others: tuple[Argument, ...] = ()  # of the agent's tools of this service, what may be kin to its own
    asks_unused: bool = True  # what is unused may move to approval: nobody has refused that
    _known: _Known = field(default_factory=_Known, compare=False, repr=False)

    def with_moves(self, moves: RuleMoves, seen: Mapping[tuple[str, str], Collection[Seen]]) -> RuleUse:
        """The same with other moves, and the values of what does not move then."""
        return replace(self, moves=moves, seen=seen, _known=_Known())

    def without_questions(self) -> RuleUse:
        """The same where a person has refused that what is unused moves to approval."""
        return replace(self, asks_unused=False, _known=_Known())

    def of_pattern(self, pattern: str) -> tuple[Grant, ...]:
        """The grants that one action as written covers, those included that the rule writes out beside it."""
        return tuple(g for g in self.grants if self._covers(pattern, g))

    def _covers(self, pattern: str, grant: Grant) -> bool:
        service = self.rule.service
        folded = (fold_action(service, p) for p in expand_actions(service, [pattern], self.rule.aliases))
        return any(matches(p, fold_action(service, grant.action)) for p in folded)

    @property
    def asked(self) -> tuple[Grant, ...]:
        """The grants that move to approval: those that may, and whose text stands for nothing else nor the reverse.

        `invoices:write` stands for `invoices:create` as well: with either of them elsewhere, the other cannot move.
        """
        moving = [g for g in self.grants if g.asks and self.asks_unused]
        while moving:
            others = [g for g in self.grants if g not in moving]
            free = [
                g
                for g in moving
                if not any(self._covers(name(g), o) or (not o.goes and self._covers(name(o), g)) for o in others)
            ]
            if free == moving:
                break
            moving = free
        return tuple(moving)

    @property
    def kept(self) -> tuple[Grant, ...]:
        """The grants that are not removed: all but the unexercised ones with evidence enough."""
        return tuple(g for g in self.grants if not g.goes)

    @property
    def staying(self) -> tuple[Grant, ...]:
        """The grants of which something stays in the rule's own block: the kept ones that do not move as a whole."""
        asked = self.asked
        return tuple(g for g in self.kept if g.action not in self.moves.whole and g not in asked)

    def listed(self, pattern: str) -> bool:
        """Whether a wildcard has to become a list of what is kept of it.

        It has to where some of its actions go, or move to approval, and where another text of the rule covers one that
        was exercised, or may have been: narrowing that text would be in vain as long as the wildcard grants the same,
        and once they stand in rules of their own, that use is no longer the wildcard's. Not so where the evidence is
        too thin for any narrowing: the list would only take away what is yet to come.
        """
        grants = self.of_pattern(pattern)
        if all(fold_action(self.rule.service, pattern) == fold_action(self.rule.service, g.action) for g in grants):
            return False
        others = {g.id for text in self.rule.body.actions if text != pattern for g in self.of_pattern(text)}
        leaving = {g.id for g in self.asked} | {g.id for g in grants if g.action in self.moves.whole}
        used = {g.id for g in grants if g.status is Status.EXERCISED or (g.action, "resource") in self.seen}
        narrowing = any(g.status is Status.EXERCISED and not g.lacking for g in self.grants)
        return any(g.goes or g.id in leaving or (narrowing and g.id in others and g.id in used) for g in grants)

    def targets(self) -> tuple[Target, ...]:
        """The staying actions grouped by what they were used on. One group = narrow the rule; several = split it."""
        if self._known.targets is not None:
            return self._known.targets
        singles: dict[str, list[Grant]] = {}
        listed = {pattern: self.listed(pattern) for pattern in dict.fromkeys(g.pattern for g in self.staying)}
        for grant in self.staying:  # as it stands in the rule afterwards: by name where a wildcard goes
            text = grant.action if grant.is_wildcard and listed[grant.pattern] else grant.pattern
            singles.setdefault(text, []).append(grant)
        found = self._known.targets = self._targets(singles, self.rule.body.resources, self.rule.body.branches)
        return found

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
        return Target(
            actions,
            self._narrow(actions, grants, "resource", resources),
            self._narrow(actions, grants, "branch", branches),
        )

    def _narrow(
        self, texts: tuple[str, ...], grants: list[Grant], dimension: str, granted: tuple[str, ...] | None
    ) -> tuple[str, ...] | None:
        if granted == () or any(
            g.status is not Status.EXERCISED
            or not g.evidence.uses  # only partial ones: nothing says that there was not more
            or g.evidence.unmapped
            or g.observed_days < self.days_needed  # what would go might have been used unseen
            or g.lacking
            or (fold_action(self.rule.service, g.action), dimension) in self.frozen
            for g in grants
        ):
            return None
        actions = tuple(grant.action for grant in grants)
        parts = [self.seen.get((action, dimension), ()) for action in actions]
        every_one = self._pooled(dimension, actions)
        if not every_one:
            return None
        if (dimension, actions) not in self._known.covers:  # asked again under what it was narrowed to
            self._known.covers[dimension, actions] = self._cover(dimension, actions, parts, every_one)
        every = self._known.covers[dimension, actions]
        within = granted if granted is not None else ("*",)
        if every is not None and (hidden := self._masked(dimension, actions)):
            every = unmasked(every, hidden, within)
        found = None if every is None else clipped(every, every_one, within)
        left = found or staying(every or (), within).values()
        self._known.open[dimension, texts] = [one for one in left if one.why in OPEN]
        if found is None:
            return None
        self._known.reasons.update(((dimension, one.pattern), one) for one in found)
        return tuple(one.pattern for one in found)

    def values(self, dimension: str) -> Collection[Seen]:
        """The distinct values of what stays, sorted."""
        return self._pooled(dimension, tuple(dict.fromkeys(g.action for g in self.staying)))

    def _pooled(self, dimension: str, actions: tuple[str, ...]) -> Collection[Seen]:
        if (dimension, actions) not in self._known.pools:
            self._known.pools[dimension, actions] = pooled([self.seen.get((a, dimension), ()) for a in actions])
        return self._known.pools[dimension, actions]

    def _masked(self, dimension: str, actions: Sequence[str]) -> set[str]:
        folded = (fold_action(self.rule.service, action) for action in actions)
        return {name for action in folded for name in self.masked.get(action, ())} if dimension == "resource" else set()

    def _cover(
        self,
        dimension: str,
        actions: tuple[str, ...],
        parts: Sequence[Collection[Seen]],
        every_one: Collection[Seen],
    ) -> list[Reason] | None:
        """What covers the values of these actions. What was rolled up for one of them is used again for several."""
        reading = all(only_reads(self.rule.service, action) for action in actions)
        others = tuple(one for one in self.others if reading or not one.reads)  # what was read may not be written so
        try:
            for action, values in zip(actions, parts, strict=True):
                if (dimension, action) not in self._known.rolled and len(every_one) == sum(map(len, parts)):
                    self._known.rolled[dimension, action] = roll_up(self.rule.service, dimension, values)
            if len(every_one) < sum(map(len, parts)):  # some value was used by two of them
                return covered(dimension, roll_up(self.rule.service, dimension, every_one), others)
            rolled = [self._known.rolled[dimension, action] for action in actions]
            return covered(dimension, rolled[0] if len(rolled) == 1 else joined(dimension, rolled), others)
        except TooMany:
            return None

    def because(self, dimension: str, patterns: Sequence[str]) -> list[dict[str, object]]:
        """What made each of these patterns of a target, with the dated uses that bear it out."""
        return [one.document for pattern in patterns if (one := self._known.reasons.get((dimension, pattern)))]

    def open(self) -> list[Open]:
        """What stays as it was granted because it keeps growing: of the targets, in their order."""
        return [
            Open(self.rule, target.actions, dimension, one)
            for target in self.targets()
            for dimension in ("resource", "branch")
            for one in self._known.open.get((dimension, target.actions), ())
        ]

    def thin(self, dimension: str, patterns: Sequence[str]) -> list[str]:
        """Those of the patterns that are granted still only because there is too little evidence for narrower ones."""
        return [p for p in patterns if (one := self._known.reasons.get((dimension, p))) and one.why in UNSURE]

    def body_of(self, target: Target) -> Body:
        """The body of a rule for one target."""
        body = self.rule.body
        return Body(
            target.actions,
            target.resources if narrower(target.resources, body.resources) else body.resources,
            target.branches if narrower(target.branches, body.branches) else body.branches,
        )


def waits(use: RuleUse, pattern: str, move: Move) -> bool:
    """Whether a move takes all of an action out of a wildcard, and could wait: several sessions used it."""
    sessions = {call.session for call in move.calls}
    return (
        move.grant.pattern == pattern
        and move.grant.is_wildcard
        and move.grant.action in use.moves.whole
        and (len(sessions) > 1 or not all(call.one_session for call in move.calls))
    )


def name(grant: Grant) -> str:
    """How a grant is written once its wildcard, if it has one, is a list."""
    return grant.action if grant.is_wildcard else grant.pattern


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
