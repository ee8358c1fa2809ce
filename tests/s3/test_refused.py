"""What cannot be read: one line that says what is missing, a hole in the coverage, and healing when it can be read."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from buckets import BUCKET, START, objects, put, run, unread
from cloudtrail_record import ROLE
from s3_server import OWNER, Asked, Server, event, packed, trail, trail_key

from tightener.errors import LogError
from tightener.logs import coverage, store, usage
from tightener.logs.callers import Entry, owner
from tightener.logs.s3.bucket import Bucket, Remote
from tightener.logs.s3.fetch import Fetcher
from tightener.logs.s3.reading import keep
from tightener.logs.s3.source import Source
from tightener.model import Window

FILES = trail(START, 8, step=timedelta(hours=12))  # five days, two files each
BAD = list(FILES)[4]  # of noon of the third day


def days(con) -> str:
    """A letter for each of the first five days of August."""
    window = Window(date(2026, 8, 1), date(2026, 8, 5))
    usage.collect(con, "agent", window, lambda caller: owner(caller, {"agent": (Entry({"role": ROLE}),)}))
    (one,) = coverage.measure(con, "agent", window, {}, {}, trail_sees_agent=True).sources
    return one.days


def denies(kind: str, key: str, *answer: object) -> Callable[[Asked], tuple[object, ...] | None]:
    """A fault: this answer to each request of that kind for that key."""
    return lambda asked: answer if asked.kind == kind and asked.key == key else None


@pytest.mark.parametrize(
    ("answer", "slug", "words"),
    [
        (
            (403, "AccessDenied", "Access Denied"),
            "s3-get-denied",
            f"need s3:GetObject on arn:aws:s3:::{BUCKET}/*",
        ),
        (
            (403, "AccessDenied", "not authorized to perform: kms:Decrypt on resource: k"),
            "s3-kms-denied",
            "kms:Decrypt",
        ),
        ((400, "KMS.DisabledException", "k is disabled"), "s3-kms-denied", "KMS.DisabledException"),
        ((403, "InvalidObjectState", "the storage class is GLACIER"), "s3-archived", "restore it first"),
        ((404, "NoSuchKey", "no such key"), "s3-object-gone", "not there any more"),
        ((500, "InternalError", "try again"), "s3-failed", "the next run tries again"),
    ],
)
def test_one_object_that_cannot_be_read(bucket: Server, con, answer, slug: str, words: str, monkeypatch) -> None:
    monkeypatch.setattr("tightener.logs.s3.bucket._TRIES", 2)
    put(bucket, FILES)
    bucket.fault = denies("GET", BAD, *answer)
    done = run(con)
    (problem,) = done.problems
    assert problem.path == f"s3://{BUCKET}/{BAD}"
    assert words in problem.message
    assert problem.message.endswith(f"[{slug}]")
    assert (len(done.files), days(con)) == (7, "ffpff")
    assert len(run(con).problems) == 1  # it is asked for each time
    bucket.fault = None
    bucket.asked.clear()
    assert [one.path for one in run(con).files] == [f"s3://{BUCKET}/{BAD}"]
    assert bucket.keys("GET") == [BAD]
    assert (unread(con), days(con)) == ([], "fffff")


def test_many_objects_are_one_line(bucket: Server, con) -> None:
    put(bucket, FILES)
    bucket.fault = lambda asked: (
        (403, "AccessDenied", "no") if asked.kind == "GET" and "20260803" in asked.key else None
    )
    (problem,) = run(con).problems
    assert problem.message.endswith("[s3-get-denied], and 1 more objects like it")
    assert days(con) == "fppff"


def test_just_after_midnight_an_object_is_of_the_day_before_too(bucket: Server, con) -> None:
    midnight = START + timedelta(days=2)
    late = trail_key(midnight + timedelta(minutes=5), "x")
    put(bucket, {**FILES, late: packed(event(900, midnight))})
    bucket.fault = denies("GET", late, 403, "AccessDenied", "no")
    run(con)
    assert days(con) == "fppff"


def test_a_region_that_cannot_be_listed(bucket: Server, con) -> None:
    put(bucket, FILES)
    put(bucket, trail(START, 2, region="eu-west-1"))
    place = f"AWSLogs/{OWNER}/CloudTrail/eu-west-1/"
    bucket.fault = denies("LIST", place, 403, "AccessDenied", "no")
    (problem,) = run(con, Source(BUCKET, since=date(2026, 8, 3))).problems
    assert problem.path == f"s3://{BUCKET}/{place}"
    assert f"need s3:ListBucket on arn:aws:s3:::{BUCKET} (for the prefix {place})" in problem.message
    assert objects(con) == 5
    assert days(con) == "nfppp"
    bucket.fault = None
    assert run(con, Source(BUCKET, since=date(2026, 8, 3))).problems == ()
    assert unread(con) == []


@pytest.mark.parametrize(
    ("answer", "slug", "words"),
    [
        ((403, "AccessDenied", "no"), "s3-list-denied", "s3:ListBucket"),
        ((403, "ExpiredToken", "it has expired"), "s3-credentials", "sign in again"),
        ((403, "InvalidAccessKeyId", "unknown"), "s3-credentials", "sign in again"),
        ((403, "RequestTimeTooSkewed", "late"), "s3-credentials", "clock"),
        ((400, "AuthorizationHeaderMalformed", "expecting 'eu-west-1'"), "s3-wrong-region", "AWS_REGION"),
        ((301, "PermanentRedirect", "elsewhere"), "s3-wrong-region", "AWS_REGION"),
    ],
)
def test_a_source_that_cannot_be_read_at_all(bucket: Server, con, answer, slug: str, words: str) -> None:
    put(bucket, FILES)
    bucket.bucket("other")
    bucket.put("other", "x.jsonl", b"{}")
    run(con)
    bucket.fault = lambda asked: answer if asked.bucket == BUCKET else None
    done = run(con, Source(BUCKET), Source("other"))
    assert [p.path for p in done.problems] == [f"s3://{BUCKET}/", "s3://other/x.jsonl"]  # the other one is looked at
    assert words in done.problems[0].message
    assert done.problems[0].message.endswith(f"[{slug}]")
    assert days(con) == "fpppp"
    bucket.fault = None
    run(con)
    assert days(con) == "fffff"


def test_a_token_that_ends_in_between(bucket: Server, con) -> None:
    """What was read before stays, what came after it is not taken: the next run goes on there."""
    put(bucket, FILES)
    bucket.fault = denies("GET", BAD, 403, "ExpiredToken", "it has expired")
    done = run(con)
    assert [one.path.partition("/AWS")[2] for one in done.files] == [key.partition("AWS")[2] for key in list(FILES)[:4]]
    assert {p.message.rpartition("[")[2] for p in done.problems} == {"s3-credentials]"}
    assert days(con) == "pppnn"
    bucket.fault = None
    run(con)
    assert (objects(con), days(con), unread(con)) == (8, "fffff", [])


def test_no_bucket_no_credentials_no_network(s3: Server, con, monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = run(con, Source("nowhere", typed=True)).problems
    assert "there is no bucket nowhere" in problem.message
    assert unread(con) == []  # no log is missing there
    (problem,) = run(con, Source("nowhere")).problems
    assert [row[0] for row in unread(con)] == ["s3://nowhere/"]  # where one is configured, its logs are missing
    keep(con, [])
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr("tightener.logs.s3.bucket._TRIES", 1)
        (problem,) = run(con, Source(BUCKET, endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}")).problems
    assert "[s3-unreachable]" in problem.message
    assert [row[0] for row in unread(con)] == [f"s3://{BUCKET}/"]
    (problem,) = run(con, Source(BUCKET, profile="nobody")).problems
    assert "(The config profile (nobody) could not be found)" in problem.message
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    (problem,) = run(con).problems
    assert "there are no AWS credentials" in problem.message
    assert "[s3-credentials]" in problem.message
    keep(con, [Source("another")])  # of sources that are named no more, nothing is missing
    assert unread(con) == []


def test_an_archived_object(bucket: Server, con) -> None:
    put(bucket, FILES)
    bucket.put(BUCKET, BAD, FILES[BAD], storage="GLACIER")
    (problem,) = run(con).problems
    assert "restore it first" in problem.message


def test_the_reading_ends_where_nothing_can_be_read(bucket: Server, con, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tightener.logs.s3.fetch._IN_A_ROW", 5)
    put(bucket, FILES)
    bucket.fault = lambda asked: (403, "AccessDenied", "no") if asked.kind == "GET" else None
    last, first = run(con).problems  # of the source, and of its objects
    assert "5 objects in a row could not be read" in last.message
    assert "begin behind them with `since:`" in last.message
    assert first.message.endswith("and 4 more objects like it")
    bucket.fault = None
    run(con)
    assert (objects(con), unread(con)) == (8, [])


def test_a_run_that_is_broken_off_leaves_its_days_doubtful(bucket: Server, con, monkeypatch) -> None:
    put(bucket, FILES)
    run(con)
    put(bucket, trail(START + timedelta(days=4), 8, step=timedelta(hours=12)))
    monkeypatch.setattr("tightener.logs.ingest._read", lambda *_: 1 / 0)
    monkeypatch.setattr("tightener.logs.s3.reading._MOST_FILES", 1)
    monkeypatch.setattr("tightener.logs.s3.fetch.THREADS", 1)
    with pytest.raises(ZeroDivisionError):
        run(con)
    asked = bucket.count("GET")
    assert days(con) == "fpppp"  # from the first day that was listed again
    time.sleep(0.1)
    assert bucket.count("GET") == asked  # nobody goes on fetching


def test_a_role_is_assumed_with_its_external_id(bucket: Server, con) -> None:
    put(bucket, FILES)
    role = f"arn:aws:iam::{OWNER}:role/reader"
    assert run(con, Source(BUCKET, role=role, external_id="our secret", requester_pays=True)).problems == ()
    (asked,) = [one for one in bucket.asked if one.kind == "POST"]
    assert "ExternalId=our+secret" in asked.body
    reads = [one for one in bucket.asked if one.kind in {"LIST", "GET"}]
    assert all("Credential=ASIA" in one.headers["authorization"] for one in reads)
    assert all(one.headers["x_amz_request_payer"] == "requester" for one in reads)
    bucket.fault = lambda asked: (403, "AccessDenied", "no") if asked.kind == "POST" else None
    with store.open(None) as other:
        (problem,) = run(other, Source(BUCKET, role=role, external_id="our secret")).problems
    assert "sts:AssumeRole" in problem.message
    assert "the external id our secret" in problem.message


def test_a_profile_reads_or_assumes_the_role(bucket: Server, con, tmp_path: Path, monkeypatch) -> None:
    put(bucket, FILES)
    (tmp_path / "config").write_text(
        "[profile audit]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = x\nregion = eu-west-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert run(con, Source(BUCKET, profile="audit")).problems == ()
    assert all("Credential=AKIAPROFILE" in one.headers["authorization"] for one in bucket.asked)
    bucket.asked.clear()
    run(con, Source(BUCKET, profile="audit", role=f"arn:aws:iam::{OWNER}:role/reader"))
    told = [(one.kind, one.headers["authorization"].partition("Credential=")[2][:11]) for one in bucket.asked]
    assert told[0] == ("POST", "AKIAPROFILE")
    assert {who[:4] for kind, who in told[1:]} == {"ASIA"}


def test_a_disk_that_is_full(bucket: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bucket, FILES)
    real = Bucket.download

    def full(self: Bucket, key: str, to: Path) -> Remote:
        if key == BAD:
            raise OSError(errno.ENOSPC, "No space left on device", str(to))
        return real(self, key, to)

    with store.open(tmp_path / "t.duckdb") as con:
        monkeypatch.setattr(Bucket, "download", full)
        with pytest.raises(LogError) as caught:
            run(con)
        monkeypatch.setattr(Bucket, "download", real)
        assert (caught.value.slug, caught.value.message) == (
            "s3-spool",
            "what is fetched cannot be kept: No space left on device",
        )
        assert str(tmp_path / "t.duckdb.spool") in str(caught.value.place)
        assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
        run(con)
        assert (objects(con), unread(con)) == (8, [])


def test_what_is_tried_again_waits_in_bounds_too(con, monkeypatch: pytest.MonkeyPatch) -> None:
    """How large an object is that could not be read before is not known, and many may become readable at once."""
    monkeypatch.setattr("tightener.logs.s3.fetch._AHEAD_BYTES", 32 << 10)
    monkeypatch.setattr("tightener.logs.s3.fetch.THREADS", 4)
    found = Bucket(Source(BUCKET))
    asked = []

    def download(key: str, path: Path) -> Remote:
        asked.append(key)
        path.write_bytes(b"x")
        return Remote(key, 1, "e")

    monkeypatch.setattr(Bucket, "download", lambda _, key, path: download(key, path))
    wanted = (Remote(f"k{number}", 0, "", again=True) for number in range(60))
    with Fetcher(con) as fetcher:
        coming = fetcher.ahead(found, wanted)
        next(coming)
        assert 1 <= len(asked) <= 5
        assert len([one.key for one, _ in coming]) == 59
