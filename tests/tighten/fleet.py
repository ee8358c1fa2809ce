"""A made-up fleet: agents that read and write a bucket, each in one of eight styles, and what none of them ever needs.

Seeded: the same numbers give the same fleet.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from uses import Use

EPOCH = date(1970, 1, 1)
BUCKET = "arn:aws:s3:::work/"
_SYLLABLES = ("ba", "co", "du", "fe", "gi", "ko", "lu", "mi", "no", "pe", "ra", "so", "ta", "vi", "we", "zu")
Day = Callable[[date, int, random.Random], Iterator[str]]


def word(chance: random.Random) -> str:
    """A name as people make them up."""
    return "".join(chance.choice(_SYLLABLES) for _ in range(chance.randrange(2, 5)))


def by_month(day: date, number: int, chance: random.Random) -> Iterator[str]:
    """raw/2026/09/inv-88020.pdf, and one file of settings."""
    for n in range(chance.randrange(2, 7)):
        yield f"raw/{day:%Y/%m}/inv-{88_000 + 10 * number + n}.pdf"
    yield "config/settings.json"


def by_day(day: date, number: int, chance: random.Random) -> Iterator[str]:
    """A file a day, its date in its name in two ways."""
    yield f"exports/{day:%Y-%m-%d}.csv"
    yield f"logs/app-{day:%Y%m%d}.log"


def by_uuid(day: date, number: int, chance: random.Random) -> Iterator[str]:
    """Jobs of random names, each with an input and an output."""
    for _ in range(chance.randrange(1, 4)):
        job = uuid.UUID(int=chance.getrandbits(128))
        yield f"jobs/{job}/in.json"
        yield f"jobs/{job}/out.json"


def by_version(day: date, number: int, chance: random.Random) -> Iterator[str]:
    """A folder a version, and a new version every fourteen days."""
    yield f"releases/v{7 + number // 14}/app.bin"
    yield f"releases/v{7 + number // 14}/notes.txt"


def by_customer(day: date, number: int, chance: random.Random) -> Iterator[str]:
    """Customers old and new: a new one every other day."""
    known = [word(random.Random(chance.random())) for _ in range(2)] if number % 2 == 0 else []
    for name in known:
        yield f"customers/{name}/statement.pdf"


def by_shard(day: date, number: int, chance: random.Random) -> Iterator[str]:
    """The same few places every day."""
    for shard in range(6):
        yield f"shards/{shard:02d}/state.json"
    yield f"lookup/{('rates', 'codes', 'zones')[number % 3]}.csv"


def by_partition(day: date, number: int, chance: random.Random) -> Iterator[str]:
    """Partitions as query engines name them."""
    for hour in (3, 9, 15, 21):
        yield f"events/dt={day:%Y-%m-%d}/hour={hour:02d}/part-{chance.randrange(4):04d}.parquet"


def by_period(day: date, number: int, chance: random.Random) -> Iterator[str]:
    """Daily work, a statement a month and a report a quarter."""
    yield f"ledger/{day:%Y}/{day:%B}/{day:%d}.csv".lower()
    if (day + timedelta(days=1)).day == 1:
        yield f"statements/{day:%Y-%m}.pdf"
        if day.month % 3 == 0:
            yield f"reports/{day:%Y}-Q{day.month // 3}.xlsx"


STYLES: tuple[Day, ...] = (by_month, by_day, by_uuid, by_version, by_customer, by_shard, by_partition, by_period)
ROOTS = ("raw", "exports", "jobs", "releases", "customers", "shards", "events", "ledger")


@dataclass(frozen=True)
class Agent:
    """One agent's uses, day by day from its first, and objects beside its work that it has no business with."""

    style: str
    days: tuple[tuple[Use, ...], ...]
    decoys: tuple[str, ...]


def fleet(seed: int, each: int, days: int) -> list[Agent]:
    """So many agents of each style, over so many days, no two of them starting on the same day."""
    found = []
    for place, style in enumerate(STYLES):
        for number in range(each):
            chance = random.Random(f"{seed} {style.__name__} {number}")
            first = date(2026, 2, 1) + timedelta(days=chance.randrange(60))
            told = []
            for n in range(days):
                day = first + timedelta(days=n)
                session = 1000 * place + n
                told.append(tuple((BUCKET + v, (day - EPOCH).days, session) for v in style(day, n + number, chance)))
            found.append(Agent(style.__name__, tuple(told), tuple(_decoys(ROOTS[place], first, chance))))
    return found


def _decoys(root: str, first: date, chance: random.Random) -> Iterator[str]:
    """Thirteen objects next to the work, at every level of it."""
    month = first + timedelta(days=40)
    yield from (
        f"arn:aws:s3:::work-private/{root}/{month:%Y/%m}/inv-88123.pdf",
        f"{BUCKET}{root}-restricted/{month:%Y/%m}/inv-88123.pdf",
        f"{BUCKET}{root}.env",
        f"{BUCKET}config/secrets.env",
        f"{BUCKET}config/prod.key",
        f"{BUCKET}payroll/{month:%Y/%m}/salaries.csv",
        f"{BUCKET}{root}/secrets.env",
        f"{BUCKET}{root}/hr/salaries.xlsx",
        f"{BUCKET}{root}/{month:%Y/%m}/credentials.json",
        f"{BUCKET}{root}/{word(chance)}/.ssh/id_rsa",
        f"{BUCKET}{root}/backup/all.zip",
        f"{BUCKET}{root}/admin/statement.pdf",  # no glob takes in new customers and leaves this out
        f"{BUCKET}backup/{root}/{month:%Y/%m}/inv-88123.pdf",
    )
