"""Which IAM actions a CloudTrail event stands for, and where its resources are found. All facts are rows of data/*.csv.

Order: override, exact name (case ignored), name without its dated suffix, else unmapped (reported, never guessed).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from tightener.services.catalogue import (
    action_regex,
    arn_formats,
    catalogue_case,
    find,
    is_action,
    prefixes,
    rows,
    service_arn_formats,
)

__all__ = [
    "ArnShape",
    "ArnTemplate",
    "EventRequest",
    "Need",
    "catalogue_case",
    "labels",
    "resolve",
    "shapes",
    "source_prefix",
    "templates",
]

DATED_SUFFIX = re.compile(r"_?20\d\d_?\d\d_?\d\d(v\d+)?$")
NO_PERMISSION = "-"
SLOTS = 4  # parameters in one template
PRINCIPAL = "@principal"
_VARIABLE = re.compile(r"\{([^}|]+)(?:\|([!A-Za-z0-9.-]+))?\}")
_SCOPE = ("partition", "region", "account")
_ANYWHERE = "**."  # the parameter of this name wherever it occurs, each time
_EACH = "[]"  # it is a list of strings
_SHARED_LABELS = ("execute-api",)  # what other services sign with for their calls through API Gateway
_STRING = r'"([^"\\]+)"'
_LIST = r"(\[[^\[\]{}]+\])"


@dataclass(frozen=True, slots=True)
class EventRequest:
    """One request that an event makes, if its condition holds.

    `when_path` is a JSON path into requestParameters ('' = no condition); the condition is that the value is present
    (and contains `when_text`), or the opposite where `when_wanted` is false. `pick` says which resource of the call is
    meant; `template` is the event's own ARN template, where the action's templates would not tell its resource.
    `needs_permission` is false for calls that no policy has to allow.
    """

    action: str
    mapped: bool = True
    needs_permission: bool = True
    when_path: str = ""
    when_text: str = ""
    when_wanted: bool = True
    pick: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class ArnTemplate:
    """`texts[0] VALUE1 texts[1] VALUE2 ...`: up to four JSON paths, with the way each value is cut.

    `kind` counts the action's shapes. `first` templates are tried before resources[], the others after everything
    else. `pattern`: the result is one. `many`: the regular expression of the one parameter, wherever it occurs in the
    JSON text; where `each`, it finds a list whose strings are the values.
    """

    kind: int
    texts: tuple[str, ...]
    paths: tuple[str, ...]
    cuts: tuple[str, ...]
    many: str
    each: bool
    first: bool
    pattern: bool


class Need(StrEnum):
    """Whether a call for which no resource of a kind was found may still have used one."""

    NO = ""
    ALWAYS = "always"
    UNREAD = "unread"  # only if its parameters are not in the log: they would have named it


@dataclass(frozen=True, slots=True)
class ArnShape:
    """An ARN format as a glob that has to match and, where a sub-resource has its own format, one that must not.

    `enough`: a resource of this kind stands for the whole call, whatever other kinds the action has.
    """

    fit: str
    unfit: str
    needed: Need = Need.NO
    enough: bool = False


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


def labels(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The event source labels that a service of botocore may log under, from its metadata, likeliest first.

    The signing name is the label, as far as its prefix exists; the endpoint is another name for the same service.
    """
    known = dict.fromkeys((metadata.get("signingName") or metadata["endpointPrefix"], metadata["endpointPrefix"]))
    sound = tuple(label for label in known if source_prefix(label) in prefixes() and label not in _SHARED_LABELS)
    return sound or tuple(known)[-1:]


def _condition(text: str) -> tuple[str, str, bool]:
    wanted = not text.startswith("!")
    name, _, part = text.removeprefix("!").partition("~")
    return (_json_path(name) if name else "", part, wanted)


def _request(row: Mapping[str, str], name: str) -> EventRequest:
    path, text, wanted = _condition(row["when"])
    needed = row["action"] != NO_PERMISSION
    return EventRequest(
        action=row["action"] if needed else name,
        needs_permission=needed,
        when_path=path,
        when_text=text,
        when_wanted=wanted,
        pick=row.get("pick", ""),
        template=row.get("template", ""),
    )


_Rows = dict[tuple[str, str], list[Mapping[str, str]]]  # by source and lower-case event


def _by_event(*tables: str) -> _Rows:
    found: _Rows = {}
    for row in (row for table in tables for row in rows(table)):
        found.setdefault((row.get("source") or "apigateway", row["event"].lower()), []).append(row)
    return found


def _requests(every: _Rows, key: tuple[str, str]) -> tuple[EventRequest, ...]:
    return tuple(_request(row, f"{key[0]}:{row['event']}") for row in every.get(key, ()))


@cache
def _overrides() -> _Rows:
    return _by_event("event_override", "apigateway_verb")


@cache
def _extras() -> _Rows:
    return _by_event("event_extra", "event_extra_generated")


@cache
def _unsigned() -> frozenset[tuple[str, str]]:
    return frozenset((row["source"], row["event"].lower()) for row in rows("unsigned_operation"))


def resolve(event_source: str, event_name: str, *, extras: bool = True) -> tuple[EventRequest, ...]:
    """The requests that an event of this source and name may make, at least one.

    `extras`: with what the call needs besides (a role that it passes, tags that it sets). An event that no rule maps
    gives one request with `mapped` false and the action `label:EventName` as logged.
    """
    prefix = source_prefix(event_source)
    for name in (event_name, DATED_SUFFIX.sub("", event_name)):
        key = (prefix, name.lower())
        found = _requests(_overrides(), key)
        if not found and is_action(f"{prefix}:{name}"):
            found = (EventRequest(catalogue_case(f"{prefix}:{name}")),)
        if not found and key in _unsigned():
            found = (EventRequest(f"{prefix}:{name}", needs_permission=False),)
        if found:
            known = {one.action for one in found}
            more = _requests(_extras(), key) if extras else ()
            return found + tuple(one for one in more if one.action not in known)
    return (EventRequest(f"{event_source.partition('.')[0]}:{event_name}", mapped=False),)


