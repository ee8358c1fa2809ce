"""tightener.yaml: what it says, and that every mistake names its line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tightener import config, pipeline
from tightener.errors import ConfigError, PolicyError
from tightener.logs.callers import Entry, Identity, Owner
from tightener.logs.jobs import Started
from tightener.model import Answer, Body
from tightener.policy import document
from tightener.policy.decide import Authoriser

WHOLE = """\
policy: [policies/a.yaml, policies/b.yaml]
logs: logs
database: state/t.duckdb
agents:
  a: {principals: ["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/a-*"]}
  b: {principals: "arn:aws:iam::1:role/*"}
covers: {gateway: [git, aws]}
data_events: {"AWS::S3::Object": 2026-06-01}
exceptions:
  - {agent: a, service: git, actions: [pull], reason: drill, owner: dana, until: 2027-01-31}
"""


def load(folder: Path, text: str) -> config.Config:
    path = folder / config.FILE_NAME
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def test_a_whole_configuration(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert found.policy == (tmp_path / "policies/a.yaml", tmp_path / "policies/b.yaml")
    assert found.logs == (str(tmp_path / "logs"),)
    assert found.database == tmp_path / "state/t.duckdb"
    assert found.covers == {"gateway": ("git", "aws")}
    assert found.data_events == {"AWS::S3::Object": date(2026, 6, 1)}
    assert found.exceptions[0].until == date(2027, 1, 31)


def test_where_requests_go(tmp_path: Path) -> None:
    assert load(tmp_path, "policy: a\n").publish == config.Publish("", "", "", ("tightener",), 10)
    text = "publish: {github: acme/p, api: 'https://h/api/v3', base: main, labels: [a, b], most_open: 1}\n"
    assert load(tmp_path, text).publish == config.Publish("acme/p", "https://h/api/v3", "main", ("a", "b"), 1)


@pytest.mark.parametrize(
    "value",
    [
        *("{github: acme}", "{github: a/b/c}", "{github: 'a b/c'}", "{github: 1}", "{api: [x]}", "{base: 2}"),
        *(
            "{most_open: 0}",
            "{most_open: yes}",
            "{most_open: '1'}",
            "{labels: []}",
            "{labels: [1]}",
            "{token: x}",
            "[]x",
        ),
    ],
)
def test_where_requests_cannot_go(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, f"publish: {value}\n")
    assert error.value.place
    assert error.value.place.line == 1


def test_an_agent_may_name_its_own_policy(tmp_path: Path) -> None:
    text = "agents:\n  a: {policy: a.yaml}\n  b: {policy: [b.yaml, more.yaml]}\n"
    found = load(tmp_path, text)
    assert found.policy == (tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "more.yaml")
    both = load(tmp_path, f"policy: a.yaml\n{text}")
    assert both.policy == found.policy
    for name in ("a", "b", "more"):
        (tmp_path / f"{name}.yaml").write_text(f"agents: {{{name}: {{allow: []}}}}\n", encoding="utf-8")
    project = pipeline.open_project(found, tmp_path / "t.duckdb")
    assert sorted(pipeline.read_policies(project).agents) == ["a", "b", "more"]
    (tmp_path / "a.yaml").write_text("agents: {z: {allow: []}}\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="names no agent a, as"):
        pipeline.read_policies(project)
    named = pipeline.read_policies(project, [tmp_path / "b.yaml"])  # what is named on the command line is all there is
    assert sorted(named.agents) == ["b"]


def test_every_key_is_documented() -> None:
    text = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text(encoding="utf-8")
    for key in config._TOP:
        assert f"| `{key}` |" in text


def test_action_aliases_reach_every_decision(tmp_path: Path) -> None:
    found = load(tmp_path, 'action_aliases: {stripe: {write: [create], audit: [read, list]}, "*": {write: []}}\n')
    text = "agents:\n  a:\n    allow:\n"
    text += "".join(
        f"      - {{service: {s}, actions: ['{a}']}}\n"
        for s, a in (("stripe", "x:write"), ("stripe", "y:audit"), ("crm", "x:write"))
    )
    policy = document.parse(text, "p.yaml", found.aliases).agents["a"]
    asked = Authoriser(policy, datetime(2026, 11, 24, tzinfo=UTC))
    granted = {
        (service, action)
        for service in ("stripe", "crm")
        for action in ("x:write", "x:create", "x:update", "y:audit", "y:read", "y:list", "y:write")
        if asked.decide(service, action).answer is Answer.ALLOWED
    }
    assert granted == {
        ("stripe", "x:write"), ("stripe", "x:create"), ("stripe", "y:audit"), ("stripe", "y:read"),
        ("stripe", "y:list"), ("crm", "x:write"),
    }  # fmt: skip
    # the text of an edited rule is read with the same table
    assert (
        document.parse(text, "p.yaml", found.aliases).rewrite({("a", 0): [Body(("x:create",))]}).count("x:create") == 1
    )


def test_a_principal_of_two_agents_is_nobody_s(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert found.owner_of(Identity(role="arn:aws:iam::1:role/a")) == Owner("", "role or user", ("a", "b"))
    assert found.owner_of(Identity(role="arn:aws:iam::1:role/c")) == Owner("b", "role or user")
    assert found.owner_of(Identity(role="arn:aws:iam::2:role/c")) == Owner()


@pytest.mark.parametrize(("said", "bytes_"), [("512MiB", 512 << 20), ("1.5GB", 1_500_000_000), ("7 kb", 7000)])
def test_sizes(tmp_path: Path, said: str, bytes_: int) -> None:
    assert load(tmp_path, f"largest_file: {said}\n").largest_file == bytes_
    with pytest.raises(ConfigError, match="`largest_file` must be a size such as 4GB, not 5"):
        load(tmp_path, "largest_file: 5\n")


def test_an_entry_is_a_pattern_or_a_mapping(tmp_path: Path) -> None:
    text = """\
