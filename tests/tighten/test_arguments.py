"""Which arguments are held: from the values and their days alone, in any order, and never losing one that was used."""

from __future__ import annotations

import random
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.policy.patterns import matches
from tightener.tighten.arguments import MOST_VALUES, Kind, Value, choose, kin, new_share


def often(*values: str) -> list[Value]:
    return [Value(value, 0, 10) for value in values]


def once(*values: str) -> list[Value]:
    return [Value(value, day, 1) for day, value in enumerate(values)]


def test_what_comes_back_is_listed() -> None:
    found = choose(often("GB29NWBK60161331926819", "DE89370400440532013000"))
    assert found.kind is Kind.ENUMERATED
    assert found.patterns == ("DE89370400440532013000", "GB29NWBK60161331926819")


def test_references_that_keep_being_new_are_left_as_granted() -> None:
    found = choose(once(*(f"cus_{n:04x}" for n in range(30))))
    assert (found.kind, found.patterns, found.new) == (Kind.IDENTIFIER, ("*",), 1)


def test_new_files_under_known_folders_are_held_by_the_folders() -> None:
    files = once(*(f"reports/{n}.csv" for n in range(30)), *(f"https://docs.example/{n}" for n in range(30)))
    found = choose([*files, Value("README", 0, 9)])
    assert found.kind is Kind.HIERARCHY
    assert found.patterns == ("README", "https://docs.example/*", "reports/*")
    assert not any(matches(p, "https://evil.example/docs.example/") for p in found.patterns)


def test_folders_that_keep_being_new_hold_nothing() -> None:
    assert choose(once(*(f"run-{n}/out.csv" for n in range(30)))).kind is Kind.IDENTIFIER


def test_one_day_makes_no_folder() -> None:
    assert choose([Value(f"tmp/{n}", 3, 1) for n in range(30)]).patterns == ("*",)


def test_quantities_are_listed_only_where_no_new_one_is_expected() -> None:
    assert choose([Value("7", 0, 8)]).patterns == ("7",)
    assert choose([Value("7", 0, 8), Value("9.5", 3, 1)]).kind is Kind.QUANTITY
    assert choose([Value("7", 0, 2)]).kind is Kind.QUANTITY  # two days are too few to call it constant
    assert choose(once("2026-01-01", "2026-02-01")).kind is Kind.QUANTITY
    assert choose(often("true", "false")).patterns == ("false", "true")


def test_texts_are_left_alone_however_constant() -> None:
    assert choose(often("Happy birthday")).patterns == ("*",)
    assert choose([*often("Rent"), Value("Rent for March", 1, 1)]).kind is Kind.TEXT


def test_kin_lend_their_values_and_strangers_do_not() -> None:
    names, rooms = {"alice", "bob", "carol", "dora"}, {"general", "random", "alice"}
    assert choose(often("alice", "bob"), [names, rooms]).patterns == ("alice", "bob", "carol", "dora")
    assert choose(often("alice"), [names]).patterns == ("alice",)  # one common value is chance
    many = {f"user-{n}" for n in range(MOST_VALUES)} | {"alice", "bob"}
    assert choose(often("alice", "bob"), [many]).patterns == ("alice", "bob")


def test_a_long_list_is_not_written() -> None:
    assert choose(often(*(f"file-{n}" for n in range(MOST_VALUES + 1)))).patterns == ("*",)


def test_a_value_with_wildcards_never_becomes_a_wildcard() -> None:
    for value in ("*", "????????", "a*b*c?"):
        for pattern in choose(often(value, "plain")).patterns:
            assert pattern == "*" or not matches(pattern, "other-thing-of-a-name")


words = st.text(alphabet="ab1./-:?* ", max_size=8)
uses = st.lists(
    st.builds(Value, words, st.integers(0, 5), st.integers(1, 6)),
    min_size=1,
    max_size=30,
    unique_by=lambda one: one.value,
)


@given(uses, st.lists(st.sets(words, max_size=6), max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_every_use_stays_allowed_and_order_says_nothing(
    values: list[Value], others: list[set[str]], chance: random.Random
) -> None:
    found = choose(values, others)
    assert all(any(matches(pattern, one.value) for pattern in found.patterns) for one in values)
    assert found.patterns == ("*",) or len(found.patterns) <= MOST_VALUES
    mixed = list(values)
    chance.shuffle(mixed)
    assert choose(mixed, others[::-1]) == found


@given(st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=12))
def test_the_new_share_is_what_leaving_out_each_day_finds(days: list[set[int]]) -> None:
    """Of what every day brings, what no other day has: counted day by day instead of by a formula."""
    met = new = 0
    for day in range(10):
        today = {value for value, on in enumerate(days) if day in on}
        elsewhere = {value for value, on in enumerate(days) if on - {day}}
        met += len(today)
        new += len(today - elsewhere)
    assert Fraction(new_share([len(on) for on in days])).limit_denominator(1000) == Fraction(new, met)


def test_kin_is_mutual() -> None:
    assert kin({"a", "b", "c"}, {"a", "b"})
    assert kin({"a", "b"}, {"a", "b", "c"})
    assert not kin({"a", "b", "c", "d", "e"}, {"a", "b", "x", "y", "z"})
    assert not kin({"a"}, {"a"})
