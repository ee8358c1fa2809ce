"""The sample story through the program as its user runs it: gold output, diffs that apply, exit codes, JSON."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tightener
from tightener.cli import run
from tightener.prove import replay
from tightener.tighten import segments, suggest

ROOT = Path(__file__).parents[2]
GOLD = ROOT / "tests" / "gold"
AGENTS = ("claude-invoice-01", "claude-ops-02", "claude-report-03")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the story in a folder with a space in its name, read into its database."""
    base = tmp_path_factory.mktemp("a story") / "sample logs"
    shutil.copytree(ROOT / "sample_logs", base, ignore=shutil.ignore_patterns(".tightener", "__pycache__"))
    code, _, _ = call(base, "ingest")
    assert code == 0
    return base


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


def check_gold(name: str, text: str) -> None:
    """Compares with tests/gold/NAME; UPDATE_GOLD=1 writes it instead (then read the diff before you commit it)."""
    path = GOLD / name
    if os.environ.get("UPDATE_GOLD"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("agent", AGENTS)
def test_suggest_prints_the_gold_proposal(story: Path, agent: str) -> None:
    code, out, err = call(story, "suggest", "--agent", agent)
    assert (code, err.count("warning: the window ends on 2026-11-15")) == (0, err.count("\n"))
    check_gold(f"suggest-{agent}.txt", out)


def test_packed_values_make_the_same_proposal(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if three values were too many for a list."""
    for module in (replay, segments, suggest):
        monkeypatch.setattr(module, "MANY", 2)
    code, out, _ = call(story, "suggest", "--agent", AGENTS[0])
    assert code == 0
    check_gold(f"suggest-{AGENTS[0]}.txt", out)


def test_next_months_work_goes_on(story: Path, tmp_path: Path) -> None:
    """The daily, the monthly and the quarterly jobs under the tightened policy, on names that no log has seen yet."""
    base = tmp_path / "sample logs"
    shutil.copytree(story, base)
    assert call(base, "suggest", "--agent", "claude-invoice-01", "--write")[0] == 0
    data = "arn:aws:s3:::invoice-data"
    work = {
        ("s3:GetObject", f"{data}/raw/2026/12/inv-99001.pdf"): True,
        ("s3:GetObject", f"{data}/raw/2027/01/inv-100001.pdf"): True,
        ("s3:ListBucket", f"{data}/raw/2027/01/"): True,
        ("s3:GetObject", f"{data}/raw/quarterly/2026-Q4.csv"): True,
        ("s3:PutObject", f"{data}/processed/2027/01/inv-100001.json"): True,
        ("s3:PutObject", f"{data}/processed/statements/2026-11.pdf"): True,
        ("s3:PutObject", f"{data}/processed/statements/2027-01.pdf"): True,
        ("s3:GetObject", f"{data}/raw/2026/12/secrets.env"): False,
        ("s3:GetObject", f"{data}/raw/private/2026/12/inv-99001.pdf"): False,
        ("s3:PutObject", f"{data}/processed/index.html"): False,
    }
    for (action, resource), allowed in work.items():
        words = ["--agent", "claude-invoice-01", "--service", "aws", "--action", action, "--resource", resource]
        code, out, _ = call(base, "decide", "policy.yaml", *words)
        assert out.startswith("allowed") == allowed, (code, resource, out)


def test_explain_says_what_made_each_pattern(story: Path) -> None:
    _, out, _ = call(story, "suggest", "--agent", "claude-invoice-01", "--json")
    (one,) = (s for s in json.loads(out)["suggestions"] if s["line"] == 21)
    code, out, _ = call(story, "explain", one["id"], "--agent", "claude-invoice-01")
    assert code == 0
    flat = " ".join(out.split())
    assert "statements/20??-??.pdf: calendar" in flat.replace(" ", "").replace(":calendar", ": calendar")
    assert "2026-08-31" in flat


def test_a_pipe_gets_the_report_and_stays_a_pipe(story: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        code, _, _ = call(story, "report", "--agent", "claude-report-03", "-o", str(pipe), "--quiet")
        assert code == 0
        assert read.result(timeout=60).startswith("<!doctype html>")
    assert pipe.is_fifo()


def test_explain_says_why_a_wildcard_stays(tmp_path: Path) -> None:
    """New repositories all the time: nothing can be listed, and whoever asks is told so with the numbers."""
    line = {"v": 1, "agent": "a", "service": "git", "action": "fetch", "branch": "main", "decision": "allow"}
    begin = datetime(2026, 8, 1, tzinfo=UTC)
    rows = [
        {
            **line,
            "id": f"e{n}",
            "time": (begin + timedelta(hours=6 * n)).isoformat(),
            "session": f"s{n // 2}",
            "resource": f"acme/{n * 2654435761 % 2**32:08x}{'ghij'[n % 4]}",
            "outcome": "success",
        }
        for n in range(360)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    policy = tmp_path / "policy.yaml"
    rule = "{service: git, actions: [fetch], resources: ['acme/*'], branches: ['*']}"
    policy.write_text(f"version: 1\nagents:\n  a: {{allow: [{rule}]}}\n", encoding="utf-8")
    call(tmp_path, "ingest", "log.jsonl")
    _, out, _ = call(tmp_path, "explain", "1/fetch", "--agent", "a", "--policy", "policy.yaml", "--json")
    told = json.loads(out)["by_use"]
    (left,) = told["resource"].pop("patterns")
    first, last = left.pop("witnesses")
    assert (told["resource"], left) == ({"values": 360, "new": 180}, {"pattern": "acme/*", "because": "keeps growing"})
    assert "2026-09-15" <= first["day"] < last["day"] == "2026-10-29", "new ones of the later half"
    assert {first["value"], last["value"]} < {row["resource"] for row in rows}
    assert (told["branch"]["values"], told["branch"]["new"]) == (1, 0)
    assert [(one["pattern"], one["because"]) for one in told["branch"]["patterns"]] == [("main", "listed")]
    _, out, _ = call(tmp_path, "explain", "1/fetch", "--agent", "a", "--policy", "policy.yaml")
    assert "360 distinct values, 180 new in the window's second half acme/*: keeps growing (acme/" in " ".join(
        out.split()
    )


def test_explain_tells_days_gate_bound_events_and_backtest(story: Path) -> None:
    asked = ("--agent", "claude-invoice-01")
    suggested = json.loads(call(story, "suggest", *asked, "--json")[1])
    tried = "not yet: a backtest takes 120 days of log, and there are 90"
    for one in suggested["suggestions"]:
        told = json.loads(call(story, "explain", one["id"], *asked, "--json")[1])
        assert (told["tried"], told["backtest"]) == (tried, suggested["backtest"])
        assert told["grants"]
        assert {grant["line"] for grant in told["grants"]} == {one["line"]}
        used = [grant for grant in told["grants"] if grant["uses"]]
        assert bool(told["events"]) == bool(used)
        assert len(told["events"]) <= 10
        said = " ".join(call(story, "explain", one["id"], *asked)[1].split())
        assert f"backtest {tried}" in said
        for grant in used[:5]:
            assert f"{grant['action']}: {grant['uses']} use" in said
        assert ("the log alone: at most" in said) == any(grant["verdict"] for grant in told["grants"])
        assert " gate " in said
        assert " bound " in said


@pytest.mark.parametrize("command", ["compare", "suggest"])
@pytest.mark.parametrize("agent", AGENTS)
def test_json_is_the_gold_document(story: Path, agent: str, command: str) -> None:
    code, out, _ = call(story, command, "--agent", agent, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == f"tightener.{command}/1"
    check_gold(f"{command}-{agent}.json", out.replace(str(story), "STORY"))


@pytest.mark.parametrize("words", [("status",), ("agents",), ("compare", "--agent", "claude-ops-02")])
def test_overviews_are_gold(story: Path, words: tuple[str, ...]) -> None:
    code, out, _ = call(story, *words)
    assert code == 0
    check_gold(f"{words[0]}.txt", out.replace(str(story), "STORY"))


@pytest.mark.parametrize(
    "words",
    [
        ("ingest",),
        ("status",),
        ("agents",),
        ("compare", "--agent", "claude-invoice-01"),
        ("suggest", "--agent", "claude-invoice-01"),
        ("explain", "1/clone", "--agent", "claude-invoice-01"),
        ("explain", "thin-coverage"),
        ("decide", "policy.yaml", "--agent", "claude-invoice-01", "--service", "git", "--action", "clone"),
        ("verify", "policy.yaml", "policy.yaml"),
        ("report", "--agent", "claude-invoice-01"),
        ("export", "usage", "--agent", "claude-invoice-01", "-o", "usage.parquet"),
        ("export", "events", "-o", "events.csv"),
        ("export", "comparison", "--agent", "claude-ops-02", "-o", "comparison.csv"),
        ("sql", "usage"),
        ("exceptions",),
    ],
    ids=lambda words: "-".join(words[:2]),
)
def test_every_command_answers_in_json_and_in_words(story: Path, words: tuple[str, ...]) -> None:
    code, out, _ = call(story, *words, "--json")
    assert code == 0
    assert json.loads(out)["schema"] == f"tightener.{words[0]}/1"
    code, out, _ = call(story, *words)
    assert code == 0
    assert out.strip()
    assert not any(c in out for c in "\x1b\u202e"), "a hostile name reached the terminal"


def test_a_second_ingest_reads_nothing(story: Path) -> None:
    _, out, _ = call(story, "ingest", "--json")
    document = json.loads(out)
    assert document["files_read"] == 0
    assert document["files_known"] > 20


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("agent", AGENTS)
def test_the_diff_applies_with_git_and_changes_only_its_lines(
    story: Path, tmp_path: Path, agent: str, newline: str
) -> None:
    repository = tmp_path / "repo"
    repository.mkdir()
    policy = repository / "policy.yaml"
    before = (story / "policy.yaml").read_bytes().replace(b"\n", newline.encode())
    policy.write_bytes(before)
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    db = str(story / ".tightener" / "tightener.duckdb")
    config = str(story / "tightener.yaml")
    code, diff, _ = call(
        repository, "--config", config, "--db", db, "suggest", "--agent", agent, "--policy", "policy.yaml", "--diff"
    )
    assert code == 0
    assert diff
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=repository, input=diff.encode(), check=True)
    after = policy.read_bytes()
    removed = [line[1:] for line in diff.split("\n") if line.startswith("-") and not line.startswith("---")]
    old, new = before.split(b"\n"), after.split(b"\n")
    untouched = [line for line in old if line.decode() not in removed]
    it = iter(new)
    assert all(line in it for line in untouched), "a line that the diff does not name has changed"
    # What was applied is what would have been written.
    policy.write_bytes(before)
    call(repository, "--config", config, "--db", db, "suggest", "--agent", agent, "--policy", "policy.yaml", "--write")
    assert policy.read_bytes() == after
    code, _, _ = call(repository, "verify", str(story / "policy.yaml"), "policy.yaml")
    assert code == 0


def test_exit_codes(story: Path, tmp_path: Path) -> None:
    invoice = ("--agent", "claude-invoice-01")
    assert call(story, "suggest", *invoice, "--exit-code")[0] == 10
    assert call(story, "suggest", *invoice, "--as-of", "2026-09-01")[0] == 3
    assert call(tmp_path, "suggest", *invoice)[0] == 3
    assert call(story, "suggest", "--agent", "nobody")[0] == 1
    assert call(story, "suggest")[0] == 2
    assert call(story, "suggest", *invoice, "--window", "soon")[0] == 2
    wider = tmp_path / "wider.yaml"
    wider.write_text((story / "policy.yaml").read_text().replace('["acme/*"]', '["*"]'))
    code, out, _ = call(story, "verify", "policy.yaml", str(wider), "--json")
    document = json.loads(out)
    assert (code, document["verdict"]) == (11, "wider")
    assert document["agents"][0]["witness"]["old"] == "not_granted"


def test_a_rejected_suggestion_is_left_out_with_its_reason(story: Path, tmp_path: Path) -> None:
    base = tmp_path / "copy"
    shutil.copytree(story, base)
    asked = ("--agent", "claude-ops-02")
    every = json.loads(call(base, "suggest", *asked, "--json")[1])["suggestions"]
    needed = {required for one in every for required in one["requires"]}
    no = next(one["id"] for one in every if one["id"] in needed)
    said = ("--reason", "the migration in January", "--owner", "dana", "--until", "2027-01-31")
    code, out, _ = call(base, "reject", no, *asked, *said, "--json")
    assert (code, json.loads(out)["suggestion"]) == (0, no)
    found = json.loads(call(base, "suggest", *asked, "--json")[1])
    left = {one["id"]: one["reason"] for one in found["left_out"]}
    assert left[no] == "rejected by dana until 2027-01-31: the migration in January"
    depending = {one["id"] for one in every if no in one["requires"]}
    assert {left[one] for one in depending} == {f"it needs {no}, which is left out"}
    assert {one["id"] for one in found["suggestions"]} == {one["id"] for one in every} - depending - {no}
    assert "left out: " in call(base, "suggest", *asked)[1]
    assert "left out" in call(base, "explain", no, *asked)[1]
    later = json.loads(call(base, "exceptions", "--json")[1])["decisions"]
    assert [(one["about"], one["state"]) for one in later if one["kind"] == "rejection"] == [(no, "honoured")]
    config = base / "tightener.yaml"
    config.write_text(config.read_text().replace("2027-01-31", "2026-11-14"))  # the day before the window's last
    again = json.loads(call(base, "suggest", *asked, "--json")[1])
    assert [one["id"] for one in again["suggestions"]] == [one["id"] for one in every]
    assert again["ended_decisions"] == [f"the rejection for {no} (dana: the migration in January) ended on 2026-11-14"]
    assert call(base, "reject", "drop-rule-000000", *asked, *said)[0] == 1


def test_only_one_suggestion(story: Path) -> None:
    _, out, _ = call(story, "suggest", "--agent", "claude-invoice-01", "--json")
    every = json.loads(out)["suggestions"]
    assert len(every) > 1
    for one in every:
        _, out, _ = call(story, "suggest", "--agent", "claude-invoice-01", "--json", "--only", one["id"])
        ids = [s["id"] for s in json.loads(out)["suggestions"]]
        assert one["id"] in ids
        assert set(ids) == {one["id"], *one["requires"]}
        told = json.loads(call(story, "explain", one["id"], "--agent", "claude-invoice-01", "--json")[1])
        assert told["suggestion"] == one
    assert call(story, "suggest", "--agent", "claude-invoice-01", "--only", "nonsense")[0] == 1
    assert call(story, "explain", "nonsense", "--agent", "claude-invoice-01")[0] == 1


def test_the_library(story: Path) -> None:
    db = tightener.open(story / ".tightener" / "tightener.duckdb", story / "tightener.yaml")
    usage = db.usage("claude-invoice-01")
    assert usage.df()["uses"].sum() == sum(usage.arrow()["uses"].to_pylist()) > 500
    statuses = set(db.comparison("claude-invoice-01").df()["status"])
    assert {"exercised", "unexercised"} <= statuses


def test_one_go_without_configuration_or_database(story: Path, tmp_path: Path) -> None:
    code, out, _ = call(
        tmp_path, "suggest", "--policy", str(story / "policy.yaml"), "--logs", str(story / "gateway"),
        "--logs", str(story / "AWSLogs"), "--agent", "claude-ops-02", "--diff",
        "--principal", "arn:aws:iam::123456789012:role/claude-ops-02",
    )  # fmt: skip
    assert code == 0
    assert out == call(story, "suggest", "--agent", "claude-ops-02", "--diff")[1].replace("a/sample logs/", "a/")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_gateway_gives_the_same_suggestions(story: Path, tmp_path: Path) -> None:
    config = str(story / "foreign" / "tightener.yaml")
    db = str(tmp_path / "foreign.duckdb")
    assert call(tmp_path, "--config", config, "--db", db, "ingest", str(story / "foreign" / "gateway.jsonl.gz"))[0] == 0
    policy = ("--policy", str(story / "policy.yaml"))
    for agent in ("claude-invoice-01", "claude-ops-02"):
        _, theirs, _ = call(tmp_path, "--config", config, "--db", db, "suggest", "--agent", agent, *policy, "--diff")
        ours_db = str(tmp_path / "ours.duckdb")
        call(tmp_path, "--db", ours_db, "ingest", str(story / "gateway"))
        _, ours, _ = call(tmp_path, "--db", ours_db, "suggest", "--agent", agent, *policy, "--diff")
        assert theirs == ours != ""
