"""Tools of which a shell or a database reads an argument: from the line of the log to the stored requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tightener import config
from tightener.errors import ConfigError, Place
from tightener.logs import staging, store
from tightener.logs.files import LogFile
from tightener.logs.formats import spoken
from tightener.logs.formats.field_map import FieldMap
from tightener.logs.formats.gateway import Gateway
from tightener.logs.ingest import ingest
from tightener.services.tool_kinds import NO_TOOLS, Tools, spoken_arguments

Requests = list[tuple[str, str]]


def read(
    tmp_path: Path, args: Mapping[str, object], action: str = "bash", tools: Tools = NO_TOOLS, *, as_text: bool = False
) -> Requests:
    """The (resource, partial) pairs of one call."""
    line = {"time": "2026-09-07T06:14:03Z", "agent": "a", "service": "tools", "action": action, "args": args}
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(line | {"decision": "allow"} | ({} if as_text else {"id": "1"})) + "\n")
    con = store.open(None)
    staging.prepare(con)
    Gateway(tools).stage(con, [LogFile(1, str(path), path.stat().st_size)])
    assert con.execute("SELECT count(*) FROM staged_rejected").fetchone() == (0,)
    return con.execute("SELECT resource, partial FROM staged_request ORDER BY part").fetchall()


CALLS = [
    ("bash", {"command": "git push origin main"}, [("git push origin main", "")]),
    ("bash", {"command": "git status && git push; git status"}, [("git status", ""), ("git push", "")]),
    ("Bash", {"command": "ls", "timeout": 30.0}, [("ls", ""), ("timeout=30", "")]),
    ("mcp__box__bash", {"timeout": 1, "cmd": "a | b"}, [("timeout=1", ""), ("a", ""), ("b", "")]),
    ("bash", {"command": "ls > x"}, [("command=ls > x", "")]),
    ("shell", {"cmd": "ls > x"}, [("command=ls > x", "")]),
    ("bash", {"command": ""}, [("command=", "")]),
    ("bash", {"command": "# nothing"}, [("command=# nothing", "")]),
    ("bash", {"command": "ls $X"}, [("ls*", "resource")]),
    ("shell", {"command": ["bash", "-lc", "git push; ls"]}, [("bash -lc 'git push; ls'", "")]),
    ("shell", {"command": ["ls", 1]}, [("command=ls", ""), ("command=1", "")]),
    ("shell", {"command": {"x": "a;b"}}, [("command.x=a;b", "")]),
    ("shell", {"command": []}, [("command=", "")]),
    ("bash", {"command": "if"}, [("command=if", "")]),
    ("bash", {"command": "cat a/../b ./x"}, [("cat a/../b ./x", "")]),
    ("bash", {"command": "cat a/../b > c"}, [("command=cat a/../b > c", "")]),
    ("bash", {"command": "cd x", "cwd": "a/../b"}, [("cd x", ""), ("cwd=b", "")]),
    ("str_replace_based_edit_tool", {"command": "view;x"}, [("command=view;x", "")]),
    ("powershell", {"command": "a;b"}, [("command=a;b", "")]),
    ("post", {"command": "a;b"}, [("command=a;b", "")]),
    ("query_db", {"sql": "SELECT 1 FROM A; DELETE FROM b WHERE 1=1"}, [("select a", ""), ("delete b", "")]),
    ("execute_sql", {"query": "vacuum t"}, [("sql=vacuum t", "")]),
    ("execute_sql", {"query": ["select 1"]}, [("query=select 1", "")]),
    ("search", {"query": "select 1"}, [("query=select 1", "")]),
]
SECRETS = [
    ("TOKEN=hunter2 cmd", [("env TOKEN=* cmd", "resource")]),
    ("mysql --password hunter2 -h x", [("mysql --password * -h x", "resource")]),
    ("mysql --password=hunter2; ls", [("mysql --password=*", "resource"), ("ls", "")]),
    ("mysql --pass'word=hunter2 a'", [("mysql --password=*", "resource")]),
    ("curl -H 'X-Api-Key: hunter2' https://x", [("curl -H 'X-Api-Key: *' https://x", "resource")]),
    ('curl -d \'{"password" : "hunter2"}\' x', [("curl -d '{\"password\" : *' x", "resource")]),
    ("curl https://x/?access_token=hunter2", [("curl https://x/*access_token=*", "resource")]),
    ("curl https://me:hunter2@x", [("curl https*x", "resource")]),
    ("echo --max-tokens=7", [("echo --max-tokens=*", "resource")]),
    ("echo --max_tokens=7", [("echo --max_tokens=7", "")]),
    ("mysql --password hunter2 > x", [("command=*", "resource")]),
    ("TOKEN=hunter2 cmd <<< x", [("command=*", "resource")]),
    ("cat > x <<E\nAPI_KEY: hunter2\nE", [("command=*", "resource")]),
    ("aws s3 ls > secrets", [("command=aws s3 ls > secrets", "")]),
    ("echo AKIAABCDEFGHIJKLMNOP", [("echo *", "resource")]),
    ("echo AKIAABCDEFGHIJKLMNOP > x", [("command=echo * > x", "resource")]),
]


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(("action", "args", "found"), CALLS)
def test_calls(tmp_path: Path, action: str, args: dict[str, object], found: Requests, as_text: bool) -> None:
    assert read(tmp_path, args, action, as_text=as_text) == found


@pytest.mark.parametrize(("line", "found"), SECRETS)
def test_secrets_of_a_line_are_not_stored(tmp_path: Path, line: str, found: Requests) -> None:
    assert read(tmp_path, {"command": line}) == found


def test_secrets_of_sql_are_not_stored(tmp_path: Path) -> None:
    assert read(tmp_path, {"sql": "alter user x password 'hunter2'"}, "db") == [("sql=*", "resource")]
    assert read(tmp_path, {"sql": "update t set password = 'hunter2'"}, "db") == [("update t", "")]


def test_words_of_a_list_are_looked_at_too(tmp_path: Path) -> None:
    found = read(tmp_path, {"command": ["mysql", "--password", "hunter2", "a b"]})
    assert found == [("mysql --password * 'a b'", "resource")]


def test_the_configuration_adds_and_overrides(tmp_path: Path) -> None:
    tools = {"my_runner": {"line": "shell", "q": "sql"}, "bash": {}, "Bash": {"api_token": "shell"}}
    assert read(tmp_path, {"line": "a;b", "q": "select 1 from t"}, "my_runner", tools) == [
        *[("a", ""), ("b", ""), ("select t", "")]
    ]
    assert read(tmp_path, {"command": "a;b"}, "bash", tools) == [("command=a;b", "")]
    assert read(tmp_path, {"api_token": "a;b"}, "Bash", tools) == [("api_token=*", "resource")]
    assert dict(spoken_arguments("bash", NO_TOOLS)) == {"command": "shell", "cmd": "shell", "sql": "sql"}


def test_the_configuration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tightener.yaml"
    path.write_text("tools:\n  run: {shell: cmd, sql: [q, r]}\n  bash: {}\n")
    assert config.load(path).tools == {"run": {"cmd": "shell", "q": "sql", "r": "sql"}, "bash": {}}
    for text in (
        "tools: {run: {shel: cmd}}",
        "tools: {run: {shell: 1}}",
        "tools: {run: {shell: a, sql: [b, a]}}",
        "tools: [x]",
    ):
        path.write_text(text)
        with pytest.raises(ConfigError):
            config.load(path)


def test_calls_of_another_gateway_are_read_alike(tmp_path: Path) -> None:
    fields = {
        "time": "at",
        "agent": "who",
        "action": "tool",
        "args": "with",
        "service": {"const": "tools"},
        "decision": {"const": "allow"},
    }
    (tmp_path / "log.jsonl").write_text(
        json.dumps({"at": "2026-09-07T06:14:03Z", "who": "a", "tool": "run", "with": {"line": "a; b > c; d"}})
        + "\n"
        + json.dumps({"at": "2026-09-07T06:14:04Z", "who": "a", "tool": "bash", "with": {"command": "a; b"}})
    )
    con = store.open(None)
    with con:
        ingest(
            con,
            [str(tmp_path)],
            now=datetime(2026, 10, 1, tzinfo=UTC),
            formats={"mine": FieldMap.parse("mine", fields, lambda *_: Place("t.yaml"))},
            tools={"run": {"line": "shell"}},
            progress=lambda _: None,
        )
        found = con.execute("SELECT resource FROM event ORDER BY position, part").fetchall()
    assert found == [("command=a; b > c; d",), ("a",), ("b",)]


def test_a_text_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    requests = spoken.requests
    monkeypatch.setattr(spoken, "requests", lambda kind, text: asked.append(text) or requests(kind, text))
    record = {"time": "2026-09-07T06:14:03Z", "agent": "a", "service": "tools", "action": "bash", "decision": "allow"}
    lines = [record | {"id": str(n), "args": {"command": ("ls -l", "a;b", "a ;b")[n % 3]}} for n in range(300)]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    con = store.open(None)
    staging.prepare(con)
    Gateway().stage(con, [LogFile(1, str(path), path.stat().st_size)])
    assert sorted(asked) == ["a ;b", "a;b"]  # and the plain one not at all
    assert con.execute("SELECT count(*) FROM staged_request").fetchone() == (500,)
