"""The edits of a pull request, kept in its own record, so that one of them can be put back without the others.

From the two texts alone that cannot be told: several suggestions may have changed one rule. The logs of then cannot be
asked again either. So the edits themselves are written down, packed: a list of actions in place of a wildcard is long.
Whoever reads them holds them against both texts before anything rests on them (`publish.undo`).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from tightener.errors import Place
from tightener.model import AgentPolicy, Body, Effect, Rule
from tightener.tighten.suggestion import Edit, Suggestion

MOST = 10_000  # characters of a body; with more, a pull request can be reverted as a whole only
_MOST_UNPACKED = 2_000_000  # bytes


def pack(chosen: Sequence[Suggestion]) -> str:
    """The edits as text for the record, '' where they would be too long. Raises nothing."""
    said = [_said(one) for one in chosen]
    raw = json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode()
    text = base64.b64encode(zlib.compress(raw, 9)).decode()
    return text if chosen and len(text) <= MOST else ""


def unpack(text: str, before: Mapping[str, AgentPolicy]) -> list[Suggestion] | None:
    """The suggestions again, in their order, each with its rule in the text before the merge.

    None where the text is not what `pack` wrote, or where one of the suggestions is about no rule that is there: its id
    is made of the rule and the edit, so it is found by it, wherever the rule stands now. Raises nothing.
    """
    try:
        unpacking = zlib.decompressobj()
        raw = unpacking.decompress(base64.b64decode(text, validate=True), _MOST_UNPACKED)
        said = json.loads(raw) if unpacking.eof else []
        found = [_read(one, before) for one in said]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, zlib.error):
        return None
    return [one for one in found if one is not None] if found and all(found) else None


def _said(one: Suggestion) -> dict[str, Any]:
    edit = one.edit
    parts: dict[str, Any] = {
        "drop": sorted(edit.drop),
        "replace": {action: list(actions) for action, actions in edit.replace.items()},
        "resources": edit.resources,
        "branches": edit.branches,
        "parts": [_of_body(body) for body in edit.parts],
        "asks": [_of_body(body) for body in edit.asks],
        "ttl": edit.ttl,
        "deny": _of_body(edit.deny) if edit.deny else None,
    }
    return {
        "id": one.id,
        "kind": one.kind,
        "agent": one.rule.agent,
        "service": one.rule.service,
        "edit": {key: value for key, value in parts.items() if value not in (None, [], {})},
        "needs": list(one.requires),
    }


def _of_body(body: Body) -> list[Any]:
    return [list(body.actions), body.resources, body.branches]


def _read(said: Mapping[str, Any], before: Mapping[str, AgentPolicy]) -> Suggestion | None:
    parts = said["edit"]
    edit = Edit(
        drop=frozenset(map(str, parts.get("drop", ()))),
        replace={str(key): _texts(value) for key, value in parts.get("replace", {}).items()},
        resources=_optional(parts.get("resources")),
        branches=_optional(parts.get("branches")),
        parts=tuple(map(_body, parts.get("parts", ()))),
        asks=tuple(map(_body, parts.get("asks", ()))),
        ttl=None if parts.get("ttl") is None else str(parts["ttl"]),
        deny=_body(parts["deny"]) if parts.get("deny") is not None else None,
    )
    agent = before[said["agent"]]
    place = Place(agent.place.path, agent.place.line)
    added = (Rule(agent.name, -1, Effect.DENY, str(said["service"]), edit.deny, place),) if edit.deny else ()
    for rule in added or agent.rules:
        needs = tuple(map(str, said["needs"]))
        one = Suggestion(str(said["kind"]), rule, "", "", {}, edit, needs)
        if rule.service == said["service"] and one.id == said["id"]:
            return one
    return None


def _body(said: Sequence[Any]) -> Body:
    actions, resources, branches = said
    return Body(_texts(actions), _optional(resources), _optional(branches))


def _texts(said: Sequence[Any]) -> tuple[str, ...]:
    if isinstance(said, str):
        raise TypeError("a list is expected")
    return tuple(map(str, said))


def _optional(said: Sequence[Any] | None) -> tuple[str, ...] | None:
    return None if said is None else _texts(said)
