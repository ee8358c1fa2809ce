"""Ninety days of three agents, as calls: what happened, before any log wrote it down. Seeded, so always the same.

generate.py turns the same list into three logs: the gateway's (format v1), CloudTrail's, and a foreign gateway's.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

FIRST, LAST = date(2026, 8, 18), date(2026, 11, 15)
GATEWAY_LOST = date(2026, 10, 4)  # the gateway worked on this day, its log was lost
INVOICE, OPS, REPORT = "claude-invoice-01", "claude-ops-02", "claude-report-03"
DATA, SCRATCH = "arn:aws:s3:::invoice-data", "arn:aws:s3:::ops-scratch"
MONTH_ENDS = (date(2026, 8, 31), date(2026, 9, 30), date(2026, 10, 31))


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an agent. `gateway` and `trail` say which logs saw it; `event` names it in CloudTrail."""

    time: datetime
    agent: str
    session: str
    service: str
    action: str
    resource: str = ""
    branch: str = ""
    args: Mapping[str, object] = field(default_factory=dict)
    decision: str = "allow"
    approval: Mapping[str, str] = field(default_factory=dict)  # state, by, at
    outcome: str = "success"
    error: str = ""
    request_id: str = ""  # as the gateway logged it; empty where it did not
    id: str = ""
    zone: int = 0  # hours; the gateway wrote this line in local time
    gateway: bool = True
    trail: bool = False
    event: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    invoked_by: str = ""


