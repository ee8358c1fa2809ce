"""Which of an agent's runs belong to which of its jobs: as people name them, or as the gateway says whom a run is for.

A session is one run. What tells a job is a pattern over the session and over what the gateway calls `on_behalf_of`, or
without patterns the latter alone (docs/jobs.md).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from tightener.logs.fleet import Fleet, made
from tightener.logs.usage import bounds, inputs_of
from tightener.model import Window
from tightener.policy.patterns import to_like
from tightener.resources import query

JOB_KEYS = ("session", "on_behalf_of")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_LONGEST = 40  # characters of a name that is made of a logged text


@dataclass(frozen=True, slots=True)
class Started:
    """Patterns that a run of a job matches, both of them."""

    session: str = "*"
    on_behalf_of: str = "*"  # an absent one is the empty string


@dataclass(frozen=True, slots=True)
class Share:
    """How much of an agent's exercised use in a window something stands for."""

    sessions: int = 0
    days: int = 0
    uses: int = 0


@dataclass(frozen=True, slots=True)
class Shares:
    """An agent's use, job by job. A session of several jobs counts for each of them, so the sum may exceed the use."""

    jobs: Mapping[str, Share]
    none: Share  # sessions that belong to no job
    any: Share  # lines that do not tell their run: they count for every job
    several: Share  # sessions of more than one job, counted for each


def names(values: Iterable[str]) -> dict[str, str]:
    """A job's name for each text that a log calls the cause of a run: what follows the dot in the agent's name.

    Letters, digits, `_` and `-`; every other run of characters becomes one `-`. Names that are equal but for their
    case, and those that had to be cut or hold nothing of their text, end with six digits of the text's hash.
    """
    distinct = sorted(set(values))
    plain = {value: re.sub(r"[^A-Za-z0-9_]+", "-", value).strip("-_") for value in distinct}
    often = Counter(name.lower()[:_LONGEST] for name in plain.values())
    hashed = {value: hashlib.sha256(value.encode()).hexdigest() for value in distinct}
    found = {}
    for value, name in plain.items():
        short = name[:_LONGEST].strip("-_")
        alone = bool(name) and len(name) <= _LONGEST and often[name.lower()] == 1
        found[value] = name if alone else f"{short or 'job'}-{hashed[value][:6]}"
    # a text may have been written to look like another's name
    often = Counter(name.lower() for name in found.values())
    return {value: name if often[name.lower()] == 1 else f"job-{hashed[value]}" for value, name in found.items()}


def told(con: duckdb.DuckDBPyConnection, agent: str, window: Window) -> list[str]:
    """For whom or what the agent's runs in the window were started, where the gateway says so; sorted."""
    return [value for (value,) in con.execute(query("on_behalf_of"), inputs_of(agent, window)).fetchall()]


def assign_named(
    con: duckdb.DuckDBPyConnection, agent: str, window: Window, jobs: Mapping[str, Sequence[Started]]
) -> None:
    """Make the temp table `session_job` from patterns, the first job that fits first. After logs.usage.collect."""
    rows = [(job, to_like(p.session), to_like(p.on_behalf_of)) for job, every in jobs.items() for p in every]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(("job", "session", "behalf"))}
    con.execute(
        "CREATE OR REPLACE TEMP TABLE job_pattern AS SELECT generate_subscripts($job::VARCHAR[], 1) AS nr, "
        "unnest($job::VARCHAR[]) AS job, unnest($session::VARCHAR[]) AS session_like, "
        "unnest($behalf::VARCHAR[]) AS behalf_like",
        columns,
    )
    con.execute(query("session_job_named"), {"agent": agent, "after": bounds(window)[1]})


def assign_told(con: duckdb.DuckDBPyConnection, agent: str, window: Window, jobs: Mapping[str, str]) -> None:
    """Make the temp table `session_job` from what runs were started for (on_behalf_of -> job)."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE job_name AS "
        "SELECT unnest($said::VARCHAR[]) AS on_behalf_of, unnest($job::VARCHAR[]) AS job",
        {"said": list(jobs), "job": list(jobs.values())},
    )
    con.execute(query("session_job_told"), {"agent": agent, "after": bounds(window)[1]})


def shares(con: duckdb.DuckDBPyConnection, agent: str, window: Window) -> Shares:
    """How much of the agent's use belongs to which job. After `assign_*`, before `narrow`."""
    rows = con.execute(query("job_use"), inputs_of(agent, window)).fetchall()
    found = {(whose, job): Share(sessions, days, uses) for whose, job, sessions, days, uses in rows}
    kinds = {whose: found.get((whose, ""), Share()) for whose in ("none", "any", "several")}
    return Shares({job: share for (whose, job), share in found.items() if whose == "job"}, **kinds)


def narrow(con: duckdb.DuckDBPyConnection, agent: str, window: Window, job: str) -> None:
    """From here on `own_event` and `request` are about one job of the agent, until logs.usage.collect is called."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE job_session AS "
        "SELECT session, bool_or(job = $job) AS ours FROM session_job GROUP BY session",
        {"job": job},
    )
    con.execute(query("own_event_of_job"))
    con.execute(query("request"), inputs_of(agent, window))


def fleet_with(con: duckdb.DuckDBPyConnection, of: Fleet, agent: str, window: Window) -> Fleet:
    """The fleet in which the agent is the job alone that `narrow` was called for: its days at work, its use."""
    own = made(con.execute(query("job_days"), {"agent": agent, "after": bounds(window)[1]}).fetchall())
    return Fleet(
        {**of.active, agent: own.active.get(agent, ())},
        {**of.used, agent: own.used.get(agent, {})},
    )
