"""Replay and proof against small policies whose answers are known by reading them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tightener.model import AgentPolicy, Level, Rule
from tightener.policy import document
from tightener.prove.proof import prove
from tightener.prove.replay import Exercised, replay

NOW = datetime(2026, 11, 15, tzinfo=UTC)


def policy(rules: str) -> AgentPolicy:
    return document.parse(f"agents:\n  a:\n{rules}", "p.yaml").agents["a"]


OLD = policy("    allow:\n      - {service: aws, actions: ['s3:*'], resources: ['arn:aws:s3:::b/*']}\n")
KEY = "arn:aws:s3:::b/raw/x"


def used(resource: str = KEY, partial: str = "") -> Exercised:
    found = Exercised(uses=1)
    if partial:
        found.partial.append(("aws", "s3:DeleteObject", resource, "", partial))
    else:
        found.whole["aws", "s3:GetObject"] = [(resource, "")]
    return found


def test_a_kept_request_is_not_lost() -> None:
    new = policy("    allow:\n      - {service: aws, actions: ['s3:getobject'], resources: ['arn:aws:s3:::b/raw/*']}\n")
    assert replay(OLD, new, used(), NOW).lost == []
    assert prove(OLD, new, used(), NOW).holds


@pytest.mark.parametrize(
    ("rules", "after"),
    [
        ("    {}\n", Level.REFUSED),
        ("    require_approval:\n      - {service: aws, actions: ['s3:*']}\n", Level.NEEDS_APPROVAL),
        (
            (
                "    allow:\n      - {service: aws, actions: ['s3:*']}\n"
                "    deny:\n      - {service: '*', actions: ['*GET*']}\n"
            ),
            Level.REFUSED,
        ),
    ],
)
def test_a_lost_request_is_found(rules: str, after: Level) -> None:
    (lost,) = replay(OLD, policy(rules), used(), NOW).lost
    assert (lost.resource, lost.before, lost.after) == (KEY, Level.ALLOWED, after)
    assert not prove(OLD, policy(rules), used(), NOW).holds


def test_a_request_that_becomes_freer_is_the_other_proof_s_business() -> None:
    new = policy("    allow:\n      - {service: aws, actions: ['*'], resources: ['*']}\n")
    proof = prove(OLD, new, used(), NOW)
    assert proof.lost == ()
    assert proof.containment.kind == "wider"
    assert "would widen" in proof.reason


@pytest.mark.parametrize(
    ("resources", "kept"),
    [("['arn:aws:s3:::b/*']", True), ("['arn:aws:s3:::b/raw/*']", False), ("['arn:aws:s3:::b/a*', '*']", True)],
)
def test_a_partial_use_keeps_every_request_that_it_may_have_been(resources: str, kept: bool) -> None:
    new = policy(f"    allow:\n      - {{service: aws, actions: ['s3:DeleteObject'], resources: {resources}}}\n")
    assert (replay(OLD, new, used("arn:aws:s3:::b/*", "resource"), NOW).lost == []) is kept


ASKED = (
    "    require_approval:\n      - {service: aws, actions: ['s3:GetObject'], resources: ['arn:aws:s3:::b/raw/*']}\n"
)
SAID = policy(ASKED).rules


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        (SAID, False),
        (policy(ASKED.replace("s3:GetObject", "s3:getobject")).rules, False),
        ((), True),
        (policy(ASKED.replace("/raw/", "/other/")).rules, True),
        (policy(ASKED.replace("s3:GetObject", "s3:PutObject")).rules, True),
        (policy(ASKED.replace("aws", "git")).rules, True),
        (policy(ASKED.replace("}", ", branches: [main]}")).rules, True),
    ],
)
def test_a_move_to_approval_is_accepted_only_where_it_was_said(said: tuple[Rule, ...], lost: bool) -> None:
    new = policy("    allow:\n      - {service: aws, actions: ['s3:*'], resources: ['arn:aws:s3:::b/*']}\n" + ASKED)
    found = replay(OLD, new, used(), NOW, moved=said)
    assert (bool(found.lost), found.moved) == (lost, int(not lost))
    assert prove(OLD, new, used(), NOW, moved=said).holds is not lost


def test_what_was_said_to_need_approval_may_not_be_refused() -> None:
    found = replay(OLD, policy("    {}\n"), used(), NOW, moved=SAID)
    assert [one.after for one in found.lost] == [Level.REFUSED]


def test_what_needed_approval_may_not_be_refused_either() -> None:
    old = policy(ASKED)
    assert len(replay(old, policy("    {}\n"), used(), NOW, moved=SAID).lost) == 1


@pytest.mark.parametrize(
    ("said", "kept"), [("arn:aws:s3:::b/*", True), ("arn:aws:s3:::b/raw/*", True), ("arn:aws:s3:::b/a*", False)]
)
def test_a_partial_use_may_move_as_far_as_it_was_said(said: str, kept: bool) -> None:
    ask = ASKED.replace("GetObject", "DeleteObject")
    new = policy("    allow:\n      - {service: aws, actions: ['s3:*'], resources: ['arn:aws:s3:::b/*']}\n" + ask)
    rule = policy(ask.replace("arn:aws:s3:::b/raw/*", said)).rules
    found = replay(OLD, new, used("arn:aws:s3:::b/*", "resource"), NOW, moved=rule)
    assert (found.lost == [], found.moved) == (kept, int(kept))
    gone = policy(ask)  # and nothing for the rest of the bucket
    assert replay(OLD, gone, used("arn:aws:s3:::b/*", "resource"), NOW, moved=rule).lost


def test_a_lapse_to_come_counts() -> None:
    """An approval that expires denies, so it may not take over what another rule goes on allowing."""
    first = (
        "      - {service: aws, actions: ['s3:GetObject'], resources: ['arn:aws:s3:::b/raw/*'], expires: 2027-01-31}\n"
    )
    other = "      - {service: aws, actions: ['s3:*'], resources: ['arn:aws:s3:::b/*']}\n"
    moved = f"    require_approval:\n{first}"
    alone = replay(policy(f"    allow:\n{first}"), policy(moved), used(), NOW, moved=SAID)
    assert (alone.lost, alone.moved) == ([], 1)
    both = replay(policy(f"    allow:\n{first}{other}"), policy(f"    allow:\n{other}{moved}"), used(), NOW, moved=SAID)
    assert [(one.before, one.after) for one in both.lost] == [(Level.ALLOWED, Level.REFUSED)]
    lasting = policy(moved.replace(", expires: 2027-01-31", ""))
    assert not prove(policy(f"    allow:\n{first}"), lasting, used(), NOW, moved=SAID).holds, "looser than it was"
