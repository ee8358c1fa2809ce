"""What each run found, kept in the database: one row an agent and a last logged day.

The day is the logs', not the clock's: a run without new logs replaces its own rows by equal ones, so that the pages
made from them stay the same, byte for byte.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import duckdb

from tightener.report.fleet import Finding
from tightener.resources import query


def trend(con: duckdb.DuckDBPyConnection, policies: Collection[str], days: int, until: date) -> tuple[Finding, ...]:
    """What was found about the agents of these policy files on windows of `days` days, oldest first, up to `until`."""
    inputs = {"policies": sorted(policies), "days": days, "until": until}
    return tuple(Finding(*row) for row in con.execute(query("trend"), inputs).fetchall())


def remember(con: duckdb.DuckDBPyConnection, found: Sequence[Finding], days: int) -> bool:
    """Keeps what a run found, instead of what was found about the same policy files up to the same day.

    In: one finding an agent, all up to the same day. Out: whether that was news; where it was not, nothing is written.
    Whole or not at all.
    """
    if not found:
        return False
    day = found[0].day
    policies = {one.policy for one in found}
    kept = {one for one in trend(con, policies, days, day) if one.day == day}
    if kept == set(found):
        return False
    con.begin()
    try:
        con.execute(
            "DELETE FROM finding WHERE day = ? AND days = ? AND list_contains(?, policy)", [day, days, sorted(policies)]
        )
        con.executemany(f"INSERT INTO finding VALUES ({', '.join('?' * 15)})", [_row(one, days) for one in found])  # noqa: S608 - placeholders only
        con.commit()
    except BaseException:
        con.rollback()
        raise
    return True


def _row(one: Finding, days: int) -> list[object]:
    counts = [one.granted, one.exercised, one.unused, one.unobservable, one.cannot_tell, one.excepted]
    judged = [one.score, one.proposed_score, one.weight, one.suggestions, one.state]
    return [one.day, days, one.policy, one.agent, *counts, *judged]
