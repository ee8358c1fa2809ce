"""The compliance page, its CSV, its JSON and its OSCAL: one object, and nothing in it is more than was found."""

from __future__ import annotations

import contextlib
import csv
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tightener.audit.compliance import NUMBERS, controls
from tightener.cli import run
from tightener.services.catalogue import rows

ROOT = Path(__file__).parents[2]
HOSTILE = "</td><script>alert(1)</script>\u202e\x1b[31m `x` |*_#"
AGENTS = ("claude-invoice-01", "claude-ops-02", "claude-report-03")
LISTED = """NIST SP 800-53: AC-2, AC-2(3), AC-6, AC-6(7), AU-6
ISO/IEC 27001: A.5.15, A.5.18, A.8.2
SOC 2: CC6.1, CC6.2, CC6.3
PCI DSS 4.0.1: 7.2.4, 7.2.5.1"""


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


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample story in a repository of its own, with hostile names, exceptions, and an agent that no log knows."""
    base = tmp_path_factory.mktemp("an auditor's") / "story"
    shutil.copytree(ROOT / "sample_logs", base, ignore=shutil.ignore_patterns(".tightener", "__pycache__"))
    policy = base / "policy.yaml"
    silent = json.dumps(f"=silent{HOSTILE}")
    policy.write_text(
        policy.read_text().rstrip("\n")
        + f"\n  {silent}:\n    allow:\n      - {{service: aws, actions: [s3:GetObject]}}\n"
    )
    reason = json.dumps(f"=1+1 {HOSTILE}")
    kept = "{agent: claude-ops-02, service: aws, actions: ['s3:GetObject'], owner: '@ops'"
    with (base / "tightener.yaml").open("a") as file:
        file.write(f"exceptions:\n  - {kept}, reason: {reason}, until: 2026-01-01}}\n")
        file.write(f"  - {kept}, reason: quarterly, until: 2027-01-01}}\n")
    who = {f"GIT_{role}_{what}": said for role in ("AUTHOR", "COMMITTER") for what, said in _NAMES.items()}
    for words in (["init", "-q"], ["add", "policy.yaml"], ["commit", "-q", "-m", f"Policies {HOSTILE}"]):
        subprocess.run(["git", "-C", str(base), *words], check=True, env={**os.environ, **who}, capture_output=True)
    assert call(base, "ingest")[0] == 0
    return base


_NAMES = {"NAME": "Ann | `a` &", "EMAIL": "ann@example.org", "DATE": "1790000000 +0000"}
OUT = ("-o", "page.html", "--oscal", "results.json", "--csv", "findings.csv")


@pytest.fixture(scope="module")
def made(story: Path) -> dict[str, Any]:
    code, out, _ = call(story, "report", "--compliance", *OUT, "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


def _texts(page: str) -> list[str]:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag != "script"
            assert not any(name.startswith("on") for name, _ in attrs)

        def handle_data(self, data: str) -> None:
            found.append(data)

    Reader().feed(page)
    return found


def test_the_controls_are_those_that_were_promised() -> None:
    listed: dict[str, list[str]] = {}
    for one in controls():
        listed.setdefault(one.framework, []).append(one.control)
        assert one.numbers
        assert set(one.numbers) <= NUMBERS.keys()
        assert one.does_not_show
    assert "\n".join(f"{name}: {', '.join(ids)}" for name, ids in listed.items()) == LISTED
    assert len({one.oscal_id for one in controls()}) == len(controls())
    assert all(row["basis"].startswith("inferred: ") for row in rows("control"))
    assert {number for one in controls() for number in one.numbers} == NUMBERS.keys()


def test_every_agent_stands_under_every_control(made: dict[str, Any]) -> None:
    agents = {one["agent"] for one in made["subjects"]}
    assert agents > set(AGENTS)
    assert len(made["findings"]) == len(agents) * len(controls())
    for one in made["findings"]:
        values = [number["value"] for number in one["numbers"]]
        expected = "open" if any(values) else "cannot tell" if None in values else "clear"
        assert one["state"] == expected, one


def test_an_agent_that_no_log_knows_is_never_clear_by_the_logs(made: dict[str, Any]) -> None:
    own = [one for one in made["findings"] if one["agent"].startswith("=silent")]
    from_logs = [
        one for one in own if any(number["source"] not in {"tightener.yaml", "git log"} for number in one["numbers"])
    ]
    assert len(from_logs) == len(controls())
    for one in from_logs:
        assert one["state"] != "clear"
        assert one["why"]
        assert all(n["value"] is None for n in one["numbers"] if n["source"] not in {"tightener.yaml", "git log"})


@pytest.mark.parametrize("agent", AGENTS)
def test_the_numbers_are_those_of_the_other_commands(story: Path, made: dict[str, Any], agent: str) -> None:
    compared = json.loads(call(story, "compare", "--agent", agent, "--json")[1])
    proposed = json.loads(call(story, "suggest", "--agent", agent, "--json")[1])
    said = {n["name"]: n["value"] for one in made["findings"] if one["agent"] == agent for n in one["numbers"]}
    held = [one for one in compared["grants"] if one["effect"] != "deny"]
    assert said["unexercised"] == sum(one["status"] == "unexercised" for one in held)
    assert said["ungranted"] == len(compared["used_but_not_granted"])
    assert said["around"] == len(compared["around_gateway"])
    assert said["proposed"] == len(proposed["suggestions"])
    assert said["shared"] == len(compared["shared_credentials"])
    assert said["idle"] == (compared["uses"] == 0)
    assert said["expired"] == (agent == "claude-ops-02")
    subject = next(one for one in made["subjects"] if one["agent"] == agent)
    assert subject["grants"] == len(held) == sum(subject["counts"].values())


def test_page_csv_and_json_agree(story: Path, made: dict[str, Any]) -> None:
    table = list(csv.DictReader(io.StringIO((story / "findings.csv").read_text())))
    wanted = [(one, number) for one in made["findings"] for number in one["numbers"]]
    assert len(table) == len(wanted)
    for row, (one, number) in zip(table, wanted, strict=True):
        assert (row["control"], row["state"], row["number"]) == (one["control"], one["state"], number["name"])
        assert row["value"] == ("" if number["value"] is None else str(number["value"]))
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    page = (story / "page.html").read_text()
    shown = re.findall(r"<li><b>([0-9,?]+)</b>", page)
    by_control = sorted(wanted, key=lambda pair: [c.control for c in controls()].index(pair[0]["control"]))
    assert shown == ["?" if number["value"] is None else f"{number['value']:,}" for _, number in by_control]


def test_hostile_names_are_shown_and_do_nothing(story: Path, made: dict[str, Any]) -> None:
    for name in ("page.html", "results.json", "findings.csv"):
        text = (story / name).read_bytes().decode()
        assert "\x1b" not in text
        assert "\u202e" not in text
    words = " ".join(_texts((story / "page.html").read_text()))
    assert "<script>alert(1)</script>\\u202e" in words
    assert "✗ expired" in words
    assert made["histories"][0]["changes"][0]["merged_by"] == "Ann | `a` & <ann@example.org>"


def test_expired_exceptions_are_marked_and_open(made: dict[str, Any]) -> None:
    assert [one["state"] for one in made["exceptions"]] == ["expired", "honoured"]
    own = {one["control"]: one["state"] for one in made["findings"] if one["agent"] == "claude-ops-02"}
    assert own["AC-6(7)"] == own["A.5.18"] == own["7.2.5.1"] == "open"


def test_the_same_bytes_again(story: Path, made: dict[str, Any]) -> None:
    first = {name: (story / name).read_bytes() for name in ("page.html", "results.json", "findings.csv")}
    assert call(story, "report", "--compliance", *OUT)[0] == 0
    assert {name: (story / name).read_bytes() for name in first} == first
    assert made["written"] == list(first)


def _references(node: object) -> Iterator[str]:
    """What refers to an identifier: every `*-uuid` key, and every `#...` href."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key.endswith("-uuid"):
                yield value
            elif key == "href" and str(value).startswith("#"):
                yield value[1:]
            yield from _references(value)
    elif isinstance(node, list):
        for one in node:
            yield from _references(one)


