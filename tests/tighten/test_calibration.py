"""What is said of removals comes true on made-up fleets whose future is known; and the mathematics by itself."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from fractions import Fraction

import pytest
from fleets import FIRST, KINDS, Case, cases
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.tighten.evidence.calibration import FEWEST_AGENTS, calibrate, conformal, upper
from tightener.tighten.evidence.gates import alone
from tightener.tighten.evidence.peers import Peer
from tightener.tighten.evidence.pooling import Pool, fit

SEEDS = range(100, 103)


@pytest.fixture(scope="module")
def judged() -> dict[str, list[Case]]:
    return {name: [case for seed in SEEDS for case in cases(name, seed)] for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_the_95_percent_bound_holds(judged: dict[str, list[Case]], name: str) -> None:
    found = judged[name]
    held = sum(case.realised <= case.bound for case in found) / len(found)
    median = statistics.median(case.bound for case in found)
    realised = sum(case.realised * case.grants for case in found) / sum(case.grants for case in found)
    print(f"{name}: {len(found)} cases, held {held:.1%}, median bound {median:.1%}, realised {realised:.1%}")
    assert len(found) > 40
    assert held >= 0.93
    assert realised < median < 0.4, "a bound that says nothing is no bound"


def test_it_holds_over_all_fleets_and_would_not_without_the_correction(judged: dict[str, list[Case]]) -> None:
    found = [case for some in judged.values() for case in some]
    assert sum(case.realised <= case.bound for case in found) / len(found) >= 0.93
    limit = 0.05  # what the model alone says of every one of these that moves or goes
    assert sum(case.realised <= limit for case in found) / len(found) < 0.93


def test_too_few_agents_give_no_number() -> None:
    peer = Peer(tuple(range(FIRST, FIRST + 90)), tuple(("Read", (FIRST + i,) * (i % 2)) for i in range(40)))
    assert calibrate([peer] * (FEWEST_AGENTS - 1), FIRST, FIRST + 90) is None
    assert calibrate([peer] * FEWEST_AGENTS, FIRST, FIRST + 90) is not None
    idle = Peer((FIRST - 5,), peer.granted)
    assert calibrate([peer] * (FEWEST_AGENTS - 1) + [idle], FIRST, FIRST + 90) is None, "an idle agent shows nothing"
    assert conformal([0.0] * (FEWEST_AGENTS - 1)) is None


def test_what_the_past_did_not_bear_is_not_used() -> None:
    """Permissions that are silent for the whole of what was known, and nearly all come back within the horizon."""
    chance = random.Random(5)
    active = tuple(range(FIRST, FIRST + 90))
    dead = tuple(("Read", ()) for _ in range(200))
    busy = tuple(("Read", active) for _ in range(20))
    quiet = [Peer(active, (*dead, *busy)) for _ in range(80)]
    found = calibrate(quiet, FIRST, FIRST + 90)
    assert found is not None
    assert found.limits.remove > 0
    assert found.realised[found.limits.sorted(0.0)].used == 0
    back = tuple(("Read", (FIRST + 89 - chance.randrange(30),)) for _ in range(200))
    found = calibrate([Peer(active, (*back, *busy, dead[0])) for _ in range(80)], FIRST, FIRST + 90)
    assert found is not None
    assert found.limits.remove < 0
    assert found.limits.ask < 0


@given(st.integers(0, 12), st.integers(1, 40))
def test_clopper_and_pearson(events: int, of: int) -> None:
    bound = Fraction(upper(min(events, of), of))
    if events >= of:
        assert bound == 1
        return
    for rate, holds in ((bound + Fraction(1, 10**6), True), (bound - Fraction(1, 10**6), False)):
        tail = sum(math.comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(events + 1))
        assert (tail <= Fraction(5, 100)) is holds


def test_known_bounds() -> None:
    assert upper(0, 59) < 0.05 < upper(0, 58)
    assert upper(0, 299) < 0.01 < upper(0, 298)
    assert [round(alone(days), 2) for days in (0, 30, 90, 180, 400)] == [1, 0.95, 0.63, 0.39, 0.2]


@given(st.lists(st.floats(-1, 1), min_size=FEWEST_AGENTS, max_size=150))
def test_conformal_is_the_smallest_score_with_enough_below(scores: list[float]) -> None:
    found = conformal(scores)
    assert found is not None
    assert sum(s <= found for s in scores) >= 0.95 * (len(scores) + 1)
    assert sum(s < found for s in scores) < 0.95 * (len(scores) + 1)


def likelihood(pairs: list[tuple[int, int]], pool: Pool) -> float:
    total = 0.0
    for (n, exposure), times in Counter(pairs).items():
        log = math.lgamma(n + pool.a) - math.lgamma(pool.a) + pool.a * math.log(pool.b / (pool.b + exposure))
        log -= n * math.log(pool.b + exposure)
        alive = (1 - pool.dead) * math.exp(log)
        total += times * math.log(max(alive + pool.dead * (n == 0), 1e-300))
    return total


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 0.95), st.floats(0.1, 5), st.floats(1, 300), st.integers(0, 1000))
def test_no_point_is_likelier_than_the_fitted_one(dead: float, a: float, b: float, seed: int) -> None:
    chance = random.Random(seed)
    pairs = []
    for _ in range(400):
        exposure, rate = chance.randrange(12, 91), chance.gammavariate(a, 1 / b)
        days = sum(chance.random() < 1 - math.exp(-rate) for _ in range(exposure))
        pairs.append((0 if chance.random() < dead else days, exposure))
    found = fit(pairs)
    best = likelihood(pairs, found)
    assert best >= likelihood(pairs, Pool(dead, a, b)) - 0.01
    for _ in range(40):
        other = Pool(chance.random(), math.exp(chance.uniform(-3.5, 2.9)), math.exp(chance.uniform(-2.9, 9.5)))
        assert best >= likelihood(pairs, other) - 0.01
    assert found == fit(reversed(pairs))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 0.9), st.floats(0.3, 3), st.floats(5, 100), st.integers(12, 90))
def test_the_chance_is_that_of_the_model(dead: float, a: float, b: float, exposure: int) -> None:
    """By integrating over the rate instead of by the formula."""
    steps = [math.exp(-45 + 50 * i / 1500) for i in range(1500)]  # rates, evenly in their logarithm
    weight = [math.exp(a * math.log(x) - b * x) for x in steps]  # gamma density times x
    total = sum(weight)
    silent = sum(w * math.exp(-x * exposure) for w, x in zip(weight, steps, strict=True)) / total
    still = sum(w * math.exp(-x * (exposure + 30)) for w, x in zip(weight, steps, strict=True)) / total
    expected = (1 - dead) * (silent - still) / (dead + (1 - dead) * silent)
    assert Pool(dead, a, b).chance(exposure) == pytest.approx(expected, rel=0.02)


@given(st.floats(0.0, 0.95), st.floats(0.05, 5), st.floats(1, 300), st.sampled_from([0.005, 0.05, 0.3]))
def test_the_least_exposure_is_the_least(dead: float, a: float, b: float, limit: float) -> None:
    pool = Pool(dead, a, b)
    found = pool.exposure_for(limit)
    if found is None:
        assert pool.chance(20_000) > limit
    else:
        assert pool.chance(found) <= limit
        assert found == 0 or pool.chance(found - 1) > limit
