"""Reading policy files: everything that section 1 calls legal is read, everything else is an error with its place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tightener.errors import PolicyError
from tightener.model import Body, Effect
from tightener.policy import document, nodes


def rule_file(*lines: str, block: str = "allow") -> str:
    """A file with one agent and one rule; the rule's keys stand from line 4 on, in column 7."""
    return f"agents:\n  a:\n    {block}:\n    - " + "\n      ".join(lines) + "\n"


def one(*lines: str, block: str = "allow") -> document.PolicyFile:
    return document.parse(rule_file(*lines, block=block), "p.yaml")


def test_repeated_blocks_all_count_in_document_order() -> None:
    text = """\
project: p
agents:
  a:
    x-granted-since: 2026-01-15
    allow: [{service: git, actions: [clone]}]
    deny: [{service: "*", actions: "iam:*"}]
    allow:
      - service: git
        actions: [push]
        resources: r
        branches: []
"""
    file = document.parse(text, "p.yaml")
    found = file.agents["a"]
    assert found.granted_since == date(2026, 1, 15)
    assert [(r.index, r.effect, r.service, r.body) for r in found.rules] == [
        (0, Effect.ALLOW, "git", Body(("clone",))),
        (1, Effect.DENY, "*", Body(("iam:*",))),
        (2, Effect.ALLOW, "git", Body(("push",), ("r",), ())),
    ]
    assert str(found.rules[2].place) == "p.yaml:8:9"
    assert str(found.rules[2].action_places[0]) == "p.yaml:9:19"
    assert [(w.slug, w.place.line) for w in file.warnings] == [("dead-rule", 11)]


ERRORS = {
    "unknown-key": [
        (rule_file("service: git", "actions: [x]", "resource: [r]"), 6, "resources"),
        ("agents:\n  a:\n    denny: []\n", 3, "deny"),
    ],
    "repeated-key": [
        (rule_file("service: git", "service: aws", "actions: [x]"), 5, "line 4"),
        ("agents:\n  a: {}\n  a: {}\n", 3, "line 2"),
        ("agents: {}\nx-y: {k: 1, k: 2}\n", 2, "line 2"),
        ("agents: {a: {owner: x, owner: y}}\n", 1, "line 1"),
    ],
    "null-list": [
        (rule_file("service: git", "actions: [x]", "resources:"), 6, "any"),
        (rule_file("service: git", "actions: ~"), 5, "list"),
    ],
    "not-text": [
        (rule_file("service: git", "actions: [yes]"), 5, '"yes"'),
        (rule_file("service: git", "actions: [1.0]"), 5, '"1.0"'),
        (rule_file("service: git", "actions: [x, ]", "branches: [2026-01-01]"), 6, "quotes"),
        (rule_file("service: git", "actions: [x]", "reason: [y]"), 6, "text"),
        ("agents:\n  1: {}\n", 2, "quotes"),
    ],
    "bad-service": [
        (rule_file("service: AWS", "actions: [x]"), 4, "aws"),
        (rule_file('service: "*"', "actions: [x]"), 4, "deny"),
        (rule_file('service: "a*"', "actions: [x]", block="deny"), 4, "deny"),
    ],
    "missing-key": [
        (rule_file("service: git"), 4, "actions"),
        (rule_file("actions: [x]"), 4, "service"),
    ],
    "bad-date": [
        (rule_file("service: git", "actions: [x]", "expires: 2026-02-30"), 6, "2027"),
        (rule_file("service: git", "actions: [x]", "expires: 2026-02-20T10:00:00"), 6, "zone"),
        (rule_file("service: git", "actions: [x]", "expires: 9999-12-31"), 6, "UTC"),
        (rule_file("service: git", "actions: [x]", "expires:"), 6, "day"),
        ("agents:\n  a:\n    x-granted-since: soon\n", 3, "2026"),
    ],
    "deny-expires": [(rule_file("service: git", "actions: [x]", "expires: 2027-01-01", block="deny"), 6, "remove")],
    "bad-ttl": [
        (rule_file("service: git", "actions: [x]", "ttl: 30m"), 6, "require_approval"),
        (rule_file("service: git", "actions: [x]", "ttl: soon", block="require_approval"), 6, "30m"),
    ],
    "not-a-list": [
        ("agents:\n  a:\n    allow: {service: git, actions: [x]}\n", 3, "- "),
        (rule_file("service: git", "actions: [[x]]"), 5, "patterns"),
        (rule_file("service: git", "actions: {x: y}"), 5, "list"),
    ],
    "not-a-map": [
        ("agents: [a]\n", 1, "map"),
        ("agents:\n  a: yes\n", 2, "map"),
        ("agents:\n  a:\n    allow: [push]\n", 3, "map"),
    ],
    "not-a-policy": [("", 0, "agents"), ("- a\n", 1, "agents"), ("agent:\n  a: {}\n", 1, "agents")],
    "yaml-syntax": [
        ("agents:\n  a:\n    allow: [*]\n", 3, "quoted"),
        ("agents:\n\ta: {}\n", 2, "tabs"),
        ("agents: {}\n---\nagents: {}\n", 2, "own"),
        ("agents: {a: {\n", 2, "quotes"),
    ],
    "yaml-too-deep": [("agents: " + "[" * 5000 + "]" * 5000, 1, "deep"), ("agents: " + "[" * 70 + "]" * 70, 1, "deep")],
    "merge-hides-rules": [
        (
            "x-b: &b {deny: [{service: git, actions: [x]}]}\nagents:\n  a:\n    <<: *b\n    deny: [{service: aws}]\n",
            4,
            "vanish",
        ),
    ],
    "yaml-alias-bomb": [
        (
            "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)),
            6,
            "far",
        ),
        ("agents: &x {a: *x}\n", 1, "itself"),
    ],
}


