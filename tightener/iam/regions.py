"""What a role can do with one action: allows, minus denies, inside the boundary, in two readings.

*Could*: every allow counts, with or without conditions; a deny counts only where it surely holds (no condition, no
policy variable in what it names). *Surely*: only allows without conditions count, and every deny. The truth lies in
between: a request that a role can make in some circumstances is in the first, one that it can make in all is in the
second.

Resources stay patterns. A region is a union of pieces (an intersection of patterns, less some) less what is denied, so
`NotResource` and boundaries are exact, and questions about it go to `policy.contain`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from tightener.iam.account import Identity
from tightener.iam.document import Statement
from tightener.model import Box, Effect
from tightener.policy.contain import Kind, Result, Union
from tightener.policy.patterns import intersects, to_regex
from tightener.services.catalogue import AWS, all_actions, expand, rows
from tightener.services.semantics import fold_action

ANY = "*"
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_ESCAPES = {"${*}": "?", "${?}": "?", "${$}": "$"}
_BUCKET = re.compile(r"arn:[^:/]*:s3:::")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a region: resources that all of `within` match and none of `without`. `by` is the allow behind it."""

    by: Statement
    within: tuple[str, ...]
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Region:
    """The resources that one action reaches: the pieces, less what `denied` matches."""

    pieces: tuple[Piece, ...]
    denied: tuple[str, ...]

    def outside(self, piece: Piece, granted: Sequence[str], refused: Sequence[str] = ()) -> Result:
        """Whether the piece (without what is denied) lies in `granted` less `refused`; with a witness where not."""
        less = [*piece.without, *self.denied]
        found = Union(boxes_for([*granted, *less])).check(boxes_for(piece.within))
        doubt = found
        if found.kind is Kind.WIDER or not refused:
            return found
        union = Union(boxes_for(less))
        for pattern in refused:
            found = union.check((*boxes_for(piece.within), *boxes_for([pattern])))
            if found.kind is Kind.WIDER:
                return found
            doubt = found if found.kind is Kind.NOT_PROVEN else doubt
        return doubt

    def reached(self) -> tuple[Piece, ...]:
        """The pieces of which something may be left (all that is not proved to be empty)."""
        return tuple(piece for piece in self.pieces if self.outside(piece, ()).kind is not Kind.CONTAINED)


def boxes_for(patterns: Iterable[str]) -> tuple[Box, ...]:
    """Resource patterns as boxes that differ in nothing else."""
    return tuple(Box(0, Effect.ALLOW, "", pattern, "") for pattern in patterns)


