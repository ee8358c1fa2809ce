"""Which IAM actions a CloudTrail event stands for, and where its resources are found. All facts are rows of data/*.csv.

Order: override, exact name (case ignored), name without its dated suffix, else unmapped (reported, never guessed).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tightener.services.catalogue import arn_formats, catalogue_case, find, is_action, rows, service_arn_formats

__all__ = [
    "ArnShape",
    "ArnTemplate",
    "EventRequest",
    "catalogue_case",
    "resolve",
    "shapes",
    "source_prefix",
    "templates",
]

DATED_SUFFIX = re.compile(r"_?20\d\d_?\d\d_?\d\d(v\d+)?$")
NO_PERMISSION = "-"
_VARIABLE = re.compile(r"\{([^}|]+)(?:\|([a-z]+))?\}")
_BUILT_IN = ("partition", "region", "account", "principal")


@dataclass(frozen=True, slots=True)
class EventRequest:
    """One request that an event makes, if its condition holds.

    `when_path` is a JSON path into requestParameters ('' = no condition); the condition is that the value is present
    (and contains `when_text`), or the opposite where `when_wanted` is false. `pick` says which resource of the call is
    meant. `needs_permission` is false for calls that no policy has to allow.
    """

    action: str
    mapped: bool = True
    needs_permission: bool = True
    when_path: str = ""
    when_text: str = ""
    when_wanted: bool = True
    pick: str = ""


@dataclass(frozen=True, slots=True)
class ArnTemplate:
    """`lead VALUE1 middle VALUE2 tail`: two JSON paths ('' = no such value) with the way each value is cut.

    `first` templates are tried before resources[], the others after everything else. `pattern`: the result is one.
    """

    lead: str
    path1: str
    cut1: str
    middle: str
    path2: str
    cut2: str
    tail: str
    first: bool
    pattern: bool


@dataclass(frozen=True, slots=True)
class ArnShape:
    """An ARN format as a glob that has to match and, where a sub-resource has its own format, one that must not."""

    fit: str
    unfit: str


@cache
def _aliases() -> dict[str, str]:
    return {row["label"]: row["prefix"] for row in rows("event_source")}


def source_prefix(event_source: str) -> str:
    """`monitoring.amazonaws.com` -> `cloudwatch`: the alias of the label, else the first label."""
    label = re.sub(r"\.amazonaws\.com(\.cn)?$", "", event_source.lower())
    return _aliases().get(label) or label.partition(".")[0]


def _json_path(name: str) -> str:
    """`a.b` -> `$."a"."b"`: quoted, since CloudTrail's keys may hold dashes."""
    return "$" + "".join(f'."{part}"' for part in name.split("."))


def _condition(text: str) -> tuple[str, str, bool]:
    wanted = not text.startswith("!")
    name, _, part = text.removeprefix("!").partition("~")
    return (_json_path(name) if name else "", part, wanted)


@cache
def _overrides() -> dict[tuple[str, str], tuple[EventRequest, ...]]:
    found: dict[tuple[str, str], tuple[EventRequest, ...]] = {}
    for row in rows("event_override"):
        path, text, wanted = _condition(row["when"])
        needed = row["action"] != NO_PERMISSION
        request = EventRequest(
            action=row["action"] if needed else f"{row['source']}:{row['event']}",
            needs_permission=needed,
            when_path=path,
            when_text=text,
            when_wanted=wanted,
            pick=row["pick"],
        )
        key = (row["source"], row["event"].lower())
        found[key] = (*found.get(key, ()), request)
    return found


def resolve(event_source: str, event_name: str) -> tuple[EventRequest, ...]:
    """The requests that an event of this source and name may make, at least one.

    An event that no rule maps gives one request with `mapped` false and the action `label:EventName` as logged.
    """
    prefix = source_prefix(event_source)
    for name in (event_name, DATED_SUFFIX.sub("", event_name)):
        override = _overrides().get((prefix, name.lower()))
        if override:
            return override
        if is_action(f"{prefix}:{name}"):
            return (EventRequest(catalogue_case(f"{prefix}:{name}")),)
    return (EventRequest(f"{event_source.partition('.')[0]}:{event_name}", mapped=False),)


def _glob(arn_format: str) -> str:
    return re.sub(r"\$\{[^}]+\}", "*", arn_format)


def shapes(action: str) -> tuple[ArnShape, ...]:
    """The globs that tell the action's own ARNs from others; empty when the action has no resource type.

    `arn:*:s3:::*` would also match an object; since S3 has the format `arn:*:s3:::*/*` too, that one is excluded.
    """
    entry = find(action)
    if entry is None:
        return ()
    every = {_glob(known) for known in service_arn_formats(action.partition(":")[0])}
    own = dict.fromkeys(_glob(known) for known in entry.arn_formats)
    return tuple(
        ArnShape(fit, f"{fit}/*" if any(other.startswith(f"{fit}/") for other in every) else "") for fit in own
    )


def _template(text: str, *, first: bool) -> ArnTemplate:
    texts: list[str] = []
    paths: list[tuple[str, str]] = []
    end = 0
    literal = ""
    for match in _VARIABLE.finditer(text):
        literal += text[end : match.start()]
        end = match.end()
        if match[1] in _BUILT_IN:
            literal += match[0]
            continue
        # A template that is nothing but a parameter means a parameter that holds the ARN itself.
        bare = match.start() == 0 and end == len(text)
        paths.append((_json_path(match[1]), match[2] or ("arn" if bare else "")))
        texts.append(literal)
        literal = ""
    texts.append(literal + text[end:])
    if len(paths) > 2:
        raise ValueError(f"a template of arn_template.csv names more than two parameters: {text}")
    paths += [("", "")] * (2 - len(paths))
    texts += [""] * (3 - len(texts))
    (path1, cut1), (path2, cut2) = paths
    return ArnTemplate(
        texts[0], path1, cut1, texts[1], path2, cut2, texts[2], first, bool({"*", "?"} & set("".join(texts)))
    )


@cache
def templates(action: str, pick: str) -> tuple[ArnTemplate, ...]:
    """The templates for the action's resource types, those of `pick` before the general ones, in the file's order."""
    formats = arn_formats(action)
    fitting = [row for row in rows("arn_template") if row["format"] in formats and row["pick"] in ("", pick)]
    fitting.sort(key=lambda row: row["pick"] != pick)
    return tuple(_template(row["template"], first=row["stage"] == "first") for row in fitting)
