"""Which uses move from `allowed` to `needs_approval`, and how often a person would be asked.

Three reasons, each an edit kind of its own in rules/:

- `ask_first`: an action whose class always asks (deletions, payments, permissions) is used outright;
- `ask_in_bursts`: one whose class asks where it is rare comes in at most one burst a week;
- `ask_about_new`: a risky request was made by one session, in the last fortnight, on something that nothing else
  touched. It moves literally, for a person to look at: a poisoned log must widen nothing, and what is in use is never
  dropped.

Plain reads, lists and writes never move. Where a person would be asked too often nothing moves, since whoever has to
say yes fifty times a week no longer looks; the checklist names what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb

from tightener.logs.usage import BURST_PAUSE, inputs_of
from tightener.model import Body, Effect, Window
from tightener.policy.patterns import contains
from tightener.resources import query
from tightener.services.semantics import fold_action, normalise_branch, safe_as_pattern
from tightener.tighten.compare import Comparison
from tightener.tighten.grants import Grant, Status
from tightener.tighten.risk import Risk, RiskClass, risk, scoped, worst
from tightener.tighten.segments import Seen, fixed_head, merged

ASK_FIRST, IN_BURSTS, NEW = "ask_first", "ask_in_bursts", "ask_about_new"
MOST_A_WEEK = 10  # approvals: two a working day
NEW_DAYS = 14  # what was first seen in the last so many days is new
MOST_NEW = 8  # new things of one session that are asked about one by one: more are no odd ones out
TTLS = (("15m", 900), ("30m", 1800), ("1h", 3600), ("2h", 7200), ("4h", 14400), ("8h", 28800))
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Call:
    """One distinct request that belongs to a risky grant; days are counted from 1970."""

    id: int
    resource: str
    branch: str
    uses: int
    exercised: bool
    first: int
    last: int
    partial: str = ""  # the dimensions that the log hides, where there is a pattern instead of a value
    session: int = -1  # that used it first; -1 where that is no evidence
    days: int = 0  # of its use, as `Seen` has them
    one_session: bool = False  # no other session made it


@dataclass(frozen=True, slots=True)
class Load:
    """How often a person would be asked over the window."""

    uses: int
    approvals: int
    bursts: int
    ttl: str | None
    days: int

    @property
    def weekly(self) -> float:
        """Approvals a week."""
        return 7 * self.approvals / self.days


@dataclass(frozen=True, slots=True)
class Move:
    """A part of one grant's use that moves to approval, under these granted patterns."""

    kind: str
    grant: Grant
    risk: RiskClass
    scope: Body  # what the approval covers before it is narrowed to the calls; its action as it stands in the rule
    calls: tuple[Call, ...]
    load: Load
    literal: bool  # exact values, never generalised

    def seen(self) -> dict[tuple[str, str], tuple[Seen, ...]]:
        """The values of its calls, as the edit kinds want them."""
        return seen_of(self.grant.action, self.calls)


@dataclass(frozen=True, slots=True)
class RuleMoves:
    """What moves of one rule, what stays of the actions that move in part, and what would be asked too often."""

    moves: tuple[Move, ...] = ()
    whole: frozenset[str] = frozenset()  # actions of which nothing stays
    stays: Mapping[tuple[str, str], tuple[Seen, ...]] = field(default_factory=dict)  # (action, dimension) -> values
    too_often: tuple[Move, ...] = ()
    calls: Mapping[str, Sequence[Call]] = field(default_factory=dict)  # action -> all of its calls
    hidden: frozenset[str] = frozenset()  # actions of which some call hides what could make it harmless

    def without(self, gone: Collection[Move]) -> RuleMoves:
        """The same, had these never been moves."""
        left = tuple(one for one in self.moves if one not in gone)
        return settled(left, self.calls, self.hidden, self.too_often)


def moves(con: duckdb.DuckDBPyConnection, comparison: Comparison) -> dict[int, RuleMoves]:
    """Rule index -> what moves of it. Reads `owner` as the comparison left it; leaves `risky_grant` behind."""
    grants = {(g.rule.index, g.action): g for g in comparison.grants if _may_move(g)}
    if not grants:
        return {}
    con.execute("CREATE OR REPLACE TEMP TABLE risky_grant (rule INTEGER, action VARCHAR)")
    con.executemany("INSERT INTO risky_grant VALUES (?, ?)", list(grants))
    calls: dict[tuple[int, str], list[Call]] = {}
    for rule, action, *call in con.execute(query("risky_use")).fetchall():
        calls.setdefault((rule, action), []).append(Call(*call))
    window = comparison.terms.window
    groups = [
        group
        for key, own in calls.items()
        for group in _groups(grants[key], own, window, partly=_partly(comparison, grants[key]))
    ]
    loads = _loads(con, comparison, groups)
    found: dict[int, RuleMoves] = {}
    for index in {rule for rule, _ in calls}:
        own = [(group, loads[n]) for n, group in enumerate(groups) if group.grant.rule.index == index and n in loads]
        found[index] = _of_rule(own, {a: c for (r, a), c in calls.items() if r == index}, comparison)
    return found


