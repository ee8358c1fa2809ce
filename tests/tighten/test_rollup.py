"""Rolling values up: ids are opened as one search a text would, and neither order nor parts nor memory matter."""

from __future__ import annotations

import random
import re
from collections import Counter
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uses import FIRST, LAST, Use, collect

from tightener.tighten import rollup
from tightener.tighten.generalise import covered
from tightener.tighten.rollup import Heads, joined, roll_up
from tightener.tighten.slots import ANY, MANY, opened, shapes

numbers = st.one_of(
    st.integers(0, 999_999).map(str),
    st.sampled_from(["2026", "2027", "2013", "202609", "202613", "20260907", "20269999", "20260907101500", "00001234"]),
)
pieces = st.one_of(
    st.sampled_from(
        ["inv-", "-", ".pdf", "a1b2c3d4", "deadbeef1", "v1.2.3", ".", "x", "_", "/", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]
    ),
    numbers,
)
texts = st.one_of(numbers.map(lambda n: f"inv-{n}.pdf"), st.lists(pieces, max_size=5).map("".join))


@given(st.lists(texts, min_size=1, max_size=12))
@settings(max_examples=500)
def test_many_texts_are_opened_as_one_by_one(some: list[str]) -> None:
    assert opened(some) == [shapes().sub(ANY, text) for text in some]


paths = st.lists(
    st.sampled_from(["a", "b", "c", "d", "in-e.csv", "j-1001", "j-1002", "secret"]), min_size=1, max_size=3
)
logs = st.lists(
    st.tuples(paths.map(lambda p: "arn:aws:s3:::b/" + "/".join(p)), st.integers(FIRST, LAST), st.integers(-1, 4)),
    min_size=1,
    max_size=60,
)


def plainly(heads: Heads) -> dict[tuple[str, str, str], tuple[object, ...]]:
    return {
        (head, schema.kind, text): (g.number, sorted(g.births.items()), sorted(g.few), g.last, g.lasting, g.steady)
        for (head, schema), groups in heads.items()
        for text, g in groups.items()
    }


@given(logs, st.integers(0, 2**32), st.integers(1, 7), st.integers(1, 5), st.booleans())
@settings(max_examples=300)
def test_order_parts_and_memory_do_not_matter(
    log: list[Use], chance: int, chunk: int, most: int, fold_often: bool
) -> None:
    seen = collect(log)
    shuffled = random.Random(chance).sample(seen, len(seen))
    with mock.patch.multiple(rollup, MOST_NAMES=most):
        whole = roll_up("aws", "resource", seen)
        with mock.patch.multiple(rollup, _CHUNK=chunk, MOST_TEXTS=1 if fold_often else 100):
            again = roll_up("aws", "resource", shuffled)
            parts = [roll_up("aws", "resource", shuffled[i::3]) for i in range(3) if shuffled[i::3]]
            both = joined("resource", parts)
    assert plainly(again) == plainly(whole)
    assert plainly(both) == plainly(whole)
    assert covered("resource", again) == covered("resource", whole)


@pytest.mark.parametrize(
    ("many", "one", "expected"),
    [
        ("in-a.csv in-b.csv in-c.csv in-d.csv", "in-e.csv", {f"in-{MANY}.csv": 5}),
        ("in-a.csv in-b.csv in-c.csv in-d.csv", "e", {MANY: 5}),
        ("a b c d", "in-e.csv", {MANY: 5}),
        ("x/a x/b x/c x/d y", "x/e", {f"x/{MANY}": 5, "y": 1}),
    ],
)
def test_what_one_part_opens_is_opened_in_all(many: str, one: str, expected: dict[str, int]) -> None:
    """Together there are few enough names for each to be told apart, once those of one part are opened."""

    def rolled(names: str) -> Heads:
        return roll_up("aws", "resource", collect((f"arn:aws:s3:::b/{name}", FIRST, 0) for name in names.split()))

    with mock.patch.multiple(rollup, MOST_NAMES=3):
        (groups,) = joined("resource", [rolled(many), rolled(one)]).values()
    assert {text: group.number for text, group in groups.items()} == expected


@given(logs)
def test_what_is_counted(log: list[Use]) -> None:
    """Against the values themselves, by a pattern made from each text."""
    seen = collect(log)
    for (head, _), groups in roll_up("aws", "resource", seen).items():
        for text, group in groups.items():
            form = re.compile(re.escape(head + text).replace(ANY, "[0-9A-Za-z.-]+"))
            mine = [one for one in seen if form.fullmatch(one.value)]
            assert group.number == len(mine)
            assert {day: number for day, (number, _) in group.births.items()} == Counter(one.first for one in mine)
            assert group.first == min(one.first for one in mine)
            assert group.last == max(one.last for one in mine)
            assert group.lasting == sum(one.first < one.last for one in mine)
            for day, (_, row) in group.births.items():
                sure = [one for one in mine if one.first == day and one.session >= 0]
                assert row == (min(sure) if sure else None)


def test_very_many_names_take_little() -> None:
    seen = collect((f"arn:aws:s3:::b/{i % 3}/{word(i)}/x.csv", FIRST + i % 90, i % 7) for i in range(20_000))
    (groups,) = roll_up("aws", "resource", seen).values()
    assert set(groups) == {f"{i}/{MANY}/x.csv" for i in range(3)}
    assert sum(group.number for group in groups.values()) == len(seen)


def word(number: int) -> str:
    letters = "abcdefghijklmnopqrst"
    return "".join(letters[number // 20**place % 20] for place in range(4))
