"""Properties 1-3 and 5-8 of docs/policy-semantics.md section 5, on random policies and random logs.

The oracle (oracle.py) is a naive reader, matcher and evaluator: it shares nothing with the program, and knows nothing
of boxes, automata or SQL.

A case runs the whole program from the database to the new text, so thousands of them want every core: a test starts
this file as a script several times, and each process tries its share of the cases. To see one of them fail again:
`python tests/properties/test_contract.py PROPERTY SEED CASES thorough`, which also shrinks what it finds.
"""

from __future__ import annotations

import gc
import json
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from oracle import NaiveRule, naive_level, naive_match, naive_rules
from small_cases import LAST, MORNING, OTHER, UNIVERSE, Event, Log, events, rules, written
from small_program import EVIDENCE, OPTIMISED, database, proposed, tightened

from tightener import pipeline
from tightener.config import Config
from tightener.model import Rule
from tightener.pipeline import Project

# --- the properties --------------------------------------------------------------------------------------------------


def as_allow(rule: Rule) -> NaiveRule:
    """What a suggestion says that it moves to approval, as a rule whose requests the oracle can tell."""
    return NaiveRule("allow", rule.service, rule.body.actions, rule.body.resources, rule.body.branches)


@given(
    st.lists(rules(), min_size=1, max_size=5),
    st.lists(events, max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.integers(0, 9_999),
    st.sampled_from(EVIDENCE),
)
def the_contract(found: list[NaiveRule], log: Log, newline: str, flow: bool, chance: int, evidence: str) -> None:
    """1-3, 5-8; of 6, the order of the rows in the database."""
    text = written(found, newline, flow=flow, since="2026-09-01" if evidence == "young" else "2020-01-01")
    numbered = list(enumerate(log))
    proposal = tightened(text, numbered, evidence)
    after = naive_rules(proposal.text, "a")
    used = [e for e in log if e.outcome in ("used", "approved", "used_unlogged")]
    maybe = [e for e in log if e.outcome == "no_evidence"]
    said = [
        as_allow(rule)
        for suggestion in proposal.suggestions
        if suggestion.kind != "ask_unused"
        for rule in suggestion.moved
    ]
    for one in said:  # only what is risky moves, and only what is used
        risky = one.actions == ("refunds:create",) or (one.actions == ("push",) and one.branches == ("main",))
        assert risky, f"2: a plain use is moved: {one}\n{proposal.diff}"
        assert any(e.may_be(r) for e in used for r in UNIVERSE if naive_level([one], *r)), f"2: for no use: {one}"
    tried = {(e.service, e.action) for e in used}
    for request in UNIVERSE:
        was, now = naive_level(found, *request), naive_level(after, *request)
        assert now <= was, f"1: wider for {request}\n{proposal.diff}"
        if evidence == "young" and request[:2] not in tried and request[1] != "other":  # nobody knows what that is
            assert now == was, f"3: removed on thin evidence: {request}\n{proposal.diff}"
        if now < was and not ((was, now) == (2, 1) and naive_level(said, *request) == 2):  # else: said out loud
            assert not any(e.may_be(request) for e in used), f"2: a use lost its level: {request}\n{proposal.diff}"
            assert request[0] != "crm", f"3: removed what no log could have shown: {request}\n{proposal.diff}"
            assert not any(e.may_be(request) for e in maybe), (
                f"3: removed with no evidence either way: {request}\n{proposal.diff}"
            )
    assert proposal.after.score <= proposal.before.score + 1e-9, f"the score rose:\n{proposal.diff}"
    # 5: idempotent. Where nothing changed, a second run would be the first run again. 6: it sees the rows in another
    # order, and so does, in a quarter of the cases, a run on the first text.
    shuffled = random.Random(chance).sample(numbered, len(numbered))
    if proposal.text != text:
        again = tightened(proposal.text, shuffled, evidence)
        assert again.text == proposal.text, (
            f"5, 6: a second run changed something:\n{proposal.diff}\n{again.diff}\n{proposal.left_out}"
        )
    if chance % 4 == 0:
        other = tightened(text, shuffled, evidence)
        assert other.text == proposal.text, f"6: order:\n{proposal.diff}\n{other.diff}"
    # 7: untouched bytes stay
    assert newline.join(OTHER) in proposal.text, f"7: another agent changed:\n{proposal.diff}"
    assert proposal.text.startswith(newline.join(text.split(newline)[:4])), f"7: the head changed:\n{proposal.diff}"
    bare = proposal.text.replace("\r\n", "")
    assert ("\r" in bare, "\n" in bare) == (False, newline == "\n"), f"7: line endings:\n{proposal.diff}"
    edited = {s.rule.index for s in proposal.suggestions}
    for i in range(len(found)):
        assert i in edited or f"# tail {i}" in proposal.text, f"7: rule {i} lost its comment:\n{proposal.diff}"
    # 8: deny rules are never touched
    kept = [r for r in after if r.effect == "deny"]
    assert kept == [r for r in found if r.effect == "deny"], f"8: a deny rule changed:\n{proposal.diff}"


@given(
    st.lists(rules(), min_size=1, max_size=4),
    st.lists(st.tuples(events, st.booleans(), st.booleans()), min_size=2, max_size=12),
    st.integers(0, 2**32),
)
def duplicates_do_not_matter(found: list[NaiveRule], log: list[tuple[Event, bool, bool]], chance: int) -> None:
    """6, from the gateway's lines on: agent `a` once and in order, `b` shuffled, repeated and over two files.

    A line without an id is known by what it says, however its keys are ordered.
    """
    text = written(found, "\n", flow=False)
    once = [line("a", number, event, own_id=own_id) for number, (event, own_id, _) in enumerate(log)]
    often = [{**one, "agent": "b"} | ({"id": f"b{one['id']}"} if "id" in one else {}) for one in once]
    often += [dict(reversed(one.items())) for one, (_, _, twice) in zip(tuple(often), log, strict=True) if twice]
    shuffling = random.Random(chance)
    shuffling.shuffle(often)
    cut = shuffling.randrange(len(often) + 1)
    con = database(optimised=OPTIMISED)
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in (("1", once), ("2", often[:cut]), ("3", often[cut:])):
            Path(folder, f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
        try:  # `ingest` has transactions of its own, so its rows are taken out by hand
            now = datetime.combine(LAST, datetime.max.time(), UTC)
            report = pipeline.read_logs(Project(con, Config(), temporary=True), [folder], now, lambda _: None)
            assert sum(one.duplicate for one in report.sources) == len(often) - len(once), f"6: {report}"
            assert rows(con, "a") == rows(con, "b"), "6: other rows"
            if chance % 4 == 0:
                one, other = proposed(con, text, "a"), proposed(con, text.replace("\n  a:\n", "\n  b:\n"), "b")
                assert one.text.replace("\n  a:\n", "\n  b:\n") == other.text, f"6:\n{one.diff}\n{other.diff}"
        finally:
            con.execute("DELETE FROM event WHERE file_id <> 1; DELETE FROM log_file WHERE id <> 1")


def rows(con: duckdb.DuckDBPyConnection, agent: str) -> list[tuple[object, ...]]:
    """What was read of an agent, whoever it is and wherever it stood."""
    return con.execute(
        "SELECT * EXCLUDE (file_id, position, native_id, agent) FROM event "
        "WHERE agent = ? AND file_id <> 1 ORDER BY ALL",
        [agent],
    ).fetchall()


def line(agent: str, number: int, event: Event, *, own_id: bool) -> dict[str, object]:
    """The event as the gateway would have logged it; a push without its branch hides it."""
    moment = MORNING + timedelta(days=event.day, seconds=number)
    said: dict[str, object] = {"v": 1, "time": f"{moment.isoformat()}Z", "agent": agent, "service": event.service}
    said |= {"id": f"{agent}{number}"} if own_id else {}
    said |= {"action": event.action, "resource": event.resource}
    said |= {} if event.hidden == "branch" else {"branch": event.branch}
    outcomes: dict[str, dict[str, object]] = {
        "used": {"decision": "allow", "outcome": "success"},
        "approved": {"decision": "require_approval", "outcome": "success", "approval": {"state": "approved"}},
        "refused": {"decision": "deny", "outcome": "denied"},
        "no_evidence": {"decision": "require_approval", "outcome": "not_run", "approval": {"state": "pending"}},
        "used_unlogged": {"decision": "allow"},
    }
    return said | outcomes[event.outcome]


# --- the tests -------------------------------------------------------------------------------------------------------

SHARDS = 4


def tried(check: Callable[[], None], cases: int, folder: Path) -> None:
    """Tries so many cases of a property, or as many as the profile says; the first failure ends it.

    The number of processes does not depend on the machine, so that CI tries the same cases everywhere.
    """
    thorough = settings().max_examples > cases
    share = -(-max(cases, settings().max_examples) // SHARDS)
    start = 0 if settings().derandomize else secrets.randbelow(2**32)
    running: list[tuple[list[str], Path, subprocess.Popen[bytes]]] = []
    try:
        for number in range(SHARDS):
            command = [sys.executable, "-W", "error", __file__, check.__name__, str(start + number), str(share)]
            command += ["thorough"] if thorough else []
            said = folder / f"{number}.txt"
            with said.open("wb") as out:
                running.append((command, said, subprocess.Popen(command, stdout=out, stderr=out)))
        while any(process.poll() is None for _, _, process in running):
            if any(process.returncode for _, _, process in running):
                break
            time.sleep(0.1)
        for command, said, process in running:
            if process.returncode:
                pytest.fail(f"{said.read_text(errors='replace')}\n{' '.join(command)}", pytrace=False)
    finally:
        for _, _, process in running:
            process.kill()
            process.wait()


def test_the_contract(tmp_path: Path) -> None:
    tried(the_contract, 300, tmp_path)


def test_duplicates_do_not_matter(tmp_path: Path) -> None:
    tried(duplicates_do_not_matter, 100, tmp_path)


def test_the_oracle_itself() -> None:
    assert naive_match("a*c?", "abbcd")
    assert not naive_match("a*c?", "abbc")
    with pytest.raises(AssertionError):
        assert naive_match("*", "x") is False


def main(name: str, start: str, cases: str, *how: str) -> None:
    """One process's share of a property."""
    check = {f.__name__: f for f in (the_contract, duplicates_do_not_matter)}[name]
    gc.freeze()  # what the imports made stays: no collection need look at it again
    phases = (Phase.generate, Phase.shrink) if how == ("thorough",) else (Phase.generate,)
    seed(int(start))(
        settings(
            max_examples=int(cases),
            phases=phases,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )(check)
    )()


if __name__ == "__main__":
    main(*sys.argv[1:])
