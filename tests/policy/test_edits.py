"""Edits: the text after each is compared letter by letter; a property holds random edits against a plain reading."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.errors import PolicyError
from tightener.model import Addition, Body, Effect, Rule
from tightener.policy import document, edits

BASE = """\
# top
agents:
  a:    # the agent
    owner: me
    # about the first block
    allow:
      # heads the list
      - service: git   # tail
        actions: [clone, push]  # both
        resources: ["acme/*"]
      # about the second
      - {service: aws, actions: ["s3:GetObject", 's3:PutObject', "s3:*"], id: x1}  # flow

    # denied
    deny:
      - service: tools
        actions:
          # heads
          - bash   # shell
          # about sql
          - sql
          - post   # last
  b:
    allow: [{service: git, actions: pull}, {service: git, actions: [push]}]  # end
"""


def edited(changes: dict[tuple[str, int], Sequence[Body]], text: str = BASE) -> list[str]:
    """The lines that go (-) and come (+)."""
    new = document.parse(text, "p.yaml").rewrite(changes)
    return [
        line
        for line in difflib.unified_diff(text.split("\n"), new.split("\n"), lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]


def test_no_change_is_no_change() -> None:
    file = document.parse(BASE, "p.yaml")
    assert file.rewrite({}) == BASE
    assert file.rewrite({("a", i): [rule.body] for i, rule in enumerate(file.agents["a"].rules)}) == BASE


CASES = {
    "flow item in front": (
        {("a", 0): [Body(("push",), ("acme/*",))]},
        ["-        actions: [clone, push]  # both", "+        actions: [push]  # both"],
    ),
    "flow item at the end, list narrowed": (
        {("a", 0): [Body(("clone",), ("acme/x", "acme/y"))]},
        [
            "-        actions: [clone, push]  # both",
            '-        resources: ["acme/*"]',
            "+        actions: [clone]  # both",
            '+        resources: ["acme/x", "acme/y"]',
        ],
    ),
    "key added to a block rule": (
        {("a", 0): [Body(("clone", "push"), ("acme/*",), ("main",))]},
        ['+        branches: ["main"]'],
    ),
    "flow rule: item kept with its quotes, key added inside": (
        {("a", 1): [Body(("s3:PutObject", "s3:HeadObject"), ("a",))]},
        [
            """-      - {service: aws, actions: ["s3:GetObject", 's3:PutObject', "s3:*"], id: x1}  # flow""",
            """+      - {service: aws, actions: ['s3:PutObject', "s3:HeadObject"], resources: ["a"], id: x1}  # flow""",
        ],
    ),
    "block item with its comments": (
        {("a", 2): [Body(("bash", "post"))]},
        ["-          # about sql", "-          - sql"],
    ),
    "first block item: the heading stays": (
        {("a", 2): [Body(("sql", "post"))]},
        ["-          - bash   # shell"],
    ),
    "block item replaced by two": (
        {("a", 2): [Body(("bash", "sql", "post_a", "x: y"))]},
        ["-          - post   # last", "+          - post_a", '+          - "x: y"'],
    ),
    "second rule with its comment": (
        {("a", 1): []},
        [
            "-      # about the second",
            """-      - {service: aws, actions: ["s3:GetObject", 's3:PutObject', "s3:*"], id: x1}  # flow""",
        ],
    ),
    "first rule: the heading stays": (
        {("a", 0): []},
        [
            "-      - service: git   # tail",
            "-        actions: [clone, push]  # both",
            '-        resources: ["acme/*"]',
        ],
    ),
    "last rule of a block": (
        {("a", 2): []},
        [
            "-    # denied",
            "-    deny:",
            "-      - service: tools",
            "-        actions:",
            "-          # heads",
            "-          - bash   # shell",
            "-          # about sql",
            "-          - sql",
            "-          - post   # last",
        ],
    ),
    "split: the copy has no id": (
        {("a", 1): [Body(("s3:GetObject",), ("a",)), Body(("s3:PutObject",), ("b",))]},
        [
            """-      - {service: aws, actions: ["s3:GetObject", 's3:PutObject', "s3:*"], id: x1}  # flow""",
            """+      - {service: aws, actions: ["s3:GetObject"], resources: ["a"], id: x1}  # flow""",
            """+      - {service: aws, actions: ['s3:PutObject'], resources: ["b"]}""",
        ],
    ),
    "split of a block rule": (
        {("a", 0): [Body(("clone",), ("acme/*",)), Body(("push",), ("acme/*",), ("main",))]},
        [
            "-        actions: [clone, push]  # both",
            "+        actions: [clone]  # both",
            '+        resources: ["acme/*"]',
            "+      - service: git   # tail",
            "+        actions: [push]  # both",
            '+        branches: ["main"]',
        ],
    ),
    "one of a flow block": (
        {("b", 0): []},
        [
            "-    allow: [{service: git, actions: pull}, {service: git, actions: [push]}]  # end",
            "+    allow: [{service: git, actions: [push]}]  # end",
        ],
    ),
    "nothing left": (
        {("b", 0): [], ("b", 1): []},
        [
            "-  b:",
            "-    allow: [{service: git, actions: pull}, {service: git, actions: [push]}]  # end",
            "+  b: {}",
        ],
    ),
    "a scalar becomes a list": (
        {("b", 0): [Body(("pull", "fetch"))]},
        [
            "-    allow: [{service: git, actions: pull}, {service: git, actions: [push]}]  # end",
            "+    allow: [{service: git, actions: [pull, fetch]}, {service: git, actions: [push]}]  # end",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_edit_is_exactly_this(name: str) -> None:
    changes, lines = CASES[name]
    assert sorted(edited(changes)) == sorted(lines)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_endings_and_bom_change_nothing(name: str, bom: str) -> None:
    changes, _ = CASES[name]
    unix = document.parse(BASE, "p.yaml").rewrite(changes)
    windows = document.parse(bom + BASE.replace("\n", "\r\n"), "p.yaml").rewrite(changes)
    assert windows == bom + unix.replace("\n", "\r\n")


def test_an_agent_with_everything_removed_keeps_its_comment() -> None:
    text = "agents:\n  a:   # why\n\n    allow:\n      - service: git\n        actions: [push]\n  b: {}\n"
    new = document.parse(text, "p.yaml").rewrite({("a", 0): []})
    assert new == "agents:\n  a: {}   # why\n\n  b: {}\n"


def test_a_long_flow_list_loses_the_line_and_its_comment() -> None:
    text = (
        "agents:\n  a:\n    allow:\n    - service: git\n      actions: [\n        clone,  # 1\n"
        "        # two\n        push,  # 2\n        pull  # 3\n      ]\n"
    )
    new = document.parse(text, "p.yaml").rewrite({("a", 0): [Body(("clone", "pull"))]})
    assert new == text.replace("        # two\n        push,  # 2\n", "")


def test_a_file_without_a_last_newline_stays_so() -> None:
    text = "agents:\n  a:\n    deny:\n    - service: git\n      actions:\n      - push\n      - pull"
    file = document.parse(text, "p.yaml")
    assert file.rewrite({("a", 0): [Body(("push",))]}) == text.removesuffix("\n      - pull")
    assert file.rewrite({("a", 0): [Body(("push", "pull", "x"))]}) == text + "\n      - x"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x-r: &r {service: git, actions: [push, pull]}\nagents:\n  a:\n    allow: [*r]\n", 1),
        ("agents:\n  a:\n    allow: &b\n    - {service: git, actions: [push, pull]}\n    deny: *b\n", 3),
        (
            "agents:\n  a:\n    deny:\n    - service: g\n      actions: &l [x, y]\n    - {service: x, actions: *l}\n",
            5,
        ),
        ("x-b: &b\n  actions: [push, pull]\nagents:\n  a:\n    allow:\n    - <<: *b\n      service: git\n", 1),
    ],
)
def test_shared_rules_are_not_edited(text: str, line: int) -> None:
    file = document.parse(text, "p.yaml")
    for index in range(len(file.agents["a"].rules)):
        with pytest.raises(PolicyError, match=f"line {line}") as error:
            file.rewrite({("a", index): [Body(("push",))]})
        assert error.value.slug == "rule-behind-alias"
        with pytest.raises(PolicyError, match=f"line {line}"):
            file.meaning("a", {("a", index): [Body(("push",))]}, {})


