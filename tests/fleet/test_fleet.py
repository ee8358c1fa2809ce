"""The folder of pages on the sample story: what is remembered, and what a run without news leaves alone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from tightener import fleet, pipeline, trend
from tightener.cli import run
from tightener.config import load
from tightener.errors import VerificationFailed
from tightener.logs import store
from tightener.report.fleet import Finding, kind_of
from tightener.resources import query
from tightener.tighten.evidence.verdict import Class
from tightener.tighten.grants import Status

ROOT = Path(__file__).parents[2]
DAY = date(2026, 11, 15)  # the last of the story
EARLIER = "--as-of", "2026-10-15"


def call(base: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    here = Path.cwd()
    os.chdir(base)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*words])
    finally:
        os.chdir(here)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("fleet") / "story"
    shutil.copytree(ROOT / "sample_logs", base, ignore=shutil.ignore_patterns(".tightener", "__pycache__"))
    assert call(base, "--quiet", "ingest")[0] == 0
    return base


@pytest.fixture
def story(read: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(read, tmp_path / "story"))


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def findings(base: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(base / ".tightener/tightener.duckdb"), read_only=True) as con:
        return con.execute("SELECT * FROM finding ORDER BY ALL").fetchall()


def test_the_folder_has_a_page_an_agent_and_a_run_without_news_changes_no_byte(story: Path) -> None:
    code, out, _ = call(story, "report", "--all", "-o", "pages")
    assert code == 0
    assert out.startswith(
        "3 agents exercised 22 of 205 grants from 2026-08-18 to 2026-11-15; 20 suggestions for 3 agents."
    )
    pages = story / "pages"
    names = sorted(p.relative_to(pages).as_posix() for p in pages.rglob("*") if p.is_file())
    agents = [f"agents/{name}.{end}" for name in ("claude-invoice-01", "claude-ops-02", "claude-report-03")
              for end in ("csv", "html", "json")]  # fmt: skip
    assert names == [".tightener-report.json", *agents, "index.csv", "index.html", "index.json", "runs.csv"]
    before, rows = everything(pages), findings(story)
    assert [row[0] for row in rows] == [DAY] * 3
    assert call(story, "report", "--all", "-o", "pages")[1].endswith("pages: 0 files written, 13 unchanged\n")
    assert everything(pages) == before
    assert findings(story) == rows


def test_the_index_says_what_the_agents_pages_say(story: Path) -> None:
    code, out, _ = call(story, "--json", "report", "--all", "-o", "pages")
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "tightener.fleet/1"
    assert len(document["written"]) == 13
    for row in document["agents"]:
        agent = json.loads((story / "pages" / row["page"]).with_suffix(".json").read_text())
        grants = [one for one in agent["grants"] if one["effect"] != "deny"]
        unexercised = [one for one in grants if one["status"] == "unexercised"]
        kept = sum(one["verdict"].startswith("keep:") or not one["verdict"] for one in unexercised)
        assert row["granted"] == len(grants)
        assert row["exercised"] == sum(one["status"] == "exercised" for one in grants)
        assert row["unobservable"] == sum(one["status"] == "unobservable" for one in grants)
        assert row["unused"] == len(unexercised) - kept
        assert row["cannot_tell"] == kept + sum(one["status"] == "too_new" for one in grants)
        assert row["suggestions"] == len(agent["suggestions"])
        assert row["risk"] == round(agent["score"][0], 1)
        links = re.findall('href="([^"#]+)"', (story / "pages" / row["page"]).read_text())
        assert links
        assert all((story / "pages" / "agents" / link).resolve().is_file() for link in links)


def test_a_tightened_policy_shows_in_the_trend_and_an_agent_that_goes_takes_its_page(story: Path) -> None:
    call(story, "report", "--all", "-o", "pages")
    with duckdb.connect(str(story / ".tightener/tightener.duckdb")) as con:  # as if it had been found a week ago
        con.execute("UPDATE finding SET day = day - 7")
    assert call(story, "--quiet", "suggest", "--agent", "claude-ops-02", "--write")[0] == 0
    policy = story / "policy.yaml"
    text = policy.read_text()
    start = text.index("  claude-report-03:")
    end = re.search(r"^  \S|\Z", text[start + 3 :], re.MULTILINE)
    assert end
    policy.write_text(text[:start] + text[start + 3 + end.start() :])
    code, out, _ = call(story, "--json", "report", "--all", "-o", "pages")
    assert code == 0
    document = json.loads(out)
    assert document["removed"] == [f"agents/claude-report-03.{end}" for end in ("csv", "html", "json")]
    assert [one["day"] for one in document["runs"]] == ["2026-11-15", "2026-11-08"]
    old, new = document["runs"][1], document["runs"][0]
    assert (old["agents"], new["agents"]) == (3, 2)
    assert new["granted"] < old["granted"]
    assert "claude-report-03: no policy names it any more" in document["changes"]
    assert any(one.startswith("claude-ops-02: granted 188 → ") for one in document["changes"])
    assert not any("claude-invoice-01" in one for one in document["changes"])


def test_a_question_about_the_past_is_not_remembered(story: Path) -> None:
    assert call(story, "report", "--all", "-o", "pages", *EARLIER)[0] == 0
    assert findings(story) == []


def test_an_agent_that_no_log_knows_is_a_row_with_the_reason(story: Path) -> None:
    policy = story / "policy.yaml"
    text = policy.read_text()
    rule = "\n    allow:\n      - service: git\n        actions: [clone]\n        resources: [acme/x]\n"
    name = "</script>\\u202e=1+1"
    policy.write_text(f'{text.rstrip()}\n  "{name}":{rule}')
    code, out, _ = call(story, "--json", "report", "--all", "-o", "pages")
    assert code == 0
    row = next(one for one in json.loads(out)["agents"] if one["verification"] == "no evidence")
    assert row["page"] is None
    assert row["risk"] is None
    assert row["granted"] == 1
    assert "no log that was read knows the agent" in row["since"]
    assert "</script>\u202e" not in (story / "pages/index.html").read_text()
    assert "&lt;/script&gt;\\u202e=1+1" in (story / "pages/index.html").read_text()


def test_somebody_elses_index_stops_the_command(story: Path) -> None:
    (story / "pages").mkdir()
    (story / "pages/index.html").write_text("mine")
    code, _, err = call(story, "report", "--all", "-o", "pages")
    assert (code, err.count("not written by tightener")) == (1, 1)
    assert [p.name for p in (story / "pages").iterdir()] == ["index.html"]


def test_report_wants_one_agent_or_all(story: Path) -> None:
    assert call(story, "report")[0] == 2
    assert call(story, "report", "--all", "--agent", "claude-ops-02")[0] == 2
    assert call(story, "report", "--all", "--principal", "arn:*")[0] == 2


def test_write_is_one_function_for_a_weekly_run(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(story)
    project = pipeline.open_project(load(story / "tightener.yaml"), story / ".tightener/tightener.duckdb")
    policies = pipeline.read_policies(project)
    done = fleet.write(project, policies, story / "pages")
    assert (done.news, done.failed, len(done.files.written)) == (True, (), 13)
    again = fleet.write(project, policies, story / "pages")
    assert (again.news, again.files.written, again.files.unchanged) == (False, (), 13)
    assert again.view == done.view
    project.con.close()


def test_a_failed_proof_tells_no_logged_value(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message quotes the request that it fails on, whatever `redact:` says."""

    def failing(*_: object) -> None:
        raise VerificationFailed("lost: tools send recipient=GB29 NWBK 6016", slug="proposal-not-proved")

    monkeypatch.setattr(pipeline, "propose", failing)
    project = pipeline.open_project(load(story / "tightener.yaml"), story / ".tightener/tightener.duckdb")
    done = fleet.write(project, pipeline.read_policies(project), story / "failed")
    project.con.close()
    assert len(done.failed) == 3
    written = [path.read_text() for path in (story / "failed").rglob("*.*") if path.is_file()]
    assert len(written) >= 4
    assert not [text for text in written if "GB29" in text]
    assert any("does not hold" in text for text in written)


