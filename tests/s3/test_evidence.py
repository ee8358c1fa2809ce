"""An evidence pack of logs in S3 and beside it is verified against copies of the objects."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from buckets import BUCKET, put
from s3_server import Server

from tightener import cli
from tightener.audit.inputs import relative

SAMPLE = Path(__file__).resolve().parents[2] / "sample_logs"


def test_objects_are_verified_by_their_copies(bucket: Server, tmp_path: Path, monkeypatch, capsys) -> None:
    for name in ("policy.yaml", "tightener.yaml"):
        shutil.copy(SAMPLE / name, tmp_path)
    shutil.copytree(SAMPLE / "gateway", tmp_path / "gateway")
    copies = tmp_path / "copies" / "of the bucket"
    files = {str(path.relative_to(SAMPLE)): path.read_bytes() for path in (SAMPLE / "AWSLogs").rglob("*.gz")}
    put(bucket, files, copies)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["ingest", "gateway", f"s3://{BUCKET}", "--quiet", "--no-progress"]) == 0
    assert cli.run(["evidence", "--agent", "claude-invoice-01", "-o", "pack", "--quiet"]) == 0
    names = [one["name"] for one in json.loads(Path("pack/manifest.json").read_text())["predicate"]["inputs"]["logs"]]
    assert {f"s3/{BUCKET}/{name}" for name in files} < set(names)
    assert not any(name.startswith("/") for name in names)
    capsys.readouterr()
    asked = ["verify-evidence", "pack", "--logs", "gateway", "--logs", str(copies), "--json", "--no-progress"]
    assert cli.run(asked) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["holds"], found["rerun"], found["logs"]) == (True, True, len(names))
    victim = next(copies.rglob("*.gz"))
    victim.write_bytes(victim.read_bytes()[:-1])
    assert cli.run(asked) == 11


def test_names_say_nothing_of_where_logs_lie() -> None:
    assert relative(["/a/b/x", "/a/c/y"]) == ["b/x", "c/y"]
    assert relative(["s3://b/p/x", "s3://b/p/q/y"]) == ["x", "q/y"]
    assert relative(["/a/b/x", "/a/c/y", "s3://b/p/x"]) == ["b/x", "c/y", "s3/b/p/x"]
