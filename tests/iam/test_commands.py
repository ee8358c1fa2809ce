"""`tightener iam` and `tightener compare --account` as their users run them, on the sample story."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tightener.cli import run
from tightener.services.catalogue import all_actions

ROOT = Path(__file__).parents[2]
AGENT = "claude-ops-02"
ROLE = f"arn:aws:iam::123456789012:role/{AGENT}"
HOSTILE = "\x1b[2Jgone\u202e[bold]\nfake line"
CONDITION = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
STATEMENTS: list[dict[str, Any]] = [
    {"Sid": "Data", "Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::*", "arn:aws:s3:::*/*"]},
    {
        "Sid": "Lists",
        "Effect": "Allow",
        "Action": ["sqs:SendMessage", "kms:*"],
        "Resource": "*",
        "Condition": CONDITION,
    },
    {"Sid": "NoLoss", "Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"},
]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("iam") / "sample logs"
    shutil.copytree(ROOT / "sample_logs", base, ignore=shutil.ignore_patterns(".tightener", "__pycache__"))
    assert call(base, "ingest")[0] == 0
    return base


def call(base: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    here = Path.cwd()
    os.chdir(base)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*words])
    finally:
        os.chdir(here)
    return code, out.getvalue(), err.getvalue()


def account(base: Path, *statements: dict[str, Any], policy: str = "ops", boundary: str = "") -> str:
    role: dict[str, Any] = {
        "RoleName": AGENT,
        "Arn": ROLE,
        "CreateDate": "2025-01-01T00:00:00Z",
        "RolePolicyList": [
            {"PolicyName": policy, "PolicyDocument": {"Version": "2012-10-17", "Statement": [*statements]}}
        ],
    }
    if boundary:
        role["PermissionsBoundary"] = {"PermissionsBoundaryArn": boundary}
    path = base / "account.json"
    path.write_text(json.dumps({"RoleDetailList": [role], "Policies": []}), encoding="utf-8")
    return str(path)


def asked(base: Path, *words: str) -> dict[str, Any]:
    code, out, err = call(base, *words, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_beyond_the_gateway_as_json(story: Path) -> None:
    found = asked(story, "iam", "--account", account(story, *STATEMENTS), "--agent", AGENT)
    assert found["schema"] == "tightener.iam/1"
    (role,) = found["agents"][0]["roles"]
    # The gateway grants s3:* on everything (but DeleteBucket), kms:Decrypt, and PassRole, which this role lacks.
    beyond = {e["action"]: e for e in role["beyond"]}
    kms = {a for a in all_actions() if a.startswith("kms:")} - {"kms:Decrypt"}
    assert set(beyond) == kms | {"sqs:SendMessage"}
    assert all(e["conditional"] and e["kind"] == "action" for e in beyond.values())
    statement = role["statements"][beyond["sqs:SendMessage"]["granted_by"][0]]
    assert (statement["policy"], statement["sid"]) == ("ops", "Lists")
    assert statement["conditions"] == ["StringEquals aws:RequestedRegion = us-east-1"]
    services = {row["service"]: row for row in role["services"]}
    assert services["kms"] == {
        "service": "kms", "actions_beyond": len(kms), "resources_wider": 0, "conditional": len(kms)
    }  # fmt: skip
    s3 = sum(a.startswith("s3:") for a in all_actions()) - 1
    assert role["actions_within_reach"] == s3 + len(kms) + 2


def test_beyond_the_gateway_for_people(story: Path) -> None:
    code, out, _ = call(story, "iam", "--account", account(story, *STATEMENTS))
    assert code == 0
    assert f"{AGENT}: the role {AGENT} can use" in out
    assert "StringEquals aws:RequestedRegion" in out
    assert "s3:DeleteBucket on *: inline policy ops, statement 3 (NoLoss)" in out
    assert "holds no role or user that is the agent claude-report-03" in " ".join(out.split())
    every = call(story, "iam", "--account", account(story, *STATEMENTS), "--agent", AGENT, "--all")[1]
    assert "sqs:SendMessage" in every


def test_a_missing_boundary_is_said(story: Path) -> None:
    limit = "arn:aws:iam::123456789012:policy/limit"
    code, out, _ = call(story, "iam", "--account", account(story, *STATEMENTS, boundary=limit), "--agent", AGENT)
    assert code == 0
    assert "not in the file" in out
    assert "policy/limit" in out


def test_hostile_names_are_shown_and_do_nothing(story: Path) -> None:
    statement = {**STATEMENTS[1], "Sid": HOSTILE, "Resource": f"arn:aws:sqs:::{HOSTILE}"}
    file = account(story, statement, STATEMENTS[0], {**STATEMENTS[2], "Sid": HOSTILE}, policy=HOSTILE)
    for command in ("iam", "compare"):
        for more in ([], ["--all"], ["--json"]):
            code, out, err = call(story, command, "--account", file, "--agent", AGENT, *more)
            assert code == 0, err
            for text in (out, err):
                assert not set("\x1b\u202e") & set(text)
                assert not any(line.lstrip().startswith("fake line") for line in text.splitlines())
        assert "[bold]" in " ".join(call(story, command, "--account", file, "--agent", AGENT)[1].split())


def test_compare_takes_the_role_as_the_granted_side(story: Path) -> None:
    found = asked(story, "compare", "--account", account(story, *STATEMENTS), "--agent", AGENT)
    assert (found["schema"], found["granted_side"]) == ("tightener.compare/1", "iam")
    grants = {g["action"]: g for g in found["grants"]}
    used = {a for a, g in grants.items() if g["status"] == "exercised"}
    gateway = asked(story, "compare", "--agent", AGENT)
    # The same use of AWS as under the gateway's policy, which grants all of S3, too (kms:Decrypt under a condition).
    assert used == {g["action"] for g in gateway["grants"] if g["service"] == "aws" and g["status"] == "exercised"}
    assert {g["service"] for g in found["grants"]} == {"aws"}
    # A grant each, and none for what the explicit deny takes away.
    assert max(Counter(g["action"] for g in found["grants"]).values()) == 1
    assert "s3:DeleteBucket" not in grants
    assert found["without_effect"] == [
        {"action": "s3:DeleteBucket", "statement": "inline policy ops, statement 1 (Data)"}
    ]
    assert grants["kms:Encrypt"]["statement"]["conditions"]
    assert any("only counts where" in note for note in found["notes"])
    # Only CloudTrail may say that a role's action was not used: the gateway can be gone around.
    assert [source["source"] for source in found["coverage"]] == ["cloudtrail"]
    assert grants["s3:AllowVendedLogDeliveryForResource"]["status"] == "unobservable"


def test_a_list_call_is_granted_by_the_bucket_alone(story: Path) -> None:
    objects = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "arn:aws:s3:::*/*"}
    found = asked(story, "compare", "--account", account(story, objects), "--agent", AGENT)
    assert [g["action"] for g in found["grants"]] == ["s3:GetObject"]
    assert "s3:ListBucket" in {a["action"] for a in found["used_but_not_granted"]}
    whole = asked(
        story, "compare", "--account", account(story, {**objects, "Resource": "arn:aws:s3:::*"}), "--agent", AGENT
    )
    assert {g["action"]: g["status"] for g in whole["grants"]}["s3:ListBucket"] == "exercised"


def test_not_action_as_the_granted_side(story: Path) -> None:
    statement = {"Effect": "Allow", "NotAction": ["iam:*", "s3:Delete*"], "Resource": "*"}
    found = asked(story, "compare", "--account", account(story, statement), "--agent", AGENT)
    actions = {g["action"] for g in found["grants"]}
    assert actions == {a for a in all_actions() if not a.lower().startswith(("iam:", "s3:delete"))}
    assert {g["granted_as"] for g in found["grants"]} == {"all but iam:*, s3:Delete*"}
    assert "s3:DeleteObject" in {a["action"] for a in found["used_but_not_granted"]}


def test_one_document_stands_for_the_role(story: Path) -> None:
    path = story / "policy.json"
    path.write_text(json.dumps({"Version": "2012-10-17", "Statement": STATEMENTS}), encoding="utf-8")
    (role,) = asked(story, "iam", "--account", str(path), "--agent", AGENT)["agents"][0]["roles"]
    assert role["kind"] == "document"
    assert any("one document was read" in text for text in role["undecided"])
    found = asked(story, "compare", "--account", str(path), "--agent", AGENT)
    assert {g["status"] for g in found["grants"] if g["action"] == "s3:ListBucket"} == {"exercised"}
    code, _, err = call(story, "iam", "--account", str(path))
    assert (code, "no-agent" in err) == (1, True)


def test_young_grants_are_too_new(story: Path) -> None:
    path = account(story, *STATEMENTS)
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    data["RoleDetailList"][0]["CreateDate"] = "2026-11-10 09:00:00+00:00"
    Path(path).write_text(json.dumps(data), encoding="utf-8")
    found = asked(story, "compare", "--account", path, "--agent", AGENT)
    assert {g["status"] for g in found["grants"]} == {"too_new"}


def test_a_role_that_two_agents_share_is_named(story: Path) -> None:
    (base := story.parent / "shared").mkdir()
    shutil.copy(story / "policy.yaml", base)
    (base / "tightener.yaml").write_text(
        f"policy: policy.yaml\nagents:\n  {AGENT}: {{principals: ['{ROLE}', 'arn:aws:iam::1:role/none']}}\n"
        f"  claude-report-03: {{principals: ['arn:aws:sts::123456789012:assumed-role/{AGENT}/*']}}\n",
        encoding="utf-8",
    )
    (role,) = asked(base, "iam", "--account", account(base, *STATEMENTS), "--agent", AGENT)["agents"][0]["roles"]
    assert any(f"shared by {AGENT}, claude-report-03" in text for text in role["undecided"])
    assert any("role/none names no role" in text for text in role["undecided"])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["iam"], 2, "--account"),
        (["iam", "--live", "--account", "account.json"], 2, "--live"),
        (["iam", "--account", "nowhere.json"], 1, "unreadable"),
        (["iam", "--account", "account.json", "--agent", "nobody"], 1, "iam-no-role"),
        (["iam", "--account", "account.json", "--principal", "x"], 2, "--agent"),
        (["compare", "--account", "account.json", "--live", "--agent", AGENT], 2, "--live"),
        (["compare", "--account", "account.json", "--agent", "claude-invoice-01"], 1, "iam-no-role"),
    ],
)
def test_mistakes_on_the_command_line(story: Path, words: list[str], code: int, said: str) -> None:
    account(story, *STATEMENTS)
    found = call(story, *words)
    assert found[0] == code
    assert said in found[2]
