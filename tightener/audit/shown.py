"""The compliance page and its CSV: the object of audit/compliance.py, for people and for spreadsheets."""

from __future__ import annotations

import csv
import io
import shlex

from markupsafe import Markup

from tightener.audit.compliance import SHOWN, Compliance, due, sentence
from tightener.report.defuse import csv_safe, visible
from tightener.report.html import asset, security, template
from tightener.resources import query

COLUMNS = ("framework", "control", "agent", "state", "number", "counts", "value", "source", "why")


def page(found: Compliance) -> str:
    """The page: equal objects give equal bytes. It has no script, and its policy lets none run."""
    style = asset("report.css") + asset("compliance.css")
    by_control = {
        control.oscal_id: [
            one for one in found.findings if (one.framework, one.control) == (control.framework, control.control)
        ]
        for control in found.controls
    }
    return template("compliance.html.j2").render(
        found=found,
        sentence=sentence(found),
        by_control=by_control,
        style=style,
        policy=security(style, Markup("")),
        shown=SHOWN,
        sql=[(name, query(name)) for name in SHOWN],
        due=due,
        rerun=" ".join(
            [
                "tightener report --compliance",
                *(f"--agent {shlex.quote(visible(agent))}" for agent in found.asked),
                f"--as-of {found.window.last} --window {found.window.days}d",
            ]
        ),
    )


def table(found: Compliance) -> str:
    """The findings as CSV, a number in a row. No cell is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found.findings:
        for number in one.numbers:
            value = "" if number.value is None else number.value
            head = [csv_safe(text) for text in (one.framework, one.control, one.agent, one.state)]
            writer.writerow([*head, number.name, csv_safe(number.words), value, number.source, csv_safe(one.why)])
    return out.getvalue()
