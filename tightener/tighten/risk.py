"""What an action risks: one of nine classes for each request, from services/data/risk.csv and the IAM catalogue.

The rows of risk.csv are asked in order, and the first one that fits decides: our own list comes before the catalogue's
access levels, because these call `iam:PassRole` or `lambda:UpdateFunctionCode` plain writes. A row may also ask for a
branch or a resource (a push to `main`), which an action by itself does not tell. What the classes weigh, and which of
them a person should be asked about, says risk_class.csv.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

from tightener.model import Body
from tightener.policy.patterns import intersects, matches, to_regex
from tightener.services.catalogue import AWS, access_levels, rows
from tightener.services.semantics import fold_action, normalise_branch

APPROVAL_SHARE = 0.2  # what stays of a weight where a person is asked first


class RiskClass(StrEnum):
    """From harmless to worst, in the order in which they are shown."""

    READ = "read"
    LIST = "list"
    WRITE = "write"
    EXTERNAL_COMMUNICATION = "external_communication"
    SECRET_READ = "secret_read"  # noqa: S105 - a class, no password
    DELETE = "delete"
    MONEY = "money"
    PERMISSION_MANAGEMENT = "permission_management"
    PRIVILEGE_ESCALATION = "privilege_escalation"

    @property
    def weight(self) -> int:
        """Its part in the score: 1 for reads, 30 for what can change permissions."""
        return int(_class(self)["weight"])

    @property
    def asks(self) -> str:
        """When its use is moved to approval: `always`, `rare` (only where it comes in rare bursts) or `never`."""
        return _class(self)["asks"]

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
        return _class(self)["words"]

    @property
    def plain(self) -> bool:
        """Whether it is everyday work: read, list or write."""
        return self.asks == "never"


@dataclass(frozen=True, slots=True)
class Risk:
    """A class, why, and the patterns that a request's resource and branch had to match for it ("" = any)."""

    kind: RiskClass
    basis: str
    resource: str = ""
    branch: str = ""

    @property
    def of_scope(self) -> bool:
        """Whether the action alone would not have it."""
        return bool(self.resource or self.branch)


def risk(service: str, action: str, resource: str = "", branch: str = "") -> Risk:
    """What one request risks. Values, no patterns; a service or action that nothing is known of counts as a write."""
    short = normalise_branch(branch)
    for found in _of_action(service, fold_action(service, action)):
        if (not found.resource or matches(found.resource, resource)) and (
            not found.branch or matches(found.branch, short)
        ):
            return found
    raise LookupError("risk.csv has no last row that fits everything")


def risks(service: str, action: str, body: Body) -> tuple[Risk, ...]:
    """The risks that an action has on some resource and branch that a rule's body grants."""
    return tuple(
        found
        for found in _of_action(service, fold_action(service, action))
        if _meets(found.resource, body.resources) and _meets(found.branch, body.branches)
    )


def worst(service: str, action: str, body: Body) -> Risk:
    """The gravest of them."""
    order = list(RiskClass)
    return max(risks(service, action, body), key=lambda found: order.index(found.kind))


def scoped(service: str, action: str) -> tuple[Risk, ...]:
    """The risks that an action has only on some resources or branches, in order."""
    return tuple(found for found in _of_action(service, fold_action(service, action)) if found.of_scope)


def only_reads(service: str, action: str) -> bool:
    """Whether an action by itself changes nothing, as far as its name says."""
    return risk(service, action).kind in {RiskClass.READ, RiskClass.LIST, RiskClass.SECRET_READ}


def _meets(pattern: str, granted: tuple[str, ...] | None) -> bool:
    return not pattern or granted is None or any(intersects(pattern, normalise_branch(one)) for one in granted)


@lru_cache(maxsize=1 << 16)
def _of_action(service: str, action: str) -> tuple[Risk, ...]:
    """The rows for one action, up to and with the first that asks for no resource and no branch."""
    levels = access_levels(action) if service == AWS else ()
    found: list[Risk] = []
    for one, level, test in _rows(service):
        if (not level or level in levels) and test(action):
            found.append(one)
            if not one.of_scope:
                break
    return tuple(found)


@cache
def _rows(service: str) -> tuple[tuple[Risk, str, Callable[[str], object]], ...]:
    """The rows that concern a service: the risk, the access level that they ask for, and a test for folded actions."""
    return tuple(_parsed(service))


def _parsed(service: str) -> Iterator[tuple[Risk, str, Callable[[str], object]]]:
    for row in rows("risk"):
        if row["service"] in (service, "*"):
            patterns = (to_regex(fold_action(service, pattern)) for pattern in row["actions"].split())
            test = re.compile("|".join(patterns)).fullmatch
            yield Risk(RiskClass(row["class"]), row["basis"], row["resource"], row["branch"]), row["level"], test


@cache
def _class(name: str) -> dict[str, str]:
    return next(row for row in rows("risk_class") if row["class"] == name)
