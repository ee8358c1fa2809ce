"""What `ingest`, `status`, `agents` and `verify` answer: one document each, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from tightener.config import Config
from tightener.decided import Decision
from tightener.logs import callers, digests, pruning, usage, usage_files
from tightener.logs.formats.field_map import TryResult
from tightener.logs.ingest import IngestReport
from tightener.policy.verify import SetVerdict
from tightener.report.defuse import visible
from tightener.report.terminal import Printer
from tightener.report.words import size
from tightener.resources import query
from tightener.tighten.wording import count

_SUM = ("records", "accepted", "duplicate", "rejected", "not_use", "unmapped")
_MOST = 10


def ingest_document(done: IngestReport) -> dict[str, Any]:
    """`tightener.ingest/1`."""
    return {
        "schema": "tightener.ingest/1",
        "sources": [
            {
                "source": s.source,
                "read": s.records,
                "accepted": s.accepted,
                "duplicate": s.duplicate,
                "rejected": s.rejected,
                "not_use": s.not_use,
                "unmapped": s.unmapped,
            }
            for s in done.sources
        ],
        "files_read": len(done.files),
        "files_known": done.already_read,
        "problems": [{"path": p.path, "problem": p.message} for p in done.problems],
    }


def ingest_words(out: Printer, done: IngestReport) -> None:
    """The sum by source, then every problem on a line."""
    known = f", {done.already_read:,} known already" if done.already_read else ""
    out.line(f"{len(done.files):,} files read{known}")
    if done.sources:
        out.table(
            ("source", "read", "= accepted", "+ duplicate", "+ rejected", "+ not a use", "(unmapped)"),
            [
                (s.source, *(f"{n:,}" for n in (s.records, s.accepted, s.duplicate, s.rejected, s.not_use, s.unmapped)))
                for s in done.sources
            ],
        )
    for p in done.problems:
        out.line(f"- {p.path}: {p.message}")
    if any(s.rejected for s in done.sources):
        out.line("why records were rejected: tightener status")


def try_document(shown: TryResult) -> dict[str, Any]:
    """`tightener.try/1`."""
    return {
        "schema": "tightener.try/1",
        "format": shown.format,
        "records": shown.records,
        "rows": [dict(row) for row in shown.rows],
        "missing": list(shown.missing),
    }


def try_words(out: Printer, shown: TryResult) -> None:
    """The first rows as read, one field a line, and what is missing."""
    out.line(f"read as {shown.format}: {shown.records:,} records looked at; nothing is stored")
    for i, row in enumerate(shown.rows, start=1):
        out.line()
        out.line(f"row {i}", style="bold")
        out.fields([(str(name), visible(str(value))) for name, value in row.items()])
    if shown.missing:
        out.line()
        out.line("What is missing", style="bold")
        for text in shown.missing:
            out.line(f"- {text}")


def status(con: duckdb.DuckDBPyConnection, config: Config) -> dict[str, Any]:
    """`tightener.status/1`. Raises NoEvidence for an empty database.

    Files of which no record could be read are an answer, too: then there is no first and no last day.
    """
    unread = (
        con.execute("SELECT count(*) FROM log_file").fetchone() != (0,)
        and not con.execute("SELECT 1 FROM logged LIMIT 1").fetchone()
    )
    covered = None if unread else usage.span(con)
    names = ("source", "files", *_SUM, "first", "last", "files_with_problems")
    sources = [dict(zip(names, row, strict=True)) for row in con.execute(query("status")).fetchall()]
    for source in sources:
        source["first"], source["last"] = (
            None if t is None else f"{t.isoformat()}Z" for t in (source["first"], source["last"])
        )
        source["missing_days"] = _missing(con, source["source"])
    return {
        "schema": "tightener.status/1",
        "first_day": covered.first.isoformat() if covered else None,
        "last_day": covered.last.isoformat() if covered else None,
        "sources": sources,
        "dropped": _dropped(con),
        "usage_files": _usage_files(con),
        "agents": sorted({a["agent"] for a in agents(con, config)["principals"] if a["agent"]}),
        "rejected": [
            dict(zip(("file", "reason", "records", "first_position"), row, strict=True))
            for row in con.execute(query("rejected")).fetchall()
        ],
        "unmapped": [
            {"service": service, "event": event, "count": count}
            for service, event, count, *_ in con.execute(query("unmapped")).fetchall()
        ],
        "problems": [
            {"file": uri, "problem": problem}
            for uri, problem in con.execute(
                "SELECT uri, problem FROM log_file WHERE problem <> '' ORDER BY uri"
            ).fetchall()
        ]
        + [{"file": p.path, "problem": p.message} for p in digests.problems(con)]
        + [{"file": uri, "problem": reason} for uri, reason in con.execute(query("unread")).fetchall()],
    }


def _dropped(con: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """The days of which only the usage is kept."""
    found = pruning.pruned(con)
    if found is None:
        return None
    return {
        "days": found.days,
        "first_day": found.first.isoformat(),
        "last_day": found.last.isoformat(),
        "events": found.events,
        "days_with_later_events": [day.isoformat() for day in found.late],
    }


def _usage_files(con: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """The usage files: where, how many days, how many bytes."""
    folder = usage_files.folder(con)
    if folder is None:
        return None
    sizes = [file.stat().st_size for file in folder.glob(f"day=*/{usage_files.NAME}")]
    return {"folder": str(folder), "days": len(sizes), "bytes": sum(sizes)}


def _missing(con: duckdb.DuckDBPyConnection, source: str) -> list[str]:
    """The days between a source's first and last event on which it has none."""
    days = [
        d
        for (d,) in con.execute(
            "SELECT DISTINCT CAST(time AS DATE) AS d FROM logged WHERE source = ? ORDER BY d", [source]
        ).fetchall()
    ]
    if not days:
        return []
    every = (days[0] + timedelta(days=i) for i in range((days[-1] - days[0]).days))
    present = set(days)
    return [d.isoformat() for d in every if d not in present]