class Story:
    """Tells the days in order. All chance comes from one seeded generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._invoice = 88000
        self._clock = datetime(2026, 1, 1, tzinfo=UTC)
        self._agent = self._session = ""

    def calls(self) -> list[Call]:
        """Every call, in the order in which it happened, each with an id of its own."""
        told: list[Call] = []
        day = FIRST
        while day <= LAST:
            told += self._ops(day)
            told += self._invoices(day)
            told += self._reports(day)
            told += self._on_this_day(day)
            day += timedelta(days=1)
        told.sort(key=lambda call: call.time)
        numbered = (replace(call, id=f"01K9Z{n:07d}") for n, call in enumerate(told, start=1))
        return [replace(call, gateway=call.gateway and call.time.date() != GATEWAY_LOST) for call in numbered]

    def _start(self, agent: str, session: str, day: date, hour: int, minute: int) -> None:
        self._agent, self._session = agent, session
        self._clock = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)

    def _call(self, service: str, action: str, resource: str = "", branch: str = "", **more: Any) -> Call:
        self._clock += timedelta(milliseconds=self._random.randrange(900, 45_000))
        call = Call(self._clock, self._agent, self._session, service, action, resource, branch)
        return replace(call, **more)

    def _aws(self, action: str, resource: str, **more: Any) -> Call:
        """An AWS call that the gateway let through: both logs see it, under one request id."""
        request = f"{self._random.getrandbits(64):016X}"
        return self._call("aws", action, resource, request_id=request, trail=True, **more)

    def _approval(self, state: str, by: str, minutes: int) -> dict[str, Any]:
        """Fields of a call that a person was asked about. Whoever waits for a person moves the clock."""
        answered = self._clock + timedelta(minutes=minutes)
        said = {"state": state}
        if state in {"approved", "refused"}:
            said |= {"by": by, "at": f"{answered:%Y-%m-%dT%H:%M:%SZ}"}
        outcome = "success" if state == "approved" else "not_run"
        return {"decision": "require_approval", "approval": said, "outcome": outcome}

    def _invoices(self, day: date) -> Iterator[Call]:
        """Fetch the code, read the raw invoices, look them up at Stripe, write what came out."""
        self._start(INVOICE, f"run-{day:%m%d}-a", day, 6, 10)
        yield self._call("git", "clone" if day.weekday() == 0 else "fetch", "acme/billing")
        if day.weekday() in {1, 3}:
            yield self._call("git", "fetch", "acme/invoices")
        yield self._aws("s3:ListBucket", f"{DATA}/raw/{day:%Y/%m}/")
        for _ in range(self._random.randrange(5, 9) if day.weekday() < 5 else 2):
            self._invoice += self._random.randrange(1, 4)
            yield self._aws("s3:GetObject", f"{DATA}/raw/{day:%Y/%m}/inv-{self._invoice}.pdf")
            yield self._call("stripe", "invoices:read")
            yield self._aws("s3:PutObject", f"{DATA}/processed/{day:%Y/%m}/inv-{self._invoice}.json")
        if day.weekday() in {2, 4}:
            yield self._call("git", "push", "acme/billing", f"feature/inv-{self._invoice}")
        if day.weekday() == 4:
            self._clock += timedelta(minutes=5)
            asked = self._approval("approved", "dana@acme.example", self._random.randrange(2, 11))
            yield self._call("git", "push", "acme/billing", "main", **asked)
        if day in MONTH_ENDS:
            yield from self._month_end(day)

    def _month_end(self, day: date) -> Iterator[Call]:
        self._start(INVOICE, f"run-{day:%m%d}-month-end", day, 20, 0)
        yield self._call("git", "fetch", "acme/ledger")
        if day.month == 9:  # once a quarter
            yield self._aws("s3:GetObject", f"{DATA}/raw/quarterly/2026-Q3.csv")
        # One upload is one line at the gateway (no request id: it was five requests) and five records in the trail.
        key = f"processed/statements/{day:%Y-%m}.pdf"
        upload = self._call("aws", "s3:PutObject", f"{DATA}/{key}")
        yield upload
        for part, event in enumerate(("CreateMultipartUpload", *["UploadPart"] * 3, "CompleteMultipartUpload")):
            self._clock += timedelta(seconds=2)
            extra = {"uploadId": f"up-{day:%Y%m}", "partNumber": str(part)} if event == "UploadPart" else {}
            yield replace(upload, time=self._clock, gateway=False, trail=True, event=event, parameters=extra)

    def _ops(self, day: date) -> Iterator[Call]:
        """Clean the scratch bucket, count failed jobs, tell the channel; change the infrastructure."""
        self._start(OPS, f"nightly-{day:%m%d}", day, 2, 10)
        yield self._call("tools", "bash", args={"command": "df -h /srv"})
        yield self._aws("s3:ListBucket", f"{SCRATCH}/jobs/")
        if day.weekday() in {0, 3}:
            for number in range(2):
                yield self._aws("s3:DeleteObject", f"{SCRATCH}/jobs/job-{day:%m%d}-{number}.log")
        yield self._call("tools", "query_db", args={"sql": "SELECT count(*) FROM jobs WHERE state = 'failed'"})
        channel = "#ops" if day.weekday() else "#ops-weekly"
        failed = self._random.randrange(3)
        yield self._call("tools", "post_message", args={"channel": channel, "text": f"{failed} failed jobs"})
        if day.weekday() == 1:
            yield self._call("git", "fetch", "acme/infra")
            yield self._call("git", "push", "acme/infra", f"feature/cleanup-{day:%m%d}")

    def _reports(self, day: date) -> Iterator[Call]:
        """Talks to AWS directly; what it reads from the tables (GetItem) is in no log at all."""
        self._start(REPORT, f"report-{day:%m%d}", day, 7, 30)
        if day.weekday() == 0:
            yield self._direct("sts:GetCallerIdentity", "")
            yield self._direct("lambda:ListFunctions", "", event="ListFunctions20150331")
        yield self._direct("dynamodb:ListTables", "")
        for table in ("invoices", "payments") if day.weekday() == 0 else ("invoices",):
            arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}"
            yield self._direct("dynamodb:DescribeTable", arn, parameters={"tableName": table})

    def _direct(self, action: str, resource: str, **more: Any) -> Call:
        """An AWS call that no gateway saw."""
        return self._call("aws", action, resource, gateway=False, trail=True, **more)

    def _on_this_day(self, day: date) -> Iterator[Call]:
        """The traps, one a day at most. README.md tells what each is there for."""
        run = f"run-{day:%m%d}-b"
        if (day.month, day.day) in {(9, 7), (10, 12), (11, 2)}:
            self._start(INVOICE, run, day, 6, 40)
            yield self._call("stripe", "refunds:create", decision="deny", outcome="denied")
        elif day == date(2026, 9, 14):  # this run's host writes local time
            self._start(INVOICE, run, day, 22, 30)
            for _ in range(3):
                yield self._call("stripe", "invoices:read", zone=2)
        elif (day.month, day.day) in {(9, 21), (10, 19)}:
            self._start(INVOICE, run, day, 9, 0)
            asked = self._approval("approved", "lee@acme.example", 4)
            yield self._aws("s3:DeleteObject", f"{DATA}/raw/{day:%Y/%m}/inv-{self._invoice}.pdf", **asked)
        elif day == date(2026, 9, 24):
            self._start(INVOICE, run, day, 9, 0)
            yield self._call("git", "push", "acme/billing", "main", **self._approval("refused", "dana@acme.example", 3))
            yield self._call("git", "push", "acme/billing", "main", **self._approval("timed_out", "", 0))
            yield self._call("git", "push", "acme/billing", "main", **self._approval("pending", "", 0))
        elif day == date(2026, 9, 29):
            self._start(INVOICE, run, day, 9, 0)
            gone = f"{DATA}/raw/2026/09/inv-80000.pdf"
            yield self._aws("s3:GetObject", gone, outcome="error", error="NoSuchKey")
            yield self._aws("s3:GetObject", f"{DATA}/raw/2026/09/inv-88010.pdf", outcome="error", error="SlowDown")
        elif day == date(2026, 10, 1):  # allowed, and the gateway did not wait for the answer
            self._start(INVOICE, run, day, 9, 0)
            yield self._call("stripe", "invoices:read", outcome="")
        elif day == date(2026, 10, 14):
            self._start(INVOICE, run, day, 9, 0)
            denied = {"decision": "deny", "outcome": "denied"}
            yield self._call("aws", "iam:ListUsers", **denied)
            yield self._call("aws", "s3:GetObject", f'{DATA}/private/=HYPERLINK("http://evil.example").csv', **denied)
            yield self._call("git", "clone", "other/\x1b[31mred\x1b[0m", **denied)
        yield from self._on_this_day_at_ops(day)

    def _on_this_day_at_ops(self, day: date) -> Iterator[Call]:
        self._start(OPS, f"oncall-{day:%m%d}", day, 2, 30)
        if day == GATEWAY_LOST:  # the trail names the bucket and not the keys, and nothing else saw it
            yield self._direct(
                "s3:DeleteObject",
                SCRATCH,
                event="DeleteObjects",
                parameters={"delete": "", "bucketName": "ops-scratch"},
            )
        elif day == date(2026, 10, 7):
            yield self._aws("s3:GetBucketPolicy", SCRATCH, outcome="error", error="NoSuchBucketPolicy")
            yield self._direct("sts:GetCallerIdentity", "")
        elif day == date(2026, 10, 21):  # around the gateway: it logs before and after, and never saw this
            self._start(OPS, f"nightly-{day:%m%d}", day, 2, 14)
            yield self._direct("s3:GetObject", "arn:aws:s3:::payroll-exports/2026/10/salaries.csv")
        elif day == date(2026, 10, 22):  # the same call in both logs, and no id to tell
            seen = self._call("aws", "s3:GetObject", f"{SCRATCH}/reports/2026-10-22.csv", trail=True)
            yield seen
            key = "arn:aws:kms:us-east-1:123456789012:key/1f0c2a7e-5b1d-4c1e-9a52-6d0f3a7be411"
            context = {"encryptionContext": {"aws:s3:arn": seen.resource}, "keyId": key}
            yield self._direct("kms:Decrypt", key, parameters=context, invoked_by="s3.amazonaws.com")
        elif day == date(2026, 10, 28):
            for channel, text in (
                ("*", "disk nearly full"),
                ("#ops", "</script><script>alert(1)</script>"),
                ("#ops", '=HYPERLINK("http://evil.example","log")'),
                ("#ops", "\x1b[31mall clear\x1b[0m"),
                ("#ops", "see invoice\u202efdp.exe"),
            ):
                yield self._call("tools", "post_message", args={"channel": channel, "text": text})
