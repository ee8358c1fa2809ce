"""One IAM policy document: JSON to statements, every mistake an error with its place and a suggestion.

What a document may hold is AWS's grammar of the policy language (element names in any case; a string or a list; one
statement or a list of them). Nothing that could narrow or widen a statement is ignored: an element that is not known
here is an error.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import unquote

from tightener.errors import Place, PolicyError
from tightener.services.catalogue import catalogue_case, prefixes

NOWHERE = Place("")
_TOP = ("Version", "Id", "Statement")
_ELEMENTS = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_FOREIGN = ("Principal", "NotPrincipal")
_ACTION = re.compile(r"\*|[A-Za-z0-9*?-]+:[A-Za-z0-9*?_-]+")
_VARIABLE = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Source:
    """Which policy a statement comes from, and how that policy reaches the role or user."""

    how: str  # "inline policy", "managed policy", "inline policy of group G", "permissions boundary", "document", ...
    policy: str
    number: int = 1  # of the statement, from 1
    sid: str = ""
    place: Place = NOWHERE
    since: date | None = None  # the day from which this text can have held at the earliest

    def __str__(self) -> str:
        return f"{self.how} {self.policy}, statement {self.number}{f' ({self.sid})' if self.sid else ''}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as written. `conditions` are its conditions in words; () = none."""

    source: Source
    allow: bool
    actions: tuple[str, ...]
    not_action: bool
    resources: tuple[str, ...]
    not_resource: bool
    conditions: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The policy variables in its resources, such as `${aws:username}`, each once."""
        found = (v for text in self.resources for v in _VARIABLE.findall(text))
        return tuple(dict.fromkeys(found))

    @property
    def target(self) -> str:
        """The resources in words."""
        return f"{'all but ' if self.not_resource else ''}{', '.join(self.resources)}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What `read` needs besides the document: who it belongs to, and how places are looked up."""

    how: str
    policy: str
    locate: Callable[[Sequence[str | int]], Place]
    since: date | None = None


class RepeatedName(ValueError):
    """A name stands twice in one JSON object: a plain load would keep the last and silently lose the first."""


def loads(text: str) -> Any:
    """JSON text to plain data. Raises ValueError (`RepeatedName` for a name that stands twice)."""
    return json.loads(text, object_pairs_hook=_no_repeats)


def _no_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedName(f"`{name}` stands twice in one object")
        found[name] = value
    return found


def read(document: Any, reading: Reading) -> tuple[Statement, ...]:
    """The statements of one document: an object, or its text as the API gives it (JSON, URL-encoded or plain).

    Raises PolicyError (`iam-invalid`).
    """
    return _Reader(reading).statements(document)


