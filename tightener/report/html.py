"""One agent's report as one HTML file that needs nothing else: no network, no script to be readable, no clock.

The template, the style sheet and the script are reports/agent.html.j2, report.css and report.js. The page forbids
itself the network and every script and style but its own two (a Content-Security-Policy with their hashes), so that a
hole in the escaping would still have nothing to run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache

import jinja2
from markupsafe import Markup, escape

from tightener.report import charts
from tightener.report.backtest import by_class, interval
from tightener.report.defuse import visible
from tightener.report.tables import shown
from tightener.report.view import STATUSES, CoverageRow, GrantRow, ReportView, TriedRow
from tightener.resources import folder
from tightener.tighten.wording import count

_SHOWN_PATTERNS = 4  # resources (and branches) of a rule that a row of the table spells out
_EFFECT_WORDS = {"allow": "allow", "require_approval": "approval", "deny": "deny"}
# The class of a row of the long table, short because 2,000 rows carry one.
_LETTERS = {"exercised": "x", "unexercised": "u", "unobservable": "o", "too_new": "t", "excepted": "k"}
_DIFF_KINDS = {"+": "ins", "-": "del", "@": "hunk"}


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside an agent's page, as links from it."""

    home: str
    csv: str
    json: str


def render(view: ReportView, beside: Beside | None = None) -> str:
    """The page for `view`: equal views give equal bytes. `beside`: its neighbours, where it has any.

    Raises jinja2.UndefinedError when the template asks for something that a view does not have, FileNotFoundError when
    the installation lacks reports/.
    """
    style, script = asset("report.css"), asset("report.js")
    whole = charts.tally(view.agent, view.grants)
    services = charts.by_service(view.grants)
    gaps = charts.gaps(view.coverage)
    return template("agent.html.j2").render(
        view=view,
        beside=beside,
        style=style,
        script=script,
        policy=security(style, script),
        statuses=STATUSES,
        whole=whole,
        whole_bar=charts.stacked(whole, title="Granted actions by status", scale=max(whole.total, 1)),
        services=[
            (one, charts.stacked(one, title=f"{one.name}: granted actions by status", scale=services_scale(services)))
            for one in services
        ],
        listed={status: sum(grant.status == status for grant in view.grants) for status in STATUSES},
        denies=sum(grant.effect == "deny" for grant in view.grants),
        days_chart=charts.days(view.usage_by_day, view.window_first, view.window_last, gaps),
        days_table=charts.by_day(view.usage_by_day, view.window_first, gaps),
        gaps=len(gaps),
        queries={name for name, _ in view.sql},
        busiest=max((count for _, count in view.usage_by_day), default=0),
        strips=[(row, charts.strip(row.source, row.per_day)) for row in view.coverage],
        coverage=coverage_words(view.coverage),
        tried=[(row, _trade(row)) for row in view.tried],
        diff=diff_lines(view.diff),
    )


def _trade(row: TriedRow) -> Markup:
    stopped = 1 - row.allowed / row.uses if row.uses else 0.0
    unused = row.unused / row.reachable if row.reachable else 0.0
    return charts.trade(stopped, unused, title=f"{row.name}: the trade-off")


def services_scale(services: tuple[charts.Tally, ...]) -> int:
    """The total that fills a service's bar: the largest service's, so that bars can be compared with each other."""
    return max((one.total for one in services), default=1)


def coverage_words(rows: tuple[CoverageRow, ...]) -> str:
    """The log coverage of all sources in a few words, for the first screen; the worst source is the one named."""
    if not rows:
        return "no log source was read"
    worst = min(rows, key=lambda row: (row.days_full, row.source))
    days = len(worst.per_day)
    if worst.days_full == days:
        span = "the one day" if days == 1 else f"all {days} days"
        return f"{'' if len(rows) == 1 else f'{len(rows)} sources, '}complete on {span}"
    if len(rows) == 1:
        return f"{worst.source} complete on {worst.days_full} of {count(days, 'day')}"
    complete = sum(row.days_full == len(row.per_day) for row in rows)
    return f"{complete} of {len(rows)} sources complete; {worst.source} on {worst.days_full} of {count(days, 'day')}"


