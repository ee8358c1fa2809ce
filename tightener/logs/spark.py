"""Logs that do not fit one machine -> usage, on Apache Spark (`tightener[spark]`).

The cluster has no reading of its own. A task reads a batch of files with the function of the one-machine path
(`ingest.ingest`, into a database in memory) and hands over its events, and small tables about the files. Spark finds
the records that several batches hold and rolls the rest up, by the texts of queries/, translated. What comes back is
small: the driver takes it into the database in one transaction, ledger and all.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from tightener.errors import LogError
from tightener.logs import ingest, store
from tightener.logs.files import LIMIT, LogFile, Problem, in_batches
from tightener.logs.formats.field_map import FieldMap
from tightener.logs.ingest import FileSum, IngestReport
from tightener.logs.limits import Limits
from tightener.logs.staging import REQUEST
from tightener.resources import query
from tightener.services.tool_kinds import Tools

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_CHANGED = (
    "has changed since it was read, or shares records with a file that has, and a cluster reads nothing again: usage"
    " cannot be taken back; `tightener ingest` without --engine does it, as long as the events are kept"
)
_BATCH = 64 << 20  # decompressed bytes, estimated, that one task takes: several of them share an executor's memory
_FILE_BITS = 32  # a file's number: that of its batch, then its own in the batch; it grows in the order of reading
_WIDER = {"file_id": pa.int64(), "part": pa.int32(), "identity": pa.string()}
# An event as handed_event has it, or one of the tables of `_ABOUT`, packed.
_HANDED = pa.schema(
    [
        *[field.with_type(_WIDER.get(field.name, field.type)) for field in REQUEST],
        *[("id", pa.int64()), ("run", pa.int64()), ("micros", pa.int64())],
        *[("about", pa.string()), ("body", pa.binary())],
    ]
)
_ABOUT = ("log_file", "problem", "rejected", "not_use", "holed_day", "run", "identity", "mcp_call", "trail_shown")
_SPARK = {
    pa.string(): "STRING",
    pa.int64(): "BIGINT",
    pa.int32(): "INT",
    pa.bool_(): "BOOLEAN",
    pa.binary(): "BINARY",
    pa.timestamp("us"): "TIMESTAMP_NTZ",
}
_PATIENCE = 5.0  # seconds
_REASON = re.compile(r"^\s*(?:: )?((?:[A-Za-z_]+\.)*[A-Za-z_]+(?:Error|Exception): .+)$", re.MULTILINE)
_FITS = 10 << 30  # bytes on disk: a matter of minutes for one machine
_PROBLEM = pa.schema([("path", pa.string()), ("message", pa.string())])
_SUM = pa.schema([("path", pa.string()), ("unmapped", pa.int64())])


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads on a worker: the arguments of `ingest.ingest`."""

    now: datetime
    formats: Mapping[str, FieldMap]
    tools: Tools
    force_format: str | None
    largest: int

    def __call__(self, tasks: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """For mapInArrow: rows of (batch, paths) -> rows of `_HANDED`."""
        for some in tasks:
            for batch, paths in zip(some["batch"].to_pylist(), some["paths"].to_pylist(), strict=True):
                yield from self._read(batch, paths)

    def _read(self, batch: int, paths: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with store.open(None, Limits(threads=1)) as con:  # a task has one core
            done = ingest.ingest(
                con,
                paths,
                now=self.now,
                formats=self.formats,
                tools=self.tools,
                force_format=self.force_format,
                progress=lambda _: None,
                largest=self.largest,
            )
            of_files = {(one.path, one.problem) for one in done.files}  # those stand in log_file
            others = [one for one in done.problems if (one.path, one.message) not in of_files]
            problems = [{"path": one.path, "message": one.message} for one in others]
            sums = [{"path": one.path, "unmapped": one.unmapped} for one in done.files]
            con.register("read_problem", pa.Table.from_pylist(problems, _PROBLEM))
            con.register("read_sum", pa.Table.from_pylist(sums, _SUM))
            con.execute("SET VARIABLE base = $base", {"base": batch << _FILE_BITS})
            con.execute(query("spark_identity"))
            con.execute(query("spark_handover"))
            for rows in con.sql("FROM handed_event").to_arrow_reader():
                yield _handed(dict(zip(rows.schema.names, rows.columns, strict=True)), len(rows))
            for name in _ABOUT:
                body = _packed(con.sql(f"FROM handed_{name}").to_arrow_table())
                # (an id, so that these rows do not all go to one place)
                row = {"native_id": str(batch), "about": name, "body": body}
                yield _handed({name: pa.array([value]) for name, value in row.items()}, 1)


def _handed(columns: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
    """Rows of `_HANDED` with these columns, the others empty."""
    arrays = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(rows, f.type) for f in _HANDED]
    return pa.record_batch(arrays, schema=_HANDED)


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


@contextmanager
def connect(master: str | None, *, progress: bool) -> Iterator[SparkSession]:
    """The session that there is, or for the while a new one on `master` (None = as spark-submit and Spark's files say).

    Raises LogError: PySpark or Java is missing, the master does not answer, or Spark does not start.
    """
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)  # not used here
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise LogError(
            "PySpark is not installed",
            slug="spark-missing",
            hint="pip install 'tightener[spark]', or read without --engine spark",
        ) from error
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise LogError(
            "Apache Spark runs on Java, and there is none here",
            slug="java-missing",
            hint="install Java 17 or newer, or set JAVA_HOME (Debian: apt-get install default-jre-headless)",
        )
    if master and master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # the workers are this machine
    if master and master.startswith("spark://"):
        _knock(master)
    known = SparkSession.getActiveSession()
    builder = SparkSession.builder.appName("tightener").config("spark.ui.showConsoleProgress", str(progress).lower())
    # (else Python would wait for ever for a driver that has run out of memory)
    builder = builder.config("spark.driver.defaultJavaOptions", "-XX:+ExitOnOutOfMemoryError")
    with _explained("Apache Spark did not start"):
        session = known or (builder.master(master) if master else builder).getOrCreate()
    try:
        yield session
    finally:
        if known is None:
            session.stop()


def _knock(master: str) -> None:
    """Ask whether one of the masters of `spark://HOST:PORT,HOST:PORT` answers: Spark itself would try for a minute."""
    for one in master.removeprefix("spark://").split(","):
        host, _, port = one.rpartition(":")
        with suppress(OSError, ValueError), closing(socket.create_connection((host, int(port)), _PATIENCE)):
            return
    raise LogError(
        f"no Spark master answers at {master}",
        slug="spark-unreachable",
        hint="check the address (spark://HOST:7077), the network, and that the master runs",
    )


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn Spark's errors into ours: pages long, and the one line that says why is somewhere in them."""
    from py4j.protocol import Py4JError  # noqa: PLC0415 - comes with PySpark
    from pyspark.errors import PySparkException  # noqa: PLC0415

    try:
        yield
    except (Py4JError, PySparkException) as error:
        told = str(error)
        reasons = _REASON.findall(told) or [told.partition("\n")[0]]
        raise LogError(
            f"{what}: {reasons[-1].strip()}",
            slug="spark-failed",
            hint="what Spark wrote above says more; nothing was stored, and nothing has to be undone",
        ) from error


def read(
    connect: Callable[[], AbstractContextManager[SparkSession]],
    con: duckdb.DuckDBPyConnection,
    paths: Sequence[str],
    *,
    now: datetime,
    formats: Mapping[str, FieldMap],
    tools: Tools,
    force_format: str | None = None,
    say: Callable[[str], None],
    largest: int = LIMIT,
) -> IngestReport:
    """As `ingest.ingest`, on a cluster whose workers see the same paths; the database keeps usage, and no events.

    `connect` is called where there is anything to read; `say` is told what a person should know meanwhile. Raises
    LogError, as `ingest.ingest` and `connect` do, and where the cluster fails; then nothing was stored.
    """
    ingest.forced(force_format, ingest.formats_of(formats, tools))  # which the workers would find out otherwise
    plan = ingest.plan_of(con, paths, lambda _: None, largest)
    problems = [*plan.problems, *(Problem(file.path, _CHANGED) for file in plan.anew)]
    files: tuple[FileSum, ...] = ()
    if plan.fresh:
        size = sum(file.size for file in plan.fresh)
        if size < _FITS:
            say(f"{size / 1e6:,.0f} MB are a matter of minutes on one machine: a cluster is for what does not fit one")
        batches = in_batches(plan.fresh, _BATCH)
        reader = Reader(now, formats, tools, force_format, largest)
        con.execute(query("spark_identity"))
        known = {name: con.sql(query(f"spark_{name}")).to_arrow_table() for name in ("known", "known_call")}
        with connect() as session, _explained("the cluster could not read the logs"):
            tables = _on_cluster(session, reader, batches, known)
        files = _take(con, tables)
        problems += [Problem(**row) for row in tables["handed_problem"].to_pylist()]
    return ingest.report(con, plan, files, problems)


def _on_cluster(
    session: SparkSession, reader: Reader, batches: Sequence[Sequence[LogFile]], known: Mapping[str, pa.Table]
) -> dict[str, pa.Table]:
    """What spark_take.sql takes, by name: what the batches hand over, put together; and what is known of them together.

    `known`: what the database knows: the records (spark_known.sql) and tool calls (spark_known_call.sql).
    """
    session.conf.set("spark.sql.session.timeZone", "UTC")
    tasks = [(number, [file.path for file in files]) for number, files in enumerate(batches)]
    rows = session.sparkContext.parallelize(tasks, len(tasks))  # a task each
    columns = ", ".join(f"{field.name} {_SPARK[field.type]}" for field in _HANDED)
    handed = session.createDataFrame(rows, "batch BIGINT, paths ARRAY<STRING>").mapInArrow(reader, columns)
    handed.createOrReplaceTempView("handed")
    session.createDataFrame(known["known"]).createOrReplaceTempView("known")
    ranked = session.sql(translated("spark_copy")).persist()
    try:
        ranked.createOrReplaceTempView("ranked")
        tables = _together(ranked.where("about IS NOT NULL").select("about", "body").toArrow())
        told = pa.concat_tables([known["known_call"], tables["handed_mcp_call"].select(["identity", "request_id"])])
        session.createDataFrame(told).createOrReplaceTempView("told_call")
        session.sql(translated("spark_event")).createOrReplaceTempView("event")
        session.sql(translated("usage")).createOrReplaceTempView("rolled")
        session.sql(translated("usage_bursts")).createOrReplaceTempView("spread")
        tables["copied"] = _fetched(session.sql(translated("spark_copied")))
        tables["handed_usage"] = _fetched(session.sql(translated("spark_usage")))
        tables["handed_fresh"] = _fetched(session.sql(translated("spark_fresh")))
        return tables
    finally:
        ranked.unpersist()


def _fetched(frame: DataFrame) -> pa.Table:
    """The rows of a frame, which may be many: Spark's driver holds a part of them at a time."""
    parts = [
        pa.ipc.open_stream(row.body).read_all() for row in frame.mapInArrow(_bodies, "body BINARY").toLocalIterator()
    ]
    return pa.concat_tables(parts) if parts else frame.limit(0).toArrow()


def _bodies(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for rows in batches:
        yield pa.record_batch([pa.array([_packed(pa.Table.from_batches([rows]))], pa.binary())], names=["body"])


def translated(name: str) -> str:
    """queries/NAME.sql in Spark's dialect."""
    import sqlglot  # noqa: PLC0415 - it takes a while to load

    return sqlglot.transpile(query(name), read="duckdb", write="spark")[0]


def _together(packed: pa.Table) -> dict[str, pa.Table]:
    found: dict[str, list[pa.Table]] = {name: [] for name in _ABOUT}
    for name, body in zip(packed["about"].to_pylist(), packed["body"].to_pylist(), strict=True):
        found[name].append(pa.ipc.open_stream(body).read_all())
    return {f"handed_{name}": pa.concat_tables(tables) for name, tables in found.items()}


def _take(con: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table]) -> tuple[FileSum, ...]:
    """Store what came back, in one transaction."""
    for name, table in tables.items():
        con.register(name, table)
    con.begin()
    try:
        con.execute(query("spark_take"))
        sums = con.execute(query("spark_sums")).fetchall()
        con.commit()
    except BaseException:
        con.rollback()
        raise
    finally:
        for name in tables:
            con.unregister(name)
    return tuple(FileSum(*row) for row in sums)
