"""The pictures of a report: small inline SVGs, drawn from plain numbers.

They hold no text but <title> and <desc>: the words and numbers stand beside them in HTML, where they keep their size on
a phone, wrap, can be searched and are read out. No colour is set here either: shapes carry classes, report.css colours
them for light, dark and paper. Coordinates are integers, so that equal numbers give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from markupsafe import Markup

from tightener.report.defuse import visible
from tightener.report.view import STATUSES, CoverageRow, GrantRow

WIDTH = 1000  # units across every picture; the page stretches them to its own width
HEIGHT = 100
_GAP = 3  # between two neighbours of a stacked bar, so that they are told apart without colour
_LEVEL = {"f": 0, "p": HEIGHT // 2, "n": HEIGHT - 8}  # top of a day: full, half height, a thin line


@dataclass(frozen=True, slots=True)
class Tally:
    """How many granted actions have which status, in the order of STATUSES."""

    name: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Granted actions in this tally."""
        return sum(self.counts)


def tally(name: str, grants: Iterable[GrantRow]) -> Tally:
    """Counts `grants` by status. Deny rules grant nothing and are left out (policy-semantics, section 5)."""
    seen = [grant.status for grant in grants if grant.effect != "deny"]
    return Tally(name, tuple(seen.count(status) for status in STATUSES))


def by_service(grants: Sequence[GrantRow]) -> tuple[Tally, ...]:
    """One tally for each service, the one with most unexercised grants first (then by name)."""
    tallies = [
        tally(service, (grant for grant in grants if grant.service == service))
        for service in sorted({grant.service for grant in grants})
    ]
    unexercised = STATUSES.index("unexercised")
    return tuple(sorted((one for one in tallies if one.total), key=lambda one: -one.counts[unexercised]))


def stacked(row: Tally, *, title: str, scale: int) -> Markup:
    """A bar of `row`'s statuses; `scale` is the total that fills the whole width."""
    shapes = []
    done = 0
    for status, count in zip(STATUSES, row.counts, strict=True):
        if count:
            left, right = done * WIDTH // scale, (done + count) * WIDTH // scale
            gap = _GAP if right - left > 2 * _GAP and done + count < row.total else 0
            shapes.append(_rect(left, 0, max(right - left - gap, 1), HEIGHT, status))
        done += count
    words = (f"{count:,} {status.replace('_', ' ')}" for status, count in zip(STATUSES, row.counts, strict=True))
    return _svg(shapes, title=title, desc=", ".join(words), kind="bar")


def trade(refused: float, unused: float, *, title: str) -> Markup:
    """What one way of tightening costs (above: the share of uses that it stops) and leaves (below: unused actions)."""
    shapes = []
    for share, top, kind in ((refused, 0, "n"), (unused, HEIGHT // 2, "unobservable")):
        if share:
            shapes.append(_rect(0, top, max(round(share * WIDTH), 2), HEIGHT // 2 - _GAP, kind))
    return _svg(shapes, title=title, desc=f"{refused:.2%} of the uses stopped, {unused:.0%} unused left", kind="bar")


def gaps(coverage: Sequence[CoverageRow]) -> dict[int, str]:
    """Days of the window (0 = its first) on which a source was not read as a whole, with what is said of them."""
    found: dict[int, list[str]] = {}
    for row in coverage:
        for day, letter in enumerate(row.per_day):
            if letter != "f":
                found.setdefault(day, []).append(f"{row.source} {'in part' if letter == 'p' else 'missing'}")
    return {day: ", ".join(says) for day, says in sorted(found.items())}


def by_day(usage: Iterable[tuple[date, int]], first: date, gaps: Mapping[int, str]) -> list[tuple[date, int, str]]:
    """The numbers behind `days`: every day with use or with a gap, its uses, and what was not read of it."""
    counts = {day: count for day, count in usage if count}
    holes = {first + timedelta(day): says for day, says in gaps.items()}
    return [(day, counts.get(day, 0), holes.get(day, "")) for day in sorted(counts.keys() | holes.keys())]


def days(usage: Iterable[tuple[date, int]], first: date, last: date, gaps: Mapping[int, str]) -> Markup:
    """One column for each day from `first` to `last`, as high as its uses. Days that are not in `usage` have none.

    Behind the columns of days with a gap stands a ground of their own, so that a day without use is told from a day
    that nobody could see.
    """
    counts = dict(usage)
    length = (last - first).days + 1
    most = max(counts.values(), default=0)
    shapes = []
    for index in range(length):
        count = counts.get(first + timedelta(index), 0)
        left, right = index * WIDTH // length, (index + 1) * WIDTH // length
        if index in gaps:
            shapes.append(_rect(left, 0, right - left, HEIGHT, "gap"))
        if count:
            height = max(count * HEIGHT // most, 2)
            width = max(right - left - (1 if length > WIDTH // 10 else _GAP), 1)
            shapes.append(_rect(left, HEIGHT - height, width, height, "exercised"))
    busy = sum(1 for count in counts.values() if count)
    desc = f"{sum(counts.values()):,} uses on {busy:,} of {length:,} days, at most {most:,} a day"
    if gaps:
        desc += f"; {len(gaps):,} of the days were not read as a whole"
    return _svg(shapes, title=f"Uses a day from {first} to {last}", desc=desc, kind="days")


def stacks(columns: Sequence[Sequence[tuple[str, int]]], *, title: str, desc: str) -> Markup:
    """A column a run, each a stack of (class, count) from below; the highest fills the picture."""
    most = max((sum(count for _, count in one) for one in columns), default=0)
    shapes = []
    width = max(min(WIDTH // max(len(columns), 1) - _GAP, WIDTH // 12), 1)
    for index, one in enumerate(columns):
        left = index * (WIDTH - width) // max(len(columns) - 1, 1)  # the last one ends where the picture does
        done = 0
        for kind, count in one:
            if count:
                top, bottom = HEIGHT - (done + count) * HEIGHT // most, HEIGHT - done * HEIGHT // most
                shapes.append(_rect(left, top, width, max(bottom - top, 1), kind))
            done += count
    return _svg(shapes, title=title, desc=desc, kind="days")


def strip(source: str, per_day: str) -> Markup:
    """One strip of days for a log source: full days are high, partial ones half as high, missing ones a thin line."""
    shapes = []
    done = 0
    for letter, run in groupby(per_day):
        count = len(list(run))
        left, right = done * WIDTH // len(per_day), (done + count) * WIDTH // len(per_day)
        top = _LEVEL[letter]
        shapes.append(_rect(left, top, max(right - left, 1), HEIGHT - top, letter))
        done += count
    desc = "{:,} full, {:,} partial, {:,} missing".format(*(per_day.count(letter) for letter in "fpn"))
    return _svg(shapes, title=f"Days read of {source}", desc=desc, kind="strip")


def _rect(left: int, top: int, width: int, height: int, kind: str) -> str:
    return f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{height}"/>'


def _svg(shapes: Sequence[str], *, title: str, desc: str, kind: str) -> Markup:
    # `role=img` with a <title> is announced as one picture with that name; the stretching needs no inline style.
    return Markup(
        '<svg class="{}" role="img" viewBox="0 0 {} {}" preserveAspectRatio="none">'
        "<title>{}</title><desc>{}</desc>{}</svg>"
    ).format(kind, WIDTH, HEIGHT, visible(title), visible(desc), Markup("".join(shapes)))  # noqa: S704 - our own shapes
