"""Glob patterns: what one pattern matches, whether it lies inside another, whether two share a string.

`*` matches any run of characters, the empty one and `/` included; `?` matches exactly one character; every other
character matches itself. There are no classes, no braces, no escapes, and a pattern matches the whole string
(docs/policy-semantics.md, section 2). A value is never a pattern: only the first argument of `matches` is one.

Containment in a *union* of patterns is another question, answered by `tightener.policy.contain`.
"""

from __future__ import annotations

import re

_WILD_RUN = re.compile(r"[*?]*\*[*?]*")


def matches(pattern: str, value: str) -> bool:
    """Say whether `pattern` matches the whole of `value`.

    Two pointers and one point to return to: only the last `*` passed is ever tried again, because a later `*` can
    absorb whatever an earlier one might have. At most len(pattern) * len(value) steps, never exponential.
    """
    at, position, star, resume = 0, 0, -1, 0
    length, size = len(pattern), len(value)
    while position < size:
        if at < length and pattern[at] == "*":
            star, resume = at, position
            at += 1
        elif at < length and pattern[at] in ("?", value[position]):
            at += 1
            position += 1
        elif star >= 0:
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return all(char == "*" for char in pattern[at:])


def normalise(pattern: str) -> str:
    """The same language in one spelling: each run of wildcards that holds a `*` becomes its `?`s and then one `*`."""
    if "*" not in pattern:
        return pattern
    return _WILD_RUN.sub(lambda run: "?" * run.group().count("?") + "*", pattern)


def contains(outer: str, inner: str) -> bool:
    """Say whether every string that `inner` matches is matched by `outer`. Exact, len(outer) * len(inner) steps.

    Each cell answers "is the rest of `inner` inside the rest of `outer`?". A `*` of `inner` against a `?` of `outer`
    has to hold both for the empty run and for a longer one. A `*` of `outer` may stop or go on, decided without looking
    ahead: that is exact because `outer` is normalised first, so what follows a `*` begins with a literal, which no
    wildcard of `inner` is sure to give. It therefore has to be found among the literals of `inner`, and finding
    it sooner never hurts, since the text in between is longer and the next `*` takes it.
    """
    if outer in ("*", inner):
        return True
    want, have = normalise(outer), normalise(inner)
    width = len(want)
    # After the end of `inner` only the empty string is left: what remains of `outer` must be stars.
    below = [all(char == "*" for char in want[j:]) for j in range(width + 1)]
    for symbol in reversed(have):
        row = [False] * (width + 1)
        for j in range(width - 1, -1, -1):
            target = want[j]
            if target == "*":
                row[j] = row[j + 1] or below[j]
            elif symbol == "*":
                row[j] = target == "?" and below[j] and row[j + 1]
            else:
                row[j] = target in ("?", symbol) and below[j + 1]
        below = row
    return below[0]


def intersects(left: str, right: str) -> bool:
    """Say whether some string is matched by both patterns. Exact, len(left) * len(right) steps."""
    if "*" in (left, right) or left == right:
        return True
    width = len(right)
    below = [all(char == "*" for char in right[j:]) for j in range(width + 1)]
    for symbol in reversed(left):
        row = [False] * width + [symbol == "*" and below[width]]
        for j in range(width - 1, -1, -1):
            other = right[j]
            if symbol == "*":
                row[j] = below[j] or row[j + 1]
            elif other == "*":
                row[j] = row[j + 1] or below[j]
            else:
                row[j] = (symbol in ("?", other) or other == "?") and below[j + 1]
        below = row
    return below[0]


def to_like(pattern: str) -> str:
    r"""The pattern as SQL `LIKE ... ESCAPE '\'`: `*` is `%`, `?` is `_`, and `%`, `_`, `\` are escaped."""
    table = {"*": "%", "?": "_", "%": "\\%", "_": "\\_", "\\": "\\\\"}
    return "".join(table.get(char, char) for char in normalise(pattern))


def to_regex(pattern: str) -> str:
    """The pattern as a Python regular expression for `re.fullmatch`; it may be joined to others with `|`.

    All but the last `*` stand in atomic groups: as in `matches`, a piece once found is never looked for again, so a
    pattern with many stars cannot make the engine backtrack through all their combinations.
    """
    pieces = ["".join("." if char == "?" else re.escape(char) for char in part) for part in _parts(pattern)]
    if len(pieces) == 1:
        return f"(?s:{pieces[0]})"
    found = "".join(f"(?>.*?{piece})" for piece in pieces[1:-1])
    return f"(?s:{pieces[0]}{found}.*{pieces[-1]})"


def _parts(pattern: str) -> list[str]:
    """What stands between the stars of the normalised pattern."""
    return normalise(pattern).split("*")
