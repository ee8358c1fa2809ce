"""Writes dev/new_operation.csv: the operations that the installed botocore has and an older one lacks.

    python dev/new_operations.py OLDER_BOTOCORE_FOLDER VERSION DATE

The folder is an unpacked wheel; VERSION and DATE say which one it is. AWS publishes a new call before the Service
Authorization Reference, on which the catalogue rests, has its action.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import botocore.session

TARGET = Path(__file__).resolve().parent / "new_operation.csv"


def older(folder: Path, service: str) -> set[str]:
    """The operations of a service in the older botocore; empty if it lacks the service."""
    versions = sorted((folder / "botocore" / "data" / service).glob("*/service-2.json.gz"))
    return set(json.loads(gzip.decompress(versions[-1].read_bytes()))["operations"]) if versions else set()


def new(folder: Path) -> Iterator[tuple[str, str]]:
    """Service and operation."""
    session = botocore.session.get_session()
    for service in session.get_available_services():
        before = older(folder, service)
        yield from (
            (service, name) for name in session.get_service_model(service).operation_names if name not in before
        )


def main() -> None:
    """Writes the file anew."""
    folder, version, date = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("service", "operation", "basis"))
        out.writerows((*row, f"measured: not in botocore {version} of {date}") for row in sorted(new(folder)))


if __name__ == "__main__":
    main()