def diff_lines(diff: str) -> list[tuple[str, str]]:
    """The lines of a unified diff, each with its kind: head, hunk, ins, del or same."""
    lines = diff.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    kinds = []
    body = False
    for line in lines:
        # Before the first @@ a leading sign belongs to a file name (--- a/..., +++ b/...), afterwards to a line.
        body = body or line.startswith("@@")
        kinds.append((_DIFF_KINDS.get(line[:1], "same") if body else "head", line))
    return kinds


def _where(grant: GrantRow) -> str:
    """Resources and branches of a grant in one cell; what does not fit is counted, with the place to look it up."""
    parts = [_few(grant.resources, "any resource")]
    if grant.branches:
        parts.append(f"on branch {_few(grant.branches, '')}")
    return " ".join(parts)


def _few(patterns: tuple[str, ...], otherwise: str) -> str:
    if not patterns:
        return otherwise
    more = len(patterns) - _SHOWN_PATTERNS
    return ", ".join(patterns[:_SHOWN_PATTERNS]) + (f" and {more:,} more in the policy" if more > 0 else "")


def _evidence(grant: GrantRow, policy_path: str) -> str:
    """What the logs say about a grant, as one sentence; empty for a grant without use, note or cover."""
    parts = []
    if grant.uses:
        parts.append(f"{count(grant.days_active, 'day')}, {count(grant.sessions, 'session')}")
    if grant.first_used:
        parts.append(f"since {grant.first_used}")
    if grant.approved_uses:
        parts.append(f"{grant.approved_uses:,} approved by a person")
    if grant.covered_by:
        line = _line(grant.covered_by, policy_path)
        parts.append(f"redundant: covered by {'' if line == grant.covered_by else 'line '}{line}")
    if grant.note:
        parts.append(grant.note)
    if grant.verdict:
        parts.append(grant.verdict)
    if grant.sample_events:
        parts.append(f"e.g. {', '.join(grant.sample_events)}")
    return "; ".join(parts)


def _number(number: int) -> str:
    return f"{number:,}"


def _line(place: str, policy_path: str) -> str:
    """A place without the file's name where that is the page's own policy: 2,000 rows need not repeat it."""
    return place.removeprefix(f"{policy_path}:")


def _coded(text: str) -> Markup:
    """A sentence whose `names` are set as code. Backticks that a log or a policy brings along only look odd."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(visible(text)))))  # noqa: S704 - escaped right here


def _block(text: str) -> Markup:
    """Text of several lines for a <pre>: defused, but lines and indentation stay."""
    return Markup(escape(visible(text, keep="\n\t")))  # noqa: S704 - escaped right here


def _finalize(value: object) -> object:
    """Runs over every value that the template prints, so that defusing a text cannot be forgotten in one place."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def template(name: str) -> jinja2.Template:
    """A template of reports/, which defuses and escapes whatever it prints."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder("reports")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        where=_where, evidence=_evidence, number=_number, counted=count, coded=_coded, line=_line, block=_block
    )
    environment.filters["cell"] = shown
    environment.filters["interval"] = interval
    environment.filters["by_class"] = by_class
    environment.globals.update(effect_words=_EFFECT_WORDS, letters=_LETTERS)
    return environment.get_template(name)


@cache
def asset(name: str) -> Markup:
    """A plain file of reports/ as it goes between its tags: never parsed by Jinja, never escaped."""
    return Markup((folder("reports") / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def security(style: str, script: str) -> Markup:
    """The Content-Security-Policy: nothing from anywhere, and no script or style but these two."""
    return Markup("default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'").format(
        _hash(script), _hash(style)
    )


def _hash(text: str) -> str:
    """The source expression of Content-Security-Policy for an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
