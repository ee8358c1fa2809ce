"""The whole program on a small case: a policy's text and a log in, the proposal out."""

from __future__ import annotations

import functools
import sys
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import duckdb
from small_cases import DAYS, MORNING, Event

from tightener import pipeline
from tightener.config import Config
from tightener.logs import store
from tightener.pipeline import Project
from tightener.policy import diff, document
from tightener.policy.document import PolicySet
from tightener.results import Proposal
from tightener.tighten.evidence import judge as evidence_judge
from tightener.tighten.evidence.calibration import Calibration, Limits, Pools, Realised
from tightener.tighten.evidence.judge import Judge, judge
from tightener.tighten.evidence.pooling import Pool
from tightener.tighten.evidence.verdict import Class

INSERT = (
    "INSERT INTO event SELECT 1, unnest($position), 0, 'gateway', unnest($native_id), unnest($time), unnest($agent), "
    "'', unnest($session), unnest($service), unnest($action), unnest($resource), unnest($branch), unnest($partial), "
    "unnest($outcome), 'allow', NULL, '', false, false, true, 0"
)


@cache
def database(*, optimised: bool) -> duckdb.DuckDBPyConnection:
    """A database that has seen every day, through one line of another agent and service a day; one for all cases.

    Most of the time of a query over a hundred rows goes into planning it, so a plain run leaves its plan as it stands.
    """
    diff.top_level = functools.cache(diff.top_level)  # the repository does not move: ask git once, not for every case
    con = store.open(None)
    con.execute("SET threads = 1")
    if not optimised:
        con.execute("PRAGMA disable_optimizer")
    con.execute(
        "INSERT INTO log_file VALUES (1, 'f', 'gateway', 'gateway', 0, '', 0, 0, 0, 0, 0, NULL, NULL, '', "
        "TIMESTAMP '2026-11-16')"
    )
    beats = [Event(s, "heartbeat", "", "", "used", "", day) for s in ("git", "stripe") for day in range(DAYS)]
    insert(con, list(enumerate(beats)), "beat")
    work = [
        Event("git", "heartbeat", "", "", "refused", "", day) for day in range(DAYS)
    ]  # the agent is there every day
    for agent in ("a", "b"):  # `b` has the log of `a` in another shape
        insert(con, list(enumerate(work, len(beats))), agent)
    return con


def insert(con: duckdb.DuckDBPyConnection, log: list[tuple[int, Event]], agent: str) -> None:
    """The log as rows of `event`, in this order; its number gives an event its id and its time of day."""
    if log:
        con.execute(
            INSERT,
            {
                "position": list(range(len(log))),
                "native_id": [f"{agent}{number}" for number, _ in log],
                "time": [MORNING + timedelta(days=event.day, seconds=number) for number, event in log],
                "agent": [agent] * len(log),
                "session": [f"s{number % 5}" for number, _ in log],
                "service": [event.service for _, event in log],
                "action": [event.action for _, event in log],
                "resource": [event.resource for _, event in log],
                "branch": [event.branch for _, event in log],
                "partial": [event.hidden for _, event in log],
                "outcome": [event.outcome for _, event in log],
            },
        )


OPTIMISED = "thorough" in sys.argv


EVIDENCE = ("plain", "plain", "young", "fleet")  # enough; granted too short a time; sorted into all three classes


def fleet_judge(*given: Any) -> Judge:
    """A judge whose fleet finds some actions fit for removal, some for approval and some for neither."""
    seldom, rarely, often = (Pool(dead=dead, a=0.5, b=10.0) for dead in (0.999, 0.8, 0.1))
    sure = Realised(agents=100, grants=1000, used=0, upper=0.003, correction=0.0)
    calibration = Calibration(100, Pools(rarely, {}), Limits(), dict.fromkeys(Class, sure))
    assert [calibration.limits.sorted(pool.chance(DAYS)).value for pool in (seldom, rarely, often)] == list(Class)
    by_action = {"clone": seldom, "pull": seldom, "fetch": rarely, "push": rarely, "other": often}
    by_action |= {"invoices:read": seldom, "invoices:create": rarely, "invoices:write": rarely}
    evidence_judge.stratum = lambda service, action: action
    return replace(judge(*given), calibration=replace(calibration, pools=Pools(often, by_action)))


def tightened(text: str, log: list[tuple[int, Event]], evidence: str = "plain") -> Proposal:
    """The whole program on this policy and these numbered events. It leaves the database as it was."""
    pipeline.judge = fleet_judge if evidence == "fleet" else judge
    con = database(optimised=OPTIMISED)
    con.begin()
    try:
        insert(con, log, "a")
        return proposed(con, text, "a")
    finally:
        con.rollback()


def proposed(con: duckdb.DuckDBPyConnection, text: str, agent: str) -> Proposal:
    project = Project(con, Config(), temporary=True)
    file = document.parse(text, "p.yaml")
    return pipeline.propose(project, pipeline.study(project, PolicySet((file,)), agent))
