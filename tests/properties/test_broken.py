"""What a merge broke, and what is put back, against the naive oracle: policies, merges and refused calls at random."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from oracle import NaiveRule, naive_level, naive_rules

from tightener.broken import Merge, broken
from tightener.logs.refused import Refused
from tightener.model import Request
from tightener.policy import document
from tightener.pulls import Terms
from tightener.watch import _part

TODAY = date(2026, 11, 25)
AT = datetime(2026, 11, 25, tzinfo=UTC)
TERMS = Terms(90, 30, None, TODAY, "dana", 1)
ACTIONS = ["push", "pull", "x:write", "x:create"]
RESOURCES = ["", "a", "ab", "b", "ba", "bab"]
BRANCHES = ["", "m", "n"]
REQUESTS = list(itertools.product(ACTIONS, RESOURCES, BRANCHES))


@st.composite
def rules(draw: st.DrawFn) -> list[tuple[str, str]]:
    """(block, rule) pairs."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        block = draw(st.sampled_from(["allow", "allow", "require_approval", "deny"]))
        actions = draw(st.lists(st.sampled_from(["push", "p*", "pull", "x:write", "*"]), min_size=1, max_size=2))
        text = f"service: git, actions: {quoted(actions)}"
        if draw(st.booleans()):
            text += f", resources: {quoted(draw(st.lists(st.sampled_from(['a*', 'b', '*b', 'a?', '']), min_size=1)))}"
        if draw(st.booleans()):
            text += f", branches: {quoted(draw(st.lists(st.sampled_from(['m', '*', '?', '']), min_size=1)))}"
        found.append((block, f"{{{text}}}"))
    return found


def quoted(items: list[str]) -> str:
    return "[" + ", ".join(f'"{one}"' for one in items) + "]"


def text(pairs: list[tuple[str, str]]) -> str:
    body = "".join(f"    {block}:\n      - {rule}\n" for block, rule in pairs)
    return f"agents:\n  a:\n{body}  b:\n    allow:\n      - {{service: git, actions: [push]}}\n"


def level(rules_: list[NaiveRule], request: tuple[str, str, str]) -> int:
    return naive_level(rules_, "git", *request)


@given(
    rules(),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
    rules(),
    st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=4, unique=True),
)
def test_what_is_put_back_is_what_was_missed_and_never_more_than_there_was(
    pairs: list[tuple[str, str]],
    merged: list[bool],
    stays: list[bool],
    own: list[tuple[str, str]],
    asked: list[tuple[str, str, str]],
) -> None:
    kept = [pair for pair, gone in zip(pairs, merged, strict=False) if not gone]
    still = [pair for pair, keep in zip(kept, stays, strict=False) if keep] + own[:1]
    before, after, now = (text(one) for one in (pairs, kept or [("deny", "{service: q, actions: [z]}")], still))
    agents = [document.parse(one, "p.yaml").agents["a"] for one in (before, after, now)]
    naive = [naive_rules(one, "a") for one in (before, after, now)]
    calls = [
        Refused(Request("a", "git", *one), "", 1, AT + timedelta(hours=n), AT + timedelta(hours=n), f"e{n}")
        for n, one in enumerate(asked)
    ]
    found, unclear = broken([Merge("#1", AT, agents[0], agents[1])], agents[2], calls, AT)
    assert unclear == 0
    wanted = {one for one in asked if level(naive[0], one) and not level(naive[1], one)}
    missed = {one for one in wanted if not level(naive[2], one)}
    told = {call.event for one in found for call in one.calls}
    said = {(c.request.action, c.request.resource, c.request.branch) for one in found for c in one.missing}
    assert said <= missed
    denied = [rule for rule in naive[2] if rule.effect == "deny"]
    assert all(not _refused_by(denied, one) for one in said)
    assert missed - said == {one for one in missed if _refused_by(denied, one)}
    assert len(told) == sum(len(one.calls) for one in found)  # none counts twice
    file = document.parse(now, "p.yaml")
    for one in found:
        if not one.missing or (made := _part(file, "a", one, TERMS)) is None:
            continue
        new = naive_rules(made[1], "a")
        for request in REQUESTS:
            assert level(naive[2], request) <= level(new, request)
            assert level(new, request) <= max(level(naive[0], request), level(naive[2], request))
            if request[0] != one.action and not one.action.endswith(":write"):
                assert level(new, request) == level(naive[2], request)
        for call in one.missing:
            request = (call.request.action, call.request.resource, call.request.branch)
            assert level(new, request) == level(naive[0], request)


def _refused_by(denies: list[NaiveRule], request: tuple[str, str, str]) -> bool:
    """Whether one of the denies matches: an allow for everything beside them would not be enough."""
    everything = NaiveRule("allow", "git", ("*",), None, None)
    return naive_level([everything, *denies], "git", *request) == 0
