"""The verdict on one unexercised grant: gates first, then protection by rhythm, then what the fleet's past says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from tightener.logs.fleet import Fleet, Permission
from tightener.model import AgentPolicy, Window
from tightener.tighten.evidence import gates
from tightener.tighten.evidence.calibration import FEWEST_AGENTS, Calibration, calibrate
from tightener.tighten.evidence.gates import Needs, Record
from tightener.tighten.evidence.peers import peers, stratum
from tightener.tighten.evidence.periods import QUARTER, YEAR, Period, protected_until, rhythm
from tightener.tighten.evidence.verdict import HORIZON, Class, Verdict, wanting
from tightener.tighten.wording import count

_check = lru_cache(maxsize=256)(gates.check)  # the grants of one service share their record
_suffices = lru_cache(maxsize=256)(gates.suffices)


@dataclass(frozen=True, slots=True)
class Unused:
    """One grant without use in the window."""

    permission: Permission
    observed: tuple[bool, ...]  # day by day: could a fully read source have shown it?
    since: date | None
    earlier: tuple[int, ...]  # days (ordinals) before the window on which it may have been used, sorted
    may_ask: bool  # it can be made to need approval: it does not yet, and no other use would have to ask with it


@dataclass(frozen=True, slots=True)
class Judge:
    """Everything that verdicts on one agent's grants go by, besides the grants."""

    agent: str
    window: Window
    asked_days: int  # --window
    age: int  # days that a grant must have stood
    active: tuple[bool, ...]  # days of the window on which the agent did anything
    agents: int  # other agents of the policies that the logs know
    calibration: Calibration | None
    own: frozenset[Period]  # the long rhythms of its own use
    others: Mapping[Permission, Sequence[tuple[int, ...]]]  # on which days others used what

    @property
    def uncalibrated(self) -> str:
        """Why the fleet's past gives no probability, in words; '' where it does."""
        if self.calibration is not None:
            return ""
        if self.agents < FEWEST_AGENTS:
            others = f"{count(self.agents, 'other')}, {FEWEST_AGENTS} needed"
            return f"too few agents to calibrate a probability ({others})"
        return "too little use by other agents to calibrate a probability"

    def verdict(self, one: Unused) -> Verdict:
        """The class of a grant, and what it rests on."""
        record = Record(self.window.first, one.observed, self.active, one.since)
        needs = self._needs(one.permission)
        checked = _check(record, needs)
        missing = list(checked.missing(needs))
        kind, chance = Class.REMOVE, None
        if self.calibration is not None:
            pool = self.calibration.pools.pool(stratum(*one.permission))
            chance = pool.chance(checked.exposure)
            limits = self.calibration.limits
            kind = limits.sorted(chance)
            if kind is Class.KEEP or (kind is Class.ASK_FIRST and not one.may_ask):
                limit = max(limits.ask, limits.remove) if one.may_ask else limits.remove
                few = f"{limit:.1%} are few enough" if limit > 0 else "its own past did not bear such estimates out"
                missing.append(f"by the fleet {chance:.1%} of such grants are used within {HORIZON} days; {few}")
                needs = gates.with_exposure(needs, pool.exposure_for(limit))
        day, longer = _suffices(record, needs, self.asked_days) if missing else (self.window.last, None)
        until, period = protected_until(one.earlier) or (self.window.first, None)
        if period is not None and until >= self.window.last:
            missing.append(f"used {period.name} until {date.fromordinal(one.earlier[-1])}")
            day = max(day, until + timedelta(days=1)) if day else None
        return Verdict(
            kind=Class.KEEP if missing else kind,
            exposure=checked.exposure,
            age=checked.age,
            calendar=checked.calendar,
            alone=gates.alone(checked.exposure),
            pooled=chance,
            missing=tuple(missing),
            suffices=day if missing else None,
            window=longer,
        )

    def lacking(self, permission: Permission, observed: tuple[bool, ...], since: date | None) -> str:
        """What the gates miss before anything may be taken from a grant that is in use, in words; '' = nothing.

        Narrowing is the removal of the difference (docs/policy-semantics.md, section 5), so it passes the same gates.
        """
        record, needs = Record(self.window.first, observed, self.active, since), self._needs(permission)
        missing = _check(record, needs).missing(needs)
        return wanting(missing, *_suffices(record, needs, self.asked_days)) if missing else ""

    def _needs(self, permission: Permission) -> Needs:
        """Quarter-ends and a year-end only where the agent, or another user of this permission, is known for them."""
        known = self.own | _long_rhythms(tuple(self.others.get(permission, ())))
        return Needs(
            age=self.age,
            quarter_ends=gates.QUARTER_ENDS if QUARTER in known else 0,
            year_ends=gates.YEAR_ENDS if YEAR in known else 0,
        )


@lru_cache(maxsize=4096)
def _long_rhythms(uses: tuple[tuple[int, ...], ...]) -> frozenset[Period]:
    """The rhythms of a quarter or a year among these uses (days of each, sorted)."""
    long = (days for days in uses if days and days[-1] - days[0] >= QUARTER.days)  # a shorter time can hold no three
    return frozenset(period for period in map(rhythm, long) if period in (QUARTER, YEAR))


def judge(
    fleet: Fleet, policies: Iterable[AgentPolicy], agent: str, window: Window, asked_days: int, min_age: int
) -> Judge:
    """Makes the judge of one agent from what the fleet did and what the policies grant.

    A minimum age of 0 days (`--min-age 0d`) switches this gate of age off, too.
    """
    first, after = window.first.toordinal(), window.last.toordinal() + 1
    at_work = set(fleet.active.get(agent, ()))
    known = peers(policies, fleet, agent)
    others: dict[Permission, list[tuple[int, ...]]] = {}
    for name, used in fleet.used.items():
        for permission, days in used.items() if name != agent else ():
            others.setdefault(permission, []).append(days)
    return Judge(
        agent=agent,
        window=window,
        asked_days=asked_days,
        age=gates.FEWEST_AGE if min_age else 0,
        active=tuple(day in at_work for day in range(first, after)),
        agents=len(known),
        calibration=calibrate(known, first, after),
        own=_long_rhythms(tuple(fleet.used.get(agent, {}).values())),
        others=others,
    )
