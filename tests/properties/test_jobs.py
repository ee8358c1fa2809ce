"""One agent's jobs as agents of their own, on random policies and logs, held against the naive reader of oracle.py.

Whose use an event is, is worked out here anew from the drawn sessions; the program finds it in its tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import NaiveRule, naive_level, naive_rules
from small_cases import DAYS, LAST, MORNING, OTHER, UNIVERSE, Event, events, rules, written
from small_program import INSERT, database

from tightener import jobs
from tightener.config import Config
from tightener.errors import TightenerError
from tightener.logs.callers import Entry
from tightener.logs.jobs import Share, Started
from tightener.pipeline import Project
from tightener.policy import document
from tightener.policy.document import PolicySet
from tightener.results import Split

USED = ("used", "approved", "used_unlogged")
STARTED = {  # sessions of a kind -> what the gateway says that they were started for
    "x": ["x"],
    "y": ["y"],
    "few": ["few"],
    "both": ["x", "y"],
    "none": [],
    "": [],
}
PATTERNS = {"x": (Started("x-*"),), "y": (Started("z-*"), Started("y-*")), "few": (Started("few-*"),)}
ROLE = "arn:aws:iam::123456789012:role/a"
FEW = (3, 40, 88)  # the days on which the job `few` is at work; the others are every day
Uses = Sequence[tuple[Event, str]]  # an event, and of which kind its session is


def split(
    text: str, uses: Uses, named: Mapping[str, tuple[Started, ...]] | None = None, direct: Sequence[str] = ()
) -> Split:
    """The jobs of agent `a`, of which x and y are at work every day. Leaves the database as it was.

    `direct`: under these session names the agent's role called `s3:GetObject` past the gateway.
    """
    con = database(optimised=False)
    at_work = [(Event("git", "heartbeat", "", "", "refused", "", d), kind) for d in range(DAYS) for kind in ("x", "y")]
    at_work += [(Event("git", "heartbeat", "", "", "refused", "", day), "few") for day in FEW]
    rows = [*at_work, *uses]
    sessions = [f"{kind}-{event.day}" if kind else "" for event, kind in rows]
    run = sorted({(session, job) for session, (_, kind) in zip(sessions, rows, strict=True) for job in STARTED[kind]})
    con.begin()
    try:
        con.execute(
            INSERT,
            {
                "position": list(range(1000, 1000 + len(rows))),
                "native_id": [f"j{n}" for n in range(len(rows))],
                "time": [MORNING + timedelta(days=event.day, seconds=n) for n, (event, _) in enumerate(rows)],
                "agent": ["a"] * len(rows),
                "session": sessions,
                **{
                    name: [getattr(event, field) for event, _ in rows]
                    for name, field in (
                        *((one, one) for one in ("service", "action", "resource", "branch", "outcome")),
                        ("partial", "hidden"),
                    )
                },
            },
        )
        con.execute(
            "INSERT INTO run SELECT 1, 'a', unnest($s::VARCHAR[]), unnest($j::VARCHAR[])",
            {"s": [session for session, _ in run], "j": [job for _, job in run]},
        )
        if direct:
            con.execute("INSERT INTO identity VALUES (1, '', '', '', '', '', $role, '', '')", {"role": ROLE})
            con.execute(
                "INSERT INTO event SELECT 1, 9000 + generate_subscripts($s, 1), 0, 'cloudtrail', unnest($s), $time, "
                "'', $role, unnest($s::VARCHAR[]), 'aws', 's3:GetObject', 'arn:aws:s3:::b/k', '', '', 'used', '', "
                "NULL, '', false, false, true, 1",
                {"s": list(direct), "time": MORNING + timedelta(days=20), "role": ROLE},
            )
        config = Config(
            jobs={"a": named} if named else {},
            principals={"a": (Entry({"role": ROLE}),)},
            covers={"gateway": ("git", "stripe", "aws")} if direct else {},
        )
        project = Project(con, config, temporary=True)
        return jobs.split(project, PolicySet((document.parse(text, "p.yaml"),)), "a")
    finally:
        con.rollback()


def kinds(job: str, *, named: bool) -> set[str]:
    """The kinds of sessions that may be a job's."""
    own = {job, ""}
    return own if named or job == "few" else {*own, "both"}


