"""Which events say in one place what their one resource is: nearly all do, and need no search for the best of several.

What this module says of an event only spares work: stage_cloudtrail_request.sql settles such a record by itself, and
stage_cloudtrail_resource.sql would find the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tightener.services.aws import PRINCIPAL, ArnTemplate, EventRequest, shapes, templates

_KINDS = 2  # of resources that an action may have, if its events are to be plain
FIELDS = [
    ("plain", pa.bool_()),  # a record may be settled so, if it has none of the `rivals`
    ("rivals", pa.list_(pa.string())),  # what only parameters hold on which other requests of the event depend
    ("goes_first", pa.bool_()),  # the way comes before resources[]
    ("single", pa.bool_()),  # the action has one kind of resource
    *[(name, pa.string()) for name in ("fit", "unfit", "other_fit", "other_unfit")],  # globs of ARNs; '' fits none
    # The way from the parameters to the resource: a template of at most two of them.
    *[(name, pa.string()) for name in ("text0", "path1", "cut1", "text1", "path2", "cut2", "text2")],
    ("pattern", pa.bool_()),
]


def plain(requests: Sequence[EventRequest]) -> list[dict[str, object]]:
    """The columns FIELDS for each request that an event may make; what is not said is NULL, and leads nowhere."""
    certain = [one for one in requests if not (one.when_path and one.when_wanted)]
    rivals = sorted({one.when_path.rpartition(".")[2] for one in requests if one.when_path})
    return [{"rivals": rivals, **_told(one)} if certain == [one] else {"plain": False} for one in requests]


def _told(request: EventRequest) -> dict[str, object]:
    """How the resource of this request, the only one of its record, is found."""
    kinds = () if request.template else shapes(request.action)
    every = sorted(templates(request.action, request.pick, request.template), key=lambda one: not one.first)
    meant = {one.kind for one in every} or {0}
    own = [shape for kind, shape in enumerate(kinds) if kind in meant]
    other = [shape for kind, shape in enumerate(kinds) if kind not in meant]
    ways = [one for one in every[:1] if _short(one)]
    return {
        "plain": not request.pick.startswith(("dynamodb-", "source-", "destination-"))
        and len(meant) == 1
        and len(kinds) <= _KINDS
        and not any(shape.needed for shape in other)
        and [one for one in every if one.first] in ([], ways),
        "goes_first": any(one.first for one in every),
        "single": not other,
        "fit": own[0].fit if own else "",
        "unfit": own[0].unfit if own else "",
        "other_fit": other[0].fit if other else "",
        "other_unfit": other[0].unfit if other else "",
        **(_way(ways[0]) if ways else {}),
    }


def _short(template: ArnTemplate) -> bool:
    return not template.many and not template.paths[2] and PRINCIPAL not in template.paths


def _way(template: ArnTemplate) -> dict[str, object]:
    columns: dict[str, object] = {"text0": template.texts[0], "pattern": template.pattern}
    for nr in (1, 2):
        columns |= {
            f"path{nr}": template.paths[nr - 1],
            f"cut{nr}": template.cuts[nr - 1],
            f"text{nr}": template.texts[nr],
        }
    return columns
