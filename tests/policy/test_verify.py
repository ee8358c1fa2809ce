"""Never wider, against a naive evaluator asked about every small request at every moment that matters."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tightener.errors import Place
from tightener.model import AgentPolicy, Answer, Body, Effect, Rule
from tightener.policy import verify
from tightener.policy.contain import BUDGET, Kind, Result
from tightener.policy.verify import compare_policies, verify_sets

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = [NOW + timedelta(days=days) for days in (1, 2, 3)]
MOMENTS = [NOW, *(moment + timedelta(seconds=step) for moment in LATER for step in (-1, 0, 1))]
SERVICES = ["git", "stripe", "nobody-names-me"]
ACTIONS = ["push", "pull", "zap"]
RESOURCES = ["".join(letters) for size in range(5) for letters in itertools.product("az", repeat=size)]
BRANCHES = ["", "main", "z"]
REQUESTS = list(itertools.product(SERVICES, ACTIONS, RESOURCES, BRANCHES))
PLACE = Place("policy.yaml", 1, 1)
LEVELS = {"denied": 0, "not_granted": 0, "needs_approval": 1, "allowed": 2}


def glob(pattern: str, value: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(glob(pattern[1:], value[cut:]) for cut in range(len(value) + 1))
    return bool(value) and pattern[0] in ("?", value[0]) and glob(pattern[1:], value[1:])


def one_of(patterns: Sequence[str] | None, value: str) -> bool:
    return patterns is None or any(glob(pattern, value) for pattern in patterns)


def naive(policy: AgentPolicy | None, moment: datetime, request: tuple[str, str, str, str]) -> str:
    """The four answers, straight from the words of the contract."""
    service, action, resource, branch = request
    found = set()
    for rule in policy.rules if policy else ():
        if rule.service not in (service, "*") or not one_of(rule.body.actions, action):
            continue
        if not one_of(rule.body.resources, resource) or not one_of(rule.body.branches, branch):
            continue
        if rule.expires is not None and rule.expires <= moment:
            if rule.effect is Effect.REQUIRE_APPROVAL:
                found.add("denied")  # what a lapsed approval covered
            continue
        found.add({Effect.DENY: "denied", Effect.REQUIRE_APPROVAL: "needs_approval"}.get(rule.effect, "allowed"))
    return next((one for one in ("denied", "needs_approval", "allowed") if one in found), "not_granted")


def rule(
    effect: Effect,
    service: str = "git",
    actions: Sequence[str] = ("push",),
    resources: Sequence[str] | None = None,
    branches: Sequence[str] | None = None,
    expires: datetime | None = None,
) -> Rule:
    body = Body(tuple(actions), *(None if part is None else tuple(part) for part in (resources, branches)))
    return Rule("bot", 0, effect, service, body, PLACE, expires=expires)


def policy(*rules: Rule) -> AgentPolicy:
    return AgentPolicy("bot", PLACE, tuple(replace(one, index=index) for index, one in enumerate(rules)))


ALLOW, ASK, DENY = Effect.ALLOW, Effect.REQUIRE_APPROVAL, Effect.DENY


def random_rule(chance: random.Random) -> Rule:
    effect = chance.choice([ALLOW, ALLOW, ASK, DENY])
    service = chance.choice(["git", "git", "stripe", "*"] if effect is DENY else ["git", "git", "stripe"])
    actions = chance.choice([("push",), ("pull",), ("push", "pull"), ("*",), ("pu*",)])
    resources = chance.choice([None, (random_glob(chance),), (random_glob(chance), random_glob(chance)), ()])
    branches = chance.choice([None, None, ("main",), ("?*",), ("",), ("*",)])
    expires = None if effect is DENY or chance.random() < 0.6 else chance.choice([NOW - timedelta(days=1), *LATER])
    return rule(effect, service, actions, resources, branches, expires)


def random_glob(chance: random.Random) -> str:
    return "".join(chance.choice("a*?") for _ in range(chance.randint(0, 2)))


def mutated(chance: random.Random, rules: list[Rule]) -> list[Rule]:
    rules = list(rules)
    at = chance.randrange(len(rules))
    one = rules[at]
    change = chance.randrange(6)
    if change == 0:
        del rules[at]
    elif change == 1 and one.effect is not ALLOW and one.service != "*":
        rules[at] = replace(one, effect=ASK if one.effect is ALLOW else ALLOW)
    elif change == 2 and one.service != "*":
        rules[at] = replace(one, effect=ASK)
    elif change == 3:
        rules[at] = replace(one, body=replace(one.body, resources=(random_glob(chance), random_glob(chance))))
    elif change == 4 and one.effect is not DENY:
        rules[at] = replace(one, expires=chance.choice([None, *LATER]))
    else:
        rules.insert(at, random_rule(chance))
    return rules


def test_random_policies_against_a_naive_evaluator() -> None:
    chance = random.Random(11)
    seen = dict.fromkeys(Kind, 0)
    for _ in range(250):
        before = [random_rule(chance) for _ in range(chance.randint(1, 5))]
        after = mutated(chance, before) if chance.random() < 0.9 else [random_rule(chance)]
        if chance.random() < 0.3 and after:
            after = mutated(chance, after)
        old, new = policy(*before), policy(*after)
        verdict = compare_policies(old, new, NOW)
        seen[verdict.kind] += 1
        if verdict.kind is Kind.CONTAINED:
            chosen = [request for request in REQUESTS if chance.random() < 0.3]
            for moment, request in itertools.product(MOMENTS[:3] + MOMENTS[5::3], chosen):
                told = (naive(old, moment, request), naive(new, moment, request))
                assert LEVELS[told[1]] <= LEVELS[told[0]], (before, after, moment, request)
        else:
            one = verdict.witness
            assert one is not None
            request = (one.service, one.action, one.resource, one.branch)
            assert (one.old.value, one.new.value) == (naive(old, one.moment, request), naive(new, one.moment, request))
            assert LEVELS[one.new.value] > LEVELS[one.old.value]
            assert one.moment >= NOW
    assert seen[Kind.NOT_PROVEN] == 0
    assert min(seen[Kind.CONTAINED], seen[Kind.WIDER]) > 50


@pytest.mark.parametrize("expiry", [None, LATER[0]])
def test_a_policy_is_never_wider_than_itself(expiry: datetime | None) -> None:
    same = policy(rule(ALLOW, resources=["a*"], expires=expiry), rule(ASK, branches=["main"]), rule(DENY, "*", ["*"]))
    shuffled = policy(*reversed(same.rules))
    assert compare_policies(same, same, NOW).kind is Kind.CONTAINED
    assert compare_policies(same, shuffled, NOW).kind is Kind.CONTAINED


def test_from_and_to_nothing() -> None:
    some = policy(rule(ALLOW))
    assert compare_policies(some, None, NOW).kind is Kind.CONTAINED
    assert compare_policies(None, None, NOW).kind is Kind.CONTAINED
    assert compare_policies(None, policy(rule(DENY)), NOW).kind is Kind.CONTAINED
    verdict = compare_policies(None, some, NOW)
    assert verdict.kind is Kind.WIDER
    assert verdict.witness is not None
    assert (verdict.witness.old, verdict.witness.new) == (Answer.NOT_GRANTED, Answer.ALLOWED)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        # An approval rule over an allow is a limit: without it the allow shows through (condition 2).
        ([rule(ALLOW), rule(ASK, branches=["main"])], [rule(ALLOW)], "allowed"),
        ([rule(ALLOW), rule(DENY, branches=["main"])], [rule(ALLOW)], "allowed"),
        # A deny replaced by an approval (condition 4), also where nothing was granted below it.
        ([rule(ALLOW), rule(DENY, resources=["a"])], [rule(ALLOW), rule(ASK, resources=["a"])], "needs_approval"),
        ([rule(DENY)], [rule(ASK)], "needs_approval"),
        # A new approval where nothing was granted (condition 3), a new allow (condition 1).
        ([rule(ALLOW)], [rule(ALLOW), rule(ASK, actions=["pull"])], "needs_approval"),
        ([rule(ASK)], [rule(ALLOW)], "allowed"),
        ([rule(ALLOW, resources=["a?"])], [rule(ALLOW, resources=["a*"])], "allowed"),
        ([rule(ALLOW, branches=["?*"])], [rule(ALLOW)], "allowed"),
        # A deny for all services is lost: it still held for the service that the allow names.
        ([rule(ALLOW, "git", ["*"]), rule(DENY, "*", ["push"])], [rule(ALLOW, "git", ["*"])], "allowed"),
        # Stricter.
        ([rule(ALLOW)], [rule(ASK)], None),
        ([rule(ALLOW)], [rule(ALLOW), rule(DENY, resources=["a*"])], None),
        ([rule(ALLOW, resources=["a*"])], [rule(ALLOW, resources=["a", "a?*"])], None),
        ([rule(ALLOW, resources=["a", "a?*"])], [rule(ALLOW, resources=["a*"])], None),
        ([rule(ASK), rule(ALLOW)], [rule(ASK)], None),
        # The deny that goes covered nothing that is granted.
        ([rule(ALLOW), rule(DENY, actions=["pull"])], [rule(ALLOW)], None),
        # An allow that a deny takes back again.
        ([rule(DENY, resources=["a*"])], [rule(ALLOW, resources=["ab"]), rule(DENY, resources=["a*"])], None),
    ],
)
def test_by_hand(before: list[Rule], after: list[Rule], wanted: str | None) -> None:
    old, new = policy(*before), policy(*after)
    verdict = compare_policies(old, new, NOW)
    assert verdict.kind is (Kind.CONTAINED if wanted is None else Kind.WIDER)
    if wanted is not None:
        assert verdict.witness is not None
        assert verdict.witness.new.value == wanted
        assert verdict.reason


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Two spellings of the same requests: never wider in either direction.
        (rule(ALLOW, "aws", ["s3:GetObject"], ["A"]), rule(ALLOW, "aws", ["S3:getobject"], ["A"])),
        (
            rule(ALLOW, "stripe", ["invoices:write"]),
            rule(ALLOW, "stripe", ["invoices:write", "invoices:create", "invoices:update", "invoices:delete"]),
        ),
        (rule(ALLOW, branches=["refs/heads/main"]), rule(ALLOW, branches=["main"])),
        (
            rule(ALLOW, "aws", ["s3:ListBucket"], ["arn:aws:s3:::data"]),
            rule(ALLOW, "aws", ["s3:ListBucket"], ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]),
        ),
    ],
)
def test_spellings_of_the_same_requests(before: Rule, after: Rule) -> None:
    assert compare_policies(policy(before), policy(after), NOW).kind is Kind.CONTAINED
    assert compare_policies(policy(after), policy(before), NOW).kind is Kind.CONTAINED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (rule(ALLOW, "stripe", ["invoices:create"]), rule(ALLOW, "stripe", ["invoices:write"])),
        (rule(ALLOW, "git", ["push"]), rule(ALLOW, "git", ["Push"])),  # only aws folds case
        (rule(ALLOW, "aws", ["s3:GetObject"], ["a"]), rule(ALLOW, "aws", ["s3:GetObject"], ["A"])),
        (rule(ALLOW, "aws", ["s3:GetObject"], ["a"]), rule(ALLOW, "aws", ["s3:Get*"], ["a"])),
    ],
)
def test_spellings_of_other_requests(before: Rule, after: Rule) -> None:
    verdict = compare_policies(policy(before), policy(after), NOW)
    assert verdict.kind is Kind.WIDER
    assert verdict.witness is not None


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (rule(ALLOW, expires=LATER[0]), rule(ALLOW), LATER[0]),  # loses its end
        (rule(ALLOW, expires=LATER[0]), rule(ALLOW, expires=LATER[1]), LATER[0]),  # ends later
        (rule(ALLOW, expires=LATER[1]), rule(ALLOW, expires=LATER[0]), None),
        (rule(ALLOW, expires=NOW), rule(ALLOW, expires=NOW), None),
        (rule(ALLOW, expires=NOW), rule(ALLOW), NOW),  # the end is the first moment without it
    ],
)
def test_ends_of_rules(before: Rule, after: Rule, wanted: datetime | None) -> None:
    verdict = compare_policies(policy(before), policy(after), NOW)
    assert (verdict.witness.moment if verdict.witness else None) == wanted


def test_a_lapsed_approval_denies_what_it_covered() -> None:
    allow, ask = rule(ALLOW), rule(ASK, branches=["main"], expires=LATER[0])
    assert compare_policies(policy(allow, ask), policy(allow, ask), NOW).kind is Kind.CONTAINED
    gone = compare_policies(policy(allow, ask), policy(allow), NOW)
    assert gone.kind is Kind.WIDER
    forever = compare_policies(policy(allow, ask), policy(allow, replace(ask, expires=None)), NOW)
    assert forever.witness is not None
    assert (forever.witness.old, forever.witness.new) == (Answer.DENIED, Answer.NEEDS_APPROVAL)
    assert forever.witness.moment == LATER[0]


def test_a_witness_that_the_authoriser_denies_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    same = policy(rule(ALLOW, resources=["a"]))
    other = policy(rule(ALLOW, resources=["a", "a"]))
    lie = Result(Kind.WIDER, ("push", "b", ""), failed=0)
    monkeypatch.setattr(verify, "_never_wider", lambda *_: (lie, 1))
    verdict = compare_policies(same, other, NOW)
    assert verdict.kind is Kind.NOT_PROVEN
    assert "git push b" in verdict.reason
    assert verdict.witness is None


def test_what_cannot_be_proved_is_not_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    check = verify.Union.check
    monkeypatch.setattr(verify.Union, "check", lambda self, inner, budget=BUDGET: check(self, inner, min(budget, 2)))
    old, new = policy(rule(ALLOW, resources=["a", "a?*"])), policy(rule(ALLOW, resources=["a*"]))
    verdict = compare_policies(old, new, NOW)
    assert verdict.kind is Kind.NOT_PROVEN
    assert verdict.reason


def test_policy_sets() -> None:
    narrow, wide = policy(rule(ALLOW, resources=["a"])), policy(rule(ALLOW))
    old, new = {"one": wide, "two": narrow}, {"one": narrow, "two": wide, "three": narrow}
    found = verify_sets(old, new, NOW)
    assert found.kind is Kind.WIDER
    assert [(one.agent, one.verdict.kind) for one in found.agents] == [
        ("one", Kind.CONTAINED),
        ("three", Kind.WIDER),
        ("two", Kind.WIDER),
    ]
    assert verify_sets(old, new, NOW, agent="one").kind is Kind.CONTAINED
    assert verify_sets(old, {}, NOW).kind is Kind.CONTAINED
    assert verify_sets({}, {}, NOW).kind is Kind.CONTAINED


def test_a_large_policy_with_one_rule_changed() -> None:
    rules = [rule(ALLOW, resources=[f"acme/{number}/*"]) for number in range(1_500)]
    rules += [rule(ASK, actions=["pull"], resources=[f"acme/{number}*"]) for number in range(500)]
    changed = list(rules)
    changed[700] = rule(ALLOW, resources=["acme/700/a*"])
    assert compare_policies(policy(*rules), policy(*changed), NOW).kind is Kind.CONTAINED
    back = compare_policies(policy(*changed), policy(*rules), NOW)
    assert back.witness is not None
    assert back.witness.resource.startswith("acme/700/")