def share(uses: Iterable[tuple[Event, str]]) -> Share:
    found = [(f"{kind}-{event.day}", event.day) for event, kind in uses if event.outcome in USED]
    named = {session for session, _ in found if not session.startswith("-")}
    return Share(len(named), len({day for _, day in found}), len(found))


@settings(max_examples=20)
@given(
    st.lists(rules(), min_size=1, max_size=4),
    st.lists(st.tuples(events, st.sampled_from(["x", "x", "y", "few", "both", "none", ""])), max_size=14),
    st.booleans(),
    st.booleans(),
)
def test_jobs_are_contained_and_keep_what_they_did(
    found: list[NaiveRule], uses: list[tuple[Event, str]], flow: bool, named: bool
) -> None:
    uses = [*uses, (Event("git", "fetch", "acme/a", "", "used", "", 5), "x")]  # or there may be no job at all
    text = written(found, "\n", flow=flow)
    result = split(text, uses, PATTERNS if named else None)
    working = {job: [u for u in uses if u[1] in kinds(job, named=named) - {""}] for job in ("x", "y", "few")}
    assert {p.name: p.share for p in result.parts} == {
        f"a.{job}": share(own) for job, own in working.items() if share(own).uses
    }
    aside = {"both", "none"} if named else {"none"}
    assert result.shares.none == share(u for u in uses if u[1] in aside)
    assert result.shares.any.uses == share(u for u in uses if not u[1]).uses
    assert result.shares.several == (Share() if named else share(u for u in uses if u[1] == "both"))
    assert naive_rules(result.text, "a") == found
    for part in result.parts:
        job = part.name.removeprefix("a.")
        after = naive_rules(result.text, part.name)
        own = [e for e, kind in uses if kind in kinds(job, named=named) and e.outcome in (*USED, "no_evidence")]
        for request in UNIVERSE:
            was, now = naive_level(found, *request), naive_level(after, *request)
            assert now <= was, f"{part.name} is wider for {request}\n{result.diff}"
            assert (was, now) != (2, 1), f"{part.name} has to ask for {request}, which it had\n{result.diff}"
            if now < was:
                assert not any(e.may_be(request) for e in own), f"{part.name} loses {request}\n{result.diff}"
                assert job != "few", f"removed on three days of evidence: {request}\n{result.diff}"
                assert request[0] != "crm", f"removed what no log could have shown: {request}"
        assert [r for r in after if r.effect == "deny"] == [r for r in found if r.effect == "deny"]
    # nothing but the new agents came into the text
    more = len(result.text) - len(text)
    at = next((n for n, (a, b) in enumerate(zip(text, result.text, strict=False)) if a != b), len(text))
    assert more > 0
    assert result.text[:at] + result.text[at + more :] == text
    assert "\n".join(OTHER) in result.text


TEXT = """agents:
  a:
    x-granted-since: 2020-01-01
    allow:
      - {service: git, actions: [fetch], resources: [acme/a]}
      - {service: git, actions: [push], resources: [acme/b]}
      - {service: stripe, actions: ["invoices:read"]}
"""


def use(service: str, action: str, kind: str, resource: str = "", outcome: str = "used") -> list[tuple[Event, str]]:
    return [(Event(service, action, resource, "", outcome, "", day), kind) for day in (10, 30, 50)]


def actions(result: Split) -> dict[str, list[str]]:
    return {p.name: [a for rule in p.policy.rules for a in rule.body.actions] for p in result.parts}


def test_each_job_keeps_what_it_did() -> None:
    uses = [*use("git", "fetch", "x", "acme/a"), *use("git", "push", "y", "acme/b")]
    wanted = {"a.x": ["fetch"], "a.y": ["push"]}
    result = split(TEXT, uses)
    assert actions(result) == wanted
    assert [p.runs for p in result.parts] == [("on_behalf_of x",), ("on_behalf_of y",)]
    result = split(TEXT, uses, PATTERNS)
    assert actions(result) == wanted
    assert [p.runs for p in result.parts] == [("session x-*",), ("session z-*", "session y-*")]
    assert result.idle == ("few",)
    assert all(part.proof.holds for part in result.parts)