@pytest.mark.parametrize(("slug", "case"), [(slug, case) for slug, cases in ERRORS.items() for case in cases])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_errors_say_where_and_what_to_do(slug: str, case: tuple[str, int, str], newline: str) -> None:
    text, line, word = case
    with pytest.raises(PolicyError) as error:
        document.parse(text.replace("\n", newline), "p.yaml")
    assert error.value.slug == slug, error.value
    assert error.value.place is not None
    assert error.value.place.line == line, error.value
    assert word in str(error.value)


def test_expiry_is_the_end_of_the_day_or_the_moment() -> None:
    day = one("service: git", "actions: [x]", "expires: 2027-01-31").agents["a"].rules[0]
    moment = one("service: git", "actions: [x]", 'expires: "2027-01-31T01:30:00+02:00"').agents["a"].rules[0]
    assert day.expires == datetime(2027, 2, 1, tzinfo=UTC)
    assert moment.expires == datetime(2027, 1, 30, 23, 30, tzinfo=UTC)


def test_notes_are_kept() -> None:
    file = one("service: git", "actions: x", "reason: why", "ticket: 12", "ttl: 1h", "id: r", block="require_approval")
    rule = file.agents["a"].rules[0]
    assert (rule.extras, rule.ttl) == ({"reason": "why", "ticket": "12", "id": "r"}, "1h")


def test_what_is_legal_and_odd_is_warned_about() -> None:
    text = "project: p\nprojekt: q\nx-z: 1\nagents:\n  a:\n    deny:\n  b: {}\n  c:\n"
    file = document.parse(text, "p.yaml")
    assert [(w.slug, w.place.line) for w in file.warnings] == [
        ("unknown-key", 2),
        ("empty-block", 6),
        ("empty-block", 5),
        ("empty-block", 7),
        ("empty-block", 8),
    ]
    assert "project" in file.warnings[0].message


def test_merge_keys_fill_in_what_the_map_does_not_say() -> None:
    text = """\
x-git: &git {service: git, resources: [acme/*]}
x-rules: &rules
  deny: [{service: "*", actions: [drop]}]
  deny: [{service: "*", actions: [wipe]}]
agents:
  a:
    <<: *rules
    allow:
      - <<: [*git, {resources: [no], branches: [main]}]
        actions: &acts [push]
      - {service: x, actions: *acts}
"""
    rules = document.parse(text, "p.yaml").agents["a"].rules
    assert [(r.service, r.body) for r in rules] == [
        ("git", Body(("push",), ("acme/*",), ("main",))),
        ("x", Body(("push",))),
        ("*", Body(("drop",))),
        ("*", Body(("wipe",))),
    ]
    assert [r.alias_of.line if r.alias_of else None for r in rules] == [1, 10, 2, 2]


def test_both_parsers_of_pyyaml_see_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    hard = "# é\ud7ff\nagents: # \U0001f600\r\n  'a':\r\n    allow: [{service: git, actions: \"\r\n      x\"\r\n  }]\n"
    for candidate in (hard, rule_file("service: git", "actions:", "- x # é", "- 'y'", "- |", "  z", "id: r")):
        seen = []
        for loader in (yaml.SafeLoader, yaml.CSafeLoader):
            monkeypatch.setattr(nodes, "_Loader", loader)
            root = nodes.compose(candidate, "p.yaml")
            waiting, shape = [root], []
            while waiting:
                node = waiting.pop()
                assert node is not None
                shape.append((node.kind, node.place, node.start, node.end, node.tag, node.text, node.style, node.flow))
                waiting += node.children
            seen.append(shape)
        assert seen[0] == seen[1]


def test_folders_and_agents_defined_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("agents: {a: {}}\n")
    (tmp_path / "b.yml").write_text("agents: {b: {}}\n")
    (tmp_path / "tightener.yaml").write_text("policy: [a.yaml]\n")
    found = document.load([tmp_path, tmp_path / "a.yaml"])
    assert list(found.agents) == ["a", "b"]
    assert found.file_of("b").path == str(tmp_path / "b.yml")
    (tmp_path / "c.yaml").write_text("agents: {b: {}}\n")
    with pytest.raises(PolicyError, match=r"b\.yml:1") as error:
        document.load([tmp_path])
    assert (error.value.slug, error.value.place and Path(error.value.place.path).name) == ("agent-twice", "c.yaml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("agents: {}".encode("utf-16"))
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "x.yaml", tmp_path / "none.yaml", tmp_path / "empty"):
        with pytest.raises(PolicyError) as error:
            document.load([path])
        assert error.value.slug == "unreadable"


def test_the_bytes_come_out_as_they_went_in(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    data = b"\xef\xbb\xbfagents:\r\n  a: {} # \xe2\x98\x83\n"
    path.write_bytes(data)
    file = document.load([path]).files[0]
    assert document.encode(file.text) == data
    assert file.agents["a"].place.line == 2


@given(st.text(st.sampled_from("agents:{}[]-&*!|>'\"%@`#?,\n\r\t \x00\ufeff\u2028é"), max_size=40))
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    for candidate in (text, f"agents:\n  a:\n    allow:\n    - service: git\n      actions: {text}"):
        try:
            file = document.parse(candidate, "p.yaml")
        except PolicyError:
            continue
        assert file.text == candidate
