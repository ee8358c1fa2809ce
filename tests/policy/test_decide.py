"""The authoriser against a naive reading of section 3, and the corners that have to be right by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.errors import Place
from tightener.model import AgentPolicy, Answer, Body, Effect, Level, Request, Rule
from tightener.policy.decide import Authoriser, decide
from tightener.policy.rules import boxes, boxes_of, effective, services_named
from tightener.services.semantics import normalise_branch, normalise_path, safe_as_pattern

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLACE = Place("p.yaml", 1, 1)
LISTS = ["s3:listbucket", "s3:listbucketversions", "s3:listbucketmultipartuploads"]


def policy(*rules: tuple[str, str, Body, datetime | None]) -> AgentPolicy:
    made = [
        Rule("a", i, Effect(effect), service, body, PLACE, expires=expires)
        for i, (effect, service, body, expires) in enumerate(rules)
    ]
    return AgentPolicy("a", PLACE, tuple(made))


@cache
def naive_match(pattern: str, value: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "*":
        return naive_match(pattern[1:], value) or (bool(value) and naive_match(pattern, value[1:]))
    return bool(value) and pattern[0] in ("?", value[0]) and naive_match(pattern[1:], value[1:])


def naive_rule(rule: Rule, service: str, action: str, resource: str, branch: str) -> bool:
    if rule.service not in ("*", service):
        return False
    if service == "aws":
        action = action.lower()
    branch = branch.removeprefix("refs/heads/")
    hit = False
    for written in rule.body.actions:
        spelt = [written.lower()] if service == "aws" else [written]
        if service != "aws" and written.endswith(":write"):
            spelt += [written[:-5] + verb for verb in ("create", "update", "delete")]
        hit = hit or any(naive_match(one, action) for one in spelt)
    resources = rule.body.resources
    at = resources is None or any(naive_match(p, resource) for p in resources)
    if service == "aws" and action in LISTS and resources is not None:
        at = at or any(
            naive_match(p + "/*", resource) for p in resources if p.startswith("arn:aws:s3:::") and "/" not in p
        )
    branches = rule.body.branches
    on = branches is None or any(naive_match(p.removeprefix("refs/heads/"), branch) for p in branches)
    return hit and at and on


def naive(policy: AgentPolicy, request: tuple[str, str, str, str], at: datetime) -> tuple[Answer, Rule | None]:
    found: dict[Effect, Rule] = {}
    for rule in policy.rules:
        effect = rule.effect
        if rule.expires is not None and rule.expires <= at:
            if effect is Effect.ALLOW:
                continue
            effect = Effect.DENY
        if naive_rule(rule, *request):
            found.setdefault(effect, rule)
    for effect, answer in (
        (Effect.DENY, Answer.DENIED),
        (Effect.REQUIRE_APPROVAL, Answer.NEEDS_APPROVAL),
        (Effect.ALLOW, Answer.ALLOWED),
    ):
        if effect in found:
            return answer, found[effect]
    return Answer.NOT_GRANTED, None


patterns = st.text("ab*?/", max_size=5)
values = st.text("ab*?/", max_size=5)
s3 = st.sampled_from(["arn:aws:s3:::a", "arn:aws:s3:::a*", "arn:aws:s3:::a/b", "arn:aws:s3:::b/*", "*"])
actions = st.sampled_from(
    ["push", "p*", "*", "x:write", "*:write", "x:read", "x:create", "y:delete", "S3:ListBucket", "s3:*", "s3:getobject"]
)
refs = st.sampled_from(["main", "refs/heads/main", "refs/heads/*", "refs/tags/v1", "", "m*", "?*"])


@st.composite
def policies(draw: st.DrawFn) -> AgentPolicy:
    rules = []
    for _ in range(draw(st.integers(0, 5))):
        effect = draw(st.sampled_from(["allow", "allow", "require_approval", "deny"]))
        services = ["git", "aws", "stripe"] + (["*"] if effect == "deny" else [])
        body = Body(
            tuple(draw(st.lists(actions, max_size=3))),
            draw(st.none() | st.lists(patterns | s3, max_size=3).map(tuple)),
            draw(st.none() | st.lists(refs, max_size=2).map(tuple)),
        )
        expires = draw(st.sampled_from([None, None, NOW, NOW + timedelta(seconds=1)])) if effect != "deny" else None
        rules.append((effect, draw(st.sampled_from(services)), body, expires))
    return policy(*rules)


requests = st.tuples(st.sampled_from(["git", "aws", "stripe", "new"]), actions, values | s3, refs)


@settings(max_examples=300)
@given(policies(), st.lists(requests, min_size=1, max_size=12))
def test_the_authoriser_says_what_the_rules_say(policy: AgentPolicy, asked: list[tuple[str, str, str, str]]) -> None:
    authoriser = Authoriser(policy, NOW)
    wanted = [naive(policy, request, NOW) for request in asked]
    got = [authoriser.decide(*request) for request in asked]
    assert [(d.answer, d.rule) for d in got] == wanted
    levels = [authoriser.levels(service, action, [target])[0] for service, action, *target in asked]
    assert levels == [answer.level for answer, _ in wanted]


@given(policies(), requests)
def test_boxes_match_what_the_authoriser_matches(policy: AgentPolicy, request: tuple[str, str, str, str]) -> None:
    service, action, resource, branch = request
    folded = action.lower() if service == "aws" else action
    for rule in policy.rules:
        inside = any(
            naive_match(b.action, folded)
            and naive_match(b.resource, resource)
            and naive_match(b.branch, branch.removeprefix("refs/heads/"))
            for b in boxes(rule, service)
        )
        assert inside == naive_rule(rule, *request)


def test_values_are_never_patterns() -> None:
    asked = Authoriser(policy(("allow", "git", Body(("push",), ("acme/a",)), None)), NOW)
    assert asked.decide("git", "push", "acme/*").answer is Answer.NOT_GRANTED
    assert asked.decide("git", "*", "acme/a").answer is Answer.NOT_GRANTED


def test_a_pattern_of_many_stars_is_decided() -> None:
    nasty = "*a" * 40 + "b"
    asked = Authoriser(policy(("allow", "git", Body(("push",), (nasty,)), None)), NOW)
    assert asked.levels("git", "push", [("a" * 5000, ""), ("a" * 5000 + "b", "")]) == [
        Level.REFUSED,
        Level.ALLOWED,
    ]


def test_newlines_are_characters() -> None:
    asked = Authoriser(
        policy(("deny", "tools", Body(("sh",), ("rm*",)), None), ("allow", "tools", Body(("*",)), None)), NOW
    )
    assert asked.decide("tools", "sh", "rm\n-rf /").answer is Answer.DENIED


def test_time() -> None:
    lapsed = policy(
        ("allow", "git", Body(("push",)), None), ("require_approval", "git", Body(("push",), None, ("main",)), NOW)
    )
    before = Authoriser(lapsed, NOW - timedelta(microseconds=1)).decide("git", "push", "r", "main")
    after = Authoriser(lapsed, NOW).decide("git", "push", "r", "refs/heads/main")
    assert (before.answer, after.answer, after.rule) == (Answer.NEEDS_APPROVAL, Answer.DENIED, lapsed.rules[1])
    deny, approval, allow = effective(lapsed, "git", NOW)
    assert ([b.rule for b in deny], approval, [b.rule for b in allow]) == ([1], (), [0])


def test_an_unknown_agent_is_granted_nothing() -> None:
    known = {"a": policy(("allow", "git", Body(("*",)), None))}
    assert decide(known, Request("a", "git", "push"), NOW).answer is Answer.ALLOWED
    assert decide(known, Request("b", "git", "push"), NOW).answer is Answer.NOT_GRANTED


def test_deny_for_all_services_is_one_for_each() -> None:
    found = policy(("deny", "*", Body(("x:write",)), None), ("allow", "git", Body(("*",)), None))
    assert services_named(found) == {"git"}
    assert [b.action for b in boxes_of(found, "crm")] == ["x:write", "x:create", "x:update", "x:delete"]
    assert [b.action for b in boxes_of(found, "aws")] == ["x:write"]


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("channel=*", "channel=?"),
        ("plain", "plain"),
        ("????????", None),
        ("abcdefgh**", None),
        ("ab?", None),
        ("abc?", "abc?"),
        ("", ""),
    ],
)
def test_how_a_value_becomes_a_pattern(value: str, pattern: str | None) -> None:
    assert safe_as_pattern(value) == pattern


@pytest.mark.parametrize(
    ("service", "value", "clean"),
    [
        ("git", "acme/../evil", "evil"),
        ("git", "acme/./a", "acme/a"),
        ("tools", "path=/tmp/../etc/passwd", "path=/etc/passwd"),
        ("tools", "url=https://h/a/../b", "url=https://h/b"),
        ("aws", "arn:aws:s3:::b/a/../c", None),
        ("git", "acme/a..b", None),
    ],
)
def test_dot_segments(service: str, value: str, clean: str | None) -> None:
    assert normalise_path(service, value) == ((value, False) if clean is None else (clean, True))


def test_branches_lose_one_prefix_only() -> None:
    assert normalise_branch("refs/heads/refs/heads/x") == "refs/heads/x"
    assert normalise_branch("refs/tags/v1") == "refs/tags/v1"
