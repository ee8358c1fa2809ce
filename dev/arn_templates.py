"""Writes services/data/arn_template_inferred.csv: ARN templates whose variables are named like a call's own parameters.

    python dev/arn_templates.py

A format of the catalogue that no hand-written row of arn_template.csv has gets a template if all its variables are,
letter case ignored, names of parameters of operations that are authorised on it. The spelling is CloudTrail's: the name
of the member in botocore with its first letter in lower case.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import botocore.session

from tightener.services import aws
from tightener.services.catalogue import arn_formats, prefixes, rows, service_arn_formats

TARGET = Path(__file__).resolve().parents[1] / "tightener" / "services" / "data" / "arn_template_inferred.csv"
BASIS = "inferred: the parameter is named as the ARN's variable"
VARIABLE = re.compile(r"\$\{([^}]+)\}")
SCOPE = {"Partition": "{partition}", "Region": "{region}", "Account": "{account}"}


def members() -> dict[str, list[dict[str, str]]]:
    """For each ARN format, the parameters (folded name -> CloudTrail's spelling) of each operation authorised on it."""
    session = botocore.session.get_session()
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for name in session.get_available_services():
        model = session.get_service_model(name)
        label = model.metadata.get("signingName") or model.endpoint_prefix
        for operation in model.operation_names:
            shape = model.operation_model(operation).input_shape
            if shape is None:
                continue
            strings = {
                member.lower(): member[0].lower() + member[1:]
                for member, kind in shape.members.items()
                if kind.type_name == "string"
            }
            for request in aws.resolve(f"{label}.amazonaws.com", operation):
                for arn_format in arn_formats(request.action) if request.mapped else ():
                    found[arn_format].append(strings)
    return found


def inferred() -> Iterator[tuple[str, str]]:
    """The formats without a hand-written row, and the template of each that has one."""
    by_hand = {row["format"] for row in rows("arn_template")}
    operations = members()
    for arn_format in dict.fromkeys(arn for prefix in prefixes() for arn in service_arn_formats(prefix)):
        variables = [name for name in VARIABLE.findall(arn_format) if name not in SCOPE]
        if arn_format in by_hand or not 1 <= len(variables) <= aws.SLOTS:
            continue
        spellings = [
            Counter(strings[name.lower()] for strings in operations[arn_format] if name.lower() in strings)
            for name in variables
        ]
        if not all(spellings):
            continue
        best = dict(SCOPE)
        for name, known in zip(variables, spellings, strict=True):
            spelt, _ = min(known.items(), key=lambda item: (-item[1], item[0]))
            best[name] = f"{{{spelt}}}"
        template = arn_format
        for name, text in best.items():
            template = template.replace(f"${{{name}}}", text)
        yield arn_format, template


def main() -> None:
    """Writes the file anew."""
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("format", "pick", "stage", "template", "basis"))
        out.writerows((arn_format, "", "then", template, BASIS) for arn_format, template in sorted(inferred()))


if __name__ == "__main__":
    main()
