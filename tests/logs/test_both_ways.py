"""The quick way by columns and the exact way by records give the same rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from both_ways import both_ways, files
from hypothesis import given, settings

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "sample_logs" / "AWSLogs").rglob("*.json.gz"))
RECORDS = [one for path in SAMPLES for one in json.loads(gzip.decompress(path.read_bytes()))["Records"]][::7]


def test_a_sample_file_is_the_same_both_ways() -> None:
    quick, exact = both_ways(SAMPLES[3])
    assert quick == exact
    assert len(quick["request"]) > 20


@settings(max_examples=5)
@given(body=files(RECORDS))
def test_odd_files_are_the_same_both_ways(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.mktemp("odd") / "log.json"
    path.write_bytes(body)
    quick, exact = both_ways(path)
    assert quick == exact
