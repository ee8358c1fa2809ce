"""Exceptions and rejections: honoured, listed, ended; and what `reject` does to the configuration's text."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tightener import config as configuration
from tightener import decided
from tightener.config import Rejection
from tightener.errors import ConfigError
from tightener.policy import document

POLICY = """agents:
  a:
    allow:
      - {service: git, actions: [push, pull], id: sources}
      - {service: git, actions: [tag]}
    deny:
      - {service: crm, actions: ["*"]}
"""
DECISIONS = """exceptions:
  - {agent: a, rule: sources, reason: r, owner: o, until: 2026-12-31}
  - {agent: a, service: git, actions: ["t*"], reason: r, owner: o, until: 2026-01-31}
  - {agent: a, service: crm, actions: [read], reason: r, owner: o, until: 2026-12-31}
  - {agent: b, rule: sources, reason: r, owner: o, until: 2026-12-31}
rejected:
  - {agent: a, suggestion: drop-rule-1, reason: "no", owner: o, until: 2026-06-30}
  - {agent: a, suggestion: drop-rule-2, reason: "no", owner: o, until: 2026-06-01}
"""
BLOCK = "agent: a\n  suggestion: x\n  reason: |\n    r\n  owner: o\n  until: 2026-06-30"
NO = Rejection("a", "drop-rule-9", 'a "quoted" # reason: [x]\n{y} \u2028', "dana", date(2026, 12, 31))


def configured(folder: Path, text: str) -> configuration.Config:
    path = folder / "tightener.yaml"
    path.write_bytes(text.encode())
    return configuration.load(path)


def test_every_decision_has_a_state(tmp_path: Path) -> None:
    policies = document.parse(POLICY, "p.yaml").agents
    found = decided.decisions(configured(tmp_path, DECISIONS), policies, date(2026, 6, 30))
    assert [(d.kind, d.about, d.state.value) for d in found] == [
        ("exception", "rule sources", "honoured"),
        ("exception", "git t*", "expired"),
        ("exception", "crm read", "without effect"),
        ("exception", "rule sources", "without effect"),
        ("rejection", "drop-rule-1", "honoured"),
        ("rejection", "drop-rule-2", "expired"),
    ]


@pytest.mark.parametrize(("day", "tag"), [(date(2026, 1, 31), True), (date(2026, 2, 1), False)])
def test_an_exception_holds_to_the_end_of_its_last_day(tmp_path: Path, day: date, tag: bool) -> None:
    rules = document.parse(POLICY, "p.yaml").agents["a"].rules
    reason = decided.excepted(configured(tmp_path, DECISIONS), "a", day)
    assert reason(rules[0], "push") == "kept by o until 2026-12-31: r"
    assert bool(reason(rules[1], "tag")) is tag
    assert not reason(rules[1], "push")  # the rule without an id is not the rule that is named


def test_what_has_ended_is_said(tmp_path: Path) -> None:
    policy = document.parse(POLICY, "p.yaml").agents["a"]
    assert decided.ended(configured(tmp_path, DECISIONS), policy, date(2026, 6, 30)) == (
        "the exception for git t* (o: r) ended on 2026-01-31",
        "the rejection for drop-rule-2 (o: no) ended on 2026-06-01",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "policy: p.yaml",
        "policy: p.yaml\n",
        "policy: p.yaml\r\n# the end\r\n",
        "rejected:\npolicy: p.yaml\n",
        "rejected:   # those that we refused\n\n# next\npolicy: p.yaml\n",
        DECISIONS,
        f"{DECISIONS}# about what follows\ncovers: {{gateway: [git]}}\n",
        f"rejected:\n- {BLOCK}\n  # of x\n\n\npolicy: p\n",
        f"policy: p\nrejected:\n- {BLOCK}",
    ],
)
def test_reject_adds_one_line_and_changes_no_other(tmp_path: Path, text: str) -> None:
    config = configured(tmp_path, text)
    path = decided.reject(config, NO)
    assert configuration.load(path).rejected == (*config.rejected, NO)
    new = path.read_bytes().decode()
    left = new.splitlines(keepends=True)
    added = [line for line in left if "drop-rule-9" in line]
    assert len(added) == 1
    left.remove(added[0])
    if "rejected:" not in text:
        left = [line for line in left if line.rstrip() != "rejected:"]
    assert "".join(left).rstrip() == text.rstrip()
    assert added[0].endswith("\r\n") is ("\r\n" in text)
    assert [p.name for p in tmp_path.iterdir()] == ["tightener.yaml"]


@pytest.mark.parametrize(
    "text", ["rejected: []\n", "rejected: [ {agent: a, suggestion: x, reason: r, owner: o, until: 2026-06-30} ]\n"]
)
def test_a_list_in_flow_style_is_left_to_its_owner(tmp_path: Path, text: str) -> None:
    config = configured(tmp_path, text)
    with pytest.raises(ConfigError, match="no block list") as caught:
        decided.reject(config, NO)
    assert "drop-rule-9" in caught.value.hint
    assert (tmp_path / "tightener.yaml").read_text() == text


def test_without_a_configuration_there_is_nowhere_to_remember() -> None:
    with pytest.raises(ConfigError, match=r"no tightener\.yaml"):
        decided.reject(configuration.Config(), NO)
