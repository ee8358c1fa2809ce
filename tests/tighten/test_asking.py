"""What moves to approval: each reason by itself, how often a person is asked, and what must not move."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import DAYS, LAST, Use, proposal

from tightener.config import Config, Exemption, Rejection
from tightener.model import Effect, Window
from tightener.policy import document
from tightener.redaction import Redact, Shown
from tightener.report import veil
from tightener.results import Proposal
from tightener.services.catalogue import expand
from tightener.tighten import moves
from tightener.tighten.risk import risk
from tightener.tighten.suggestion import Suggestion

BUCKET = "arn:aws:s3:::b/logs/"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
DELETES = "    allow:\n      - {service: aws, actions: ['s3:DeleteObject'], resources: ['arn:aws:s3:::b/*']}\n"
SECRETS = "    allow:\n      - {service: aws, actions: ['secretsmanager:GetSecretValue']}\n"


def asks(found: Proposal, kind: str = "") -> list[Suggestion]:
    return [one for one in found.suggestions if one.moved and (not kind or one.kind == kind)]


def deletes(*days: int, minutes: tuple[int, ...] = (0,), **more: object) -> list[Use]:
    return [
        Use("aws", "s3:DeleteObject", f"{BUCKET}{day}-{minute}", day=day, minute=minute, **more)  # type: ignore[arg-type]
        for day in days
        for minute in minutes
    ]


def test_a_deletion_that_is_used_outright_is_asked_about() -> None:
    found = proposal(DELETES, deletes(0, 7, 14, 21))
    (one,) = asks(found)
    assert (one.kind, one.evidence["class"], one.evidence["approvals"], one.edit.ttl) == (
        "ask_first",
        "delete",
        4,
        None,
    )
    assert "    allow:" not in found.text
    assert DELETES.replace("allow", "require_approval").replace("b/*", "b/logs/*-*") in found.text
    assert found.proof.holds
    assert (found.proof.moved, len(found.proof.lost)) == (4, 0)
    assert found.approvals == 4


def test_the_sample_of_a_plain_write_never_moves() -> None:
    rules = "    allow:\n      - {service: aws, actions: ['s3:PutObject', 's3:GetObject', 's3:ListBucket']}\n"
    uses = [
        Use("aws", action, "arn:aws:s3:::b/x", day=69) for action in ("s3:PutObject", "s3:GetObject", "s3:ListBucket")
    ]
    assert not asks(proposal(rules, uses))


def test_one_approval_holds_as_long_as_a_burst() -> None:
    found = proposal(DELETES, deletes(0, 7, 14, minutes=(0, 20, 40)))
    (one,) = asks(found)
    assert (one.evidence["bursts"], one.evidence["approvals"], one.edit.ttl) == (3, 3, "1h")
    assert "ttl: 1h" in found.text


def test_nobody_is_asked_fifty_times_a_week() -> None:
    found = proposal(DELETES, deletes(*range(DAYS), minutes=(0, 300, 600, 900)))
    assert not asks(found)
    (item,) = [item for item in found.checklist if item.number == 4]
    (breach,) = item.breaches
    assert "28 approvals a week" in breach.reason


@pytest.mark.parametrize(("days", "moves"), [((3, 30, 60), True), (tuple(range(DAYS)), False)])
def test_a_secret_is_asked_about_only_where_it_is_rare(days: tuple[int, ...], moves: bool) -> None:
    uses = [
        Use("aws", "secretsmanager:GetSecretValue", f"{SECRET}app", day=day, minute=m) for day in days for m in (0, 2)
    ]
    assert [one.kind for one in asks(proposal(SECRETS, uses))] == ["ask_in_bursts"] * moves


def test_something_new_moves_literally_and_widens_nothing() -> None:
    usual = [Use("aws", "secretsmanager:GetSecretValue", f"{SECRET}app", day=day) for day in range(DAYS)]
    odd = Use("aws", "secretsmanager:GetSecretValue", f"{SECRET}ro?t", day=DAYS - 3)
    found = proposal(SECRETS, [*usual, odd])
    (one,) = asks(found)
    assert one.kind == "ask_about_new"
    assert one.edit.asks[0].resources == (f"{SECRET}ro?t",)
    assert f"resources: ['{SECRET}app']" in found.text
    for other in (  # an old one, one that came twice, one that is in other company
        [replace_day(odd, DAYS - 20)],
        [odd, replace_day(odd, DAYS - 2)],
    ):
        assert not asks(proposal(SECRETS, [*usual, *other]))


def replace_day(use: Use, day: int) -> Use:
    return Use(use.service, use.action, use.resource, use.branch, day)


@pytest.mark.parametrize(("days", "new"), [(27, 0), (28, 1)])
def test_nothing_is_new_where_too_little_came_before(days: int, new: int) -> None:
    day = (LAST - date(1970, 1, 1)).days
    call = moves.Call(1, f"{BUCKET}x", "", 1, exercised=True, first=day, last=day, session=1, one_session=True)
    window = Window(LAST - timedelta(days=days - 1), LAST)
    assert len(moves._new("aws", [(call, risk("aws", "s3:DeleteObject"))], [call], window)) == new


def test_a_new_value_of_an_argument_whose_values_recur() -> None:
    rules = "    allow:\n      - {service: tools, actions: [send_email]}\n"
    usual = [Use("tools", "send_email", "to=dana", day=day) for day in range(DAYS)]
    texts = [Use("tools", "send_email", f"text=about {day}", day=day) for day in range(DAYS)]
    odd = Use("tools", "send_email", "to=mallory", day=DAYS - 5)
    (one,) = asks(proposal(rules, [*usual, *texts, odd]))
    assert (one.kind, one.edit.asks[0].resources) == ("ask_about_new", ("to=mallory",))


def test_what_one_session_does_twice_or_to_several_is_as_new() -> None:
    rules = "    allow:\n      - {service: tools, actions: [send_email]}\n"
    usual = [Use("tools", "send_email", f"to={name}", day=day) for day in range(DAYS) for name in ("dana", "bob")]
    odd = [Use("tools", "send_email", f"to={n}", day=DAYS - 5, minute=m) for m, n in enumerate(("x", "y", "x"))]
    found = asks(proposal(rules, [*usual, *odd]))
    assert [(one.kind, one.edit.asks[0].resources) for one in found] == [
        ("ask_about_new", ("to=x",)),
        ("ask_about_new", ("to=y",)),
    ]
    assert "by one session" in found[0].why
    many = [Use("tools", "send_email", f"to=x{n}", day=DAYS - 5, minute=n) for n in range(9)]
    assert not asks(proposal(rules, [*usual, *many])), "a letter to all"


YOUNG = f"    x-granted-since: {LAST - timedelta(days=40)}\n"  # too young for anything to be taken away
ALL_OF_S3 = "    allow:\n      - {service: aws, actions: ['s3:*'], resources: ['arn:aws:s3:::b/*']}\n"


def test_a_long_wildcard_is_not_written_out_for_one_action_before_anything_may_go() -> None:
    found = proposal(YOUNG + ALL_OF_S3, deletes(40, 50, 60))
    assert ALL_OF_S3 in found.text
    assert not asks(found)
    ((one, reason),) = found.left_out
    assert (one.kind, one.edit.asks[0].actions) == ("ask_first", ("s3:DeleteObject",))
    number = len(expand("s3:*"))
    assert reason.startswith(f"`s3:*` would be written out as {number} actions, none of which may be taken away yet; ")
    (item,) = [item for item in found.checklist if item.number == 4]
    assert reason in {breach.reason for breach in item.breaches}, "what is left of the rule is said with this reason"
    shown = veil.proposal(found, Redact(resources=Shown.HIDE))
    assert shown.left_out[0][1] == reason, "it quotes the policy and no value"


@pytest.mark.parametrize(
    "rules",
    [
        ALL_OF_S3,  # old enough: most of the others go, and the wildcard with them
        YOUNG + ALL_OF_S3.replace("s3:*", "s3:DeleteObject*"),  # a few others: no long list
    ],
)
def test_elsewhere_it_moves(rules: str) -> None:
    assert [one.kind for one in asks(proposal(rules, deletes(40, 50, 60)))] == ["ask_first"]


@pytest.mark.parametrize("others", [(), (Use("aws", "s3:GetObject", f"{BUCKET}x", day=50),)])
def test_what_one_session_deleted_moves_however_long_the_list(others: tuple[Use, ...]) -> None:
    found = proposal(YOUNG + ALL_OF_S3, [*deletes(60, minutes=(0, 5)), *others])
    assert [one.kind for one in asks(found)] == ["ask_first"]
    assert not found.left_out


def test_a_push_to_main_moves_and_the_others_stay() -> None:
    rules = "    allow:\n      - service: git\n        actions: [push]\n"
    uses = [Use("git", "push", "acme/a", "main", day=3)]
    uses += [Use("git", "push", "acme/a", f"feature/{day}", day=day) for day in range(20)]
    found = proposal(rules, uses)
    (one,) = asks(found)
    assert (one.edit.asks[0].branches, one.edit.drop) == (("main",), frozenset())
    assert 'branches: ["feature/*"]' in found.text


def test_a_push_that_hides_its_branch_may_have_been_to_main() -> None:
    rules = "    allow:\n      - service: git\n        actions: [push]\n"
    uses = [Use("git", "push", "acme/a", "main", day=3), Use("git", "push", "acme/a", "*", day=4, partial="branch")]
    found = proposal(rules, uses)
    (one,) = asks(found)
    assert not one.edit.drop, "the hidden branch may be any other"
    assert found.proof.moved == 2
    assert "    allow:" in found.text


@pytest.mark.parametrize("case", ["exception", "too new", "indirect", "approval", "alias"])
def test_what_does_not_move(case: str) -> None:
    rules, config = DELETES, None
    uses = deletes(0, 7, 14)
    if case == "exception":
        until = LAST + timedelta(days=30)
        kept = {"agent": "a", "service": "aws", "actions": ("s3:Delete*",), "rule": "", "until": until}
        config = Config(exceptions=(Exemption(**kept, reason="clean-up", owner="dana"),))  # type: ignore[arg-type]
    elif case == "too new":
        rules = f"    x-granted-since: {LAST - timedelta(days=5)}\n{DELETES}"
    elif case == "indirect":
        uses = deletes(0, 7, 14, indirect=True)
    elif case == "approval":
        rules = DELETES.replace("allow", "require_approval")
        uses = deletes(0, 7, 14, outcome="approved")
    else:
        rules = DELETES.replace("allow:", "allow: &b") + "    x-more: *b\n"
    found = proposal(rules, uses, config)
    assert not asks(found)
    if case in ("exception", "too new"):
        (item,) = [item for item in found.checklist if item.number == 4]
        assert item.breaches, "what stays is named"


def test_a_rule_s_notes_go_along() -> None:
    rules = (
        "    allow:\n      # for the night\n      - service: aws\n        actions: [s3:DeleteObject]\n"
        "        owner: dana\n        expires: 2027-01-31   # one year\n"
    )
    found = proposal(rules, deletes(0, 7))
    assert "    require_approval:\n      # for the night\n      - service: aws" in found.text
    assert "owner: dana\n        expires: 2027-01-31   # one year" in found.text


def test_a_move_that_a_person_rejected_stays_and_the_rest_is_narrowed_around_it() -> None:
    rules = "    allow:\n      - {service: aws, actions: ['s3:DeleteObject', 's3:GetObject']}\n"
    uses = [*deletes(0, 7, 14), *(Use("aws", "s3:GetObject", f"{BUCKET}x", day=day) for day in range(9))]
    (one,) = asks(proposal(rules, uses))
    until = LAST + timedelta(days=30)
    no = Config(rejected=(Rejection("a", one.id, "tried it", "dana", until),))
    found = proposal(rules, uses, no, again=False)
    assert not asks(found)
    assert [(s.id, reason.split(" until")[0]) for s, reason in found.left_out] == [(one.id, "rejected by dana")]
    after = document.parse(found.text, "p.yaml").agents["a"]
    allowed = [rule.body for rule in after.rules if rule.effect is Effect.ALLOW]
    assert [body.actions for body in allowed] == [("s3:DeleteObject",), ("s3:GetObject",)]
    assert all(pattern.startswith(BUCKET) for body in allowed for pattern in body.resources or ("*",))
    (item,) = [item for item in found.checklist if item.number == 4]
    assert "rejected by dana" in item.breaches[0].reason


def test_an_approval_that_would_lapse_over_another_allow_is_left_out() -> None:
    """After its end it would deny what the wider rule goes on allowing."""
    lapsing = DELETES.replace("b/*", "b/logs/*-*").replace("}\n", ", expires: 2027-01-31}\n")
    wide = "      - {service: aws, actions: ['s3:Delete*'], resources: ['arn:aws:s3:::b/*']}\n"
    uses = [*deletes(0, 7, 14), Use("aws", "s3:DeleteObject", "arn:aws:s3:::b/tmp/x", day=3)]
    found = proposal(lapsing + wide, uses)
    assert found.proof.holds
    assert lapsing in found.text
    assert 0 in [s.rule.index for s, reason in found.left_out if s.kind == "ask_first" and "lose their level" in reason]
    alone = proposal(lapsing, deletes(0, 7, 14))
    assert lapsing.replace("allow", "require_approval") in alone.text


minutes = st.lists(st.integers(0, DAYS * 24 * 60 - 1), min_size=1, max_size=30)


@settings(max_examples=10, deadline=None)
@given(minutes)
def test_bursts_and_approvals_are_counted_as_by_hand(when: list[int]) -> None:
    """The naive count: a use within half an hour of the one before belongs to its burst."""
    uses = [Use("aws", "s3:DeleteObject", f"{BUCKET}x", day=m // 1440, minute=m % 1440) for m in when]
    bursts: list[list[int]] = []
    for minute in sorted(when):
        if bursts and minute - bursts[-1][-1] <= 30:
            bursts[-1].append(minute)
        else:
            bursts.append([minute])
    longest = max(burst[-1] - burst[0] for burst in bursts)
    holds = next((text for text, most in TTLS if longest <= most), None) if len(when) > len(bursts) else None
    expected = len(bursts) if holds else len(when)
    found = proposal(DELETES, uses)
    if 7 * expected / DAYS > 10:
        assert not asks(found)
        return
    (one,) = asks(found)
    if one.kind == "ask_first":
        assert (one.evidence["bursts"], one.evidence["approvals"], one.edit.ttl) == (len(bursts), expected, holds)
    else:
        assert (one.kind, len(when)) == ("ask_about_new", 1)
        assert LAST - timedelta(days=14) < date(2026, 9, 7) + timedelta(days=when[0] // 1440)


TTLS = [("15m", 15), ("30m", 30), ("1h", 60), ("2h", 120), ("4h", 240), ("8h", 480)]
