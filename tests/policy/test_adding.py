"""Rules that say their own notes and end, and rules for agents that have none: every other byte stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tightener.errors import PolicyError
from tightener.model import Addition, Body, Effect
from tightener.policy import document

ENDS = datetime(2027, 2, 24, tzinfo=UTC)
ASK = Addition(
    Effect.REQUIRE_APPROVAL,
    "git",
    Body(("push",), ("a b", "*x"), ("",)),
    expires=ENDS,
    notes={"reason": 'why: "so" #1', "owner": "dana"},
)
ALLOW = Addition(Effect.ALLOW, "stripe", Body(("invoices:read",)), expires=datetime(2027, 2, 24, 7, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "agents:\n  a:\n",
        "agents:\n  a:",
        "agents:\n  a: {}\n",
        "agents:\n  a: {}  # nothing left\n  b:\n    deny:\n      - {service: git, actions: [push]}\n",
        "agents:\n  a: # nothing\n  b: {}\n",
        "agents:\n  a: ~\n",
        "agents:\n    a:\n        description: x\n        owner: y  # who\n# end\n",
        "agents:\n  a: {description: x}\n",
        "agents: {a: {}, b: {}}\n",
        "agents: {a: , b: {}}\n",
        "agents: {a: {owner: x}}\n",
        "\ufeffagents:\r\n  a: {}\r\nproject: x\r\n",
        "agents:\n  a:\n    deny:\n      - {service: git, actions: [push]}\n",
        "agents:\n  a:\n    require_approval:\n    - service: git\n      actions:\n      - push\n      ttl: 1h\n",
        "agents:\n  a:\n    allow: [{service: git, actions: [pull]}]\n",
    ],
)
@pytest.mark.parametrize("additions", [(ASK,), (ALLOW,), (ASK, ALLOW)], ids=["ask", "allow", "both"])
def test_a_rule_comes_in_and_every_line_of_before_is_still_there(text: str, additions: tuple[Addition, ...]) -> None:
    file = document.parse(text, "p.yaml")
    made = document.parse(file.rewrite({}, {"a": additions}), "p.yaml")
    said = [(rule.effect, rule.service, rule.body, rule.expires, rule.extras) for rule in made.agents["a"].rules]
    for one in additions:
        assert (one.effect, one.service, one.body, one.expires, one.notes) in said
    assert len(said) == len(file.agents["a"].rules) + len(additions)
    assert made.text.count("\r\n") == (made.text.count("\n") if "\r\n" in text else 0)
    at = 0
    for char in text.replace("{}", "").replace("~", ""):  # in this order, with only new text in between
        at = made.text.index(char, at) + 1


@pytest.mark.parametrize(
    "text", ["agents:\n  b: &x {}\n  a: *x\n", "x-all: &x\n  a: {}\nagents: *x\n", "agents:\n  <<: {a: {}}\n  b: {}\n"]
)
def test_what_is_shared_with_an_anchor_is_left_alone(text: str) -> None:
    with pytest.raises(PolicyError) as error:
        document.parse(text, "p.yaml").rewrite({}, {"a": [ALLOW]})
    assert error.value.slug == "rule-behind-alias"