def _glob(arn_format: str) -> str:
    return re.sub(r"\$\{[^}]+\}", "*", arn_format)


@cache
def _nameable() -> frozenset[tuple[str, str]]:
    return frozenset((row["action"], row["kind"]) for row in rows("nameable_kind"))


def _sufficient(action: str) -> str:
    """The kinds of resource_kind.csv that stand for the whole call: '' none, '*' any, else part of the ARN format."""
    for row in rows("resource_kind"):
        if action_regex(row["pattern"]).fullmatch(action):
            return row["enough"]
    return ""


@cache
def shapes(action: str) -> tuple[ArnShape, ...]:
    """The globs that tell the action's own ARNs from others; empty when the action has no resource type.

    `arn:*:s3:::*` would also match an object; since S3 has the format `arn:*:s3:::*/*` too, that one is excluded.

    Resource types that the catalogue marks as required are all used by every call. One that is not, beside required
    ones, is used if the call names it, which is known only where the call has a parameter for it (nameable_kind.csv).
    Where none is required they are alternatives, and so are those that resource_kind.csv calls so.
    """
    entry = find(action)
    if entry is None:
        return ()
    every = {_glob(known) for known in service_arn_formats(action.partition(":")[0])}
    own: dict[str, list[str]] = {}
    for known in entry.arn_formats:
        own.setdefault(_glob(known), []).append(known)
    enough = _sufficient(action)
    alternatives = enough == "*" or len(own) < 2 or not entry.required_formats

    def need(fit: str, formats: list[str]) -> Need:
        if alternatives:
            return Need.NO
        if any(known in entry.required_formats for known in formats):
            return Need.ALWAYS
        return Need.UNREAD if (entry.name, fit) in _nameable() else Need.ALWAYS

    return tuple(
        ArnShape(
            fit,
            f"{fit}/*" if any(other.startswith(f"{fit}/") for other in every) else "",
            need(fit, formats),
            bool(enough) and enough != "*" and any(enough in known for known in formats),
        )
        for fit, formats in own.items()
    )


def _template(text: str, kind: int, *, first: bool) -> ArnTemplate:
    if {"{", "}"} & set(_VARIABLE.sub("", text)):
        raise ValueError(f"a template has braces that are no parameter: {text}")
    texts: list[str] = []
    paths: list[str] = []
    cuts: list[str] = []
    many, each = "", False
    end = 0
    literal = ""
    for match in _VARIABLE.finditer(text):
        literal += text[end : match.start()]
        end = match.end()
        if match[1] in _SCOPE:
            literal += match[0]
            continue
        # A template that is nothing but a parameter means a parameter that holds the ARN itself.
        bare = match.start() == 0 and end == len(text)
        if match[1].startswith(_ANYWHERE):
            name = match[1].removeprefix(_ANYWHERE)
            each = name.endswith(_EACH)
            name = name.removesuffix(_EACH)
            # Some of EC2's newer calls are logged with their parameters' first letter in upper case.
            many = f'"[{name[0].lower()}{name[0].upper()}]{re.escape(name[1:])}":' + (_LIST if each else _STRING)
        paths.append(match[0][1:-1] if match[1] == PRINCIPAL else _json_path(match[1]))
        cuts.append(match[2] or ("arn" if bare else ""))
        texts.append(literal)
        literal = ""
    texts.append(literal + text[end:])
    if len(paths) > SLOTS or (many and len(paths) > 1):
        raise ValueError(f"a template of arn_template.csv names too many parameters: {text}")
    unused = SLOTS - len(paths)
    return ArnTemplate(
        kind,
        (*texts, *[""] * unused),
        (*paths, *[""] * unused),
        (*cuts, *[""] * unused),
        many,
        each,
        first,
        bool({"*", "?"} & set("".join(texts))),
    )


@cache
def templates(action: str, pick: str, own: str = "") -> tuple[ArnTemplate, ...]:
    """The templates for the action's resource types, those of `pick` before the general ones, in the file's order.

    A pick that has rows of its own leaves only their kinds of resource. `own` is the event's own template, which leaves
    no room for others.
    """
    if own:
        return (_template(own, 0, first=True),)
    kinds = {shape.fit: kind for kind, shape in enumerate(shapes(action))}
    formats = arn_formats(action)
    fitting = [row for row in rows("arn_template") if row["format"] in formats and row["pick"] in ("", pick)]
    fitting.sort(key=lambda row: row["pick"] != pick)
    picked = {row["format"] for row in fitting if pick and row["pick"] == pick}
    if picked:
        fitting = [row for row in fitting if row["format"] in picked]
    known = {row["format"] for row in fitting}
    guesses = [
        row
        for row in rows("arn_template_inferred")
        if row["format"] in formats and row["format"] not in known and not picked
    ]
    # One parameter that would name resources of several kinds says which only together with something else.
    used = Counter(tuple(_VARIABLE.findall(row["template"])) for row in guesses)
    fitting += [row for row in guesses if used[tuple(_VARIABLE.findall(row["template"]))] == 1]
    return tuple(
        _template(row["template"], kinds[_glob(row["format"])], first=row["stage"] == "first") for row in fitting
    )
