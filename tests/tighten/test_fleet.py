"""A fleet learnt on its first days and tested on the days after them, beside what simpler rules would do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from os.path import commonprefix

from fleet import BUCKET, Agent, fleet
from uses import collect, glob

from tightener.tighten.generalise import Reason, reasons
from tightener.tighten.pieces import UNSURE
from tightener.tighten.segments import Seen

GRANTED = ("arn:aws:s3:::work*",)
EACH, DAYS = 6, 120
Learn = Callable[[Sequence[Seen]], Sequence[str]]


@cache
def agents() -> list[Agent]:
    return fleet(seed=7, each=EACH, days=DAYS)


def learnt(seen: Sequence[Seen]) -> tuple[Reason, ...]:
    found = reasons("aws", "resource", seen, GRANTED)
    assert found is not None
    return found


def ours(seen: Sequence[Seen]) -> list[str]:
    return [one.pattern for one in learnt(seen)]


def exact(seen: Sequence[Seen]) -> list[str]:
    return [one.value for one in seen]


def longest_prefix(seen: Sequence[Seen]) -> list[str]:
    return [commonprefix([one.value for one in seen]) + "*"]


@dataclass
class Score:
    """Of the events behind the training days, and of the decoys."""

    events: int = 0
    refused: list[tuple[Agent, str]] = field(default_factory=list)
    decoys: int = 0
    reached: list[tuple[str, str]] = field(default_factory=list)
    patterns: int = 0

    @property
    def refused_share(self) -> float:
        return len(self.refused) / self.events

    @property
    def reached_share(self) -> float:
        return len(self.reached) / self.decoys


def measure(learn: Learn, trained: int, tested: int) -> Score:
    score = Score()
    for agent in agents():
        patterns = learn(collect(use for day in agent.days[:trained] for use in day))
        score.patterns += len(patterns)
        known = set(patterns)
        wild = [p for p in patterns if "*" in p or "?" in p]

        def allowed(value: str, known: set[str] = known, wild: list[str] = wild) -> bool:
            return value in known or any(glob(p, value) for p in wild)

        for value, _, _ in (use for day in agent.days[trained : trained + tested] for use in day):
            score.events += 1
            if not allowed(value):
                score.refused.append((agent, value))
        score.decoys += len(agent.decoys)
        score.reached += [(agent.style, decoy) for decoy in agent.decoys if allowed(decoy)]
    return score


def table(trained: int, tested: int) -> dict[str, Score]:
    """The same table for every rule; `pytest -s` shows it."""
    scores = {learn.__name__: measure(learn, trained, tested) for learn in (ours, exact, longest_prefix)}
    print(f"\n{'learnt on ' + str(trained) + ' days':<20} refused  decoys  patterns an agent")
    for name, one in scores.items():
        each = one.patterns / len(agents())
        print(f"{name:<20} {one.refused_share:7.2%} {one.reached_share:7.2%} {each:7.1f}")
    return scores


def test_sixty_days_allow_the_sixty_after_them_and_no_decoys() -> None:
    scores = table(60, 60)
    assert scores["exact"].refused_share >= 0.5
    assert scores["longest_prefix"].reached_share >= 0.3
    assert scores["ours"].refused_share <= 0.01, {(a.style, v) for a, v in scores["ours"].refused}
    assert scores["ours"].reached_share <= 0.01, scores["ours"].reached
    assert scores["ours"].patterns <= 6 * len(agents())


def test_what_twenty_days_cannot_tell_is_said_to_be_insufficient() -> None:
    score = table(20, 60)["ours"]
    assert score.refused_share <= 0.15
    for agent, value in score.refused:
        seen = collect(use for day in agent.days[:20] for use in day)
        unsure = [one.pattern for one in learnt(seen) if one.why in UNSURE]
        folder = value[: value.index("/", len(BUCKET)) + 1]
        if not any(one.value.startswith(folder) for one in seen):
            continue  # month-end came later than these twenty days: the log says nothing of it at all
        assert any(re.sub("[0-9]+", "0", p) == re.sub("[0-9]+", "0", value) for p in unsure), (value, unsure)


def test_the_monthly_and_the_quarterly_name_is_never_a_literal() -> None:
    """However few days were seen: what follows the calendar is allowed in the next period, too."""
    for trained in (5, 10, 20, 35, 60, 90):
        for agent in agents():
            if agent.style not in {"by_month", "by_day", "by_partition", "by_period"}:
                continue
            seen = collect(use for day in agent.days[:trained] for use in day)
            patterns = ours(seen)
            forms = {re.sub("[0-9]+", "0", one.value) for one in seen}
            for value, _, _ in (use for day in agent.days[trained:] for use in day):
                if re.sub("[0-9]+", "0", value) in forms:
                    assert any(glob(p, value) for p in patterns), (trained, value, patterns)


def test_the_fleet_itself() -> None:
    again = fleet(seed=7, each=EACH, days=DAYS)
    assert again == agents()
    assert len({agent.style for agent in again}) == 8
    for agent in again:
        used = {value for day in agent.days for value, _, _ in day}
        assert not used & set(agent.decoys)
        assert all(value.startswith(BUCKET) for value in used)
