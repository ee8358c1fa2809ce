"""What a tightening removed, put back: random policies, tightenings and later edits, against a naive evaluator."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from oracle import NaiveRule, naive_level, naive_rules
from small_cases import UNIVERSE, rules, written
from tightened import ALL, CREATE, DROP, GONE, NARROW, POLICY, READS, WRITES, B, merge, parsed, suggestion

from tightener.errors import PolicyError, TightenerError, VerificationFailed
from tightener.model import Addition, Body, Effect, Rule
from tightener.policy.document import PolicyFile
from tightener.publish import kept
from tightener.publish.undo import Undone, undone
from tightener.tighten.suggest import changes
from tightener.tighten.suggestion import Edit, Suggestion, additions

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
EXPECTED = {"revert-conflict", "revert-not-proved", "nothing-removed", "parts-unknown"}


def tightening(data: st.DataObject, file: PolicyFile) -> list[Suggestion]:
    """Some changes of allow rules of agent `a`, each of which only takes something away, and perhaps a deny."""
    draw = data.draw
    found: list[Suggestion] = []
    for rule in file.agents["a"].rules:
        if rule.effect is not Effect.ALLOW:
            continue
        body = rule.body
        action = draw(st.sampled_from(body.actions))
        kinds = draw(st.sets(st.sampled_from(["drop", "resources", "replace", "ask"]), max_size=2))
        if "drop" in kinds:
            found.append(suggestion(rule, Edit(drop=frozenset({action})), "drop_action"))
        if "resources" in kinds:
            some = body.resources[:1] if body.resources and len(body.resources) > 1 else ("acme/a", "evil/?")
            if body.resources is None or some == body.resources[:1]:
                found.append(suggestion(rule, Edit(resources=tuple(some)), "narrow_resources"))
        if "replace" in kinds and "*" in body.actions and "drop" not in kinds:
            found.append(suggestion(rule, Edit(replace={"*": ("push", "read")}), "narrow_action"))
        if "ask" in kinds and "drop" not in kinds:
            asks = (Body((action,), body.resources, body.branches),)
            found.append(suggestion(rule, Edit(drop=frozenset({action}), asks=asks, ttl="15m"), "ask_first"))
    if draw(st.booleans()):
        body = Body((draw(st.sampled_from(["push", "*:read", "zap"])),))
        rule = Rule("a", -1, Effect.DENY, draw(st.sampled_from(["git", "stripe"])), body, file.agents["a"].place)
        found.append(suggestion(rule, Edit(deny=body), "deny_floor", *(one.id for one in found[:1])))
    return found


def later_edit(data: st.DataObject, file: PolicyFile) -> str:
    """What a person makes of the merged file."""
    draw = data.draw
    agent = file.agents["a"]
    newline = "\r\n" if "\r\n" in file.text else "\n"
    index = draw(st.integers(0, len(agent.rules) - 1)) if agent.rules else -1
    match draw(st.sampled_from(["comment", "remove", "less", "allow", "ask", "deny", "agent"])):
        case "remove" if index >= 0:
            return file.rewrite({("a", index): []})
        case "less" if index >= 0 and len(agent.rules[index].body.actions) > 1:
            return file.rewrite(
                {("a", index): [replace(agent.rules[index].body, actions=agent.rules[index].body.actions[1:])]}
            )
        case "allow" | "ask" | "deny" as what if index >= 0:
            effect = {"allow": Effect.ALLOW, "ask": Effect.REQUIRE_APPROVAL, "deny": Effect.DENY}[what]
            more = Addition(effect, "git", Body(draw(st.sampled_from([("push",), ("clone",), ("*",)])), ("acme/*",)))
            return file.rewrite({}, {"a": [more]})
        case "agent":
            return file.text + newline.join(["  new:", "    allow:", "      - {service: crm, actions: [read]}", ""])
    lines = file.text.split(newline)
    lines.insert(draw(st.integers(0, len(lines) - 1)), "# a word of a person's")
    return newline.join(lines)


def levels(text: str) -> list[int]:
    found = naive_rules(text, "a")
    return [naive_level(found, *request) for request in UNIVERSE]


def later_limits(merged: str, today: str) -> list[int]:
    """At most what approval and deny rules leave that are new since the merge."""
    old = naive_rules(merged, "a")
    new = [one for one in naive_rules(today, "a") if one.effect != "allow" and one not in old]
    everything = [NaiveRule("allow", service, ("*",), None, None) for service in ("git", "stripe", "crm")]
    return [naive_level([*new, *everything], *request) for request in UNIVERSE]


def tried(
    today: PolicyFile, texts: tuple[str, str], chosen: Sequence[Suggestion], only: Sequence[str]
) -> tuple[Undone | None, str]:
    """What is put back, or the slug of the error that says why not."""
    try:
        return undone(today, texts, kept.pack(chosen), [one.id for one in chosen], only, NOW), ""
    except TightenerError as error:
        return None, error.slug


@settings(max_examples=120)
@given(
    st.lists(rules(), min_size=1, max_size=4), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans(), st.data()
)
def test_it_puts_back_what_was_removed_and_nothing_else(
    found: list[NaiveRule], newline: str, flow: bool, edit: bool, data: st.DataObject
) -> None:
    before = parsed(written(found, newline, flow=flow))
    chosen = tightening(data, before)
    try:
        after = parsed(before.rewrite(changes(chosen), additions(chosen)))
        today = parsed(later_edit(data, after)) if edit else after
    except PolicyError:
        assume(False)
    names = [one.id for one in chosen]
    assume(names)
    assume(len(set(names)) == len(names))
    only = data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    done, slug = tried(today, (before.text, after.text), chosen, only)
    event(f"edited {edit}: {slug or 'put back'}")
    if done is None:
        assert slug in (EXPECTED if edit else {"parts-unknown"}), f"nobody was in the way: {slug}"
        return
    rest = [one for one in chosen if one.id not in done.ids]
    target = before.rewrite(changes(rest), additions(rest))
    assert set(only) <= set(done.ids)
    assert bool(only) or not rest
    if not edit:
        assert done.text == target, "what nobody has changed since comes back byte for byte"
    was, merged, now, wanted, new = map(levels, (before.text, after.text, today.text, target, done.text))
    lowered = later_limits(after.text, today.text)
    for request, b, a, o, t, n, limit in zip(UNIVERSE, was, merged, now, wanted, new, lowered, strict=True):
        assert n <= max(b, o), f"wider: {request}"
        assert min(n, a) <= o, f"given back although a person took it away: {request}"
        assert o <= n, f"lost: {request}"
        assert min(t, limit) <= max(n, a), f"not put back: {request}"
    theirs = [line for line in today.text.split(newline) if "person's" in line]
    assert [line for line in done.text.split(newline) if "person's" in line] == theirs
    assert ("  new:" in done.text) == ("  new:" in today.text)


def back(
    today: str, *only: str, text: str = POLICY, chosen: Sequence[Suggestion] = ALL, edits: str | None = None
) -> Undone:
    packed = kept.pack(chosen) if edits is None else edits
    texts = (text, merge(chosen, text))
    return undone(parsed(today), texts, packed, [one.id for one in chosen], only, NOW)


def said(text: str) -> list[tuple[str, str, Body]]:
    return [(r.effect, r.service, r.body) for r in parsed(text).agents["a"].rules]


def test_untouched_since_it_is_the_file_of_before_byte_for_byte() -> None:
    done = back(merge())
    assert done.text == POLICY
    assert done.ids == tuple(one.id for one in ALL)
    assert {rule.service for rule in done.back} == {"git", "stripe"}
    windows = POLICY.replace("\n", "\r\n")
    assert back(merge(text=windows), text=windows).text == windows
    assert back(merge(text=windows)).text == windows, "Git had stored it with other line endings"


def test_peoples_edits_elsewhere_stay() -> None:
    today = merge().replace("# top", "# top, reviewed by kim").replace("iam:*", 'iam:*", "kms:*')
    today += "  b:\n    allow:\n      - {service: crm, actions: [read]}\n"
    done = back(today)
    expected = POLICY.replace("# top", "# top, reviewed by kim").replace("iam:*", 'iam:*", "kms:*')
    assert done.text == expected + "  b:\n    allow:\n      - {service: crm, actions: [read]}\n"


def test_a_rule_that_a_person_added_where_one_was_dropped_stays_beside_it() -> None:
    lines = merge().split("\n")
    at = next(i for i, line in enumerate(lines) if "stripe" in line)
    today = "\n".join([*lines[:at], "      - {service: crm, actions: [read]}", *lines[at:]])
    done = back(today)
    assert sorted(map(repr, said(done.text))) == sorted(
        map(repr, [*said(POLICY), (Effect.ALLOW, "crm", Body(("read",)))])
    )
    assert "# writes, since the move\n      - service: git\n        actions: [push]" in done.text


def test_what_a_person_has_put_back_by_hand_already_is_not_written_twice() -> None:
    lines = merge([GONE]).split("\n")
    at = next(i for i, line in enumerate(lines) if "# reads" in line)
    today = "\n".join([*lines[:at], '      - {service: git, actions: [push], branches: ["feature/*"]}', *lines[at:]])
    assert back(today, chosen=[GONE]).text == today
    done = back(today.replace("[clone, fetch]", "[clone]"), chosen=[DROP, GONE])
    assert [rule for rule in said(done.text) if rule[2].actions == ("clone", "fetch")]


def test_a_deny_that_a_person_added_since_stays_in_force() -> None:
    today = merge().replace("    deny:\n", "    deny:\n      - {service: git, actions: [push]}\n")
    done = back(today)
    assert ("deny", "git", Body(("push",))) in said(done.text)
    assert ("allow", "git", WRITES.body) in said(done.text)


def test_what_a_person_took_away_since_is_not_given_back_by_another_rule() -> None:
    text = POLICY.replace("deny:\n", "deny:\n", 1).replace(
        "    deny:", '      - {service: git, actions: [fetch], resources: ["acme/*"]}   # twice\n    deny:'
    )
    before = parsed(text)
    drop = suggestion(before.agents["a"].rules[0], Edit(drop=frozenset({"fetch"})), "drop_action")
    other = suggestion(before.agents["a"].rules[1], Edit(drop=frozenset({"push"})), "drop_rule")
    after = before.rewrite(changes([drop, other]))
    today = "".join(line for line in after.splitlines(keepends=True) if "# twice" not in line)
    with pytest.raises(VerificationFailed) as error:
        undone(parsed(today), (text, after), "", (), (), NOW)
    assert error.value.exit_code == 11
    assert "somebody has taken away since the merge: a: `git fetch`" in error.value.message


def test_one_of_several_comes_back_and_the_others_stay() -> None:
    done = back(merge(), NARROW.id)
    assert done.text == merge([DROP, GONE, CREATE])
    assert (done.ids, done.along) == ((NARROW.id,), ())
    again = back(done.text, GONE.id)
    assert again.text == merge([DROP, CREATE])
    assert back(again.text).text == POLICY


def test_what_needs_a_change_that_comes_back_comes_along() -> None:
    needy = suggestion(READS, Edit(resources=("acme/x",)), "narrow_resources", DROP.id)
    third = suggestion(WRITES, Edit(drop=frozenset({"push"})), "drop_rule", needy.id)
    done = back(merge([DROP, needy, third]), DROP.id, chosen=[DROP, needy, third])
    assert (done.ids, done.along) == ((DROP.id, needy.id, third.id), (needy.id, third.id))
    done = back(merge([DROP, needy, third]), third.id, chosen=[DROP, needy, third])
    assert done.ids == (third.id,)


def test_ids_that_the_pull_request_did_not_make_are_named_with_those_that_it_did() -> None:
    with pytest.raises(TightenerError) as error:
        back(merge(), "drop-rule-000000")
    assert error.value.slug == "unknown-suggestion"
    assert all(one.id in error.value.hint for one in ALL)


@pytest.mark.parametrize("edits", ["", "nonsense", kept.pack(ALL)[:-8], kept.pack([DROP])])
def test_a_record_that_does_not_lead_from_one_text_to_the_other_is_not_used(edits: str) -> None:
    with pytest.raises(TightenerError) as error:
        back(merge(), DROP.id, edits=edits)
    assert error.value.slug == "parts-unknown"
    assert back(merge(), edits=edits).text == POLICY  # all of it needs no record


def test_a_list_that_a_person_has_added_to_gets_both() -> None:
    today = merge([DROP]).replace("actions: [clone]", "actions: [clone, pull]")
    done = back(today, chosen=[DROP])
    assert done.text == POLICY.replace("actions: [clone, fetch]", "actions: [clone, fetch, pull]")


def test_what_nobody_ever_granted_does_not_come_of_two_edits_of_one_rule() -> None:
    today = merge([NARROW]).replace("actions: [clone, fetch]", "actions: [clone, fetch, zap]")  # on acme/x
    with pytest.raises(VerificationFailed) as error:
        back(today, chosen=[NARROW])  # zap on acme/*
    assert "neither granted before the merge nor is today: a: `git zap`" in error.value.message


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({'["acme/x"]': '["acme/y"]'}, "line 8 has changed"),
        ({'["acme/x"]': '["acme/y"]', '["invoices:read"]': '["*:read"]'}, "line 8 has changed"),
        ({'["acme/x"]': '["acme/y"]', "actions: [clone]": "actions: [pull]  # too"}, "line 8 has changed"),
        ({'        resources: ["acme/x"]\n': ""}, "line 8 has changed"),
        ({'        resources: ["acme/x"]\n': "        resources:\n          - acme/x\n"}, "line 8 has changed"),
    ],
)
def test_lines_that_a_person_has_changed_since_are_named(edits: dict[str, str], said: str) -> None:
    today = merge()
    for old, new in edits.items():
        assert old in today
        today = today.replace(old, new)
    with pytest.raises(TightenerError) as error:
        back(today)
    assert error.value.slug == "revert-conflict"
    assert error.value.message.startswith(said)
    assert str(error.value.place) == "p.yaml:8"


def test_a_change_that_grants_anything_is_no_tightening() -> None:
    after = POLICY.replace("[clone, fetch]", "[clone, pull]")
    with pytest.raises(TightenerError) as error:
        undone(parsed(after), (POLICY, after), "", (), (), NOW)
    assert error.value.slug == "not-a-tightening"
    assert "`git pull`" in error.value.message
    with pytest.raises(TightenerError) as error:
        undone(B, (merge(), POLICY), "", (), (), NOW)
    assert error.value.slug == "not-a-tightening"
    after = POLICY.replace("# top", "# head")
    with pytest.raises(TightenerError) as error:
        undone(parsed(after), (POLICY, after), "", (), (), NOW)
    assert error.value.slug == "nothing-removed"


def test_what_has_expired_meanwhile_grants_nothing_when_it_is_back() -> None:
    later = datetime(2027, 2, 1, tzinfo=UTC)
    done = undone(parsed(merge()), (POLICY, merge()), kept.pack(ALL), (), (), later)
    assert done.text == POLICY
    assert parsed(done.text).agents["a"].rules[2].expires == datetime(2027, 1, 2, tzinfo=UTC)
    after = merge([CREATE])  # nothing of it would be granted any more
    assert undone(parsed(after), (POLICY, after), "", (), (), later).text == POLICY


ANCHORED = """\
agents:
  a:
    allow:
      - &reads {service: git, actions: [clone, fetch], resources: ["acme/*"]}
      - {service: git, actions: [push]}   # alone
  b:
    allow:
      - *reads
      - service: crm
        actions: [read, write]
