"""Real CloudTrail files, and files made of their records and then damaged, say the same both ways (tests/logs/both_ways.py)."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from both_ways import both_ways, files
from hypothesis import given, settings

DATA = Path(os.environ.get("TIGHTENER_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
CLOUDTRAIL = DATA / "cloudtrail"
FILES = sorted(path for path in CLOUDTRAIL.rglob("*") if path.is_file())
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not CLOUDTRAIL.is_dir(), reason="no real logs: set TIGHTENER_REAL_DATA to their folder"),
]


def test_every_file_is_the_same_both_ways() -> None:
    requests = 0
    for path in FILES:
        quick, exact = both_ways(path)
        assert quick == exact, path
        requests += len(quick["request"])
    assert requests > 3_000


def some_records() -> list[dict[str, Any]]:
    found = []
    for path in FILES:
        text = path.read_bytes()
        try:
            whole = json.loads(gzip.decompress(text) if text.startswith(b"\x1f\x8b") else text)
        except ValueError:
            continue
        found += (whole.get("Records", []) if isinstance(whole, dict) else whole)[::5]
    return [one for one in found if isinstance(one, dict)]


@settings(max_examples=2500)
@given(body=files(some_records() or [{}]))
def test_odd_files_are_the_same_both_ways(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.mktemp("odd") / "log.json"
    path.write_bytes(body)
    quick, exact = both_ways(path)
    assert quick == exact
