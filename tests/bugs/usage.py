"""Bugs to plant in usage files and dropped days."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "a call that another line counted is counted again once its day is dropped",
        "queries/own_event.sql",
        "WHERE t.counted_for <> who AND NOT EXISTS (",
        "WHERE NOT EXISTS (",
        "tests/logs/test_pruning.py",
    ),
    Bug(
        "what comes again to a dropped day is counted twice",
        "queries/ingest_finish.sql",
        "AS p USING (day, id);",
        "AS p USING (day, id) WHERE false;",
        "tests/logs/test_pruning.py",
    ),
    Bug(
        "a dropped day counts for one use a request",
        "queries/request.sql",
        "sum(uses)::BIGINT AS uses,",
        "count(*) AS uses,",
        "tests/logs/test_pruning.py",
    ),
    Bug(
        "a late event leaves its day's usage file as it was",
        "queries/ingest_finish.sql",
        "SELECT DISTINCT CAST(time AS DATE) FROM staged_request WHERE time <= $latest\n",
        "SELECT DISTINCT CAST(time AS DATE) FROM staged_request WHERE false\n",
        "tests/logs/test_usage_files.py",
    ),
    Bug(
        "a container's limit of memory is not looked at",
        "tightener/logs/limits.py",
        "                found = min(found, said)\n",
        "                found = max(found, said)\n",
        "tests/logs/test_limits.py",
    ),
)