"""


def test_anchors_and_aliases_come_through() -> None:
    before = parsed(ANCHORED)
    chosen = [
        suggestion(before.agents["a"].rules[1], Edit(drop=frozenset({"push"})), "drop_rule"),
        suggestion(before.agents["b"].rules[1], Edit(drop=frozenset({"write"})), "drop_action"),
    ]
    after = merge(chosen, ANCHORED)
    done = back(after, text=ANCHORED, chosen=chosen)
    assert done.text == ANCHORED
    done = back(after, chosen[1].id, text=ANCHORED, chosen=chosen)
    assert done.text == merge(chosen[:1], ANCHORED)


def test_an_agent_that_is_gone_does_not_come_back() -> None:
    with pytest.raises(TightenerError) as error:
        back("agents:\n  b:\n    allow:\n      - {service: crm, actions: [read]}\n")
    assert error.value.slug in {"revert-conflict", "revert-not-proved"}


def test_edits_that_are_too_long_are_left_out_and_bombs_are_not_unpacked() -> None:
    many = tuple(f"{n:x}-{n * 7919 % 10007}" for n in range(9_000))
    assert kept.pack([suggestion(READS, Edit(replace={"clone": many}), "narrow_action")]) == ""
    assert kept.pack([]) == ""
    bomb = base64.b64encode(zlib.compress(b"[" + b" " * 50_000_000 + b"]", 9)).decode()
    assert kept.unpack(bomb, B.agents) is None
    deep = base64.b64encode(zlib.compress(b"[" * 1_000_000)).decode()
    assert kept.unpack(deep, B.agents) is None


@settings(max_examples=50)
@given(st.lists(rules(), min_size=1, max_size=3), st.data())
def test_what_is_packed_comes_out_again(found: list[NaiveRule], data: st.DataObject) -> None:
    file = parsed(written(found, "\n", flow=False))
    chosen = tightening(data, file)
    again = kept.unpack(kept.pack(chosen), file.agents)
    assert [(one.id, one.edit, one.requires, one.rule) for one in again or []] == [
        (one.id, one.edit, one.requires, one.rule if one.rule.index >= 0 else again_rule(again, one.id))
        for one in chosen
    ]


def again_rule(again: Sequence[Suggestion] | None, name: str) -> Rule:
    """A rule that was to be added stands nowhere: its place is the agent's, without a column."""
    return next(one.rule for one in again or () if one.id == name)
