"""What an error code says about a permission: services/data/error_class.csv, the first matching row wins."""

from __future__ import annotations

import re
from functools import cache

from tightener.model import Outcome
from tightener.services.catalogue import rows


@cache
def _classes() -> tuple[tuple[re.Pattern[str], Outcome], ...]:
    return tuple(
        (re.compile(".*".join(map(re.escape, row["pattern"].split("*")))), Outcome(row["class"]))
        for row in rows("error_class")
    )


@cache
def error_class(code: str) -> Outcome:
    """`AccessDenied` -> REFUSED, `NoSuchBucketPolicy` -> USED (it passed the authoriser), `Throttling` -> NO_EVIDENCE.

    A code without a row is NO_EVIDENCE: validation may come before authorisation, so it proves neither. The empty code
    means that the call succeeded and is USED.
    """
    if not code:
        return Outcome.USED
    return next((outcome for regex, outcome in _classes() if regex.fullmatch(code)), Outcome.NO_EVIDENCE)


def error_class_sql(code: str) -> str:
    """The same as a SQL expression (DuckDB's) over the expression `code`; the empty code and NULL are NULL."""
    cases = " ".join(
        f"WHEN {code} GLOB '{_quoted(row['pattern'])}' THEN '{row['class']}'" for row in rows("error_class")
    )
    return f"CASE WHEN coalesce({code}, '') = '' THEN NULL {cases} ELSE '{Outcome.NO_EVIDENCE}' END"


def _quoted(pattern: str) -> str:
    """A pattern in which only `*` is special, as GLOB reads it."""
    return re.sub(r"([?\[])", r"[\1]", pattern).replace("'", "''")
