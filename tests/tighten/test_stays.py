"""What is used and stays as wide as it was granted says why: it keeps growing, ends with its month, or is too young.

Each case is a whole run of the program; what is expected is worked out from the uses by hand.
"""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

from small_world import DAYS, LAST, START, Use, proposal

from tightener.redaction import Redact, Shown
from tightener.report import payload, veil
from tightener.report.terminal import Printer
from tightener.report.terminal import proposal as shown
from tightener.report.words import stays
from tightener.results import Proposal

EVERY_FIFTH = [Use("git", "clone", f"acme/r{day // 5}x", day=day) for day in range(DAYS)]


def rule(text: str) -> str:
    return f"    allow:\n      - {{{text}}}\n"


def first_day_of(found: Proposal) -> list[tuple[str, str, list[str]]]:
    return [(one.because.pattern, one.because.why.value, list(map(str, one.because.days))) for one in found.open]


def test_what_keeps_growing_says_so_and_since_when() -> None:
    found = proposal(rule("service: git, actions: [clone], resources: ['acme/*', 'old/one']"), EVERY_FIFTH)
    # the middle of the time is day 34; behind it the first new name came on day 35, the last on day 65
    days = [str((START + timedelta(days=day)).date()) for day in (35, 65)]
    assert first_day_of(found) == [("acme/*", "keeps growing", days)]
    new = " and ".join(days)
    assert stays(found) == [
        f"line 5, git `clone`: `acme/*`, as granted: what is used there keeps growing (new ones on {new})"
    ]
    out = io.StringIO()
    shown(Printer(out), found)
    assert "Used, and left as granted\n- line 5, git `clone`: `acme/*`" in out.getvalue()


def test_what_the_evidence_narrows_is_not_among_them() -> None:
    settled = [Use("git", "clone", f"acme/r{day % 5}x", day=day) for day in range(DAYS)]
    assert not proposal(rule("service: git, actions: [clone], resources: ['acme/*']"), settled).open


def test_of_two_patterns_the_one_that_grows_says_so() -> None:
    uses = [*EVERY_FIFTH, *(Use("git", "clone", "old/one", day=day) for day in range(DAYS))]
    found = proposal(rule("service: git, actions: [clone], resources: ['old/*', 'acme/*']"), uses)
    # repositories of all owners are of one sort: both are left, and the new ones are acme's
    assert [row[:2] for row in first_day_of(found)] == [("acme/*", "keeps growing")]


def test_of_two_actions_the_one_whose_use_grows_says_so() -> None:
    uses = [*EVERY_FIFTH, *(Use("git", "fetch", "acme/a", day=day) for day in range(DAYS))]
    found = proposal(rule("service: git, actions: [clone, fetch], resources: ['acme/*']"), uses)
    assert [(one.actions, one.because.pattern) for one in found.open] == [(("clone",), "acme/*")]


def test_a_bucket_that_says_its_month_says_so() -> None:
    days = [(START + timedelta(days=day), day) for day in range(DAYS)]
    uses = [Use("aws", "s3:GetObject", f"arn:aws:s3:::events-{at:%Y%m}/x", day=day) for at, day in days]
    found = proposal(rule("service: aws, actions: ['s3:GetObject']"), uses)
    assert first_day_of(found) == [("*", "ends with its period", [str(START.date())])]
    where = "line 5, aws `s3:GetObject`: any resource"
    what = f"what is used there ends with its period (first used on {START.date()})"
    assert stays(found) == [f"{where}, as granted: {what}"]


def test_what_is_too_young_says_what_is_missing() -> None:
    young = f"    x-granted-since: {LAST - timedelta(days=45)}\n"
    found = proposal(young + rule("service: git, actions: [clone], resources: ['acme/*']"), EVERY_FIFTH)
    (line,) = stays(found)
    assert line.startswith("clone: not narrowed: ")
    assert "will suffice on" in line


def test_the_values_go_out_as_the_configuration_says() -> None:
    found = proposal(rule("service: git, actions: [clone], resources: ['acme/*']"), EVERY_FIFTH)
    (told,) = payload.proposal(found)["left_as_granted"]
    assert [one["value"] for one in told["witnesses"]] == ["acme/r7x", "acme/r13x"]
    hidden = veil.proposal(found, Redact(resources=Shown.HIDE, arguments=Shown.HIDE))
    assert "acme/r" not in str(payload.proposal(replace(hidden, suggestions=(), diff=""))["left_as_granted"])
    assert stays(hidden) == stays(found)


def test_a_wildcard_beside_a_name_stays_where_nothing_can_be_narrowed() -> None:
    """Written out it would lose the actions to come, on evidence that is too thin for taking anything away."""
    both = rule("service: git, actions: [clone, '*']")
    uses = [Use("git", "clone", "acme/a", day=day) for day in range(DAYS)]
    assert not proposal(f"    x-granted-since: {LAST - timedelta(days=45)}\n{both}", uses).diff
    assert "'*'" not in proposal(both, uses).text
