"""Writes services/data/apigateway_verb.csv: the HTTP verb and the URI of API Gateway's operations, from botocore.

    python dev/apigateway_verbs.py

API Gateway's IAM actions are HTTP verbs, and its ARNs hold the path of the call. Versions 1 and 2 of its API share one
event source and some names; a parameter tells them apart where one does, and elsewhere the path stays open.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import botocore.session

from tightener.services.catalogue import is_action

TARGET = Path(__file__).resolve().parents[1] / "tightener" / "services" / "data" / "apigateway_verb.csv"
SERVICES = {"apigateway": "restApiId", "apigatewayv2": "apiId"}  # with the parameter that only its calls have


@dataclass(frozen=True, slots=True)
class Call:
    """One operation: its verb, its ARN template and the parameters that its path names."""

    event: str
    verb: str
    template: str
    mark: str


def calls() -> Iterator[Call]:
    """All operations of both versions that are no IAM actions themselves."""
    session = botocore.session.get_session()
    for service, mark in SERVICES.items():
        model = session.get_service_model(service)
        for event in model.operation_names:
            if is_action(f"apigateway:{event}"):
                continue
            operation = model.operation_model(event)
            members = operation.input_shape.members if operation.input_shape else {}
            named = operation.http["requestUri"].partition("?")[0]
            for member, shape in members.items():
                if shape.serialization.get("location") == "uri":
                    spelt = f"{{{member[0].lower()}{member[1:]}}}"
                    name = shape.serialization["name"]
                    named = named.replace(f"{{{name}}}", spelt).replace(f"{{{name}+}}", spelt)
            template = f"arn:{{partition}}:apigateway:{{region}}::{named}"
            yield Call(event, operation.http["method"], template, mark if f"{{{mark}}}" in named else "")


def told_apart(same: list[Call]) -> Iterator[Call]:
    """The calls of one name, each with the condition that it needs."""
    if len(same) == 1:
        yield replace(same[0], mark="")
    elif all(one.mark for one in same):
        yield from same
    else:
        for verb in dict.fromkeys(one.verb for one in same):
            yield Call(same[0].event, verb, "", "")


def main() -> None:
    """Writes the file anew."""
    by_name: dict[str, list[Call]] = defaultdict(list)
    for call in calls():
        by_name[call.event].append(call)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("event", "when", "action", "template", "basis"))
        for event in sorted(by_name):
            for call in told_apart(by_name[event]):
                basis = "documented: botocore" if call.template else "documented: botocore; both versions have the name"
                out.writerow((event, call.mark, f"apigateway:{call.verb}", call.template, basis))


if __name__ == "__main__":
    main()
