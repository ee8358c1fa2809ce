"""The page of all agents: one HTML file that needs nothing else, from a FleetView."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from tightener.report import charts, fleet, tables
from tightener.report.defuse import visible
from tightener.report.fleet import KINDS, AgentRow, FleetView, Run, agents_table, runs_table
from tightener.report.html import asset, security, template
from tightener.tighten.wording import count

MOST_COLUMNS = 60  # runs in the picture: a year of weeks, and some
MOST_CHANGES = 20  # agents that the list of changes names; the table says it of all
# The class of a row of the long table, short because 2,000 rows carry one.
_LETTERS = {"s": "with suggestions", "c": "nothing to tighten", "q": "without evidence", "f": "failed verification"}


def render(view: FleetView) -> str:
    """The page: equal views give equal bytes."""
    style, script = Markup("").join((asset("report.css"), asset("fleet.css"))), asset("report.js")
    table = agents_table(view)
    letters = [_letter(row) for row in view.agents]
    shown = view.runs[-MOST_COLUMNS:]
    now = view.now
    return template("fleet.html.j2").render(
        view=view,
        style=style,
        script=script,
        policy=security(style, script),
        sentence=sentence(view),
        queries={name for name, _ in view.sql},
        now=now,
        before=view.before,
        failed=letters.count("f"),
        silent=letters.count("q"),
        shown=shown,
        most=max(one.granted for one in shown),
        trend=_trend(shown),
        legend=[(kind, kind.replace("_", " "), getattr(now, kind)) for kind in KINDS],
        runs=runs_table(view),
        changes=changes(view),
        agents=table,
        kinds=[(letter, word, letters.count(letter)) for letter, word in _LETTERS.items()],
        rows=list(zip(letters, (row.page for row in view.agents), table.rows, strict=True)),
    )


def document(view: FleetView) -> dict[str, Any]:
    """`tightener.fleet/1`: the page's own rows, for programs."""
    pages = [{"page": row.page or None, "policy": row.found.policy} for row in view.agents]
    agents = tables.records(agents_table(view))
    return {
        "schema": "tightener.fleet/1",
        "sentence": sentence(view),
        "window": {"first": view.first.isoformat(), "last": view.last.isoformat(), "days_asked": view.days},
        "tool_version": view.tool_version,
        "agents": [one | more for one, more in zip(agents, pages, strict=True)],
        "runs": tables.records(runs_table(view)),
        "changes": changes(view),
        "merged": list(view.merged),
    }


def sentence(view: FleetView) -> str:
    """The result in one sentence."""
    now = view.now
    head = f"{count(now.agents, 'agent')} exercised {now.exercised:,} of {count(now.granted, 'grant')}"
    told = f"{head} from {view.first} to {view.last}"
    if not now.suggestions:
        return f"{told}; there is nothing to tighten."
    where = sum(row.found.suggestions > 0 for row in view.agents)
    return f"{told}; {count(now.suggestions, 'suggestion')} for {count(where, 'agent')}."


def changes(view: FleetView) -> list[str]:
    """What changed since the run before, an agent a sentence; what is more than a page's worth is counted."""
    if view.before is None:
        return []
    said = [f"{name}: no policy names it any more" for name in view.gone]
    for row in view.agents:
        steps = [f"{name} {_said(old)} → {_said(new)}" for name, (old, new) in fleet.changed(row).items()]
        said += [f"{row.found.agent}: {'; '.join(steps) or 'new'}"] if steps or row.before is None else []
    more = len(said) - MOST_CHANGES
    return said if more <= 0 else [*said[:MOST_CHANGES], f"and {count(more, 'agent')} more, in the table below"]


def _said(value: tables.Cell) -> str:
    return "unknown" if value is None else tables.shown(value)


def _letter(row: AgentRow) -> str:
    state = {"failed": "f", "no_evidence": "q"}.get(row.found.state)
    return state or ("s" if row.found.suggestions else "c")


def _trend(shown: tuple[Run, ...]) -> Markup:
    columns = [[(kind, getattr(one, kind)) for kind in KINDS] for one in shown]
    first, last = shown[0], shown[-1]
    desc = f"{first.granted:,} granted and {first.exercised:,} exercised on {first.day}"
    if len(shown) > 1:
        desc += f"; {last.granted:,} granted and {last.exercised:,} exercised on {last.day}"
    return charts.stacks(columns, title="Granted and exercised, run by run", desc=visible(desc))
