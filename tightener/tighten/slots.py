"""Slots: the parts of a segment that follow the calendar, or that are ids and say nothing by their characters.

Ids are known by their shape alone (services/data/segment_shape.csv) and are opened in many texts at once. Dates keep
their digits until a node of the trie can ask whether they are those of the events' own days.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import NamedTuple

from tightener.services.catalogue import rows

# What stands in a working text for a wildcard; no value holds control characters where these are looked for.
ANY = "\x00"  # written `*`
ONE = "\x02"  # written `?`: a digit of a date, which keeps its length
MANY = "\x05"  # written `*`: names that are no longer told apart, because there are so many
SENSITIVE = "\x04"  # very many sensitive names: none of them is written
SPACE = "\x03"  # a space inside quotes, which separates nothing; written as a space

_DIGITS = str.maketrans("123456789", "0" * 9)
_DATE_LENGTHS = re.compile("(?<![0-9])(?:[0-9]{14}|[0-9]{12}|[0-9]{10}|[0-9]{8}|[0-9]{6}|[0-9]{4})(?![0-9])")
_EPOCH = date(1970, 1, 1)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NAMES = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_TOKEN = re.compile(
    r"(?<![0-9])(?P<year>20[0-9][0-9])"
    r"(?:[-_.]?(?:[Qq](?P<quarter>[1-4])|[Ww](?P<week>0[1-9]|[1-4][0-9]|5[0-3]))(?![0-9])"
    r"|(?P<sep>[-_.]?)(?P<month>0[1-9]|1[0-2])(?:(?P=sep)(?P<day>0[1-9]|[12][0-9]|3[01])"
    r"(?:[T_-]?(?:[0-9]{6}|[0-9]{4}|[0-9]{2}(?::[0-9]{2}){0,2})Z?)?)?(?![0-9])"
    r"|(?![0-9]))"
    rf"|(?<![A-Za-z])(?P<name>{_NAMES})(?![A-Za-z])",
    re.IGNORECASE,
)
# Below a year two digits are a month, below a month a day, below a day an hour: alone, or behind `month=`.
_PART = re.compile(
    r"(?P<before>(?:[A-Za-z_]+=)?)(?P<mark>[QqWw]?)(?P<part>[0-9]{1,2})(?P<after>(?:\.[A-Za-z][A-Za-z0-9.]*)?)"
)
_BELOW = {"year": ("month", 12), "month": ("day", 31), "day": ("hour", 23)}
_MARKS = {"q": ("quarter", 4), "w": ("week", 53)}


class Dated(NamedTuple):
    """A date, or a part of one, in a segment: the finest part that it says, and what it says (0 = nothing)."""

    level: str  # year, quarter, month, week, day, hour
    year: int
    part: int  # the quarter, month, week or hour
    day: int


class Slot(NamedTuple):
    """A segment with its dates opened, and the date that it says. `digits`: those of a lone part of a date."""

    text: str  # a lone part is one `ONE`, however many digits it has (`joint`)
    dated: Dated
    digits: str = ""


@cache
def shapes() -> re.Pattern[str]:
    """What is an id wherever it stands."""
    return re.compile("|".join(row["regex"] for row in rows("segment_shape")))


def opened(texts: Sequence[str]) -> list[str]:
    """The plain texts with every id in them opened.

    Texts that differ in their digits alone have their ids at the same places, but for what can be read as a date. So
    one of them is searched, and the others are cut where it is: several times faster than a search of each.
    """
    alike: defaultdict[str, list[int]] = defaultdict(list)
    for place, digitless in enumerate("\n".join(texts).translate(_DIGITS).split("\n")):
        alike[digitless].append(place)
    found = list(texts)
    single: list[int] = []
    for digitless, every in alike.items():
        for places in [every] if len(every) == 1 else _same_dates(digitless, texts, every):
            if len(places) == 1:
                single += places
                continue
            some = [texts[i] for i in places]
            for start, end in [id_.span() for id_ in shapes().finditer(some[0])][::-1]:
                some = [text[:start] + ANY + text[end:] for text in some]
            for i, text in zip(places, some, strict=True):
                found[i] = text
    if single:
        searched = shapes().sub(ANY, "\n".join([texts[i] for i in single])).split("\n")
        for i, text in zip(single, searched, strict=True):
            found[i] = text
    return found


def _same_dates(digitless: str, texts: Sequence[str], places: list[int]) -> list[list[int]]:
    """The places of texts that differ in their digits alone, by the numbers in them that might be read as dates."""
    parts = [places]
    for run in _DATE_LENGTHS.finditer(digitless):
        start, end = run.span()
        finer: list[list[int]] = []
        for part in parts:
            said = [texts[i][start:end] for i in part]
            dates = {digits for digits in set(said) if digits.startswith("20")}
            if not dates or said.count(said[0]) == len(said):
                finer.append(part)
                continue
            dated: defaultdict[str, list[int]] = defaultdict(list)
            for i, digits in zip(part, said, strict=True):
                dated[digits if digits in dates else ""].append(i)
            finer += dated.values()
        parts = finer
    return parts


def plain(texts: Sequence[str]) -> bool:
    """Whether no text holds a character that means something in a working text."""
    whole = "\n".join(texts)
    return whole.count("\n") == len(texts) - 1 and not any(mark in whole for mark in (ANY, ONE, SPACE, SENSITIVE, MANY))


def skeleton(name: str) -> str:
    """The name with every run of digits opened."""
    return re.sub("[0-9]+", ANY, name)


@lru_cache(maxsize=100_000)
def slot(name: str, above: str = "") -> Slot | None:
    """The dates of a segment, opened; None where it has none.

    `above` is the level of the calendar that the segment above ends with: only below a year are two digits a month.
    """
    part = _PART.fullmatch(name) if above in _BELOW else None
    if part:
        mark = part["mark"].lower()
        level, most = _MARKS[mark] if mark and above == "year" else _BELOW[above] if not mark else ("", -1)
        number = int(part["part"])
        if number <= most and (number or level == "hour"):
            text = f"{part['before']}{part['mark']}{ONE}{part['after']}"
            dated = Dated(level, 0, 0 if level == "day" else number, number if level == "day" else 0)
            return Slot(text, dated, part["part"])
    pieces: list[str] = []
    at, found = 0, None
    for token in _TOKEN.finditer(name):
        pieces.append(name[at : token.start()])
        at = token.end()
        said = _said(token)
        pieces.append(ANY if token["name"] else "20" + re.sub("[0-9]", ONE, token.group()[2:]))
        found = said if found is None else _finer(found, said)
    if found is None:
        return None
    return Slot("".join(pieces) + name[at:], found)


def _said(token: re.Match[str]) -> Dated:
    if token["name"]:
        return Dated("month", 0, _MONTHS.index(token["name"][:3].lower()) + 1, 0)
    year = int(token["year"])
    for level in ("quarter", "week"):
        if token[level]:
            return Dated(level, year, int(token[level]), 0)
    if token["day"]:
        return Dated("day", year, int(token["month"]), int(token["day"]))
    return Dated("month", year, int(token["month"]), 0) if token["month"] else Dated("year", year, 0, 0)


def _finer(one: Dated, other: Dated) -> Dated:
    """A year and the name of a month are one date; of two dates the first counts."""
    if one.level == "year" and other.level == "month" and not other.year:
        return other._replace(year=one.year)
    if other.level == "year" and one.level == "month" and not one.year:
        return one._replace(year=other.year)
    return one


def joint(slots: Sequence[Slot]) -> str:
    """One text for slots that are alike but for the number of their digits, which may also differ some day.

    Where no number below ten was seen with a zero in front, nothing says that it would have one.
    """
    if not slots[0].digits or slots[0].dated.level == "quarter":
        return slots[0].text
    fixed = all(len(one.digits) == 2 for one in slots) and any(one.digits[0] == "0" for one in slots)
    return slots[0].text.replace(ONE, ONE * 2 if fixed else ANY)


@lru_cache(maxsize=100_000)
def agrees(dated: Dated, day: int) -> bool:
    """Whether a date in a name is the event's own: the period of the event, or the one before or after.

    After, because a name in local time may be ahead of the log's UTC.
    """
    when = _EPOCH + timedelta(days=day)
    if dated.level == "hour":
        return True
    if dated.level == "year":
        return abs(when.year - dated.year) <= 1
    if dated.level == "day":
        around = (when + timedelta(days=lag) for lag in (-1, 0, 1))
        if dated.year:
            return (dated.year, dated.part, dated.day) in {(d.year, d.month, d.day) for d in around}
        return dated.day in {d.day for d in around}
    if dated.level == "week":
        return any(dated.part == (when + timedelta(days=lag)).isocalendar().week for lag in (-7, -1, 0, 1, 7))
    length, now = (4, (when.month + 2) // 3) if dated.level == "quarter" else (12, when.month)
    lag = now - dated.part + (length * (when.year - dated.year) if dated.year else 0)
    return abs(lag) <= 1 or (not dated.year and abs(lag) == length - 1)
