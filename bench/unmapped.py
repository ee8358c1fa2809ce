"""CloudTrail read without its mapping: what the mapping costs is the difference (a line of bench/run.py).

The ledger, the duplicates and the sums are on. Every record is one event, its action as it is logged, on no resource.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from tightener.logs.files import LogFile
from tightener.logs.formats import cloudtrail, cloudtrail_read
from tightener.logs.staging import TRAIL
from tightener.resources import query
from tightener.services.catalogue import rows

EVENTS = """
SELECT file_id, position, 0::USMALLINT AS part, native_id, time, principal, session,
       split_part(event_source, '.', 1) || ':' || event_name AS action, '' AS resource, false AS vague,
       CASE WHEN by_service THEN 'by_service' WHEN error_code <> '' THEN 'refused' ELSE 'used' END AS outcome,
       request_id, indirect, true AS mapped, 0 AS identity, true AS plain
FROM ct_record WHERE reject IS NULL AND idle IS NULL
"""
COUNTS = """
INSERT INTO staged_rejected SELECT file_id, position, reject, time::DATE FROM ct_record WHERE reject IS NOT NULL;
INSERT INTO staged_not_use
SELECT file_id, idle, count(*) FROM ct_record WHERE reject IS NULL AND idle IS NOT NULL GROUP BY ALL;
INSERT INTO staged_file SELECT file_id, count(*), '' FROM ct_record GROUP BY file_id;
"""


def stage(_: cloudtrail.CloudTrail, con: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> pa.Table:
    """In the place of CloudTrail's own way from files to events."""
    kinds = [(row["event_type"], row["reason"]) for row in rows("event_type")]
    con.register("ct_event_type", pa.table(dict(zip(("event_type", "reason"), zip(*kinds, strict=True), strict=True))))
    con.execute(query("stage_cloudtrail_refusal"))
    con.register("ct_record", cloudtrail_read.read(con, files).table)
    con.execute(COUNTS)
    events = con.sql(EVENTS).to_arrow_table(batch_size=cloudtrail_read.ROWS)
    for name in ("ct_record", "ct_event_type"):
        con.unregister(name)
    return events.select(TRAIL.names).cast(TRAIL)
