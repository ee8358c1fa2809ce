"""One measured job in a process of its own: prints {"seconds", "peak_mb"} as its last line."""

from __future__ import annotations

import json
import resource
import sys
import time
import uuid
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import duckdb
import pyarrow as pa
import unmapped

from tightener import api, cli, pipeline
from tightener.config import Config
from tightener.logs.formats.cloudtrail import CloudTrail
from tightener.logs.limits import Limits
from tightener.policy import document
from tightener.services.catalogue import expand
from tightener.tighten.generalise import generalise as patterns
from tightener.tighten.segments import Seen

HERE = Path(__file__).resolve().parent
MODEST = Config(limits=Limits(memory=512 << 20))  # else DuckDB keeps as much of the database in memory as there is
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
    project = pipeline.open_project(MODEST, folder / "ours.duckdb")
    pipeline.read_logs(project, [str(source)], datetime.now(UTC), lambda _: None)
    project.con.close()


def ingest_unmapped(source: Path, folder: Path) -> None:
    """The same without the mapping (unmapped.py)."""
    with mock.patch.object(CloudTrail, "_stage", unmapped.stage):
        ingest(source, folder)


def usage(source: Path, folder: Path) -> None:
    """The same, and the usage files of all days."""
    project = pipeline.open_project(MODEST, folder / "ours.duckdb")
    pipeline.read_logs(project, [str(source)], datetime.now(UTC), lambda _: None)
    pipeline.keep_usage(project)
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


class Distinct:
    """So many different objects of one bucket, as an agent's years of work might leave them; gone through at will."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __iter__(self) -> Iterator[Seen]:
        letters = "abcdefghijklmnopqrst"
        for i in range(self._number):
            day, kind = 20_683 + i * 90 // self._number, i % 10
            month = f"2026/{8 + (day - 20_667) // 31:02d}"
            if kind < 6:
                name = f"raw/{month}/inv-{i}.pdf"
            elif kind < 8:
                name = f"jobs/{uuid.UUID(int=i * 0x9E3779B97F4A7C15 % 2**128)}/out.json"
            elif kind < 9:
                name = f"builds/{i * 0x9E3779B1 % 2**40:010x}/log.txt"
            else:
                name = f"people/{''.join(letters[i // 20**n % 20] for n in range(6))}/notes.txt"
            yield Seen(f"arn:aws:s3:::work/{name}", day, day, i // 40)


def walk(source: Path, folder: Path) -> None:  # noqa: ARG001 - every job has the same two arguments
    """The baseline: the same values, looked at and let go. The source's name is their number."""
    deque(Distinct(int(source.name)), maxlen=0)


def generalise(source: Path, folder: Path) -> None:  # noqa: ARG001
    """Different values to patterns, streamed. The source's name is their number."""
    found = patterns("aws", "resource", Distinct(int(source.name)), ["*"])
    assert found is not None
    assert len(found) < 10, found


def grow(source: Path, folder: Path) -> None:  # noqa: ARG001
    """A growing log in four sizes: what the agent never does stays refused. The source's name is the largest."""
    sys.path.append(str(HERE.parent / "tests" / "tighten"))
    from test_growing_log import PROBES, glob, learnt  # noqa: PLC0415 - lies with the tests

    number = int(source.name)
    for some in (number // 1000, number // 100, number // 10, number):
        learnt_patterns = learnt(some)
        reached = [value for kind, value in PROBES if any(glob(p, value) for p in learnt_patterns[kind])]
        print(f"{some:>12,} events   {len(PROBES) - len(reached)} of {len(PROBES)} calls that it never makes refused")
        assert not reached, reached


def whole(source: Path, folder: Path) -> None:
    """Lines to database, usage files, exported usage and proved diff of one agent; DuckDB may take a gigabyte."""
    project = pipeline.open_project(Config(limits=Limits(memory=1 << 30)), folder / "tightener.duckdb")
    pipeline.read_logs(project, [str(source)], datetime.now(UTC), lambda _: None)
    pipeline.keep_usage(project)
    agent = "claude-invoice-01"
    api.write(pipeline.usage_of(project, agent, 90, None).to_arrow_reader(50_000), folder / "usage.parquet")
    policies = document.load([HERE.parent / "sample_logs" / "policy.yaml"])
    print(pipeline.propose(project, pipeline.study(project, policies, agent)).diff)
    project.con.close()


JOBS = {"load_gateway": load_gateway, "load_cloudtrail": load_cloudtrail, "ingest": ingest, "suggest": suggest}
JOBS |= {
    "ingest_unmapped": ingest_unmapped,
    "usage": usage,
    "whole": whole,
    "walk": walk,
    "generalise": generalise,
    "grow": grow,
}


def main() -> None:
    """Runs one job and measures it from behind the imports."""
    job, source, folder = JOBS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3])
    expand("s3:*")  # the catalogue package loads lazily: that is start-up too
    pa.array([1])  # and pyarrow, which imports pandas when it is first used
    cli.spend_less()
    started = time.perf_counter()
    job(source, folder)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main()
