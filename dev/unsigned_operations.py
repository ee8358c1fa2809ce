"""Writes services/data/unsigned_operation.csv: the API calls that no IAM policy is asked about, from botocore.

    python dev/unsigned_operations.py

A call that is not signed at all, or carries a token in place of a signature, is not authorised by its caller's IAM
policy. Only calls that are no IAM action are listed: where one exists, it is believed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import botocore.session

from tightener.services import aws

TARGET = Path(__file__).resolve().parents[1] / "tightener" / "services" / "data" / "unsigned_operation.csv"
TOKEN_HEADERS = {"x-amz-bearer", "x-amz-sso_bearer_token"}
NOT_SIGNED = {"none", "smithy.api#noAuth"}
TOKEN = {"bearer", "smithy.api#httpBearerAuth"}


def unsigned() -> Iterator[tuple[str, str, str]]:
    """Source label, operation and basis of each such call."""
    session = botocore.session.get_session()
    for service in session.get_available_services():
        model = session.get_service_model(service)
        meta = model.metadata
        for name in model.operation_names:
            operation = model.operation_model(name)
            kinds = set(operation.auth or ([operation.auth_type] if operation.auth_type else []))
            kinds = kinds or set(meta.get("auth") or [meta["signatureVersion"]])
            members = operation.input_shape.members.values() if operation.input_shape else ()
            headers = {
                member.serialization["name"].lower()
                for member in members
                if member.serialization.get("location") == "header"
            }
            if kinds <= NOT_SIGNED:
                basis = "documented: botocore does not sign this call"
            elif kinds <= NOT_SIGNED | TOKEN or headers & TOKEN_HEADERS:
                basis = "documented: botocore sends a token in place of a signature"
            else:
                continue
            for label in aws.labels(meta):
                if not any(one.mapped and one.needs_permission for one in aws.resolve(f"{label}.amazonaws.com", name)):
                    yield aws.source_prefix(f"{label}.amazonaws.com"), name, basis


def main() -> None:
    """Writes the file anew."""
    found = sorted(set(unsigned()))
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("source", "event", "basis"))
        out.writerows(found)


if __name__ == "__main__":
    main()
