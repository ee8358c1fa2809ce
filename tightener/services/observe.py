"""What of an AWS action a CloudTrail trail shows, and by which of its switches: services/data/*.csv, each with a basis.

A trail's selectors choose by category (management events, data events of one resource type) and by direction (reads,
writes), and it may leave out the management events of a few services. So an event shows that its very class is
recorded, and says nothing about any other. Selectors of data events often name a few ARNs besides, so such an event
speaks for the container only that its resource lies in (a bucket, a function, a table), and for no other.
"""

from __future__ import annotations

import re
from functools import cache

from tightener.services.catalogue import access_levels, action_regex, observability, rows

MANAGEMENT = "management"
GLOBAL = "management:global"
STS = "management:sts"  # recorded like any management event, but of no use to tell which regions are


@cache
def _groups() -> dict[str, str]:
    return {row["prefix"]: row["group"] for row in rows("trail_group")}


def management_class(action: str) -> str:
    """`ec2:RunInstances` -> `management`; `kms:Decrypt` -> `management:kms`, because a trail may leave those out."""
    group = _groups().get(action.partition(":")[0].lower())
    return f"{MANAGEMENT}:{group}" if group else MANAGEMENT


def data_class(action: str) -> str:
    """`s3:GetObject` -> `data:AWS::S3::Object`; '' for an action that is not known to be a data event."""
    kind = observability("aws", action)
    return kind if kind.startswith("data:") else ""


@cache
def data_types() -> tuple[str, ...]:
    """The resource types of data events that some action is known to be logged under (`AWS::S3::Object`), sorted."""
    kinds = {row["class"] for row in rows("observability")}
    return tuple(sorted(kind.removeprefix("data:") for kind in kinds if kind.startswith("data:")))


@cache
def is_whole(kind: str) -> bool:
    """Whether a class of data events is recorded as a whole or not at all, because its resources have no ARN."""
    return kind.removeprefix("data:") in {row["type"] for row in rows("data_whole")}


@cache
def container_cut() -> str:
    """The regular expression (Python's and RE2's) of how an ARN begins that goes on behind its container, group 1."""
    variable = re.escape("\0")
    forms = [
        re.escape(re.sub(r"\$\{[^}]+\}", "\0", row["format"])).replace(variable, "[^:/*?]+")
        for row in rows("data_container")
    ]
    return f"^({'|'.join(forms)})[:/]"


def container(resource: str) -> str:
    """What a resource of a data event lies in: `arn:aws:s3:::b/x*` -> `arn:aws:s3:::b`; a queue lies in itself.

    '' for a pattern that may lie in several. The same as the macro ct_container of stage_cloudtrail_macros.sql.
    """
    found = re.match(container_cut(), resource)
    if found:
        return found[1]
    return "" if {"*", "?"} & set(resource) else resource


def is_access_point(resource: str) -> bool:
    """Whether an ARN is of an S3 access point: a resource type of its own in a trail's selectors."""
    return bool(re.match(r"arn:[^:]*:s3[^:]*:[^:]*:[^:]*:accesspoint/", resource))


@cache
def reads(action: str) -> bool:
    """Whether CloudTrail marks the call `readOnly`: by read_only.csv, else by the catalogue's access levels."""
    if any(action_regex(row["pattern"]).fullmatch(action) for row in rows("read_only")):
        return True
    levels = access_levels(action)
    return bool(levels) and set(levels) <= {"Read", "List"}


def trail_class(action: str) -> tuple[str, bool]:
    """The class that a trail records or leaves out as a whole, and whether the call is a read."""
    kind = data_class(action) or management_class(action)
    return MANAGEMENT if kind == STS else kind, reads(action)
