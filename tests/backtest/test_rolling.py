"""The backtest against a naive one: a fresh database for each origin, and one decision at a time."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worker import AGENT, FIRST, POLICY, Line, legitimate, lines, policies, project

from tightener import pipeline
from tightener.backtest import rolling
from tightener.backtest.ways import Seen, Written, actions_only
from tightener.cli import run
from tightener.config import Config
from tightener.errors import NoEvidence, PolicyError
from tightener.model import Level
from tightener.policy import document
from tightener.policy.decide import Authoriser
from tightener.report.backtest import line
from tightener.report.interval import clopper_pearson
from tightener.results import Tally


def naive_tally(
    old: Authoriser, told: list[Line], first: date, last: date, level: Mapping[tuple[str, str, str, str], Level] | Any
) -> dict[str, int]:
    found = dict.fromkeys(("uses", "allowed", "refused", "moved", "asked"), 0)
    hit: set[str] = set()
    sessions: set[str] = set()
    for request, approved, session in legitimate(told, first, last):
        was, now = old.decide(*request).answer.level, level(request)
        good = now is Level.ALLOWED or (approved and now is Level.NEEDS_APPROVAL)
        found["uses"] += 1
        found["allowed"] += good
        found["asked"] += now is Level.NEEDS_APPROVAL
        found["refused"] += now is Level.REFUSED and was > Level.REFUSED
        found["moved"] += now is Level.NEEDS_APPROVAL and was is Level.ALLOWED and not approved
        sessions.add(session)
        if now is Level.REFUSED:
            hit.add(session)
    return {**found, "sessions": len(sessions), "sessions_hit": len(hit)}


def measured(tally: Tally | None) -> dict[str, int]:
    assert tally is not None
    return {
        name: getattr(tally, name)
        for name in ("uses", "allowed", "refused", "moved", "asked", "sessions", "sessions_hit")
    }


def test_every_way_counts_as_a_naive_backtest_does(tmp_path: Path) -> None:
    told = list(lines(130, 1, late="fetch"))
    rules = policies(tmp_path)
    # seventy days hold two month-ends, without which nothing is removed
    found = rolling.backtest(project(tmp_path, told), rules, AGENT, days=70, horizon=20, min_age=0, fewest=70)
    assert [(p.learn.first, p.learn.last, p.score.last) for p in found.periods] == [
        (FIRST + timedelta(days=a), FIRST + timedelta(days=b), FIRST + timedelta(days=c))
        for a, b, c in ((0, 69, 89), (20, 89, 109), (40, 109, 129))
    ]
    for i, period in enumerate(found.periods):
        first, last = period.score.first, period.score.last
        at = datetime(first.year, first.month, first.day, tzinfo=UTC)
        old = Authoriser(rules.agents[AGENT], at)

        def decided(request: tuple[str, str, str, str], by: Authoriser = old) -> Level:
            return by.decide(*request).answer.level

        # what was not yet logged is in no database
        past = project(tmp_path, [one for one in told if one["time"][:10] < first.isoformat()])
        text = pipeline.propose(past, pipeline.study(past, rules, AGENT, days=70, min_age=0)).text
        new = Authoriser(document.parse(text, "new.yaml").agents[AGENT], at)
        learnt = [r for r, _, _ in legitimate(told, period.learn.first, period.learn.last)]
        actions = {r[:2] for r in learnt}
        recent = {
            days: {r[:2] for r, _, _ in legitimate(told, first - timedelta(days=days), first - timedelta(days=1))}
            for days in (30, 90)
        }
        shared: dict[tuple[str, str], tuple[str, str]] = {}
        for action in actions:
            resources, branches = ([r[n] for r in learnt if r[:2] == action] for n in (2, 3))
            shared[action] = os.path.commonprefix(resources), os.path.commonprefix(branches)

        def prefixed(
            request: tuple[str, str, str, str],
            shared: Mapping[tuple[str, str], tuple[str, str]] = shared,
            learnt: list[tuple[str, str, str, str]] = learnt,
            old: Authoriser = old,
        ) -> Level:
            heads = shared.get(request[:2])
            if heads is None:
                return Level.REFUSED
            for n in (0, 1):
                values = {r[2 + n] for r in learnt if r[:2] == request[:2]}
                good = request[2 + n] in values if len(values) == 1 else request[2 + n].startswith(heads[n])
                if not good:
                    return Level.REFUSED
            return decided(request, old)

        expected = {
            "no change": decided,
            "tightener": lambda r, new=new: decided(r, new),
            "exact list": lambda r, known=set(learnt): decided(r) if r in known else Level.REFUSED,
            "unused for 30 days": lambda r, known=recent[30]: decided(r) if r[:2] in known else Level.REFUSED,
            "unused for 90 days": lambda r, known=recent[90]: decided(r) if r[:2] in known else Level.REFUSED,
            "actions only": lambda r, known=actions: Level.ALLOWED if r[:2] in known else Level.REFUSED,
            "longest prefix": prefixed,
        }
        if not i:  # there are only seventy days of log before it
            assert found.ways["unused for 90 days"][i] is None
            del expected["unused for 90 days"]
        assert found.ways["unused for 180 days"][i] is None
        for name, level in expected.items():
            assert measured(found.ways[name][i]) == naive_tally(old, told, first, last, level), (name, i)
    # the action that first appears on day 90 is refused in that period and never again
    ours = found.ways["tightener"]
    assert ours[1] is not None
    assert ours[1].refused >= 9
    assert ours[2] is not None
    assert ours[2].refused < ours[1].refused


def test_who_is_not_yet_known_is_not_judged(tmp_path: Path) -> None:
    """What another logged before is coverage of the gateway; that this agent is behind it is known from day 50 on."""
    told = [one | {"agent": "other"} if one["time"][:10] < "2026-04-20" else one for one in lines(90, 9)]
    found = rolling.backtest(project(tmp_path, told), policies(tmp_path), AGENT, days=40, horizon=20, min_age=0)
    assert [p.score.first for p in found.periods] == [FIRST + timedelta(days=70)]
    assert [text.partition(":")[0] for text in found.skipped] == [
        "2026-03-31 to 2026-04-19",
        "2026-04-20 to 2026-05-09",
    ]
    assert all("no log that was read knows the agent" in text for text in found.skipped)


def test_what_moves_to_approval_is_asked_and_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, told = policies(tmp_path), list(lines(70, 10))
    moved = POLICY.replace("actions: [pay]", "actions: [pay, send]")
    propose = pipeline.propose
    monkeypatch.setattr(pipeline, "propose", lambda *asked: replace(propose(*asked), text=moved))
    found = rolling.backtest(project(tmp_path, told), rules, AGENT, days=40, horizon=30, min_age=0)
    (period,), (ours,) = found.periods, found.ways["tightener"]
    first, last = period.score.first, period.score.last
    at = datetime(first.year, first.month, first.day, tzinfo=UTC)
    old, new = (Authoriser(document.parse(text, "p.yaml").agents[AGENT], at) for text in (POLICY, moved))
    assert measured(ours) == naive_tally(old, told, first, last, lambda r: new.decide(*r).answer.level)
    assert ours is not None
    assert (ours.refused, ours.moved > 5, ours.asked > ours.moved) == (0, True, True)
    assert line(found, "tightener").endswith(
        f"refused 0 of {ours.uses} calls, and asked a person about {ours.moved} more"
    )


def test_reach_counts_actions_that_are_left_and_not_denied(tmp_path: Path) -> None:
    rules = policies(tmp_path, POLICY.replace('        resources: ["to=mallory"]\n', ""))
    found = rolling.backtest(project(tmp_path, list(lines(110, 3))), rules, AGENT, days=80, horizon=30, min_age=0)
    before, after = found.ways["no change"][-1], found.ways["tightener"][-1]
    assert before is not None
    assert after is not None
    # 3 of git, 4 of tools less the denied `send`, 2 of S3; `fetch`, `unused_tool` and PutObject are never used
    assert (before.reachable, before.unused) == (8, 3)
    assert (after.reachable, after.unused) == (5, 0)


def test_nothing_is_written_and_the_whole_log_is_back(tmp_path: Path) -> None:
    opened = project(tmp_path, list(lines(80, 4)))
    rules = policies(tmp_path, POLICY.replace("    x-granted-since: 2025-01-01\n", ""))
    tables = "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM first_seen)"
    before = opened.con.execute(tables).fetchone()
    owned = pipeline.Project(opened.con, opened.config)  # a database with a past of its own
    rolling.backtest(owned, rules, AGENT, days=40, horizon=30, min_age=0)
    assert opened.con.execute(tables).fetchone() == before
    assert before is not None
    assert before[1] == 0
    # nothing can be learnt of an agent that was not seen: the view goes all the same
    stranger = policies(tmp_path, POLICY.replace("worker:", "stranger:"))
    found = rolling.backtest(owned, stranger, "stranger", days=40, horizon=30, min_age=0)
    assert not found.periods
    assert "no log that was read knows the agent" in found.skipped[0]
    assert opened.con.execute(tables).fetchone() == before


def test_the_policy_and_its_ages_are_those_of_then(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()

    def commit(text: str, day: date) -> None:
        (repository / "policy.yaml").write_text(text, encoding="utf-8")
        stamp = f"{day.isoformat()}T12:00:00+00:00"
        named = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }
        env = {**os.environ, **named, "GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
        for command in (["add", "."], ["commit", "-q", "-m", "policy"]):
            subprocess.run(["git", "-C", str(repository), *command], check=True, env=env)

    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    plain = POLICY.replace("    x-granted-since: 2025-01-01\n", "")
    short = plain.replace(", unused_tool", "").replace(", fetch", "")
    commit(short, FIRST - timedelta(days=100))
    commit(plain.replace(", unused_tool", ""), FIRST + timedelta(days=35))
    commit(plain, FIRST + timedelta(days=80))
    commit(short, FIRST + timedelta(days=175))  # what was taken away later was granted then, and was as young
    rules = document.load([repository / "policy.yaml"])
    opened = project(tmp_path, list(lines(170, 5)))
    found = rolling.backtest(opened, rules, AGENT, days=70, horizon=20, min_age=30, fewest=70)
    told = [(p.score.first - FIRST, p.policy.split(" (")[0]) for p in found.periods]
    assert told == [
        (timedelta(days=day), f"of {FIRST + timedelta(days=of)}")
        for day, of in ((70, 35), (90, 80), (110, 80), (130, 80), (150, 80))
    ]
    ways = zip(found.ways["no change"], found.ways["tightener"], strict=True)
    # PutObject is old and goes each time; `fetch` goes as soon as it is 90 days old; `unused_tool` never gets there
    assert [(a.reachable, b.reachable) for a, b in ways if a and b] == [(8, 7), (9, 8), (9, 8), (9, 7), (9, 7)]


def test_without_git_the_policy_is_todays_and_says_so(tmp_path: Path) -> None:
    found = rolling.backtest(project(tmp_path, list(lines(70, 6))), policies(tmp_path), AGENT, days=40, horizon=30)
    assert [p.policy for p in found.periods] == ["today's: Git has none from then"]


def test_unknown_agent_and_empty_database(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no policy names"):
        rolling.backtest(project(tmp_path, list(lines(40, 1))), policies(tmp_path), "nobody")
    with pytest.raises(NoEvidence, match="no events"):
        rolling.backtest(pipeline.open_project(Config(), None), policies(tmp_path), AGENT)


def test_what_hides_a_part_keeps_its_level_only_as_a_whole() -> None:
    old = document.parse(POLICY, "p.yaml").agents[AGENT]
    at = datetime(2026, 5, 1, tzinfo=UTC)

    def level(text: str) -> Level:
        new = document.parse(text, "p.yaml").agents[AGENT]
        way = Written(new, old, at, {})
        return way.partial("aws", "s3:GetObject", ("arn:aws:s3:::data/raw/*", ""), "resource", Level.ALLOWED)

    assert level(POLICY) is Level.ALLOWED
    assert level(POLICY.replace("data/*", "data/raw/*")) is Level.ALLOWED
    assert level(POLICY.replace("data/*", "data/raw/2026/*")) is Level.REFUSED
    rule = '{service: aws, actions: ["s3:GetObject"], resources: ["arn:aws:s3:::data/raw/*"]}'
    asked = f"    require_approval:\n      - {rule}\n"
    assert level(POLICY.replace("    require_approval:\n", asked)) is Level.NEEDS_APPROVAL


def test_actions_only_keeps_the_denies() -> None:
    old = document.parse(POLICY, "p.yaml").agents[AGENT]
    written = Written(old, old, datetime(2026, 5, 1, tzinfo=UTC), {})
    way = actions_only(written, [Seen(1, "tools", "send", "to=a", ""), Seen(2, "aws", "s3:GetObject", "x", "")])
    targets = [("to=a", ""), ("to=mallory", ""), ("anything=else", "")]
    assert way.levels("tools", "send", targets) == [Level.ALLOWED, Level.REFUSED, Level.ALLOWED]
    assert way.levels("tools", "read_file", targets) == [Level.REFUSED] * 3
    assert set(way.reach) == {("tools", "send"), ("aws", "s3:getobject")}


@given(st.integers(0, 120), st.integers(0, 120))
@settings(max_examples=60)
def test_clopper_pearson_ends_where_what_was_seen_has_two_and_a_half_per_cent(a: int, b: int) -> None:
    part, whole = min(a, b), max(a, b)
    low, high = clopper_pearson(part, whole)

    def at_least(share: float, least: int) -> float:
        return math.fsum(math.comb(whole, n) * share**n * (1 - share) ** (whole - n) for n in range(least, whole + 1))

    if part:
        assert at_least(low, part) == pytest.approx(0.025, rel=1e-6)
    else:
        assert low == 0
    if part < whole:
        assert 1 - at_least(high, part + 1) == pytest.approx(0.025, rel=1e-6)
    else:
        assert high == 1


def test_clopper_pearson_of_published_values() -> None:
    # Clopper and Pearson's own 5 of 10; the rule of three's exact form for none of 299
    assert clopper_pearson(5, 10) == pytest.approx((0.1871, 0.8129), abs=5e-5)
    assert clopper_pearson(0, 299)[1] == pytest.approx(1 - 0.025 ** (1 / 299), rel=1e-9)
    assert clopper_pearson(0, 0) == (0, 1)


def test_the_line_of_suggest(tmp_path: Path) -> None:
    opened, rules = project(tmp_path, list(lines(100, 7))), policies(tmp_path)
    short = rolling.glance(opened, rules, AGENT, days=90, as_of=None, min_age=0)
    assert line(short, "tightener") == "not yet: a backtest takes 120 days of log, and there are 100"
    found = rolling.glance(opened, rules, AGENT, days=40, as_of=None, min_age=0)
    assert set(found.ways) == {"no change", "tightener"}
    assert len(found.periods) == 2
    ours = [t for t in found.ways["tightener"] if t]
    assert line(found, "tightener").startswith(
        f"on the last 2 periods of 30 days this way of tightening would have refused {sum(t.refused for t in ours)} of"
        f" {sum(t.uses for t in ours):,} calls"
    )
    earlier = rolling.glance(opened, rules, AGENT, days=40, as_of=FIRST + timedelta(days=75), min_age=0)
    assert [p.score.last for p in earlier.periods] == [FIRST + timedelta(days=75)]


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines(80, 8)), encoding="utf-8")
    policies(tmp_path)
    assert run(["ingest", "log.jsonl", "--db", "log.duckdb", "--quiet"]) == 0
    asked = ["--policy", "policy.yaml", "--db", "log.duckdb", "--quiet"]
    assert run(["backtest", "--agent", AGENT, "--window", "40d", *asked]) == 0
    shown = capsys.readouterr().out
    assert "1 period of 30 days" in shown
    assert "longest prefix" in shown
    assert run(["backtest", "--all", "--window", "40d", "--json", *asked]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "tightener.backtest/1"
    (one,) = answer["agents"]
    ours = next(way for way in one["ways"] if way["name"] == "tightener")
    assert ours["uses"] == ours["tallies"][0]["uses"] > 0
    assert ours["allowed_interval"][0] < ours["allowed"] / ours["uses"] <= ours["allowed_interval"][1]
    assert run(["suggest", "--agent", AGENT, "--window", "40d", "--json", *asked]) in (0, 10)
    said = json.loads(capsys.readouterr().out)["backtest"]
    assert [way["name"] for way in said["ways"]] == ["no change", "tightener"]
    assert run(["suggest", "--agent", AGENT, "--window", "40d", "--no-backtest", *asked]) == 0
    assert "tried" not in capsys.readouterr().out
    assert run(["backtest", "--agent", AGENT, "--horizon", "70d", *asked]) == 3
    assert "no-period" in capsys.readouterr().err
    assert run(["backtest", "--agent", AGENT, "--all", *asked]) == 2
    assert run(["backtest", "--agent", AGENT, "--horizon", "0d", *asked]) == 1
    assert "no-horizon" in capsys.readouterr().err
