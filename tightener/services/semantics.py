"""What the parts of a request and of a rule mean for each service: case, aliases, S3 list calls, normal forms.

Every part of the program that reads a policy or a log asks here (docs/policy-semantics.md, sections 2 and 3).
"""

from __future__ import annotations

import posixpath
import re
import string
from collections.abc import Iterable
from functools import cache

from tightener.model import Aliases
from tightener.policy.patterns import intersects
from tightener.services.catalogue import AWS, rows

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_BUCKET = re.compile(r"arn:[^:/]*:s3:::[^/]+")
_S3 = re.compile(r"arn:[^:/]*:s3:")


def fold_action(service: str, action: str) -> str:
    """The action, a value or a pattern, as it is compared: ASCII letters in lower case for aws, else unchanged."""
    return action.translate(_LOWER) if service == AWS else action


def expand_actions(service: str, patterns: Iterable[str], aliases: Aliases) -> tuple[str, ...]:
    """The patterns with every alias spelt out (`x:write` covers create, update, delete too), each once, in order.

    `aliases` are the configuration's: they take the place of those in action_alias.csv.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        thing, colon, verb = pattern.rpartition(":")
        for spelt in [f"{thing}:{v}" for v in _verbs(service, verb, aliases)] if colon else [pattern]:
            found[spelt] = None
    return tuple(found)


def _verbs(service: str, verb: str, aliases: Aliases) -> tuple[str, ...]:
    """What a verb covers, itself included. IAM actions have no such verbs, so `*` means every service but aws."""
    for table in (aliases, _aliases()):
        for key in ((service, verb), ("*", verb)):
            if key in table and (key[0] != "*" or service != AWS):
                return tuple(dict.fromkeys((verb, *table[key])))
    return (verb,)


@cache
def _aliases() -> Aliases:
    return {(row["service"], row["verb"]): tuple(row["becomes"].split()) for row in rows("action_alias")}


def list_resources(service: str, action_pattern: str, resource_pattern: str) -> tuple[tuple[str, str], ...]:
    """The further (action, resource) boxes of a rule over S3 list calls.

    A bucket's ARN without a `/` also stands for itself followed by `/*`, for list actions only, because a list call's
    resource is the bucket and the prefix. Actions are folded.
    """
    if service != AWS or not _BUCKET.fullmatch(resource_pattern):
        return ()
    listing = (fold_action(AWS, row["action"]) for row in rows("list_action"))
    return tuple((a, f"{resource_pattern}/*") for a in listing if intersects(fold_action(AWS, action_pattern), a))


def normalise_branch(branch: str) -> str:
    """A branch, or a pattern for branches, without a leading refs/heads/; tags keep refs/tags/."""
    return branch.removeprefix("refs/heads/")


def normalise_path(service: str, value: str) -> tuple[str, bool]:
    """A git ref, file path or URL without `.` and `..` segments, and whether it held any (S3 keys stay as they are)."""
    if service == AWS and _S3.match(value):
        return value, False
    if not any(part in {".", ".."} for part in value.split("/")):
        return value, False
    name, equals, path = value.partition("=") if service == "tools" else ("", "", value)
    scheme, mark, rest = path.rpartition("://")
    host, slash, tail = rest.partition("/") if mark else ("", "", rest)
    clean = posixpath.normpath(f"/{tail}" if mark else tail)
    clean = clean.lstrip("/") if mark else clean
    return f"{name}{equals}{scheme}{mark}{host}{slash}{clean}", True


def safe_as_pattern(value: str) -> str | None:
    """How a logged value is written into a policy: each `*` and `?` as `?`.

    None where that would be too loose: such characters make up more than a quarter of the value, or two stand in a row.
    """
    wild = sum(value.count(c) for c in "*?")
    if not wild:
        return value
    if 4 * wild > len(value) or re.search(r"[*?]{2}", value):
        return None
    return value.replace("*", "?")
