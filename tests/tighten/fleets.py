"""Made-up fleets whose future is known: steady, periodic, bursty and drifting agents, day by day.

Nothing of the program was tuned on them. `python tests/tighten/fleets.py` prints the table of docs/evidence.md.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tightener.tighten.evidence.calibration import calibrate
from tightener.tighten.evidence.gates import FEWEST_EXPOSURE
from tightener.tighten.evidence.peers import Peer, between
from tightener.tighten.evidence.verdict import HORIZON, Class

FIRST = 739_000  # some day
PERMISSIONS = 40
DEAD = 0.5
Days = set[int]


def steady(chance: random.Random, days: int) -> Days:
    """At random, from several times a day to once in years."""
    rate = 10 ** chance.uniform(-3.2, 0.3)
    return {day for day in range(days) if chance.random() < 1 - 2.718281828**-rate}


def periodic(chance: random.Random, days: int) -> Days:
    """A job every so many days, now and then a day late, sometimes left out."""
    period = chance.choice([1, 7, 7, 14, 30, 30, 91, 365])
    start = chance.randrange(period)
    return {day + chance.choice([0, 0, 1]) for day in range(start, days, period) if chance.random() < 0.95}


def bursty(chance: random.Random, days: int) -> Days:
    """Days of use in a row, then nothing for long."""
    found: Days = set()
    day = int(chance.expovariate(1 / 60))
    while day < days:
        length = 1 + int(chance.expovariate(1 / 4))
        found.update(range(day, min(days, day + length)))
        day += length + int(chance.expovariate(1 / 60))
    return found


def drifting(chance: random.Random, days: int) -> Days:
    """Used a lot in one project of some weeks, and then no more; which project is anybody's guess."""
    begin = chance.randrange(-60, days + 300)
    end = begin + int(chance.expovariate(1 / 45)) + 5
    return {day for day in range(max(0, begin), min(days, end)) if chance.random() < 0.4}


KINDS: dict[str, tuple[Callable[[random.Random, int], Days], ...]] = {
    "steady": (steady,),
    "periodic": (periodic,),
    "bursty": (bursty,),
    "drifting": (drifting,),
    "mixed": (steady, periodic, bursty, drifting),
}


def agent(chance: random.Random, kinds: tuple[Callable[[random.Random, int], Days], ...], days: int) -> Peer:
    """One agent, of one kind, with a share of dead permissions of its own, at work on most days."""
    kind, dead = chance.choice(kinds), min(0.95, max(0.05, chance.gauss(DEAD, 0.15)))
    granted = []
    for number in range(chance.randrange(PERMISSIONS // 4, PERMISSIONS)):
        used = set() if chance.random() < dead else kind(chance, days)
        level = ("Read", "Write", "List")[number % 3]
        granted.append((level, tuple(sorted(FIRST + day for day in used if day < days))))
    idle = chance.choice([0.0, 0.1, 0.3])
    at_work = {day for _, some in granted for day in some}
    at_work |= {FIRST + day for day in range(days) if chance.random() >= idle}
    return Peer(tuple(sorted(at_work)), tuple(granted))


@dataclass(frozen=True)
class Case:
    """One agent's grants of one class, as they were judged, and as it turned out."""

    kind: Class
    grants: int
    bound: float
    realised: float


def cases(name: str, seed: int, *, agents: int = 90, others: int = 40, window: int = 90) -> Iterator[Case]:
    """Judges `others` agents by the past of `agents` more, and looks what they used in the horizon that followed."""
    chance = random.Random(f"{name} {seed}")
    days = window + HORIZON
    fleet = [agent(chance, KINDS[name], days) for _ in range(agents + others)]
    first, after = FIRST, FIRST + window
    past = [
        Peer(
            tuple(d for d in p.active if d < after), tuple((s, tuple(d for d in u if d < after)) for s, u in p.granted)
        )
        for p in fleet[:agents]
    ]
    found = calibrate(past, first, after)
    assert found is not None
    for one in fleet[agents:]:
        exposure = one.exposure(first, after)
        unused = [(s, u) for s, u in one.granted if not between(u, first, after)]
        own: dict[Class, list[tuple[float, bool]]] = {}
        for stratum, used in unused if exposure >= FEWEST_EXPOSURE else ():
            p = found.pools.pool(stratum).chance(exposure)
            own.setdefault(found.limits.sorted(p), []).append((p, between(used, after, after + HORIZON) > 0))
        for kind, some in own.items():
            bound = found.realised[kind].bound(sum(p for p, _ in some) / len(some))
            if bound is not None:
                yield Case(kind, len(some), bound, sum(was for _, was in some) / len(some))


def main() -> None:
    """The table: for each kind of fleet, how often the bound held, the median bound and the realised rate beside it."""
    print("fleet      class      window  cases  held   median bound  realised (mean)  largest")
    for window in (90, 180):
        for name in KINDS:
            found = [case for seed in range(10) for case in cases(name, seed, window=window)]
            for kind in Class:
                some = [c for c in found if c.kind is kind]
                if some:
                    held = sum(c.realised <= c.bound for c in some) / len(some)
                    bound = statistics.median(c.bound for c in some)
                    rate = sum(c.realised * c.grants for c in some) / sum(c.grants for c in some)
                    print(
                        f"{name:<10} {kind:<10} {window:>6} {len(some):>6} {held:>5.1%} {bound:>14.1%} {rate:>16.2%} "
                        f"{max(c.realised for c in some):>8.0%}"
                    )


if __name__ == "__main__":
    main()
