"""Files that DuckDB reads by itself: the same rows as line by line, and every line at its own number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.logs import staging, store
from tightener.logs.files import LogFile
from tightener.logs.formats import whole
from tightener.logs.formats.gateway import Gateway

LINE = {
    "v": 1,
    "time": "2026-09-07T06:14:03.120Z",
    "agent": "a",
    "service": "git",
    "action": "pull",
    "resource": "acme/x",
    "branch": "main",
    "decision": "allow",
    "outcome": "success",
}
Rows = tuple[list[tuple[object, ...]], ...]


@cache
def database() -> duckdb.DuckDBPyConnection:
    con = store.open(None)
    con.execute("SET threads = 4")
    return con


def staged(paths: Sequence[Path]) -> Rows:
    """Everything that a reading of these files leaves behind, in order."""
    con = database()
    staging.prepare(con)
    Gateway().stage(con, [LogFile(i, str(path), path.stat().st_size) for i, path in enumerate(paths, 1)])
    con.execute("CREATE OR REPLACE TEMP VIEW staged_run_once AS SELECT DISTINCT * FROM staged_run")
    return tuple(
        con.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()
        for table in ("staged_request", "staged_rejected", "staged_file", "staged_run_once")
    )


def as_text(paths: Sequence[Path], monkeypatch: pytest.MonkeyPatch) -> Rows:
    """The same, line by line."""
    with monkeypatch.context() as patch:
        patch.setattr(whole, "read", lambda *_: {})
        return staged(paths)


ODD = st.sampled_from(
    [5, -1.5e3, True, None, ["x"], {}, "5", "-1e3", "true", "NaN", "[1]", "{", "\x00", "é€😀", "a/../b", ".", ""]
)
FIELDS = st.sampled_from(
    [*LINE, "id", "session", "on_behalf_of", "request_id", "error_code", "enforced", "approval", "resources", "args"]
)
SPECIAL = st.sampled_from(
    [
        {"service": "Tools", "action": "post", "args": {"to": "x", "n": [1, 1.0, "1"], "password": "p"}},
        {"service": "tools", "action": "post", "args": {}},
        {"service": "tools", "action": "bash", "args": {"command": "git status", "timeout": 3}},
        {"service": "tools", "action": "bash", "args": {"command": "a $X; b > c", "cmd": "a; TOKEN=x b && ls a/../b"}},
        {"service": "tools", "action": "sh", "args": {"command": ["a", "b c"], "sql": "select * from t; drop table u"}},
        {"service": "git", "action": "push", "branch": None},
        {"service": "git", "action": "push", "branch": "refs/heads/x"},
        {"service": "aws", "action": "S3:getobject", "resource": "arn:aws:s3:::b/../k"},
        {"service": "aws", "action": "s3:GetObject", "outcome": "error", "error_code": "AccessDenied"},
        {"decision": "require_approval", "approval": {"state": "approved", "at": "2026-09-07T06:15:00Z"}},
        {"decision": "deny", "enforced": False},
        {"resources": ["a", "b", "a"], "resource": "c"},
        {"time": "2026-09-07t08:14:03+02:00"},
        {"outcome": None},
        {"session": "s", "on_behalf_of": "nightly"},
        {"session": "s", "on_behalf_of": "dana", "service": "tools", "action": "post", "args": {"to": "x"}},
    ]
)
RAW = st.sampled_from(
    [b"", b"  ", b"\t", b"{", b"[]", b"5", b"null", b"{}", b'{"v":1}{"v":1}', b'{"v":1} x', b"\xff", b"\x00",
     b"\xef\xbb\xbf{}",     b'{"agent":"a","agent":"b"}', b"plain text"]
)  # fmt: skip
MANGLED = st.sampled_from(["", "", "", "cut", "\r", "\f", "comma", "bom"])


def mangled(line: bytes, how: str) -> bytes:
    changes = {
        "cut": line[:-9],
        "\r": line + b"\r",
        "\f": b"\f" + line,
        "comma": line[:-1] + b",}",
        "bom": b"\xef\xbb\xbf" + line,
    }
    return changes.get(how, line)


@st.composite
def log_lines(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 6)) == 0:
        return draw(RAW)
    record = {**LINE, **draw(st.just({}) | SPECIAL), **draw(st.dictionaries(FIELDS, ODD, max_size=2))}
    return mangled(json.dumps({key: value for key, value in record.items() if value != ""}).encode(), draw(MANGLED))


@settings(max_examples=60)
@given(st.lists(log_lines(), min_size=1, max_size=60), st.booleans(), st.booleans())
def test_both_ways_of_reading_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: list[bytes], ended: bool, numbered: bool
) -> None:
    if numbered:  # most lines have an id of their own; without, every line is doubtful
        found = [line.replace(b'{"v": 1', b'{"v": 1, "id": "i%d"' % i, 1) for i, line in enumerate(found)]
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(found) + b"\n" * ended)
    monkeypatch.setattr(whole, "_FEW", 0)  # or so few lines would go line by line as soon as one of them is doubtful
    assert staged([path]) == as_text([path], monkeypatch)


def test_every_line_keeps_its_number_on_all_cores(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.jsonl" for name in "abc"]
    body = json.dumps({**LINE, "resource": "acme/" + "x" * 150})[1:]
    for name, path, count in zip("abc", paths, (150_000, 3, 150_000), strict=True):
        path.write_text("".join(f'{{"id":"{name}{n}",{body}\n' for n in range(1, count + 1)))
    con = store.open(None)
    con.execute("SET threads = 4")
    staging.prepare(con)
    Gateway().stage(con, [LogFile(i, str(path), path.stat().st_size) for i, path in enumerate(paths, 1)])
    found = con.execute(
        "SELECT count(*), count(*) FILTER (native_id <> 'abc'[file_id] || position) FROM staged_request"
    ).fetchone()
    assert found == (300_003, 0)
    assert con.execute("SELECT count(*) FROM staged_line WHERE plain").fetchone() == (300_003,)  # none went as text


def test_doubtful_lines_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.jsonl"
    records = [{**LINE, "id": f"i{n}", "resource": "x" * (n % 97)} for n in range(1, 20_001)]
    for n in (1, 2, 77, 4_000, 4_001, 19_999, 20_000):
        records[n - 1]["request_id"] = "12345"  # may have been a number
        records[n - 1]["agent"] = {"not": "a text"} if n % 2 else "a"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    con = store.open(None)
    staging.prepare(con)
    file = LogFile(1, str(path), path.stat().st_size)
    found = whole.read(con, [file])[1]
    assert found.doubtful == (1, 2, 77, 4_000, 4_001, 19_999, 20_000)
    texts = [text for batch in whole.doubtful(file, found) for text in batch.column("line").to_pylist()]
    assert [json.loads(text) for text in texts] == [records[n - 1] for n in found.doubtful]
    assert staged([path]) == as_text([path], monkeypatch)


@pytest.mark.parametrize("name", ["a*b.jsonl", "a[1].jsonl", "a b?.jsonl"])
def test_a_name_with_wildcards_is_one_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "a1.jsonl").write_text("{}\n")
    path = tmp_path / name
    path.write_text(json.dumps({**LINE, "id": "1"}) + "\n")
    requests, rejected, *_ = staged([path])
    assert (len(requests), rejected) == (1, [])


def test_a_line_longer_than_duckdb_takes_goes_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    long = json.dumps({**LINE, "id": "2", "resource": "x" * (40 << 20)})
    path.write_text(f"{json.dumps({**LINE, 'id': '1'})}\n{long}\n{json.dumps({**LINE, 'id': '3'})}\n")
    requests, rejected, *_ = staged([path])
    assert ([row[4] for row in requests], rejected) == (["1", "2", "3"], [])


def test_a_large_file_is_read_the_same_from_a_temporary_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.jsonl"
    rows = [json.dumps({**LINE, "id": f"r{n}", "session": "s", "on_behalf_of": f"d{n % 2}"}) for n in range(300)]
    call = json.dumps({**LINE, "service": "tools", "action": "post", "args": {"to": "x", "password": "p"}})
    path.write_text("\n".join([*rows[:200], call, '{"broken', *rows[200:]]) + "\n", encoding="utf-8")
    usual = staged([path])
    with monkeypatch.context() as patch:
        patch.setattr(whole, "_GREAT", 0)
        assert staged([path]) == usual
    assert staged([path]) == usual == as_text([path], monkeypatch)
    assert len(usual[0]) == 302
