"""The ledger: sums hold on hostile files, nothing is read twice, a kill at any moment neither loses nor doubles."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.errors import LogError
from tightener.logs import store
from tightener.logs.ingest import IngestReport, ingest

NOW = datetime(2026, 10, 1, tzinfo=UTC)
START = datetime(2026, 9, 1, tzinfo=UTC)
EVENT = "SELECT * FROM event ORDER BY file_id, position, part"


def line(number: int, **over) -> dict:
    moment = START + timedelta(minutes=number)
    base = {"id": f"r{number}", "time": moment.isoformat(), "agent": "a", "service": "git", "action": "pull"}
    return {**base, "resource": "acme/x", "decision": "allow", "outcome": "success", **over}


def text(*records: dict) -> bytes:
    return b"".join(json.dumps(r).encode() + b"\n" for r in records)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def run(con, *paths: Path | str, now: datetime = NOW, force: str | None = None) -> IngestReport:
    return ingest(con, [str(p) for p in paths], now=now, formats={}, force_format=force, progress=lambda _: None)


def counts(done: IngestReport) -> dict[str, tuple[int, ...]]:
    """name -> records, accepted, duplicate, rejected, not_use; and the sum holds."""
    for f in done.files:
        assert f.records == f.accepted + f.duplicate + f.rejected + f.not_use
    return {Path(f.path).name: (f.records, f.accepted, f.duplicate, f.rejected, f.not_use) for f in done.files}


def content(con) -> list[list[tuple]]:
    """Everything but load times."""
    log_file = "SELECT * EXCLUDE (read_at) FROM log_file ORDER BY id"
    others = [f"SELECT * FROM {name} ORDER BY ALL" for name in ("rejected", "not_use", "holed_day", "meta")]
    return [con.execute(q).fetchall() for q in (EVENT, log_file, *others)]


@pytest.fixture
def con():
    with store.open(None) as opened:
        yield opened


def test_hostile_files_reconcile(tmp_path: Path, con) -> None:
    whole = text(*map(line, range(100)))
    logs = tmp_path / "my logs"
    write(logs / "a plain name.jsonl", text(line(0), line(1)))
    write(logs / "broken.jsonl", text(line(1000)) + b'{"time": \n' + text(line(1001)))
    write(logs / "cut.jsonl.gz", gzip.compress(text(*map(line, range(2000, 4000))))[:-3000])
    write(logs / "crc.jsonl.gz", gzip.compress(text(*map(line, range(5000, 5002))))[:-8] + b"12345678")
    write(logs / "empty.jsonl", b"")
    write(logs / "hollow.jsonl.gz", gzip.compress(b""))
    write(logs / "image.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10)
    write(logs / "members.gz", gzip.compress(whole[:5000]) + gzip.compress(whole[5000:]) + b"\0" * 512)
    write(logs / "words.txt", b"nothing to see\n")
    write(logs / "z.zst", zstandard.compress(text(line(7000))) + zstandard.compress(text(line(7001))))
    write(logs / ".hidden" / "x.jsonl", whole)
    write(logs / "CloudTrail-Digest" / "x.jsonl", whole)
    write(logs / "CloudTrail-Insight" / "y.jsonl", whole)
    done = run(con, logs, tmp_path / "missing", tmp_path / "no*such")
    found = counts(done)
    cut = found.pop("cut.jsonl.gz")
    assert 0 < cut[1] < 2000
    assert cut[3] <= 1  # the line in which it was cut
    assert found == {
        "a plain name.jsonl": (2, 2, 0, 0, 0),
        "broken.jsonl": (3, 2, 0, 1, 0),
        "crc.jsonl.gz": (2, 2, 0, 0, 0),
        "members.gz": (100, 98, 2, 0, 0),
        "z.zst": (2, 2, 0, 0, 0),
    }
    told = {Path(p.path).name: p.message for p in done.problems}
    assert set(told) == {
        "CloudTrail-Insight", "x.jsonl", "crc.jsonl.gz", "cut.jsonl.gz", "empty.jsonl", "hollow.jsonl.gz", "image.png",
        "missing", "no*such", "words.txt",
    }  # fmt: skip
    assert told["empty.jsonl"] == "the file is empty"
    assert told["cut.jsonl.gz"].startswith("truncated gzip after ")
    assert told["words.txt"].startswith("this is no log that tightener knows")
    (total,) = done.sources
    assert (
        total.records
        == total.accepted + total.duplicate + total.rejected
        == con.execute("SELECT sum(records) FROM log_file").fetchone()[0]
    )
    assert total.accepted == con.execute("SELECT count(*) FROM event").fetchone()[0]
    holes = con.execute(
        "SELECT f.uri, h.day FROM holed_day h JOIN log_file f ON f.id = h.file_id ORDER BY ALL"
    ).fetchall()
    assert [Path(uri).name for uri, _ in holes] == ["broken.jsonl", "crc.jsonl.gz", "cut.jsonl.gz"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_without_permission(tmp_path: Path, con) -> None:
    write(tmp_path / "closed" / "a.jsonl", text(line(0)))
    write(tmp_path / "open" / "b.jsonl", text(line(1)))
    (tmp_path / "closed").chmod(0)
    try:
        done = run(con, tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert counts(done) == {"b.jsonl": (1, 1, 0, 0, 0)}
    assert "cannot be read" in done.problems[0].message


def test_a_file_is_read_once(tmp_path: Path, con, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(tmp_path / "a.jsonl", text(line(0), line(1)))
    os.utime(first, (1, 1))
    assert counts(run(con, tmp_path)) == {"a.jsonl": (2, 2, 0, 0, 0)}
    before = content(con)
    monkeypatch.setattr("tightener.logs.ingest.digest", None)  # it is not even opened
    again = run(con, tmp_path, first, str(tmp_path / "*.jsonl"))
    assert (again.files, again.already_read) == ((), 1)
    assert content(con) == before


def test_the_same_content_under_another_name_is_duplicate(tmp_path: Path, con) -> None:
    write(tmp_path / "a.jsonl", text(line(0), line(1)))
    run(con, tmp_path)
    write(tmp_path / "b.jsonl", text(line(0), line(1)))
    assert counts(run(con, tmp_path)) == {"b.jsonl": (2, 0, 2, 0, 0)}


def test_all_requests_of_a_record_stand_or_fall_together(tmp_path: Path, con) -> None:
    many = line(0, service="tools", action="t", args={"a": [1, 2, 3]})
    write(tmp_path / "a.jsonl", text(many, many))
    write(tmp_path / "b.jsonl", text(many))
    assert counts(run(con, tmp_path)) == {"a.jsonl": (2, 1, 1, 0, 0), "b.jsonl": (1, 0, 1, 0, 0)}
    assert [row[:3] for row in con.execute(EVENT).fetchall()] == [(1, 1, 0), (1, 1, 1), (1, 1, 2)]


def test_a_changed_file_is_read_anew(tmp_path: Path, con) -> None:
    changing = write(tmp_path / "a.jsonl", text(line(0), line(1)) + b"{broken\n")
    write(tmp_path / "b.jsonl", text(line(1), line(2)))
    run(con, tmp_path)
    write(changing, text(line(0), line(3)))
    done = run(con, tmp_path)
    assert counts(done) == {"a.jsonl": (2, 2, 0, 0, 0), "b.jsonl": (2, 2, 0, 0, 0)}  # b's own copy of 1 came back
    with store.open(None) as clean:
        run(clean, tmp_path)
        ids = "SELECT native_id FROM event ORDER BY native_id"
        assert con.execute(ids).fetchall() == clean.execute(ids).fetchall()
    assert con.execute("SELECT count(*) FROM rejected").fetchone() == (0,)
    assert con.execute("SELECT count(*) FROM log_file").fetchone() == (2,)


def test_dated_in_the_future(tmp_path: Path, con) -> None:
    soon, late = (NOW + timedelta(hours=23)).isoformat(), (NOW + timedelta(hours=25)).isoformat()
    write(
        tmp_path / "a.jsonl", text(line(0), line(1, time=soon), line(2, time=late, service="tools", args={"a": [1, 2]}))
    )
    assert counts(run(con, tmp_path)) == {"a.jsonl": (3, 2, 0, 1, 0)}
    assert con.execute("SELECT position, reason FROM rejected").fetchall() == [(3, "dated in the future")]


def test_formats_by_force(tmp_path: Path, con) -> None:
    odd = write(tmp_path / "a.jsonl", b"hello\n")
    with pytest.raises(LogError, match="no log format 'gatway'") as caught:
        run(con, odd, force="gatway")
    assert caught.value.hint == "did you mean gateway?"
    assert counts(run(con, odd, force="gateway")) == {"a.jsonl": (1, 0, 0, 1, 0)}


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 12), max_size=8), min_size=1, max_size=4))
def test_what_is_accepted_is_the_first_of_each_id(tmp_path_factory, files) -> None:
    folder = tmp_path_factory.mktemp("dedupe")
    for i, numbers in enumerate(files):
        write(folder / f"{i}.jsonl", text(*map(line, numbers)))
    wanted: dict[str, tuple[str, int]] = {}
    for i, numbers in enumerate(files):
        for position, number in enumerate(numbers, 1):
            wanted.setdefault(f"r{number}", (f"{i}.jsonl", position))
    with store.open(None) as con:
        run(con, folder)
        rows = con.execute("SELECT native_id, f.uri, position FROM event JOIN log_file f ON f.id = file_id").fetchall()
        assert {n: (Path(uri).name, position) for n, uri, position in rows} == wanted
        assert len(rows) == len(wanted)


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tightener.logs import ingest, store
ingest._BATCH = 40_000
con = store.open(Path(sys.argv[1]))
ingest.ingest(con, [sys.argv[2]], now=datetime(2026, 10, 1, tzinfo=UTC), formats={},
              progress=lambda step: print(step.files_done, flush=True))
"""


