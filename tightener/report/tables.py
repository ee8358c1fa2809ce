"""One table, three ways to read it: the cells of an HTML table, a CSV file and JSON records, all from the same rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Any

from tightener.report.defuse import csv_safe, visible
from tightener.report.view import GrantRow, ReportView

Cell = str | int | float | date | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name for programs, its heading for people."""

    key: str
    title: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, as long as there are columns. Texts are raw."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row is not as long as there are columns")


def grants(rows: Sequence[GrantRow]) -> Table:
    """Every grant of an agent, with all that its page knows of it."""
    names = [field.name for field in fields(GrantRow)]
    columns = tuple(Column(name, name.replace("_", " ").capitalize()) for name in names)
    return Table(columns, tuple(tuple(getattr(row, name) for name in names) for row in rows))


def csv_text(table: Table) -> str:
    """The table as CSV (RFC 4180, UTF-8), with the keys as its head.

    Nothing in it is a formula, several texts in a cell stand on a line each, and numbers are numbers.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    writer.writerows([_csv_cell(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def records(table: Table) -> list[dict[str, Any]]:
    """The table as JSON records: raw texts, ISO dates, null for what there is not."""
    keys = [column.key for column in table.columns]
    return [dict(zip(keys, map(plain, row), strict=True)) for row in table.rows]


def shown(cell: Cell) -> str:
    """A cell as a page shows it. Texts are still to be defused and escaped."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:,.1f}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return ", ".join(cell) if isinstance(cell, tuple) else str(cell)


def data(view: ReportView) -> dict[str, Any]:
    """A page's view as JSON knows it: every field, raw texts."""
    found: dict[str, Any] = plain(view)
    return found


def plain(value: Any) -> Any:
    """A value of a view as JSON knows it."""
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _csv_cell(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, int | float):
        return cell
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, str):
        return csv_safe(cell)
    # The first text decides whether the cell would be a formula; later ones stand behind a line break inside quotes,
    # where the break, being visible as an escape in every text, can only be the separator.
    return "\n".join((csv_safe(one) if i == 0 else visible(one)) for i, one in enumerate(cell))
