"""`tightener iam` and `tightener compare --account`: what roles can do, for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tightener.iam.account import Account, Identity
from tightener.iam.beyond import ACTION, Compared, Excess
from tightener.iam.document import Statement
from tightener.report import payload, terminal
from tightener.report.defuse import visible
from tightener.report.terminal import Printer
from tightener.results import RoleStudy
from tightener.tighten.wording import count

_MOST = 15  # services in the table, and lines in each list
_OTHERS = "--all and --json list them"
_EXAMPLES = 3


def document(account: Account, found: Mapping[str, Sequence[Compared]], undecided: Sequence[str]) -> dict[str, Any]:
    """`tightener.iam/1`. Statements are listed once a role; `granted_by` holds their numbers in that list, from 0."""
    agents = [{"agent": agent, "roles": [_role(one) for one in roles]} for agent, roles in found.items()]
    return {"schema": "tightener.iam/1", "account": account.path, "agents": agents, "undecided": list(undecided)}


def _role(one: Compared) -> dict[str, Any]:
    statements = (*one.identity.statements, *(one.identity.boundary or ()))
    numbers = {statement: i for i, statement in enumerate(statements)}
    return {
        **_identity(one.identity),
        "actions_within_reach": one.reached,
        "services": [
            {"service": service, "actions_beyond": actions, "resources_wider": wider, "conditional": conditional}
            for service, actions, wider, conditional, _ in _by_service(one.excess)
        ],
        "beyond": [
            {
                "action": e.action,
                "kind": e.kind,
                "conditional": e.conditional,
                "example": e.example,
                "granted_by": [numbers[s] for s in e.by],
            }
            for e in one.excess
        ],
        "statements": [_statement(s) for s in statements],
        "undecided": list(one.undecided),
    }


def _identity(one: Identity) -> dict[str, Any]:
    return {"kind": one.kind, "name": one.name, "arn": one.arn, "boundary": _boundary(one)}


def _statement(one: Statement) -> dict[str, Any]:
    source = one.source
    return {
        "from": source.how,
        "policy": source.policy,
        "statement": source.number,
        "sid": source.sid,
        "file": source.place.path,
        "line": source.place.line,
        "effect": "Allow" if one.allow else "Deny",
        "NotAction" if one.not_action else "Action": list(one.actions),
        "NotResource" if one.not_resource else "Resource": list(one.resources),
        "conditions": list(one.conditions),
        "variables": list(one.variables),
    }


def _by_service(excess: Sequence[Excess]) -> list[tuple[str, int, int, int, list[Excess]]]:
    """(service, actions beyond, actions with wider resources, conditional ones, all), the largest first."""
    groups: dict[str, list[Excess]] = {}
    for one in excess:
        groups.setdefault(one.service, []).append(one)
    found = [
        (service, sum(e.kind == ACTION for e in group), sum(e.kind != ACTION for e in group),
         sum(e.conditional for e in group), group)
        for service, group in groups.items()
    ]  # fmt: skip
    return sorted(found, key=lambda row: (-len(row[4]), row[0]))


def words(
    out: Printer, account: Account, found: Mapping[str, Sequence[Compared]], undecided: Sequence[str], *, every: bool
) -> None:
    """`tightener iam` for people: a part a role. With `every`, one row an action."""
    for number, (agent, roles) in enumerate(found.items()):
        for one in roles:
            if number or one is not roles[0]:
                out.line()
            _role_words(out, agent, account, one, every=every)
    for text in undecided:
        out.line(visible(text))


def _role_words(out: Printer, agent: str, account: Account, one: Compared, *, every: bool) -> None:
    out.line(visible(sentence(agent, one)), style="bold")
    policies = dict.fromkeys(f"{s.source.how} {s.source.policy}" for s in one.identity.statements)
    out.fields(
        [
            ("read", visible(f"{account.path}: {count(len(one.identity.statements), 'statement')}")),
            ("policies", visible("; ".join(policies) or "none")),
            ("boundary", visible(_boundary(one.identity))),
        ]
    )
    if one.excess:
        out.line()
        if every:
            out.table(("action", "beyond", "on", "granted by"), [_row(e) for e in one.excess], ratios=(3, 2, 3, 4))
        else:
            _services(out, one)
    most = None if every else _MOST
    conditional = [f"{s.source}: {'; '.join([*s.conditions, *s.variables])}" for s in _conditional(one)]
    out.listed("Only under conditions", conditional, most, _OTHERS)
    out.listed("Explicitly denied", _refusals(one.identity), most, _OTHERS)
    out.listed("What could not be decided", one.undecided, most, _OTHERS)


def _boundary(one: Identity) -> str:
    if one.boundary is None:
        return "not in the file" if any(u.startswith("permissions boundary") for u in one.unread) else "none"
    names = dict.fromkeys(s.source.policy for s in one.boundary)
    return "; ".join(names) or "one that allows nothing"


def _refusals(one: Identity) -> list[str]:
    """The denies that always hold, as written."""
    return [
        f"{'all but ' if s.not_action else ''}{', '.join(s.actions)} on {s.target}: {s.source}"
        for s in (*one.statements, *(one.boundary or ()))
        if not s.allow and not s.conditions
    ]


def sentence(agent: str, one: Compared) -> str:
    """The result for one role in one sentence."""
    name = f"{one.identity.kind} {one.identity.name}"
    if not one.excess:
        return f"{agent}: the {name} can do nothing beyond the gateway's policy."
    new = sum(e.kind == ACTION for e in one.excess)
    return (
        f"{agent}: the {name} can use {count(one.reached, 'action')}; {new:,} of them the gateway does not grant, "
        f"and {len(one.excess) - new:,} more on resources that it does not grant."
    )


def _services(out: Printer, one: Compared) -> None:
    rows = _by_service(one.excess)
    table = [
        (service, f"{actions:,}", f"{wider:,}", f"{conditional:,}", _named(group))
        for service, actions, wider, conditional, group in rows[:_MOST]
    ]
    out.table(("service", "actions beyond", "resources wider", "conditional", "which, and granted by"), table)
    if len(rows) > _MOST:
        out.line(f"and {count(len(rows) - _MOST, 'more service')} ({_OTHERS})")


def _named(group: Sequence[Excess]) -> str:
    names = [e.action.partition(":")[2] for e in group]
    sources = list(dict.fromkeys(str(s.source) for e in group for s in e.by))
    more = f" and {len(sources) - _EXAMPLES} more" if len(sources) > _EXAMPLES else ""
    return visible(f"{_some(names)}: {'; '.join(sources[:_EXAMPLES])}{more}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _EXAMPLES:,} more" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more


def _row(one: Excess) -> tuple[str, ...]:
    kind = "action" if one.kind == ACTION else "resources"
    where = "; ".join(dict.fromkeys(s.target for s in one.by))
    by = "; ".join(str(s.source) for s in one.by)
    return (one.action, f"{kind}{', conditional' if one.conditional else ''}", visible(where), visible(by))


def _conditional(one: Compared) -> list[Statement]:
    """The allows that give something beyond, and only under conditions or for some values of a variable."""
    found = dict.fromkeys(s for e in one.excess for s in e.by if s.conditions or s.variables)
    return list(found)


def comparison(found: RoleStudy) -> dict[str, Any]:
    """`tightener.compare/1` with the IAM side: each grant with its statement, and what was left out."""
    base = payload.comparison(found.study)
    grants = found.study.comparison.grants
    return {
        **base,
        "granted_side": "iam",
        "roles": [_identity(one) for one in found.identities],
        "grants": [
            {**shown, "statement": _statement(found.statements[g.rule.index])}
            for shown, g in zip(base["grants"], grants, strict=True)
        ],
        "without_effect": [
            {"action": g.action, "statement": str(found.statements[g.rule.index].source)} for g in found.without_effect
        ],
        "notes": list(found.notes),
    }


def comparison_words(out: Printer, found: RoleStudy, *, every: bool) -> None:
    """`tightener compare --account` for people."""
    terminal.comparison(out, found.study, every=every)
    refused: dict[str, list[str]] = {}
    for g in found.without_effect:
        refused.setdefault(str(found.statements[g.rule.index].source), []).append(g.action)
    lines = [f"{_some(names)}: {source}" for source, names in refused.items()]
    most = None if every else _MOST
    out.listed(
        "Written in an allow, and without effect (a deny, the boundary, or no such resource)", lines, most, _OTHERS
    )
    out.listed("What IAM says and this comparison cannot", found.notes, most, _OTHERS)
