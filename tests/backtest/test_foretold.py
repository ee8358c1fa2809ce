"""Reach by class of risk and what suggestions foretell, each against a count of its own."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worker import AGENT, FIRST, POLICY, legitimate, lines, policies, project

from tightener import pipeline
from tightener.backtest import rolling, stated, ways
from tightener.backtest.ways import Seen, Way, Written
from tightener.model import Level
from tightener.policy import document
from tightener.policy.decide import Authoriser
from tightener.report import backtest as shown
from tightener.report.view import TriedRow
from tightener.tighten.compare import Comparison
from tightener.tighten.evidence.calibration import Calibration, Limits, Pools, Realised
from tightener.tighten.evidence.pooling import Pool
from tightener.tighten.evidence.verdict import Class
from tightener.tighten.grants import Grant
from tightener.tighten.risk import RiskClass, risk

AT = datetime(2026, 5, 1, tzinfo=UTC)
UNNAMED = "~"  # no rule names it: what denies leave between them must be asked about, too
BRANCHES = ("", "feature/a", "feature/b", "fix/a", "main", "release/1", "refs/tags/v1")
VALUES = {
    "git": ("acme/a", "acme/b", "other/a"),
    "tools": ("to=a", "to=mallory", "path=/x"),
    "aws": ("arn:aws:s3:::data/raw/a", "arn:aws:s3:::data/b", "arn:aws:s3:::other/a"),
}
NAMES = {
    "git": ("clone", "push", "fetch", "force-push", "delete-branch"),
    "tools": ("send", "read_file", "send_email", "pay"),
    "aws": ("s3:GetObject", "s3:DeleteObject", "secretsmanager:GetSecretValue", "iam:PassRole"),
}
Request = tuple[str, str, str, str]


def every_request() -> list[Request]:
    return [
        (service, action, resource, branch)
        for service, actions in NAMES.items()
        for action, resource, branch in product(actions, (*VALUES[service], UNNAMED), (*BRANCHES, UNNAMED))
    ]


def counted(requests: list[Request]) -> dict[tuple[str, str], RiskClass]:
    """The gravest class of the requests of each action: one request after the other."""
    order, found = list(RiskClass), {}
    for service, action, resource, branch in requests:
        of, kind = (service, action.lower() if service == "aws" else action), risk(service, action, resource, branch)
        found[of] = max(found.get(of, kind.kind), kind.kind, key=order.index)
    return found


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A policy of a few rules; deny and approval rules cut pieces out of what is allowed."""
    text = ["agents:", "  worker:"]
    for effect in ("allow", "require_approval", "deny"):
        if effect == "allow" or draw(st.booleans()):
            text.append(f"    {effect}:")
            for _ in range(draw(st.integers(1, 2))):
                service = draw(st.sampled_from(sorted(NAMES)))
                actions = draw(st.lists(st.sampled_from(NAMES[service]), min_size=1, max_size=3, unique=True))
                quoted = ", ".join(f'"{one}"' for one in actions)
                text += [f"      - service: {service}", f"        actions: [{quoted}]"]
                if draw(st.booleans()):
                    text.append(f'        resources: ["{draw(st.sampled_from(VALUES[service]))[:-1]}*"]')
                if service == "git" and draw(st.booleans()):
                    text.append(f"        branches: [{draw(st.sampled_from(['main', 'feature/*', 'release/*']))}]")
    return "\n".join(text) + "\n"


@given(rules())
@settings(max_examples=150, deadline=None)
def test_the_class_of_what_is_left_is_that_of_its_gravest_request(text: str) -> None:
    policy = document.parse(text, "p.yaml").agents[AGENT]
    by = Authoriser(policy, AT)
    left = [one for one in every_request() if by.decide(*one).answer.level > Level.REFUSED]
    assert dict(Written(policy, policy, AT, {}).reach) == counted(left)


