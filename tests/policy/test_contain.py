"""The containment proof against brute force over all short requests, and against a second oracle."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from functools import cache

import interegular
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.model import Box, Effect
from tightener.policy import contain
from tightener.policy.automaton import search
from tightener.policy.contain import Kind, check, covered
from tightener.policy.patterns import matches

LETTERS = "abz"  # "z" stands for all letters that no pattern names
VALUES = ["".join(letters) for size in range(8) for letters in itertools.product(LETTERS, repeat=size)]
FEW = ["".join(letters) for size in range(4) for letters in itertools.product(LETTERS, repeat=size)]
PATTERN = st.text(alphabet="ab*?", max_size=4)


def box(action: str = "*", resource: str = "*", branch: str = "*") -> Box:
    return Box(0, Effect.ALLOW, action, resource, branch)


@cache
def expression(pattern: str) -> re.Pattern[str]:
    text = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile(text, re.DOTALL)


@cache
def language(pattern: str) -> int:
    """The strings of up to seven letters that a pattern matches, one bit each."""
    return sum(1 << bit for bit, value in enumerate(VALUES) if expression(pattern).fullmatch(value))


@cache
def small(pattern: str) -> frozenset[str]:
    """The strings of up to three letters that a pattern matches."""
    return frozenset(value for value in FEW if expression(pattern).fullmatch(value))


def pattern_of(chance: random.Random, longest: int) -> str:
    return "".join(chance.choice("ab*?") for _ in range(chance.randint(0, longest)))


def is_witness(witness: tuple[str, str, str] | None, inner: Sequence[Box], outer: Sequence[Box]) -> bool:
    def inside(one: Box) -> bool:
        pairs = zip((one.action, one.resource, one.branch), witness or (), strict=True)
        return all(expression(pattern).fullmatch(value) for pattern, value in pairs)

    return witness is not None and all(inside(one) for one in inner) and not any(inside(one) for one in outer)


def test_ten_thousand_unions_of_patterns_against_brute_force() -> None:
    chance = random.Random(20260101)
    disagreements, contained = [], 0
    for _ in range(10_000):
        inner = pattern_of(chance, 4)
        union = [pattern_of(chance, 4) for _ in range(chance.randint(1, 4))]
        rest = language(inner)
        for pattern in union:
            rest &= ~language(pattern)
        found = check([(box(resource=inner),)], [box(resource=pattern) for pattern in union])
        contained += not rest
        if (found.kind is Kind.CONTAINED) is not (not rest) or found.kind is Kind.NOT_PROVEN:
            disagreements.append((inner, union, found))
    assert not disagreements
    assert 1_000 < contained < 9_000  # both answers were put to the test


@given(st.data())
@settings(max_examples=600, deadline=None)
def test_boxes_against_brute_force(data: st.DataObject) -> None:
    short = st.text(alphabet="ab*?", max_size=2)  # short enough for three letters to hold each counterexample
    boxes = st.builds(box, short, short, short)
    inner = data.draw(boxes)
    outer = data.draw(st.lists(boxes, max_size=4))
    rest = set(itertools.product(small(inner.action), small(inner.resource), small(inner.branch)))
    for one in outer:
        rest -= set(itertools.product(small(one.action), small(one.resource), small(one.branch)))
    found = check([(inner,)], outer)
    assert found.kind is (Kind.WIDER if rest else Kind.CONTAINED)
    assert covered(inner, outer) is (not rest)
    if rest:
        assert is_witness(found.witness, [inner], outer)


def test_intersections_against_brute_force() -> None:
    chance = random.Random(7)
    empty = 0
    for _ in range(2_500):
        inner = [pattern_of(chance, 4) for _ in range(chance.randint(2, 3))]
        union = [pattern_of(chance, 4) for _ in range(chance.randint(0, 3))]
        rest = ~0
        for pattern in inner:
            rest &= language(pattern)
        empty += not rest
        for pattern in union:
            rest &= ~language(pattern)
        row = tuple(box(branch=pattern) for pattern in inner)
        outer = [box(branch=pattern) for pattern in union]
        found = check([row], outer)
        assert found.kind is (Kind.WIDER if rest else Kind.CONTAINED), (inner, union)
        if rest:
            assert is_witness(found.witness, row, outer)
    assert empty > 100


@given(st.lists(PATTERN, min_size=1, max_size=2), st.lists(PATTERN, max_size=3))
@settings(max_examples=150, deadline=None)
def test_a_second_oracle_agrees(inner: list[str], union: list[str]) -> None:
    def machine(pattern: str) -> interegular.FSM:
        text = "".join("[^#]*" if c == "*" else "[^#]" if c == "?" else re.escape(c) for c in pattern)
        return interegular.parse_pattern(text or "(?:)").to_fsm()

    rest = machine(inner[0])
    for pattern in inner[1:]:
        rest &= machine(pattern)
    for pattern in union:
        rest -= machine(pattern)
    found = check([tuple(box(pattern) for pattern in inner)], [box(pattern) for pattern in union])
    assert found.kind is (Kind.CONTAINED if rest.empty() else Kind.WIDER)


@given(st.lists(PATTERN, min_size=3, max_size=3), st.lists(st.lists(PATTERN, min_size=3, max_size=3), max_size=4))
@settings(max_examples=300, deadline=None)
def test_the_fast_ways_and_the_search_agree(inner: list[str], union: list[list[str]]) -> None:
    found = check([(box(*inner),)], [box(*row) for row in union])
    alone = search([tuple(inner)], [tuple(row) for row in union], "z", 10**7)
    assert (found.kind is Kind.CONTAINED) is alone.inside
    assert (alone.witness is None) is alone.inside


@given(st.lists(PATTERN, min_size=1, max_size=3), st.lists(PATTERN, max_size=3), PATTERN)
@settings(max_examples=200, deadline=None)
def test_laws(first: list[str], second: list[str], more: str) -> None:
    ours = [box(pattern) for pattern in first]
    theirs = [box(pattern) for pattern in second]
    assert check([(one,) for one in ours], ours).kind is Kind.CONTAINED  # reflexive
    assert all(covered(one, [box()]) for one in ours)
    if check([(one,) for one in ours], theirs).kind is Kind.CONTAINED:
        assert check([(one,) for one in ours], [*theirs, box(more)]).kind is Kind.CONTAINED  # monotone
        if all(covered(one, [box(more)]) for one in theirs):
            assert all(covered(one, [box(more)]) for one in ours)  # transitive


@pytest.mark.parametrize(
    ("inner", "union", "wanted"),
    [
        (["a*"], ["a", "a?*"], True),  # a union that cooperates
        (["*"], ["", "?*"], True),
        (["*"], ["?*"], False),  # an absent value
        (["?*"], ["*"], True),
        ([""], ["?*"], False),
        (["*"], ["", "?", "??*"], True),
        (["*"], ["", "?", "???*"], False),
        (["acme/*"], ["acme/a*", "acme/b*"], False),
        (["*"], [], False),
        (["a*", "*b"], ["a*b"], True),
        (["a*", "*b", "*"], ["a*b", "ab"], True),
        (["a", "b"], [], True),  # an empty intersection
        (["a*", "*a", "?"], ["a"], True),
        (["a*a", "???", "*b*"], ["aba"], True),
    ],
)
def test_by_hand(inner: list[str], union: list[str], wanted: bool) -> None:
    found = check([tuple(box(resource=pattern) for pattern in inner)], [box(resource=pattern) for pattern in union])
    assert found.kind is (Kind.CONTAINED if wanted else Kind.WIDER)


def test_parts_cooperate_across_boxes() -> None:
    halves = [box("push", "a*", ""), box("push", "a*", "?*")]
    assert covered(box("push", "a*", "*"), halves)
    assert not covered(box("push", "*", "*"), halves)
    assert not covered(box("*", "a*", "*"), halves)


def test_parts_never_run_into_each_other() -> None:
    assert not covered(box("a", "b", ""), [box("ab", "", "*"), box("", "ab", "*"), box("a*", "", "b")])
    assert not covered(box("*", "", ""), [box("", "*", "*"), box("?", "*", "*")])


def test_the_certificate_names_the_boxes() -> None:
    outer = [box("b"), box("a"), box("a?*"), box("c*")]
    found = check([(box("cd"),), (box("a*"),), (box("x"), box("y"))], outer)
    assert found.kind is Kind.CONTAINED
    assert found.certificate == ((3,), (1, 2), ())
    failed = check([(box("cd"),), (box("d"),)], outer)
    assert (failed.kind, failed.failed, failed.witness) == (Kind.WIDER, 1, ("d", "x", "x"))


def test_witnesses_are_readable_and_fresh() -> None:
    found = check([(box("push", "acme/*", ""),)], [box("push", "acme/x*", "*"), box("push", "acme/y", "*")])
    assert found.witness == ("push", "acme/z", "")
    every = "".join(map(chr, range(32, 127))).replace("*", "").replace("?", "")
    found = check([(box("*", "", ""),)], [box(f"*{letter}*", "*", "*") for letter in every] + [box("", "*", "*")])
    assert found.kind is Kind.WIDER
    assert found.witness is not None
    assert found.witness[0] not in ("", *every)


@pytest.mark.parametrize("size", [1, 4, 12, 24, 48])
def test_adversarial_sizes(size: int) -> None:
    tail = "?" * size
    assert covered(box(f"*a{tail}"), [box(f"*a{tail}")])
    assert covered(box("*"), [box(f"*a{tail}"), box("*")])
    assert not covered(box("*a*"), [box(f"*a{tail}"), box(f"*b{tail}")])
    shorter = [box("?" * count) for count in range(size)]
    assert covered(box("*"), [*shorter, box(f"{tail}*")])
    assert not covered(box("*"), [*shorter, box(f"{tail}?*")])


def test_an_exhausted_budget_is_not_proven() -> None:
    inner, outer = box("a*"), [box("a"), box("a?*")]
    assert check([(inner,)], outer).kind is Kind.CONTAINED
    assert check([(inner,)], outer, budget=2).kind is Kind.NOT_PROVEN
    hard = box("*a" * 14 + "*")
    puzzle = [box("*a" + "?" * size + "a*") for size in range(12)] + [box("?" * 40 + "*")]
    found = check([(hard,)], puzzle, budget=200)
    assert found.kind is not Kind.CONTAINED


def test_wider_beats_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    outer = [box("a"), box("a?*")]
    found = check([(box("a*"),), (box("b"),)], outer, budget=2)
    assert (found.kind, found.failed) == (Kind.WIDER, 1)
    # A search that claims a witness which is none is not believed.
    monkeypatch.setattr(contain, "search", lambda *_: search([("b", "", "")], [], "z", 99))
    assert check([(box("a*"),)], outer).kind is Kind.NOT_PROVEN


def test_an_intersection_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one box"):
        check([()], [box()])


@given(st.text(alphabet="ab*?", max_size=5), st.data())
@settings(max_examples=300, deadline=None)
def test_filling_in_a_star_is_never_wider(pattern: str, data: st.DataObject) -> None:
    filled = "".join(data.draw(st.text(alphabet="ab?*", max_size=2)) if char == "*" else char for char in pattern)
    assert covered(box(resource=filled), [box(resource=pattern)])
    if "*" in pattern and "*" not in filled and "?" not in filled:
        assert matches(pattern, filled)
        assert not covered(box(resource=pattern), [box(resource=filled)])
