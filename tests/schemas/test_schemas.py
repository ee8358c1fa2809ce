"""The JSON Schemas against the readers: what a reader accepts its schema accepts; what a schema cannot say is known.

An editor reads YAML 1.2, in which a day is text; so do these tests. The oracle is the reader itself, which shares no
code with the schemas.
"""

from __future__ import annotations

import copy
import json
import re
import runpy
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tightener import cli, config, resources
from tightener.errors import ConfigError, PolicyError
from tightener.logs.callers import KEYS
from tightener.logs.formats import mapping
from tightener.logs.jobs import JOB_KEYS
from tightener.logs.s3 import source
from tightener.policy import document, reading
from tightener.redaction import Shown
from tightener.services.observe import data_types

ROOT = Path(__file__).parents[2]
CONFIG = json.loads(resources.schema("config"))
POLICY = json.loads(resources.schema("policy"))
VALIDATOR = {"config": Draft202012Validator(CONFIG), "policy": Draft202012Validator(POLICY)}


class _Editor(yaml.SafeLoader):
    """YAML as an editor reads it: days are text, every key is text."""


_Editor.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_json(one) for key, one in value.items()}
    return [_as_json(one) for one in value] if isinstance(value, list) else value


def refused(kind: str, text: str) -> list[str]:
    """What the schema says against a text."""
    return [e.message for e in VALIDATOR[kind].iter_errors(_as_json(yaml.load(text, Loader=_Editor)))]


def read(kind: str, text: str, folder: Path) -> str:
    """What the reader says against a text; '' where it takes it."""
    try:
        if kind == "policy":
            document.parse(text, "policy.yaml", {})
        else:
            path = folder / "tightener.yaml"
            path.write_text(text, encoding="utf-8")
            config.load(path)
    except (ConfigError, PolicyError) as error:
        return f"[{error.slug}] {error.message}"
    return ""


# What the schemas' descriptions name as not expressible, as the readers say it.
BEYOND = {
    "policy": re.compile(r"\[bad-date\]"),
    "config": re.compile(r"must be a date|by a shell or by a database|this route has no \{"),
}

WHOLE_CONFIG: dict[str, Any] = {
    "policy": ["policies/a.yaml"],
    "logs": "logs",
    "database": "t.duckdb",
    "agents": {
        "a": {"policy": "a.yaml", "principals": ["arn:aws:iam::1:role/a", {"role": "arn:*", "agentcore_runtime": "*"}]},
        "b": {"jobs": {"daily": "run-*", "ad-hoc": [{"on_behalf_of": "*@acme.example"}, "test-*"]}},
        "c": None,
    },
    "covers": {"gateway": ["git", "aws"]},
    "data_events": {"AWS::S3::Object": date(2026, 6, 1)},
    "exceptions": [
        {"agent": "a", "service": "git", "actions": ["pull"], "reason": "r", "owner": "o", "until": date(2027, 1, 31)},
        {"agent": "a", "rule": "raw", "reason": "r", "owner": "o", "until": date(2027, 1, 31)},
    ],
    "rejected": [{"agent": "a", "suggestion": "s", "reason": "r", "owner": "o", "until": date(2027, 1, 31)}],
    "action_aliases": {"stripe": {"write": ["create", "update"]}, "*": {"write": []}},
    "tools": {"runner": {"shell": "cmd"}, "warehouse": {"sql": ["statement", "check"]}, "bash": {}},
    "formats": {
        "calls": {
            "kind": "csv", "time": {"path": "t", "unit": "ms"}, "agent": "bot", "service": {"const": "aws"},
            "action": "operation", "decision": {"path": "v", "values": {"y": "allow", "n": "deny"}},
            "enforced": {"path": "e", "values": {"on": True}},
        },
        "http": {
            "time": "t", "agent": "a", "decision": "d", "url": "u", "method": "m",
            "routes": [{"method": "GET", "path": "/git/{o}", "service": "git", "action": "clone", "resource": "{o}"}],
        },
    },
    "publish": {"github": "acme/policies", "api": "https://h/api/v3", "base": "main", "labels": ["x"], "most_open": 3},
    "redact": {"arguments": "hide", "resources": "hash"},
    "sources": [
        {
            "bucket": "acme-trail", "prefix": "audit", "organisation": "o-exampleorgid", "accounts": ["123456789012"],
            "regions": "eu-central-1", "since": date(2026, 6, 1), "role": "arn:aws:iam::123456789012:role/reader",
            "external_id": "x", "profile": "audit", "endpoint": "https://s3.example.com", "requester_pays": True,
        },
        {"bucket": "gateway-logs"},
    ],
}  # fmt: skip
WHOLE_POLICY: dict[str, Any] = {
    "project": "p",
    "version": 1,
    "x-note": {"a": 1},
    "agents": {
        "a": {
            "x-granted-since": date(2026, 2, 1),
            "owner": "dana",
            "allow": [
                {
                    "service": "git",
                    "actions": ["clone"],
                    "resources": ["acme/*"],
                    "ticket": 12,
                    "expires": "2027-01-31",
                },
                {"service": "aws", "actions": "s3:Get*", "resources": [], "expires": "2027-01-31T12:00:00Z"},
            ],
            "require_approval": [{"service": "git", "actions": ["push"], "branches": ["main"], "ttl": "30m"}],
            "deny": [{"service": "*", "actions": ["*"], "id": "all"}],
        },
        "b": None,
    },
}
WHOLE = {"config": WHOLE_CONFIG, "policy": WHOLE_POLICY}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(one, (*path, key))


