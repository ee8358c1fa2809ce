"""Any JSON-lines or CSV log, as `formats:` in tightener.yaml describes it.

Each record becomes a version 1 gateway line, so there is one set of rules for what a record says: the gateway's.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tightener.errors import ConfigError, Place
from tightener.logs.formats.routes import Route

BUILT_IN = ("gateway", "cloudtrail")
UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0}  # microseconds in one; a nanosecond is less than one
KINDS = ("jsonl", "csv")
_TIMES = ("time", "approval_at")
FIELDS = (
    *("time", "agent", "session", "on_behalf_of", "id", "request_id", "service", "action", "resource", "branch"),
    *("args", "decision", "approval", "approval_at", "outcome", "error_code", "enforced", "method", "url"),
)
_RESULTS: dict[str, tuple[Any, ...]] = {  # what a table of values may translate into
    "decision": ("allow", "deny", "require_approval"),
    "approval": ("approved", "refused", "timed_out", "pending"),
    "outcome": ("success", "error", "denied", "not_run"),
    "enforced": (True, False),
}
_KEYS = ("path", "const", "values", "unit")
_ROUTE_KEYS = ("method", "path", "service", "action", "resource", "branch")


@dataclass(frozen=True, slots=True)
class Source:
    """Where one field comes from: a path into the record or a constant, and what its values mean."""

    path: str = ""
    const: Any = None
    values: Mapping[str, Any] | None = None
    unit: str = ""  # of a time: a key of UNITS; '' = RFC 3339


@dataclass(frozen=True, slots=True)
class FieldMap:
    """One foreign format."""

    name: str
    kind: str
    fields: Mapping[str, Source]
    routes: tuple[Route, ...] = ()

    @classmethod
    def parse(cls, name: str, mapping: Any, place_of: Callable[..., Place]) -> FieldMap:
        """Check plain data from tightener.yaml; `place_of(*keys)` says where it stands. Raises ConfigError."""
        return _Parser(name, place_of).field_map(mapping)


class _Parser:
    def __init__(self, name: str, place_of: Callable[..., Place]) -> None:
        self._name = name
        self._place_of = place_of

    def _fail(self, message: str, *keys: str | int, hint: str = "") -> ConfigError:
        return ConfigError(message, slug="config-format", place=self._place_of(*keys), hint=hint)

    def _known(self, given: Mapping[Any, Any], known: Sequence[str], *keys: str | int) -> None:
        for key in given:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
                raise self._fail(f"unknown key `{key}`", *keys, str(key), hint=hint)

    def field_map(self, data: Any) -> FieldMap:
        if not isinstance(data, dict):
            raise self._fail(f"the format `{self._name}` must be a mapping")
        if self._name in BUILT_IN:
            raise self._fail(f"`{self._name}` is a format of tightener's own", hint="give yours another name")
        self._known(data, ("kind", *FIELDS, "routes"))
        kind = data.get("kind", "jsonl")
        if kind not in KINDS:
            raise self._fail(f"kind must be one of {', '.join(KINDS)}", "kind")
        fields = {key: self._source(key, data[key]) for key in FIELDS if key in data}
        routes = [] if data.get("routes") is None else data["routes"]
        if not isinstance(routes, list):
            raise self._fail("`routes` must be a list", "routes")
        found = FieldMap(self._name, kind, fields, tuple(self._route(i, one) for i, one in enumerate(routes)))
        self._complete(found)
        return found

    def _complete(self, found: FieldMap) -> None:
        wanted = ["time", "agent", "decision", *(["url"] if found.routes else ["service", "action"])]
        missing = [key for key in wanted if key not in found.fields]
        if missing:
            raise self._fail(
                f"the format `{self._name}` does not say where {', '.join(missing)} is",
                hint="a field is `{path: a.b}` or `{const: value}`; an HTTP gateway has url, method and routes",
            )
        if "url" in found.fields and not found.routes:
            raise self._fail("`url` says nothing without `routes`", "url")

    def _source(self, key: str, data: Any) -> Source:
        if isinstance(data, str):
            data = {"path": data}
        if not isinstance(data, dict):
            raise self._fail(f"`{key}` must be a path or a mapping", key, hint="for example {path: caller.name}")
        self._known(data, _KEYS, key)
        if ("path" in data) == ("const" in data):
            raise self._fail(f"`{key}` must have either `path` or `const`", key)
        path = data.get("path", "")
        if "path" in data and (not isinstance(path, str) or not path):
            raise self._fail("`path` must be text", key, "path", hint="put it in quotes")
        if isinstance(data.get("const"), (dict, list)):
            raise self._fail("`const` must be a single value", key, "const")
        return Source(path, data.get("const"), self._values(key, data), self._unit(key, data))

    def _unit(self, key: str, data: Mapping[str, Any]) -> str:
        unit = data.get("unit", "")
        if "unit" in data and (key not in _TIMES or not isinstance(unit, str) or unit not in UNITS):
            raise self._fail("`unit` belongs to a time and is one of " + ", ".join(UNITS), key, "unit")
        return str(unit)

    def _values(self, key: str, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
        values = data.get("values")
        if values is None:
            return None
        if not isinstance(values, dict) or not values:
            raise self._fail("`values` must be a mapping of logged value to meaning", key, "values")
        allowed = _RESULTS.get(key)
        for logged, meaning in values.items():
            meant = allowed is None or any(type(meaning) is type(one) and meaning == one for one in allowed)
            if isinstance(meaning, (dict, list)) or not meant:  # 1 is not true
                known = ", ".join(map(_spelt, allowed or ("a single value",)))
                raise self._fail(f"`{logged}` cannot mean {meaning!r}", key, "values", str(logged), hint=known)
        return {_spelt(logged): meaning for logged, meaning in values.items()}

    def _route(self, index: int, data: Any) -> Route:
        if not isinstance(data, dict):
            raise self._fail("a route must be a mapping", "routes", index)
        self._known(data, _ROUTE_KEYS, "routes", index)
        for key, value in data.items():
            if not isinstance(value, str) or not value:
                raise self._fail(f"`{key}` of a route must be text", "routes", index, key, hint="put it in quotes")
        missing = [key for key in ("path", "service", "action") if key not in data]
        if missing:
            raise self._fail(f"this route lacks {', '.join(missing)}", "routes", index)
        route = Route(**{"method": "*", **data, **({"method": data["method"].upper()} if "method" in data else {})})
        if unknown := route.unknown_holes():
            raise self._fail(
                f"the path of this route has no {{{unknown[0]}}}",
                "routes",
                index,
                hint=f"it captures {', '.join(sorted(route.holes())) or 'nothing'}",
            )
        return route


def _spelt(value: Any) -> str:
    """A key of a table of values as it is compared: YAML reads yes, true and 1 as no text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


@dataclass(slots=True)
class Notes:
    """What a reading met: for `ingest --try`."""

    records: int = 0
    found: Counter[str] = field(default_factory=Counter)
    outside: Counter[tuple[str, str]] = field(default_factory=Counter)
    unmatched: Counter[tuple[str, str]] = field(default_factory=Counter)
