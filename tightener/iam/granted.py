"""An IAM role as the granted side of the usual comparison: statements become rules of service aws.

A rule of the gateway's policy and a statement of IAM do not say the same things, so what a rule cannot say is kept in
words: a condition (the statement still grants: its use counts), `NotResource` (counted as any resource), a deny that
does not surely hold (left out). No edit is ever proposed from these rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from tightener.errors import Place
from tightener.iam.account import Identity
from tightener.iam.document import Statement
from tightener.iam.regions import ANY, ActionTest, Role, is_listing, names_no_bucket, over, under
from tightener.model import AgentPolicy, Body, Effect, Rule
from tightener.policy.patterns import matches
from tightener.services.catalogue import AWS, actions, expand, is_action, prefixes, rows
from tightener.services.semantics import fold_action


@dataclass(frozen=True, slots=True)
class Granted:
    """The rules of an agent's roles, and the way back from a rule to its statement."""

    policy: AgentPolicy
    since: dict[tuple[int, str], date | None]  # (rule, action as written) -> the first day of the statement's text
    notes: tuple[str, ...]
    _origins: tuple[tuple[Role, Statement], ...] = field(repr=False)

    def statement(self, rule: Rule) -> Statement:
        """The statement that a rule was made from."""
        return self._origins[rule.index][1]

    def written(self, rule: Rule, action: str) -> str:
        """The action as its statement writes it: the pattern that covers it, or what NotAction leaves out."""
        statement = self.statement(rule)
        if statement.not_action:
            return f"all but {', '.join(statement.actions)}"
        folded = fold_action(AWS, action)
        exact = [text for text in statement.actions if fold_action(AWS, text) == folded]
        return next((t for t in (*exact, *statement.actions) if matches(fold_action(AWS, t), folded)), action)

    def holds(self, rule: Rule, action: str) -> bool:
        """Whether the statement gives the action on anything, denies and boundary taken into account."""
        role, statement = self._origins[rule.index]
        return any(piece.by is statement for piece in role.reached(action))


def granted(agent: str, identities: Sequence[Identity], logged: Iterable[str]) -> Granted:
    """The rules of all roles of an agent, in order. `logged` are the AWS actions that any log ever showed."""
    logged = tuple(logged)
    rules: list[Rule] = []
    origins: list[tuple[Role, Statement]] = []
    notes: list[str] = []
    since: dict[tuple[int, str], date | None] = {}
    for identity in identities:
        role = Role(identity)
        if identity.unread:
            notes.append(f"not in the file, so what they grant or refuse is unknown: {', '.join(identity.unread)}")
        for statement in identity.statements:
            notes += _said(statement)
            for body in _bodies(statement, logged):
                if not statement.allow and not _sure(statement):
                    continue
                effect = Effect.ALLOW if statement.allow else Effect.DENY
                extras = {"id": str(statement.source)}
                index = len(rules)
                rules.append(Rule(agent, index, effect, AWS, body, statement.source.place, extras=extras))
                origins.append((role, statement))
                if statement.source.since:
                    since.update({(index, action): statement.source.since for action in body.actions})
    place = identities[0].statements[0].source.place if identities and identities[0].statements else Place("")
    policy = AgentPolicy(agent, Place(place.path), tuple(rules))
    return Granted(policy, since, tuple(dict.fromkeys(notes)), tuple(origins))


def _sure(statement: Statement) -> bool:
    """Whether a deny holds always, and can be said by a rule."""
    return not statement.conditions and not statement.not_resource and any(under(r) for r in statement.resources)


def _said(s: Statement) -> Iterable[str]:
    """What a rule cannot say about a statement."""
    if s.conditions:
        what = "only counts where" if s.allow else "is left out, since it holds only where"
        yield f"{s.source} {what}: {'; '.join(s.conditions)}"
    elif not s.allow and not _sure(s):
        yield f"{s.source} is left out: a rule cannot say what it refuses ({s.target})"
    elif s.not_resource:
        yield f"{s.source} is counted as any resource; it grants {s.target}"


def _bodies(statement: Statement, logged: Sequence[str]) -> Iterable[Body]:
    """One body, or two where the statement names objects and S3 list calls: those look at the bucket's ARN alone."""
    written = statement.actions if not statement.not_action else _others(statement.actions, logged)
    resources = _resources(statement)
    named = [r for r in resources or () if names_no_bucket(r)]
    test = ActionTest(written)
    listing = [row["action"] for row in rows("list_action") if test.matches(fold_action(AWS, row["action"]))]
    if not named or not listing:
        yield Body(written, resources)
        return
    yield Body(tuple(listing), tuple(r for r in resources or () if r not in named))
    rest = [a for text in written for a in (_without(text, logged) if _lists(text) else (text,))]
    if rest:
        yield Body(tuple(dict.fromkeys(rest)), resources)


def _resources(statement: Statement) -> tuple[str, ...] | None:
    """The patterns of a rule: everything for an allow's variables, only what is sure for a deny. None = any."""
    if statement.not_resource:
        return None
    if statement.allow:
        found = tuple(map(over, statement.resources))
    else:
        found = tuple(pattern for pattern in map(under, statement.resources) if pattern is not None)
    return None if ANY in found else tuple(dict.fromkeys(found))


def _lists(text: str) -> bool:
    test = ActionTest([text])
    return any(test.matches(fold_action(AWS, row["action"])) for row in rows("list_action"))


def _without(text: str, logged: Sequence[str]) -> tuple[str, ...]:
    """A pattern's actions, without the S3 list calls."""
    test = ActionTest([text])
    further = (a for a in logged if not is_action(a) and test.matches(fold_action(AWS, a)))
    return tuple(a for a in (*expand(text), *further) if not is_listing(a))


def _others(excluded: Sequence[str], logged: Sequence[str]) -> tuple[str, ...]:
    """`NotAction` in words that a rule has: whole services where nothing is excluded, else their other actions."""
    test = ActionTest(excluded)
    found: list[str] = []
    for prefix in prefixes():
        every = actions(prefix)
        left = [a for a in every if not test.matches(fold_action(AWS, a))]
        found += [f"{prefix}:*"] if left and len(left) == len(every) else left
    found += [a for a in logged if not is_action(a) and not test.matches(fold_action(AWS, a))]
    return tuple(found)
