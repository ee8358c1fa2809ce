"""Moves to approval on random policies: what is edited, proved and accepted, held against the naive oracle.

Only the edit and the proof are tried here, so a case is cheap; the whole program with the moves that it proposes is in
test_contract.py.
"""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import NaiveRule, naive_level, naive_match, naive_rules
from small_cases import BRANCH_PATTERNS, BRANCHES, RESOURCE_PATTERNS, RESOURCES, UNIVERSE, rules, written

from tightener.model import Addition, Body, Effect
from tightener.policy import document
from tightener.prove.proof import prove
from tightener.prove.replay import Exercised
from tightener.tighten.suggestion import Edit, Suggestion, additions, compose

NOW = datetime(2026, 11, 16, tzinfo=UTC)
CALLS = [r for r in UNIVERSE if r[0] != "crm" and r[2] in RESOURCES and r[3] in BRANCHES]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(rules(), min_size=1, max_size=4), st.booleans())
def test_a_move_is_accepted_exactly_where_it_was_said(data: st.DataObject, found: list[NaiveRule], flow: bool) -> None:
    text = written(found, "\n", flow=flow)
    file = document.parse(text, "p.yaml")
    old = file.agents["a"]
    allowed = [rule for rule in old.rules if rule.effect is Effect.ALLOW]
    if not allowed:
        return
    rule = data.draw(st.sampled_from(allowed))
    actions = tuple(data.draw(st.lists(st.sampled_from(rule.body.actions), min_size=1, unique=True)))
    where = data.draw(st.sampled_from([rule.body.resources, *((p,) for p in RESOURCE_PATTERNS)]))
    branches = data.draw(st.sampled_from([rule.body.branches, *((p,) for p in BRANCH_PATTERNS)]))
    asks = Body(actions, where, branches if rule.service == "git" else None)
    leave = frozenset(actions) if data.draw(st.booleans()) else frozenset()
    one = Suggestion("k", rule, "", "", {}, Edit(drop=leave, asks=(asks,)))
    made = file.rewrite({("a", rule.index): compose(rule.body, [one.edit])}, additions([one]))
    new, after = document.parse(made, "p.yaml").agents["a"], naive_rules(made, "a")
    assert NaiveRule("require_approval", rule.service, asks.actions, asks.resources, asks.branches) in after
    said = one.moved if data.draw(st.booleans()) else ()
    calls = data.draw(st.lists(st.sampled_from(CALLS), max_size=8, unique=True))
    requests = Exercised()
    for service, action, resource, branch in calls:
        requests.whole.setdefault((service, action), []).append((resource, branch))
    hidden = data.draw(st.lists(st.sampled_from(CALLS), max_size=2, unique=True))
    requests.partial = [(service, action, "acme/*", branch, "resource") for service, action, _, branch in hidden]
    proof = prove(old, new, requests, NOW, moved=said)

    claimed = [NaiveRule("allow", r.service, r.body.actions, r.body.resources, r.body.branches) for r in said]

    def lost(request: tuple[str, str, str, str]) -> bool:
        was, now = naive_level(found, *request), naive_level(after, *request)
        return now < was and not (was == 2 and now == 1 and naive_level(claimed, *request) == 2)

    assert {(x.service, x.action, x.resource, x.branch) for x in proof.lost if x.resource != "acme/*"} == {
        request for request in calls if lost(request)
    }
    unclear = {(s, a, b) for s, a, _, b in hidden}
    for service, action, branch in {(s, a, b) for s, a, r, b in UNIVERSE if (s, a, b) in unclear}:
        possible = [r for r in UNIVERSE if (r[0], r[1], r[3]) == (service, action, branch)]
        if any(lost(r) for r in possible if naive_match("acme/*", r[2])):
            assert any((x.service, x.action, x.branch) == (service, action, branch) for x in proof.lost)
    if any(naive_level(after, *r) > naive_level(found, *r) for r in UNIVERSE):
        assert proof.containment.kind != "contained"
    assert Addition(Effect.REQUIRE_APPROVAL, rule.service, asks, rule.index) in additions([one])["a"]
