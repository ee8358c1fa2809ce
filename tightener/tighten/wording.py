"""Short phrases that every edit kind uses in its reasons."""

from __future__ import annotations

from collections.abc import Sequence

from tightener.tighten.grants import Grant


def listing(items: Sequence[str], most: int = 4) -> str:
    """`a`, `b` and 3 more."""
    shown = ", ".join(f"`{item}`" for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def count(number: int, noun: str) -> str:
    """1 action, 2 actions."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def unused(grants: Sequence[Grant], window_days: int) -> str:
    """Why an action goes: what was looked at and what was found."""
    observed = min(g.observed_days for g in grants)
    span = f"{observed} of {window_days}" if observed < window_days else f"all {window_days}"
    return f"no use on {span} days, each of them fully logged"


def scope(resources: Sequence[str] | None, branches: Sequence[str] | None) -> str:
    """Where a rule part applies, in words."""
    where = "any resource" if resources is None else listing(resources)
    return where if branches is None else f"{where}, branches {listing(branches)}"