class Role:
    """The statements of one role or user, ready to be asked about many actions."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._tests: dict[int, ActionTest] = {}
        self._regions: dict[tuple[tuple[int, ...], str, bool], Region] = {}
        self._reached: dict[int, tuple[Piece, ...]] = {}  # by the identity of a region kept above
        self._all = (*identity.statements, *(identity.boundary or ()))
        for i, statement in enumerate(self._all):
            self._tests[i] = ActionTest(statement.actions)

    def holding(self, action: str) -> tuple[int, ...]:
        """The numbers of the statements (the boundary's behind the role's own) that are about this action."""
        folded = fold_action(AWS, action)
        return tuple(i for i, s in enumerate(self._all) if self._tests[i].matches(folded) is not s.not_action)

    def region(self, action: str, *, sure: bool = False) -> Region:
        """What the role could do with an action, or surely can."""
        about = self.holding(action)
        folded = fold_action(AWS, action)
        listing = folded if folded in _listing() else ""
        key = (about, listing, sure)
        if key not in self._regions:
            own = len(self.identity.statements)
            first = [self._all[i] for i in about if i < own]
            limit = [self._all[i] for i in about if i >= own]
            self._regions[key] = _region(
                first, None if self.identity.boundary is None else limit, listing=bool(listing), sure=sure
            )
        return self._regions[key]

    def reached(self, action: str) -> tuple[Piece, ...]:
        """The pieces of what the role could do with an action of which something may be left."""
        region = self.region(action)
        if id(region) not in self._reached:
            self._reached[id(region)] = region.reached()
        return self._reached[id(region)]

    def actions(self) -> tuple[str, ...]:
        """Every action that some allow is about: the catalogue's, and those that policies name and the catalogue lacks.

        A pattern that covers no known action stands for itself.
        """
        allows = [(i, s) for i, s in enumerate(self.identity.statements) if s.allow]
        known: set[str] = set()
        further: dict[str, None] = {}
        for i, statement in allows:
            if statement.not_action:
                known.update(a for a in all_actions() if not self._tests[i].matches(fold_action(AWS, a)))
                continue
            for pattern in statement.actions:
                found = expand(pattern)
                known.update(found)
                further.update({} if found else {pattern: None})
        return (*(a for a in all_actions() if a in known), *further)


class ActionTest:
    """Whether some pattern of a list matches an action. Patterns with a literal prefix are looked up by it."""

    def __init__(self, patterns: Iterable[str]) -> None:
        groups: dict[str, list[str]] = {}
        for pattern in patterns:
            folded = fold_action(AWS, pattern)
            prefix, colon, _ = folded.partition(":")
            groups.setdefault(prefix if colon and not {"*", "?"} & set(prefix) else "", []).append(folded)
        self._tests = {prefix: re.compile("|".join(map(to_regex, group))) for prefix, group in groups.items()}

    def matches(self, folded: str) -> bool:
        """Whether the folded action (or a pattern taken as a text) is matched."""
        prefix = folded.partition(":")[0]
        tests = (self._tests.get(prefix), self._tests.get(""))
        return any(test is not None and test.fullmatch(folded) is not None for test in tests)


def over(resource: str) -> str:
    """A pattern that holds everything the resource may stand for: a policy variable may be any text."""
    return _VARIABLE.sub(lambda found: _ESCAPES.get(found.group(), ANY), resource)


def under(resource: str) -> str | None:
    """A pattern that holds nothing but what the resource surely stands for; None where a variable leaves none."""
    plain = resource.replace("${$}", "$")
    return None if _VARIABLE.search(plain) else plain


def _region(own: Sequence[Statement], limit: Sequence[Statement] | None, *, listing: bool, sure: bool) -> Region:
    pieces = list(_allowed(own, listing=listing, sure=sure))
    if limit is not None:
        allowed = list(_allowed(limit, listing=listing, sure=sure))
        pieces = [joined for piece in pieces for other in allowed if (joined := _both(piece, other)) is not None]
    denied: list[str] = []
    for statement in (*own, *(limit or ())):
        if statement.allow or (statement.conditions and not sure):
            continue
        if statement.not_resource:
            kept = _patterns(statement.resources, listing=listing, wide=not sure)
            pieces = [p for piece in pieces for pattern in kept if (p := _inside(piece, pattern)) is not None]
        else:
            denied += _patterns(statement.resources, listing=listing, wide=sure)
    return Region(tuple(dict.fromkeys(pieces)), tuple(dict.fromkeys(denied)))


def _allowed(statements: Iterable[Statement], *, listing: bool, sure: bool) -> Iterable[Piece]:
    for statement in statements:
        if not statement.allow or (statement.conditions and sure):
            continue
        if statement.not_resource:
            yield Piece(statement, (ANY,), _patterns(statement.resources, listing=listing, wide=sure))
        else:
            for pattern in _patterns(statement.resources, listing=listing, wide=not sure):
                yield Piece(statement, (pattern,))


def _patterns(resources: Iterable[str], *, listing: bool, wide: bool) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for resource in resources:
        pattern = over(resource) if wide else under(resource)
        if pattern is not None:
            found.update(dict.fromkeys(_listed(pattern, wide=wide) if listing else (pattern,)))
    return tuple(found)


def _listed(pattern: str, *, wide: bool) -> tuple[str, ...]:
    """An IAM resource for S3 list calls, as patterns over this program's requests (the bucket, or bucket/prefix).

    AWS looks at the bucket's ARN alone: `b` covers every prefix of it and `b/*` covers no bucket at all. A wildcard
    inside a bucket's name would, as a pattern over requests, also match prefixes; where only what is sure may count,
    such a pattern is left out.
    """
    bucket = _BUCKET.match(pattern)
    if not bucket and not intersects(pattern, "arn:*:s3:::*"):
        return (pattern,)  # another kind of ARN, such as an access point's
    name = pattern[bucket.end() :] if bucket else pattern
    if bucket and "/" in name:
        return ()
    if name.endswith(ANY) and not {"*", "?"} & set(name[:-1]):
        return (pattern,)
    if {"*", "?"} & set(name) and not wide:
        return ()
    return (pattern, f"{pattern}/*")


def _both(piece: Piece, other: Piece) -> Piece | None:
    joined: Piece | None = Piece(piece.by, piece.within, tuple(dict.fromkeys((*piece.without, *other.without))))
    for pattern in other.within:
        joined = None if joined is None else _inside(joined, pattern)
    return joined


def _inside(piece: Piece, pattern: str) -> Piece | None:
    """The piece, narrowed; None where certainly nothing is left."""
    if pattern == ANY or pattern in piece.within:
        return piece
    if not all(intersects(pattern, own) for own in piece.within):
        return None
    return Piece(piece.by, (*(own for own in piece.within if own != ANY), pattern), piece.without)


@cache
def _listing() -> frozenset[str]:
    return frozenset(fold_action(AWS, row["action"]) for row in rows("list_action"))


def is_listing(action: str) -> bool:
    """Whether this is an S3 list call, whose resource in IAM is the bucket alone."""
    return fold_action(AWS, action) in _listing()


def names_no_bucket(resource: str) -> bool:
    """Whether a resource, asked about S3 list calls, matches no bucket (it names objects)."""
    return bool(_BUCKET.match(resource)) and "/" in over(resource)
