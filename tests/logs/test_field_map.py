"""Foreign logs: the same ninety days as another gateway writes them, mistakes in a map, CSV, routes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tightener.errors import ConfigError, LogError, Place
from tightener.logs import store
from tightener.logs.formats.field_map import FieldMap, try_file
from tightener.logs.formats.routes import Route, Router
from tightener.logs.ingest import ingest

NOW = datetime(2026, 12, 1, tzinfo=UTC)
FLAT = {
    "time": {"path": "at", "unit": "s"},
    "agent": "who",
    "service": {"const": "git"},
    "action": "what",
    "resource": "on.repo",
    "decision": {"path": "ok", "values": {True: "allow", False: "deny"}},
    "outcome": {"const": "success"},
}


def parse(data, name: str = "mine") -> FieldMap:
    return FieldMap.parse(name, data, lambda *keys: Place("t.yaml", 1 + len(keys)))


def read(path: Path, data) -> tuple[list[tuple], list[tuple]]:
    with store.open(None) as con:
        ingest(con, [str(path)], now=NOW, formats={"mine": parse(data)}, progress=lambda _: None)
        events = con.execute(
            "SELECT position, time, agent, service, action, resource, outcome, mapped FROM event ORDER BY ALL"
        ).fetchall()
        return events, con.execute("SELECT position, reason FROM rejected ORDER BY position").fetchall()


def test_the_sample_reads_like_the_gateway_s_own_log() -> None:
    samples = Path(__file__).parents[2] / "sample_logs"
    from tightener.config import load  # noqa: PLC0415 - the one place where logs meet a configuration

    formats = load(samples / "foreign" / "tightener.yaml").formats
    columns = "native_id, part, time, agent, session, service, action, resource, branch, partial, outcome, request_id"
    found = []
    for path in (samples / "gateway", samples / "foreign" / "gateway.jsonl.gz"):
        with store.open(None) as con:
            ingest(con, [str(path)], now=NOW, formats=formats, progress=lambda _: None)
            found.append(con.execute(f"SELECT {columns} FROM event ORDER BY ALL").fetchall())
    assert len(found[0]) > 2000
    assert found[0] == found[1]


def test_json_lines(tmp_path: Path) -> None:
    records = [
        {"at": 1790000000, "who": "a", "what": "pull", "on": {"repo": "x"}, "ok": True},
        {"at": "1790000000", "who": 7, "what": "pull", "ok": False},
        {"at": 1790000000.25, "who": "a", "what": "pull", "ok": "perhaps"},
        {"at": "noon", "who": "a", "what": "pull", "ok": True},
        {"who": "a", "what": "pull", "ok": True},
    ]
    path = tmp_path / "x.log"
    path.write_text("\n".join(json.dumps(r) for r in records) + "\nbroken\n")
    moment = datetime.fromtimestamp(1790000000, UTC).replace(tzinfo=None)
    events, rejected = read(path, FLAT)
    assert events == [
        (1, moment, "a", "git", "pull", "x", "used", True),
        (2, moment, "7", "git", "pull", "", "refused", True),
    ]
    assert rejected == [
        (3, "ok" and "decision: the format mine gives no meaning to 'perhaps'"),
        (4, "time: 'noon' is no time in s"),
        (5, "time is missing"),
        (6, "not a JSON object"),
    ]


def test_records_that_differ_outside_the_map_are_two(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    record = {"at": 1790000000, "who": "a", "what": "pull", "ok": True}
    path.write_text("\n".join(json.dumps(r) for r in (record, {**record, "seq": 2}, record)))
    assert [row[0] for row in read(path, FLAT)[0]] == [1, 2]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(
        b'\xef\xbb\xbfat,who,what,on.repo,ok\r\n1790000000,a,pull,"x, ""y""",true\r\n1790000001,a,pull\r\n'
        b'1790000002,b,push,"two\nlines",false\r\n'
    )
    events, rejected = read(path, {**FLAT, "kind": "csv"})
    assert [(row[0], *row[2:7]) for row in events] == [
        (2, "a", "git", "pull", 'x, "y"', "used"),
        (5, "b", "git", "push", "two\nlines", "refused"),
    ]
    assert rejected == [(3, "3 cells under a heading of 5")]


