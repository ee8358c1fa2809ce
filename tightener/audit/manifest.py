"""manifest.json: an in-toto Statement v1 whose predicate is docs/evidence-pack.md, and the seal beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

NAME = "manifest.json"
SEAL = "manifest.json.sha256"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:tightener:evidence-pack:1"
LOGS = "logs/"  # how subjects that are log files begin; the pack itself has no such folder


def encode(document: Mapping[str, Any]) -> bytes:
    """The one text of a document: keys sorted, and ASCII, so that two names that look the same do not read the same."""
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True) + "\n").encode()


def sha256(data: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(data).hexdigest()


def seal(manifest: bytes) -> bytes:
    """What stands in the seal: a line that `sha256sum -c` reads."""
    return f"{sha256(manifest)}  {NAME}\n".encode()


def statement(files: Mapping[str, bytes], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """The statement about the pack's files and the logs behind it."""
    subjects = {name: sha256(data) for name, data in files.items()}
    subjects |= {LOGS + one["name"]: one["sha256"] for one in predicate["inputs"]["logs"]}
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": subjects[name]}} for name in sorted(subjects)],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }


def subjects(document: Mapping[str, Any]) -> dict[str, str]:
    """Name -> sha256 of a statement's subjects. Raises KeyError, TypeError or ValueError for any other document."""
    if document["_type"] != STATEMENT or document["predicateType"] != PREDICATE:
        raise ValueError("this is no statement about an evidence pack of this version")
    found = {str(one["name"]): str(one["digest"]["sha256"]) for one in document["subject"]}
    if len(found) != len(document["subject"]):
        raise ValueError("two subjects have one name")
    return found


def differences(said: Any, found: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where two plain documents differ: the place, and what each of them says there."""
    if isinstance(said, dict) and isinstance(found, dict):
        for key in sorted({*said, *found}):
            place = f"{path}.{key}" if path else str(key)
            yield from differences(said.get(key), found.get(key), place)
    elif isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        for number, (a, b) in enumerate(zip(said, found, strict=True)):
            yield from differences(a, b, f"{path}[{number}]")
    elif said != found or type(said) is not type(found):
        yield path, f"it says {_short(said)}, and the re-run finds {_short(found)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else f"{text[:77]}..."