agents:
  a:
    principals:
      - "arn:aws:iam::1:role/a"
      - {session_name: "a-*", role: "arn:aws:iam::1:role/shared"}
  b: {principals: {source_identity: "b-*"}}
  c: {}
"""
    assert load(tmp_path, text).principals == {
        "a": (
            Entry({"role": "arn:aws:iam::1:role/a"}),
            Entry({"session_name": "a-*", "role": "arn:aws:iam::1:role/shared"}),
        ),
        "b": (Entry({"source_identity": "b-*"}),),
        "c": (),
    }


def test_jobs(tmp_path: Path) -> None:
    text = "agents:\n  a:\n    jobs: {daily: 'run-*', 2026: [x, {on_behalf_of: y, session: 'z*'}]}\n  b: {}\n"
    assert load(tmp_path, text).jobs == {
        "a": {"daily": (Started("run-*"),), "2026": (Started("x"), Started("z*", "y"))},
    }


def test_the_nearest_configuration_is_found(tmp_path: Path) -> None:
    load(tmp_path, "logs: x")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert config.find(deep) == tmp_path / config.FILE_NAME


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("polcy: x", 1, "did you mean `policy`?"),
        ("logs: x\nlogs: y", 2, "`logs` stands twice"),
        ("agents:\n  a: {principal: x}", 2, "did you mean `principals`?"),
        ("agents:\n  a: {principals: [1]}", 2, "must hold text"),
        ("agents:\n  a:\n    principals:\n      - {sesion_name: x}", 4, "did you mean `session_name`?"),
        ("agents:\n  a:\n    principals:\n      - role: x\n        user: y", 5, "known here: source_identity"),
        ("agents:\n  a:\n    principals:\n      - role: [x]", 4, "`role` must be text"),
        ("agents:\n  a:\n    principals:\n      - x\n      - access_key: 12", 5, "`access_key` must be text, not 12"),
        ("agents:\n  a:\n    principals:\n      - {}", 4, "an empty mapping names nobody"),
        ("agents:\n  a:\n    principals:\n      - agentcore_runtime: arn:x", 4, 'write {agentcore_runtime: "*"'),
        ("agents:\n  a: {principals: ''}", 2, "must hold text or mappings"),
        ("agents:\n  a: {job: {x: y}}", 2, "did you mean `jobs`?"),
        ("agents:\n  a: {jobs: x}", 2, "`jobs` must be a mapping"),
        ("agents:\n  a:\n    jobs:\n      in voice: x", 4, "did you mean `in-voice`?"),
        ("agents:\n  a:\n    jobs:\n      x: []", 4, "the job `x` has no pattern"),
        ("agents:\n  a:\n    jobs:\n      x: 7", 4, "`x` must hold patterns, not 7"),
        ("agents:\n  a:\n    jobs:\n      x: [y, '']", 4, "`x` must hold patterns, not ''"),
        ("agents:\n  a:\n    jobs:\n      x:\n        sesion: y", 5, "did you mean `session`?"),
        ("agents:\n  a:\n    jobs:\n      x:\n        on_behalf_of: 7", 5, "`on_behalf_of` must be text, not 7"),
        ("exceptions:\n  - {agent: a, service: git, actions: [x]}", 2, "lacks reason, owner, until"),
        ("exceptions:\n  - {agent: a, rule: x, actions: [x]}", 2, "not both"),
        ("exceptions:\n  - {agent: a, rule: '', reason: r, owner: o, until: 2026-01-01}", 2, "lacks rule"),
        ("rejected:\n  - {agent: a, suggestion: x}", 2, "lacks reason, owner, until"),
        (
            "rejected:\n  - {agent: a, suggestion: x, reason: no, owner: o, until: 2026-01-01}",
            2,
            "`reason` must be text",
        ),
        ("data_events: [AWS::S3::Object]", 1, 'write {"AWS::S3::Object": 2026-06-01}'),
        ("data_events:\n  AWS::S3::Objects: 2026-06-01", 2, "did you mean `AWS::S3::Object`?"),
        ("data_events:\n  AWS::S3::Object: true", 2, "must be a date such as 2026-06-01, not True"),
        ("logs: [a\n", 2, "not valid YAML"),
        ("- x", 1, "must be a mapping"),
        (
            "covers: {a: [x]}\nformats: {f: {agent: {path: a, values: {1: x,\n  true: y}}}}",
            3,
            "are the same key to YAML",
        ),
    ],
)
def test_mistakes_have_a_line_and_a_way_out(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert words in str(raised.value)
    assert raised.value.place is not None
    assert raised.value.place.line == line