HTTP = {
    "time": "t",
    "agent": "a",
    "decision": {"const": "allow"},
    "method": "m",
    "url": "u",
    "routes": [
        {"method": "get", "path": "/repos/{o}/{r}/git", "service": "git", "action": "fetch", "resource": "{o}/{r}"},
        {"path": "/files/{rest*}", "service": "files", "action": "read", "resource": "{rest}"},
    ],
}  # fmt: skip


def test_routes(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    calls = [
        ("GET", "https://api.example/repos/ac%20me/x/git?token=hunter2"),
        ("POST", "/repos/acme/x/git"),
        ("PUT", "/files/a/b"),
    ]
    path.write_text("\n".join(json.dumps({"t": "2026-09-01T00:00:00Z", "a": "a", "m": m, "u": u}) for m, u in calls))
    events, _ = read(path, HTTP)
    assert [(row[3:6], row[7]) for row in events] == [
        (("git", "fetch", "ac me/x"), True),
        (("mine", "POST /repos/acme/x/git", ""), False),
        (("files", "read", "a/b"), True),
    ]
    shown = try_file(path, None, {"mine": parse(HTTP)}, rows=1)
    assert (shown.format, shown.records, len(shown.rows)) == ("mine", 3, 1)
    assert shown.missing == ("no route for POST /repos/acme/x/git (1 records)",)


def test_a_route_matches_whole_paths() -> None:
    router = Router([Route("GET", "/a/{x}", "s", "r:{x}")])
    assert router.match("get", "/a/b/") == {"service": "s", "action": "r:b"}
    for method, url in (("GET", "/a/b/c"), ("GET", "/a/"), ("GET", "/z/a/b"), ("PUT", "/a/b"), ("GET", "http://[")):
        assert router.match(method, url) is None


def test_try_tells_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text('{"at": 1, "who": "a", "what": "pull", "ok": "perhaps"}\n' * 3)
    shown = try_file(path, "mine", {"mine": parse(FLAT)})
    assert shown.rows == ()
    assert shown.missing == (
        "resource: nothing stands at `on.repo` in any record",
        "decision: the value 'perhaps' has no meaning (3 records)",
        "3 rejected: decision: the format mine gives no meaning to 'perhaps' (first: record 1)",
    )
    for wrong, format_name in ((path, "main"), (tmp_path / "none", None), (path, None)):
        with pytest.raises(LogError):
            try_file(wrong, format_name, {"mine": parse({**FLAT, "agent": "nobody"})})


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"tmie": "x"}, "unknown key `tmie`", "did you mean `time`?"),
        ({"time": {"path": "x", "unit": "h"}}, "`unit` belongs to a time", ""),
        ({"agent": {"path": "x", "unit": "s"}}, "`unit` belongs to a time", ""),
        ({"agent": {"path": "x", "const": "y"}}, "either `path` or `const`", ""),
        ({"agent": {}}, "either `path` or `const`", ""),
        ({"agent": 5}, "must be a path or a mapping", ""),
        ({"decision": {"path": "x", "values": {"ok": "yes"}}}, "`ok` cannot mean 'yes'", "allow, deny"),
        ({"decision": {"path": "x", "valeus": {}}}, "unknown key `valeus`", "did you mean `values`?"),
        ({"kind": "xml"}, "kind must be one of", ""),
        ({"url": "u"}, "says nothing without `routes`", ""),
        ({"url": "u", "routes": [{"path": "/a", "service": "s"}]}, "this route lacks action", ""),
        ({"url": "u", "routes": [{"path": "/{a}", "service": "s", "action": "{b}"}]}, "has no {b}", "it captures a"),
        ({"url": "u", "routes": [{"paht": "/a"}]}, "unknown key `paht`", "did you mean `path`?"),
    ],
)
def test_mistakes_are_explained(change, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({**FLAT, **change})
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.place is not None


def test_what_a_map_must_say() -> None:
    with pytest.raises(ConfigError, match="does not say where agent, action is"):
        parse({k: v for k, v in FLAT.items() if k not in ("agent", "action")})
    with pytest.raises(ConfigError, match="a format of tightener's own"):
        parse(FLAT, "gateway")
