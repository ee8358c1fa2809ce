"""Gates, calendar and rhythm against naive re-tellings, day by day; and the fleet's days against the raw events."""

from __future__ import annotations

import random
from datetime import date, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tightener.logs import store
from tightener.logs.fleet import Fleet, fleet
from tightener.model import AgentPolicy, Place, Window
from tightener.tighten.evidence.gates import Needs, Record, check, suffices
from tightener.tighten.evidence.judge import Unused, judge
from tightener.tighten.evidence.periods import protected_until, rhythm
from tightener.tighten.evidence.turns import turns
from tightener.tighten.evidence.verdict import Class

DAY = timedelta(days=1)
LAST = date(2026, 11, 15)


def record(days: int, *, missing: tuple[int, ...] = (), idle: tuple[int, ...] = (), age: int | None = 400) -> Record:
    """A record that ends on LAST; `missing` and `idle` count days back from it."""
    first = LAST - DAY * (days - 1)
    return Record(
        first,
        tuple(days - 1 - i not in missing for i in range(days)),
        tuple(days - 1 - i not in idle for i in range(days)),
        None if age is None else LAST - DAY * age,
    )


# --- naive


def naive_turns(first: date, last: date) -> list[list[date]]:
    """The days of every turn, found by looking at each day whether it is a first of a month."""
    found = []
    day = first
    while day <= last:
        span = [day + DAY * i for i in (-3, -2, -1, 0, 1, 2)]
        if day.day == 1 and span[0] >= first and span[-1] <= last:
            found.append(span)
        day += DAY
    return found


def naive_enough(truth: dict[date, tuple[bool, bool]], since: date | None, first: date, last: date, n: Needs) -> bool:
    held = {d: seen for d, seen in truth.items() if first <= d <= last and (since is None or d >= since)}
    spans = [
        span
        for span in naive_turns(first, last)
        if all(d in held and held[d][0] for d in span) and any(held[d][1] for d in span)
    ]
    ends = [span[3].month for span in spans]
    return (
        sum(seen and busy for seen, busy in held.values()) >= n.exposure
        and (since is None or (last - since).days >= n.age)
        and len(ends) >= n.month_ends
        and sum(m in (1, 4, 7, 10) for m in ends) >= n.quarter_ends
        and ends.count(1) >= n.year_ends
    )


records = st.builds(
    lambda days, first, lost, idle, age, chance: Record(
        first,
        tuple(random.Random(chance).random() >= lost for _ in range(days)),
        tuple(random.Random(chance + 1).random() >= idle for _ in range(days)),
        None if age is None else first + DAY * (days - 1 - age),
    ),
    st.integers(1, 200),
    st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    st.sampled_from([0.0, 0.02, 0.1]),
    st.sampled_from([0.0, 0.3, 0.86]),
    st.none() | st.integers(0, 300),
    st.integers(0, 999),
)
needs = st.builds(Needs, exposure=st.sampled_from([12, 40]), quarter_ends=st.sampled_from([0, 0, 2]))


@settings(deadline=None)
@given(records, needs)
def test_the_gates_open_exactly_where_a_naive_count_opens_them(found: Record, wanted: Needs) -> None:
    truth = {found.first + DAY * i: pair for i, pair in enumerate(zip(found.observed, found.active, strict=True))}
    enough = naive_enough(truth, found.since, found.first, found.last, wanted)
    assert (check(found, wanted).missing(wanted) == ()) is enough
    assert sum(1 for _ in turns(found.first, found.last)) == len(naive_turns(found.first, found.last))


@settings(max_examples=40, deadline=None)
@given(records, needs, st.sampled_from([60, 90, 200]))
def test_the_day_on_which_it_suffices(found: Record, wanted: Needs, asked: int) -> None:
    """The window slides over days to come; the first on which the naive count is content."""
    days = len(found.observed)
    assume(days <= asked)
    day, longer = suffices(found, wanted, asked)
    logged = [busy for seen, busy in zip(found.observed, found.active, strict=True) if seen]
    pace = sum(logged) / len(logged) if logged else sum(found.active) / days
    truth = {found.first + DAY * i: pair for i, pair in enumerate(zip(found.observed, found.active, strict=True))}
    done, naive = 0.0, None
    for ahead in range(260):
        last = found.last + DAY * ahead
        if ahead:
            busy = int(pace * ahead + 1e-9) > int(done + 1e-9)
            done = pace * ahead
            truth[last] = (True, busy)
        first = max(found.first, last - DAY * (asked - 1))
        if naive_enough(truth, found.since, first, last, wanted):
            naive = last
            break
    if naive is not None:
        assert (day, longer) == (naive, None)
    else:
        assert day is None or longer is not None or day > found.last + DAY * 259
    if longer is not None and day is not None:
        assert longer == (day - found.first).days + 1 > asked


