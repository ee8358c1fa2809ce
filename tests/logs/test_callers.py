"""Who a logged caller is: the ladder against a naive reading of it, a fixture for each step, and shared credentials."""

from __future__ import annotations

import fnmatch
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener import pipeline
from tightener.config import Config
from tightener.logs import callers, store, usage
from tightener.logs.callers import KEYS, Entry, Identity, Owner, owner, shared
from tightener.model import Window
from tightener.pipeline import Project
from tightener.report import overview
from tightener.report import words as sentences
from tightener.report.terminal import Printer

ACCOUNT = "111122223333"
SHARED = f"arn:aws:iam::{ACCOUNT}:role/shared"
SSO = f"arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_dev"
USER = f"arn:aws:iam::{ACCOUNT}:user/ci"
SIGN_IN = f"arn:aws:signin:us-east-1:{ACCOUNT}:session/a90e1d90"
RUN = "0b4c2a7e-1d2f-4e5a-9b8c-7d6e5f4a3b2c"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = Window(date(2026, 7, 1), date(2026, 7, 31))


# --- the ladder ------------------------------------------------------------------------------------------------------

# Written down once more, as docs/cloudtrail.md says it.
STEPS = [
    ["source_identity"], ["sign_in_session"], ["agentcore_runtime"], ["jwt_sub", "jwt_client"], ["role"],
    ["session_name"], ["access_key"],
]  # fmt: skip
VALUES = st.sampled_from(["", "a", "ab", "b"])
PATTERNS = st.sampled_from(["a", "a*", "*", "?", "b"])
ENTRIES = st.dictionaries(st.sampled_from(KEYS), PATTERNS, min_size=1, max_size=3)
CONFIGS = st.dictionaries(st.sampled_from("xyz"), st.lists(ENTRIES, max_size=3), max_size=3)


def naive(values: dict[str, str], config: dict[str, list[dict[str, str]]]) -> tuple[str, tuple[str, ...]]:
    """Walks down the ladder and throws out, at each step, everyone who says less there than the best do."""
    left = [
        (agent, entry)
        for agent, entries in config.items()
        for entry in entries
        if all(values[key] and fnmatch.fnmatchcase(values[key], pattern) for key, pattern in entry.items())
    ]
    for step in STEPS:
        most = max((len([k for k in step if k in entry]) for _, entry in left), default=0)
        left = [(agent, entry) for agent, entry in left if len([k for k in step if k in entry]) == most]
    agents = tuple(sorted({agent for agent, _ in left}))
    return (agents[0], ()) if len(agents) == 1 else ("", agents)


@settings(max_examples=600)
@given(values=st.lists(VALUES, min_size=8, max_size=8), config=CONFIGS)
def test_the_ladder_is_what_walking_it_gives(values: list[str], config: dict[str, list[dict[str, str]]]) -> None:
    found = owner(Identity(*values), {agent: [Entry(one) for one in its] for agent, its in config.items()})
    assert (found.agent, found.rivals) == naive(dict(zip(KEYS, values, strict=True)), config)
    assert bool(found.how) == bool(found.agent or found.rivals)


@settings(max_examples=200)
@given(everyone=st.lists(st.tuples(st.lists(VALUES, min_size=8, max_size=8), st.sampled_from(["", "x", "y", "xy"]))))
def test_shared_credentials_are_those_with_two_users(everyone: list[tuple[list[str], str]]) -> None:
    owners = [
        (Identity(*values), Owner("", "role or user", ("x", "y")) if who == "xy" else Owner(who))
        for values, who in everyone
    ]
    wanted = set()
    for kind, place in (("role or user", 5), ("access key", 7)):
        for credential in {values[place] for values, _ in everyone} - {""}:
            users = {who for values, who in everyone if values[place] == credential}
            agents = set("".join(users))
            if len(users) > 1 or (users == {"xy"} and kind != "access key"):
                wanted.add((kind, credential, tuple(sorted(agents)), "" in users, "xy" in users))
    assert {(s.kind, s.credential, s.agents, s.others, s.contested) for s in shared(owners)} == wanted


