"""What a role can do beyond the gateway's policy, action by action, and what could not be decided about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tightener.iam.account import DOCUMENT, Account, Identity, is_principal
from tightener.iam.document import Statement
from tightener.iam.regions import Region, Role, boxes_for, is_listing, names_no_bucket
from tightener.model import AgentPolicy, Box
from tightener.policy.contain import Kind, Union
from tightener.policy.patterns import matches
from tightener.policy.rules import effective
from tightener.services.catalogue import AWS, is_action
from tightener.services.semantics import fold_action

ACTION = "action"  # the gateway grants nothing of it
RESOURCES = "resources"  # the gateway grants it, on less
NOT_IN_FILE = (
    "service control policies, resource policies (a bucket's, a key's) and session policies are not part of an "
    "account's IAM: they may refuse some of this, and a resource policy may grant more"
)


@dataclass(frozen=True, slots=True)
class Excess:
    """One action that a role can use beyond what the gateway grants.

    `conditional`: only under a condition or for some value of a variable, or a conditional deny may stand in the way.
    `example` is a resource on which the role could use it and the gateway would refuse. `by` are the allows behind it.
    """

    action: str
    kind: str
    conditional: bool
    example: str
    by: tuple[Statement, ...]

    @property
    def service(self) -> str:
        """The IAM prefix."""
        return self.action.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Compared:
    """One role (or user) of an agent beside the agent's gateway policy."""

    agent: str
    identity: Identity
    reached: int  # actions that the role could use on something
    excess: tuple[Excess, ...]
    undecided: tuple[str, ...]  # sentences


@dataclass(frozen=True, slots=True)
class _Gateway:
    """What the gateway grants of one action: resource patterns, less those that it denies."""

    granted: tuple[str, ...]
    refused: tuple[str, ...]

    @property
    def grants_something(self) -> bool:
        """Whether some granted resource is not denied again."""
        refused = Union(boxes_for(self.refused))
        return any(refused.check((box,)).kind is not Kind.CONTAINED for box in boxes_for(self.granted))


def beyond(agent: str, policy: AgentPolicy | None, identity: Identity, at: datetime) -> Compared:
    """Compares one role with the gateway's policy at one moment (None: the gateway grants this agent nothing).

    An approval counts as granted: the gateway lets the agent ask for it. Raises nothing.
    """
    role = Role(identity)
    boxes = effective(policy, AWS, at) if policy else ((), (), ())
    cache: dict[object, tuple[str, bool, str, tuple[Statement, ...], bool] | None] = {}
    excess: list[Excess] = []
    unproven: list[str] = []
    reached = 0
    for action in role.actions():
        could = role.region(action)
        gateway = _gateway(boxes, action)
        key = (id(could), id(role.region(action, sure=True)), gateway)
        if key not in cache:
            cache[key] = _excess(could, role.region(action, sure=True), gateway)
        found = cache[key]
        if found is None:
            reached += bool(role.reached(action))
            continue
        kind, conditional, example, by, proven = found
        reached += 1
        excess.append(Excess(action, kind, conditional, example, by))
        if not proven:
            unproven.append(action)
    undecided = [*_unknown(role, [e.action for e in excess])]
    if unproven:
        undecided.append(
            f"whether the gateway covers {_some(unproven)} could not be proved, so they are listed as beyond"
        )
    return Compared(agent, identity, reached, tuple(excess), (*undecided, NOT_IN_FILE))


def _gateway(boxes: tuple[tuple[Box, ...], ...], action: str) -> _Gateway:
    folded = fold_action(AWS, action)
    # An AWS call has no branch: a rule with branches grants none unless it allows an absent one.
    deny, approval, allow = (
        tuple(dict.fromkeys(b.resource for b in tier if matches(b.action, folded) and matches(b.branch, "")))
        for tier in boxes
    )
    return _Gateway((*allow, *approval), deny)


def _excess(
    could: Region, sure: Region, gateway: _Gateway
) -> tuple[str, bool, str, tuple[Statement, ...], bool] | None:
    """(kind, conditional, example, statements, proven), or None where the gateway grants all of it."""
    example, by, proven = "", [], True
    for piece in could.pieces:
        found = could.outside(piece, gateway.granted, gateway.refused)
        if found.kind is Kind.CONTAINED:
            continue
        by.append(piece.by)
        if found.kind is Kind.NOT_PROVEN:
            proven = False
        elif not example and found.witness is not None:
            example = found.witness[1]
    if not by:
        return None
    always = any(sure.outside(p, gateway.granted, gateway.refused).kind is Kind.WIDER for p in sure.pieces)
    kind = RESOURCES if gateway.grants_something else ACTION
    return kind, not always, example, tuple(dict.fromkeys(by)), proven


def identities_of(account: Account, principals: Sequence[str]) -> tuple[tuple[Identity, ...], tuple[str, ...]]:
    """The roles and users of an agent, and the principal patterns that name nobody in this account."""
    found = account.identities(principals)
    if account.is_document:
        return found, ()
    missing = tuple(p for p in principals if not any(is_principal(p, one.arn) for one in found))
    return found, missing


def _unknown(role: Role, beyond_actions: Sequence[str]) -> Iterable[str]:
    """What keeps the answer from being exact, each with the policy and statement that it comes from."""
    identity = role.identity
    statements = (*identity.statements, *(identity.boundary or ()))
    if identity.unread:
        yield f"not in the file, so what they grant or refuse is unknown: {', '.join(identity.unread)}"
    for s in statements:
        if not s.allow and s.conditions:
            yield f"a deny that holds only under conditions is not subtracted: {s.source}: {'; '.join(s.conditions)}"
        elif not s.allow and s.variables:
            yield f"a deny with {', '.join(s.variables)} is subtracted only where that is no matter: {s.source}"
        if s.allow and s.variables:
            yield f"{', '.join(s.variables)} may be any text here: {s.source}"
        if s.allow and s.not_action:
            but = _some(s.actions)
            yield f"NotAction grants every action but {but}, those that AWS has yet to add, too: {s.source}"
        lost = [r for r in s.resources if names_no_bucket(r)] if not s.not_resource else []
        if lost and any(is_listing(a) for a in s.actions):
            named = ", ".join(a for a in s.actions if is_listing(a))
            yield f"{named} on {_some(lost)} is without effect: IAM looks at the bucket's ARN alone: {s.source}"
    strange = [a for a in beyond_actions if not is_action(a)]
    if strange:
        yield f"in no catalogue, taken as they are written: {_some(strange)}"
    if identity.kind == DOCUMENT:
        yield "one document was read: what else is attached to the role, and its boundary, are unknown"


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
