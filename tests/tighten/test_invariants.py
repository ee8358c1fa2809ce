"""The invariants G1-G7 of generalisation on random logs, each against an oracle that shares no code with it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uses import FIRST, LAST, Use, collect, glob

from tightener.tighten.generalise import clipped, cover, generalise, reasons
from tightener.tighten.pieces import BY_NAME, EVIDENCED, Why
from tightener.tighten.segments import merged

BUCKET = "arn:aws:s3:::bucket/"
names = st.sampled_from(
    ["a", "b", "raw", "j-1001", "j-1002", "j-1003.csv", "2026", "09", "2026-09-07", "v7", "v8", "secret", "x*y"]
)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
values = st.one_of(paths.map(lambda p: f"{BUCKET}{p}"), st.just("arn:aws:s3:::other/a"), st.just(BUCKET))
days = st.integers(FIRST, LAST)
sessions = st.integers(0, 4)
# Denser, so that wildcards are frequent: few stems, many numbered or made-up names.
ids = st.integers(1000, 1030).map(lambda n: f"j-{n}")
words = st.text("abc", min_size=3, max_size=3)
dense_paths = st.one_of(
    ids,
    words,
    st.tuples(st.sampled_from(["a", "secret", "2026"]), ids | words).map("/".join),
    st.tuples(ids | words, names).map("/".join),
)


def dated(day: int, form: int, tail: str) -> str:
    """A name that follows the calendar."""
    month, of_month = 8 + (day - FIRST + 17) // 31, 1 + (day - FIRST + 17) % 31
    return (f"2026/{month:02d}/", f"2026-{month:02d}-", f"2026{month:02d}{of_month:02d}.")[form] + tail


logs = st.lists(st.tuples(values, days, sessions), min_size=1, max_size=40)
dense = st.lists(st.tuples(dense_paths.map(lambda p: f"{BUCKET}{p}"), days, sessions), min_size=6, max_size=40)
calendar = st.lists(
    st.builds(
        lambda day, form, tail, session: (BUCKET + dated(day, form, tail), day, session),
        days, st.integers(0, 2), st.sampled_from(["x", "y", "j-1001", "secret", "z/y"]), sessions,
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip
some_log = st.one_of(
    logs, dense, calendar, st.tuples(dense, calendar, logs).map(lambda parts: [*parts[0], *parts[1], *parts[2]])
)
grants = st.lists(
    st.sampled_from(
        ["*", f"{BUCKET}*", f"{BUCKET}a/*", "arn:aws:s3:::b*/*", "*.csv", "*j-*", "*1001*", "*/a", f"{BUCKET}2026/*"]
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@given(some_log, grants)
@settings(max_examples=200)
def test_g1_g2_covers_every_value_and_stays_inside_the_grant(log: list[Use], granted: list[str]) -> None:
    found = generalise("aws", "resource", collect(log), granted)
    if found is None:
        return
    for value, _, _ in log:
        assert any(glob(p, value) for p in found), (value, found)
    for pattern in found:
        # A grant without `?` that matches a letter of no grant for each wildcard contains the pattern.
        filled = pattern.replace("*", "Z").replace("?", "Z")
        assert pattern in granted or any(glob(g, filled) for g in granted), (pattern, granted)
        assert pattern in granted or pattern.startswith((BUCKET, "arn:aws:s3:::other/")), "a guarded part was widened"


@given(some_log, grants, st.integers(0, 2**32), st.integers(1, 4))
def test_g3_order_and_sharding_do_not_matter(log: list[Use], granted: list[str], chance: int, parts: int) -> None:
    shuffled = log + log[:2]
    random.Random(chance).shuffle(shuffled)
    shards = [collect(shuffled[i::parts]) for i in range(parts)]
    whole = collect(log)
    assert merged(*shards) == whole
    expected = reasons("aws", "resource", whole, granted)
    assert reasons("aws", "resource", merged(*shards)[::-1], granted) == expected


@given(some_log, some_log)
def test_g4_more_evidence_uncovers_nothing(log: list[Use], more: list[Use]) -> None:
    found = generalise("aws", "resource", collect(log + more), ["*"])
    assert found is None or all(any(glob(p, value) for p in found) for value, _, _ in log)


def has_witnesses(log: list[Use]) -> None:
    """Each wildcard that the evidence makes has two dated uses of it, of two days and two sessions."""
    for one in reasons("aws", "resource", collect(log), ["*"]) or ():
        if one.why in BY_NAME:
            assert "*" not in one.pattern
            assert glob(one.pattern, one.pattern)
        if one.why not in EVIDENCED:
            continue
        used = [(day, session) for value, day, session in log if glob(one.pattern, value)]
        assert any(a[0] != b[0] and a[1] != b[1] for a in used for b in used), one
        first, second = one.witnesses
        assert first.day != second.day
        for witness in (first, second):
            assert any((v, d) == witness for v, d, _ in log), one
            assert glob(one.pattern, witness.value), one


@given(some_log)
@settings(max_examples=200)
def test_g5_every_wildcard_has_two_dated_witnesses(log: list[Use]) -> None:
    has_witnesses(log)


def test_g5_one_value_is_not_borne_out_by_another_of_its_form() -> None:
    others = [("j-1029", 50, 0), ("abb/2026-09-07", 8, 3), ("j-1000/b", 0, 0)]
    months = [("2026/j-1013", 58, 3), ("2026/j-1005", 22, 0), ("2026/j-1005", 52, 3)]
    has_witnesses([(BUCKET + path, FIRST + day, session) for path, day, session in [*months, *others]])


@pytest.mark.parametrize("uses", [[("x", 80, 1), ("y", 80, 2)], [("x", 78, 1), ("y", 80, 1)]])
def test_g7_two_names_of_one_month_are_not_enough(uses: list[Use]) -> None:
    """Of one day; of one session."""
    log = [(f"{BUCKET}2026/11/{name}", FIRST + day, session) for name, day, session in uses]
    assert all(one.why not in EVIDENCED for one in reasons("aws", "resource", collect(log), ["*"]) or ())


def test_g7_a_use_that_may_not_have_happened_is_no_witness() -> None:
    def whys(session: int) -> list[Why]:
        log = [(f"{BUCKET}2026-10.csv", FIRST + 60, 1), (f"{BUCKET}2026-11.csv", FIRST + 82, session)]
        return [one.why for one in reasons("aws", "resource", collect(log), ["*"]) or ()]

    assert whys(2) == [Why.CALENDAR]
    assert whys(-1) == [Why.THIN]


@given(some_log, grants)
@settings(max_examples=200)
def test_looking_at_every_value_again_says_the_same(log: list[Use], granted: list[str]) -> None:
    """What is known of the values left as granted only saves a second look at millions."""
    seen = collect(log)
    every = cover("aws", "resource", seen) or []
    assert clipped(every, seen, granted) == clipped([replace(one, within=()) for one in every], seen, granted)


def test_sensitive_names_beside_a_wildcard_need_no_second_look() -> None:
    names = [f"{a}{b}" for a in "abcdef" for b in "ghijkl"] + [f"secret-{word}" for word in "mnopqrstuvwx"]
    every = cover("aws", "resource", collect((f"{BUCKET}team/{n}/x", FIRST + i, i) for i, n in enumerate(names))) or []
    assert [one.within for one in every if not one.pattern] == [tuple(f"{BUCKET}team/{n}/x" for n in names[-12:])]
    assert [one.pattern for one in clipped(every, [], ["*"]) or ()] == [f"{BUCKET}team/*/x"]


@given(some_log, grants)
@settings(max_examples=200)
def test_g6_idempotent(log: list[Use], granted: list[str]) -> None:
    seen = collect(log)
    found = generalise("aws", "resource", seen, granted)
    if found is not None:
        again = generalise("aws", "resource", seen, found)
        assert again is None or set(again) == set(found)


@given(some_log, st.sampled_from(["one session", "one day", "no evidence"]))
def test_g7_one_session_or_one_day_widens_nothing(log: list[Use], how: str) -> None:
    fixed = {
        "one session": [(v, d, 7) for v, d, _ in log],
        "one day": [(v, LAST - 3, s) for v, _, s in log],
        "no evidence": [(v, d, -1) for v, d, _ in log],
    }
    for one in reasons("aws", "resource", collect(fixed[how]), ["*"]) or ():
        assert one.why not in EVIDENCED, one


@given(some_log)
def test_a_sensitive_name_is_never_what_a_wildcard_is_made_from(log: list[Use]) -> None:
    """The wildcards that the evidence makes are the same without the uses of sensitive names, or fewer of them."""
    harmless = [use for use in log if "secret" not in use[0]]
    if not harmless:
        return
    for one in reasons("aws", "resource", collect(log), ["*"]) or ():
        for witness in one.witnesses if one.why in EVIDENCED else ():
            assert "secret" not in witness.value or "secret" in one.pattern, one


def test_a_hostile_session_changes_no_wildcard() -> None:
    work = [(f"raw/2026/{8 + (d + 17) // 31:02d}/inv-{5000 + d}.pdf", FIRST + d, d) for d in range(14, 60)]
    work += [(f"jobs/{1000 + d}/out.json", FIRST + d, d) for d in range(60)]
    work += [(f"team/{name}/notes", FIRST + d, d) for d in range(60) for name in ("ada", "bob", "eve")]
    bad = [(path, FIRST + 55, 999) for path in ("jobs/1003/secret.env", "team/prod/key", "team/x1/y", "raw/all.zip")]

    def wild(log: list[Use]) -> dict[str, Why]:
        found = reasons("aws", "resource", collect((BUCKET + v, d, s) for v, d, s in log), ["*"])
        return {one.pattern.removeprefix(BUCKET): one.why for one in found or ()}

    before, after = wild(work), wild(work + bad)
    assert {p for p in before if "*" in p} == {"raw/20??/??/inv-*.pdf", "jobs/*/out.json"}
    assert {p: why for p, why in after.items() if p not in before} == {
        "jobs/1003/secret.env": Why.RARE,
        "raw/all.zip": Why.RARE,
        "team/prod/key": Why.LISTED,
        "team/x1/y": Why.RARE,
    }