def found(agent: str, day: date, granted: int, policy: str = "p.yaml") -> Finding:
    return Finding(day, policy, agent, granted, granted, 0, 0, 0, 0, 1.5, 0.5, 2.0, 1, "proved")


def test_the_trend_is_kept_by_day_window_and_file() -> None:
    con = store.open(None)
    week = [found("a", DAY - timedelta(7), 5), found("b", DAY - timedelta(7), 6)]
    now = [found("a", DAY, 4)]
    assert trend.remember(con, week, 90)
    assert trend.remember(con, now, 90)
    assert not trend.remember(con, now, 90)  # the same again
    assert trend.trend(con, ["p.yaml"], 90, DAY) == (*week, *now)
    assert trend.trend(con, ["p.yaml"], 90, DAY - timedelta(1)) == tuple(week)
    assert trend.trend(con, ["other.yaml"], 90, DAY) == ()
    assert trend.trend(con, ["p.yaml"], 30, DAY) == ()
    other = [found("a", DAY, 9, "other.yaml")]
    assert trend.remember(con, other, 90)  # of another file, the same day: both stay
    newer = [replace(now[0], suggestions=7)]
    assert trend.remember(con, newer, 90)  # a later run of the day takes the place of the earlier one
    assert trend.trend(con, ["p.yaml", "other.yaml"], 90, DAY) == (*week, *other, *newer)
    assert not trend.remember(con, [], 90)


def test_a_database_from_before_the_trend_gets_the_table(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    con = store.open(path)
    con.execute("DROP TABLE finding")
    con.close()
    con = store.open(path)
    assert con.execute(query("trend"), {"policies": ["p"], "days": 90, "until": DAY}).fetchall() == []


@pytest.mark.parametrize(
    ("status", "verdict", "kind"),
    [
        (Status.EXERCISED, None, "exercised"),
        (Status.UNEXERCISED, Class.REMOVE, "unused"),
        (Status.UNEXERCISED, Class.ASK_FIRST, "unused"),
        (Status.UNEXERCISED, Class.KEEP, "cannot_tell"),
        (Status.UNEXERCISED, None, "cannot_tell"),
        (Status.TOO_NEW, None, "cannot_tell"),
        (Status.UNOBSERVABLE, None, "unobservable"),
        (Status.EXCEPTED, None, "excepted"),
    ],
)
def test_what_nobody_can_tell_is_not_called_unused(status: Status, verdict: Class | None, kind: str) -> None:
    grant: Any = SimpleNamespace(status=status, verdict=verdict and SimpleNamespace(kind=verdict))
    assert kind_of(grant) == kind


def test_grants_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        replace(found("a", DAY, 5), unused=1)
    with pytest.raises(ValueError, match="is none of"):
        replace(found("a", DAY, 5), state="unknown")
