"""Properties 1-3 and 5-8 of docs/policy-semantics.md section 5, on random policies and random logs.

The oracle is a naive evaluator and matcher of its own: it reads the policy with a plain YAML loader from the lists that
the test itself wrote, and knows nothing of boxes, automata or SQL.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tightener import pipeline
from tightener.config import Config
from tightener.logs import store
from tightener.pipeline import Project
from tightener.policy import document
from tightener.policy.document import PolicyFile, PolicySet
from tightener.results import Proposal

LAST = date(2026, 11, 15)
# A case runs the whole program several times: shrinking one takes minutes, and the cases are small as they are.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
DAYS = 40
SERVICES = {
    "git": ["clone", "fetch", "pull", "push"],
    "stripe": ["invoices:read", "invoices:create", "customers:read"],
    "crm": ["read", "export"],
}
RESOURCES = ["", "acme/a", "acme/b", "acme/a/x", "evil/z"]
BRANCHES = ["", "main", "feature/x", "feature/y"]
ACTION_PATTERNS = {
    "git": ["clone", "fetch", "push", "pull", "*", "p*"],
    "stripe": ["invoices:read", "invoices:write", "customers:read", "*:read", "*"],
    "crm": ["read", "export", "*"],
}
RESOURCE_PATTERNS = ["acme/*", "acme/a", "*", "acme/?", "*/a", "evil/z"]
BRANCH_PATTERNS = ["main", "feature/*", "*", "feature/x"]


@dataclass(frozen=True)
class NaiveRule:
    effect: str
    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] | None
    branches: tuple[str, ...] | None


def naive_match(pattern: str, value: str) -> bool:
    """The definition, by recursion."""

    @cache
    def at(i: int, j: int) -> bool:
        if i == len(pattern):
            return j == len(value)
        if pattern[i] == "*":
            return at(i + 1, j) or (j < len(value) and at(i, j + 1))
        return j < len(value) and pattern[i] in ("?", value[j]) and at(i + 1, j + 1)

    return at(0, 0)


def naive_level(rules: list[NaiveRule], service: str, action: str, resource: str, branch: str) -> int:
    effects = set()
    for rule in rules:
        actions = list(rule.actions)
        for a in rule.actions:
            thing, _, verb = a.partition(":")
            if verb == "write":
                actions += [f"{thing}:create", f"{thing}:update", f"{thing}:delete"]
        if (
            rule.service == service
            and any(naive_match(p, action) for p in actions)
            and (rule.resources is None or any(naive_match(p, resource) for p in rule.resources))
            and (rule.branches is None or any(naive_match(p, branch) for p in rule.branches))
        ):
            effects.add(rule.effect)
    if "deny" in effects:
        return 0
    return 1 if "require_approval" in effects else 2 if "allow" in effects else 0


def naive_rules(file: PolicyFile, agent: str) -> list[NaiveRule]:
    return [
        NaiveRule(r.effect.value, r.service, r.body.actions, r.body.resources, r.body.branches)
        for r in file.agents[agent].rules
    ]


@st.composite
def rules(draw: st.DrawFn) -> NaiveRule:
    service = draw(st.sampled_from(sorted(SERVICES)))
    some = st.lists(st.sampled_from(RESOURCE_PATTERNS), min_size=1, max_size=3, unique=True)
    return NaiveRule(
        effect=draw(st.sampled_from(["allow", "allow", "allow", "require_approval", "deny"])),
        service=service,
        actions=tuple(draw(st.lists(st.sampled_from(ACTION_PATTERNS[service]), min_size=1, max_size=3, unique=True))),
        resources=draw(st.none() | some.map(tuple)),
        branches=draw(
            st.none() | st.lists(st.sampled_from(BRANCH_PATTERNS), min_size=1, max_size=2, unique=True).map(tuple)
        )
        if service == "git"
        else None,
    )


def written(found: list[NaiveRule], newline: str, *, flow: bool) -> str:
    """The rules as YAML text: a block and a comment for each, and another agent that must not change."""
    lines = ["# head", "project: p", "agents:", "  a:", "    x-granted-since: 2020-01-01"]
    for i, rule in enumerate(found):
        lines += [f"    # block {i}", f"    {rule.effect}:", f"      # rule {i}"]
        parts = [("actions", rule.actions), ("resources", rule.resources), ("branches", rule.branches)]
        fields = [f"service: {rule.service}"]
        fields += [f"{k}: [{', '.join(f'{v!r}' for v in vs)}]".replace("'", '"') for k, vs in parts if vs is not None]
        if flow:
            lines.append(f"      - {{{', '.join(fields)}}}   # tail {i}")
        else:
            lines += [f"      - {fields[0]}   # tail {i}", *(f"        {field}" for field in fields[1:])]
    lines += OTHER
    return newline.join(lines) + newline


OTHER = [
    "  other:   # untouched",
    "    allow: [ {service: git,actions: [ push ]  } ]",
    "    deny:",
    "    - service: '*'",
    "      actions: 'x'  # y",
]

events = st.lists(
    st.tuples(
        st.sampled_from([(s, a) for s, actions in SERVICES.items() for a in actions if s != "crm"]),
        st.sampled_from(RESOURCES),
        st.sampled_from(BRANCHES),
        st.sampled_from(["used", "used", "used", "approved", "refused", "no_evidence", "used_unlogged"]),
        st.integers(0, DAYS - 1),
    ),
    max_size=12,
)


def fill(con: duckdb.DuckDBPyConnection, log: list[tuple[tuple[str, str], str, str, str, int]]) -> None:
    """The log as rows of `event`, with one line of another agent and service a day, so that every day was seen."""
    con.execute(
        "INSERT INTO log_file VALUES (1, 'f', 'gateway', 'gateway', 0, '', 0, 0, 0, 0, 0, NULL, NULL, '', "
        "TIMESTAMP '2026-11-16')"
    )
    first = LAST - timedelta(days=DAYS - 1)
    rows = []
    for service in ("git", "stripe"):  # nobody ever logged crm: nothing may be said about it
        rows += [(day, "beat", service, "heartbeat", "", "", "used", f"h{day}{service}") for day in range(DAYS)]
    for i, ((service, action), resource, branch, outcome, day) in enumerate(log):
        rows.append((day, "a", service, action, resource, branch if service == "git" else "", outcome, f"e{i}"))
    rows.append((0, "a", "git", "heartbeat", "", "", "refused", "seen"))  # the gateway knows this agent
    for n, (day, agent, service, action, resource, branch, outcome, native) in enumerate(rows):
        moment = datetime.combine(first + timedelta(days=day), datetime.min.time()) + timedelta(seconds=n)
        con.execute(
            "INSERT INTO event VALUES "
            "(1, ?, 0, 'gateway', ?, ?, ?, '', 's', ?, ?, ?, ?, '', ?, 'allow', NULL, '', false, false, true)",
            [n, native, moment, agent, service, action, resource, branch, outcome],
        )


def tightened(text: str, log: list[tuple[tuple[str, str], str, str, str, int]]) -> Proposal:
    con = store.open(None)
    try:
        fill(con, log)
        project = Project(con, Config(), temporary=True)
        file = document.parse(text, "p.yaml")
        found = pipeline.study(project, PolicySet((file,)), "a")
        return pipeline.propose(project, found)
    finally:
        con.close()


UNIVERSE = [
    (s, a, r, b)
    for s, actions in SERVICES.items()
    for a in [*actions, "other"]
    for r in [*RESOURCES, "acme/new", "zzz"]
    for b in ([*BRANCHES, "feature/new", "other"] if s == "git" else [""])
]


@settings(max_examples=250, phases=NO_SHRINKING)
@given(st.lists(rules(), min_size=1, max_size=5), events, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_the_contract(
    found: list[NaiveRule], log: list[tuple[tuple[str, str], str, str, str, int]], newline: str, flow: bool
) -> None:
    text = written(found, newline, flow=flow)
    proposal = tightened(text, log)
    after = naive_rules(document.parse(proposal.text, "p.yaml"), "a")
    used = {
        (s, a, r, b if s == "git" else "")
        for (s, a), r, b, outcome, _ in log
        if outcome in ("used", "approved", "used_unlogged")
    }
    maybe = {(s, a) for (s, a), _, _, outcome, _ in log if outcome == "no_evidence"}
    for request in {*UNIVERSE, *used}:
        was, now = naive_level(found, *request), naive_level(after, *request)
        assert now <= was, f"1: wider for {request}"
        if request in used:
            assert now == was, f"2: a use lost its level: {request}"
        if request[0] == "crm":
            assert now == was, f"3: removed what no log could have shown: {request}"
        if now < was and was == 2:
            assert request not in used
    for service, action in maybe:
        for r, b in itertools.product(RESOURCES, BRANCHES if service == "git" else [""]):
            if any(
                (s, a) == (service, action) and (rr, bb if s == "git" else "") == (r, b)
                for (s, a), rr, bb, outcome, _ in log
                if outcome == "no_evidence"
            ):
                before = naive_level(found, service, action, r, b)
                assert naive_level(after, service, action, r, b) == before, "3: removed with no evidence either way"
    # 5: idempotent
    again = tightened(proposal.text, log)
    assert again.text == proposal.text, (
        f"5: a second run changed something:\n{proposal.diff}\n{again.diff}\n{proposal.left_out}"
    )
    # 7: untouched bytes stay
    assert newline.join(OTHER) in proposal.text
    assert proposal.text.startswith(newline.join(text.split(newline)[:4]))
    assert ("\n" in proposal.text.replace("\r\n", "")) is False if newline == "\r\n" else "\r" not in proposal.text
    edited = {s.rule.index for s in proposal.suggestions}
    for i, rule in enumerate(found):
        if i not in edited and rule.effect != "deny":
            assert f"# tail {i}" in proposal.text
    # 8: deny rules are never touched
    assert [r for r in after if r.effect == "deny"] == [r for r in found if r.effect == "deny"]


@settings(max_examples=60, phases=NO_SHRINKING)
@given(st.lists(rules(), min_size=1, max_size=4), events, st.integers(0, 2**32))
def test_order_does_not_matter(
    found: list[NaiveRule], log: list[tuple[tuple[str, str], str, str, str, int]], seed: int
) -> None:
    text = written(found, "\n", flow=False)
    shuffled = list(log)
    random.Random(seed).shuffle(shuffled)
    assert tightened(text, shuffled).text == tightened(text, log).text


def test_the_oracle_itself() -> None:
    assert naive_match("a*c?", "abbcd")
    assert not naive_match("a*c?", "abbc")
    with pytest.raises(AssertionError):
        assert naive_match("*", "x") is False
