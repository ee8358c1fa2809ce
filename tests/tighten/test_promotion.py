"""Grants that people approved often and never refused: a list for a person, and never a suggestion."""

from __future__ import annotations

import contextlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tightener.cli import run

POLICY = """\
agents:
  a:
    x-granted-since: 2025-01-01
    allow:
      - {service: git, actions: [fetch]}
    require_approval:
      - {service: git, actions: [pull], resources: ["acme/*"]}
      - {service: stripe, actions: ["refunds:create"]}
"""
FIRST = datetime(2026, 8, 1, 8, tzinfo=UTC)
DAYS = 80


def line(day: int, action: str, state: str = "", resource: str = "acme/x", service: str = "git") -> str:
    decision = "require_approval" if state else "allow"
    ran = state in {"", "approved"}
    return json.dumps(
        {
            "v": 1,
            "time": (FIRST + timedelta(days=day, minutes=len(action))).isoformat(),
            "agent": "a",
            "session": f"s{day}",
            "service": service,
            "action": action,
            "resource": resource,
            "decision": decision,
            "outcome": "success" if ran else "denied",
            **({"approval": {"state": state}} if state else {}),
        }
    )


def compare(base: Path, *more: str) -> tuple[list[dict[str, object]], str]:
    """The candidates, and the words, of a log with these lines besides daily work."""
    (base / "p.yaml").write_text(POLICY)
    daily = [line(day, "fetch") for day in range(DAYS)]
    (base / "log.jsonl").write_text("\n".join([*daily, *more]) + "\n")
    asked = ["compare", "--agent", "a", "--policy", "p.yaml", "--logs", "log.jsonl", "--quiet"]
    with contextlib.chdir(base):
        texts = []
        for shape in (["--json"], []):
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                assert run([*asked, *shape]) == 0
            texts.append(out.getvalue())
    return json.loads(texts[0])["for_a_person_to_promote"], texts[1]


OFTEN = [line(day, "pull", "approved") for day in range(0, 63, 6)]  # eleven times, over sixty days


def test_what_was_approved_often_and_never_refused_is_listed_with_its_record(tmp_path: Path) -> None:
    found, words = compare(tmp_path, *OFTEN)
    record = {"approved": 11, "refused": 0, "days": 11, "first": "2026-08-01", "last": "2026-09-30"}
    assert found == [{"grant": "2/pull", "line": 7, **record}]
    assert "git pull (line 7): approved 11 times on 11 days, refused never" in words
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(out := io.StringIO()):
        assert run(["report", "--agent", "a", "--policy", "p.yaml", "--logs", "log.jsonl", "--quiet"]) == 0
        assert run(["suggest", "--agent", "a", "--policy", "p.yaml", "--logs", "log.jsonl", "--quiet", "--diff"]) == 0
    assert "approved 11 times on 11 days" in (tmp_path / "report.html").read_text()
    assert "+    allow" not in out.getvalue()
    assert "require_approval" not in "".join(one for one in out.getvalue().splitlines() if one.startswith("-"))


@pytest.mark.parametrize(
    "lines",
    [
        OFTEN[:9],  # not often enough
        OFTEN[:10],  # not long enough
        [line(day, "pull", "approved") for day in (0, 62) for _ in range(6)],  # on two days
        [*OFTEN, line(30, "pull", "refused")],
        [*OFTEN, line(30, "pull", "timed_out", "acme/y")],
        [*OFTEN, line(30, "pull", "pending")],
        [line(day, "refunds:create", "approved", "", "stripe") for day in range(0, 63, 6)],  # always asked about
    ],
    ids=["few", "short", "two days", "refused", "no answer", "pending", "money"],
)
def test_what_is_not_listed(tmp_path: Path, lines: list[str]) -> None:
    assert compare(tmp_path, *lines)[0] == []


def test_a_no_to_something_else_does_not_count(tmp_path: Path) -> None:
    found, _ = compare(tmp_path, *OFTEN, line(30, "pull", "refused", "other/y"), line(31, "fetch", "refused"))
    assert [one["grant"] for one in found] == ["2/pull"]
