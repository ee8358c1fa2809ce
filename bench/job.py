"""One measured job in a process of its own: prints {"seconds", "peak_mb"} as its last line."""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from tightener import cli, pipeline
from tightener.config import Config
from tightener.policy import document
from tightener.services.catalogue import expand

HERE = Path(__file__).resolve().parent
GATEWAY = {
    "v": "INTEGER", "id": "VARCHAR", "time": "TIMESTAMPTZ", "agent": "VARCHAR", "session": "VARCHAR",
    "on_behalf_of": "VARCHAR", "credential": "VARCHAR", "service": "VARCHAR", "action": "VARCHAR",
    "resource": "VARCHAR",
    "resources": "VARCHAR[]", "branch": "VARCHAR", "args": "JSON", "decision": "VARCHAR",
    "approval": 'STRUCT(state VARCHAR, "by" VARCHAR, "at" TIMESTAMPTZ)', "outcome": "VARCHAR", "error_code": "VARCHAR",
    "request_id": "VARCHAR", "policy_rev": "VARCHAR", "enforced": "BOOLEAN",
}  # fmt: skip
TRAIL = {
    "eventVersion": "VARCHAR", "eventTime": "TIMESTAMP", "eventSource": "VARCHAR", "eventName": "VARCHAR",
    "awsRegion": "VARCHAR", "eventID": "VARCHAR", "requestID": "VARCHAR", "eventType": "VARCHAR",
    "eventCategory": "VARCHAR", "readOnly": "BOOLEAN", "managementEvent": "BOOLEAN", "recipientAccountId": "VARCHAR",
    "errorCode": "VARCHAR", "errorMessage": "VARCHAR", "sourceIPAddress": "VARCHAR", "userAgent": "VARCHAR",
    "requestParameters": "JSON", "resources": "STRUCT(ARN VARCHAR, type VARCHAR, accountId VARCHAR)[]",
    "userIdentity": "STRUCT(type VARCHAR, principalId VARCHAR, arn VARCHAR, accountId VARCHAR, accessKeyId VARCHAR, "
    "userName VARCHAR, invokedBy VARCHAR, sessionContext STRUCT(sessionIssuer STRUCT(type VARCHAR, "
    "principalId VARCHAR, arn VARCHAR, accountId VARCHAR, userName VARCHAR)))",
}  # fmt: skip


def load_gateway(source: Path, folder: Path) -> None:
    """The baseline: every column of the format, typed, into a table of a database file."""
    con = duckdb.connect(str(folder / "bare.duckdb"))
    con.execute(
        "CREATE TABLE line AS SELECT * FROM read_json($path, format = 'newline_delimited', columns = $columns)",
        {"path": str(source), "columns": GATEWAY},
    )
    con.close()


def load_cloudtrail(source: Path, folder: Path) -> None:
    """The baseline, as fast as DuckDB alone goes: typed columns, unstructured, records found by itself."""
    con = duckdb.connect(str(folder / "bare.duckdb"))
    con.execute(
        "CREATE TABLE record AS SELECT unnest(Records, max_depth := 2) FROM read_json($path, format = 'unstructured', "
        "records = true, columns = $columns)",
        {
            "path": f"{source}/**/*.json.gz",
            "columns": {"Records": f"STRUCT({', '.join(f'{k} {v}' for k, v in TRAIL.items())})[]"},
        },
    )
    con.close()


def ingest(source: Path, folder: Path) -> None:
    """Everything on: ledger, duplicates, mapping, outcome classes."""
    project = pipeline.open_project(Config(), folder / "ours.duckdb")
    pipeline.read_logs(project, [str(source)], datetime.now(UTC), lambda _: None)
    project.con.close()


def suggest(source: Path, folder: Path) -> None:
    """Raw lines to the printed, proved diff of one agent."""
    project = pipeline.open_project(Config(), folder / "ours.duckdb")
    pipeline.read_logs(project, [str(source)], datetime.now(UTC), lambda _: None)
    policies = document.load([HERE.parent / "sample_logs" / "policy.yaml"])
    study = pipeline.study(project, policies, "claude-invoice-01")
    proposal = pipeline.propose(project, study)
    print(proposal.diff)
    project.con.close()


JOBS = {"load_gateway": load_gateway, "load_cloudtrail": load_cloudtrail, "ingest": ingest, "suggest": suggest}


def main() -> None:
    """Runs one job and measures it from behind the imports."""
    job, source, folder = JOBS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3])
    expand("s3:*")  # the catalogue package loads lazily: that is start-up too
    pa.array([1])  # and pyarrow, which imports pandas when it is first used
    cli.gather_less()
    started = time.perf_counter()
    job(source, folder)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main()
