"""tightener as a library.

import tightener
db = tightener.open(".tightener/tightener.duckdb", config="tightener.yaml")
db.usage("claude-invoice-01").df()          # pandas
db.comparison("claude-invoice-01").arrow()  # pyarrow
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tightener import config as configuration
from tightener import pipeline
from tightener.config import Config
from tightener.errors import TightenerError
from tightener.pipeline import Project
from tightener.report import payload
from tightener.report.defuse import csv_safe
from tightener.resources import query
from tightener.results import Study

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Table:
    """A result: columns with names and types."""

    data: pa.Table

    def arrow(self) -> pa.Table:
        """As a pyarrow table."""
        return self.data

    def df(self) -> pd.DataFrame:
        """As a pandas data frame."""
        return self.data.to_pandas()

    def write(self, path: Path) -> int:
        """Writes Parquet or CSV by the file's ending and returns the number of rows.

        Text in a CSV is defused (control characters shown, no formulas); Parquet keeps it as it is.
        """
        return write(self.data.to_reader(), path)


def write(rows: pa.RecordBatchReader, path: Path) -> int:
    """The same for rows that come a batch at a time: there may be more than memory holds."""
    kinds = {".parquet": _parquet, ".csv": _csv}
    if path.suffix not in kinds:
        raise TightenerError(
            f"cannot tell the format of {path}", slug="unknown-format", hint="name it .parquet or .csv"
        )
    temporary = path.with_name(f".{path.name}.part")
    try:
        number = kinds[path.suffix](rows, temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TightenerError(f"cannot write {path}: {error.strerror}", slug="unwritable") from error
    return number


def _parquet(rows: pa.RecordBatchReader, path: Path) -> int:
    number = 0
    with pq.ParquetWriter(path, rows.schema) as file:
        for batch in rows:
            file.write_batch(batch)
            number += batch.num_rows
    return number


def _csv(rows: pa.RecordBatchReader, path: Path) -> int:
    number = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.schema.names)
        for batch in rows:
            columns = [column.to_pylist() for column in batch.columns]
            for row in zip(*columns, strict=True):
                writer.writerow([_cell(value) for value in row])
            number += batch.num_rows
    return number


def _cell(value: object) -> object:
    if isinstance(value, str):
        return csv_safe(value)
    if isinstance(value, list):
        return csv_safe("; ".join(map(str, value)))
    return "" if value is None else value


class Database:
    """An open database. Every method reads; nothing here writes to it but what `ingest` does elsewhere."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def study(
        self,
        agent: str,
        policy: Sequence[Path] = (),
        *,
        days: int = pipeline.WINDOW_DAYS,
        as_of: date | None = None,
        min_age: int = pipeline.MIN_AGE_DAYS,
    ) -> Study:
        """One agent compared with its policy (the configuration's, or the one given)."""
        policies = pipeline.read_policies(self._project, policy)
        return pipeline.study(self._project, policies, agent, days=days, as_of=as_of, min_age=min_age)

    def usage(self, agent: str, *, days: int = pipeline.WINDOW_DAYS, as_of: date | None = None) -> Table:
        """What the agent did in the window, rolled up by day, request and outcome class."""
        return Table(pipeline.usage_of(self._project, agent, days, as_of).to_arrow_table())

    def events(self) -> Table:
        """Every request of every event."""
        return Table(self._project.con.sql(query("events")).to_arrow_table())

    def comparison(
        self,
        agent: str,
        policy: Sequence[Path] = (),
        *,
        days: int = pipeline.WINDOW_DAYS,
        as_of: date | None = None,
        min_age: int = pipeline.MIN_AGE_DAYS,
    ) -> Table:
        """Every grant of the agent with its status and evidence."""
        found = self.study(agent, policy, days=days, as_of=as_of, min_age=min_age)
        return comparison_table(found)


def comparison_table(study: Study) -> Table:
    """The grants of one comparison as a table."""
    return Table(pa.Table.from_pylist([_row(payload.grant(g)) for g in study.comparison.grants]))


def _row(grant: dict[str, Any]) -> dict[str, Any]:
    """A grant without anything nested: of its verdict the class and the sentence."""
    verdict = grant.pop("verdict") or {}
    return {**grant, "verdict": verdict.get("class", ""), "verdict_says": verdict.get("says", "")}


def open_database(path: str | Path, config: str | Path | Config | None = None) -> Database:
    """Opens a database file that `tightener ingest` made. Raises TightenerError when there is none."""
    path = Path(path)
    if not path.exists():
        raise TightenerError(
            f"there is no database at {path}", slug="no-database", hint="tightener ingest PATH... makes one"
        )
    loaded = config if isinstance(config, Config) else configuration.load(Path(config)) if config else Config()
    return Database(pipeline.open_project(loaded, path))
