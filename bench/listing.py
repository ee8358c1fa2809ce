"""Simulates listing a trail's bucket and fetching its objects, for buckets that are too large to try (docs/scale.md).

    python bench/listing.py [--objects N] [--fetchers N] [--cores N] [...]

Nothing is contacted. The loop is the program's own (logs/s3): one thread lists pages, keeps `--ahead` objects known or
on their way, takes them in order, and reads a batch of them with all cores while the others arrive. What is assumed of
S3 and of the machine are the options, and they are printed. Only the first `--sample` objects are simulated, and the
rest is in proportion: the answer is that of the steady state.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections import deque
from dataclasses import dataclass

ASSUMED = (
    ("objects", 100_000_000, "log files in the bucket"),
    ("kilobytes", 12, "mean size of an object, compressed"),
    ("records", 40, "mean number of records of an object"),
    ("page", 1_000, "keys of one answer to LIST"),
    ("list_ms", 80, "median time of one LIST"),
    ("get_ms", 30, "median time to an object's first byte"),
    ("megabytes", 100, "a second that the network brings in all"),
    ("fetchers", 32, "objects that are fetched side by side"),
    ("ahead", 2_048, "objects that are known, or on their way"),
    ("batch", 4_000, "objects that are read in one go"),
    ("cores", 2, "that read"),
    ("speed", 80_000, "records that one core reads in a second"),
    ("sample", 400_000, "objects that are simulated"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds in all, and of them those with nothing to do but wait for a LIST, for an object, and those of reading."""

    seconds: float
    listing: float
    waiting: float
    reading: float
    lists: int


def simulate(given: argparse.Namespace, chance: random.Random) -> Outcome:
    """`given` has an integer for each name of ASSUMED; only `sample` objects are gone through."""
    fetchers = [0.0] * given.fetchers  # when each is free again
    coming: deque[tuple[float, float]] = deque()  # when an object is there, and its share of the mean size
    now = listing = waiting = reading = held = work = 0.0
    lists = known = page = 0
    network = given.megabytes * 1024 / given.fetchers  # kilobytes a second for one of them
    while coming or known < given.sample:
        while len(coming) < given.ahead and known < given.sample:
            if not page:
                taken = chance.lognormvariate(0, 0.4) * given.list_ms / 1000
                now, listing, lists, page = now + taken, listing + taken, lists + 1, given.page
            size = chance.lognormvariate(-0.5, 1)  # of the mean 1: most are small, a few are large
            taken = chance.lognormvariate(0, 0.4) * given.get_ms / 1000 + size * given.kilobytes / network
            there = max(now, heapq.heappop(fetchers)) + taken
            heapq.heappush(fetchers, there)
            coming.append((there, size))
            known, page = known + 1, page - 1
        there, size = coming.popleft()
        waiting += max(0.0, there - now)
        now = max(now, there)
        held, work = held + 1, work + size
        if held == given.batch or not coming:
            taken = work * given.records / given.speed / given.cores
            now, reading, held, work = now + taken, reading + taken, 0, 0.0
    return Outcome(now, listing, waiting, reading, lists)


def main() -> None:
    """Prints what is assumed and what comes of it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default, what in ASSUMED:
        options.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"{what} ({default:,})")
    given = options.parse_args()
    for name, _, what in ASSUMED:
        print(f"{getattr(given, name):>14,}  {what}")
    found = simulate(given, random.Random(1))
    times = given.objects / given.sample
    print(f"\n{found.seconds * times / 3600:14,.1f}  hours for {given.objects:,} objects")
    for part, what in ((found.listing, "listing"), (found.waiting, "waiting for objects"), (found.reading, "reading")):
        print(f"{part / found.seconds:14.0%}  of them {what}")
    print(f"{found.lists * times:14,.0f}  LIST requests")
    print(f"{given.objects:14,}  GET requests")


if __name__ == "__main__":
    main()
