"""Blast radius, ranking, the deny floor and the five rules: against counts by hand and a naive recount."""

from __future__ import annotations

import fnmatch
import json
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from small_world import DAYS, LAST, Use, proposal

from tightener.report import payload, words
from tightener.results import Proposal
from tightener.services.catalogue import expand
from tightener.tighten.reach import Count, Scope, scope
from tightener.tighten.risk import RiskClass, risk

OBJECT = "arn:aws:s3:::b/logs/x"
WIDE = (
    "    allow:\n      - {service: aws, actions: ['s3:*']}\n"
    "      - {service: aws, actions: ['iam:PassRole'], resources: ['arn:aws:iam::123456789012:role/r']}\n"
    "    require_approval:\n      - {service: aws, actions: ['s3:DeleteObject*']}\n"
    "    deny:\n      - {service: aws, actions: ['s3:DeleteBucket'], reason: once}\n"
)
READS = [Use("aws", "s3:GetObject", OBJECT, day=day) for day in range(DAYS)]


def test_permissions_are_counted_as_by_hand() -> None:
    """s3:* over the catalogue, less what the approval and the deny cover; the weights of each class added up."""
    found = proposal(WIDE, READS)
    asked = expand("s3:DeleteObject*")
    allowed = [a for a in expand("s3:*") if a not in asked and a != "s3:DeleteBucket"] + ["iam:PassRole"]
    for names, counts in ((allowed, found.before.allowed), (asked, found.before.approval)):
        kinds = Counter(risk("aws", name).kind for name in names)
        assert {kind: one.granted for kind, one in counts.items()} == kinds
        assert {kind: one.used for kind, one in counts.items() if one.used} == (
            {RiskClass.READ: 1} if names is allowed else {}
        )
    weights = {kind.value: kind.weight for kind in RiskClass}
    assert weights == {
        **dict.fromkeys(("read", "list"), 1),
        "write": 3,
        **dict.fromkeys(("external_communication", "secret_read", "delete"), 10),
        **dict.fromkeys(("money", "permission_management", "privilege_escalation"), 30),
    }
    total = sum(weights[risk("aws", a).kind] for a in allowed) + 0.2 * sum(weights[risk("aws", a).kind] for a in asked)
    assert found.before.score == pytest.approx(100 * (total - 1) / total)
    left = sum(
        weights[risk("aws", a).kind] for a in written(found, "allow") if a != "s3:DeleteBucket" and a not in asked
    )
    assert found.after.score == pytest.approx(100 * (left - 1) / total)
    assert found.after.score < found.before.score
    kept = [a for a in written(found, "allow") if a != "s3:DeleteBucket" and a not in asked]
    assert {kind: one.granted for kind, one in found.after.allowed.items()} == Counter(
        risk("aws", a).kind for a in kept
    )
    assert found.after.allowed[RiskClass.READ].used == 1


def test_asking_about_what_is_used_does_not_raise_the_score() -> None:
    """The grants are too young to be taken away, so that nothing else changes."""
    young = f"    x-granted-since: {LAST - timedelta(days=40)}\n"
    rule = "{service: aws, actions: ['s3:DeleteObject', 's3:GetBucketAcl'], resources: ['arn:aws:s3:::b/*']}"
    uses = [Use("aws", "s3:DeleteObject", f"arn:aws:s3:::b/logs/{day}", day=day) for day in (40, 50, 60)]
    found = proposal(f"{young}    allow:\n      - {rule}\n", uses)
    assert found.after.approval == {RiskClass.DELETE: Count(1, 1)}
    assert found.before.score == found.after.score == pytest.approx(100 / 11)  # a read, beside a deletion


def written(found: Proposal, *blocks: str) -> list[str]:
    """Every action that these blocks hold, read from the new text by hand."""
    new = yaml.safe_load(found.text)["agents"]["a"]
    return [action for block in blocks for rule in new.get(block, ()) for action in rule["actions"]]


