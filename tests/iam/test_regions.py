"""What a role could do, and surely can, against the naive evaluator in every state of a small world."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.errors import Place
from tightener.iam.account import Identity
from tightener.iam.document import Reading, Statement, read
from tightener.iam.regions import Region, Role
from tightener.policy.patterns import matches

Naive = Callable[..., bool]
ACTIONS = ("sqs:SendMessage", "sqs:ReceiveMessage", "kms:Decrypt")
PATTERNS = ("*", "sqs:*", "sqs:send*", "SQS:SendMessage", "kms:Decrypt", "kms:?ecrypt", "*:*")
HEAD = "arn:aws:sqs:::"
UNIVERSE = [HEAD + "".join(letters) for n in range(4) for letters in product("ab", repeat=n)] + [
    HEAD + t for t in ("*", "a*", "a?", "?")
]
TAILS = ("*", "a", "a*", "*b", "?", "?b", "ab", "a?b*", "", "b?")
VARIABLES = ("${v}", "a${v}", "${v}b", "${v}*", "${*}", "a${?}")
VALUES = ("", "a", "b", "ab", "*")


def statements(documents: list[dict[str, Any]], how: str = "inline policy") -> tuple[Statement, ...]:
    return read({"Version": "2012-10-17", "Statement": documents}, Reading(how, "p", lambda _: Place("x")))


def has(region: Region, resource: str) -> bool:
    """Whether a resource is in a region, from its definition."""
    if any(matches(p, resource) for p in region.denied):
        return False
    return any(
        all(matches(p, resource) for p in piece.within) and not any(matches(p, resource) for p in piece.without)
        for piece in region.pieces
    )


def statement(*, variables: bool, conditions: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    tails = st.sampled_from(TAILS + VARIABLES if variables else TAILS).map(lambda t: HEAD + t)
    resources = st.lists(st.one_of(tails, st.just("*")), min_size=1, max_size=2)
    actions = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2)

    def build(
        effect: str, negated: tuple[bool, bool], act: list[str], res: list[str], single: bool, conditional: bool
    ) -> dict[str, Any]:
        found: dict[str, Any] = {"Effect": effect}
        found["NotAction" if negated[0] else "Action"] = act[0] if single else act
        found["NotResource" if negated[1] else "Resource"] = res[0] if single else res
        if conditional and conditions:
            found["Condition"] = {"StringEquals": {"aws:x": "y"}}
        return found

    return st.builds(
        build,
        st.sampled_from(["Allow", "Allow", "Deny"]),
        st.tuples(st.sampled_from([False, False, True]), st.sampled_from([False, False, True])),
        actions,
        resources,
        st.booleans(),
        st.booleans(),
    )


def world(*, variables: bool) -> st.SearchStrategy[tuple[list[dict[str, Any]], list[dict[str, Any]] | None]]:
    some = st.lists(statement(variables=variables), min_size=1, max_size=3)
    return st.tuples(some, st.none() | some).map(numbered)


def numbered(
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]] | None],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
    """Every statement with a Sid of its own, by which states say whether its conditions hold."""
    own, boundary = parts
    own = [{**s, "Sid": f"own{i}"} for i, s in enumerate(own)]
    boundary = None if boundary is None else [{**s, "Sid": f"limit{i}"} for i, s in enumerate(boundary)]
    return own, boundary


def role_of(own: list[dict[str, Any]], boundary: list[dict[str, Any]] | None) -> Role:
    limit = None if boundary is None else statements(boundary, "permissions boundary")
    return Role(Identity("role", "r", "arn:aws:iam::1:role/r", statements(own), limit))


def states(own: list[dict[str, Any]], boundary: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Every state: each statement's conditions hold or not, the variable has each of its values."""
    named = [s["Sid"] for s in (*own, *(boundary or [])) if s.get("Condition")]
    return [
        {"conditions": dict(zip(named, choice, strict=True)), "variables": {"v": value}}
        for choice in product([False, True], repeat=len(named))
        for value in VALUES
    ]


@settings(max_examples=120, deadline=None)
@given(world(variables=False))
def test_without_variables_both_readings_are_exact(naive: Naive, parts: Any) -> None:
    own, boundary = parts
    role, worlds = role_of(own, boundary), states(own, boundary)[:: len(VALUES)]
    for action in ACTIONS:
        could, sure = role.region(action), role.region(action, sure=True)
        for resource in UNIVERSE:
            answers = [naive(own, boundary, action, resource, state) for state in worlds]
            assert has(could, resource) is any(answers), (action, resource)
            assert has(sure, resource) is all(answers), (action, resource)


