"""What the uses of one grant say about the wildcards of its rule, for whoever asks why they stay or go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

from tightener.resources import query
from tightener.tighten.compare import Comparison
from tightener.tighten.generalise import Reason, clipped, cover, staying
from tightener.tighten.grants import Grant
from tightener.tighten.segments import Seen


@dataclass(frozen=True, slots=True)
class Because:
    """The distinct values that a grant was used on, how many of them were new in the window's second half, and what
    they alone would leave of the granted patterns. (The rule holds what all of its actions need.)"""

    values: int
    late: int
    reasons: tuple[Reason, ...]


def because(con: duckdb.DuckDBPyConnection, comparison: Comparison, grant: Grant) -> dict[str, Because]:
    """Dimension ("resource", "branch") -> what this grant's uses say of it.

    Only where its rule has a wildcard, or no list at all, and its uses name something. In: `owner` and `touched` as the
    comparison left them; leaves `value_seen` behind.
    """
    con.execute(query("values"))
    window = comparison.terms.window
    middle = (window.first - date(1970, 1, 1)).days + window.days // 2
    found = {}
    for dimension, patterns in (("resource", grant.rule.body.resources), ("branch", grant.rule.body.branches)):
        granted = ("*",) if patterns is None else patterns
        rows = con.execute(
            "SELECT value, first_day, last_day, session, days FROM value_seen "
            "WHERE rule = ? AND action = ? AND dimension = ? ORDER BY value",
            [grant.rule.index, grant.action, dimension],
        ).fetchall()
        values = [Seen(*row) for row in rows]
        if any(one.value for one in values) and any({"*", "?"} & set(pattern) for pattern in granted):
            every = cover(grant.rule.service, dimension, values) or []
            made = (clipped(every, values, granted) if every else None) or tuple(staying(every, granted).values())
            found[dimension] = Because(len(values), sum(one.first >= middle for one in values), made)
    return found
