"""CloudTrail files: every layout that carries records, broken and hostile ones, and what is cut where."""

from __future__ import annotations

import gzip
import hashlib
import json

import duckdb
import pytest
from cloudtrail_record import OBJ, S3_OBJECT, log_file, read, record, requests, staged, sums
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.logs.formats import cloudtrail_text
from tightener.logs.formats.cloudtrail import CloudTrail
from tightener.logs.formats.cloudtrail_text import CHUNK, IrregularError, exact, lists
from tightener.logs.staging import prepare
from tightener.resources import query


def test_a_record_without_id_gets_the_hash_of_its_canonical_form(tmp_path):
    bare = record("s3", "GetObject", S3_OBJECT, eventID="-absent-")
    con = read(tmp_path, record(), bare)
    wanted = "sha256:" + hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    assert con.execute("SELECT native_id FROM staged_request ORDER BY position").fetchall() == [("id-1",), (wanted,)]


RECORDS = [record("s3", "GetObject", {"bucketName": "b", "key": f'k{n} {{}}[]"\\ é'}, n) for n in range(1, 30)]
CARRIERS = {
    "records": json.dumps({"Records": RECORDS}).encode(),
    "compact": json.dumps({"Records": RECORDS}, separators=(",", ":"), ensure_ascii=False).encode(),
    "pretty": json.dumps({"Records": RECORDS}, indent=2).encode(),
    "array": json.dumps(RECORDS).encode(),
    "lines": b"\n".join(json.dumps(one).encode() for one in RECORDS) + b"\n",
    "crlf": b"\r\n".join(json.dumps(one).encode() for one in RECORDS) + b"\r\n",
    "blank lines": b"\n\n".join(json.dumps(one).encode() for one in RECORDS),
    "bom": b"\xef\xbb\xbf" + json.dumps({"Records": RECORDS}).encode(),
    "eventbridge": b"\n".join(
        json.dumps({"version": "0", "detail-type": "AWS API Call via CloudTrail", "detail": one}).encode()
        for one in RECORDS
    ),
    "two objects": json.dumps({"Records": RECORDS[:9]}).encode()
    + b"\n"
    + json.dumps({"Records": RECORDS[9:]}).encode(),
    "gzip": gzip.compress(json.dumps({"Records": RECORDS}).encode()),
    "gzip members": gzip.compress(json.dumps({"Records": RECORDS}).encode()[:700])
    + gzip.compress(json.dumps({"Records": RECORDS}).encode()[700:]),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_carriers_give_the_same_events(tmp_path, carrier):
    con = read(tmp_path, text=CARRIERS[carrier])
    rows = con.execute("SELECT position, native_id, resource FROM staged_request ORDER BY position").fetchall()
    assert rows == [
        (n, f"id-{n}", f"arn:aws:s3:::b/{one['requestParameters']['key']}") for n, one in enumerate(RECORDS, 1)
    ]
    assert sums(con) == (29, 29, 0, 0)
    if "gzip" not in carrier:
        assert CloudTrail().recognises(CARRIERS[carrier])


def test_empty_deliveries(tmp_path):
    assert CloudTrail().recognises(b'{"Records":[]}')
    assert not CloudTrail().recognises(b'{"agent":"a","time":"2026-01-01T00:00:00Z"}')
    for text in (b'{"Records":[]}', b'{ "Records" : [ ] }\n', b"[]"):
        assert sums(read(tmp_path, text=text)) == (0, 0, 0, 0)


def test_a_truncated_gzip_keeps_its_readable_records(tmp_path):
    many = [
        record("s3", "GetObject", {"bucketName": "b", "key": hashlib.sha256(b"%d" % n).hexdigest()}, n)
        for n in range(1, 400)
    ]
    whole = gzip.compress(json.dumps({"Records": many}).encode())
    con = read(tmp_path, text=whole[: len(whole) // 2], name="cut.json.gz")
    problem = con.execute("SELECT problem FROM staged_file").fetchone()[0]
    total, accepted, rejected, _ = sums(con)
    assert problem.startswith("truncated gzip after")
    assert "ends inside record" in problem
    assert 50 < total == accepted < 399
    assert rejected == 0
    assert con.execute("SELECT max(position), count(DISTINCT native_id) FROM staged_request").fetchone() == (
        total,
        total,
    )


def test_broken_records_are_refused_one_by_one(tmp_path):
    texts = [json.dumps(one).encode() for one in RECORDS[:8]]
    texts[2] = texts[2].replace(b'"eventName"', b'"eventName', 1)
    texts[4] = b"7"
    texts[6] = texts[6][:-1]  # its closing brace is missing
    con = read(tmp_path, text=b'{"Records":[' + b",".join(texts) + b"]}")
    assert con.execute("SELECT position, reason FROM staged_rejected ORDER BY ALL").fetchall() == [
        (3, "not JSON"),
        (5, "not a JSON object"),
        (7, "not JSON"),
    ]
    assert [row[0] for row in con.execute("SELECT position FROM staged_request ORDER BY 1").fetchall()] == [
        1,
        2,
        4,
        6,
        8,
    ]


def test_a_broken_line_and_bytes_that_are_not_utf8(tmp_path):
    lines = [json.dumps(one).encode() for one in RECORDS[:4]]
    con = read(
        tmp_path,
        text=b"\n".join([lines[0], b"not json", lines[1], lines[2].replace(b"eu-west-1", b"\xff\xfe"), lines[3]]),
    )
    assert [row[0] for row in con.execute("SELECT position FROM staged_rejected ORDER BY 1").fetchall()] == [2, 4]
    assert sums(con) == (5, 3, 2, 0)


def test_null_and_odd_fields_do_not_break_a_record(tmp_path):
    odd = record("s3", "GetObject", S3_OBJECT, resources="none", errorCode=None, requestID=None, awsRegion=None)
    strange = record("s3", "GetObject", ["a", 1], 2, resources=[None, 3, {"ARN": None}])
    con = read(tmp_path, odd, strange)
    assert requests(con) == [("s3:GetObject", OBJ, ""), ("s3:GetObject", "*", "resource")]


def test_several_files_and_large_ones_count_their_own_positions(tmp_path):
    padded = [record("s3", "GetObject", {**S3_OBJECT, "pad": "x" * 5000}, n) for n in range(1, 801)]
    for name, part in (("a", padded[:700]), ("b", padded[700:])):
        (tmp_path / name).write_bytes(json.dumps({"Records": part}).encode())
    con = staged(tmp_path / "a", tmp_path / "b")
    rows = con.execute("SELECT file_id, position, native_id FROM staged_request ORDER BY 1, 2").fetchall()
    assert rows == [(1, n, f"id-{n}") for n in range(1, 701)] + [(2, n, f"id-{n + 700}") for n in range(1, 101)]


VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text('"\\{}[],:é aeventVersion', max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["eventVersion", "a", "}"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=6), st.integers(1, 400), st.sampled_from([None, 1]))
def test_cutting_never_changes_the_records(params, size, indent):
    records = [{"eventVersion": "1.09", "p": value} for value in params]
    text = json.dumps({"Records": records}, indent=indent, ensure_ascii=False).encode()
    found = []
    for some in lists(text[at : at + size] for at in range(0, len(text), size)):
        found += json.loads(b"[%b]" % some)
    assert found == records
    assert [json.loads(one.text) for one in exact(text).records] == records


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 3), st.sampled_from([1 << 17, 1 << 20]), st.sampled_from([None, 1]))
def test_one_piece_is_cut_like_many(number, kilobytes, size, indent):
    records = [{"eventVersion": "1.09", "p": "}, {" * 256 * kilobytes, "n": n} for n in range(number * 20)]
    text = json.dumps({"Records": records}, indent=indent).encode()
    whole = list(lists(iter([text])))
    pieces = list(lists(text[at : at + size] for at in range(0, len(text), size)))
    assert [one for some in whole for one in json.loads(b"[%b]" % some)] == records
    assert [one for some in pieces for one in json.loads(b"[%b]" % some)] == records
    assert len(whole) > 1 or len(text) <= CHUNK
    assert max(map(len, whole)) < CHUNK + 2_000 * (kilobytes + 1)


def test_what_is_not_closed_is_not_regular():
    with pytest.raises(IrregularError):
        list(lists(iter([b'{"Records":[{"a":1}'])))
    assert [json.loads(one.text) for one in exact(b'{"Records":[{"a":1},{"a":').records] == [{"a": 1}]


def test_one_connection_reads_several_batches_inside_a_transaction(tmp_path):
    path = tmp_path / "log.json"
    path.write_bytes(CARRIERS["records"])
    con = duckdb.connect()
    con.execute(query("schema"))
    for number in (1, 2):
        con.begin()
        prepare(con)
        CloudTrail().stage(con, [log_file(number, path)])
        con.execute("INSERT INTO event BY NAME FROM staged_request")
        con.commit()
    assert con.execute("SELECT file_id, count(*) FROM event GROUP BY 1 ORDER BY 1").fetchall() == [(1, 29), (2, 29)]
    left = con.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'ct%'").fetchall()
    assert left == []


def test_the_end_of_a_torn_file_is_numbered_on(tmp_path, monkeypatch):
    """Its beginning is read by lists of a few records, its end record by record."""
    monkeypatch.setattr(cloudtrail_text, "CHUNK", 3000)
    text = json.dumps({"Records": [record(number=n) for n in range(60)]}).encode()
    con = read(tmp_path, text=text[: text.rindex(b'"eventID"') + 4])
    rows = con.execute("SELECT position, native_id FROM staged_request ORDER BY position").fetchall()
    assert rows == [(n + 1, f"id-{n}") for n in range(59)]
    assert con.execute("SELECT records, problem FROM staged_file").fetchall() == [(59, "ends inside record 60")]
