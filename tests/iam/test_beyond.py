"""What a role can do beyond the gateway: against brute force, and the defects of others, each a test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.errors import Place
from tightener.iam.account import Identity
from tightener.iam.beyond import ACTION, RESOURCES, Compared, beyond
from tightener.iam.document import Reading, read
from tightener.model import AgentPolicy, Level
from tightener.policy.decide import Authoriser
from tightener.policy.document import parse
from tightener.services.catalogue import all_actions

Naive = Callable[..., bool]
NOW = datetime(2026, 11, 20, tzinfo=UTC)
HEAD = "arn:aws:sqs:::"
UNIVERSE = [HEAD + "".join(letters) for n in range(4) for letters in product("ab", repeat=n)]
ACTIONS = ("sqs:SendMessage", "sqs:ReceiveMessage")


def identity(own: list[dict[str, Any]], boundary: list[dict[str, Any]] | None = None) -> Identity:
    def some(documents: list[dict[str, Any]], how: str) -> Any:
        return read({"Statement": documents}, Reading(how, "p", lambda _: Place("account.json")))

    limit = None if boundary is None else some(boundary, "permissions boundary")
    return Identity("role", "r", "arn:aws:iam::1:role/r", some(own, "inline policy"), limit)


def gateway(*rules: tuple[str, str, str]) -> AgentPolicy:
    """A policy from (block, action, resource); '' = any resource."""
    text = "agents:\n  a:\n"
    for block, action, resource in rules:
        where = f', resources: ["{resource}"]' if resource else ""
        text += f'    {block}:\n      - {{service: aws, actions: ["{action}"]{where}}}\n'
    return parse(text if rules else "agents:\n  a: {}\n", "policy.yaml").agents["a"]


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def run(own: list[dict[str, Any]], *rules: tuple[str, str, str], boundary: Any = None) -> Compared:
    return beyond("a", gateway(*rules), identity(own, boundary), NOW)


def said(found: Compared) -> dict[str, tuple[str, bool]]:
    return {e.action: (e.kind, e.conditional) for e in found.excess}


TAILS = st.sampled_from(["*", "a", "a*", "*b", "?", "ab", "?b", "b*"]).map(lambda t: HEAD + t)
NAMES = st.sampled_from(["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:*Message"])
STATEMENTS = st.builds(
    lambda effect, action, key, resources: {"Effect": effect, "Action": action, key: resources},
    st.sampled_from(["Allow", "Allow", "Deny"]),
    NAMES,
    st.sampled_from(["Resource", "Resource", "NotResource"]),
    st.lists(TAILS, min_size=1, max_size=2),
)
RULES = st.tuples(st.sampled_from(["allow", "require_approval", "deny"]), NAMES, TAILS | st.just(""))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(STATEMENTS, min_size=1, max_size=3),
    st.none() | st.lists(STATEMENTS, min_size=1, max_size=2),
    st.lists(RULES, max_size=3),
)
def test_beyond_is_what_the_role_may_and_the_gateway_refuses(
    naive: Naive, own: list[dict[str, Any]], boundary: Any, rules: list[tuple[str, str, str]]
) -> None:
    policy = gateway(*rules)
    authoriser = Authoriser(policy, NOW)
    found = {e.action: e for e in beyond("a", policy, identity(own, boundary), NOW).excess}
    state: dict[str, Any] = {"conditions": {}, "variables": {}}

    def differs(action: str, resource: str) -> bool:
        refused = authoriser.decide("aws", action, resource).answer.level is Level.REFUSED
        return refused and naive(own, boundary, action, resource, state)

    for action in ACTIONS:
        if action in found:
            one = found[action]
            assert differs(action, one.example), (action, one.example)
            assert not one.conditional
            granted = any(authoriser.decide("aws", action, r).answer.level > Level.REFUSED for r in UNIVERSE)
            assert granted <= (one.kind == RESOURCES)
        else:
            assert not any(differs(action, resource) for resource in UNIVERSE)


def test_actions_beyond_and_resources_wider() -> None:
    found = run(
        [allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::data/*")],
        ("allow", "s3:GetObject", "arn:aws:s3:::data/raw/*"),
    )
    assert said(found) == {"s3:GetObject": (RESOURCES, False), "s3:PutObject": (ACTION, False)}
    assert found.reached == 2


def test_an_approval_counts_as_granted_and_a_deny_takes_it_back() -> None:
    own = [allow("sqs:SendMessage")]
    assert said(run(own, ("require_approval", "sqs:SendMessage", ""))) == {}
    denied = run(own, ("allow", "sqs:*", ""), ("deny", "sqs:Send*", ""))
    assert said(denied) == {"sqs:SendMessage": (ACTION, False)}
    partly = run(own, ("allow", "sqs:*", ""), ("deny", "sqs:Send*", "arn:aws:sqs:::x*"))
    assert said(partly) == {"sqs:SendMessage": (RESOURCES, False)}


def test_an_expired_rule_grants_nothing() -> None:
    text = "agents:\n  a:\n    allow:\n      - {service: aws, actions: ['sqs:SendMessage'], expires: 2026-01-31}\n"
    policy = parse(text, "policy.yaml").agents["a"]
    found = beyond("a", policy, identity([allow("sqs:SendMessage")]), NOW)
    assert said(found) == {"sqs:SendMessage": (ACTION, False)}


def test_a_rule_with_branches_grants_no_aws_call() -> None:
    text = "agents:\n  a:\n    allow:\n      - {service: aws, actions: ['sqs:SendMessage'], branches: [main]}\n"
    policy = parse(text, "policy.yaml").agents["a"]
    assert said(beyond("a", policy, identity([allow("sqs:SendMessage")]), NOW)) == {"sqs:SendMessage": (ACTION, False)}


def test_without_a_gateway_policy_everything_is_beyond() -> None:
    assert said(beyond("a", None, identity([allow("sqs:SendMessage")]), NOW)) == {"sqs:SendMessage": (ACTION, False)}


# What other tools get wrong with IAM policies, one test each.


def test_a_deny_is_not_counted_as_an_allow() -> None:
    assert said(run([deny("sqs:*")])) == {}


def test_a_deny_is_subtracted() -> None:
    assert said(run([allow(["sqs:SendMessage", "sqs:ReceiveMessage"]), deny("sqs:Send*")])) == {
        "sqs:ReceiveMessage": (ACTION, False)
    }


def test_a_deny_of_a_part_leaves_the_rest() -> None:
    found = run([allow("sqs:SendMessage"), deny("sqs:*", HEAD + "a*")], ("allow", "sqs:*", HEAD + "b*"))
    assert said(found) == {"sqs:SendMessage": (RESOURCES, False)}
    assert not found.excess[0].example.startswith((HEAD + "a", HEAD + "b"))


def test_conditions_are_named_and_make_a_grant_conditional() -> None:
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    found = run([allow("sqs:SendMessage", Condition=condition), allow("sqs:ReceiveMessage")])
    assert said(found) == {"sqs:SendMessage": (ACTION, True), "sqs:ReceiveMessage": (ACTION, False)}
    assert found.excess[1].by[0].conditions == ("IpAddress aws:SourceIp = 10.0.0.0/8",)


def test_a_conditional_deny_is_not_subtracted_and_is_named() -> None:
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    found = run([allow("sqs:SendMessage"), deny("sqs:*", Condition=condition)])
    assert said(found) == {"sqs:SendMessage": (ACTION, True)}
    assert any("aws:MultiFactorAuthPresent" in text for text in found.undecided)


def test_not_action_grants_the_rest_of_the_catalogue() -> None:
    found = run([{"Effect": "Allow", "NotAction": ["iam:*", "s3:Get*"], "Resource": "*"}])
    expected = [a for a in all_actions() if not a.lower().startswith(("iam:", "s3:get"))]
    assert [e.action for e in found.excess] == expected
    assert any("NotAction grants every action but iam:*, s3:Get*" in text for text in found.undecided)


def test_a_deny_with_not_action_leaves_only_what_it_names() -> None:
    found = run([allow("sqs:*"), {"Effect": "Deny", "NotAction": "sqs:SendMessage", "Resource": "*"}])
    assert said(found) == {"sqs:SendMessage": (ACTION, False)}


def test_a_deny_with_not_resource_leaves_only_what_it_names() -> None:
    found = run(
        [allow("sqs:SendMessage"), {"Effect": "Deny", "Action": "*", "NotResource": [HEAD + "a*", HEAD + "b"]}],
        ("allow", "sqs:*", HEAD + "a*"),
    )
    assert found.excess[0].example == HEAD + "b"


def test_a_policy_that_is_only_a_boundary_grants_nothing() -> None:
    assert said(run([], boundary=[allow("*")])) == {}


def test_a_boundary_cuts_what_policies_grant() -> None:
    found = run([allow("sqs:*")], boundary=[allow("sqs:Send*", HEAD + "a*"), deny("sqs:SendMessage", HEAD + "ab")])
    assert said(found) == {"sqs:SendMessage": (ACTION, False)}


def test_variables_may_be_anything_and_are_never_plain_text() -> None:
    own = [allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}/*")]
    wide = run(own, ("allow", "s3:GetObject", "arn:aws:s3:::home/${aws:username}/*"))
    assert said(wide) == {"s3:GetObject": (RESOURCES, True)}
    assert said(run(own, ("allow", "s3:GetObject", "arn:aws:s3:::home/*"))) == {}
    assert any("${aws:username} may be any text" in text for text in wide.undecided)


def test_actions_without_regard_to_case() -> None:
    assert said(run([allow("SQS:sendMESSAGE")], ("allow", "sqs:SendMessage", ""))) == {}


def test_wildcards_are_compared_as_sets_not_as_texts() -> None:
    assert said(run([allow("sqs:SendMessage")], ("allow", "sqs:*", ""))) == {}
    assert set(said(run([allow("sqs:*")], ("allow", "sqs:SendMessage", "")))) == {
        a for a in all_actions() if a.startswith("sqs:") and a != "sqs:SendMessage"
    }


def test_actions_that_no_catalogue_has_are_kept_and_named() -> None:
    found = run([allow(["sqs:InventedYesterday", "newservice:*"])])
    assert list(said(found)) == ["sqs:InventedYesterday", "newservice:*"]
    assert any("in no catalogue" in text and "newservice:*" in text for text in found.undecided)


def test_a_list_call_on_objects_is_without_effect_and_named() -> None:
    found = run([allow(["s3:ListBucket", "s3:GetObject"], "arn:aws:s3:::data/*")])
    assert said(found) == {"s3:GetObject": (ACTION, False)}
    assert any("s3:ListBucket on arn:aws:s3:::data/* is without effect" in text for text in found.undecided)


@pytest.mark.parametrize(("resource", "expected"), [("arn:aws:s3:::data", {}), ("arn:aws:s3:::data/raw/*", RESOURCES)])
def test_a_bucket_is_granted_with_every_prefix_of_it(resource: str, expected: Any) -> None:
    found = run([allow("s3:ListBucket", "arn:aws:s3:::data")], ("allow", "s3:ListBucket", resource))
    assert said(found) == ({"s3:ListBucket": (expected, False)} if expected else {})


def test_what_the_file_cannot_say_is_always_said() -> None:
    assert "service control policies" in run([]).undecided[-1]
