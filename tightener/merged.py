"""How a policy file's merged pull requests turned out: the realised break rate.

It is counted by every look after merges (watch.py), from the pull requests themselves. The last count is kept in the
database, so that the page of all agents and the next suggestions say it without asking the host.
"""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass
from pathlib import Path

import duckdb

from tightener.tighten.wording import count


@dataclass(frozen=True, slots=True)
class Realised:
    """The merged pull requests of one policy file."""

    path: str  # in the repository
    removals: int  # changes that were merged, in all
    restored: int  # grants that had to be put back, as people agreed by merging
    missed: int  # grants that some refused call needed, restored or not

    @property
    def words(self) -> str:
        """One sentence; '' where nothing was merged yet."""
        if not self.removals:
            return ""
        were = "was" if self.removals == 1 else "were"
        return f"{count(self.removals, 'change')} {were} merged so far, {self.restored:,} had to be restored"


def remember(con: duckdb.DuckDBPyConnection, file: str, found: Realised) -> None:
    """Keeps what was counted about a policy file. What is known is not written again, nothing is not kept."""
    if found != (known(con, file) or Realised(found.path, 0, 0, 0)):
        con.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [_key(file), json.dumps(astuple(found))])


def known(con: duckdb.DuckDBPyConnection, file: str) -> Realised | None:
    """What was counted last about a policy file; None where nothing was merged, or nobody has looked."""
    row = con.execute("SELECT value FROM meta WHERE key = ?", [_key(file)]).fetchone()
    return Realised(*json.loads(row[0])) if row else None


def said(con: duckdb.DuckDBPyConnection, file: str) -> str:
    """The same as a sentence, '' where there is nothing to say."""
    found = known(con, file)
    return found.words if found else ""


def _key(file: str) -> str:
    return f"merged:{Path(file).resolve()}"
