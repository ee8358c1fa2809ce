"""What people read in a terminal: plain lines and tables that fit its width, log text defused."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tightener.report import words
from tightener.report.defuse import terminal, visible
from tightener.results import Proposal, Study
from tightener.tighten.compare import Attempt
from tightener.tighten.grants import Grant, Status
from tightener.tighten.suggestion import Suggestion
from tightener.tighten.wording import count, listing

_MARK = {
    Status.EXERCISED: "✓",
    Status.UNEXERCISED: "✗",
    Status.UNOBSERVABLE: "?",
    Status.TOO_NEW: "+",
    Status.EXCEPTED: "=",
}
_MOST_ATTEMPTS = 5
_MOST_BREACHES = 2  # of one rule of the checklist
_PLAIN_WIDTH = 100  # columns where the output is no terminal


class Printer:
    """Prints to one stream. Colour only on a terminal; never markup from data; no blanks at the ends of lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._plain = not stream.isatty()
        self._out = Console(
            file=io.StringIO() if self._plain else stream,
            highlight=False,
            markup=False,
            emoji=False,
            width=_PLAIN_WIDTH if self._plain else None,
            no_color=self._plain or None,
        )

    def _flush(self, *, strip: bool = True) -> None:
        if self._plain and isinstance(self._out.file, io.StringIO):
            text = self._out.file.getvalue()
            self._stream.write("".join(f"{line.rstrip(' ')}\n" for line in text.split("\n")[:-1]) if strip else text)
            self._stream.flush()
            self._out.file = io.StringIO()

    def line(self, text: str = "", style: str | None = None) -> None:
        """One line, wrapped to the width."""
        self._out.print(Text(terminal(text)), style=style)
        self._flush()

    def fields(self, rows: Iterable[tuple[str, str]]) -> None:
        """Aligned name and text."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, text in rows:
            table.add_row(name, Text(terminal(text)))
        self._out.print(table)
        self._flush()

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]], ratios: Sequence[int] = ()) -> None:
        """A table without lines; long cells fold."""
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", expand=bool(ratios))
        for i, heading in enumerate(headings):
            table.add_column(heading, overflow="fold", ratio=ratios[i] if ratios else None)
        for row in rows:
            table.add_row(*(Text(terminal(cell)) for cell in row))
        self._out.print(table)
        self._flush()

    def listed(self, title: str, lines: Sequence[str], most: int | None = None, others: str = "") -> None:
        """A heading and its points, if there are any; beyond `most` they are only counted, and `others` says where."""
        if not lines:
            return
        self.line()
        self.line(title, style="bold")
        for text in lines[:most]:
            self.line(f"- {visible(text)}")
        if most is not None and len(lines) > most:
            self.line(f"- and {len(lines) - most:,} more ({others})")

    def diff(self, text: str) -> None:
        """A unified diff for the eye: control characters shown, never wrapped."""
        for line in text.splitlines():
            self.verbatim(line, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))

    def verbatim(self, text: str, style: str | None = None) -> None:
        """What people copy, and programs read: control characters shown, never wrapped."""
        for line in text.splitlines():
            self._out.print(Text(visible(line)), style=style, soft_wrap=True)
            self._flush(strip=False)


def comparison(out: Printer, study: Study, *, every: bool = False) -> None:
    """`tightener compare`. Wildcards are summed up unless `every` grant is asked for."""
    found = study.comparison
    out.line(f"{study.policy.name} in {study.file.path}", style="bold")
    out.fields(_head(study))
    out.line()
    rows = [_grant_row(g) for g in found.grants] if every else list(_grouped(found.grants))
    out.table(("", "grant", "line", "uses", "last use", "days", "evidence"), rows)
    _sentences(out, "Approved often, refused never", words.promotions(study))
    _lists(out, study)


def proposal(out: Printer, found: Proposal, tried: str = "", so_far: str = "") -> None:
    """`tightener suggest`: one sentence, the numbers, a table, the diff, what could not be seen.

    `tried` says how this way of tightening did on the past, `so_far` how what was merged turned out.
    """
    study = found.study
    out.line(words.sentence(found), style="bold")
    out.line()
    fields = [*_head(study), ("proof", words.proof_line(found)), *([("tried", tried)] if tried else [])]
    fields += [("so far", so_far)] if so_far else []
    out.fields([*fields, *words.reach_lines(found)])
    if found.suggestions:
        out.line()
        rows = [(f"{s.title}\n{s.id}", s.why, _evidence(s)) for s in found.ranked]
        out.table(("what", "why", "evidence"), rows, ratios=(4, 4, 3))
    for text in words.not_proposed(found):
        out.line(f"left out: {text}")
    if found.diff:
        out.line()
        out.diff(found.diff)
    _sentences(out, "Without use, and kept for want of evidence", words.kept(study.comparison))
    _sentences(out, "Used, and left as granted", words.stays(found))
    _checklist(out, found)
    _lists(out, study)


def _checklist(out: Printer, found: Proposal) -> None:
    """The minimum viable policy: one line where all of it is kept, else what is left and why."""
    out.line()
    broken = [item for item in found.checklist if item.breaches]
    kept = len(found.checklist) - len(broken)
    lines = "; lines are the proposal's" if broken else ""
    out.line(f"Minimum viable policy: {kept} of {len(found.checklist)} rules kept{lines}", style="bold")
    for item in broken:
        out.line(f"{item.number}. {item.rule}")
        for one in item.breaches[:_MOST_BREACHES]:
            out.line(f"   - {words.breach_line(one)}")
        if len(item.breaches) > _MOST_BREACHES:
            out.line(f"   - and {len(item.breaches) - _MOST_BREACHES:,} more (--json lists them)")


def _head(study: Study) -> list[tuple[str, str]]:
    found = study.comparison
    return [
        ("window", words.window_line(found)),
        ("logs", "\n".join(words.coverage_lines(found)) or "none in this window"),
        ("grants", words.grants_line(found)),
        ("use", f"{count(found.uses, 'use')}, {count(found.requests, 'distinct request')}"),
        *([("removal", words.removal_line(found))] if any(g.verdict for g in found.grants) else []),
        *([("ended", "\n".join(study.ended))] if study.ended else []),
    ]


def _evidence(one: Suggestion) -> str:
    parts = [f"line {one.rule.place.line}"]
    evidence = one.evidence
    if isinstance(days := evidence.get("observed_days"), int) and days:
        parts.append(f"{count(days, 'day')} seen")
    if isinstance(alone := evidence.get("log_alone"), float):
        parts += [str(evidence["calendar"]), words.alone_line(alone)]
    if isinstance(pooled := evidence.get("pooled"), float):
        parts.append(f"by the fleet {pooled:.1%}")
    if isinstance(examples := evidence.get("examples"), list) and examples:
        parts.append(f"e.g. {visible(str(examples[0]))}")
    if isinstance(removed := evidence.get("removed"), list):
        parts.append(f"removes {listing([str(a) for a in removed], 2)}")
    return "; ".join(parts)


def _grant_row(g: Grant) -> tuple[str, ...]:
    e = g.evidence
    return (
        _MARK[g.status],
        f"{g.rule.service} {g.action}",
        str(g.rule.place.line),
        f"{e.uses:,}",
        f"{e.last_used:%Y-%m-%d}" if e.last_used else "-",
        str(e.days_active or "-"),
        _note(g),
    )


def _note(g: Grant) -> str:
    e = g.evidence
    said = [g.status.value.replace("_", " ")] if g.status is not Status.EXERCISED else []
    if e.approved_uses:
        said.append(f"{e.approved_uses:,} approved")
    if e.sessions:
        said.append(f"{e.sessions:,} sessions")
    if e.partial_uses:
        said.append(f"{e.partial_uses:,} partial")
    if g.note:
        said.append(g.note)
    if g.verdict:
        said.append(words.verdict(g.verdict))
    return "; ".join(said)


def _grouped(grants: Sequence[Grant]) -> Iterable[tuple[str, ...]]:
    """A row a grant, but the unused actions of one wildcard in one row a status."""
    bundles: dict[tuple[int, str, Status, str], list[Grant]] = {}  # by what their rows would say
    for g in grants:
        alone = not g.is_wildcard or g.evidence.uses
        key = (g.rule.index, g.action if alone else g.pattern, g.status, _note(g))
        bundles.setdefault(key, []).append(g)
    for bundle in bundles.values():
        if len(bundle) == 1:
            yield _grant_row(bundle[0])
        else:
            g = bundle[0]
            what = f"{g.rule.service} {g.pattern}: {len(bundle)} actions"
            yield (_MARK[g.status], what, str(g.rule.place.line), "0", "-", "-", _note(g))


def _lists(out: Printer, study: Study) -> None:
    found = study.comparison
    _sentences(out, "What could not be seen", words.not_seen(study))
    _attempts(out, "The agent went around the gateway", found.around)
    _attempts(out, "Used but not granted", found.ungranted)
    _attempts(out, "Attempted and refused", found.refused)


def _sentences(out: Printer, title: str, lines: Sequence[str]) -> None:
    if lines:
        out.line()
        out.line(title, style="bold")
        for text in lines:
            out.line(f"- {text}")


def _attempts(out: Printer, title: str, attempts: Sequence[Attempt]) -> None:
    if not attempts:
        return
    out.line()
    out.line(title, style="bold")
    for a in attempts[:_MOST_ATTEMPTS]:
        what = " ".join(part for part in (a.service, a.action, visible(a.resource), visible(a.branch)) if part)
        note = words.attempt_note(a)
        out.line(f"- {what}: {count(a.count, 'time')}, last {a.last:%Y-%m-%d}{f' ({note})' if note else ''}")
    if len(attempts) > _MOST_ATTEMPTS:
        out.line(f"- and {len(attempts) - _MOST_ATTEMPTS:,} more (--json lists them)")
