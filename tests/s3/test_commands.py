"""The commands that reach S3, as people call them; and the sources of tightener.yaml."""

from __future__ import annotations

import json
import re
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from buckets import BUCKET, START, put
from s3_server import Server, trail

from tightener import cli, config
from tightener.errors import ConfigError, LogError
from tightener.logs.s3.source import Source, named


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tightener.yaml").write_text(f"sources: [{{bucket: {BUCKET}, since: 2026-08-02}}]\n")
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = cli.run([*words, "--no-progress"])
    out, err = capsys.readouterr()
    return code, out or err


def test_the_plan_is_what_the_reading_then_asks_for(bucket: Server, home: Path, capsys) -> None:
    files = trail(START, 12)
    put(bucket, files)
    (home / "x.jsonl").write_text("{}\n")
    code, out = call(capsys, "ingest", "--plan", "--json", f"s3://{BUCKET}/AWSLogs", "x.jsonl")
    local, remote = json.loads(out)["sources"]
    assert (code, local["objects"], local["bytes"], local["get_requests"]) == (0, 1, 3, 0)
    late = {key: len(body) for key, body in files.items() if "/08/01/" not in key}
    assert remote["source"] == f"s3://{BUCKET}/AWSLogs/"  # that it begins on 2 August is in tightener.yaml
    assert (remote["objects"], remote["bytes"], remote["known"]) == (len(late), sum(late.values()), 0)
    assert bucket.count("GET") == 0
    assert [path.name for path in sorted(home.iterdir())] == ["tightener.yaml", "x.jsonl"]
    bucket.asked.clear()
    assert call(capsys, "ingest", f"s3://{BUCKET}/AWSLogs")[0] == 0
    assert (bucket.count("LIST"), bucket.count("GET")) == (remote["list_requests"], remote["get_requests"])
    shown = call(capsys, "ingest", "--plan", f"s3://{BUCKET}/AWSLogs")[1].splitlines()[1]
    assert shown.split() == [f"s3://{BUCKET}/AWSLogs/", "0", "0", str(len(late)), "3", "0"]


def test_what_cannot_be_read_is_said_and_explained(bucket: Server, home: Path, capsys) -> None:
    put(bucket, trail(START, 12))
    assert "can be listed and read" in call(capsys, "doctor")[1]
    bucket.fault = lambda asked: (403, "AccessDenied", "no") if asked.kind == "GET" else None
    code, out = call(capsys, "doctor")
    assert code == 1
    assert "tightener explain s3-get-denied" in " ".join(out.split())
    code, out = call(capsys, "ingest")
    assert code == 1  # nothing could be read at all
    assert "[s3-get-denied], and 8 more objects like it" in " ".join(out.split())
    bucket.fault = lambda asked: (403, "AccessDenied", "no") if asked.kind == "GET" and "/08/03/" in asked.key else None
    assert call(capsys, "ingest")[0] == 0
    (problem,) = json.loads(call(capsys, "status", "--json")[1])["problems"]
    assert problem["problem"].endswith("[s3-get-denied], and 3 more objects like it")
    bucket.fault = None
    call(capsys, "ingest")
    assert json.loads(call(capsys, "status", "--json")[1])["problems"] == []
    code, out = call(capsys, "explain", "s3-get-denied")
    assert (code, "docs/s3.md" in out) == (0, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{prefix: x}", "1:11: a source names no bucket"),
        ("{bucket: b-1, prefx: x}", "did you mean `prefix`?"),
        ("{bucket: 's3://b'}", "without s3://"),
        ("{bucket: b-1, accounts: [123456789012]}", "put it in quotes"),
        ("{bucket: b-1, since: soon}", "a date such as"),
        ("{bucket: b-1, external_id: x}", "for a role that is assumed"),
        ("{bucket: b-1, requester_pays: 1}", "true or false"),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "tightener.yaml"
    path.write_text(f"sources: [{text}]\n")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert words in str(caught.value)
    assert f"{path}:1:" in str(caught.value)


def test_an_address_is_reached_as_its_bucket_is(tmp_path: Path) -> None:
    path = tmp_path / "tightener.yaml"
    path.write_text("sources: [{bucket: b-1, prefix: /a/b, accounts: '123456789012', since: 2026-01-02, profile: p}]")
    (source,) = config.load(path).sources
    assert source == Source("b-1", "a/b/", accounts=("123456789012",), since=date(2026, 1, 2), profile="p")
    local, (one, other) = named(["x", "s3://b-1/c", "s3://b-2"], [source])
    assert local == ("x",)
    assert (one.prefix, one.profile, one.since, other) == ("c/", "p", date(2026, 1, 2), Source("b-2", typed=True))
    with pytest.raises(LogError, match="names no bucket"):
        named(["s3:///x"], [])


def test_the_policy_in_the_docs_is_what_the_reading_asks_for(bucket: Server, home: Path, capsys) -> None:
    page = (Path(__file__).parents[2] / "docs" / "s3.md").read_text(encoding="utf-8")
    reader, trust = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    assert [one["Action"] for one in reader["Statement"]] == ["s3:ListBucket", "s3:GetObject", "kms:Decrypt"]
    assert [one["Action"] for one in trust["Statement"]] == ["sts:AssumeRole"]
    (prefix,) = reader["Statement"][0]["Condition"]["StringLike"]["s3:prefix"]
    put(bucket, trail(START, 6))
    call(capsys, "doctor")
    call(capsys, "ingest")
    assert {one.kind for one in bucket.asked} == {"LIST", "GET"}
    assert all(fnmatchcase(one.key, prefix) for one in bucket.asked)
