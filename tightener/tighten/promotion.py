"""Grants that people approved so often, and never refused, that they may want to allow them: a list, no suggestion.

What is long enough (docs/evidence.md, "Candidates for promotion"): at least ten approved uses on at least ten days, the
first and the last of them at least 60 days apart, nothing refused, left unanswered or unclear in the window, and no
class of risk of which a person should always be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from tightener.logs.usage import inputs_of
from tightener.model import Effect
from tightener.policy.patterns import intersects, matches
from tightener.policy.rules import boxes
from tightener.resources import query
from tightener.services.semantics import fold_action
from tightener.tighten.compare import Comparison
from tightener.tighten.grants import Grant, Status
from tightener.tighten.risk import worst

APPROVALS = 10
DAYS = 10
SPAN = 60  # days from the first approved use to the last


@dataclass(frozen=True, slots=True)
class Candidate:
    """A grant under approval and how often, on how many days and when a person said yes to it. Nobody said no."""

    grant: Grant
    approved: int
    days: int
    first: date
    last: date


def candidates(con: duckdb.DuckDBPyConnection, found: Comparison) -> tuple[Candidate, ...]:
    """The grants of an agent that a person may want to promote, in document order.

    In: the connection holds what was collected of the agent.
    """
    often = [one for grant in found.grants if (one := _often(grant, found))]
    if not often:
        return ()
    rows = con.execute(query("asked_in_vain"), inputs_of(found.policy.name, found.terms.window)).fetchall()
    return tuple(one for one in often if not any(_concerns(one.grant, *row[:4]) for row in rows))


def _often(grant: Grant, found: Comparison) -> Candidate | None:
    rule, e = grant.rule, grant.evidence
    if rule.effect is not Effect.REQUIRE_APPROVAL or grant.status is not Status.EXERCISED:
        return None
    if rule.expires is not None and rule.expires <= found.terms.moment:
        return None
    if e.approved_uses < APPROVALS or e.approved_uses != e.uses or e.days_active < DAYS:
        return None
    if e.partial_uses or e.doubtful or e.unmapped or e.first_used is None or e.last_used is None:
        return None
    if (e.last_used - e.first_used).days < SPAN or worst(rule.service, grant.action, rule.body).kind.asks == "always":
        return None
    return Candidate(grant, e.approved_uses, e.days_active, e.first_used.date(), e.last_used.date())


def _concerns(grant: Grant, service: str, action: str, resource: str, branch: str) -> bool:
    """Whether a request is one that the grant is about; of one that is partly hidden, whether it may be."""
    folded = fold_action(service, action)
    return folded == fold_action(grant.rule.service, grant.action) and any(
        matches(box.action, folded) and intersects(box.resource, resource) and intersects(box.branch, branch)
        for box in boxes(grant.rule, service)
    )


def lines(found: Sequence[Candidate]) -> list[str]:
    """The list in sentences."""
    return [
        f"{_name(one.grant)}: approved {one.approved:,} times on {one.days:,} days, refused never, first {one.first},"
        f" last {one.last}"
        for one in found
    ]


def _name(grant: Grant) -> str:
    return f"{grant.rule.service} {grant.action} (line {grant.rule.place.line})"
