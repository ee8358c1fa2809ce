"""Writes services/data/nameable_kind.csv: the optional resource types that a call's own parameters would name.

    python dev/nameable_kinds.py

Of an action that has required resource types and others, a call uses one of the others if it names it, and then the
log shows its name. That holds only where the call has a parameter from which one of the templates takes it: the volumes
that ec2:RunInstances makes are named by none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session

from tightener.services import aws
from tightener.services.catalogue import find

TARGET = Path(__file__).resolve().parents[1] / "tightener" / "services" / "data" / "nameable_kind.csv"
DEEPEST = 6
NAME = re.compile(r"[A-Za-z0-9-]+")


def parameters(shape: Any, depth: int = 0) -> Iterator[str]:
    """The names of all parameters of a call, at any depth, in lower case."""
    for member, kind in getattr(shape, "members", {}).items():
        yield member.lower()
        yield kind.serialization.get("name", member).lower()
        if depth < DEEPEST:
            yield from parameters(getattr(kind, "member", kind), depth + 1)


def last_names(template: aws.ArnTemplate) -> set[str]:
    """The parameters that a template needs: the last name of each path, or the one that it looks for anywhere."""
    if template.many:
        first = re.match(r'"\[(.)', template.many)
        rest = NAME.match(template.many.partition("]")[2])
        return {f"{first[1]}{rest[0]}".lower()} if first and rest else set()
    return {NAME.findall(path)[-1].lower() for path in template.paths if NAME.findall(path)}


def nameable() -> Iterator[tuple[str, str]]:
    """Action and glob of the ARN format."""
    session = botocore.session.get_session()
    for service in session.get_available_services():
        model = session.get_service_model(service)
        for event in model.operation_names:
            known = None
            for label in aws.labels(model.metadata):
                for request in aws.resolve(f"{label}.amazonaws.com", event, extras=False):
                    entry = find(request.action)
                    if entry is None or not entry.required_formats or len(entry.arn_formats) < 2:
                        continue
                    known = known or set(parameters(model.operation_model(event).input_shape))
                    shapes = aws.shapes(request.action)
                    for template in aws.templates(request.action, request.pick):
                        if (names := last_names(template)) and names <= known:
                            yield request.action, shapes[template.kind].fit


def main() -> None:
    """Writes the file anew."""
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("action", "kind", "basis"))
        out.writerows((*row, "documented: botocore has the parameter") for row in sorted(set(nameable())))


if __name__ == "__main__":
    main()
