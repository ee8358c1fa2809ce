"""What was only ever throttled, or is pending, was neither used nor left unused: it stays, and says so."""

from __future__ import annotations

from small_world import DAYS, Use, proposal

from tightener.model import Outcome
from tightener.policy import document
from tightener.results import Proposal
from tightener.tighten.grants import Status

RULE = "    allow:\n      - {service: git, actions: [clone, push], resources: ['acme/*']}\n"
CLONES = [Use("git", "clone", f"acme/r{day % 3}", day=day) for day in range(DAYS)]


def of_push(found: Proposal) -> tuple[Status, str, list[str]]:
    (grant,) = (one for one in found.study.comparison.grants if one.action == "push")
    after = document.parse(found.text, "p.yaml").agents["a"]
    return (
        grant.status,
        grant.note,
        [action for rule in after.rules for action in rule.body.actions if action == "push"],
    )


def test_what_may_have_been_tried_stays() -> None:
    tried = [Use("git", "push", "acme/r1", day=day, outcome=str(Outcome.NO_EVIDENCE)) for day in (3, 9)]
    status, note, left = of_push(proposal(RULE, [*CLONES, *tried]))
    assert (status, left) == (Status.UNOBSERVABLE, ["push"])
    assert note == "2 requests without evidence either way (throttled, invalid, pending)"


def test_what_nobody_tried_goes() -> None:
    status, _, left = of_push(proposal(RULE, CLONES))
    assert (status, left) == (Status.UNEXERCISED, [])
