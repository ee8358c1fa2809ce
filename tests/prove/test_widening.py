"""The proofs of what adds, against an evaluator that asks about every small request at every moment that matters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightener.errors import Place
from tightener.model import AgentPolicy, Body, Effect, Request, Rule
from tightener.prove.widening import asked_for_only, literal, within_both

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENDS = [NOW + timedelta(days=days) for days in (1, 2)]
MOMENTS = [NOW, *ENDS]
# What tells any two unions of the patterns below apart is among these: `x` stands for all letters that none names.
ACTIONS = ["push", "pull", "px", "x"]
RESOURCES = ["".join(letters) for size in range(4) for letters in itertools.product("azx", repeat=size)]
BRANCHES = ["", "m", "zx", "x"]
PLACE = Place("policy.yaml", 1, 1)
PATTERNS = st.sampled_from(["*", "a", "a*", "?", "az", "*z", "a?*", "", "z*"])


@cache
def glob(pattern: str, value: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(glob(pattern[1:], value[cut:]) for cut in range(len(value) + 1))
    return bool(value) and pattern[0] in ("?", value[0]) and glob(pattern[1:], value[1:])


@cache
def one_of(patterns: tuple[str, ...] | None, value: str) -> bool:
    return patterns is None or any(glob(pattern, value) for pattern in patterns)


def level(policy: AgentPolicy, moment: datetime, request: tuple[str, str, str]) -> int:
    """Straight from the words of the contract."""
    action, resource, branch = request
    found = set()
    for one in policy.rules:
        body = one.body
        if one_of(body.actions, action) and one_of(body.resources, resource) and one_of(body.branches, branch):
            if one.expires is None or one.expires > moment:
                found.add(one.effect)
            elif one.effect is Effect.REQUIRE_APPROVAL:
                found.add(Effect.DENY)
    if Effect.DENY in found:
        return 0
    return 1 if Effect.REQUIRE_APPROVAL in found else 2 if Effect.ALLOW in found else 0


def policy(rules: Sequence[Rule]) -> AgentPolicy:
    return AgentPolicy("a", PLACE, tuple(replace(rule, index=at) for at, rule in enumerate(rules)))


def rule(effect: Effect, body: Body, expires: datetime | None = None) -> Rule:
    return Rule("a", 0, effect, "git", body, PLACE, expires=None if effect is Effect.DENY else expires)


RULES = st.builds(
    rule,
    st.sampled_from(list(Effect)),
    st.builds(
        Body,
        st.lists(st.sampled_from(["push", "pull", "p*", "*"]), min_size=1, max_size=2).map(tuple),
        st.none() | st.lists(PATTERNS, max_size=2).map(tuple),
        st.none() | st.lists(st.sampled_from(["m", "*", "", "z?"]), min_size=1, max_size=2).map(tuple),
    ),
    st.none() | st.sampled_from(ENDS),
)
POLICIES = st.lists(RULES, max_size=4).map(policy)
REQUESTS = list(itertools.product(ACTIONS, RESOURCES, BRANCHES))


@given(POLICIES, POLICIES, st.lists(RULES, max_size=3), st.sampled_from([0, 2]))
def test_within_both_says_what_every_small_request_says(
    current: AgentPolicy, before: AgentPolicy, more: list[Rule], kept: int
) -> None:
    new = policy([*current.rules, *before.rules[:kept], *more])
    wider = [
        (one, at)
        for at in MOMENTS
        for one in REQUESTS
        if level(new, at, one) > max(level(current, at, one), level(before, at, one))
    ]
    assert bool(within_both(new, current, before, NOW)) == bool(wider), wider[:1]


@given(POLICIES, POLICIES, POLICIES)
def test_within_both_of_any_three(new: AgentPolicy, current: AgentPolicy, before: AgentPolicy) -> None:
    wider = any(
        level(new, at, one) > max(level(current, at, one), level(before, at, one)) for at in MOMENTS for one in REQUESTS
    )
    assert bool(within_both(new, current, before, NOW)) == wider


@given(POLICIES, st.sampled_from(REQUESTS), st.lists(RULES, max_size=1), st.sampled_from(ENDS))
def test_only_what_was_asked_for(
    old: AgentPolicy, asked: tuple[str, str, str], more: list[Rule], ends: datetime
) -> None:
    action, resource, branch = asked
    added = rule(Effect.REQUIRE_APPROVAL, Body((action,), (resource,), (branch,)), ends)
    new = policy([*old.rules, added, *more])
    exactly = all(
        level(new, at, one) == (1 if one == asked and at < ends else level(old, at, one))
        for at in MOMENTS
        for one in REQUESTS
    )
    refused = level(old, NOW, asked) == 0 and level(old, ends, asked) == 0
    why = asked_for_only(old, new, [Request("a", "git", action, resource, branch)], ends, NOW)
    assert (why == "") == (exactly and refused), why


@pytest.mark.parametrize(
    ("body", "request_", "exact"),
    [
        (Body(("push",), ("a",), ("m",)), Request("a", "git", "push", "a", "m"), True),
        (Body(("push",), ("a\\",), ("",)), Request("a", "git", "push", "a\\"), True),
        (Body(("push",), ("a*",), ("m",)), Request("a", "git", "push", "a*", "m"), False),
        (Body(("push",), ("a",), None), Request("a", "git", "push", "a"), False),
        (Body(("x:write",), ("",), ("",)), Request("a", "stripe", "x:write"), False),
        (
            Body(("s3:ListBucket",), ("arn:aws:s3:::b",), ("",)),
            Request("a", "aws", "s3:ListBucket", "arn:aws:s3:::b"),
            False,
        ),
        (
            Body(("s3:ListBucket",), ("arn:aws:s3:::b/x/",), ("",)),
            Request("a", "aws", "s3:ListBucket", "arn:aws:s3:::b/x/"),
            True,
        ),
    ],
)
def test_a_rule_is_literal_only_where_it_says_one_request(body: Body, request_: Request, *, exact: bool) -> None:
    one = Rule("a", 0, Effect.REQUIRE_APPROVAL, request_.service, body, PLACE)
    assert literal(request_, one) is exact


ALLOW, ASK, DENY = Effect.ALLOW, Effect.REQUIRE_APPROVAL, Effect.DENY
WIDE, NARROW = Body(("push",), ("a*",)), Body(("push",), ("az",))


@pytest.mark.parametrize(
    ("new", "current", "before", "within"),
    [
        ([(ALLOW, WIDE)], [], [(ALLOW, WIDE)], True),
        ([(ALLOW, WIDE)], [], [(ALLOW, NARROW)], False),
        ([(ALLOW, WIDE)], [], [(ALLOW, WIDE), (DENY, NARROW)], False),
        ([(ALLOW, WIDE)], [], [(ALLOW, WIDE), (ASK, NARROW)], False),
        ([(ALLOW, WIDE), (ASK, NARROW)], [], [(ALLOW, WIDE), (ASK, NARROW)], True),
        ([(ALLOW, WIDE)], [(ALLOW, NARROW)], [(ALLOW, WIDE), (DENY, NARROW)], True),
        ([(ALLOW, WIDE)], [(ALLOW, WIDE), (ASK, NARROW)], [(ALLOW, NARROW)], True),
        ([(ALLOW, WIDE)], [(ALLOW, WIDE), (ASK, NARROW)], [], False),
        ([(ALLOW, WIDE)], [(ALLOW, WIDE), (ASK, NARROW)], [(ALLOW, WIDE), (DENY, NARROW)], False),
        ([(ASK, WIDE)], [], [(ALLOW, WIDE), (ASK, NARROW)], True),
        ([(ASK, WIDE)], [], [(ALLOW, WIDE), (DENY, NARROW)], False),
        ([(ASK, WIDE)], [(ASK, NARROW)], [(ALLOW, WIDE), (DENY, NARROW)], True),
        ([(ASK, WIDE)], [(ASK, NARROW), (DENY, NARROW)], [(ALLOW, WIDE), (DENY, NARROW)], False),
    ],
)
def test_within_both_case_by_case(
    new: list[tuple[Effect, Body]],
    current: list[tuple[Effect, Body]],
    before: list[tuple[Effect, Body]],
    *,
    within: bool,
) -> None:
    sides = [policy([rule(*one) for one in side]) for side in (new, current, before)]
    assert (within_both(*sides, NOW) == "") is within