_SCALARS = (None, "", "x", "*", "S3", " a", "git*", 0, 1, 12, 1.5, True, False, "2026-02-30", "30m", "0h", "yes")
_TEXTS = ("2027-01-31 12:00:00+01:00", "arn:aws:x", "acme/x", "success")
_LISTS = ([], [""], ["x"], [1], [None], [["x"]], [{"role": "r"}])
_MAPS = ({}, {"x": 1}, {"path": "p"}, {"const": 1}, {"path": "p", "const": 1})
JUNK = st.sampled_from((*_SCALARS, *_TEXTS, *_LISTS, *_MAPS)).map(copy.deepcopy)
NAMES = sorted(
    {str(part) for whole in WHOLE.values() for path in _places(whole) for part in path if isinstance(part, str)}
    | {"servce", "x-more", "1", "gateway", "session", "rule", "unit", "on", "a b"}
)


@st.composite
def mutated(draw: st.DrawFn, kind: str) -> Any:
    """A whole document with one to three places changed, removed or added."""
    root = {"root": copy.deepcopy(WHOLE[kind])}
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([p for p in _places(root) if p]))
        holder = root
        for key in path[:-1]:
            holder = holder[key]
        what = draw(st.sampled_from(["change", "change", "remove", "add"]))
        if what == "add" and isinstance(holder[path[-1]], dict):
            holder[path[-1]][draw(st.sampled_from(NAMES))] = draw(JUNK)
        elif what == "remove" and len(path) > 1:
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(JUNK)
    return root["root"]


def agree(kind: str, text: str, folder: Path) -> None:
    by_reader, by_schema = read(kind, text, folder), refused(kind, text)
    if not by_reader:
        assert not by_schema, f"the reader accepts what the schema refuses: {by_schema}\n{text}"
    elif not by_schema:
        assert BEYOND[kind].search(by_reader), f"the schema could refuse this: {by_reader}\n{text}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@pytest.mark.parametrize("kind", WHOLE)
def test_a_schema_is_a_schema_and_takes_the_whole_document(kind: str, folder: Path) -> None:
    Draft202012Validator.check_schema(VALIDATOR[kind].schema)
    text = yaml.safe_dump(WHOLE[kind])
    assert not read(kind, text, folder)
    assert not refused(kind, text)


@given(data=mutated("policy"))
@settings(max_examples=250)
def test_schema_and_reader_agree_on_mutilated_policies(data: Any, folder: Path) -> None:
    agree("policy", yaml.safe_dump(data), folder)


@given(data=mutated("config"))
@settings(max_examples=120)
@example(data=[])
@example(data={"agents": 0})
@example(data={"database": ["x"]})
@example(data={"formats": {"f": {**WHOLE_CONFIG["formats"]["calls"], "routes": ""}}})
def test_schema_and_reader_agree_on_mutilated_configurations(data: Any, folder: Path) -> None:
    agree("config", yaml.safe_dump(data), folder)