# --- records ---------------------------------------------------------------------------------------------------------


def call(number: int, name: str = "ListUsers", source: str = "iam", **over: Any) -> dict[str, Any]:
    """One record of the shared role, in the documented shape; `session`, `key`, `issuer`, `context` say who."""
    session, issuer, context = over.pop("session", "run-1"), over.pop("issuer", SHARED), over.pop("context", {})
    key = over.pop("key", f"ASIA-{issuer}-{session}")  # a temporary key is one session's
    base = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLE:{session}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{issuer.split('/')[-1]}/{session}",
            "accountId": ACCOUNT,
            "accessKeyId": key,
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": issuer, "accountId": ACCOUNT}, **context},
        },
        "eventTime": f"2026-07-14T18:{number % 60:02}:00Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "requestParameters": None,
        "responseElements": None,
        "requestID": f"req-{number}",
        "eventID": f"id-{number}",
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return base | over


def user(number: int, key: str) -> dict[str, Any]:
    """A call with a long-lived key of an IAM user."""
    identity = {"type": "IAMUser", "arn": USER, "accountId": ACCOUNT, "accessKeyId": key, "userName": "ci"}
    return call(number, userIdentity=identity)


def tool_call(number: int, *behind: str, sign_in: str = SIGN_IN, **over: Any) -> dict[str, Any]:
    """A tool call of the AWS MCP Server, which names the requests that it made."""
    return call(
        number, "CallReadWriteTool", "aws-mcp", issuer=SSO, session="alex", context={"signInSessionArn": sign_in},
        eventType="AwsMcpEvent", userAgent="claude-code/2.1.202 (cli)",
        requestParameters={"jsonrpc": "2.0", "method": "tools/call", "id": 2, "params": {"name": "aws___call_aws"}},
        additionalEventData={
            "downstreamRequests": [{"apiName": "iam:ListUsers", "requestId": one} for one in behind],
        },
        **over,
    )  # fmt: skip


def behind(number: int, request: str, **over: Any) -> dict[str, Any]:
    """The API call that the AWS MCP Server made, with nothing of the sign-in unless `over` says so."""
    record = call(number, issuer=SSO, session="alex", requestID=request, userAgent="aws-mcp.amazonaws.com", **over)
    record["userIdentity"]["invokedBy"] = "aws-mcp.amazonaws.com"
    return record


def gateway_call(number: int, claims: dict[str, str]) -> dict[str, Any]:
    """InvokeGateway of an AgentCore gateway: AWS calls its caller anonymous."""
    return call(
        number, "InvokeGateway", "bedrock-agentcore", eventCategory="Data",
        userIdentity={"type": "AWSAccount", "principalId": "", "accountId": "anonymous"},
        requestParameters={"body": {"id": 1, "method": "tools/call", "params": {"name": "T___ListTables"}}},
        responseElements={"statusCode": 200, "body": {"result": {"isError": False}}},
        additionalEventData={"targetId": "0JTX", "jwt": {"claims": claims}, "downstreamRequestIds": ["H3RD"]},
    )  # fmt: skip


def read(folder: Path, *files: list[dict[str, Any]], con: duckdb.DuckDBPyConnection | None = None) -> Project:
    """A database with these files of records, read in their order."""
    folder.mkdir(exist_ok=True)
    for number, records in enumerate(files):
        (folder / f"{number}.json").write_text(json.dumps({"Records": records}), encoding="utf-8")
    project = Project(con or store.open(None), Config(), temporary=True)
    report = pipeline.read_logs(project, [str(folder)], NOW, lambda _: None)
    assert not report.problems
    assert all(one.rejected == 0 for one in report.files)
    return project


def config(**agents: list[str | dict[str, str]]) -> Config:
    return Config(
        principals={
            name: tuple(Entry({"role": one} if isinstance(one, str) else one) for one in its)
            for name, its in agents.items()
        }
    )


