"""A policy and a handful of requests as a whole run of the program: what the tests of single edit kinds start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tightener import pipeline
from tightener.config import Config
from tightener.logs import store
from tightener.pipeline import Project
from tightener.policy import document
from tightener.policy.document import PolicySet
from tightener.results import Proposal

LAST = date(2026, 11, 15)
DAYS = 70
START = datetime.combine(LAST - timedelta(days=DAYS - 1), datetime.min.time())


@dataclass(frozen=True)
class Use:
    """One request of agent `a`, on a day of the window (from 0) and so many minutes into it."""

    service: str
    action: str
    resource: str = ""
    branch: str = ""
    day: int = 0
    minute: int = 0
    outcome: str = "used"
    partial: str = ""
    indirect: bool = False


def proposal(rules: str, uses: Sequence[Use], config: Config | None = None, *, again: bool = True) -> Proposal:
    """The proposal for agent `a` under these rules (indented by four) after these uses.

    Every day was logged whole, and the agent was at work on it. With `again`, a second run has to leave what the first
    one made.
    """
    text, project = world(rules, uses, config)
    file = document.parse(text, "p.yaml")
    found = pipeline.propose(project, pipeline.study(project, PolicySet((file,)), "a"))
    if again:
        after = document.parse(found.text, "p.yaml")
        second = pipeline.propose(project, pipeline.study(project, PolicySet((after,)), "a"))
        assert second.text == found.text, f"a second run changed something:\n{found.diff}\n{second.diff}"
    return found


def world(rules: str, uses: Sequence[Use], config: Config | None = None) -> tuple[str, Project]:
    """The policy's text, and the database with these uses in it."""
    con = store.open(None)
    con.execute("SET threads = 1")
    con.execute(
        "INSERT INTO log_file VALUES (1, 'f', 'gateway', 'gateway', 0, '', 0, 0, 0, 0, 0, NULL, NULL, '', "
        "TIMESTAMP '2026-11-16')"
    )
    services = sorted({use.service for use in uses} | {"aws", "git", "stripe", "tools"})
    beats = [Use(service, "heartbeat", day=day) for service in services for day in range(DAYS)]
    at_work = [Use("git", "beat", day=day, outcome="refused") for day in range(DAYS)]
    rows = [*(("beat", use) for use in beats), *(("a", use) for use in uses), *(("a", use) for use in at_work)]
    con.execute(  # by columns: row by row takes longer than all the rest
        "INSERT INTO event SELECT 1, unnest($n), 0, 'gateway', 'n' || unnest($n), unnest($time), unnest($agent), '', "
        "'s' || unnest($day), unnest($service), unnest($action), unnest($resource), unnest($branch), unnest($partial), "
        "unnest($outcome), 'allow', NULL, '', unnest($indirect), false, true, 0",
        {
            "n": list(range(len(rows))),
            "time": [START + timedelta(days=use.day, minutes=use.minute) for _, use in rows],
            "agent": [agent for agent, _ in rows],
            **{
                name: [getattr(use, name) for _, use in rows]
                for name in ("day", "service", "action", "resource", "branch", "partial", "outcome", "indirect")
            },
        },
    )
    since = "" if "x-granted-since" in rules else "    x-granted-since: 2020-01-01\n"
    return f"agents:\n  a:\n{since}{rules}", Project(con, config or Config(), temporary=True)