def seen_of(action: str, calls: Iterable[Call]) -> dict[tuple[str, str], tuple[Seen, ...]]:
    """The distinct resources and branches of some calls, sorted, with the days of their use."""
    calls = tuple(calls)
    return {
        (action, dimension): tuple(
            merged(
                Seen(
                    one.resource if dimension == "resource" else one.branch, one.first, one.last, one.session, one.days
                )
                for one in calls
                if dimension not in one.partial
            )
        )
        for dimension in ("resource", "branch")
    }


@dataclass(frozen=True, slots=True)
class _Group:
    kind: str
    grant: Grant
    risk: RiskClass
    scope: Body
    calls: tuple[Call, ...]
    literal: bool = False


def _may_move(grant: Grant) -> bool:
    """Whether the grant is used outright, and can be risky. Exceptions and what is too new stay as they are."""
    evidence = grant.evidence
    return (
        grant.rule.effect is Effect.ALLOW
        and grant.rule.alias_of is None
        and grant.status is Status.EXERCISED
        and evidence.uses > evidence.indirect_uses  # nobody can be asked about what a service does on its behalf
        and not evidence.unmapped
        and not worst(grant.rule.service, grant.action, grant.rule.body).kind.plain
    )


def _partly(comparison: Comparison, grant: Grant) -> bool:
    """Whether some use of it hides what it touched."""
    folded = fold_action(grant.rule.service, grant.action)
    return any((grant.rule.index, folded, d) in comparison.partial.blocked for d in ("resource", "branch"))


def _groups(grant: Grant, calls: Sequence[Call], window: Window, *, partly: bool) -> list[_Group]:
    """The calls of one grant by what could move them together; those of plain work are in none."""
    service, action, body = grant.rule.service, grant.action, grant.rule.body
    text = grant.action if grant.is_wildcard else grant.pattern
    risky: dict[tuple[bool, bool], list[tuple[Call, Risk]]] = {}
    for call in calls:
        if call.partial:  # it moves with its action or not at all
            continue
        found = risk(service, action, call.resource, call.branch)
        if not found.kind.plain:
            risky.setdefault((bool(found.resource), bool(found.branch)), []).append((call, found))
    groups = []
    for (by_resource, by_branch), members in risky.items():
        new = [] if partly else _new(service, members, calls, window)
        for call in new:
            scope = _literal(text, body, call)
            if scope is not None:
                kind = next(found.kind for one, found in members if one is call)
                groups.append(_Group(NEW, grant, kind, scope, (call,), literal=True))
        taken = {group.calls[0].id for group in groups}
        rest = [(call, found) for call, found in members if call.id not in taken]
        for kind in dict.fromkeys(found.kind for _, found in rest):
            own = [(call, found) for call, found in rest if found.kind is kind]
            scope = Body(
                (text,),
                _inside([f.resource for _, f in own], body.resources, [c.resource for c, _ in own])
                if by_resource
                else body.resources,
                _inside([f.branch for _, f in own], body.branches, [c.branch for c, _ in own])
                if by_branch
                else body.branches,
            )
            reason = ASK_FIRST if kind.asks == "always" else IN_BURSTS
            groups.append(_Group(reason, grant, kind, scope, tuple(call for call, _ in own)))
    return groups


def _inside(risky: Sequence[str], granted: tuple[str, ...] | None, values: Sequence[str]) -> tuple[str, ...]:
    """The risky patterns as far as they are granted: as they are, as the rule grants them, or the values themselves."""
    found: dict[str, None] = {}
    for pattern in dict.fromkeys(risky):
        if granted is None or any(contains(normalise_branch(one), pattern) for one in granted):
            found[pattern] = None
            continue
        inner = [one for one in granted if contains(pattern, normalise_branch(one))]
        literals = [safe for value in values if (safe := safe_as_pattern(value)) is not None]
        found.update(dict.fromkeys(inner or literals))
    return tuple(found)