def own(project: Project, agent: str, settings: Config) -> list[str]:
    """The ids of the events that are this agent's."""
    usage.collect(project.con, agent, WINDOW, settings.owner_of)
    rows = project.con.execute("SELECT native_id FROM own_event($agent, $first, $after) ORDER BY time",
                               usage.inputs_of(agent, WINDOW)).fetchall()  # fmt: skip
    return [row[0] for row in rows]


STEP_CASES: list[tuple[str, dict[str, str], Callable[[int], dict[str, Any]], Callable[[int], dict[str, Any]]]] = [
    ("source identity", {"source_identity": "agent-*"},
     lambda n: call(n, context={"sourceIdentity": "agent-7"}), lambda n: call(n, context={"sourceIdentity": "dana"})),
    ("AWS MCP sign-in session", {"sign_in_session": "*session/a90e1d90"},
     lambda n: behind(n, "down-1", context={"signInSessionArn": SIGN_IN}),
     lambda n: call(n, issuer=SSO, context={"signInSessionArn": SIGN_IN.replace("a90", "b90")})),
    ("AgentCore runtime session", {"agentcore_runtime": "*"},
     lambda n: call(n, session=f"BedrockAgentCore-{RUN}"), lambda n: call(n, session="BedrockAgentCore-mine")),
    ("gateway token", {"jwt_sub": "4ammg*"},
     lambda n: gateway_call(n, {"sub": "4ammgx", "jti": "1"}), lambda n: gateway_call(n, {"sub": "other"})),
    ("gateway token", {"jwt_client": "invoice-app"},
     lambda n: gateway_call(n, {"sub": "s", "client_id": "invoice-app"}), lambda n: gateway_call(n, {"sub": "s"})),
    ("role or user", {"role": SHARED}, call, lambda n: call(n, issuer=SSO)),
    ("role or user", {"role": USER}, lambda n: user(n, "AKIA1"), call),
    ("session name", {"session_name": "claude-*"},
     lambda n: call(n, session="claude-1"), lambda n: call(n, session="botocore-session-1")),
    ("role or user and session name", {"session_name": "claude-*", "role": SHARED},
     lambda n: call(n, session="claude-1"), lambda n: call(n, session="claude-1", issuer=SSO)),
    ("access key", {"access_key": "AKIA1"}, lambda n: user(n, "AKIA1"), lambda n: user(n, "AKIA2")),
]  # fmt: skip


@pytest.mark.parametrize(("how", "entry", "its", "other"), STEP_CASES)
def test_each_step_of_the_ladder(tmp_path, how, entry, its, other):
    project = read(tmp_path, [tool_call(1, "down-1"), its(2), other(3)])
    settings = config(a=[entry])
    assert own(project, "a", settings) == ["id-2"]
    rows, _ = callers.rows(project.con, settings.owner_of)
    assert [(row.owner.agent, row.owner.how, row.events) for row in rows] == [("", "", 1), ("a", how, 1)]


def test_aws_services_are_named_as_what_they_are(tmp_path):
    service = {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}
    project = read(tmp_path, [call(1), *(call(n, userIdentity=service) for n in (2, 3))])
    rows = overview.agents(project.con, config())["principals"]
    assert [(r["principal"], r["by_service"], r["events"]) for r in rows] == [(SHARED, False, 1), ("", True, 2)]
    text = words(project, config())
    assert "(none)" not in text  # nobody is an agent, so the columns on agents would be empty
    assert [line.split()[:5] for line in text.splitlines() if "services" in line] == [
        ["AWS", "services,", "for", "themselves", "2"]
    ]
    assert "None of them is known to be an agent" in text
    settings = config(a=[SHARED])
    assert "(none)  AWS services, for themselves" in words(project, settings)


