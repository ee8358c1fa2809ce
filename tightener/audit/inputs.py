"""What a pack was made from: the ledger's log files with their sums, and all that is not in the logs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from tightener.logs.s3.source import SCHEME
from tightener.resources import query

SUM = ("read", "accepted", "duplicate", "rejected", "not_a_use")


@dataclass(frozen=True, slots=True)
class Terms:
    """The question, down to what neither logs nor policies tell: equal terms on equal inputs give equal packs."""

    agent: str
    days: int
    min_age: int
    as_of: date  # the last day of the window
    principals: tuple[str, ...]
    granted_since: Mapping[tuple[int, str], date | None]  # (rule index, action) -> first day; None = unknown

    def document(self) -> dict[str, Any]:
        """The terms as the manifest has them."""
        return {
            "agent": self.agent,
            "window_days": self.days,
            "min_age_days": self.min_age,
            "as_of": self.as_of.isoformat(),
            "principals": list(self.principals),
            "granted_since": [
                {"rule": rule, "action": action, "day": day.isoformat() if day else None}
                for (rule, action), day in sorted(self.granted_since.items())
            ],
        }

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Terms:
        """The terms from a manifest. Raises KeyError, TypeError or ValueError for what `document` never writes."""
        return cls(
            agent=str(said["agent"]),
            days=int(said["window_days"]),
            min_age=int(said["min_age_days"]),
            as_of=date.fromisoformat(said["as_of"]),
            principals=tuple(map(str, said["principals"])),
            granted_since={
                (int(one["rule"]), str(one["action"])): None if one["day"] is None else date.fromisoformat(one["day"])
                for one in said["granted_since"]
            },
        )


def logs(con: duckdb.DuckDBPyConnection, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Every log file that was read, in reading order, with its digest and its sum.

    Names are relative to the folder that holds them all, so that the pack says the same wherever the logs lie; or they
    are these, where a pack is made again of files that lie elsewhere.
    """
    rows = con.execute(query("ledger")).fetchall()
    names = names or relative([row[0] for row in rows])
    return [
        {
            "name": name,
            "format": kind,
            "source": source,
            "size": size,
            "sha256": digest,
            **dict(zip(SUM, sums, strict=True)),
            "first": first.isoformat() + "Z" if first else None,
            "last": last.isoformat() + "Z" if last else None,
            "problem": problem,
        }
        for name, (_, kind, source, size, digest, *sums, first, last, problem) in zip(names, rows, strict=True)
    ]


def trail_digests(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Every digest file of CloudTrail's that was read, with the sha256 of its decompressed bytes ('' = unreadable)."""
    rows = con.execute(query("ledger_digests")).fetchall()
    found = zip(relative([uri for uri, _, _ in rows]), rows, strict=True)
    return [{"name": name, "content_sha256": content, "problem": problem} for name, (_, content, problem) in found]


def counts(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The reconciling sum by source: read = accepted + duplicate + rejected + not a use; unmapped are accepted ones."""
    return [
        {"source": source, "files": files, **dict(zip(SUM, sums, strict=True)), "unmapped": unmapped}
        for source, files, *sums, unmapped, _, _, _ in con.execute(query("status")).fetchall()
    ]


def relative(paths: Sequence[str]) -> list[str]:
    """The absolute paths as seen from the deepest folder that holds them all, with `/` between their parts.

    Beside files, objects in S3 are named by bucket and key, below `s3/`.
    """
    if not paths:
        return []
    local = [path for path in paths if not path.startswith(SCHEME)]
    if 0 < len(local) < len(paths):
        files = dict(zip(local, relative(local), strict=True))
        return [files.get(path) or f"s3/{path.removeprefix(SCHEME)}" for path in paths]
    base = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120 - ledger paths stay text
    return [os.path.relpath(path, base).replace(os.sep, "/") for path in paths]
