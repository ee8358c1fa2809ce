"""What is read from S3 is what is read from a folder with the same files; nothing is fetched twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from buckets import BUCKET, START, content, from_folder, objects, put, run
from s3_server import OWNER, Server, event, packed, trail, trail_key

from tightener.logs import store
from tightener.logs.files import LogFile
from tightener.logs.s3.reading import Reading
from tightener.logs.s3.source import Source

STEP = timedelta(hours=6)


def test_what_is_read_is_what_a_folder_gives(bucket: Server, con, tmp_path: Path) -> None:
    files = {**trail(START, 20), **trail(START, 9, region="eu-west-1", top="security/")}
    alone = (f"{one}/us-east-1/2026/08/01/x.json.gz" for one in ("CloudTrail-Digest", "CloudTrail-Insight", "Config"))
    put(bucket, files, tmp_path)
    put(bucket, {f"AWSLogs/{OWNER}/{key}": b"x" for key in (*alone, "CloudTrail/us-east-1/")})
    done = run(con, Source(BUCKET), Source(BUCKET, "security/"))
    assert (len(done.files), done.problems) == (29, ())
    assert sorted(bucket.keys("GET")) == sorted(files)
    with store.open(None) as local:
        from_folder(local, tmp_path)
        assert content(con, f"s3://{BUCKET}") == content(local, str(tmp_path))
        assert local.execute("SELECT count(*), sum(duplicate) FROM log_file").fetchone() == (29, 19 + 27)


def test_nothing_is_fetched_twice_and_only_late_days_are_listed_again(bucket: Server, con) -> None:
    put(bucket, trail(START, 40))
    run(con)
    bucket.asked.clear()
    again = run(con)
    assert (again.files, again.already_read, bucket.count("GET"), bucket.count("HEAD")) == ((), 13, 0, 0)
    back = START + 40 * STEP - timedelta(days=3)
    (listed,) = [one.query["start-after"] for one in bucket.asked if "start-after" in one.query]
    assert listed.endswith(f"/us-east-1/{back:%Y/%m/%d}")
    late = {trail_key(back, "late"): packed(event(9999, back))}
    put(bucket, late)
    bucket.asked.clear()
    assert [one.path for one in run(con).files] == [f"s3://{BUCKET}/{key}" for key in late]
    assert bucket.keys("GET") == list(late)


def test_an_earlier_since_reads_what_lies_before(bucket: Server, con) -> None:
    put(bucket, trail(START, 40))
    later = Source(BUCKET, since=date(2026, 8, 6))
    assert len(run(con, later).files) == 21
    assert len(run(con).files) == 19
    assert objects(con) == 40
    bucket.asked.clear()
    assert run(con, later).already_read == 13
    assert run(con, Source(BUCKET, since=date(2026, 8, 10))).already_read == 5


def test_accounts_regions_and_organisations(bucket: Server, con) -> None:
    other = "210987654321"
    for where in ({}, {"region": "eu-west-1"}, {"account": other, "region": "eu-west-1"}):
        files = trail(START, 2, **where)
        put(bucket, files)
        put(bucket, {key.replace("AWSLogs/", "AWSLogs/o-exampleorgid/"): body for key, body in files.items()})

    def fetched(**how) -> list[tuple[str, ...]]:
        bucket.asked.clear()
        with store.open(None) as own:
            assert run(own, Source(BUCKET, **how)).problems == ()
        found = {tuple(key.split("/")[1:-4]) for key in bucket.keys("GET")}
        return sorted(tuple(part for part in one if part != "CloudTrail") for one in found)

    plain = [(OWNER, "eu-west-1"), (OWNER, "us-east-1"), (other, "eu-west-1")]
    org = [("o-exampleorgid", *one) for one in plain]
    assert fetched() == sorted(plain + org)
    assert fetched(organisation="o-exampleorgid") == org
    assert fetched(accounts=(OWNER,)) == plain[:2] + org[:2]
    assert fetched(regions=("us-east-1",)) == [plain[1], org[1]]
    assert fetched(prefix="AWSLogs/o-exampleorgid/") == org
    assert fetched(prefix=f"AWSLogs/{OWNER}/") == plain[:2]
    assert fetched(prefix=f"AWSLogs/{OWNER}/CloudTrail/eu-west-1/") == plain[:1]
    assert fetched(prefix=f"AWSLogs/{other}/CloudTrail/eu-west-1/2026/08/") == plain[2:]
    # what is named is not asked for
    fetched(organisation="o-exampleorgid", accounts=(OWNER,), regions=("eu-west-1",))
    assert bucket.count("LIST") == 2


def test_a_prefix_that_is_not_aws_layout_is_listed_whole(bucket: Server, con, tmp_path: Path) -> None:
    line = '{"id": "r%d", "time": "2026-09-0%dT10:00:00Z", "agent": "a", "service": "git", "action": "pull",'
    line += '"resource": "acme/x", "decision": "allow", "outcome": "success"}'
    files = {f"gateway/2026-09-0{i}.jsonl": (line % (i, i)).encode() for i in range(1, 6)}
    files["gateway/an odd name, ü+%41&.jsonl"] = (line % (7, 7)).encode()
    put(bucket, files, tmp_path)
    put(bucket, {"gateway/readme.txt": b"nothing to see", "gateway/empty": b"", "gateway-old/x.jsonl": b"{}"})
    done = run(con, Source(BUCKET, "gateway/"))
    assert [(p.path.rpartition("/")[2], p.message[:30]) for p in done.problems] == [
        ("empty", "the file is empty"),
        ("readme.txt", "this is no log that tightener "),
    ]
    with store.open(None) as local:
        from_folder(local, tmp_path)
        assert content(con, f"s3://{BUCKET}") == content(local, str(tmp_path))
    bucket.asked.clear()
    again = run(con, Source(BUCKET, "gateway/"))
    assert (again.already_read, again.problems, bucket.count("GET")) == (6, done.problems, 0)
    with store.open(None) as part:  # neither a folder nor the whole of a name
        assert len(run(part, Source(BUCKET, "gateway/2026-09-01.jsonl/")).files) == 1
        assert len(run(part, Source(BUCKET, "gateway/2026-09-0/"), Source(BUCKET, "nowhere/")).problems) == 1


def test_a_changed_object_is_read_anew_with_what_it_shared(bucket: Server, con, tmp_path: Path) -> None:
    files = trail(START, 4)
    put(bucket, files)
    run(con)
    first, second = list(files)[:2]
    files[first] = packed(event(0, START), event(77, START))  # it had the first copy of the record that they shared
    put(bucket, files, tmp_path)
    bucket.asked.clear()
    assert {one.path for one in run(con).files} == {f"s3://{BUCKET}/{key}" for key in (first, second)}
    assert bucket.keys("GET") == [first, second]
    with store.open(None) as clean:
        from_folder(clean, tmp_path)
        ids = "SELECT native_id FROM event ORDER BY ALL"
        assert con.execute(ids).fetchall() == clean.execute(ids).fetchall()


def test_an_object_of_the_same_size_has_changed_too(bucket: Server, con) -> None:
    bucket.put(BUCKET, "x.json", json.dumps({"Records": [event(1, START)]}).encode())
    run(con)
    bucket.put(BUCKET, "x.json", json.dumps({"Records": [event(2, START)]}).encode())
    run(con)
    assert con.execute("SELECT native_id FROM event").fetchall() == [(event(2, START)["eventID"],)]


def test_an_object_that_was_only_encrypted_anew_is_not_read_anew(bucket: Server, con) -> None:
    files = trail(START, 4)
    put(bucket, files)
    run(con)
    before = content(con, "")
    con.execute("UPDATE meta SET value = value || 'other' WHERE starts_with(key, 'stamp:')")
    done = run(con)
    assert (done.files, done.already_read, content(con, "")) == ((), 4, before)
    bucket.asked.clear()
    run(con)
    assert bucket.count("GET") == 0


def test_five_thousand_objects(bucket: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pages, many batches, failures in between; what waits is bounded, and no body is left at the end."""
    most, spools = 0, set()
    monkeypatch.setattr("tightener.logs.s3.reading._MOST_FILES", 700)
    monkeypatch.setattr("tightener.logs.s3.fetch._AHEAD", 300)
    monkeypatch.setattr("tightener.logs.s3.bucket._SILENCE", 2)
    bodies = trail(START, 5000, step=timedelta(minutes=10))
    put(bucket, bodies)
    troubles = dict(
        zip(list(bodies)[::100], ["cut", "drop", "stall", (503, "SlowDown", "slow down"), "cut"] * 10, strict=True)
    )
    bucket.fault = lambda asked: troubles.pop(asked.key, None)
    real = Reading._batch

    def batch(reading: Reading, held: list[LogFile]) -> Iterator[tuple[LogFile, ...]]:
        nonlocal most
        folder = Path(held[0].path).parent
        spools.add((folder, folder.stat().st_mode & 0o777))
        most = max(most, sum(1 for _ in folder.iterdir()))
        yield from real(reading, held)

    monkeypatch.setattr(Reading, "_batch", batch)
    with store.open(tmp_path / "t.duckdb") as con:
        done = run(con)
        assert (len(done.files), done.problems, objects(con)) == (5000, (), 5000)
        assert con.execute("SELECT count(*), count(DISTINCT native_id) FROM event").fetchone() == (10_001, 10_001)
    assert most <= 700 + 300
    assert spools == {(tmp_path / "t.duckdb.spool", 0o700)}
    assert [path.name for path in tmp_path.iterdir()] == ["t.duckdb"]
    assert 5000 + 50 <= bucket.count("GET") < 5000 + 1000  # a busy machine may keep silent for two seconds, too
