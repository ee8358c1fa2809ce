"""New agents as copies of one: the text letter by letter, in every layout, and every other character kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tightener.errors import PolicyError
from tightener.model import Body
from tightener.policy import diff, document

BLOCK = """\
# top
agents:
  a:    # the agent
    description: what it is
    x-granted-since: 2026-01-01
    owner: me
    principals:
      - arn:aws:iam::1:role/a
    # about the block
    allow:
      - service: git   # tail
        actions: [clone, push]  # both
    x-more: {y: 1}

    deny:
      - {service: tools, actions: [bash]}  # end

  # about b
  b:
    allow: [{service: git, actions: pull}]
"""
HEAD = BLOCK.partition("\n  # about b")[0]
COPY = """\

  a.j:    # the agent
    owner: me
    # about the block
    allow:
      - service: git   # tail
        actions: [clone]  # both

    deny:
      - {service: tools, actions: [bash]}  # end
"""


def copies(text: str, name: str = "a.j") -> str:
    """The file with `name` as a copy of what is left of `a` without `push`."""
    file = document.parse(text, "p.yaml")
    changes = {
        ("a", rule.index): [Body(tuple(x for x in rule.body.actions if x != "push"), rule.body.resources)]
        for rule in file.agents["a"].rules
        if "push" in rule.body.actions
    }
    return file.with_copies("a", {name: file.rewrite(changes)})


def test_a_copy_in_block_style() -> None:
    assert copies(BLOCK) == BLOCK.replace("  # end\n", "  # end\n" + COPY, 1)


def test_line_endings_and_a_missing_last_line_break() -> None:
    crlf = BLOCK.replace("\n", "\r\n")
    assert copies(crlf) == crlf.replace("  # end\r\n", "  # end\r\n" + COPY.replace("\n", "\r\n"), 1)
    last = "\n".join(HEAD.split("\n")[:-1])
    assert copies(last) == last + "\n" + COPY.removeprefix("\n").removesuffix("\n")


RULE = "    allow:\n      - service: git\n        actions: [pull]\n"
LAYOUTS = [
    (
        "agents: {a: {allow: [{service: git, actions: [clone, push]}], x-y: 1}, b: {}}\n",
        ", a.j: {allow: [{service: git, actions: [clone]}]}",
    ),
    (
        "agents:\n  a: {owner: me, allow: [{service: git, actions: pull}]}\n",
        "  a.j: {owner: me, allow: [{service: git, actions: pull}]}\n",
    ),
    # nothing is left, or nothing was there
    (
        "agents:\n  a:\n    allow:\n      - {service: git, actions: []}\n",
        "  a.j:\n    allow:\n      - {service: git, actions: []}\n",
    ),
    ("agents:\n  a: {}\n  b: {}\n", "  a.j: {}\n"),
    ("agents:\n  a:\n    x-y: 1\n  b: {}\n", "  a.j: {}\n"),
    # quoted keys
    ("agents:\n  'a': {owner: me}\n", "  'a.j': {owner: me}\n"),
    # an alias in the copy means the original
    (
        "agents:\n  a:\n    allow:\n      - &p {service: git, actions: [pull]}\n      - *p\n",
        "  a.j:\n    allow:\n      - {service: git, actions: [pull]}\n      - *p\n",
    ),
    (
        "agents:\n  a: &all\n    allow: &rules\n      - {service: git, actions: &some [pull]}\n  b: *all\n",
        "  a.j:\n    allow:\n      - {service: git, actions: [pull]}\n",
    ),
    (
        "x-base: &base\n  deny: [{service: tools, actions: x}]\nagents:\n  a:\n    <<: *base\n    x-y: 1\n",
        "  a.j:\n    <<: *base\n",
    ),
    # block scalars, and comments that belong to the next agent
    (
        f"agents:\n  a:\n{RULE}        reason: |\n          why\n          not\n  # next\n  b: {{}}\n",
        f"  a.j:\n{RULE}        reason: |\n          why\n          not\n",
    ),
]


@pytest.mark.parametrize(("text", "added"), LAYOUTS)
def test_layouts(text: str, added: str) -> None:
    made = copies(text)
    more = len(made) - len(text)
    found = [made[at : at + more] for at in range(len(text) + 1) if made[:at] + made[at + more :] == text]
    assert added in found, found
    old, new = document.parse(text, "p.yaml").agents, document.parse(made, "p.yaml").agents
    assert {n: [(r.effect, r.body) for r in p.rules] for n, p in old.items()} == {
        n: [(r.effect, r.body) for r in p.rules] for n, p in new.items() if n != "a.j"
    }


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("agents:\n  a: {}\n  a.j: {}\n", "agent-exists"),
        ("x-all: &all\n  a: {}\nagents: *all\n", "agent-behind-alias"),
        ("x-all: &all\n  a: {}\nagents:\n  <<: *all\n", "agent-behind-alias"),
    ],
)
def test_refused(text: str, slug: str) -> None:
    with pytest.raises(PolicyError) as caught:
        copies(text)
    assert caught.value.slug == slug


@pytest.mark.parametrize("name", ["a.j", "a b", "a: b", "2026", "null", "a'b", 'a"b', "#x", "*a"])
def test_every_name_is_read_back(name: str) -> None:
    assert list(document.parse(copies(BLOCK, name), "p.yaml").agents) == ["a", name, "b"]


@pytest.mark.parametrize("text", [BLOCK, BLOCK.replace("\n", "\r\n"), BLOCK.rstrip(), HEAD])
def test_the_diff_holds_the_new_agent_and_nothing_else(tmp_path: Path, text: str) -> None:
    made = copies(text)
    patch = diff.added(text, made, "p.yaml")
    assert not any(line.startswith("-") for line in patch.splitlines()[2:] if text.endswith("\n"))
    (tmp_path / "p.yaml").write_bytes(text.encode())
    (tmp_path / "d.patch").write_bytes(patch.encode())
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "d.patch"], cwd=tmp_path, check=True)
    assert (tmp_path / "p.yaml").read_bytes().decode() == made