@settings(max_examples=80, deadline=None)
@given(world(variables=True))
def test_with_variables_the_truth_lies_between_the_readings(naive: Naive, parts: Any) -> None:
    own, boundary = parts
    role, worlds = role_of(own, boundary), states(own, boundary)
    for action in ACTIONS[:2]:
        could, sure = role.region(action), role.region(action, sure=True)
        for resource in UNIVERSE:
            answers = [naive(own, boundary, action, resource, state) for state in worlds]
            assert has(could, resource) or not any(answers), (action, resource)
            assert not has(sure, resource) or all(answers), (action, resource)


@settings(max_examples=60, deadline=None)
@given(world(variables=False))
def test_reached_names_every_piece_that_is_not_empty(parts: Any) -> None:
    role = role_of(*parts)
    for action in ACTIONS:
        region = role.region(action)
        if any(has(region, resource) for resource in UNIVERSE):
            assert role.reached(action)


def test_reached_leaves_out_what_a_deny_takes_away() -> None:
    own = [
        {"Effect": "Allow", "Action": "sqs:*", "Resource": HEAD + "a*"},
        {"Effect": "Deny", "Action": "sqs:Send*", "Resource": "*"},
    ]
    role = role_of(own, None)
    assert role.reached("sqs:SendMessage") == ()
    assert [piece.by.source.number for piece in role.reached("sqs:ReceiveMessage")] == [1]


BUCKETS = ("a", "ab", "b")
PREFIXES = ("", "/", "/x", "/x/ab", "/b")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["Allow", "Deny"]), st.sampled_from(["a", "a*", "*", "a/*", "b", "*/*", "ab"])),
        min_size=1,
    )
)
def test_s3_list_calls_look_at_the_bucket_alone(naive: Naive, pairs: list[tuple[str, str]]) -> None:
    own = [
        {"Sid": str(i), "Effect": effect, "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{name}"}
        for i, (effect, name) in enumerate(pairs)
    ]
    region = role_of(own, None).region("s3:listbucket")
    for bucket, prefix in product(BUCKETS, PREFIXES):
        state: dict[str, Any] = {"conditions": {}, "variables": {}}
        truth = naive(own, None, "s3:ListBucket", f"arn:aws:s3:::{bucket}", state)
        assert has(region, f"arn:aws:s3:::{bucket}{prefix}") is truth, (bucket, prefix)


@pytest.mark.parametrize("resource", ["arn:aws:s3:::p*d", "arn:aws:s3:::?d", "arn:aws:*:::pd"])
def test_a_wildcard_inside_a_bucket_counts_for_allows_and_never_for_denies(resource: str) -> None:
    """As a pattern over requests it would also match prefixes of other buckets."""
    allow = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": resource}
    deny = {"Effect": "Deny", "Action": "s3:ListBucket", "Resource": resource}
    everything = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    name = "arn:aws:s3:::" + ("xd" if "?" in resource else "pd")
    assert has(role_of([allow], None).region("s3:ListBucket"), f"{name}/some/prefix")
    assert has(role_of([everything, deny], None).region("s3:ListBucket"), "arn:aws:s3:::px/zd")
    assert not has(role_of([everything, deny], None).region("s3:ListBucket", sure=True), f"{name}/some")


def test_a_deny_of_all_but_a_variable_leaves_what_the_variable_may_be() -> None:
    own = [
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "sqs:*", "NotResource": HEAD + "a${v}"},
    ]
    role = role_of(own, None)
    assert has(role.region("sqs:SendMessage"), HEAD + "ab")
    assert not has(role.region("sqs:SendMessage"), HEAD + "b")
    assert role.region("sqs:SendMessage", sure=True).pieces == ()


def test_escaped_wildcards_are_characters() -> None:
    own = [{"Effect": "Allow", "Action": "sqs:*", "Resource": [HEAD + "${*}", HEAD + "x${?}", HEAD + "${$}y"]}]
    role = role_of(own, None)
    could, sure = role.region("sqs:SendMessage"), role.region("sqs:SendMessage", sure=True)
    assert all(has(could, HEAD + name) for name in ("*", "x?", "$y"))
    assert not any(has(could, HEAD + name) for name in ("", "ab", "xab", "zy"))
    assert has(sure, HEAD + "$y")


def test_actions_are_the_catalogues_and_those_it_lacks() -> None:
    own = [
        {"Effect": "Allow", "Action": ["sqs:Send*", "SQS:sendmessage", "sqs:NoSuchThing", "nosuch:*"], "Resource": "*"},
        {"Effect": "Deny", "Action": "kms:*", "Resource": "*"},
    ]
    assert role_of(own, None).actions() == ("sqs:SendMessage", "sqs:NoSuchThing", "nosuch:*")
