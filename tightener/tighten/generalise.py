"""From the values that were used to the patterns that a rule should hold.

Values are cut into their guarded head and the segments behind it (`segments`), ids in them are opened (`slots`,
`rollup`), and what is under one head makes a trie, which says what is listed, what a wildcard covers and what is left
(`trie`). What comes out does not depend on what was granted. Only then it is clipped: each pattern stays where
something granted contains it; where nothing does, what was granted stays. So tightening what was tightened changes
nothing: every pattern that was written is granted then, by itself.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from tightener.policy.patterns import contains, intersects, matches, to_regex
from tightener.tighten.arguments import Argument, Held, Kind, hold
from tightener.tighten.pieces import BY_NAME, EVIDENCED, OPEN, Piece, Why, Witness, pair, two_witnesses, written
from tightener.tighten.rollup import FEW, Group, Groups, Heads, TooMany, roll_up
from tightener.tighten.segments import LINES, Schema, Seen, family, is_sensitive
from tightener.tighten.slots import ANY, SENSITIVE, SPACE, agrees, slot
from tightener.tighten.trie import AGREEMENT, FEWEST_GROWING, MOST_PATTERNS, Trie

FEWEST_SESSIONS = 20  # before what one of them did alone is no more than that
_WILD = re.compile(r"[*?]")
_EPOCH = date(1970, 1, 1)
_NAME = re.compile(r"[^=/:\s]*=")


@dataclass(frozen=True, slots=True)
class Reason:
    """A pattern of an answer with what made it. A wildcard that the evidence makes has two dated witnesses."""

    pattern: str
    why: Why
    witnesses: tuple[Witness, ...]
    within: tuple[str, ...] = ()  # without a pattern: patterns that match all of its values; none = not known

    @property
    def days(self) -> tuple[date, ...]:
        """The days of its witnesses, in order."""
        return tuple(_EPOCH + timedelta(days=day) for day in sorted({w.day for w in self.witnesses}))

    @property
    def document(self) -> dict[str, object]:
        """The pattern with what made it and the dated uses that bear it out, as evidence shows it."""
        days = [{"value": w.value, "day": str(_EPOCH + timedelta(days=w.day))} for w in self.witnesses]
        return {"pattern": self.pattern, "because": self.why.value, "witnesses": days}


def generalise(service: str, dimension: str, values: Iterable[Seen], granted: Sequence[str]) -> tuple[str, ...] | None:
    """The patterns that cover every value and stay inside `granted`; None where nothing narrower can be said.

    `dimension` is "resource" or "branch"; `granted` are the rule's patterns ("*" for a missing key). The values are
    distinct, and are gone through twice where a granted pattern stays. The result is ordered by the granted pattern
    that each came from, then by text, and does not depend on the order of the values.
    """
    found = reasons(service, dimension, values, granted)
    return None if found is None else tuple(one.pattern for one in found)


def reasons(service: str, dimension: str, values: Iterable[Seen], granted: Sequence[str]) -> tuple[Reason, ...] | None:
    """The same, each pattern with what made it."""
    every = cover(service, dimension, values)
    return None if every is None else clipped(every, values, granted)


def cover(service: str, dimension: str, values: Iterable[Seen], others: Sequence[Argument] = ()) -> list[Reason] | None:
    """What covers the values, whatever was granted; None where they are absent or of too many kinds.

    A reason without a pattern stands for values of which nothing narrower than what was granted can be said; but for
    that of an absent value, whose pattern is the empty one.
    """
    try:
        return covered(dimension, roll_up(service, dimension, values), others)
    except TooMany:
        return None


def covered(dimension: str, heads: Heads, others: Sequence[Argument] = ()) -> list[Reason] | None:
    """The same for values that were rolled up. `others` are arguments of other tools, whose values may be kin."""
    given = {key: groups for key, groups in heads.items() if key[0] or "" not in groups}
    if not given or (len(given) < len(heads) and not all(schema.is_argument for _, schema in given)):
        return None  # an absent value: there is nothing to narrow by
    held = {
        name: (one, [group for _, group in groups])
        for name, groups in _arguments(given).items()
        if (one := hold(name, groups, others)) is not None
    }
    found = _cover(dimension, given, held)
    free = {f"{name}*" for name, (one, _) in held.items() if not one.own}
    # A call without arguments has a pattern of its own. Where each of them may say anything, it may say nothing, too.
    if len(given) < len(heads) or free.issuperset(one.pattern for one in found):
        return [Reason("", Why.ABSENT, ()), *found]
    return found


def _cover(dimension: str, heads: Heads, held: Mapping[str, tuple[Held, Sequence[Group]]]) -> list[Reason]:
    until = max(group.last for groups in heads.values() for group in groups.values())
    several = _several(dimension, heads)
    left = {key: (Why.ENDS, seen) for key, groups in heads.items() if (seen := _ends(*key, groups))}
    left |= {key: (Why.GROWS, seen) for key, seen in _growing(heads, until).items()}
    found: dict[str, dict[str | Reason, Reason]] = {}  # by argument, each pattern once
    for key, groups in sorted(heads.items(), key=lambda item: (item[0][0], item[0][1].kind)):
        head, schema = key
        argument = head.partition("=")[0] + "=" if schema.is_argument else ""
        if argument not in held:
            made = (
                [Reason(f"{argument}*" if argument else "", *left[key])]
                if key in left
                else _under(dimension, head, schema, groups, until, several=several)
            )
            found.setdefault(argument, {}).update((one.pattern or one, one) for one in made)
    for argument, (known, its) in held.items():
        found[argument] = {one.pattern: one for one in _held(argument, known, its)}
    for argument, made_of in found.items():
        if argument and len(made_of) > MOST_PATTERNS:
            found[argument] = {"": _left_over(argument)}
    return _without_covered([one for made_of in found.values() for one in made_of.values()])


def _growing(heads: Heads, until: int) -> dict[tuple[str, Schema], tuple[Witness, Witness]]:
    """The guarded heads of a sort of which new ones keep appearing, each with two that did."""
    families: defaultdict[tuple[str, bool], list[tuple[str, Schema]]] = defaultdict(list)
    for head, schema in heads:
        if schema.kind not in {"argument", "literal", "lines"}:
            families[family(head), head.endswith("/")].append((head, schema))
    found: dict[tuple[str, Schema], tuple[Witness, Witness]] = {}
    for keys in families.values():
        if len(keys) < FEWEST_GROWING:
            continue
        births = [
            min((day, row) for group in heads[key].values() for day, (_, row) in group.births.items() if row)
            for key in keys
            if any(row for group in heads[key].values() for _, row in group.births.values())
        ]
        settled = (min(group.first for key in keys for group in heads[key].values()) + until) / 2
        if new := pair(sorted(one for one in births if one[0] > settled)):
            found.update(dict.fromkeys(keys, new))
    return found


def _ends(head: str, schema: Schema, groups: Groups) -> tuple[Witness, ...]:
    """The first use of a guarded head that says the month, or a shorter time, in which it is used; of others nothing.

    The next one has another name.
    """
    if schema.kind in {"argument", "literal", "lines"} or not (found := slot(head)):
        return ()
    if not found.dated.year or found.dated.level == "year":
        return ()
    births = [(day, number) for group in groups.values() for day, (number, _) in group.births.items()]
    fitting = sum(number for day, number in births if agrees(found.dated, day))
    if fitting < AGREEMENT * sum(number for _, number in births):
        return ()
    day, value = min((group.first, row.value) for group in groups.values() for row in group.few)
    return (Witness(value.replace(SPACE, " "), day),)


def _under(dimension: str, head: str, schema: Schema, groups: Groups, until: int, *, several: bool) -> list[Reason]:
    """What covers the values of one head."""
    argument = head.partition("=")[0] + "=" if schema.is_argument else ""
    if _WILD.search(argument or head):
        return [_left_over("")]  # a guarded part is never written with a wildcard
    if schema is LINES:
        rows = [row for group in groups.values() for row in group.few]
        whole = len(rows) == sum(group.number for group in groups.values())
        return _listed(argument, rows, Why.LISTED) if whole else [_left_over(argument)]
    if schema.separator is None:
        return [
            _reason(text, Piece("", Why.LISTED, ("",)), groups) if (text := written(head)) else _left_over(argument)
        ]
    protected = dimension == "branch" and is_sensitive(dimension, head.rstrip("/"))
    found: list[Reason] = []
    number = sum(group.number for group in groups.values())
    pieces = Trie(head, schema.separator, dimension, until, number).pieces(groups)
    if several:
        pieces = [one for piece in pieces for one in _named(head, schema.separator, piece, groups, number)]
    for piece in pieces:
        text = written(head + piece.text)
        if text is None or piece.why is Why.GRANTED or (protected and piece.why not in {Why.LISTED, Why.NUMBERED}):
            found.append(_left_over(argument, [head + row for row in piece.rows]))
        else:
            found.append(_reason(text, piece, groups))
    return found


def _arguments(heads: Heads) -> dict[str, list[tuple[str, Group]]]:
    """The arguments that no program reads: name with its equals sign -> the groups of their values."""
    found: defaultdict[str, list[tuple[str, Group]]] = defaultdict(list)
    read: set[str] = set()
    for (head, schema), groups in heads.items():
        if schema.is_argument:
            name = head.partition("=")[0] + "="
            found[name] += groups.items()
            if schema.kind not in {"argument", "url", "lines"}:
                read.add(name)
    return {name: groups for name, groups in found.items() if name not in read and not _WILD.search(name)}


def _held(argument: str, held: Held, groups: Sequence[Group]) -> list[Reason]:
    """The patterns of an argument that is listed, or left alone."""
    if not held.own:
        known = {str(place): group for place, group in enumerate(groups)}
        why = Why.TEXT if held.kind is Kind.TEXT else Why.QUANTITY
        return [_reason(f"{argument}*", Piece("", why, tuple(known)), known)]
    own = _listed(argument, held.own, Why.LISTED)
    return own if any(one.why is Why.GRANTED for one in own) else own + _listed(argument, held.lent, Why.KIN)


def _listed(argument: str, rows: Sequence[Seen], why: Why) -> list[Reason]:
    """Each value by itself; what was granted where one must not be written."""
    texts = [written(row.value) for row in rows]
    if None in texts:
        return [_left_over(argument)]
    return [
        Reason(text, why, (Witness(row.value, row.first),))
        for text, row in zip(texts, rows, strict=True)
        if text is not None
    ]


def _several(dimension: str, heads: Heads) -> bool:
    """Whether there is so much use that what one session did alone says nothing of the rest.

    Many sessions brought something new, or something is used again and again. For branches that is not enough: beside
    `main` the others come and go, and the first of them is no odd one out.
    """
    every = [group for groups in heads.values() for group in groups.values()]
    sessions = {row.session for group in every for _, row in group.births.values() if row}
    return len(sessions) >= FEWEST_SESSIONS or (dimension == "resource" and any(group.steady for group in every))


def _named(head: str, separator: re.Pattern[str], piece: Piece, groups: Groups, number: int) -> list[Piece]:
    """A piece of which nothing can be said, by the names behind it where one session alone used them, beside many.

    Else that session, which may have been talked into it, would leave a wildcard. What says a date comes again with
    another, so it stays where others use the same guarded part.
    """
    rows = [(text, row) for text in piece.rows for row in groups[text].few]
    if piece.why is not Why.THIN or len(rows) > FEW or len({row.session for _, row in rows}) > 1:
        return [piece]
    if rows[0][1].session < 0 or (
        len(rows) < number and any(slot(name) for _, row in rows for name in separator.split(row.value))
    ):
        return [piece]
    return [Piece(row.value[len(head) :], Why.RARE, (text,)) for text, row in rows]


def _left_over(argument: str, texts: Sequence[str] = ()) -> Reason:
    """What was granted stays over some values: these working texts."""
    if argument:
        return Reason(f"{argument}*", Why.GRANTED, ())
    within = [written(text.replace(SENSITIVE, ANY)) for text in texts[: MOST_PATTERNS + 1]]
    known = tuple(one for one in within if one is not None)
    return Reason("", Why.GRANTED, (), known if len(texts) == len(known) <= MOST_PATTERNS else ())


def _reason(text: str, piece: Piece, groups: Groups) -> Reason:
    rows = [groups[row] for row in piece.rows]
    witnesses: tuple[Witness, ...] | None = two_witnesses(rows)
    if piece.why not in EVIDENCED and (witnesses is None or piece.why in BY_NAME):
        firsts = [(day, row) for group in rows for day, (_, row) in group.births.items() if row is not None]
        witnesses = tuple(Witness(row.value.replace(SPACE, " "), day) for day, row in sorted(firsts)[:1])
    return Reason(text, piece.why, witnesses or ())


def clipped(every: Sequence[Reason], values: Iterable[Seen], granted: Sequence[str]) -> tuple[Reason, ...] | None:
    """The patterns that something granted contains, in the order of the first that does, and the granted ones that
    stay: over values that no such pattern matches, and over too many patterns."""
    homes: defaultdict[int, list[Reason]] = defaultdict(list)
    outside: list[Reason] = []
    for one in every:
        said = one.pattern or one.why is Why.ABSENT
        home = next((i for i, g in enumerate(granted) if contains(g, one.pattern)), None) if said else None
        if home is None:
            outside += [one] if one.why not in {Why.ABSENT, Why.KIN} else []  # no value has only these
        else:
            homes[home].append(one)
    left = {granted[home] for home, some in homes.items() if _most(some) > MOST_PATTERNS}
    kept = {one.pattern: (home, one) for home, some in homes.items() if granted[home] not in left for one in some}
    matched = [*kept, *left]
    if not all(one.within and all(any(contains(m, w) for m in matched) for w in one.within) for one in outside):
        # values that perhaps no such pattern matches: every value is looked at again, and there may be millions
        fits = re.compile("|".join(f"(?:{to_regex(p)})" for p in matched) or "(?!)").fullmatch
        tests = [(pattern, re.compile(to_regex(pattern)).fullmatch) for pattern in granted]
        for seen in values:
            if not fits(seen.value):
                home_of = next((pattern for pattern, test in tests if test(seen.value)), None)
                if home_of is None:
                    return None  # only an expansion of the rule covers it
                left.add(home_of)
    found = [entry for entry in kept.values() if not any(_covers(g, entry[1].pattern, left) for g in left)]
    if not found and left == set(granted):
        return None
    stays = staying(every, granted)
    found += [(granted.index(pattern), stays[pattern]) for pattern in left if pattern not in kept]
    if {one.pattern for _, one in found} == set(granted):
        found = [(granted.index(one.pattern), one) for _, one in found]
    return tuple(one for _, one in sorted(found, key=lambda entry: (entry[0], entry[1].pattern)))


def unmasked(every: Sequence[Reason], hidden: Collection[str], granted: Sequence[str]) -> list[Reason]:
    """The same where values of these arguments (names with the equals sign) are hidden: those stay as granted."""
    found = [one for one in every if not one.pattern.startswith(tuple(hidden))]
    for name in sorted(hidden):
        whole = f"{name}*"
        stay = [whole] if any(contains(g, whole) for g in granted) else [g for g in granted if intersects(g, whole)]
        found += [Reason(pattern, Why.HIDDEN, ()) for pattern in stay]
    return found


def staying(every: Sequence[Reason], granted: Sequence[str]) -> dict[str, Reason]:
    """Why each granted pattern stays, where it does: what keeps growing below it, with the uses that show it."""
    found = {pattern: Reason(pattern, Why.GRANTED, ()) for pattern in granted}
    for one in every:
        if one.why in OPEN:
            home = next((g for g in granted if any(matches(g, w.value) for w in one.witnesses)), None)
            if home is not None and found[home].why is Why.GRANTED:
                found[home] = replace(one, pattern=home)
    return found


def _most(some: Sequence[Reason]) -> int:
    """How many patterns a reader has to go through at once: those of one argument, or of what is no argument."""
    return max(Counter(found[0] if (found := _NAME.match(one.pattern)) else "" for one in some).values())


def _without_covered(every: Sequence[Reason]) -> list[Reason]:
    """The reasons without those whose pattern another one contains."""
    wild = [one.pattern for one in every if _WILD.search(one.pattern)]
    return [one for one in every if not one.pattern or not any(_covers(w, one.pattern, wild) for w in wild)]


def _covers(outer: str, inner: str, among: Iterable[str]) -> bool:
    """Whether `inner` can go because `outer` contains it; of two patterns `among` which that goes both ways, one."""
    if outer == inner or not inner.startswith(_WILD.split(outer, maxsplit=1)[0]) or not contains(outer, inner):
        return False
    return inner not in among or not contains(inner, outer) or outer < inner
