"""The committed sample logs are what the generator makes, and hold every trap that their README names."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parents[1] / "sample_logs"
FOLDERS = ("gateway", "AWSLogs", "foreign")
DAYS = [date(2026, 8, 18) + timedelta(days=n) for n in range(90)]


def contents(root: Path) -> dict[str, bytes]:
    """Every log under `root`, unpacked: gzip's own bytes may differ between two versions of zlib."""
    found = {}
    for path in sorted(p for folder in FOLDERS for p in (root / folder).rglob("*.json*")):
        data = path.read_bytes()
        found[path.relative_to(root).as_posix()] = gzip.decompress(data) if path.suffix == ".gz" else data
    return found


@pytest.fixture(scope="module")
def gateway() -> list[dict[str, Any]]:
    raw = [
        line for name, data in contents(SAMPLES).items() if name.startswith("gateway/") for line in data.splitlines()
    ]
    return [json.loads(line) for line in raw if line.endswith(b"}")]


@pytest.fixture(scope="module")
def trail() -> list[dict[str, Any]]:
    files = [data for name, data in contents(SAMPLES).items() if name.startswith("AWSLogs/")]
    return [record for data in files for record in json.loads(data)["Records"]]


def moment(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["time"]).astimezone(UTC)


def test_the_generator_makes_the_committed_files(tmp_path: Path) -> None:
    command = [sys.executable, str(SAMPLES / "generate.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    made, kept = contents(tmp_path), contents(SAMPLES)
    assert list(made) == list(kept)
    assert [name for name in made if made[name] != kept[name]] == []


def test_gzip_headers_hold_no_time() -> None:
    packed = [path for folder in FOLDERS for path in (SAMPLES / folder).rglob("*.gz")]
    assert packed
    assert all(path.read_bytes()[4:8] == bytes(4) for path in packed)


def test_all_of_it_stays_small() -> None:
    made_by_tools = {".tightener", "__pycache__", ".mypy_cache", ".ruff_cache"}
    files = [p for p in SAMPLES.rglob("*") if p.is_file() and not made_by_tools & set(p.parts)]
    assert sum(p.stat().st_size for p in files) < 500_000


def test_one_day_is_missing_at_the_gateway_and_none_in_the_trail(
    gateway: list[dict[str, Any]], trail: list[dict[str, Any]]
) -> None:
    assert [day for day in DAYS if day not in {moment(line).date() for line in gateway}] == [date(2026, 10, 4)]
    assert {datetime.fromisoformat(record["eventTime"]).date() for record in trail} == set(DAYS)


def test_one_line_is_cut() -> None:
    broken = [
        (name, number)
        for name, data in contents(SAMPLES).items()
        if name.startswith("gateway/")
        for number, line in enumerate(data.splitlines(), start=1)
        if not line.endswith(b"}")
    ]
    assert [name for name, _ in broken] == ["gateway/2026-11-14.jsonl"]


def test_two_records_come_twice_once_in_another_file(gateway: list[dict[str, Any]]) -> None:
    assert sorted(Counter(line["id"] for line in gateway).values(), reverse=True)[:3] == [2, 2, 1]


def test_times_are_out_of_order_and_some_are_local(gateway: list[dict[str, Any]]) -> None:
    times = [moment(line) for line in gateway]
    assert times != sorted(times)
    assert sum(line["time"].endswith("+02:00") for line in gateway) == 3


def test_what_is_granted_and_never_used(gateway: list[dict[str, Any]], trail: list[dict[str, Any]]) -> None:
    invoice = [line for line in gateway if line["agent"] == "claude-invoice-01"]
    actions = {line["action"] for line in invoice}
    assert not {"pull", "customers:read"} & actions
    pushes = [line for line in invoice if line["action"] == "push"]
    assert {line["resource"] for line in pushes} == {"acme/billing"}
    assert {line["branch"].partition("/")[0] for line in pushes} == {"feature", "main"}
    assert {record["eventName"] for record in trail} & {"UpdateTable", "DeleteFunction", "GetItem", "PassRole"} == set()


def test_refused_and_approved(gateway: list[dict[str, Any]]) -> None:
    refunds = [line for line in gateway if line["action"] == "refunds:create"]
    assert [line["decision"] for line in refunds] == ["deny"] * 3
    states = Counter(line["approval"]["state"] for line in gateway if "approval" in line)
    assert states["refused"] == states["timed_out"] == states["pending"] == 1
    deleted = [line for line in gateway if line["action"] == "s3:DeleteObject" and line["agent"] == "claude-invoice-01"]
    assert [line["approval"]["state"] for line in deleted] == ["approved", "approved"]


def test_exactly_one_direct_call_went_around_the_gateway(
    gateway: list[dict[str, Any]], trail: list[dict[str, Any]]
) -> None:
    """Naive join of the two logs: by request id, else by action name, resource and a quarter of an hour."""
    ids = {line.get("request_id") for line in gateway}
    without_id = [line for line in gateway if line["service"] == "aws" and "request_id" not in line]
    uploads = {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}

    def joins(record: dict[str, Any]) -> bool:
        if record["requestID"] in ids:
            return True
        event = "PutObject" if record["eventName"] in uploads else record["eventName"]
        lag = [
            datetime.fromisoformat(record["eventTime"]) - moment(line).replace(microsecond=0)
            for line in without_id
            if line["action"] == f"s3:{event}" and line["resource"] == record["resources"][0]["ARN"]
        ]
        return any(timedelta(0) <= gap <= timedelta(minutes=15) for gap in lag)

    around = [
        (record["eventTime"][:10], record["eventName"])
        for record in trail
        if not record["userIdentity"]["arn"].split("/")[1].startswith("claude-report")
        and record["eventName"] != "GetCallerIdentity"
        and "invokedBy" not in record["userIdentity"]
        and record["eventTime"][:10] != "2026-10-04"
        and not joins(record)
    ]
    assert around == [("2026-10-21", "GetObject")]


def test_hostile_values_are_there_and_stay_escaped_on_disk(gateway: list[dict[str, Any]]) -> None:
    values = json.dumps([[line.get("resource"), line.get("args")] for line in gateway], ensure_ascii=False)
    shown = json.loads(values)
    text = "\n".join(str(value) for pair in shown for value in (pair[0], *(pair[1] or {}).values()))
    for wanted in ("</script>", "=HYPERLINK(", "\x1b[31m", "\u202e"):
        assert wanted in text
    assert any((line.get("args") or {}).get("channel") == "*" for line in gateway)
    raw = b"".join(contents(SAMPLES).values())
    assert not re.search(rb"[^\x20-\x7e\n]", raw)


def test_the_foreign_log_tells_the_same_calls(gateway: list[dict[str, Any]]) -> None:
    foreign = [json.loads(line) for line in contents(SAMPLES)["foreign/gateway.jsonl.gz"].splitlines()]
    assert len(foreign) == len({line["req"]["uid"] for line in foreign})
    when = {line["req"]["uid"]: line["ts"] for line in foreign}
    assert when == {line["id"]: round(moment(line).timestamp() * 1000) for line in gateway}