def test_every_identity_is_kept_as_logged(tmp_path):
    read_ = read(tmp_path, [
        call(1, context={"sourceIdentity": "agent-7", "signInSessionArn": SIGN_IN}),
        call(2, context={"sourceIdentity": "agent-7", "signInSessionArn": SIGN_IN}),
        gateway_call(3, {"sub": "4ammg", "client_id": "app"}),
        call(4, session=f"BedrockAgentCore-{RUN}", key="ASIAEXAMPLE2"),
        call(5, userIdentity={"type": "AWSService", "invokedBy": "lambda.amazonaws.com", "accessKeyId": "ASIA9"}),
    ])  # fmt: skip
    found = read_.con.execute("SELECT e.native_id, i.* EXCLUDE (id) FROM event AS e LEFT JOIN identity AS i"
                              " ON i.id = e.identity ORDER BY e.native_id").fetchall()  # fmt: skip
    assert found == [
        ("id-1", "agent-7", SIGN_IN, "", "", "", SHARED, "run-1", f"ASIA-{SHARED}-run-1"),
        ("id-2", "agent-7", SIGN_IN, "", "", "", SHARED, "run-1", f"ASIA-{SHARED}-run-1"),
        ("id-3", "", "", "", "4ammg", "app", "", "", ""),
        ("id-4", "", "", RUN, "", "", SHARED, f"BedrockAgentCore-{RUN}", "ASIAEXAMPLE2"),
        ("id-5", None, None, None, None, None, None, None, None),
    ]
    assert read_.con.execute("SELECT count(*) FROM identity").fetchone() == (3,)


def test_ids_do_not_depend_on_how_files_are_batched(tmp_path):
    files = [[call(n, session=f"s{(7 * n) % 5}") for n in range(k, k + 4)] for k in (0, 4, 8)]
    at_once = read(tmp_path / "a", *files).con.execute("FROM identity ORDER BY id").fetchall()
    con = store.open(None)
    for k in range(1, 4):
        read(tmp_path / "b", *files[:k], con=con)
    assert con.execute("FROM identity ORDER BY id").fetchall() == at_once
    assert len(at_once) == 5


# --- the AWS MCP Server ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swapped", [False, True])
def test_a_tool_call_and_the_request_behind_it_are_one_use(tmp_path, swapped):
    """The request carries nothing of the sign-in; the tool call tells whose it is, in whichever file it stands."""
    files = [[tool_call(1, "down-1", "down-2")], [behind(2, "down-1"), behind(3, "down-2"), behind(4, "not-named")]]
    project = read(tmp_path, *(reversed(files) if swapped else files))
    settings = config(agent=[{"sign_in_session": SIGN_IN}], person=[SSO])
    assert own(project, "agent", settings) == ["id-2", "id-3"]
    assert own(project, "person", settings) == ["id-4"]
    assert project.con.execute("SELECT reason, records FROM not_use").fetchall() == [
        ("tool call of the AWS MCP server", 1)
    ]
    first = sorted(tmp_path.iterdir())[swapped]  # what the tool call told goes with its file
    first.write_text(json.dumps({"Records": []}), encoding="utf-8")
    pipeline.read_logs(project, [str(tmp_path)], NOW, lambda _: None)
    assert own(project, "agent", settings) == []


def test_a_sign_in_session_alone_makes_no_agent(tmp_path):
    login = call(1, "ListRoles", context={"signInSessionArn": SIGN_IN}, issuer=SSO)
    settings = config(agent=[{"sign_in_session": "*"}])
    assert own(read(tmp_path / "a", [login]), "agent", settings) == []
    for resource, wanted in (("https://aws-mcp.us-east-1.api.aws/mcp", ["id-1"]), ("https://example.com/mcp", [])):
        grant = call(2, "CreateOAuth2Token", "signin", issuer=SSO, requestParameters={"resource": resource},
                     eventType="AwsServiceEvent", additionalEventData={"signInSessionArn": SIGN_IN})  # fmt: skip
        assert (
            own(read(tmp_path / wanted[0] if wanted else tmp_path / "none", [login, grant]), "agent", settings)
            == wanted
        )