def _new(service: str, risky: Sequence[tuple[Call, Risk]], every: Sequence[Call], window: Window) -> list[Call]:
    """The calls of one session, in the last days of the window, on something that no other call of the grant touched.

    Of a tool's argument whose values recur, any value that does not is such a thing. A few of them move one by one
    where their class is asked about only where it is rare: what always asks is asked about together.
    """
    if window.days < 2 * NEW_DAYS:
        return []  # too little came before for anything to be new beside it
    edge = (window.last - _EPOCH).days - NEW_DAYS
    groups: dict[tuple[str, str], list[Call]] = {}
    for call in every:
        key = (fixed_head(service, "resource", call.resource), fixed_head(service, "branch", call.branch))
        groups.setdefault(key, []).append(call)
    found = []
    kinds = {call.id: risk.kind for call, risk in risky}
    for key, group in groups.items():
        lone = [c for c in group if c.exercised and c.one_session and edge < c.first == c.last]
        if not lone or len({call.session for call in lone}) > 1:
            continue
        others = [call for call in group if call not in lone]
        recurring = service == "tools" and others and all(call.uses > 1 for call in others)
        if not others or (recurring and key[0].endswith("=")):
            own = [call for call in lone if call.id in kinds]
            rare = [call for call in own if kinds[call.id].asks == "rare"]
            found += own if len(lone) == 1 else rare if len(rare) <= MOST_NEW else []
    return found


def _literal(text: str, body: Body, call: Call) -> Body | None:
    """The body that holds exactly this call; None where its values must not be written down."""
    resource, branch = safe_as_pattern(call.resource), safe_as_pattern(call.branch)
    if resource is None or branch is None:
        return None
    return Body(
        (text,),
        (resource,) if resource else body.resources,
        (branch,) if branch else body.branches,
    )


def _loads(con: duckdb.DuckDBPyConnection, comparison: Comparison, groups: Sequence[_Group]) -> dict[int, Load]:
    """Group number -> its load; none for a group that was only asked for without evidence."""
    con.execute("CREATE OR REPLACE TEMP TABLE risky_group (label INTEGER, id BIGINT)")
    rows = [(number, call.id) for number, group in enumerate(groups) for call in group.calls]
    if not rows:
        return {}
    con.execute(
        "INSERT INTO risky_group SELECT unnest($labels), unnest($ids)",
        {"labels": [label for label, _ in rows], "ids": [number for _, number in rows]},
    )
    window = comparison.terms.window
    inputs = {**inputs_of(comparison.policy.name, window), "gap": BURST_PAUSE}
    loads = {}
    for label, uses, bursts, longest in con.execute(query("bursts"), inputs).fetchall():
        ttl = next((text for text, seconds in TTLS if longest <= seconds), None) if uses > bursts else None
        loads[label] = Load(uses, bursts if ttl else uses, bursts, ttl, window.days)
    return loads


def _of_rule(
    own: Sequence[tuple[_Group, Load]], calls: Mapping[str, Sequence[Call]], comparison: Comparison
) -> RuleMoves:
    moved: list[Move] = []
    too_often: list[Move] = []
    for group, load in own:
        one = Move(group.kind, group.grant, group.risk, group.scope, group.calls, load, group.literal)
        if group.kind == IN_BURSTS:
            if 7 * load.bursts <= load.days:
                moved.append(one)
        elif group.kind == ASK_FIRST and load.weekly > MOST_A_WEEK:
            too_often.append(one)
        else:
            moved.append(one)
    hidden = {
        one.grant.action
        for one in moved
        if _partly(comparison, one.grant) and scoped(one.grant.rule.service, one.grant.action)
    }
    return settled(tuple(moved), calls, frozenset(hidden), tuple(too_often))


def settled(
    moved: tuple[Move, ...], calls: Mapping[str, Sequence[Call]], hidden: frozenset[str], too_often: tuple[Move, ...]
) -> RuleMoves:
    """What these moves leave of a rule's risky actions."""
    gone: dict[str, set[int]] = {}
    for one in moved:
        gone.setdefault(one.grant.action, set()).update(call.id for call in one.calls)
    whole = set()
    stays: dict[tuple[str, str], tuple[Seen, ...]] = {}
    for action, ids in gone.items():
        left = [call for call in calls[action] if call.id not in ids]
        if any(not call.partial for call in left) or action in hidden:
            stays.update(seen_of(action, left))
        else:
            whole.add(action)
    return RuleMoves(moved, frozenset(whole), stays, too_often, calls, hidden)
