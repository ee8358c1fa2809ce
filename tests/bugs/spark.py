"""Bugs to plant in reading on a cluster, and in the queries for other engines."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "a record that two batches of a cluster hold counts twice",
        "queries/spark_event.sql",
        "WHERE r.copy = 1 AND",
        "WHERE",
        "tests/logs/test_spark_parts.py",
    ),
    Bug(
        "on a cluster the last copy of a record counts, and not the first",
        "queries/spark_copy.sql",
        "ORDER BY h.file_id, h.position)",
        "ORDER BY h.file_id DESC, h.position)",
        "tests/logs/test_spark_parts.py",
    ),
    Bug(
        "the ledger of a cluster counts copies as accepted",
        "queries/spark_take.sql",
        "accepted - COALESCE(c.records, 0) AS accepted",
        "accepted",
        "tests/logs/test_spark_parts.py",
    ),
    Bug(
        "a cluster reads again what the database knows",
        "queries/spark_copy.sql",
        "CASE WHEN k.id IS NULL THEN 0 ELSE 1 END +",
        "0 +",
        "tests/logs/test_spark_parts.py",
    ),
    Bug(
        "a query for other engines takes every error for a use",
        "tightener/logs/warehouse.py",
        'exp.Literal.string(row["class"])',
        'exp.Literal.string("used")',
        "tests/logs/test_warehouse.py",
    ),
)
