"""Simulates listing a trail's bucket and fetching its objects, for buckets that are too large to try (docs/scale.md).

    python bench/listing.py [--objects N] [--accounts N] [--regions N] [--days N] [--fetchers N] [--cores N] [...]

Nothing is contacted. A folder is one account, region and day; its pages are listed one after the other, the objects of a
page are fetched by `--fetchers` side by side and read by `--cores`, and no page is listed while more than `--ahead`
objects wait to be read. What is assumed of S3 and of the machine are the options, and they are printed. Of many equal
folders only `--sample` are simulated, and the rest is in proportion: so the answer is that of the steady state.
"""

from __future__ import annotations

import argparse
import heapq
import random
from dataclasses import dataclass

ASSUMED = (
    ("objects", 100_000_000, "log files in the bucket"),
    ("days", 365, "that they cover"),
    ("accounts", 200, "of the organisation"),
    ("regions", 17, "of each account"),
    ("kilobytes", 12, "mean size of an object, compressed"),
    ("records", 25, "mean number of records of an object"),
    ("page", 1_000, "keys that one answer to LIST holds at most"),
    ("list_ms", 80, "median time of one LIST"),
    ("get_ms", 30, "median time to an object's first byte"),
    ("megabytes", 100, "a second that the network brings in all"),
    ("fetchers", 16, "objects that are fetched side by side"),
    ("cores", 2, "that read"),
    ("speed", 100_000, "records that one core reads in a second"),
    ("ahead", 4_000, "objects that may be known and not yet read"),
    ("sample", 3_000, "folders that are simulated"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds from the first LIST to the last record; requests; the most objects known and not read at one time."""

    seconds: float
    lists: int
    gets: int
    waiting: int
    listing: float  # seconds in which a LIST was under way
    reading: float  # seconds of core


def simulate(given: argparse.Namespace, chance: random.Random) -> Outcome:
    """`given` has an integer for each name of ASSUMED; only its folders `sample` are gone through."""
    folders = given.accounts * given.regions * given.days
    each, rest = divmod(given.objects, folders)
    fetchers, cores = [0.0] * given.fetchers, [0.0] * given.cores
    unread: list[float] = []  # when each known object will have been read
    now = listing = reading = 0.0
    lists = gets = waiting = 0
    network = given.megabytes * 1024 / given.fetchers  # kilobytes a second for one of them
    for folder in range(min(given.sample, folders)):
        left = each + (folder * folders // min(given.sample, folders) < rest)
        while True:
            while unread and (unread[0] <= now or len(unread) > given.ahead):
                now = max(now, heapq.heappop(unread))
            taken = chance.lognormvariate(0, 0.4) * given.list_ms / 1000
            now, listing, lists = now + taken, listing + taken, lists + 1
            for _ in range(min(left, given.page)):
                size = chance.lognormvariate(-0.5, 1)  # of the mean 1: most are small, a few are large
                wait = chance.lognormvariate(0, 0.4) * given.get_ms / 1000 + size * given.kilobytes / network
                fetched = max(now, heapq.heappop(fetchers)) + wait
                heapq.heappush(fetchers, fetched)
                work = size * given.records / given.speed
                end = max(fetched, heapq.heappop(cores)) + work
                heapq.heappush(cores, end)
                heapq.heappush(unread, end)
                gets, reading = gets + 1, reading + work
            waiting = max(waiting, len(unread))
            left -= min(left, given.page)
            if not left:
                break
    return Outcome(max(now, *cores), lists, gets, waiting, listing, reading)


def main() -> None:
    """Prints what is assumed and what comes of it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default, what in ASSUMED:
        options.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"{what} ({default:,})")
    given = options.parse_args()
    for name, _, what in ASSUMED:
        print(f"{getattr(given, name):>14,}  {what}")
    found = simulate(given, random.Random(1))  # noqa: S311 - a simulation
    folders = given.accounts * given.regions * given.days
    times = folders / min(given.sample, folders)
    hours = found.seconds * times / 3600
    print(f"\n{hours:14,.1f}  hours for {given.objects:,} objects in {folders:,} folders")
    print(f"{found.listing / found.seconds:14.0%}  of them with a LIST under way")
    print(f"{found.reading / found.seconds / given.cores:14.0%}  of the cores' time spent reading")
    print(f"{found.lists * times:14,.0f}  LIST requests")
    print(f"{found.gets * times:14,.0f}  GET requests")
    print(f"{found.waiting:14,}  objects known and not yet read, at most")


if __name__ == "__main__":
    main()
