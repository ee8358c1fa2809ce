"""What `ingest --plan` answers: one document, and the words for it."""

from __future__ import annotations

from typing import Any

from tightener.logs.planned import PlanReport
from tightener.report.terminal import Printer


def document(found: PlanReport) -> dict[str, Any]:
    """`tightener.plan/1`."""
    return {
        "schema": "tightener.plan/1",
        "sources": [
            {
                "source": one.where,
                "objects": one.objects,
                "bytes": one.size,
                "known": one.known,
                "list_requests": one.lists,
                "get_requests": one.gets,
            }
            for one in found.sources
        ],
        "problems": [{"path": p.path, "problem": p.message} for p in found.problems],
    }


def words(out: Printer, found: PlanReport) -> None:
    """What would be read and asked for, by source, then every problem on a line."""
    out.table(
        ("source", "to read", "bytes", "known", "LIST", "GET"),
        [
            (one.where, *(f"{n:,}" for n in (one.objects, one.size, one.known, one.lists, one.gets)))
            for one in found.sources
        ],
    )
    out.line("nothing was fetched or stored; the reading lists once more what was listed for this")
    for p in found.problems:
        out.line(f"- {p.path}: {p.message}")
