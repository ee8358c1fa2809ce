"""The exact search behind containment: is every word of some patterns (read together) in a union of patterns?

A word is a request written in one line: action, separator, resource, separator, branch. The separator is a symbol of
its own that no wildcard matches, so the three parts can never run into each other. The inner side is one or more rows
of patterns whose words are the ones that *every* row matches; the outer side is a union of rows.

**Few letters are enough.** Take a word of the inner side and, in each row, a way to match it. Replace each letter that
all rows took with a wildcard by one fresh letter that no outer pattern names. The new word is still an inner word, and
an outer row that matches it can only have matched the fresh letters with wildcards, so it matches the first word as
well. Hence the inner side lies in the union exactly when its words of this shape do: the letters tried at any point are
the literals that some inner row wants there, and the fresh one. This holds for `?` too.

**The search.** A state is one position in each inner row and the set of all positions that the outer rows can be at
(one bit each in a Python int). Breadth first, so that the witness is a shortest one. A set that includes another one
seen at the same inner positions cannot fail where that one does not, so only the smallest sets are kept (an antichain).
The problem is hard in the worst case (coNP-hard already for unions of globs), so the work is limited, and running out
of it is an answer of its own, never "contained".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tightener.policy.patterns import normalise

_STAR, _ANY, _SEPARATOR, _FRESH = -1, -2, -3, -4  # other tokens are the code point of a literal
_WILD = frozenset({_STAR, _ANY})

Row = tuple[str, ...]
_Position = tuple[int, ...]
_Symbol = int


@dataclass(frozen=True, slots=True)
class Search:
    """What the search found: `inside`, or a word outside (one string for each part), or neither: out of budget."""

    inside: bool
    witness: Row | None = None


def search(inner: Sequence[Row], outer: Sequence[Row], fresh: str, budget: int) -> Search:
    """Decide whether the words that all `inner` rows match are matched by some row of `outer`.

    In: rows of equally many patterns, a letter that no outer pattern names as a literal, and a budget in steps (a step
    is a state reached or a comparison with an earlier one, and counts for more where the sets of positions are long).
    Out: `Search`. A budget that runs out gives neither `inside` nor a witness. Raises nothing.
    """
    rows = [_tokens(row) for row in inner]
    union = _Union(outer)
    cost = 1 + (union.bits >> 10)  # long sets of positions cost time and memory in proportion
    first = ((0,) * len(rows), union.start)
    seen: dict[_Position, list[int]] = {first[0]: [first[1]]}
    queue: deque[tuple[_Position, int, int]] = deque([(*first, 0)])
    trail: list[tuple[int, _Symbol]] = [(-1, _FRESH)]  # how each state was reached, to spell out the witness
    while queue:
        positions, reached, origin = queue.popleft()
        if reached not in seen[positions]:
            continue  # a smaller set has been found at this place since
        if _may_end(rows, positions) and not reached & union.ends:
            return Search(inside=False, witness=_spell(trail, origin, fresh))
        for symbol, following in _moves(rows, positions):
            after = union.step(reached, symbol)
            chain = seen.setdefault(following, [])
            budget -= cost * (1 + len(chain))
            if budget < 0:
                return Search(inside=False)
            if any(known & after == known for known in chain):
                continue
            chain[:] = [known for known in chain if known & after != after]
            chain.append(after)
            trail.append((origin, symbol))
            queue.append((following, after, len(trail) - 1))
    return Search(inside=True)


def _tokens(row: Row) -> list[int]:
    """One row of patterns as tokens, with separators between its parts."""
    tokens: list[int] = []
    for number, pattern in enumerate(row):
        if number:
            tokens.append(_SEPARATOR)
        tokens += [_STAR if char == "*" else _ANY if char == "?" else ord(char) for char in normalise(pattern)]
    return tokens


def _may_end(rows: list[list[int]], positions: _Position) -> bool:
    """Whether the word may end here: in each row only a star is left, or nothing."""
    return all(
        at == len(row) or (at == len(row) - 1 and row[at] == _STAR) for row, at in zip(rows, positions, strict=True)
    )


def _options(row: list[int], at: int) -> list[tuple[int, int]]:
    """The tokens that can take the next letter and the position after each; a star may also take nothing.

    After `normalise` no star follows another directly, so one look behind it is enough.
    """
    if at == len(row):
        return []
    if row[at] != _STAR:
        return [(row[at], at + 1)]
    return [(_STAR, at), *([(row[at + 1], at + 2)] if at + 1 < len(row) else [])]


def _moves(rows: list[list[int]], positions: _Position) -> Iterator[tuple[_Symbol, _Position]]:
    """Each letter worth trying here (see "few letters are enough") with the positions that it leads to."""
    offers = [_options(row, at) for row, at in zip(rows, positions, strict=True)]
    wanted = sorted({token for offer in offers for token, _ in offer if token not in _WILD}, reverse=True)
    for symbol in (*wanted, _FRESH):
        takers = [
            [(token, to) for token, to in offer if token == symbol or (token in _WILD and symbol != _SEPARATOR)]
            for offer in offers
        ]
        combined: list[tuple[bool, _Position]] = [(symbol == _FRESH, ())]
        for taker in takers:
            combined = [(named or token == symbol, (*done, to)) for named, done in combined for token, to in taker]
        for named, following in combined:
            if named:  # a literal that every row takes with a wildcard is the fresh letter's case
                yield symbol, following


def _spell(trail: list[tuple[int, _Symbol]], end: int, fresh: str) -> Row:
    """The word that led to a state, cut at its separators."""
    parts: list[list[str]] = [[]]
    while end > 0:
        end, symbol = trail[end]
        if symbol == _SEPARATOR:
            parts.append([])
        else:
            parts[-1].append(fresh if symbol == _FRESH else chr(symbol))
    return tuple("".join(reversed(part)) for part in reversed(parts))


class _Union:
    """All outer rows as one automaton: a bit for each position of each row, the end of the row included."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.start = self.ends = self._star = self._any = 0
        self._named: dict[_Symbol, int] = {}
        bit = 1
        self.bits = 0
        for row in rows:
            self.start |= bit
            for token in _tokens(row):
                if token == _STAR:
                    self._star |= bit
                elif token == _ANY:
                    self._any |= bit
                else:
                    self._named[token] = self._named.get(token, 0) | bit
                bit <<= 1
                self.bits += 1
            self.ends |= bit
            bit <<= 1
            self.bits += 1
        self.start = self._past_stars(self.start)

    def step(self, reached: int, symbol: _Symbol) -> int:
        """The positions after one more letter."""
        moved = reached & self._named.get(symbol, 0)
        if symbol == _SEPARATOR:
            return self._past_stars(moved << 1)
        return self._past_stars(((moved | (reached & self._any)) << 1) | (reached & self._star))

    def _past_stars(self, reached: int) -> int:
        """A star may take nothing. No star follows another directly, so one shift is enough."""
        return reached | ((reached & self._star) << 1)
