"""The whole program on seventy agents: enough to calibrate, so that grants move to approval before they go."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import duckdb
import pytest

from tightener import pipeline
from tightener.config import Config, Rejection
from tightener.logs import store
from tightener.pipeline import Project
from tightener.policy import document
from tightener.policy.document import PolicySet
from tightener.report import payload, words
from tightener.results import Proposal
from tightener.tighten.evidence.verdict import Class

LAST = date(2026, 11, 15)
DAYS = 90
AGENTS = 70
SURE = [f"never-{i}" for i in range(12)]  # nobody ever uses these
RARE = [f"rare-{i}" for i in range(8)]  # some agents do, now and then
BUSY = [f"busy-{i}" for i in range(4)]


def text() -> str:
    lines = ["agents:"]
    for number in range(AGENTS):
        lines += [f"  a{number}:", "    x-granted-since: 2026-01-01", "    allow:"]
        for service, actions in (("dead", SURE), ("crm", [*BUSY, *RARE])):
            lines += [f"      - service: {service}   # {service}", f"        actions: [{', '.join(actions)}]"]
        lines += ["    require_approval:", f"      - {{service: erp, actions: [{', '.join(RARE)}]}}"]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    chance = random.Random(11)
    rows: list[tuple[str, str, str, date]] = []
    for number in range(AGENTS):
        agent = f"a{number}"
        rows += [(agent, "crm", action, day) for action in BUSY for day in every_day()]
        for service in ("crm", "erp"):
            for action in RARE:
                if number and chance.random() < 0.35:
                    rate = 10 ** chance.uniform(-2.3, -0.3)
                    rows += [(agent, service, action, day) for day in every_day() if chance.random() < rate]
        rows.append((agent, "dead", "alive", LAST))  # the log covers the service
        rows.append((agent, "erp", "alive", LAST))
    found = store.open(None)
    found.execute(
        "INSERT INTO event SELECT 1, unnest($n), 0, 'gateway', 'e' || unnest($n), unnest($time), unnest($agent), '', "
        "'', unnest($service), unnest($action), '', '', '', 'used', 'allow', NULL, '', false, false, true, 0",
        {
            "n": list(range(len(rows))),
            "time": [datetime.combine(row[3], datetime.min.time()) for row in rows],
            "agent": [row[0] for row in rows],
            "service": [row[1] for row in rows],
            "action": [row[2] for row in rows],
        },
    )
    return found


def every_day() -> list[date]:
    return [LAST - timedelta(days=i) for i in range(DAYS)]


def proposed(
    con: duckdb.DuckDBPyConnection, policy: str, agent: str = "a0", rejected: tuple[Rejection, ...] = ()
) -> Proposal:
    project = Project(con, Config(rejected=rejected), temporary=True)
    return pipeline.propose(project, pipeline.study(project, PolicySet((document.parse(policy, "p.yaml"),)), agent))


def test_the_fleets_past_sorts_what_nobody_used(con: duckdb.DuckDBPyConnection) -> None:
    proposal = proposed(con, text())
    comparison = proposal.study.comparison
    kinds = {(g.rule.service, g.action): g.verdict.kind for g in comparison.grants if g.verdict is not None}
    assert {kinds["dead", action] for action in SURE} == {Class.ASK_FIRST}, "no class of removals has been tried"
    assert {kinds["crm", action] for action in RARE} == {Class.ASK_FIRST}
    assert {kinds["erp", action] for action in RARE} == {Class.KEEP}, "these need approval already"
    moved = next(s for s in proposal.suggestions if s.kind == "ask_unused" and s.rule.service == "crm")
    assert "used within 30 days after all" in moved.why
    new = document.parse(proposal.text, "p.yaml").agents["a0"]
    crm = {(r.effect.value, r.body.actions) for r in new.rules if r.service == "crm"}
    assert crm == {("allow", tuple(BUSY)), ("require_approval", tuple(RARE))}
    said = words.removal_line(comparison)
    assert "calibrated on 69 other agents" in said
    assert "to be moved to approval 30 days earlier" in said
    assert f"at most {words.risk(comparison, Class.ASK_FIRST):.1%} of those moved to approval here" in said
    shown = payload.proposal(proposal)["removal"]
    assert shown["calibrated"]
    assert shown["realised"]["ask_first"]["agents"] >= 59


def test_a_second_run_finds_nothing_more(con: duckdb.DuckDBPyConnection) -> None:
    once = proposed(con, text())
    assert once.suggestions
    again = proposed(con, once.text)
    assert again.text == once.text
    assert words.removal_line(again.study.comparison).partition(";")[0] == "calibrated on 69 other agents"


def test_what_is_taken_from_an_agent_says_nothing_about_it(con: duckdb.DuckDBPyConnection) -> None:
    """The agent itself is no part of what it is judged by; the others are."""
    own = text().replace(", ".join(SURE), SURE[0], 1)
    whole, part = proposed(con, text()).study.comparison, proposed(con, own).study.comparison
    assert whole.terms.judge.calibration == part.terms.judge.calibration is not None
    assert proposed(con, text(), "a1").study.comparison.terms.judge.calibration != whole.terms.judge.calibration


def test_a_question_that_is_refused_leaves_everything_where_it_was(con: duckdb.DuckDBPyConnection) -> None:
    asks = {s.rule.service: s.id for s in proposed(con, text()).suggestions if s.kind == "ask_unused"}
    no = Rejection("a0", asks["crm"], "needed in spring", "dana", LAST)
    proposal = proposed(con, text(), rejected=(no,))
    assert [(one.id, why) for one, why in proposal.left_out] == [
        (asks["crm"], f"rejected by dana until {LAST}: needed in spring")
    ]
    new = document.parse(proposal.text, "p.yaml").agents["a0"]
    assert {(r.effect.value, r.body.actions) for r in new.rules if r.service == "crm"} == {("allow", (*BUSY, *RARE))}
    assert {r.effect.value for r in new.rules if r.service == "dead"} == {"require_approval"}
    assert proposed(con, proposal.text, rejected=(no,)).text == proposal.text


def test_no_use_has_to_ask_because_another_rule_is_unused(con: duckdb.DuckDBPyConnection) -> None:
    """An approval beats an allow: what another rule goes on granting does not move."""
    rule = '      - {service: crm, actions: [busy-0], resources: ["other/*"]}\n    require_approval:'
    proposal = proposed(con, text().replace("    require_approval:", rule, 1))
    (wide,) = (g for g in proposal.study.comparison.grants if g.rule.body.resources == ("other/*",))
    assert wide.verdict is not None
    assert wide.verdict.kind is Class.KEEP
    new = document.parse(proposal.text, "p.yaml").agents["a0"]
    asking = {
        a for r in new.rules if r.effect.value == "require_approval" and r.service == "crm" for a in r.body.actions
    }
    assert asking == set(RARE)
