"""What of an AWS action a CloudTrail trail shows, and by which of its switches: services/data/*.csv, each with a basis.

A trail's selectors choose by category (management events, data events of one resource type) and by direction (reads,
writes), and it may leave out the management events of a few services. So an event shows that its very class is
recorded, and says nothing about any other.
"""

from __future__ import annotations

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