def test_an_edit_that_says_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    file = document.parse(BASE, "p.yaml")
    for wrong in (BASE, BASE.replace("clone", "'"), BASE.replace("owner", "allow")):
        monkeypatch.setattr(edits, "rewrite", lambda *_, wrong=wrong: wrong)
        with pytest.raises(PolicyError) as error:
            file.rewrite({("a", 0): []})
        assert error.value.slug == "edit-went-wrong"


PATTERNS = [
    "*",
    "a",
    "b:c",
    "x y",
    "# no",
    "it's",
    'say "x"',
    "null",
    "1.5",
    "back\\slash",
    "é☃",
    "- x",
    "?",
    "t\tb",
    "&a",
    "",
]
bodies = st.builds(
    Body,
    st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4).map(tuple),
    st.none() | st.lists(st.sampled_from(PATTERNS), max_size=3).map(tuple),
    st.none() | st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3).map(tuple),
)


def written(body: Body, draw: st.DrawFn, number: int) -> list[str]:
    """One rule in a random style."""
    lists = [("actions", body.actions), ("resources", body.resources), ("branches", body.branches)]
    fields = [("service", "git"), *((k, v) for k, v in lists if v is not None), ("id", f"r{number}")]
    if draw(st.booleans()):
        fields = draw(st.permutations(fields))
    quoted = {p: '"' + p.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"' for p in PATTERNS}
    flow = draw(st.booleans())
    lines: list[str] = []
    for key, value in fields:
        if isinstance(value, str):
            lines.append(f"{key}: {value}")
        elif flow or not value or draw(st.booleans()):
            lines.append(f"{key}: [{', '.join(quoted[p] for p in value)}]")
        else:
            lines.append(f"{key}:" + draw(st.sampled_from(["", "  # list"])))
            for p in value:
                lines += draw(st.sampled_from([[], ["  # over"]]))
                lines.append(f"  - {quoted[p]}" + draw(st.sampled_from(["", " # tail"])))
    if flow:
        return [f"- {{{', '.join(lines)}}}"]
    return [("- " if i == 0 else "  ") + line for i, line in enumerate(lines)]


@settings(max_examples=150)
@given(st.data())
def test_any_edit_says_what_was_asked_for_and_touches_nothing_else(data: st.DataObject) -> None:
    rules = data.draw(st.lists(bodies, min_size=1, max_size=4))
    lines = ["agents:", "  a:"]
    for number, body in enumerate(rules):
        if number == 0 or data.draw(st.booleans()):
            lines += [f"    # block {number}", "    allow:"]
        lines += [f"      # rule {number}", *("      " + line for line in written(body, data.draw, number))]
    tail = ["  b:   # other", "    deny: [ {service: git,actions: [ 'x' ]  } ]", "# end"]
    text = "\n".join([*lines, *tail]) + "\n"
    file = document.parse(text, "p.yaml")
    assert [rule.body for rule in file.agents["a"].rules] == rules
    changes = data.draw(st.dictionaries(st.integers(0, len(rules) - 1), st.lists(bodies, max_size=3), max_size=4))
    new = file.rewrite({("a", index): found for index, found in changes.items()})
    assert new.endswith("\n".join(tail) + "\n")
    after = document.parse(new, "p.yaml").agents["a"].rules
    assert [r.body for r in after] == [b for i, body in enumerate(rules) for b in changes.get(i, [body])]
    for number, body in enumerate(rules):
        if changes.get(number, [body]) == [body]:
            assert f"id: r{number}" in new
    meant = file.meaning("a", {("a", index): found for index, found in changes.items()}, {}).rules
    assert list(map(says, meant)) == list(map(says, after))


def says(rule: Rule) -> str:
    """Everything that an answer of the authoriser depends on."""
    return repr((rule.agent, rule.effect, rule.service, rule.body, rule.expires, rule.ttl, rule.aliases))


MOVES = """\
agents:
  a:
    # about the first block
    allow:
      - service: git   # tail
        actions: [clone, push]  # both
        reason: 'why # not'
        id: x1
      # about the second
      - {service: aws, actions: ["s3:GetObject", 's3:PutObject'], id: x2, expires: 2027-01-31}  # f
    # alone
    allow:
    - service: tools
      actions:
        - bash   # shell
        - post
    # denied
    deny:
      - service: tools
        actions: [sql]
  b:
    allow: [{service: git, actions: pull}]  # end
    require_approval: [{service: git, actions: [tag]}]
  c: {allow: [{service: git, actions: [push, pull], owner: me}]}
  d:
    allow:
      - service: git
        actions: [push]
    require_approval:
    # theirs
    - service: aws
      actions:
      -   's3:DeleteObject'  # ours
    # behind
"""
ASK, DENY = Effect.REQUIRE_APPROVAL, Effect.DENY
ADDED = {
    "a whole block rule takes its comments along, into a new block behind the last allow": (
        {("a", 2): []},
        {"a": [Addition(ASK, "tools", Body(("bash", "post")), 2)]},
        ["-    allow:", "+    require_approval:"],
    ),
    "a whole flow rule goes as it stands": (
        {("a", 1): []},
        {"a": [Addition(ASK, "aws", Body(("s3:GetObject", "s3:PutObject")), 1)]},
        [
            "-      # about the second",
            """-      - {service: aws, actions: ["s3:GetObject", 's3:PutObject'], id: x2, expires: 2027-01-31}  # f""",
            "+    require_approval:",
            "+    # about the second",
            """+    - {service: aws, actions: ["s3:GetObject", 's3:PutObject'], id: x2, expires: 2027-01-31}  # f""",
        ],
    ),
    "a part keeps reason and expires, and not the id": (
        {("a", 0): [Body(("clone",))], ("a", 1): [Body(("s3:GetObject",))]},
        {
            "a": [
                Addition(ASK, "git", Body(("push",), ("acme/x",), ("main",)), 0),
                Addition(ASK, "aws", Body(("s3:PutObject",)), 1, "1h"),
            ]
        },
        [
            "-        actions: [clone, push]  # both",
            "+        actions: [clone]  # both",
            """-      - {service: aws, actions: ["s3:GetObject", 's3:PutObject'], id: x2, expires: 2027-01-31}  # f""",
            """+      - {service: aws, actions: ["s3:GetObject"], id: x2, expires: 2027-01-31}  # f""",
            "+    require_approval:",
            "+    - service: git",
            "+      actions: [push]",
            "+      resources: [acme/x]",
            "+      branches: [main]",
            "+      reason: 'why # not'",
            """+    - {service: aws, actions: ["s3:PutObject"], expires: 2027-01-31, ttl: 1h}""",
        ],
    ),
    "a flow block gets one more": (
        {("b", 0): []},
        {"b": [Addition(ASK, "git", Body(("pull",)), 0)]},
        [
            "-    allow: [{service: git, actions: pull}]  # end",
            "-    require_approval: [{service: git, actions: [tag]}]",
            "+    require_approval: [{service: git, actions: [tag]}, {service: git, actions: pull}]",
        ],
    ),
    "an agent in flow style stays so": (
        {("c", 0): [Body(("pull",))]},
        {"c": [Addition(ASK, "git", Body(("push",)), 0), Addition(DENY, "aws", Body(("iam:*",)))]},
        [
            "-  c: {allow: [{service: git, actions: [push, pull], owner: me}]}",
            (
                "+  c: {allow: [{service: git, actions: [pull], owner: me}], "
                "require_approval: [{service: git, actions: [push], owner: me}], "
                'deny: [{service: aws, actions: ["iam:*"]}]}'
            ),
        ],
    ),
    "the last of a block goes while another comes": (
        {("d", 0): [], ("d", 1): []},
        {"d": [Addition(ASK, "git", Body(("push",), ("r",)), 0)]},
        [
            "-    allow:",
            "-      - service: git",
            "-        actions: [push]",
            "-    - service: aws",
            "-      actions:",
            "-      -   's3:DeleteObject'  # ours",
            "+    - service: git",
            "+      actions: [push]",
            "+      resources: [r]",
        ],
    ),
    "a new rule has its neighbour's style": (
        {},
        {"d": [Addition(ASK, "aws", Body(("iam:*", "x"), ("r",)))], "a": [Addition(DENY, "aws", Body(("iam:*",)))]},
        [
            "+      - service: aws",
            '+        actions: ["iam:*"]',
            "+    - service: aws",
            "+      actions:",
            "+      - 'iam:*'",
            "+      - 'x'",
            "+      resources:",
            "+      - 'r'",
        ],
    ),
}


@pytest.mark.parametrize("name", ADDED)
def test_a_rule_is_added_exactly_so(name: str) -> None:
    changes, added, lines = ADDED[name]
    file = document.parse(MOVES, "p.yaml")
    new = file.rewrite(changes, added)
    found = [
        line
        for line in difflib.unified_diff(MOVES.split("\n"), new.split("\n"), lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    assert sorted(found) == sorted(lines)
    windows = document.parse("\ufeff" + MOVES.replace("\n", "\r\n"), "p.yaml").rewrite(changes, added)
    assert windows == "\ufeff" + new.replace("\n", "\r\n")
    bare = document.parse(MOVES.rstrip("\n"), "p.yaml").rewrite(changes, added)
    assert bare == new.rstrip("\n")


def test_where_every_block_is_shared_nothing_is_added() -> None:
    text = "agents:\n  a:\n    allow: &b\n    - {service: git, actions: [push, pull]}\n    deny: *b\n"
    with pytest.raises(PolicyError) as error:
        document.parse(text, "p.yaml").rewrite({}, {"a": [Addition(ASK, "git", Body(("push",)))]})
    assert error.value.slug == "rule-behind-alias"


def test_a_block_that_is_shared_gets_no_rule_and_a_new_one_is_made() -> None:
    text = (
        "x: &b\n  - {service: git, actions: [tag]}\nagents:\n  a:\n    allow:\n"
        "    - {service: git, actions: [push]}\n    require_approval: *b\n"
    )
    new = document.parse(text, "p.yaml").rewrite({}, {"a": [Addition(ASK, "git", Body(("pull",)))]})
    assert new == text.replace("[push]}\n", "[push]}\n    require_approval:\n    - {service: git, actions: [pull]}\n")


@settings(max_examples=150)
@given(st.data())
def test_any_addition_says_what_was_asked_for_and_leaves_the_rest(data: st.DataObject) -> None:
    rules = data.draw(st.lists(bodies, min_size=1, max_size=4))
    lines = ["agents:", "  a:"]
    for number, body in enumerate(rules):
        if number == 0 or data.draw(st.booleans()):
            block = "allow" if number == 0 else data.draw(st.sampled_from(["allow", "require_approval"]))
            lines += [f"    # block {number}", f"    {block}:"]
        lines += [f"      # rule {number}", *("      " + line for line in written(body, data.draw, number))]
    tail = ["  b:   # other", "    deny: [ {service: git,actions: [ 'x' ]  } ]", "# end"]
    file = document.parse("\n".join([*lines, *tail]) + "\n", "p.yaml")
    allowed = [r.index for r in file.agents["a"].rules if r.effect is Effect.ALLOW]
    sources = data.draw(st.lists(st.sampled_from(allowed), unique=True, max_size=3))
    whole = {index for index in sources if data.draw(st.booleans())}
    added = [
        Addition(ASK, "git", file.agents["a"].rules[i].body if i in whole else data.draw(bodies), i) for i in sources
    ]
    made = file.rewritten({("a", index): [] for index in whole}, {"a": added})
    assert made.file.text.endswith("\n".join(tail) + "\n")
    after = document.parse(made.file.text, "p.yaml").agents["a"].rules
    assert sorted(made.origin["a"]) == sorted([*(i for i in range(len(rules)) if i not in whole), *sources])
    for rule, index in zip(after, made.origin["a"], strict=True):
        was = file.agents["a"].rules[index]
        if was.effect is rule.effect:
            assert (rule.body, rule.extras) == (was.body, was.extras)
        else:
            own = next(one for one in added if one.source == index)
            assert (rule.body, rule.extras) == (own.body, dict(was.extras) if index in whole else {})
    meant = file.meaning("a", {("a", index): [] for index in whole}, {"a": added}).rules
    assert [rule.index for rule in meant] == list(range(len(after)))
    assert sorted(map(says, meant)) == sorted(map(says, after)), "the same rules, whatever their order"
    # what is said about a rule goes where it goes; what heads a list of which something stays, stays
    assert all(f"# rule {i}\n" in made.file.text for i in range(len(rules)))
