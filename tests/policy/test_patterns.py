"""Patterns against brute force over all short strings, and against a second oracle that shares no code."""

from __future__ import annotations

import itertools
import re
import sqlite3

import interegular
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.policy.patterns import contains, intersects, matches, normalise, to_like, to_regex

VALUES = ["".join(letters) for size in range(7) for letters in itertools.product("abc", repeat=size)]
SHORT = ["".join(letters) for size in range(4) for letters in itertools.product("ab*?", repeat=size)]
PATTERN = st.text(alphabet="ab*?", max_size=7)
HOSTILE = st.text(alphabet="a/%_\\[]{}^$.+()|\n -é*?", max_size=8)


def naive(pattern: str, value: str) -> bool:
    """The definition, by recursion on the pattern."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(naive(pattern[1:], value[cut:]) for cut in range(len(value) + 1))
    return bool(value) and pattern[0] in ("?", value[0]) and naive(pattern[1:], value[1:])


def machine(pattern: str) -> interegular.FSM:
    text = "".join("[^#]*" if c == "*" else "[^#]" if c == "?" else re.escape(c) for c in pattern)
    return interegular.parse_pattern(text or "(?:)").to_fsm()


@given(PATTERN, st.text(alphabet="abc", max_size=7))
@settings(max_examples=1500, deadline=None)
def test_matches_follows_the_definition(pattern: str, value: str) -> None:
    wanted = naive(pattern, value)
    assert matches(pattern, value) is wanted
    assert matches(normalise(pattern), value) is wanted
    assert (re.fullmatch(to_regex(pattern), value) is not None) is wanted


@pytest.mark.parametrize(
    ("pattern", "value", "wanted"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("?*", "", False),  # "any, but present"
        ("?*", "main", True),
        ("acme/*", "acme/", True),
        ("acme/*", "acme/a/b", True),  # a star crosses slashes
        ("acme/*", "acme", False),
        ("*", "a\nb", True),
        ("a?c", "a\nc", True),
        ("[a]", "a", False),  # no classes
        ("{a,b}", "a", False),
        ("\\*", "\\x", True),  # no escapes
        ("a*", "*", False),  # a value is never a pattern
        ("Main", "main", False),
    ],
)
def test_the_rules_of_the_grammar(pattern: str, value: str, wanted: bool) -> None:
    assert matches(pattern, value) is wanted
    assert (re.fullmatch(to_regex(pattern), value) is not None) is wanted


@given(PATTERN)
def test_normalise_is_stable_and_orders_runs(pattern: str) -> None:
    once = normalise(pattern)
    assert normalise(once) == once
    assert "**" not in once
    assert "*?" not in once


def test_containment_and_intersection_of_all_short_pairs() -> None:
    languages = {p: sum(1 << bit for bit, value in enumerate(VALUES) if naive(p, value)) for p in SHORT}
    for outer, inner in itertools.product(SHORT, repeat=2):
        assert contains(outer, inner) is (not languages[inner] & ~languages[outer]), (outer, inner)
        assert intersects(outer, inner) is bool(languages[inner] & languages[outer]), (outer, inner)


@given(PATTERN, PATTERN)
@settings(max_examples=300, deadline=None)
def test_containment_and_intersection_agree_with_a_second_oracle(outer: str, inner: str) -> None:
    one, other = machine(outer), machine(inner)
    assert contains(outer, inner) is (other - one).empty()
    assert intersects(outer, inner) is not (one & other).empty()


@given(PATTERN, PATTERN, PATTERN)
@settings(max_examples=500, deadline=None)
def test_laws_of_containment(p: str, q: str, r: str) -> None:
    assert contains(p, p)
    assert contains("*", p)
    assert contains(p, normalise(p))
    assert contains(normalise(p), p)
    assert intersects(p, q) is intersects(q, p)
    if contains(p, q) and contains(q, r):
        assert contains(p, r)


@given(HOSTILE, st.text(alphabet="a/%_\\[]{}^$.+()|\n -é*?X", max_size=8))
@settings(max_examples=800, deadline=None)
def test_translations_of_hostile_characters(pattern: str, value: str) -> None:
    wanted = naive(pattern, value)
    assert matches(pattern, value) is wanted
    assert (re.fullmatch(to_regex(pattern), value) is not None) is wanted


@given(HOSTILE, HOSTILE)
@settings(max_examples=300, deadline=None)
def test_like_in_a_real_database(pattern: str, value: str) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("PRAGMA case_sensitive_like = true")
        found = database.execute("SELECT ? LIKE ? ESCAPE '\\'", (value, to_like(pattern))).fetchone()
    database.close()
    assert bool(found[0]) is naive(pattern, value)


def test_patterns_joined_into_one_regex() -> None:
    joined = re.compile("|".join(to_regex(pattern) for pattern in ("a*b*c", "x?", "")))
    assert [bool(joined.fullmatch(value)) for value in ("abc", "a1b2c", "xy", "", "ab", "x")] == [True] * 4 + [
        False
    ] * 2


def test_many_stars_do_not_blow_up() -> None:
    pattern, value = "a*" * 40 + "b", "a" * 400
    assert not matches(pattern, value)
    assert re.fullmatch(to_regex(pattern), value) is None
    assert contains("*" + "a?*" * 40, "*" + "a*" * 80)
    assert not contains("*a" + "?" * 60, "*a" * 60 + "*")
