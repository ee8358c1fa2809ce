"""Cases that long random runs of the contract have found, each of them a bug once."""

from __future__ import annotations

from oracle import NaiveRule
from small_cases import Event
from test_contract import the_contract


def test_uses_that_change_hands_together() -> None:
    """Found by the nightly run: an even number of uses that moved from one rule to another looked like none."""
    rules = [
        NaiveRule("allow", "stripe", ("invoices:read", "*"), None, None),
        NaiveRule("allow", "stripe", ("invoices:write", "*:read", "refunds:create"), None, None),
    ]
    used = [
        ("customers:read", "acme/b", 84),
        ("refunds:create", "evil/z", 53),
        ("invoices:read", "acme/a", 0),
        ("invoices:create", "acme/2026-11/x", 0),
    ]
    log = [Event("stripe", action, resource, "", "used", "", day) for action, resource, day in used]
    log += [Event("git", "fetch", "acme/a", "main", "used", "", day) for day in (0, 41, 68)]
    the_contract.hypothesis.inner_test(rules, log, "\n", False, 0, "fleet")  # type: ignore[attr-defined]


def test_use_without_evidence_below_two_texts_of_a_rule() -> None:
    """Found by a long run: the wildcard stayed beside the name, and the next run took it for used no more."""
    rules = [NaiveRule("allow", "git", ("pull", "p*"), ("*",), None)]
    log = [
        Event("git", "pull", "", "feature/y", "no_evidence", "", 83),
        Event("git", "push", "acme/a/x", "", "used", "", 39),
    ]
    log += [Event("git", "fetch", "acme/a/x", "main", "used", "", day) for day in (17, 25, 54, 72)]
    the_contract.hypothesis.inner_test(rules, log, "\n", False, 1626, "plain")  # type: ignore[attr-defined]


def test_an_alias_beside_what_it_stands_for_is_left_in_its_place() -> None:
    """Found by a long run: `refunds:write` covers `refunds:create`, and the second run only changed their order."""
    rules = [NaiveRule("allow", "stripe", ("*", "refunds:create"), None, None)]
    log = [Event("stripe", "refunds:create", "acme/*", "", "used_unlogged", "resource", 88)]
    log += [Event("stripe", "customers:read", "", "", "approved", "", 89)]
    log += [Event("git", "fetch", "acme/a/x", "main", "used", "", day) for day in (13, 43, 65, 77)]
    the_contract.hypothesis.inner_test(rules, log, "\r\n", True, 264, "young")  # type: ignore[attr-defined]


def test_below_a_wildcard_only_what_is_risky_is_asked_about() -> None:
    """Found by the suite's own seeds: a push to main below `p*` had every push asked about, plain ones too."""
    rules = [
        NaiveRule("allow", "git", ("pull",), None, ("*",)),
        NaiveRule("allow", "git", ("p*",), None, None),
    ]
    log = [
        Event("git", "clone", "", "feature/y", "used_unlogged", "", 47),
        Event("git", "push", "evil/z", "main", "used", "", 12),
    ]
    the_contract.hypothesis.inner_test(rules, log, "\n", False, 217, "young")  # type: ignore[attr-defined]


def test_a_hidden_resource_on_another_branch_leaves_the_approval_narrow() -> None:
    """Found by the nightly run: a push to a feature branch hid its repository, and the approval of pushes to main was
    narrowed to the repository on the second run only."""
    rules = [NaiveRule("allow", "crm", ("read",), None, None), NaiveRule("allow", "git", ("push",), None, None)]
    log = [
        Event("git", "push", "acme/b", "main", "used", "", 0),
        Event("git", "push", "*", "feature/x", "used", "resource", 0),
    ]
    the_contract.hypothesis.inner_test(rules, log, "\n", False, 0, "plain")  # type: ignore[attr-defined]