@given(rules(), st.data())
@settings(max_examples=60, deadline=None)
def test_the_baselines_have_the_classes_of_what_they_pass(text: str, data: st.DataObject) -> None:
    policy = document.parse(text, "p.yaml").agents[AGENT]
    old, by = Written(policy, policy, AT, {}), Authoriser(policy, AT)
    left = [one for one in every_request() if by.decide(*one).answer.level > Level.REFUSED]
    used = data.draw(st.lists(st.sampled_from(left), max_size=6)) if left else []
    seen = [Seen(0, *one) for one in used]

    def passing(way: Way) -> list[Request]:
        return [one for one in left if way.levels(one[0], one[1], [one[2:]]) != [Level.REFUSED]]

    exact = ways.exact_list(old, seen)
    assert dict(exact.reach) == counted(passing(exact)) == counted(used)
    some = ways.without_unused(old, frozenset(one.of for one in seen))
    assert dict(some.reach) == counted(passing(some))
    # a prefix may reach what no request of ours does: never less than what passes, never more than what was granted
    prefix, order = ways.longest_prefix(old, seen), list(RiskClass)
    passed = counted(passing(prefix))
    assert prefix.reach.keys() == passed.keys()
    for of, kind in prefix.reach.items():
        assert order.index(passed[of]) <= order.index(kind) <= order.index(old.reach[of])


def test_what_is_allowed_and_asked_about_counts_once_with_its_gravest_class() -> None:
    text = """\
agents:
  worker:
    allow:
      - {service: git, actions: [push]}
    require_approval:
      - {service: git, actions: [push], branches: ["feature/*"]}
"""
    policy = document.parse(text, "p.yaml").agents[AGENT]
    assert Written(policy, policy, AT, {}).reach == {("git", "push"): RiskClass.PRIVILEGE_ESCALATION}
    denied = document.parse(f"{text}    deny:\n      - {{service: git, actions: [push]}}\n", "p.yaml").agents[AGENT]
    assert Written(denied, denied, AT, {}).reach == {}


def test_a_prefix_reaches_nothing_graver_than_what_was_granted() -> None:
    text = "agents: {worker: {allow: [{service: git, actions: [push], branches: ['feature/*', 'x/*']}]}}"
    policy = document.parse(text, "p.yaml").agents[AGENT]
    old = Written(policy, policy, AT, {})
    way = ways.longest_prefix(old, [Seen(0, "git", "push", "acme/a", branch) for branch in ("feature/a", "x/a")])
    assert way.reach == old.reach == {("git", "push"): RiskClass.WRITE}


def test_each_period_states_what_a_fresh_suggestion_states(tmp_path: Path) -> None:
    told = list(lines(150, 1, late="fetch"))
    by = policies(tmp_path)
    found = rolling.backtest(project(tmp_path, told), by, AGENT, days=70, horizon=20, min_age=0, fewest=70)
    assert len(found.periods) == len(found.stated) == 4
    for period, said in zip(found.periods, found.stated, strict=True):
        origin = period.score.first
        past = project(tmp_path, [one for one in told if one["time"][:10] < origin.isoformat()])
        grants = pipeline.study(past, by, AGENT, days=70, min_age=0).comparison.grants
        # none of these rules grants what another does
        unused = [(g.rule.service, g.action, g.verdict) for g in grants if g.verdict is not None]
        assert said.why == "too few agents to calibrate a probability (0 others, 59 needed)"
        alone = said.forecasts[0]
        assert alone.of == "alone"
        assert alone.bound == pytest.approx(sum(1 - math.exp(-3 * 30 / v.exposure) for _, _, v in unused) / len(unused))
        end = origin + timedelta(days=29)
        since = {r[:2] for r, _, _ in legitimate(told, origin, end)}
        known = end <= FIRST + timedelta(days=149)
        for one in said.forecasts:
            own = [u for u in unused if one.of == "alone" or u[2].kind.value == one.of]
            assert one.grants == len(own)
            assert one.used == (sum(u[:2] in since for u in own) if known else None)
            assert (one.expected, one.brier) == (None, None)
            assert one.bound is None or one.of == "alone"
    # 20 days a step, 30 days ahead: of the newest period ten days are still to come
    assert [s.forecasts[0].used is None for s in found.stated] == [False, False, False, True]
    assert {one.of: one.used for one in found.stated[1].forecasts}["remove"] == 1  # `fetch`, from day 90 on
    text = list(shown.foretold(found))
    grants_of = sum(s.forecasts[0].grants for s in found.stated[:3])
    assert f"of {grants_of} grants" in text[0]
    assert text[-2:] == [
        "by the fleet: too few agents to calibrate a probability (0 others, 59 needed)",
        "of 1 period the log does not hold the 30 days that the suggestion spoke of",
    ]


