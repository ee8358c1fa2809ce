"""Short phrases that every edit kind uses in its reasons."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tightener.tighten.grants import Grant

RATE_DAYS = 14  # fewer days say nothing of an average week


def listing(items: Sequence[str], most: int = 4) -> str:
    """`a`, `b` and 3 more."""
    shown = ", ".join(f"`{item}`" for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def count(number: int, noun: str) -> str:
    """1 action, 2 actions."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def there_are(number: int) -> str:
    """there is 1, there are 2."""
    return f"there {'is' if number == 1 else 'are'} {number:,}"


def weekly(number: int, days: int) -> str:
    """How often in an average week, as a number; '' where that is less than once, or where the days are too few."""
    rate = 7 * number / days
    return f"{rate:,.0f}" if days >= RATE_DAYS and rate >= 1 else ""


def unused(grants: Sequence[Grant], window_days: int) -> str:
    """Why an action goes: what was looked at and what was found."""
    observed = min(g.observed_days for g in grants)
    span = f"{observed} of {window_days}" if observed < window_days else f"all {window_days}"
    return f"no use on {span} days, each of them fully logged"


def facts(grants: Sequence[Grant]) -> dict[str, object]:
    """What the removal of these grants rests on, for a suggestion's evidence: that of the weakest of them."""
    found: dict[str, object] = {"observed_days": min(g.observed_days for g in grants)}
    verdicts = [g.verdict for g in grants if g.verdict]
    if verdicts:
        weakest = min(verdicts, key=lambda v: v.exposure)
        found["exposure_days"] = weakest.exposure
        found["calendar"] = ", ".join(map(str, weakest.calendar))
        found["log_alone"] = math.ceil(weakest.alone * 1000) / 1000  # a bound: never rounded down
        chances = [v.pooled for v in verdicts if v.pooled is not None]
        found["pooled"] = round(max(chances), 4) if chances else None
    return found


def scope(resources: Sequence[str] | None, branches: Sequence[str] | None) -> str:
    """Where a rule part applies, in words."""
    where = "any resource" if resources is None else listing(resources)
    return where if branches is None else f"{where}, branches {listing(branches)}"