def _near(path: str) -> str:
    """A file as a reader in this folder would type it; --json keeps the whole path."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if "://" not in path and Path(path).is_relative_to(here) else path


def status_words(out: Printer, found: Mapping[str, Any]) -> None:
    """`tightener status` for people."""
    days = f"logs from {found['first_day']} to {found['last_day']}"
    out.line(days if found["first_day"] else "the files that were read hold no event", style="bold")
    out.table(
        ("source", "files", "read", "= accepted", "+ duplicate", "+ rejected", "+ not a use", "(unmapped)"),
        [(s["source"], *(f"{s[k]:,}" for k in ("files", *_SUM))) for s in found["sources"]],
    )
    for s in found["sources"]:
        days = s["missing_days"]
        if days:
            more = f" and {len(days) - _MOST} more" if len(days) > _MOST else ""
            out.line(f"{s['source']} has no record on {', '.join(days[:_MOST])}{more}")
    if found["dropped"]:
        d = found["dropped"]
        late = d["days_with_later_events"]
        more = f" and {len(late) - _MOST} more" if len(late) > _MOST else ""
        came = f"; later, more came of {', '.join(late[:_MOST])}{more}" if late else ""
        out.line(
            f"only the usage is kept of {count(d['days'], 'day')}, {d['first_day']} to {d['last_day']}:"
            f" {count(d['events'], 'event')} dropped{came}"
        )
    if found["usage_files"]:
        files = found["usage_files"]
        out.line(f"usage: {count(files['days'], 'day')}, {size(files['bytes'])} in {_near(files['folder'])}")
    out.line(f"agents: {', '.join(found['agents']) or 'none'}")
    for title, rows in (
        (
            "Rejected",
            [
                f"{r['records']:,} in {_near(r['file'])} (first at {r['first_position']}): {r['reason']}"
                for r in found["rejected"]
            ],
        ),
        ("Unmapped", [f"{u['count']:,} {u['service']} {visible(u['event'])}" for u in found["unmapped"]]),
        ("Files with problems", [f"{_near(p['file'])}: {p['problem']}" for p in found["problems"]]),
    ):
        if rows:
            out.line()
            out.line(title, style="bold")
            for text in rows[:_MOST]:
                out.line(f"- {text}")
            if len(rows) > _MOST:
                out.line(f"- and {len(rows) - _MOST:,} more (--json lists them)")


LOST = (
    "single events: `explain`, `export events` and samples in reports show none of these days",
    "sessions and bursts: they are at least so many",
    "jobs: a day's use that several sessions share may be any job's",
    "AWS: which layer refused a call",
)


def prune_document(plan: pruning.Plan, keep: int, after: int | None) -> dict[str, Any]:
    """`tightener.prune/1`. `after` are the bytes that the database takes now; None = nothing was done."""
    return {
        "schema": "tightener.prune/1",
        "dry_run": after is None,
        "keep_events": keep,
        "kept_since": plan.before.isoformat(),
        "events": plan.events,
        "bytes_before": plan.bytes,
        "bytes_after": after,
        "days": [{"day": day.isoformat(), "events": events} for day, events in plan.days],
        "no_longer_shown": list(LOST) if plan.days else [],
    }


def prune_words(out: Printer, plan: pruning.Plan, keep: int, after: int | None) -> None:
    """`tightener prune` for people."""
    if not plan.days:
        out.line(f"nothing to drop: no event is older than {plan.before} (keep_events: {keep})")
        return
    days = f"{count(len(plan.days), 'day')}, {plan.days[0][0]} to {plan.days[-1][0]}"
    done = "would be dropped" if after is None else "dropped"
    out.line(f"{count(plan.events, 'event')} of {days}, {done} (keep_events: {keep})")
    now = "" if after is None else f", {size(after)} now"
    out.line(f"the database takes {size(plan.bytes)}{now}")
    if after is not None and after >= plan.bytes:
        out.line("that is no less: where a day repeats few requests, their usage is as long as the events")
    out.line("their usage is kept: statuses, counts, days, first and last uses stay as they are")
    out.line()
    out.line("What could no longer be shown" if after is None else "What can no longer be shown", style="bold")
    for text in LOST:
        out.line(f"- {text}")


def decisions_document(found: Sequence[Decision]) -> dict[str, Any]:
    """`tightener.exceptions/1`."""
    return {
        "schema": "tightener.exceptions/1",
        "decisions": [
            {
                "kind": d.kind,
                "agent": d.agent,
                "about": d.about,
                "reason": d.reason,
                "owner": d.owner,
                "until": d.until.isoformat(),
                "state": d.state.value,
            }
            for d in found
        ],
    }


def decisions_words(out: Printer, found: Sequence[Decision]) -> None:
    """`tightener exceptions` for people."""
    if not found:
        out.line("nobody has decided anything: there are no `exceptions:` and no `rejected:` in tightener.yaml")
        return
    out.table(
        ("", "agent", "about", "reason", "owner", "until", "state"),
        [
            (d.kind, visible(d.agent), visible(d.about), visible(d.reason), visible(d.owner), str(d.until), d.state)
            for d in found
        ],
    )


def agents(con: duckdb.DuckDBPyConnection, config: Config) -> dict[str, Any]:
    """`tightener.agents/1`: who acted, which agent each is and how that is known; which credentials are shared."""
    rows, shared = callers.rows(con, config.owner_of)
    return {
        "schema": "tightener.agents/1",
        "principals": [
            {
                "agent": r.owner.agent,
                "principal": r.identity.role,
                "how": r.owner.how,
                "claimed_by": list(r.owner.rivals),
                "source_identity": r.identity.source_identity,
                "sign_in_session": r.identity.sign_in_session,
                "agentcore_runtime": r.runtime,
                "jwt_sub": r.identity.jwt_sub,
                "jwt_client": r.identity.jwt_client,
                "session_name": r.identity.session_name,
                "access_key": r.identity.access_key,
                "by_service": r.by_service,
                "events": r.events,
                "sessions": r.sessions,
                "first": r.first,
                "last": r.last,
            }
            for r in rows
        ],
        "shared_credentials": [
            {
                "kind": s.kind,
                "credential": s.credential,
                "agents": list(s.agents),
                "others": s.others,
                "contested": s.contested,
            }
            for s in shared
        ],
        "warnings": [s.sentence for s in shared],
    }


_SHOWN = (
    ("principal", ""),
    ("source_identity", "source identity "),
    ("sign_in_session", "MCP sign-in "),
    ("jwt_sub", "token sub "),
    ("jwt_client", "token client "),
    ("session_name", "session "),
    ("access_key", "key "),
)


def _caller(row: Mapping[str, Any]) -> str:
    """What identifies one caller, on one line."""
    if row["by_service"]:
        return "AWS services, for themselves"
    parts = [f"{words}{visible(row[key])}" for key, words in _SHOWN if row[key]]
    return ", ".join([*parts, *(["AgentCore runtime"] if row["agentcore_runtime"] else [])])


def _how(row: Mapping[str, Any]) -> str:
    if row["claimed_by"]:
        return f"claimed by {' and '.join(row['claimed_by'])} ({row['how']})"
    return row["how"] or "-"


def agents_words(out: Printer, found: Mapping[str, Any]) -> None:
    """`tightener agents` for people. Where nobody is an agent, the columns on agents have nothing to say."""
    known = any(r["agent"] or r["claimed_by"] for r in found["principals"])
    out.table(
        (*(["agent"] if known else []), "caller", *(["how"] if known else []), "events", "sessions", "last"),
        [
            (
                *([r["agent"] or "(none)"] if known else []),
                _caller(r) or ("-" if r["agent"] else "nobody that the log names"),
                *([_how(r)] if known else []),
                f"{r['events']:,}",
                f"{r['sessions']:,}",
                r["last"][:10],
            )
            for r in found["principals"]
        ],
    )
    if not known:
        out.line()
        out.line("None of them is known to be an agent: say which are, and whose, under `agents:` in tightener.yaml")
    if found["warnings"]:
        out.line()
        out.line("Shared credentials", style="bold")
        for text in found["warnings"]:
            out.line(f"- {visible(text)}")


def verify_document(found: SetVerdict) -> dict[str, Any]:
    """The document that the contract for `tightener verify` fixes, with a schema."""
    return {
        "schema": "tightener.verify/1",
        "verdict": found.kind,
        "agents": [
            {
                "agent": one.agent,
                "verdict": one.verdict.kind,
                "reason": one.verdict.reason,
                "witness": None
                if one.verdict.witness is None
                else {
                    "service": one.verdict.witness.service,
                    "action": one.verdict.witness.action,
                    "resource": one.verdict.witness.resource,
                    "branch": one.verdict.witness.branch,
                    "old": one.verdict.witness.old.value,
                    "new": one.verdict.witness.new.value,
                    "at": one.verdict.witness.moment.isoformat(),
                },
            }
            for one in found.agents
        ],
    }


def verify_words(out: Printer, found: SetVerdict) -> None:
    """`tightener verify` for people: a line an agent, with the witness where it fails."""
    for one in found.agents:
        seen = one.verdict.witness
        if one.verdict.kind == "contained":
            out.line(f"{one.agent}: contained, never wider than before")
        elif seen is not None:
            request = " ".join(p for p in (seen.service, seen.action, seen.resource, seen.branch) if p)
            out.line(f"{one.agent}: wider: {visible(request)} was {seen.old.value}, becomes {seen.new.value}")
        else:
            out.line(f"{one.agent}: not proven: {one.verdict.reason}")
    out.line(f"verdict: {found.kind}", style="bold")