def test_a_branch_under_approval_leaves_a_plain_push() -> None:
    rules = "    allow:\n      - service: git\n        actions: [push]\n"
    uses = [Use("git", "push", "acme/a", branch, day=d) for d, branch in enumerate(["main", "x", "y/1", "z/2", "v"])]
    found = proposal(rules, uses)
    assert found.before.allowed == {RiskClass.PRIVILEGE_ESCALATION: Count(1, 1)}
    assert found.after.allowed == {RiskClass.WRITE: Count(1, 1)}
    assert found.after.approval == {RiskClass.PRIVILEGE_ESCALATION: Count(1, 1)}


@pytest.mark.parametrize(
    ("service", "pattern", "expected"),
    [
        ("aws", "*", Scope.ANY),
        ("aws", "arn:aws:*", Scope.ANY),
        ("aws", "arn:*:*:*:*:*", Scope.ANY),
        ("aws", "arn:aws:*:*:123456789012:*", Scope.ACCOUNT),
        ("aws", "arn:aws:s3:::*", Scope.SERVICE),
        ("aws", "arn:aws:s3:*", Scope.SERVICE),
        ("aws", "arn:aws:s3:::acme-*", Scope.SERVICE),
        ("aws", "arn:aws:dynamodb:us-east-1:123456789012:table/*", Scope.SERVICE),
        ("aws", "arn:aws:s3:::b/*", Scope.CONTAINER),
        ("aws", "arn:aws:dynamodb:us-east-1:123456789012:table/t/*", Scope.CONTAINER),
        ("aws", "arn:aws:s3:::b/raw/*", Scope.PREFIX),
        ("aws", "arn:aws:s3:::b/raw/x", Scope.EXACT),
        ("git", "*", Scope.ANY),
        ("git", "acme/*", Scope.ACCOUNT),
        ("git", "acme/bill*", Scope.PREFIX),
        ("git", "acme/billing", Scope.EXACT),
        ("tools", "command=*", Scope.CONTAINER),
        ("tools", "to=GB29*", Scope.PREFIX),
        ("tools", "to=dana", Scope.EXACT),
    ],
)
def test_how_much_a_pattern_spans(service: str, pattern: str, expected: Scope) -> None:
    assert scope(service, pattern) is expected


def test_the_table_is_ranked_by_risk_and_the_diff_is_in_document_order() -> None:
    rules = (
        "    allow:\n      - {service: stripe, actions: ['invoices:read', 'customers:read']}\n"
        "      - {service: git, actions: [clone]}\n      - {service: stripe, actions: ['refunds:create']}\n"
    )
    uses = [Use("stripe", "invoices:read", day=day) for day in range(DAYS)]
    found = proposal(rules, uses)
    assert [s.rule.index for s in found.suggestions] == sorted(s.rule.index for s in found.suggestions)
    assert [found.removes[s.id] for s in found.ranked] == sorted(found.removes.values(), reverse=True)
    assert (found.ranked[0].rule.index, found.removes[found.ranked[0].id]) == (2, 30)
    removed = {one["id"]: one["risk_removed"] for one in payload.proposal(found)["suggestions"]}
    assert removed == {key: pytest.approx(value) for key, value in found.removes.items()}


def deny_of(found: Proposal) -> tuple[str, ...]:
    floors = [one.edit.deny.actions for one in found.suggestions if one.edit.deny]
    return floors[0] if floors else ()


def test_iam_is_denied_to_who_uses_aws_and_has_none_of_it() -> None:
    rules = "    allow:\n      - {service: aws, actions: ['s3:GetObject'], resources: ['arn:aws:s3:::b/*']}\n"
    found = proposal(rules, READS)
    assert deny_of(found) == ("iam:*",)
    assert found.text.endswith("    deny:\n      - {service: aws, actions: ['iam:*']}\n")
    assert not deny_of(proposal("    allow:\n      - {service: git, actions: [clone]}\n", READS))
    assert not deny_of(proposal(f"{rules}    deny:\n      - {{service: aws, actions: ['i*']}}\n", READS))


def test_a_floor_that_is_granted_in_part_is_denied_in_the_other_parts() -> None:
    found = proposal(WIDE, READS)
    denied = deny_of(found)
    assert denied
    assert "iam:*" not in denied
    assert not any(fnmatch.fnmatch("iam:PassRole", pattern) for pattern in denied)
    everything = expand("iam:*")
    covered = [a for a in everything if any(fnmatch.fnmatch(a, pattern) for pattern in denied)]
    assert {"iam:CreateUser", "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"} <= {*covered}