class _Reader:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def fail(self, message: str, steps: Sequence[str | int], hint: str = "") -> PolicyError:
        where = f"{self._reading.how} {self._reading.policy}"
        return PolicyError(f"{where}: {message}", slug="iam-invalid", hint=hint, place=self._reading.locate(steps))

    def statements(self, document: Any) -> tuple[Statement, ...]:
        if isinstance(document, str):
            document = self._decoded(document)
        top = self._elements(document, _TOP, ())
        name, raw = top.get("Statement", ("", None))
        if raw is None:
            raise self.fail("it has no Statement", (), "a policy document is {Version, Statement: [...]}")
        listed = raw if isinstance(raw, list) else [raw]
        return tuple(
            self._statement(one, number, (name, number - 1) if isinstance(raw, list) else (name,))
            for number, one in enumerate(listed, start=1)
        )

    def _decoded(self, text: str) -> Any:
        plain = text if text.lstrip().startswith("{") else unquote(text)
        try:
            return loads(plain)
        except (ValueError, RecursionError) as error:
            hint = "a policy's document is JSON, plain or URL-encoded"
            raise self.fail(f"the document is not valid JSON: {error}", (), hint) from error

    def _elements(self, value: Any, known: Sequence[str], steps: Sequence[str | int]) -> dict[str, tuple[str, Any]]:
        """Known name -> (name as written, value). Element names are compared without regard to case."""
        if not isinstance(value, Mapping):
            raise self.fail(f"{_kind(value)} where an object is expected", steps, f"elements there: {', '.join(known)}")
        found: dict[str, tuple[str, Any]] = {}
        canonical = {name.lower(): name for name in known}
        for written, inner in value.items():
            name = canonical.get(str(written).lower())
            if name is None:
                raise self._unknown(str(written), known, steps)
            if name in found:
                raise self.fail(f"`{name}` stands twice", [*steps, str(written)], "merge the two")
            found[name] = (str(written), inner)
        return found

    def _unknown(self, written: str, known: Sequence[str], steps: Sequence[str | int]) -> PolicyError:
        if written.lower() in (name.lower() for name in _FOREIGN):
            hint = "name the policies that are attached to roles, users and groups, not trust or resource policies"
            return self.fail(f"`{written}` belongs to a resource's policy", [*steps, written], hint)
        near = difflib.get_close_matches(written, known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
        return self.fail(f"unknown element `{written}`", [*steps, written], hint)

    def _statement(self, value: Any, number: int, steps: Sequence[str | int]) -> Statement:
        elements = self._elements(value, _ELEMENTS, steps)
        effect = elements.get("Effect", ("", None))[1]
        if effect not in ("Allow", "Deny"):
            hint = f"did you mean `{effect.title()}`?" if str(effect).lower() in ("allow", "deny") else ""
            raise self.fail(
                f"statement {number}: Effect is {effect!r}",
                [*steps, elements.get("Effect", ("",))[0]],
                hint or "Effect is `Allow` or `Deny`, in this spelling",
            )
        action, actions = self._one_of(elements, ("Action", "NotAction"), number, steps)
        resource, resources = self._one_of(elements, ("Resource", "NotResource"), number, steps)
        for i, text in enumerate(actions):
            self._check_action(text, self._item(elements, action, i, steps))
        for i, text in enumerate(resources):
            self._check_resource(text, self._item(elements, resource, i, steps))
        sid = elements.get("Sid", ("", ""))[1]
        return Statement(
            source=Source(
                self._reading.how,
                self._reading.policy,
                number,
                sid if isinstance(sid, str) else "",
                self._reading.locate(steps),
                self._reading.since,
            ),
            allow=effect == "Allow",
            actions=tuple(map(catalogue_case, actions)),
            not_action=action == "NotAction",
            resources=resources,
            not_resource=resource == "NotResource",
            conditions=self._conditions(elements.get("Condition", ("", None)), steps),
        )

    @staticmethod
    def _item(
        elements: Mapping[str, tuple[str, Any]], name: str, i: int, steps: Sequence[str | int]
    ) -> list[str | int]:
        written, value = elements[name]
        return [*steps, written, i] if isinstance(value, list) else [*steps, written]

    def _one_of(
        self, elements: Mapping[str, tuple[str, Any]], names: tuple[str, str], number: int, steps: Sequence[str | int]
    ) -> tuple[str, tuple[str, ...]]:
        there = [name for name in names if name in elements]
        if len(there) != 1:
            what = "both" if there else "neither"
            raise self.fail(
                f"statement {number} has {what} {names[0]} {'and' if there else 'nor'} {names[1]}",
                steps,
                "it needs one",
            )
        written, value = elements[there[0]]
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) and text for text in texts):
            raise self.fail(
                f"statement {number}: {there[0]} must be text or a list of texts, not {_kind(value)}",
                [*steps, written],
                'an empty list grants nothing and AWS refuses it; "*" means any',
            )
        return there[0], tuple(texts)

    def _check_action(self, text: str, steps: Sequence[str | int]) -> None:
        if _ACTION.fullmatch(text):
            return
        prefix = next((p for p in sorted(prefixes(), key=len, reverse=True) if text.startswith(p)), "")
        hint = (
            f"did you mean `{prefix}:{text[len(prefix) :]}`?" if prefix and ":" not in text and text != prefix else ""
        )
        raise self.fail(f"`{text}` is no action", steps, hint or "actions are `service:Name`, wildcards `*` and `?`")

    def _check_resource(self, text: str, steps: Sequence[str | int]) -> None:
        if text.startswith(("arn:", "*", "?", "${")):
            return
        raise self.fail(f"`{text}` is no ARN", steps, f"write an ARN, such as `arn:aws:s3:::{text}`, or `*`")

    def _conditions(self, element: tuple[str, Any], steps: Sequence[str | int]) -> tuple[str, ...]:
        written, value = element
        found: list[str] = []
        for operator, keys in self._object(value, [*steps, written]):
            for key, values in self._object(keys, [*steps, written, operator]):
                listed = values if isinstance(values, list) else [values]
                if any(isinstance(one, list | dict) for one in listed):
                    raise self.fail(
                        f"the condition on {key} holds {_kind(listed[0])}", [*steps, written, operator, key]
                    )
                shown = ", ".join(one if isinstance(one, str) else json.dumps(one) for one in listed)
                found.append(f"{operator} {key} = {shown}")
        return tuple(found)

    def _object(self, value: Any, steps: Sequence[str | int]) -> list[tuple[str, Any]]:
        if value is None:
            return []
        if not isinstance(value, Mapping):
            hint = 'a condition is {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}'
            raise self.fail(f"a condition must be an object, not {_kind(value)}", steps, hint)
        return [(str(key), inner) for key, inner in value.items()]


def _kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if value in ([], ""):
        return "an empty one"
    names = {list: "a list", dict: "an object", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
