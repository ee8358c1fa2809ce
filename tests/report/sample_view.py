"""A made-up but lifelike view, a large one and a hostile one. Loaded by path from the two conftest.py files."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from tightener.report.fleet import AgentRow, Finding, FleetView, runs
from tightener.report.view import (
    AttemptRow,
    CheckRow,
    CoverageRow,
    GrantRow,
    ReachRow,
    ReportView,
    SuggestionRow,
    Totals,
    TriedRow,
)

FIRST, LAST = date(2026, 2, 6), date(2026, 5, 6)
POLICY = "policies/invoice-reader.yaml"
SQL = """-- question: which grants were used?
SELECT action, count(*) AS uses
FROM event
WHERE agent = $agent AND time < $end
GROUP BY action
ORDER BY action;
"""
HOSTILE = (
    "</script><script>alert(1)</script>",
    '=HYPERLINK("http://evil.example","total")',
    "\x1b[2J\x1b[31mred\x07",
    "invoice\u202egpj.exe",
    '<img src=x onerror="alert(1)">',
    "{{ 7 * 7 }}{% raw %}",
    "ad\u200bmin\ufeff\u00a0",
    "' onmouseover='alert(1)",
    "]]><!-- --!>",
    "lone \ud800 surrogate",
)


def _grant(number: int, action: str, status: str, **more: object) -> GrantRow:
    values: dict[str, object] = {
        "id": f"g{number}",
        "effect": "allow",
        "service": "aws",
        "action": action,
        "resources": ("arn:aws:s3:::acme-invoices/*",),
        "branches": (),
        "status": status,
        "place": f"{POLICY}:{10 + number}",
    }
    return GrantRow(**(values | more))  # type: ignore[arg-type]


def lifelike() -> ReportView:
    used = {"first_used": FIRST, "last_used": LAST}
    grants = (
        _grant(
            1,
            "s3:GetObject",
            "exercised",
            uses=18204,
            days_active=88,
            sessions=412,
            sample_events=("gateway-2026-05-06.jsonl:1841", "cloudtrail-0506.json.gz:77"),
            **used,
        ),
        _grant(
            2,
            "s3:ListBucket",
            "exercised",
            uses=2210,
            days_active=88,
            sessions=397,
            resources=("arn:aws:s3:::acme-invoices",),
            **used,
        ),
        _grant(
            3,
            "s3:PutObject",
            "unexercised",
            verdict="remove: 84 days at work; month-end 2/2; the log alone: at most 66% for a use in 30 days",
        ),
        _grant(4, "s3:DeleteObject", "unexercised"),
        _grant(5, "s3:DeleteBucket", "unexercised", resources=("arn:aws:s3:::acme-*",)),
        _grant(
            6,
            "kms:Decrypt",
            "unobservable",
            resources=("arn:aws:kms:eu-west-1:111122223333:key/*",),
            note="no trail records this key's data events",
        ),
        _grant(
            7,
            "secretsmanager:GetSecretValue",
            "exercised",
            uses=41,
            days_active=12,
            sessions=12,
            first_used=date(2026, 3, 1),
            last_used=date(2026, 5, 2),
            resources=("arn:aws:secretsmanager:eu-west-1:111122223333:secret:invoices/*",),
            sample_events=("cloudtrail-0502.json.gz:9",),
        ),
        _grant(8, "iam:PassRole", "unexercised", resources=("*",)),
        _grant(
            9,
            "contents:write",
            "exercised",
            service="github",
            resources=("acme/invoice-reader",),
            branches=("agent/*", "fix/*"),
            uses=96,
            approved_uses=4,
            days_active=31,
            sessions=60,
            sample_events=("gateway-2026-05-05.jsonl:12",),
            **used,
        ),
        _grant(
            10,
            "pull_requests:merge",
            "exercised",
            effect="require_approval",
            service="github",
            resources=("acme/invoice-reader",),
            branches=("main",),
            uses=7,
            approved_uses=7,
            days_active=6,
            sessions=6,
            first_used=date(2026, 3, 3),
            last_used=date(2026, 4, 28),
        ),
        _grant(
            11,
            "actions:write",
            "too_new",
            service="github",
            resources=("acme/invoice-reader",),
            note="granted 6 days ago, judged from day 30",
        ),
        _grant(12, "repo:admin", "unexercised", service="github", resources=("acme/*",)),
        _grant(
            13,
            "get",
            "exercised",
            service="kubernetes",
            resources=("prod/pods/*",),
            uses=640,
            days_active=44,
            sessions=51,
            **used,
        ),
        _grant(
            14,
            "delete",
            "excepted",
            service="kubernetes",
            resources=("prod/pods/invoice-*",),
            note="kept until 2026-09-30 by platform-team: disaster drill",
        ),
        _grant(15, "list", "exercised", service="kubernetes", resources=("prod/pods/*",), covered_by=f"{POLICY}:23"),
        _grant(16, "iam:*", "unexercised", effect="deny", resources=(), note="deny rules are never dropped"),
    )
    suggestions = (
        SuggestionRow(
            "s1",
            "Drop s3:PutObject, s3:DeleteObject and s3:DeleteBucket",
            "The agent only reads invoices. It never wrote or deleted one in 90 fully read days.",
            "18,204 reads and no write in 90 fully read days of two sources.",
            f"{POLICY}:12",
            "drop-action",
            5,
            2,
        ),
        SuggestionRow(
            "s2",
            "Drop iam:PassRole on every role",
            "It lets the agent hand any role to a service, and was never used.",
            "No event in 90 days; CloudTrail records it as part of the call that passes the role.",
            f"{POLICY}:18",
            "drop-rule",
            1,
            0,
        ),
        SuggestionRow(
            "s3",
            "Drop repository administration for all of acme",
            "The agent works in one repository and never administered any.",
            "96 writes to acme/invoice-reader, none to the other 41 repositories.",
            f"{POLICY}:22",
            "drop-rule",
            1,
            0,
        ),
    )
    diff = f"""--- a/{POLICY}
