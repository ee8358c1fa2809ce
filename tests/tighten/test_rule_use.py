"""When a rule may be narrowed at all: each of the reasons not to, by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from uses import FIRST, LAST

from tightener.errors import Place
from tightener.model import Body, Effect, Rule
from tightener.tighten.grants import Evidence, Grant, Status
from tightener.tighten.rule_use import RuleUse
from tightener.tighten.segments import Seen

RULE = Rule("a", 0, Effect.ALLOW, "git", Body(("push",), ("acme/*",)), Place("p.yaml", 1, 1))
GRANT = Grant(RULE, "push", "push", Status.EXERCISED, "", Evidence(uses=9), observed_days=81, granted_since=None)


def narrowed(grant: Grant = GRANT, hidden: frozenset[tuple[str, str]] = frozenset()) -> tuple[str, ...] | None:
    use = RuleUse(
        rule=RULE,
        grants=(grant,),
        seen={("push", "resource"): (Seen("acme/web", FIRST, LAST, 1),)},
        frozen=hidden,
        window_days=90,
        days_needed=81,
    )
    (target,) = use.targets()
    return target.resources


def test_what_was_used_and_seen_is_narrowed() -> None:
    assert narrowed() == ("acme/web",)


@pytest.mark.parametrize(
    "grant",
    [
        replace(GRANT, observed_days=80),  # what would go might have been used unseen
        replace(GRANT, lacking="1 of 2 month-ends"),
        replace(GRANT, status=Status.TOO_NEW),
        replace(GRANT, evidence=Evidence(uses=9, unmapped=1)),
        replace(GRANT, evidence=Evidence(partial_uses=9)),
    ],
    ids=["too few days observed", "gates", "too new", "unmapped", "only partial"],
)
def test_what_stands_against_it(grant: Grant) -> None:
    assert narrowed(grant) is None


def test_a_use_that_hides_its_resource_stands_against_it() -> None:
    assert narrowed(hidden=frozenset({("push", "resource")})) is None
