"""Small policies and logs for the properties: few names, so that rules and uses meet, and a universe to go through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from hypothesis import strategies as st
from oracle import NaiveRule, naive_match

LAST = date(2026, 11, 15)
DAYS = 90  # as many as removal needs evidence for
MORNING = datetime.combine(LAST - timedelta(days=DAYS - 1), datetime.min.time())  # of the first day
SERVICES = {
    "git": ["clone", "fetch", "pull", "push"],
    "stripe": ["invoices:read", "invoices:create", "customers:read", "refunds:create"],
    "crm": ["read", "export"],
}
RESOURCES = ["", "acme/a", "acme/b", "acme/a/x", "evil/z", "acme/2026-10/x", "acme/2026-11/x"]
BRANCHES = ["", "main", "feature/x", "feature/y"]
ACTION_PATTERNS = {
    "git": ["clone", "fetch", "push", "pull", "*", "p*"],
    "stripe": ["invoices:read", "invoices:write", "customers:read", "*:read", "refunds:create", "*"],
    "crm": ["read", "export", "*"],
}
RESOURCE_PATTERNS = ["acme/*", "acme/a", "*", "acme/?", "*/a", "evil/z"]
BRANCH_PATTERNS = ["main", "feature/*", "*", "feature/x"]


UNIVERSE = [
    (s, a, r, b)
    for s, actions in SERVICES.items()
    for a in [*actions, "other"]
    for r in [*RESOURCES, "acme/new", "acme/2026-12/x", "zzz"]
    for b in ([*BRANCHES, "feature/new", "other"] if s == "git" else [""])
]


@dataclass(frozen=True)
class Event:
    """One request of a log. `hidden` names the part that the log does not show: there, the value is a pattern."""

    service: str
    action: str
    resource: str
    branch: str
    outcome: str
    hidden: str
    day: int

    def may_be(self, request: tuple[str, str, str, str]) -> bool:
        service, action, resource, branch = request
        return (
            (service, action) == (self.service, self.action)
            and (naive_match(self.resource, resource) if self.hidden == "resource" else resource == self.resource)
            and (naive_match(self.branch, branch) if self.hidden == "branch" else branch == self.branch)
        )


Log = list[Event]
LOGGED = [(s, a) for s in ("git", "stripe") for a in SERVICES[s]]  # nobody ever logged crm: nothing may be said of it
OUTCOMES = ["used", "used", "used", "approved", "refused", "no_evidence", "used_unlogged"]


WHOLE = [
    Event(service, action, resource, branch, "", "", 0)
    for service, action in LOGGED
    for resource in RESOURCES
    for branch in (BRANCHES if service == "git" else [""])
]
PARTLY = [replace(e, resource=pattern, hidden="resource") for e in WHOLE for pattern in ("*", "acme/*")]
PARTLY += [replace(e, branch="*", hidden="branch") for e in WHOLE if e.service == "git"]
events = st.builds(  # few draws: each takes its time
    lambda event, outcome, day: replace(event, outcome=outcome, day=day),
    st.sampled_from(WHOLE * 8 + PARTLY),
    st.sampled_from(OUTCOMES),
    st.integers(0, DAYS - 1),
)


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


def written(found: list[NaiveRule], newline: str, *, flow: bool, since: str = "2020-01-01") -> str:
    """The rules as YAML text: a block and a comment for each, and another agent that must not change."""
    lines = ["# head", "project: p", "agents:", "  a:", f"    x-granted-since: {since}"]
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