def _identifiers(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from [node["uuid"]] if "uuid" in node else []
        for value in node.values():
            yield from _identifiers(value)
    elif isinstance(node, list):
        for one in node:
            yield from _identifiers(one)


def test_oscal_refers_only_to_what_is_there(story: Path, made: dict[str, Any]) -> None:
    document = json.loads((story / "results.json").read_text())["assessment-results"]
    own = list(_identifiers(document))
    assert len(own) == len(set(own))
    assert all(uuid.UUID(one).version == 5 for one in own)
    referred = set(_references(document))
    assert referred <= set(own)
    assert document["metadata"]["oscal-version"] == "1.2.1"
    assert len(document["results"]) == 4
    resources = {one["uuid"] for one in document["back-matter"]["resources"]}
    assert resources <= referred  # none that nothing rests on
    findings = [one for result in document["results"] for one in result["findings"]]
    for control, one in zip(controls(), findings, strict=True):
        states = {f["state"] for f in made["findings"] if f["control"] == control.control}
        status = one["target"]["status"]
        assert one["target"]["target-id"] == f"{control.oscal_id}_obj"
        assert (status["state"] == "satisfied") == (states == {"clear"})
        assert status["reason"] == ("fail" if "open" in states else "other" if "cannot tell" in states else "pass")
    for result in document["results"]:
        assert [one["status"] for one in result["risks"]] == ["open", "deviation-approved"]


def test_oscal_as_its_own_library_reads_it(story: Path, made: dict[str, Any]) -> None:
    assert made
    try:
        trestle = importlib.import_module("trestle.oscal.assessment_results")
    except ModuleNotFoundError:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("compliance-trestle is not installed")
    found = trestle.AssessmentResults.oscal_read(story / "results.json")
    assert [len(one.findings) for one in found.results] == [5, 3, 3, 2]


def test_no_git_is_said_and_never_clear(story: Path, tmp_path: Path) -> None:
    base = tmp_path / "no repository"
    shutil.copytree(story, base, ignore=shutil.ignore_patterns(".git"))
    out = json.loads(call(base, "report", "--compliance", "--agent", "claude-report-03", "--json")[1])
    assert "is in no Git repository" in out["histories"][0]["notes"][0]
    unreviewed = [n for one in out["findings"] for n in one["numbers"] if n["name"] == "unreviewed"]
    assert {n["value"] for n in unreviewed} == {None}
    assert {one["state"] for one in out["findings"] if "unreviewed" in str(one["numbers"])} <= {"open", "cannot tell"}
    assert "--agent claude-report-03" in (base / "compliance.html").read_text()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("report",), 2, "--all or --compliance"),
        (("report", "--agent", AGENTS[0], "--csv", "x.csv"), 2, "go with --compliance"),
        (("report", "--compliance", "--principal", "arn:x"), 2, "needs one --agent"),
        (("report", "--compliance", "--agent", "nobody"), 1, "no policy names the agent"),
        (("report", "--compliance", "-o", "no/folder/x.html"), 1, "cannot write"),
    ],
)
def test_what_cannot_be_asked(story: Path, words: tuple[str, ...], code: int, says: str) -> None:
    found, _, err = call(story, *words)
    assert found == code
    assert says in err.replace("\n", " ")
