"""The values that travel through the program. Frozen, slotted, no I/O.

The words are the field's (docs/glossary.md); what they mean is fixed in docs/policy-semantics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum

from tightener.errors import Place

# (service, verb) -> what `thing:verb` also covers; the service "*" means every service but aws.
Aliases = Mapping[tuple[str, str], tuple[str, ...]]


class Effect(StrEnum):
    """The block of a policy that a rule stands in."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"


class Level(IntEnum):
    """How permissive a decision is: denied and not granted are equally strict."""

    REFUSED = 0
    NEEDS_APPROVAL = 1
    ALLOWED = 2


class Answer(StrEnum):
    """The authoriser's four answers."""

    ALLOWED = "allowed"
    NEEDS_APPROVAL = "needs_approval"
    DENIED = "denied"
    NOT_GRANTED = "not_granted"

    @property
    def level(self) -> Level:
        if self is Answer.ALLOWED:
            return Level.ALLOWED
        return Level.NEEDS_APPROVAL if self is Answer.NEEDS_APPROVAL else Level.REFUSED


class Outcome(StrEnum):
    """What one logged request says about use (the table of policy-semantics, section 4)."""

    USED = "used"  # ran after the authoriser let it through
    UNLOGGED = "used_unlogged"  # allowed and enforced, outcome not logged
    APPROVED = "approved"  # ran after a person approved it
    UNGRANTED = "used_ungranted"  # ran although the (not enforced) decision was deny
    REFUSED = "refused"  # attempted and refused
    NO_EVIDENCE = "no_evidence"  # throttled, invalid, pending, unknown
    SERVICE = "by_service"  # a service for itself: nobody's agent


EXERCISED = (Outcome.USED, Outcome.UNLOGGED, Outcome.APPROVED)


@dataclass(frozen=True, slots=True)
class Request:
    """One thing an agent asks for. An absent resource or branch is the empty string. Values, never patterns."""

    agent: str
    service: str
    action: str
    resource: str = ""
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """The part of a rule that edits change. `None` = the key is missing (any); `()` = an empty list (nothing)."""

    actions: tuple[str, ...]
    resources: tuple[str, ...] | None = None
    branches: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as written. `index` counts the agent's rules in document order over all blocks, from 0."""

    agent: str
    index: int
    effect: Effect
    service: str
    body: Body
    place: Place
    action_places: tuple[Place, ...] = ()
    expires: datetime | None = None  # aware, UTC: the first moment at which the rule no longer holds
    ttl: str | None = None
    extras: Mapping[str, str] = field(default_factory=dict)  # reason, owner, ticket, id
    alias_of: Place | None = None  # reached through this anchor: never edited
    twin: int = 0  # how many rules before it say the very same
    aliases: Aliases = field(default_factory=dict)  # the configuration's, before those of services/data


@dataclass(frozen=True, slots=True)
class Addition:
    """A rule that an edit adds to one of the agent's blocks.

    With a `source`, it is a part of that rule which moves here: it keeps the source's reason, owner, ticket and
    `expires`, and its id and comments where nothing of the source stays behind. Without one, it says its own.
    """

    effect: Effect
    service: str
    body: Body
    source: int | None = None  # Rule.index
    ttl: str | None = None
    expires: datetime | None = None  # as Rule.expires
    notes: Mapping[str, str] = field(default_factory=dict)  # reason, owner, ticket


@dataclass(frozen=True, slots=True)
class Box:
    """A product of patterns for one concrete service: what a rule matches after expansion (aliases, list actions).

    `action` is folded by `services.semantics.fold_action` (lower case for aws); "*" stands for a missing key.
    """

    rule: int  # Rule.index
    effect: Effect
    action: str
    resource: str
    branch: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class AgentPolicy:
    """All rules of one agent, in document order."""

    name: str
    place: Place
    rules: tuple[Rule, ...]
    granted_since: date | None = None  # the agent's `x-granted-since`: declared by its owners, not measured


@dataclass(frozen=True, slots=True)
class Window:
    """The days that are looked at, both ends included, UTC."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1