def naive_rhythm(days: list[int]) -> str:
    of = [date.fromordinal(d) for d in days]
    names = ("weekly", "fortnightly", "monthly", "quarterly", "yearly")
    numbers = (
        [(d - days[0]) // 7 for d in days],
        [(d - days[0]) // 14 for d in days],
        [d.year * 12 + d.month for d in of],
        [d.year * 4 + (d.month - 1) // 3 for d in of],
        [d.year for d in of],
    )
    for name, hit in zip(names, numbers, strict=True):
        every = range(hit[0], hit[-1] + 1) if hit else range(0)
        if len(every) >= 3 and sum(n in hit for n in every) / len(every) >= 0.8:
            return name
    return ""


@given(
    st.sampled_from([1, 3, 7, 10, 14, 25, 30, 45, 91, 120, 365]),
    st.integers(1, 30),
    st.integers(0, 5),
    st.integers(738_000, 740_000),
    st.integers(0, 999),
)
def test_rhythm(step: int, times: int, shaken: int, first: int, chance: int) -> None:
    dice = random.Random(chance)
    days = sorted({first + i * step + dice.randint(0, shaken) for i in range(times)})
    found = rhythm(days)
    assert (found.name if found else "") == naive_rhythm(days)
    assert rhythm(()) is None


# --- what it comes to


def ordinals(*days: date) -> tuple[int, ...]:
    return tuple(d.toordinal() for d in days)


def verdict_of(
    found: Record,
    *,
    earlier: tuple[int, ...] = (),
    others: dict[str, tuple[int, ...]] | None = None,
    min_age: int = 30,
) -> tuple[Class, tuple[str, ...], date | None, int | None]:
    """(class, missing, day, window) of one grant of an agent alone, or beside others that used the same permission."""
    permission = ("aws", "s3:GetObject")
    at_work = tuple((found.first + DAY * i).toordinal() for i, busy in enumerate(found.active) if busy)
    known = Fleet({"a": at_work}, {name: {permission: days} for name, days in (others or {}).items()})
    window = Window(found.first, found.last)
    asked = len(found.observed)
    judged = judge(known, [AgentPolicy("a", Place("p.yaml"), ())], "a", window, asked, min_age).verdict(
        Unused(permission, found.observed, found.since, earlier, may_ask=True)
    )
    return judged.kind, judged.missing, judged.suffices, judged.window


def test_ninety_whole_days_are_enough_and_thin_evidence_names_its_day() -> None:
    assert verdict_of(record(90)) == (Class.REMOVE, (), None, None)
    assert verdict_of(record(90, missing=(42, 1))) == (Class.REMOVE, (), None, None)
    assert verdict_of(record(90, age=None)) == (Class.REMOVE, (), None, None)
    assert verdict_of(record(90, age=60)) == (Class.KEEP, ("granted for 60 of 90 days",), LAST + DAY * 30, None)
    assert verdict_of(record(90, age=40), min_age=0)[0] is Class.KEEP, "a turn of a month before the grant is no use"
    assert verdict_of(record(90, age=60), min_age=0)[0] is Class.REMOVE
    # 11-03 was the last day of its turn: a day lost there, and one in August's, leaves one of the two that are needed
    assert verdict_of(record(90, missing=(12, 74))) == (
        Class.KEEP,
        ("1 of 2 month-ends",),
        date(2026, 12, 3),
        None,
    )
    kind, missing, day, longer = verdict_of(record(30))
    assert (kind, missing) == (Class.KEEP, ("1 of 2 month-ends",))
    assert (day, longer) == (date(2026, 12, 3), 48), "no window of thirty days holds two turns of a month"


def test_an_idle_agent_shows_nothing() -> None:
    kind, missing, day, _ = verdict_of(record(90, idle=tuple(range(90))))
    assert kind is Class.KEEP
    assert missing == ("0 of 12 days at work and fully logged", "0 of 2 month-ends")
    assert day is None
    weekly = tuple(i for i in range(90) if i % 7)
    assert verdict_of(record(90, idle=weekly))[0] is Class.REMOVE


def test_what_runs_once_a_quarter_is_protected_between_its_runs() -> None:
    runs = ordinals(date(2025, 10, 5), date(2026, 1, 4), date(2026, 4, 6), date(2026, 7, 5))
    until = date(2026, 7, 5) + DAY * 184
    assert protected_until(runs) is not None
    assert verdict_of(record(90), earlier=runs) == (
        Class.KEEP,
        ("used quarterly until 2026-07-05",),
        until + DAY,
        None,
    )
    assert verdict_of(record(90), earlier=runs[:2]) == (Class.REMOVE, (), None, None), "two are no rhythm"
    daily = tuple(range(date(2026, 2, 1).toordinal(), date(2026, 8, 1).toordinal()))
    assert verdict_of(record(90), earlier=daily) == (Class.REMOVE, (), None, None), "a daily job that has stopped"


def test_a_siblings_quarterly_use_asks_for_two_quarter_ends() -> None:
    quarterly = ordinals(date(2025, 10, 5), date(2026, 1, 4), date(2026, 4, 6), date(2026, 7, 5), date(2026, 10, 4))
    kind, missing, day, longer = verdict_of(record(90), others={"b": quarterly})
    assert (kind, missing) == (Class.KEEP, ("1 of 2 quarter-ends",))
    assert day == date(2027, 1, 3)
    assert longer == (day - record(90).first).days + 1
    every_day = tuple(range(quarterly[0], quarterly[-1]))
    assert verdict_of(record(90), others={"b": every_day})[0] is Class.REMOVE
    assert verdict_of(record(200), others={"b": quarterly})[0] is Class.REMOVE
    yearly = ordinals(date(2024, 1, 2), date(2025, 1, 2), date(2026, 1, 2))
    assert verdict_of(record(90), others={"b": yearly})[1] == ("0 of 1 year-end",)
    assert verdict_of(record(400), others={"b": yearly})[0] is Class.REMOVE


# --- the fleet's days

EVENT = (
    "INSERT INTO event SELECT 1, unnest($n), 0, unnest($source), '', unnest($time)::TIMESTAMP, unnest($agent), '', '', "
    "'aws', unnest($action), '', '', '', unnest($outcome), '', NULL, '', false, false, unnest($mapped), unnest($caller)"
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", ""]),
            st.integers(0, 3),  # caller
            st.integers(0, 40),  # day
            st.sampled_from(["s3:GetObject", "s3:PutObject"]),
            st.sampled_from(["used", "approved", "used_unlogged", "refused", "no_evidence", "by_service"]),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_the_fleet_in_one_query_is_the_fleet_by_hand(rows: list[tuple[str, int, int, str, str, bool]]) -> None:
    first = date(2026, 1, 1)
    owners = {1: "a", 2: "c"}
    con = store.open(None)
    con.execute("CREATE TEMP TABLE caller_agent AS SELECT unnest([1, 2]) AS identity, unnest(['a', 'c']) AS agent")
    if rows:
        columns = {
            name: [row[i] for row in rows]
            for i, name in enumerate(["agent", "caller", "", "action", "outcome", "mapped"])
        }
        del columns[""]
        times = [f"{first + DAY * row[2]} 23:59:59.9" for row in rows]
        sources = ["gateway" if row[0] else "cloudtrail" for row in rows]
        con.execute(EVENT, {"n": list(range(len(rows))), "time": times, "source": sources, **columns})
    found = fleet(con, Window(first, first + DAY * 30))
    active: dict[str, set[int]] = {}
    used: dict[str, dict[tuple[str, str], set[int]]] = {}
    for named, caller, offset, action, outcome, mapped in rows:
        who, day = named or owners.get(caller, ""), (first + DAY * offset).toordinal()
        if who and offset <= 30 and outcome != "by_service":
            active.setdefault(who, set()).add(day)
            if mapped and outcome in ("used", "approved", "used_unlogged"):
                used.setdefault(who, {}).setdefault(("aws", action), set()).add(day)
    assert found.active == {who: tuple(sorted(days)) for who, days in active.items()}
    assert found.used == {who: {p: tuple(sorted(d)) for p, d in of.items()} for who, of in used.items()}
    assert found.actions() == ({"aws": tuple(sorted({a for of in used.values() for _, a in of}))} if used else {})
