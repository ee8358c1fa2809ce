"""The gateway reader against a naive reader of its own, line by line, and hostile lines."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.logs import staging, store
from tightener.logs.files import LogFile
from tightener.logs.formats.gateway import Gateway
from tightener.services.catalogue import rows
from tightener.services.outcomes import error_class, error_class_sql

LINE = {
    "v": 1,
    "id": "1",
    "time": "2026-09-07T06:14:03.120Z",
    "agent": "a",
    "service": "git",
    "action": "pull",
    "resource": "acme/x",
    "branch": "main",
    "decision": "allow",
    "outcome": "success",
}
ROWS = [row["pattern"].replace("*", "x") for row in rows("error_class")]
COLUMNS = "position, part, native_id, time, agent, service, action, resource, branch, partial, outcome, mapped"


def stage(tmp_path: Path, data: bytes):
    path = tmp_path / "log.jsonl"
    path.write_bytes(data)
    con = store.open(None)
    staging.prepare(con)
    Gateway().stage(con, [LogFile(1, str(path), len(data))])
    return con


def read(tmp_path: Path, *records: dict | bytes):
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
    return stage(tmp_path, b"\n".join(lines) + b"\n")


def requests(con, columns: str = "resource"):
    rows = con.execute(f"SELECT {columns} FROM staged_request ORDER BY position, part").fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def reasons(con) -> dict[int, str]:
    return dict(con.execute("SELECT position, reason FROM staged_rejected ORDER BY position").fetchall())


def without(*keys: str, **over) -> dict:
    return {key: value for key, value in {**LINE, **over}.items() if key not in keys}


# --- the oracle: one line at a time, in plain Python -------------------------------------------------------------

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def naive_time(text):
    if not isinstance(text, str) or not TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
    except ValueError:
        return None


def naive_outcome(r: dict) -> str:
    decision, outcome, enforced = r["decision"], r.get("outcome"), r.get("enforced") is not False
    code = r.get("error_code") or ""
    if outcome is None and code:
        outcome = "error"
    state = (r.get("approval") or {}).get("state")
    executed = outcome == "success" or (outcome == "error" and error_class(code) == "used")
    if outcome == "denied":
        return "refused"
    if not enforced:
        if executed:
            return {"allow": "used", "require_approval": "approved", "deny": "used_ungranted"}[decision]
        return str(error_class(code)) if outcome == "error" else "no_evidence"
    if decision == "deny":
        return "refused"
    if decision == "require_approval":
        if state in ("refused", "timed_out"):
            return "refused"
        if state != "approved":
            return "no_evidence"
    if outcome == "not_run":
        return "no_evidence"
    if outcome == "error" and not executed:
        return str(error_class(code))
    if decision == "require_approval":
        return "approved"
    return "used" if executed else "used_unlogged"


def naive(r: dict):
    """None = rejected, else (time, agent, service, action, resource, branch, partial, outcome)."""
    if not isinstance(r, dict) or r.get("v") not in (None, 1) or isinstance(r.get("v"), bool):
        return None
    texts = ("id", "time", "agent", "session", "service", "action", "resource", "branch", "decision", "outcome")
    for key in (*texts, "error_code", "request_id"):
        if r.get(key) is not None and not isinstance(r[key], str):
            return None
    if any(not r.get(key) for key in ("time", "agent", "service", "action", "decision")):
        return None
    moment = naive_time(r["time"])
    if moment is None or r["decision"] not in ("allow", "deny", "require_approval"):
        return None
    if r.get("outcome") not in (None, "success", "error", "denied", "not_run"):
        return None
    if r.get("enforced") not in (None, True, False) or isinstance(r.get("enforced"), (int, str)) != isinstance(
        r.get("enforced"), bool
    ):
        return None
    approval = r.get("approval")
    if approval is not None:
        if not isinstance(approval, dict):
            return None
        if approval.get("state") not in (None, "approved", "refused", "timed_out", "pending"):
            return None
    branch = (r.get("branch") or "").removeprefix("refs/heads/")
    blind = r["service"].lower() == "git" and r["action"] == "push" and not r.get("branch")
    return (
        moment,
        r["agent"],
        r["service"].lower(),
        r["action"],
        r.get("resource") or "",
        "*" if blind else branch,
        "branch" if blind else "",
        naive_outcome(r),
    )


OUTCOMES = st.fixed_dictionaries(
    {"decision": st.sampled_from(["allow", "deny", "require_approval"])},
    optional={
        "outcome": st.sampled_from(["success", "error", "denied", "not_run", None]),
        "approval": st.one_of(
            st.none(),
            st.fixed_dictionaries({"state": st.sampled_from(["approved", "refused", "timed_out", "pending"])}),
        ),
        "enforced": st.sampled_from([True, False, None]),
        "error_code": st.sampled_from(["", "AccessDenied", "ThrottlingException", "NoSuchKey", "card_declined"]),
    },
)
ODD = st.one_of(
    st.text(max_size=8), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(),
    st.just(["x"]), st.just({}),
    st.sampled_from(["5", "-1.5e3", "true", "[1]", "{", "null", "é€😀", '"', "\\", "\x00"]),
)  # fmt: skip
SPOILT = st.dictionaries(
    st.sampled_from([*LINE, "session", "request_id", "error_code", "outcome", "enforced", "approval"]), ODD, max_size=3
)
TIMES = st.sampled_from(
    ["2026-09-07T06:14:03Z", "2026-09-07T08:14:03.123456+02:00", "2026-09-07T06:14:03-11:30", "2026-09-07T06:14:03",
     "2026-02-30T00:00:00Z", "2026-09-07", "yesterday"]
)  # fmt: skip


@settings(max_examples=80)
@given(st.lists(st.tuples(OUTCOMES, SPOILT, TIMES), min_size=1, max_size=30))
def test_equals_a_naive_reader(tmp_path: Path, given_) -> None:
    records = [
        {**without("outcome"), "id": f"n{i}", **o, "time": t, **spoilt} for i, (o, spoilt, t) in enumerate(given_)
    ]
    con = read(tmp_path, *records)
    wanted = {i: found for i, r in enumerate(records, 1) if (found := naive(r)) is not None}
    rows = con.execute(
        "SELECT position, time, agent, service, action, resource, branch, partial, outcome FROM staged_request"
    ).fetchall()
    assert {row[0]: row[1:] for row in rows} == wanted
    assert set(reasons(con)) == set(range(1, len(records) + 1)) - set(wanted)
    assert con.execute("SELECT records FROM staged_file").fetchone() == (len(records),)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b"5", "not a JSON object"),
        (b"\x00\x00", "not a JSON object"),
        (b"\xff\xfe{}", "not a JSON object"),
        (b"{}{}", "not a JSON object"),
        (b"{}", "time, agent, service, action and decision are missing"),
        (without("time"), "time is missing"),
        (without("agent"), "agent is missing"),
        (without(agent=""), "agent is missing"),
        (without(agent=None), "agent is missing"),
        (without("decision"), "decision is missing"),
        (without(agent=["x"]), "agent is a list, not text"),
        (without(agent={"x": 1}), "agent is an object, not text"),
        (without(agent=5), "agent is a number, not text"),
        (without(id=5), "id is a number, not text"),
        (without(request_id=True), "request_id is true or false, not text"),
        (without(policy_rev=3), "policy_rev is a number, not text"),
        (without(time=5), "time is a number, not text"),
        (without(decision=5), "decision is a number, not text"),
        (without(time="2026-09-07T06:14:03"), "time is not an RFC 3339 time with a zone"),
        (without(time="2026-13-07T06:14:03Z"), "time is not an RFC 3339 time with a zone"),
        (without(decision="maybe"), "decision is none of allow, deny, require_approval"),
        (without(outcome="fine"), "outcome is none of success, error, denied, not_run"),
        (without(v=2), "format version 2: this reader knows 1"),
        (without(v="1"), "v is not a whole number"),
        (without(enforced="no"), "enforced is not true or false"),
        (without(approval="yes"), "approval is not an object"),
        (without(approval={"state": "maybe"}), "approval.state is none of approved, refused, timed_out, pending"),
        (without(approval={"state": "approved", "at": "noon"}), "approval.at is not an RFC 3339 time with a zone"),
        (without(service="tools", args=[1]), "args is not an object"),
        (without(resources="x"), "resources is not a list of texts"),
        (without(resources=["x", 1]), "resources is not a list of texts"),
    ],
)
def test_reasons(tmp_path: Path, line, reason: str) -> None:
    con = read(tmp_path, LINE, line, {**LINE, "id": "5", "resource": "[x]"})
    assert reasons(con) == {2: reason}
    assert requests(con, "position, resource") == [(1, "acme/x"), (3, "[x]")]


def test_unknown_fields_blank_lines_and_line_ends(tmp_path: Path) -> None:
    one, two = json.dumps({**LINE, "novel": {"a": [1]}}).encode(), json.dumps({**LINE, "id": "2"}).encode()
    data = b"\xef\xbb\xbf" + one + b"\r\n\r\n\n   \n" + b" " * 90 + b"\n" + two
    con = stage(tmp_path, data)
    assert requests(con, "position, native_id") == [(1, "1"), (6, "2")]
    assert con.execute("SELECT records, problem FROM staged_file").fetchone() == (2, "")


def test_a_line_of_20_megabytes(tmp_path: Path) -> None:
    con = read(tmp_path, LINE, {**LINE, "id": "2", "resource": "x" * 20_000_000}, {**LINE, "id": "3"})
    assert requests(con, "position, strlen(resource)") == [(1, 6), (2, 20_000_000), (3, 6)]


def test_a_missing_id_is_the_hash_of_the_canonical_form(tmp_path: Path) -> None:
    record = without("id", resource="é")
    shuffled = dict(reversed(record.items()))
    con = read(tmp_path, record, json.dumps(shuffled, indent=None, separators=(" , ", " : ")).encode())
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert requests(con, "native_id") == [f"sha256:{hashlib.sha256(text).hexdigest()}"] * 2


def test_several_resources(tmp_path: Path) -> None:
    con = read(
        tmp_path,
        without("resource", resources=["b", "a", "b"]),
        {**LINE, "resources": ["c"]},
        without("resource", resources=[]),
    )
    assert requests(con, "position, part, resource") == [
        (1, 0, "b"), (1, 1, "a"), (2, 0, "acme/x"), (2, 1, "c"), (3, 0, "")
    ]  # fmt: skip


def tool(args, **over) -> dict:
    return without("resource", "branch", service="tools", action="t", args=args, **over)


@pytest.mark.parametrize(
    ("args", "resources"),
    [
        ({}, [""]),
        (None, [""]),
        ({"a": "x", "b": "y=z"}, ["a=x", "b=y=z"]),
        ({"a": {"b": {"c": 1}, "d": True}}, ["a.b.c=1", "a.d=true"]),
        ({"a": ["x", {"b": False}, []]}, ["a=x", "a.b=false", "a="]),
        ({"a": [], "b": {}, "c": None, "d": ""}, ["a=", "b=", "c=", "d="]),
        ({"a": 10.0, "b": 1e3, "c": 0.50, "d": -0.25, "e": 12345678901234567890},
         ["a=10", "b=1000", "c=0.5", "d=-0.25", "e=12345678901234567890"]),
        ({"a": ["x", "x"]}, ["a=x"]),
        ({"a": 'q"\n'}, ['a=q"\n']),
    ],
)  # fmt: skip
def test_arguments_of_tools(tmp_path: Path, args, resources) -> None:
    con = read(tmp_path, tool(args))
    assert requests(con) == resources
    assert requests(con, "part") == list(range(len(resources)))


def test_equal_names_of_arguments(tmp_path: Path) -> None:
    line = json.dumps(tool({"a": "x"})).replace('"a": "x"', '"a": "x", "a": "y"')
    assert requests(read(tmp_path, line.encode())) == ["a=y"]


def test_secrets_are_never_stored(tmp_path: Path) -> None:
    secret = "hunter2hunter2"
    con = read(
        tmp_path,
        tool({"API_Key": secret, "login": {"password": secret}, "max_tokens": 5, "to": "x"}),
        tool({"command": f"curl -H 'Authorization: Bearer {secret}' https://x"}),
        {**LINE, "args": {"password": secret, "note": secret}},
    )
    assert requests(con, "resource, partial")[:4] == [
        ("API_Key=*", "resource"), ("login.password=*", "resource"), ("max_tokens=5", ""), ("to=x", "")
    ]  # fmt: skip
    assert requests(con, "resource, partial")[4] == ("command=curl -H 'Authorization: *' https://x", "resource")
    assert secret not in str(con.execute("FROM staged_request").fetchall())


def test_a_push_without_its_branch_is_partial(tmp_path: Path) -> None:
    con = read(tmp_path, without("branch", action="push"), {**LINE, "action": "push", "branch": "refs/heads/main"})
    assert requests(con, "branch, partial") == [("*", "branch"), ("main", "")]


def test_actions_and_paths_are_folded(tmp_path: Path) -> None:
    con = read(
        tmp_path,
        without("branch", service="AWS", action="S3:getobject", resource="arn:aws:s3:::b/a/../c"),
        {**LINE, "resource": "acme/../other", "branch": "refs/heads/a/./b"},
    )
    assert requests(con, "service, action, resource, branch, suspicious") == [
        ("aws", "s3:GetObject", "arn:aws:s3:::b/a/../c", "", False),
        ("git", "pull", "other", "a/b", True),
    ]


def test_an_approval_keeps_its_time(tmp_path: Path) -> None:
    con = read(
        tmp_path,
        {**LINE, "decision": "require_approval", "approval": {"state": "approved", "at": "2026-09-07T09:00:00+02:00"}},
    )
    at = datetime(2026, 9, 7, 7)  # noqa: DTZ001 - as the database has it: UTC without zone
    assert requests(con, "outcome, approved_at") == [("approved", at)]


def test_recognised_by_content() -> None:
    line = json.dumps(LINE).encode()
    assert Gateway().recognises(line)
    assert Gateway().recognises(b"broken\n" + line + b"\n{")
    assert Gateway().recognises(json.dumps({**LINE, "resource": "x" * 100}).encode()[:-20])
    for other in (b"", b"\x00" * 100, b"hello\n", b'{"Records": [{"eventName": "x"}]}', b"[]", b"a,b\n1,2\n"):
        assert not Gateway().recognises(other)


@given(st.lists(st.sampled_from(ROWS) | st.text("AbcDeniedThrottl.*?[]'", max_size=12), min_size=1, max_size=20))
def test_an_error_code_means_the_same_in_sql(codes: list[str]) -> None:
    with duckdb.connect() as con:
        found = con.execute(
            f"SELECT {error_class_sql('code')} FROM (SELECT unnest(?) AS code, unnest(?) AS nr) ORDER BY nr",
            [codes, list(range(len(codes)))],
        ).fetchall()
    assert [one for (one,) in found] == [str(error_class(code)) if code else None for code in codes]
