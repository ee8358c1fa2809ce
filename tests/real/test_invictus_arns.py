"""Fifty resources of a real trail against what a person, looking at each record, says that they must be.

invictus_arns.csv is that table. Its rows are a draw of 50 of the 1,821 pairs of event and resource that name something
(`random.Random(20230710).sample` over the sorted pairs, before anything was mended); the templates were written by hand
from the raw records and from how AWS spells such an ARN, not from what was stored. A note says where the ARN stands in
the record: `pathless`, `suffixless` where the record holds only a part of it, so that the rest has to stay open.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tightener.config import Config
from tightener.pipeline import open_project, read_logs

DATA = Path(os.environ.get("TIGHTENER_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
INVICTUS = DATA / "cloudtrail" / "invictus"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not INVICTUS.is_dir(), reason="no real logs: set TIGHTENER_REAL_DATA to their folder"),
]
TABLE = list(csv.DictReader((Path(__file__).parent / "invictus_arns.csv").read_text(encoding="utf-8").splitlines()))


def filled(template: str, record: dict) -> str:
    """The template with the record's own fields: `{a.b.0}` is the first of the list b in the object a."""

    def value(match: re.Match[str]) -> str:
        found = record
        for step in match[1].split("."):
            found = found[int(step)] if step.isdigit() else found[step]
        assert isinstance(found, str), match[0]
        return found

    return re.sub(r"\{([^}]+)\}", value, template)


def test_fifty_resources_are_what_a_person_says() -> None:
    paths = sorted(INVICTUS.glob("*.json"))
    records = {r["eventID"]: r for path in paths for r in json.loads(path.read_bytes())["Records"]}
    project = open_project(Config(), None)
    read_logs(project, [str(path) for path in paths], datetime(2027, 1, 1, tzinfo=UTC), lambda _: None)
    stored = defaultdict(dict)
    for event, action, resource, partial in project.con.execute(
        "SELECT native_id, action, resource, partial FROM event"
    ).fetchall():
        stored[event, action][resource] = partial
    assert len({(row["event"], row["action"], row["template"]) for row in TABLE}) == 50
    wrong = {}
    for row in TABLE:
        wanted = filled(row["template"], records[row["event"]])
        is_open = bool({"*", "?"} & set(wanted))
        if stored[row["event"], row["action"]].get(wanted) != ("resource" if is_open else ""):
            wrong[row["event"], row["action"]] = (wanted, stored[row["event"], row["action"]])
    assert wrong == {}