def test_the_documented_tool_call_is_understood_too(tmp_path):
    mine = tool_call(1, "down-1", eventSource="aws-mcp.us-east-1.api.aws", eventName="CallTool", eventCategory="Data")
    project = read(tmp_path, [mine, behind(2, "down-1")])
    assert own(project, "agent", config(agent=[{"sign_in_session": SIGN_IN}])) == ["id-2"]


def test_a_request_that_two_sign_ins_claim_is_nobody_s(tmp_path):
    project = read(tmp_path, [tool_call(1, "d"), tool_call(2, "d", sign_in=SIGN_IN + "0"), behind(3, "d")])
    assert own(project, "agent", config(agent=[{"sign_in_session": "*"}, SSO])) == []


# --- shared credentials ----------------------------------------------------------------------------------------------


def words(project: Project, settings: Config) -> str:
    stream = io.StringIO()
    overview.agents_words(Printer(stream), overview.agents(project.con, settings))
    return stream.getvalue()


def test_agents_lists_every_caller_and_what_is_shared(tmp_path):
    project = read(tmp_path, [
        *(call(n, session="claude-1", key=f"ASIA{n}") for n in range(3)),
        *(call(n, session=f"ops-{n}") for n in range(10, 14)),
        call(20, session="dana"), call(21, session="dana"), call(22, session="eve"),
        user(30, "AKIA1"), user(31, "AKIA2"),
        call(40, issuer=SSO),
    ])  # fmt: skip
    settings = config(
        invoice=[{"role": SHARED, "session_name": "claude-*"}, {"access_key": "AKIA1"}],
        ops=[{"role": SHARED, "session_name": "ops-*"}],
        first=[SSO], second=["*AWSReservedSSO*"],
    )  # fmt: skip
    document = overview.agents(project.con, settings)
    assert json.loads(json.dumps(document)) == document
    assert [(r["agent"], r["principal"], r["access_key"], r["how"], r["claimed_by"], r["events"], r["sessions"])
            for r in document["principals"]] == [
        ("", SHARED, "", "", [], 3, 2),
        ("", SSO, "", "role or user", ["first", "second"], 1, 1),
        ("", USER, "AKIA2", "", [], 1, 0),
        ("ops", SHARED, "", "role or user and session name", [], 4, 4),
        ("invoice", SHARED, "", "role or user and session name", [], 3, 1),
        ("invoice", USER, "AKIA1", "access key", [], 1, 0),
    ]  # fmt: skip
    assert document["shared_credentials"] == [
        {"kind": "role or user", "credential": credential, "agents": agents, "others": others, "contested": contested}
        for credential, agents, others, contested in (
            (SSO, ["first", "second"], False, True),
            (SHARED, ["invoice", "ops"], True, False),
            (USER, ["invoice"], True, False),
        )
    ]
    text = " ".join(words(project, settings).split())
    assert f"- role or user {SHARED} is shared by invoice, ops and callers that are no agent's -" in text
    assert f"- role or user {SSO} is shared by first and second; what several of them claim" in text
    assert usage.collect(project.con, "ops", WINDOW, settings.owner_of).shared[0].credential == SHARED
    assert not usage.collect(project.con, "nobody", WINDOW, settings.owner_of).shared


def test_compare_warns_in_one_line(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "agents:\n  ops:\n    allow:\n      - {service: aws, actions: ['iam:ListUsers']}\n", encoding="utf-8"
    )
    project = read(tmp_path / "logs", [call(1, session="ops-1", key="ASIA1"), call(2, session="dana", key="ASIA2")])
    for mapping, wanted in (
        (config(ops=[{"session_name": "ops-*"}]), 1),
        (config(ops=[SHARED]), 0),
    ):
        mine = Project(project.con, mapping, temporary=True)
        study = pipeline.study(mine, pipeline.read_policies(mine, [policy]), "ops")
        lines = [line for line in sentences.not_seen(study) if "shared by" in line]
        assert len(lines) == len(study.shared) == wanted
        assert all("is shared by ops and callers that are no agent's" in line for line in lines)
