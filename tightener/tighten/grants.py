"""Grants: a rule and one of the actions that it grants, each with a status and the evidence for it.

The five statuses are those of policy-semantics, section 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tightener.model import Rule
from tightener.policy.patterns import matches
from tightener.services.catalogue import catalogue_case, expand, known_actions
from tightener.services.semantics import expand_actions, fold_action
from tightener.tighten.evidence.verdict import Class, Verdict


class Status(StrEnum):
    """What the window says about one grant."""

    EXERCISED = "exercised"
    UNEXERCISED = "unexercised"
    UNOBSERVABLE = "unobservable"
    TOO_NEW = "too_new"
    EXCEPTED = "excepted"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Counts over the window for one grant; times are naive UTC."""

    uses: int = 0
    approved_uses: int = 0
    unlogged_uses: int = 0
    indirect_uses: int = 0
    partial_uses: int = 0
    doubtful: int = 0  # requests without evidence either way that might have used it
    unmapped: int = 0  # unmapped events that might have used it
    first_used: datetime | None = None
    last_used: datetime | None = None
    days_active: int = 0
    sessions: int = 0
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """One action that one rule grants. `pattern` is the action as the rule writes it."""

    rule: Rule
    pattern: str
    action: str
    status: Status
    note: str
    evidence: Evidence
    observed_days: int
    granted_since: date | None
    covered_by: Rule | None = None
    verdict: Verdict | None = None  # of the unexercised ones
    lacking: str = ""  # of the exercised ones: what the gates miss before it may be narrowed, and until when

    @property
    def id(self) -> str:
        """Names the grant on the command line: rule number (from 1) and action."""
        return f"{self.rule.index + 1}/{self.action}"

    @property
    def goes(self) -> bool:
        """Whether it is unexercised and the evidence is good enough to remove it."""
        return self._is(Class.REMOVE)

    @property
    def asks(self) -> bool:
        """Whether it is unexercised and should need approval before it is removed."""
        return self._is(Class.ASK_FIRST)

    def _is(self, kind: Class) -> bool:
        return self.status is Status.UNEXERCISED and self.verdict is not None and self.verdict.kind is kind

    @property
    def is_wildcard(self) -> bool:
        """Whether the rule writes this action only through a pattern or an alias."""
        return fold_action(self.rule.service, self.pattern) != fold_action(self.rule.service, self.action)


def granted_actions(rule: Rule, logged: Iterable[str]) -> list[tuple[str, str]]:
    """The (action as written, concrete action) pairs of a rule, each concrete action once.

    A wildcard is expanded over the catalogue and over what was ever logged; a wildcard that neither knows anything
    about stands for itself. An action that is written out belongs to its own text, not to a wildcard beside it.
    """
    service = rule.service
    logged = tuple(logged)
    owner: dict[str, tuple[str, str]] = {}
    for literal_pass in (True, False):
        for text in rule.body.actions:
            for pattern in expand_actions(service, [text], rule.aliases):
                wild = "*" in pattern or "?" in pattern
                if wild == literal_pass:
                    continue
                for action in _concrete(service, pattern, logged) if wild else (_printed(service, pattern),):
                    owner.setdefault(fold_action(service, action), (text, action))
    order = {text: i for i, text in enumerate(rule.body.actions)}
    return sorted(owner.values(), key=lambda pair: (order[pair[0]], pair[1] != pair[0], pair[1]))


def _printed(service: str, action: str) -> str:
    return catalogue_case(action) if service == "aws" else action


def _concrete(service: str, pattern: str, logged: tuple[str, ...]) -> tuple[str, ...]:
    known = expand(pattern) if service == "aws" else tuple(known_actions(service))
    folded = fold_action(service, pattern)
    found = {a for a in (*known, *logged) if matches(folded, fold_action(service, a))}
    return tuple(sorted(found)) or (pattern,)
