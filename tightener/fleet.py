"""The folder of pages: one of all agents, one of each, with CSV and JSON beside them; and what runs found so far.

study, propose -> remember (trend.py) -> pages (report/) -> place (shelf.py), an agent at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

from tightener import merged, pipeline, shelf, trend
from tightener.backtest import rolling
from tightener.errors import NoEvidence, TightenerError, VerificationFailed
from tightener.logs import usage
from tightener.model import Window
from tightener.pipeline import MIN_AGE_DAYS, WINDOW_DAYS, Project
from tightener.policy import diff
from tightener.policy.document import PolicySet
from tightener.report import fleet_page, html, page, tables
from tightener.report.fleet import AgentRow, Finding, FleetView, agents_table, finding, runs, runs_table
from tightener.report.html import Beside
from tightener.report.view import ReportView
from tightener.resources import query
from tightener.results import Backtest, Proposal, Study
from tightener.shelf import Placed, Stage

REPORTED_PERIODS = 3  # of the backtest, on an agent's page
_UNPROVED = "its proposal does not hold; `tightener suggest` says why"
_QUERIES = ("own_event", "request", "match", "owner", "evidence", "trend")


@dataclass(frozen=True, slots=True)
class Written:
    """What `write` did: the page's own data, and what became of the folder's files."""

    view: FleetView
    files: Placed
    news: bool  # whether the findings were other ones than those remembered

    @property
    def failed(self) -> tuple[str, ...]:
        """Agents whose proposal does not hold."""
        return tuple(row.found.agent for row in self.view.agents if row.found.state == "failed")


@dataclass(slots=True)
class Making:
    """The folder on its way: an agent at a time, and then all of it put in its place."""

    project: Project
    names: Mapping[str, str]  # policy file -> as its repository names it
    days: int
    window: Window
    past: tuple[Finding, ...]
    staged: Stage
    rows: list[AgentRow] = field(default_factory=list)

    def found(self, proposal: Proposal, tried: Backtest) -> str:
        """Takes in an agent, from the temporary tables of its study. Out: its page's name in the folder."""
        view = page.view(self.project.con, proposal, tried, self.project.config.redact)
        study = proposal.study
        stem = shelf.stem(study.policy.name)
        beside = Beside("../index.html", f"{stem}.csv", f"{stem}.json")
        name = f"agents/{stem}.html"
        self.staged.add(name, html.render(view, beside))
        self.staged.add(f"agents/{stem}.csv", tables.csv_text(tables.grants(view.grants)))
        self.staged.add(f"agents/{stem}.json", _json(document(view)))
        self.rows.append(AgentRow(finding(study, self.names[study.file.path], proposal, "proved"), None, name))
        return name

    def missing(self, study: Study, error: TightenerError) -> None:
        """Takes in an agent about whom nothing can be said, or whose proposal does not hold: a row with the reason."""
        state = "failed" if isinstance(error, VerificationFailed) else "no_evidence"
        self.rows.append(AgentRow(finding(study, self.names[study.file.path], None, state), None, "", error.outward))

    def finish(self) -> Written:
        """Remembers what was found, and puts the files where they belong.

        A question about the past (a window that ends before the last logged day) is not remembered: it puts today's
        policies to old logs, which no run then would have found. Raises TightenerError (`unwritable`, `not-our-file`).
        """
        con = self.project.con
        said = [(name, merged.said(con, file)) for file, name in self.names.items()]
        turned_out = tuple(f"{name}: {text}" for name, text in sorted(said) if text)
        view = _view(self.rows, self.past, self.days, self.window, turned_out)
        news = False
        if self.window.last == usage.span(con).last:
            news = trend.remember(con, [row.found for row in self.rows], self.days)
        self.staged.add("index.html", fleet_page.render(view))
        self.staged.add("index.csv", tables.csv_text(agents_table(view)))
        self.staged.add("runs.csv", tables.csv_text(runs_table(view)))
        self.staged.add("index.json", _json(fleet_page.document(view)))
        return Written(view, shelf.place(self.staged), news)


@contextmanager
def making(
    project: Project, policies: PolicySet, folder: Path, *, days: int, as_of: date | None = None
) -> Iterator[Making]:
    """Begins a folder. Raises NoEvidence (`no-events`), TightenerError (`unwritable`)."""
    window = usage.window(project.con, days, as_of)
    names = {file.path: diff.name_in_repository(Path(file.path)) for file in policies.files}
    past = trend.trend(project.con, names.values(), days, window.last)
    with shelf.stage(folder) as staged:
        yield Making(project, names, days, window, past, staged)


def write(
    project: Project,
    policies: PolicySet,
    folder: Path,
    *,
    days: int = WINDOW_DAYS,
    min_age: int = MIN_AGE_DAYS,
    as_of: date | None = None,
) -> Written:
    """Writes the pages of all agents of `policies` into `folder`, and remembers what was found.

    index.html, index.csv, index.json, runs.csv, and agents/NAME.html, .csv, .json for each agent about whom something
    can be said; agents without evidence, and those whose proposal does not hold, are rows of the index with the reason.
    Equal inputs give equal bytes. Raises NoEvidence (`no-events`), TightenerError (`unwritable`, `not-our-file`, and
    `no-agents` where no policy names any).
    """
    if not policies.agents:
        raise TightenerError("no policy file names an agent", slug="no-agents", hint="name another file with --policy")
    with making(project, policies, folder, days=days, as_of=as_of) as pages:
        for agent in sorted(policies.agents):
            # before the study, whose temporary tables the page reads
            tried = rolling.backtest(
                project, policies, agent, days=days, as_of=as_of, min_age=min_age, most=REPORTED_PERIODS
            )
            study = pipeline.study(project, policies, agent, days=days, as_of=as_of, min_age=min_age)
            try:
                pages.found(pipeline.propose(project, study), tried)
            except (NoEvidence, VerificationFailed) as error:
                pages.missing(study, error)
        return pages.finish()


def document(view: ReportView) -> dict[str, object]:
    """`tightener.page/1`: everything that an agent's page shows, for programs."""
    return {"schema": "tightener.page/1", **tables.data(view)}


def _view(
    rows: list[AgentRow], past: tuple[Finding, ...], days: int, window: Window, turned_out: tuple[str, ...]
) -> FleetView:
    """The fleet's page; `past` may hold an earlier run on the same last day, which this one takes the place of."""
    last = window.last
    earlier = [one for one in past if one.day < last]
    day_before = max((one.day for one in earlier), default=None)
    before = {(one.policy, one.agent): one for one in earlier if one.day == day_before}
    known = {one.agent for one in before.values()}
    rows = [AgentRow(row.found, before.get((row.found.policy, row.found.agent)), row.page, row.problem) for row in rows]
    rows.sort(key=lambda row: (-(row.found.score or 0), row.found.agent))
    return FleetView(
        first=window.first,
        last=last,
        days=days,
        tool_version=version("tightener"),
        agents=tuple(rows),
        runs=runs([*earlier, *(row.found for row in rows)]),
        gone=tuple(sorted(known - {row.found.agent for row in rows})),
        merged=turned_out,
        sql=tuple((name, query(name)) for name in _QUERIES),
    )


def _json(data: object) -> str:
    return json.dumps(data, indent=1, ensure_ascii=True) + "\n"