+++ b/{POLICY}
@@ -9,12 +9,6 @@
       - service: aws
         # the nightly reconciliation reads these
-        actions: [s3:GetObject, s3:ListBucket, s3:PutObject, s3:DeleteObject, s3:DeleteBucket]
+        actions: [s3:GetObject, s3:ListBucket]
         resources: ["arn:aws:s3:::acme-invoices", "arn:aws:s3:::acme-invoices/*"]
-      - service: aws
-        actions: [iam:PassRole]
-        resources: ["*"]
       - service: github
         actions: [contents:write]
         resources: [acme/invoice-reader]
"""
    return ReportView(
        agent="invoice-reader",
        sentence="invoice-reader used 7 of its 15 granted actions in the last 90 days. "
        "Three suggestions remove 5 of them and lose nothing that it did.",
        window_first=FIRST,
        window_last=LAST,
        as_of=date(2026, 5, 7),
        tool_version="0.1.0",
        policy_path=POLICY,
        policy_digest="9f2b6c1e4d8a7035be21c94f0d6e8a1b3c5d7f90e2a4b6c8d0f1e3a5b7c9d1e3",
        verdict="proved",
        proof="The proposal is never wider than the policy in force, over all requests, not a sample.",
        replayed=21198,
        replay_lost=0,
        totals=Totals(read=31406, accepted=21644, duplicate=9120, rejected=12, not_use=630, unmapped=38),
        grants=grants,
        suggestions=suggestions,
        diff=diff,
        coverage=(
            CoverageRow("gateway", 90, 0, 0, "f" * 90),
            CoverageRow(
                "cloudtrail",
                83,
                3,
                4,
                "f" * 40 + "nnnn" + "f" * 20 + "ppp" + "f" * 23,
                "four days have no file: 2026-03-18 to 2026-03-21",
            ),
        ),
        score=(71.4, 8.2),
        reach=(
            ReachRow("allow", "read", 41, 2, 2),
            ReachRow("allow", "delete", 14, 0, 0),
            ReachRow("require_approval", "delete", 0, 1, 1),
        ),
        scopes=(("any", 3, 0), ("prefix", 1, 4)),
        checklist=(
            CheckRow("no wildcard actions"),
            CheckRow("no IAM actions", ("line 12, aws `iam:PassRole`: no log shows this action",)),
        ),
        tried=(
            TriedRow(
                "no change",
                3,
                18_204,
                18_204,
                0.9998,
                1.0,
                0,
                412,
                0,
                1.4,
                48,
                21,
                16,
                (("read", 6), ("write", 8), ("delete", 2)),
            ),
            TriedRow(
                "exact list",
                3,
                18_204,
                9_102,
                0.4927,
                0.5073,
                9_102,
                412,
                380,
                0.7,
                24,
                0,
                8,
                (("read", 4), ("write", 4)),
            ),
            TriedRow(
                "tightener",
                3,
                18_204,
                18_203,
                0.9997,
                0.9999,
                1,
                412,
                1,
                1.4,
                30,
                3,
                10,
                (("read", 5), ("write", 4), ("delete", 1)),
            ),
        ),
        tried_on=("2026-04-07 to 2026-05-06, learnt on 90 days before; policy: of 2026-01-02 (0123456789)",),
        removal="the gates alone decide (days at work, age, month-ends): "
        "too few agents to calibrate a probability (2 others, 59 needed)",
        kept=("repo:admin: granted for 61 of 90 days; will suffice on 2026-06-04",),
        stays=("line 8, git `clone`: `acme/*`, as granted: what is used there keeps growing (new ones on 2026-05-02)",),
        not_seen=(
            "kms:Decrypt: no ingested trail records the data events of this key.",
            "CloudTrail has no file for 2026-03-18 to 2026-03-21: AWS calls of these four days were not seen.",
            "38 accepted records map to no action. Grants that they might have used are not called unexercised.",
        ),
        refused=(
            AttemptRow(
                "aws",
                "s3:GetObject",
                "arn:aws:s3:::acme-payroll/2026/salaries.csv",
                "",
                14,
                date(2026, 4, 2),
                date(2026, 4, 19),
                ("gateway-2026-04-02.jsonl:551",),
            ),
            AttemptRow(
                "github",
                "contents:write",
                "acme/invoice-reader",
                "main",
                3,
                date(2026, 3, 3),
                date(2026, 3, 9),
                ("gateway-2026-03-03.jsonl:90",),
                "gateway deny",
            ),
        ),
        around_gateway=(
            AttemptRow(
                "aws",
                "sts:GetCallerIdentity",
                "",
                "",
                2,
                date(2026, 4, 30),
                date(2026, 4, 30),
                ("cloudtrail-0430.json.gz:118",),
            ),
        ),
        sql=(
            (
                "grants_used",
                SQL,
            ),
        ),
        usage_by_day=tuple(
            (FIRST + timedelta(i), (i * 7919) % 211 + (140 if i % 7 < 5 else 20))
            for i in range(90)
            if i not in (40, 41)
        ),
        rerun=("tightener report --agent invoice-reader --policy policies/invoice-reader.yaml --as-of 2026-05-07",),
    )


def large(count: int = 2000) -> ReportView:
    grants = tuple(
        _grant(
            i,
            f"service{i % 40}:DescribeSomeThings{i}",
            ("unexercised", "exercised", "unobservable", "unexercised", "too_new")[i % 5],
            service="aws",
            resources=(f"arn:aws:service{i % 40}:eu-west-1:111122223333:thing/team-{i % 17}/*",),
            **(
                {
                    "uses": i,
                    "days_active": 9,
                    "sessions": 3,
                    "first_used": FIRST,
                    "last_used": LAST,
                    "sample_events": (f"gateway.jsonl:{i}",),
                }
                if i % 5 == 1
                else {}
            ),
        )
        for i in range(count)
    )
    return replace(lifelike(), grants=grants)


def hostile() -> ReportView:
    """Every text that could come out of a log or a policy is hostile."""
    view = lifelike()
    texts = HOSTILE
    return replace(
        view,
        agent=texts[0],
        sentence=" ".join(texts),
        policy_path=texts[4],
        proof=texts[2],
        grants=tuple(
            replace(
                grant,
                action=texts[i % len(texts)],
                service=texts[(i + 1) % len(texts)],
                resources=texts,
                branches=(texts[3],),
                note=texts[i % len(texts)],
                verdict=texts[(i + 2) % len(texts)],
                covered_by=texts[0],
                sample_events=texts,
                place=texts[7],
            )
            for i, grant in enumerate(view.grants)
        ),
        suggestions=tuple(SuggestionRow(f"s{i}", text, text, text, text, text, 1, 0) for i, text in enumerate(texts)),
        diff="".join(f"--- {text}\n@@ {text}\n+{text}\n-{text}\n" for text in texts),
        coverage=tuple(replace(view.coverage[0], source=text, note=text) for text in texts),
        reach=tuple(ReachRow("allow", text, 1, 0, 0) for text in texts),
        scopes=tuple((text, 1, 0) for text in texts),
        checklist=tuple(CheckRow(text, (text,)) for text in texts),
        tried=tuple(replace(view.tried[0], name=text) for text in texts),
        tried_on=texts,
        removal=texts[1],
        kept=texts,
        stays=texts,
        not_seen=texts,
        refused=tuple(AttemptRow(text, text, text, text, 1, FIRST, LAST, (text,), text) for text in texts),
        ungranted=tuple(AttemptRow(text, text, text, text, 1, FIRST, LAST, (text,), text) for text in texts),
        sql=tuple((text, text) for text in texts),
        rerun=texts,
    )


def bare() -> ReportView:
    """An agent without grants, uses, logs or suggestions, whose proof failed."""
    return ReportView(
        "idle",
        "idle did nothing.",
        FIRST,
        FIRST,
        FIRST,
        "0.1.0",
        "p.yaml",
        "00",
        "failed",
        "no solver answer",
        0,
        0,
        Totals(1, 0, 0, 0, 0, 0),
    )


def _found(agent: str, day: date, number: int, state: str = "proved") -> Finding:
    counts = (10 + number % 90, number % 31, number % 7, number % 5, number % 3)
    silent = state != "proved"
    score = None if silent else round(number * 7.3 % 100, 1)
    return Finding(
        day,
        POLICY,
        agent,
        sum(counts),
        *counts,
        score,
        None if silent else round((score or 0) / 3, 1),
        0.0 if silent else 10.0 + number % 13,
        0 if silent else number % 4,
        state,
    )


def fleet(names: tuple[str, ...] = ("invoice-reader", "ops", "report-writer", "silent"), weeks: int = 3) -> FleetView:
    """A fleet that was looked at once a week; the last of its agents was never seen, the one before it has failed."""
    states = ["proved"] * max(len(names) - 2, 1) + ["failed", "no_evidence"]
    past = [
        _found(name, LAST - timedelta(7 * week), 3 * number + week)
        for week in range(1, weeks)
        for number, name in enumerate(names[: len(names) - week % 2])
    ]
    now = [
        _found(name, LAST, 3 * number, state) for number, (name, state) in enumerate(zip(names, states, strict=False))
    ]
    week_before = LAST - timedelta(7)
    return FleetView(
        first=FIRST,
        last=LAST,
        days=90,
        tool_version="0.1.0",
        agents=tuple(
            AgentRow(
                one,
                next((old for old in past if (old.day, old.agent) == (week_before, one.agent)), None),
                f"agents/acme-agent-{number:05}.html" if one.state == "proved" else "",
                "" if one.state == "proved" else f"why {one.agent} has no page",
            )
            for number, one in enumerate(now)
        ),
        runs=runs([*past, *now]),
        gone=("gone-agent",) if weeks > 1 else (),
        merged=("policies/agents.yaml: 41 changes were merged so far, 1 had to be restored",) if weeks > 1 else (),
        sql=(("trend", SQL),),
    )


def hostile_fleet() -> FleetView:
    """Agents with names that nobody should be hurt by."""
    return replace(fleet((*HOSTILE, "x" * 3000, "last")), gone=HOSTILE, merged=HOSTILE)


def large_fleet() -> FleetView:
    """2,000 agents, each of which has changed since the run before."""
    return fleet(tuple(f"acme-agent-{number:05}" for number in range(2000)))