def test_a_kill_at_any_moment_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = tmp_path / "logs"
    for i in range(40):
        made = write(logs / f"{i:02}.jsonl", text(*map(line, range(i * 90, i * 90 + 100))) + b"{broken\n")
        os.utime(made, (1, 1))
    chance = random.Random(7)
    database = tmp_path / "db" / "t.duckdb"
    start = [sys.executable, "-c", KILLED, str(database), str(logs)]
    for _ in range(20):
        with subprocess.Popen(start, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
            process.stdout.readline()  # the first batch is in, if it was not killed before
            time.sleep(chance.random() * 0.15)
            process.send_signal(signal.SIGKILL)
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    with store.open(database) as survivor, store.open(tmp_path / "clean.duckdb") as clean:
        run(clean, logs)
        assert content(survivor) == content(clean)
        assert clean.execute("SELECT count(*), count(DISTINCT native_id) FROM event").fetchone() == (3610, 3610)


def test_a_file_that_was_too_large_is_read_again_when_the_limit_is_raised(tmp_path):
    lines = [json.dumps(line(number)) + "\n" for number in range(400)]
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode()))
    size = sum(map(len, lines))
    con = store.open(None)

    def read(largest):
        report = ingest(con, [str(tmp_path)], now=NOW, formats={}, progress=lambda _: None, largest=largest)
        return len(report.files), con.execute("SELECT count(*) FROM event").fetchone()[0], report.problems

    files, events, problems = read(size // 2)
    assert files == 1
    assert 150 < events < 250
    assert f"larger than {size // 2:,} bytes" in problems[0].message
    assert "`largest_file` in tightener.yaml" in problems[0].message
    assert read(size // 2)[:2] == (0, events)
    assert read(size) == (1, 400, ())
    assert read(size // 2)[:2] == (0, 400)  # what was read as a whole stays so
