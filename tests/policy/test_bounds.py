"""Several policies against several, held against a naive evaluator asked about every small request and moment."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.errors import Place
from tightener.model import AgentPolicy, Body, Effect, Rule
from tightener.policy.bounds import breach
from tightener.policy.verify import Kind, compare_policies

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = [NOW + timedelta(days=days) for days in (-1, 1, 2)]
MOMENTS = [NOW, *(moment + timedelta(seconds=step) for moment in LATER[1:] for step in (-1, 0))]
ACTIONS = ["push", "pull", "zap"]
RESOURCES = ["".join(letters) for size in range(3) for letters in itertools.product("az", repeat=size)]
BRANCHES = ["", "main", "z"]
REQUESTS = list(itertools.product(["git", "nobody-names-me"], ACTIONS, RESOURCES, BRANCHES))
PLACE = Place("policy.yaml", 1, 1)


@cache
def glob(pattern: str, value: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(glob(pattern[1:], value[cut:]) for cut in range(len(value) + 1))
    return bool(value) and pattern[0] in ("?", value[0]) and glob(pattern[1:], value[1:])


def level(policy: AgentPolicy | None, moment: datetime, request: tuple[str, str, str, str]) -> int:
    """Refused 0, needs approval 1, allowed 2: straight from the words of the contract."""
    service, *values = request
    found = set()
    for rule in policy.rules if policy else ():
        parts = (rule.body.actions, rule.body.resources, rule.body.branches)
        fits = all(p is None or any(glob(one, v) for one in p) for p, v in zip(parts, values, strict=True))
        if not fits or rule.service not in (service, "*"):
            continue
        over = rule.expires is not None and rule.expires <= moment
        if rule.effect is Effect.DENY or (over and rule.effect is Effect.REQUIRE_APPROVAL):
            found.add(0)
        elif not over:
            found.add(1 if rule.effect is Effect.REQUIRE_APPROVAL else 2)
    return min(found, default=0)


def patterns(*some: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(some), min_size=1, max_size=2, unique=True).map(tuple)


bodies = st.builds(
    Body,
    patterns("push", "pull", "p*", "*"),
    st.none() | patterns("a*", "*a", "a", "z?", "*", "?", "az"),
    st.none() | patterns("main", "z", "*"),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    effect = draw(st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.REQUIRE_APPROVAL, Effect.DENY]))
    service = "*" if effect is Effect.DENY and draw(st.integers(0, 3)) == 0 else "git"
    expires = None if effect is Effect.DENY else draw(st.sampled_from([None, None, None, *LATER]))
    return Rule("a", 0, effect, service, draw(bodies), PLACE, expires=expires)


def policy(found: Sequence[Rule]) -> AgentPolicy:
    return AgentPolicy("a", PLACE, tuple(found))


policies = st.none() | st.lists(rules(), min_size=1, max_size=3).map(policy)


@st.composite
def both_sides(draw: st.DrawFn) -> tuple[list[AgentPolicy | None], list[AgentPolicy | None]]:
    """Policies that share most of their rules: else hardly a bound would hold, or fail by a limit alone."""
    pool = draw(st.lists(rules(), min_size=2, max_size=4))
    some = st.none() | st.lists(st.sampled_from(pool), min_size=1, max_size=4).map(policy)
    sides = st.lists(some, min_size=1, max_size=2)
    return draw(sides), draw(sides)


@settings(max_examples=200)
@given(both_sides())
def test_it_holds_where_it_holds_for_every_request_and_else_names_one_for_which_it_does_not(
    sides: tuple[list[AgentPolicy | None], list[AgentPolicy | None]],
) -> None:
    lefts, rights = sides
    found = breach(lefts, rights, NOW)
    broken = [
        (request, moment)
        for request in REQUESTS
        for moment in MOMENTS
        if min(level(one, moment, request) for one in lefts) > max(level(one, moment, request) for one in rights)
    ]
    if found is None:
        assert not broken
        return
    assert found.request is not None, "such small policies are never too entangled"
    assert found.moment is not None
    assert min(level(one, found.moment, found.request) for one in lefts) == found.left
    assert max(level(one, found.moment, found.request) for one in rights) == found.right
    assert found.left > found.right


@settings(max_examples=60)
@given(policies, policies)
def test_one_against_one_is_never_wider(new: AgentPolicy | None, old: AgentPolicy | None) -> None:
    assert (breach([new], [old], NOW) is None) == (compare_policies(old, new, NOW).kind is Kind.CONTAINED)


@settings(max_examples=60)
@given(both_sides())
def test_more_on_the_left_and_more_on_the_right_only_help(
    sides: tuple[list[AgentPolicy | None], list[AgentPolicy | None]],
) -> None:
    lefts, rights = sides
    if breach(lefts[:1], rights[:1], NOW) is None:
        assert breach(lefts, rights, NOW) is None


def test_a_right_side_grants_what_its_denies_and_approvals_leave_of_it() -> None:
    def push(effect: Effect, service: str = "git") -> Rule:
        return Rule("a", 0, effect, service, Body(("push",), None, None), PLACE)

    allowed, asked = push(Effect.ALLOW), push(Effect.REQUIRE_APPROVAL)
    for limit, right in ((push(Effect.DENY, "*"), 0), (asked, 1)):
        found = breach([policy([allowed])], [policy([limit, allowed]), None], NOW)
        assert found is not None
        assert (found.left, found.right) == (2, right)
    assert breach([policy([asked])], [policy([asked, allowed])], NOW) is None