def test_a_deny_covers_nothing_that_the_rest_of_the_proposal_grants() -> None:
    chance = random.Random(5)
    names = [*chance.sample(expand("iam:*"), 12), "iam:Get*", "iam:*", "s3:GetObject"]
    for _ in range(3):
        some = chance.sample(names, 3)
        used = [a for a in some if "*" not in a and a.startswith("iam:")][:1]
        uses = READS + [Use("aws", a, "arn:aws:iam::123456789012:user/u", day=3) for a in used]
        found = proposal(f"    allow:\n      - {{service: aws, actions: {json.dumps(some)}}}\n", uses)
        denied = deny_of(found)
        after = written(found, "allow", "require_approval")
        granted = [a for a in expand("*") if a.startswith("iam:") and any(fnmatch.fnmatch(a, p) for p in after)]
        assert not [a for a in granted if any(fnmatch.fnmatch(a, p) for p in denied)], (some, after, denied)


def test_the_five_rules() -> None:
    found = proposal(WIDE, [*READS, Use("aws", "s3:ListAllMyBuckets", day=3)])
    broken = {item.number: item.breaches for item in found.checklist if item.breaches}
    assert [item.number for item in found.checklist] == [1, 2, 3, 4, 5]
    assert set(broken) == {2, 4, 5}
    assert all("never called by itself" in one.reason for one in (*broken[4], *broken[5]))
    assert broken[5][0].actions == ("iam:PassRole",)
    assert (
        found.text.split("\n")[broken[5][0].line - 1].strip().startswith("- {service: aws, actions: ['iam:PassRole']")
    )
    assert "s3:ListAllMyBuckets" not in {a for one in broken[2] for a in one.actions}, "it has no resource to name"
    assert words.breach_line(broken[5][0]).startswith(f"line {broken[5][0].line}, aws `iam:PassRole`: no log shows")
    document = payload.proposal(found)["minimum_viable_policy"]
    assert [one["kept"] for one in document] == [True, False, True, False, False]


def test_wild_actions_and_main_are_named_with_the_reason() -> None:
    rules = "    allow:\n      - {service: crm, actions: ['*']}\n      - service: git\n        actions: [push]\n"
    uses = [Use("git", "push", "acme/a", "*", day=4, partial="branch"), Use("git", "push", "acme/a", "x", day=5)]
    found = proposal(rules, uses)
    broken = {item.number: item.breaches for item in found.checklist if item.breaches}
    assert [one.actions for one in broken[1]] == [("*",)]
    assert [one.actions for one in broken[3]] == [("push",)]
    assert "hide what exactly they touched" in broken[3][0].reason


def test_an_approval_over_an_allow_keeps_main() -> None:
    rules = (
        "    allow:\n      - service: git\n        actions: [push]\n"
        "    require_approval:\n      - service: git\n        actions: [push]\n"
        "        branches: [main, master, 'release/*', staging, production, 'refs/tags/*']\n"
    )
    uses = [Use("git", "push", "acme/a", "*", day=4, partial="branch"), Use("git", "push", "acme/a", "x", day=5)]
    found = proposal(rules, uses)
    assert not [item for item in found.checklist if item.number == 3 and item.breaches]
    assert found.after.allowed == {RiskClass.WRITE: Count(1, 1)}


def test_a_policy_that_needs_nothing_keeps_all_five() -> None:
    rules = (
        "    allow:\n      - {service: git, actions: [fetch], resources: ['acme/a']}\n"
        "      - {service: stripe, actions: ['invoices:read']}\n"
    )
    uses = [
        Use(s, a, r, day=day)
        for day in range(9)
        for s, a, r in (("git", "fetch", "acme/a"), ("stripe", "invoices:read", ""))
    ]
    found = proposal(rules, uses)
    assert not found.suggestions
    assert not [item for item in found.checklist if item.breaches]
    assert found.before == replace(found.after)
    assert found.after.score == 0