def calibrated(comparison: Comparison, chances: dict[str, float]) -> Comparison:
    """The comparison as a large fleet would have made it, with estimates of our own."""
    realised = {kind: Realised(80, 100, 1, 0.05, 0.1) for kind in Class}
    judge = replace(comparison.terms.judge, calibration=Calibration(80, Pools(Pool(0.5, 1, 1), {}), Limits(), realised))

    def one(grant: Grant) -> Grant:
        if grant.verdict is None:
            return grant
        chance = chances[grant.action]
        return replace(grant, verdict=replace(grant.verdict, pooled=chance, kind=Limits().sorted(chance)))

    return replace(comparison, terms=replace(comparison.terms, judge=judge), grants=tuple(map(one, comparison.grants)))


def test_what_the_fleet_estimates_is_scored(tmp_path: Path) -> None:
    study = pipeline.study(project(tmp_path, list(lines(70, 2))), policies(tmp_path), AGENT, days=70, min_age=0)
    chances = {"fetch": 0.004, "unused_tool": 0.002, "s3:PutObject": 0.03}
    comparison = calibrated(study.comparison, chances)
    used = {("git", "fetch"), ("tools", "send")}
    found = {one.of: one for one in stated.stated(comparison, used).forecasts}
    assert found["alone"].grants == 3
    assert found["fleet"].expected == pytest.approx(0.012)
    assert found["fleet"].brier == pytest.approx(((1 - 0.004) ** 2 + 0.002**2 + 0.03**2) / 3)
    assert (found["fleet"].bound, found["fleet"].held) == (None, None)
    assert (found["remove"].grants, found["remove"].used) == (2, 1)
    assert found["remove"].bound == pytest.approx(0.003 + 0.1)
    assert found["remove"].held is False  # one of two is more than 10.3 %
    assert (found["ask_first"].used, found["ask_first"].held) == (0, True)
    assert all(one.held is one.used is None for one in stated.stated(comparison, None).forecasts)


def test_what_another_rule_saw_in_use_is_no_grant_without_use(tmp_path: Path) -> None:
    twice = POLICY.replace(
        "    require_approval:", '      - {service: git, actions: [clone], branches: ["x/*"]}\n    require_approval:'
    )
    study = pipeline.study(project(tmp_path, list(lines(70, 2))), policies(tmp_path, twice), AGENT, days=70, min_age=0)
    idle = Counter(g.action for g in study.comparison.grants if g.verdict is not None)
    assert idle["clone"] == 1
    assert stated.stated(study.comparison, set()).forecasts[0].grants == sum(idle.values()) - 1


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_f_beta_is_the_weighted_harmonic_mean(a: int, b: int, c: int, d: int) -> None:
    allowed, uses, unused, reachable = min(a, b), max(a, b), min(c, d), max(c, d)
    row = TriedRow("x", 1, uses, allowed, 0, 1, 0, 1, 0, 0, reachable, unused, reachable, ())
    for _, beta in shown.BETAS:
        found = shown.f_beta(row, beta)
        if not uses or not reachable:
            assert found is None
        elif not allowed or unused == reachable:
            assert found == 0
        else:
            p, r = (reachable - unused) / reachable, allowed / uses
            assert found == pytest.approx((1 + beta**2) / (1 / p + beta**2 / r))
