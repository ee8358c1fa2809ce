"""Which arguments are held: from the values and their days alone, in any order, and never losing one that was used."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import DAYS, Use, proposal
from uses import FIRST as DAY
from uses import glob

from tightener.policy import document
from tightener.tighten.arguments import MOST_VALUES, Argument, again, kin, new
from tightener.tighten.evidence.calibration import upper
from tightener.tighten.generalise import clipped, cover
from tightener.tighten.pieces import Why
from tightener.tighten.segments import Seen, merged

IBAN, OTHER = "GB29NWBK60161331926819", "DE89370400440532013000"


def used(value: str, *days: int) -> Seen:
    """A value and the days of its use, a session a day."""
    bits = sum({1 << (DAY + day) % 61 for day in days})
    return Seen(value, DAY + min(days), DAY + max(days), min(days), bits)


def often(*values: str) -> list[Seen]:
    return [used(value, *range(30)) for value in values]


def once(pattern: str, number: int) -> list[Seen]:
    return [used(pattern.format(i), i) for i in range(number)]


def held(values: Sequence[Seen], others: Sequence[Argument] = (), granted: Sequence[str] = ("*",)) -> list[str] | None:
    every = cover("tools", "resource", values, others)
    found = None if every is None else clipped(every, values, granted)
    return None if found is None else [one.pattern for one in found]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # what says whom or what is listed, as buckets are; also where it was used only once
        (often("to=ada@acme.example", "to=bob"), ["to=ada@acme.example", "to=bob"]),
        ([used("to=ada", 3)], ["to=ada"]),
        ([used("path=notes.txt", 3), used("path=plan.txt", 3)], ["path=notes.txt", "path=plan.txt"]),
        # ... and where a new one turns up now and then
        ([*often("to=ada", "to=bob"), *once("to=new-{}", 2)], ["to=ada", "to=bob", "to=new-0", "to=new-1"]),
        # where new ones surely keep coming nothing is listed
        (once("customer=c-{}", 15), ["customer=c-*"]),
        # ids that came back are listed; those that change from day to day are not
        (often(f"to={IBAN}", f"to={OTHER}"), [f"to={OTHER}", f"to={IBAN}"]),
        ([used(f"to={IBAN}", 4)], [f"to={IBAN}"]),
        ([used(f"to={IBAN}", 4), used(f"to={OTHER}", 9)], ["to=*"]),
        # quantities are left alone, unless surely no new one comes; then so may be a call without any
        ([used("n=7", *range(28))], ["", "n=*"]),
        ([used("n=7", *range(29))], ["n=7"]),
        ([*often("n=7"), used("n=9.5", 3)], ["", "n=*"]),
        (often("public=false"), ["public=false"]),
        ([used("on=2020-01-01", 1), used("on=2020-02-01", 9)], ["", "on=*"]),
        # ... but dates that are those of their use follow the calendar
        ([used("on=2026-09-01", 14), used("on=2026-09-02", 15)], ["on=20??-??-??"]),
        # texts are left alone however constant: several words, some of them sentences
        (often("text=thanks for all", "text=Rent due"), ["", "text=*"]),
        (often("text=one\nand two"), ["", "text=*"]),
        (often("to=ada", "text=thanks for all"), ["text=*", "to=ada"]),
        # a single odd value opens nothing that is held
        ([*often("to=ada", "to=bob"), used("to=please pay me now", 5)], ["to=ada", "to=bob", "to=please pay me now"]),
        # a call without arguments has its own pattern; it says nothing of the others
        ([*often("to=ada"), used("", 4)], ["", "to=ada"]),
        (often(""), None),
        # a value with wildcards never becomes one
        (often("to=*"), ["to=?"]),
        (often("to=a*", "to=b"), ["to=a?", "to=b"]),
    ],
)  # fmt: skip
def test_an_argument_by_what_its_values_are(values: list[Seen], expected: list[str] | None) -> None:
    assert held(values) == expected
    assert held(values[::-1]) == expected


def test_a_long_list_is_not_written() -> None:
    assert held(often(*(f"to={a}{b}" for a in "abcdefg" for b in "xyz"))) == ["to=*"]
    words = [f"{a}{b}" for a in "abcdef" for b in "xyz"]
    several = [*often(*(f"to={w}" for w in words)), *often(*(f"room={w}" for w in words))]
    found = held(several)
    assert found is not None
    assert len(found) == 36, "each argument has a list of its own"


def test_the_values_of_another_tool_are_lent_where_both_take_the_same() -> None:
    names = Argument("invite", "user=", False, tuple(often("ada", "bob", "eve")))
    rooms = Argument("post", "room=", False, tuple(often("ada", "ops", "dev", "all", "hr")))
    assert held(often("to=ada", "to=bob"), [rooms, names]) == ["to=ada", "to=bob", "to=eve"]
    assert held(often("to=ada"), [names]) == ["to=ada"], "one common value is chance"
    assert held(often("n=ada", "n=bob"), [names], ["n=ada", "n=bob"]) == ["n=ada", "n=bob"], "never more than granted"
    every = cover("tools", "resource", often("to=ada", "to=bob"), [names])
    assert {one.pattern: one.why for one in every or ()}["to=eve"] is Why.KIN


def test_only_what_came_back_is_lent() -> None:
    values = sorted([*often("to=ada", "to=bob"), used("to=mallory", 5), Seen("to=maybe", DAY, DAY + 9, -1)])
    (found,) = again("send", values, reads=False)
    assert (found.name, [one.value for one in found.values]) == ("to=", ["ada", "bob"])
    assert again("send", often(*(f"to={i:02d}" for i in range(MOST_VALUES + 1))), reads=False) == []


def tools(uses: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...] | None]:
    """Tool -> the resources that a whole run of the program leaves to it, from what was used every other day."""
    every = [Use("tools", tool, value, day=day) for tool, value in uses for day in range(0, DAYS, 2)]
    names = list(dict.fromkeys(tool for tool, _ in uses))
    rules = "    allow:\n" + "".join(f"      - {{service: tools, actions: [{name}]}}\n" for name in names)
    text = proposal(rules, every).text
    return {rule.body.actions[0]: rule.body.resources for rule in document.parse(text, "p.yaml").agents["a"].rules}


def test_what_was_read_may_not_be_written_for_it() -> None:
    some = ("ops", "dev")
    more = (*some, "all")
    writes = tools([("post", f"room={r}") for r in some] + [("join", f"channel={r}") for r in more])
    assert writes["post"] == ("room=all", "room=dev", "room=ops")
    reads = tools([("post", f"room={r}") for r in some] + [("read_room", f"room={r}") for r in more])
    assert reads["post"] == ("room=dev", "room=ops")
    back = tools([("post", f"room={r}") for r in more] + [("read_room", f"room={r}") for r in some])
    assert back["read_room"] == ("room=all", "room=dev", "room=ops")


def test_kin_is_mutual() -> None:
    assert kin({"a", "b", "c"}, {"a", "b"})
    assert kin({"a", "b"}, {"a", "b", "c"})
    assert not kin({"a", "b"}, {"a", "b", "c", "d", "e"})
    assert not kin({"a"}, {"a"})


@given(st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=12))
def test_the_new_share_is_what_leaving_out_each_day_finds(days: list[set[int]]) -> None:
    """Of what every day brings, what no other day has: counted day by day instead of by a formula."""
    met = fresh = 0
    for day in range(10):
        today = {value for value, on in enumerate(days) if day in on}
        elsewhere = {value for value, on in enumerate(days) if on - {day}}
        met += len(today)
        fresh += len(today - elsewhere)
    assert new([used(str(value), *on) for value, on in enumerate(days)]) == (fresh, met)


def test_the_bound_is_the_rule_of_three() -> None:
    assert upper(0, 28) > 0.1 > upper(0, 29)


@given(st.sets(st.integers(0, 59), min_size=1), st.sets(st.integers(0, 59), min_size=1))
def test_days_of_parts_are_those_of_the_whole(one: set[int], other: set[int]) -> None:
    (both,) = merged([used("x", *one)], [used("x", *other)])
    assert both.on == len(one | other)


words = st.sampled_from(["ada", "bob", "eve", "a b", "a b c", "7", "8.5", "true", "", "x/y", "x/z", IBAN, OTHER, "*"])
logs = st.lists(
    st.tuples(st.sampled_from(["to", "n"]), words, st.sets(st.integers(0, 40), min_size=1, max_size=6)), min_size=1
)
kindred = st.lists(st.sets(st.sampled_from(["ada", "bob", "eve", "ops"]), min_size=1), max_size=3)


@given(logs, kindred, st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_every_use_stays_granted_order_says_nothing_and_twice_is_once(
    log: list[tuple[str, str, set[int]]], lent: list[set[str]], chance: random.Random
) -> None:
    values = merged([used(f"{name}={value}", *days) for name, value, days in log])
    values = merged(*([one] for one in values))
    others = [Argument("t", f"{i}=", False, tuple(often(*some))) for i, some in enumerate(lent)]
    found = held(values, others)
    if found is None:
        return
    assert all(any(glob(pattern, one.value) for pattern in found) for one in values)
    mixed = list(values)
    chance.shuffle(mixed)
    assert held(mixed, others[::-1]) == found
    second = held(values, others, found)
    assert second is None or set(second) == set(found)