def test_a_session_of_several_jobs_counts_for_each() -> None:
    uses = [*use("git", "fetch", "x", "acme/a"), *use("git", "push", "y", "acme/b")]
    result = split(TEXT, [*uses, *use("stripe", "invoices:read", "both")])
    assert actions(result) == {"a.x": ["fetch", "invoices:read"], "a.y": ["push", "invoices:read"]}


def test_a_line_that_does_not_tell_its_run_counts_for_every_job() -> None:
    uses = [
        *use("git", "fetch", "x", "acme/a"),
        *use("git", "push", "y", "acme/b"),
        *use("stripe", "invoices:read", ""),
    ]
    for named in (None, PATTERNS):
        assert actions(split(TEXT, uses, named)) == {
            "a.x": ["fetch", "invoices:read"],
            "a.y": ["push", "invoices:read"],
        }


def test_a_call_past_the_gateway_is_a_job_s_where_its_session_name_says_so() -> None:
    text = TEXT + '      - {service: aws, actions: ["s3:GetObject"]}\n'
    uses = [*use("git", "fetch", "x", "acme/a"), *use("git", "push", "y", "acme/b")]
    both = {"a.x": ["fetch", "s3:GetObject"], "a.y": ["push", "s3:GetObject"]}
    assert actions(split(text, uses, None, ["some-name"])) == both
    assert actions(split(text, uses, PATTERNS, ["some-name"])) == both
    assert actions(split(text, uses, PATTERNS, ["x-direct"])) == {"a.x": ["fetch", "s3:GetObject"], "a.y": ["push"]}
    assert split(text, uses, PATTERNS, ["some-name", "x-direct"]).shares.any.uses == 1


def test_what_is_of_no_job_stays_with_the_agent() -> None:
    uses = [*use("git", "fetch", "x", "acme/a"), *use("stripe", "invoices:read", "none")]
    result = split(TEXT, uses)
    assert actions(result) == {"a.x": ["fetch"]}
    assert result.shares.none == Share(3, 3, 3)


def test_lines_of_no_run_are_no_sign_that_a_job_was_at_work() -> None:
    every_day = [(Event("git", "fetch", "acme/a", "", "used", "", day), "") for day in range(DAYS)]
    result = split(TEXT, [*every_day, *use("git", "push", "few", "acme/b")])
    assert actions(result) == {"a.few": ["fetch", "push", "invoices:read"]}


def test_the_first_job_that_fits_has_the_run() -> None:
    uses = [*use("git", "fetch", "x", "acme/a"), *use("git", "push", "y", "acme/b")]
    named = {"first": (Started(on_behalf_of="x"),), "rest": (Started("*"),)}
    result = split(TEXT, uses, named)
    assert {p.name: p.share.uses for p in result.parts} == {"a.first": 3, "a.rest": 3}
    assert actions(result)["a.first"] == ["fetch"]
    swapped = split(TEXT, uses, dict(reversed(named.items())))
    assert {p.name: p.share.uses for p in swapped.parts} == {"a.rest": 6}
    assert swapped.idle == ("first",)


def test_nothing_moves_to_approval() -> None:
    text = TEXT.replace('"invoices:read"', '"refunds:create"')
    result = split(text, use("stripe", "refunds:create", "x"))
    (part,) = result.parts
    assert [rule.effect.value for rule in part.policy.rules] == ["allow"]
    assert any(one.moved for one, _ in part.proposal.left_out)  # which suggest would do


@pytest.mark.parametrize(
    ("text", "uses", "slug"),
    [
        (TEXT, use("git", "fetch", "none", "acme/a"), "no-jobs"),
        (TEXT + "  a.x: {}\n", use("git", "fetch", "x", "acme/a"), "agent-exists"),
        ("agents: {b: {}}\n", use("git", "fetch", "x", "acme/a"), "unknown-agent"),
    ],
)
def test_refused(text: str, uses: Uses, slug: str) -> None:
    with pytest.raises(TightenerError) as caught:
        split(text, uses)
    assert caught.value.slug == slug


def test_too_many_jobs() -> None:
    assert (LAST - MORNING.date()).days + 1 == DAYS
    STARTED["crowd"] = [f"person-{n}" for n in range(jobs.MOST + 1)]
    try:
        with pytest.raises(TightenerError) as caught:
            split(TEXT, use("git", "fetch", "crowd", "acme/a"))
    finally:
        del STARTED["crowd"]
    assert caught.value.slug == "too-many-jobs"
