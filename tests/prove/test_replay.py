"""Replay and proof against small policies whose answers are known by reading them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tightener.model import AgentPolicy, Level
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