RULE = "agents: {a: {%s: [{service: %s, actions: [x]%s}]}}"
WRONG = [
    ("policy", "project: x"),
    ("policy", "agents: []"),
    ("policy", "agents: {a: {alow: []}}"),
    ("policy", "agents: {a: {allow: {service: git, actions: [x]}}}"),
    ("policy", RULE % ("allow", "Git", "")),
    ("policy", RULE % ("allow", "'*'", "")),
    ("policy", RULE % ("deny", "'g*'", "")),
    ("policy", RULE % ("deny", "git", ", expires: 2027-01-01")),
    ("policy", RULE % ("allow", "git", ", ttl: 1h")),
    ("policy", RULE % ("require_approval", "git", ", ttl: 1 hour")),
    ("policy", RULE % ("allow", "git", ", resources: null")),
    ("policy", RULE % ("allow", "git", ", resources: [1]")),
    ("policy", RULE % ("allow", "git", ", resource: [a]")),
    ("policy", RULE % ("allow", "git", ", expires: soon")),
    ("policy", "agents: {a: {allow: [{service: git}]}}"),
    ("policy", "agents: {a: {x-granted-since: spring}}"),
    ("config", "polcy: x"),
    ("config", "policy: null"),
    ("config", "logs: [1]"),
    ("config", "agents: {a: {principal: x}}"),
    ("config", "agents: {a: {principals: [{}]}}"),
    ("config", "agents: {a: {principals: {agentcore_runtime: 'arn:x'}}}"),
    ("config", "agents: {a: {jobs: {'a b': x}}}"),
    ("config", "agents: {a: {jobs: {a: []}}}"),
    ("config", "data_events: {'AWS::S3::Objekt': 2026-06-01}"),
    ("config", "exceptions: [{agent: a, rule: r, service: git, reason: r, owner: o, until: 2027-01-31}]"),
    ("config", "exceptions: [{agent: a, service: git, actions: [], reason: r, owner: o, until: 2027-01-31}]"),
    ("config", "rejected: [{agent: a, reason: r, owner: o, until: 2027-01-31}]"),
    ("config", "tools: {t: {bash: cmd}}"),
    ("config", "formats: {gateway: {time: t, agent: a, decision: d, service: s, action: a}}"),
    ("config", "formats: {f: {time: t, agent: a, decision: d, service: s}}"),
    ("config", "formats: {f: {time: t, agent: a, decision: d, url: u, service: s, action: a}}"),
    ("config", "formats: {f: {time: t, agent: {path: a, unit: s}, decision: d, service: s, action: a}}"),
    ("config", "formats: {f: {time: t, agent: a, decision: {path: d, values: {x: alow}}, service: s, action: a}}"),
    ("config", "publish: {github: acme}"),
    ("config", "publish: {most_open: true}"),
    ("config", "redact: {arguments: no}"),
    ("config", "redact: {argument: hash}"),
    ("config", "redact: hash"),
    ("config", "sources: {bucket: acme-trail}"),
    ("config", "sources: [acme-trail]"),
    ("config", "sources: [{prefix: x}]"),
    ("config", "sources: [{bucket: 's3://acme-trail'}]"),
    ("config", "sources: [{bucket: acme-trail, acounts: ['123456789012']}]"),
    ("config", "sources: [{bucket: acme-trail, accounts: [123456789012]}]"),
    ("config", "sources: [{bucket: acme-trail, regions: [Frankfurt]}]"),
    ("config", "sources: [{bucket: acme-trail, external_id: x}]"),
    ("config", "sources: [{bucket: acme-trail, requester_pays: 'yes'}]"),
]


@pytest.mark.parametrize(("kind", "text"), WRONG)
def test_mistakes_are_refused_by_both(kind: str, text: str, folder: Path) -> None:
    assert read(kind, text, folder)
    assert refused(kind, text)


def _blocks() -> Iterator[tuple[str, str]]:
    for page in sorted((ROOT / "docs").glob("*.md")):
        if page.name == "scheduling.md":  # a workflow of GitHub's, which tests/deploy holds
            continue
        for i, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)):
            yield f"{page.name}-{i}", block


def _files() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "sample_logs").rglob("*.yaml")):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    yield "WHOLE of tests/test_config.py", runpy.run_path(str(ROOT / "tests" / "test_config.py"))["WHOLE"]


@pytest.mark.parametrize(("name", "text"), [*_blocks(), *_files()], ids=lambda one: one[:40])
def test_all_that_is_shown_is_valid(name: str, text: str, folder: Path) -> None:
    if text.startswith("  ") and "jobs:" in text:  # a part of `agents:`
        text = f"agents:\n{text}"
    text = text.replace(
        'edge-proxy: {path: "..."}', "edge-proxy: {time: t, agent: a, decision: d, service: s, action: b}"
    )
    rules = any(word in text for word in ("allow:", "require_approval:", "deny:"))
    kind = "policy" if rules and "agents:" in text and "principals:" not in text else "config"
    assert not refused(kind, text), f"{name} as a {kind}"
    assert not read(kind, text, folder)


def test_every_key_of_the_readers_is_in_the_schemas() -> None:
    definitions = CONFIG["$defs"]
    assert set(CONFIG["properties"]) == set(config._TOP)
    assert set(definitions["agent"]["properties"]) == set(config._AGENT)
    assert set(definitions["exception"]["properties"]) == set(config._EXCEPTION)
    assert set(definitions["rejection"]["properties"]) == set(config._REJECTION)
    assert set(CONFIG["properties"]["publish"]["properties"]) == set(config._PUBLISH)
    assert set(CONFIG["properties"]["redact"]["properties"]) == set(config._REDACT)
    assert set(definitions["source"]["properties"]) == set(source.KEYS)
    assert set(definitions["shown"]["enum"]) == set(Shown)
    assert set(CONFIG["properties"]["data_events"]["properties"]) == set(data_types())
    assert set(definitions["principal"]["anyOf"][1]["properties"]) == set(KEYS)
    assert set(definitions["run"]["anyOf"][1]["properties"]) == set(JOB_KEYS)
    assert set(definitions["format"]["properties"]) == {"kind", "routes", *mapping.FIELDS}
    assert set(POLICY["properties"]) == set(reading._TOP_KEYS)
    assert set(POLICY["$defs"]["rule"]["properties"]) == set(reading._RULE_KEYS)
    assert set(POLICY["$defs"]["agent"]["properties"]) == {*reading._AGENT_KEYS, "x-granted-since"}


@pytest.mark.parametrize("kind", WHOLE)
def test_the_command_prints_them(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["schema", kind]) == 0
    assert capsys.readouterr().out == resources.schema(kind)
    assert cli.run(["--json", "schema", kind]) == 0
    assert json.loads(capsys.readouterr().out)["definition"] == VALIDATOR[kind].schema
    assert cli.run(["schema", "polcy"]) == 1
