"""Writes services/data/uncalled_action.csv: the IAM actions that no operation of botocore is known to need.

    python dev/uncalled_actions.py [--check]

Of such an action nothing can be said: it may be checked by some call besides that call's own action, belong to a
console only, or be out of use. `--check` writes nothing and fails when the file is out of date.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import botocore.session

from tightener.services import aws
from tightener.services.catalogue import actions, prefixes

TARGET = Path(__file__).resolve().parents[1] / "tightener" / "services" / "data" / "uncalled_action.csv"


def called() -> set[str]:
    """Every action that some operation of the installed botocore is mapped to, under any of its service's labels."""
    session = botocore.session.get_session()
    found: set[str] = set()
    for service in session.get_available_services():
        model = session.get_service_model(service)
        for label in aws.labels(model.metadata):
            for name in model.operation_names:
                found.update(one.action.lower() for one in aws.resolve(f"{label}.amazonaws.com", name))
    return found


def text() -> str:
    """The text of the file: a row a prefix, its actions without the prefix."""
    known = called()
    basis = f"inferred: no operation of botocore {version('botocore')} is mapped to it"
    lines = ["prefix,actions,basis"]
    for prefix in prefixes():
        names = [name.partition(":")[2] for name in actions(prefix) if name.lower() not in known]
        if names:
            lines.append(f"{prefix},{' '.join(names)},{basis}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the file, or compares it."""
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text(), encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text():
        sys.exit("uncalled_action.csv is out of date: run python dev/uncalled_actions.py")


if __name__ == "__main__":
    main()
