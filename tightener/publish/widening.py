"""The body of a pull request that adds something: its first line says so, then what becomes possible, by class of risk.

Whatever comes from a log, a policy or the command line is shown and does nothing (publish/markdown.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from tightener.model import Body, Effect
from tightener.publish import record
from tightener.publish.markdown import code, paragraph, prose, short
from tightener.tighten.risk import RiskClass, risk, risks
from tightener.tighten.wording import count

_CELL, _LINE, _NAME, _TEXT = 300, 600, 120, 4_000  # characters, written
_ROWS, _LINES = 60, 40


@dataclass(frozen=True, slots=True)
class Opened:
    """A rule that comes: what it makes possible, and how."""

    effect: Effect
    service: str
    body: Body

    @property
    def words(self) -> str:
        """What it is about, in one line; of a request without a resource or branch nothing is said."""
        actions = ", ".join(self.body.actions)
        on = "" if self.body.resources is None else ", ".join(one or "no resource" for one in self.body.resources)
        branches = self.body.branches
        to = "" if branches is None or branches == ("",) else f", branch {', '.join(one or 'none' for one in branches)}"
        return f"{self.service} {actions} on {on or 'any resource'}{to}"

    @property
    def classes(self) -> tuple[tuple[RiskClass, str], ...]:
        """The classes of risk of what it grants, the gravest first, each with why it is one."""
        order = list(RiskClass)
        resources, branches = self.body.resources, self.body.branches
        values = [*(resources or ()), *(branches or ())]
        if resources is None or branches is None or any(c in value for value in values for c in "*?"):
            every = [one for action in self.body.actions for one in risks(self.service, action, self.body)]
        else:
            every = [risk(self.service, *one) for one in product(self.body.actions, resources, branches)]
        found = {one.kind: one.basis for one in every}
        return tuple(sorted(found.items(), key=lambda pair: -order.index(pair[0])))


@dataclass(frozen=True, slots=True)
class Wider:
    """What such a body says."""

    path: str  # of the policy file, in the repository
    agent: str
    first: str  # the sentence that says that this widens, and at whose wish
    opened: tuple[Opened, ...]
    proof: str
    rationale: str
    evidence: tuple[str, ...]  # lines
    requester: str
    reviewers: tuple[str, ...]
    before: str  # SHA-256 of the file
    after: str
    blob: str  # Git's name of the proposed file
    version: str  # of tightener
    ends: datetime | None
    undo: str
    name: str = ""  # of what is proposed, and its standing: a no holds as long as that stays the same
    standing: str = ""


def render(about: Wider) -> str:
    """The body. Raises nothing."""
    lines = [
        f"**{short(about.first, _LINE)}**",
        "",
        "### What becomes possible",
        "",
        "| class of risk | what | how | why this class |",
        "|---|---|---|---|",
        *_rows(about.opened),
        "",
        f"{short(about.proof, _LINE)}",
        "",
        f"{_end(about.ends)}",
        "",
        "### Why",
        "",
        short(about.rationale, _TEXT, paragraph),
        "",
        "### Evidence",
        "",
        *(f"- {short(line, _LINE)}" for line in about.evidence[:_LINES]),
        *([f"- and {len(about.evidence) - _LINES:,} more"] if len(about.evidence) > _LINES else []),
        "",
        "### Undo",
        "",
        short(about.undo, _LINE),
        "",
        "### Record",
        "",
        "| what | |",
        "|---|---|",
        *_record(about),
        "",
    ]
    known = record.Record(
        agents=(about.agent,),
        taken={about.name: about.standing} if about.name else {},
        requester=about.requester,
        blob=about.blob,
    )
    return "\n".join([*lines, record.hidden(known), ""])


def _rows(opened: Sequence[Opened]) -> list[str]:
    order = list(RiskClass)
    rows = [(order.index(kind), kind, basis, one) for one in opened for kind, basis in one.classes]
    rows.sort(key=lambda row: -row[0])
    made = [
        f"| {prose(kind.words)} | {short(one.words, _CELL, code)} | {_how(one.effect)} | {short(basis, _CELL)} |"
        for _, kind, basis, one in rows[:_ROWS]
    ]
    left = len(rows) - _ROWS
    return [*made, *([f"| {count(left, 'more row')} | the diff has them all | | |"] if left > 0 else [])]


def _how(effect: Effect) -> str:
    return "with approval, each time" if effect is Effect.REQUIRE_APPROVAL else "without asking"


def _end(ends: datetime | None) -> str:
    if ends is None:
        return "It has no end of its own."
    return f"It ends by itself at {ends:%Y-%m-%d %H:%M} UTC; from then on the same is refused, whatever else allows it."


def _record(about: Wider) -> list[str]:
    owners = ", ".join(code(one) for one in about.reviewers[:5])
    rows = (
        ("policy", short(about.path, _CELL, code)),
        ("agent", short(about.agent, _NAME, code)),
        ("requester", short(about.requester, _NAME, code)),
        ("rationale", short(about.rationale, _CELL)),
        ("reviewer", f"{owners} (CODEOWNERS)" if owners else "whoever approves this pull request"),
        ("expires", f"{about.ends:%Y-%m-%d %H:%M} UTC" if about.ends else "never"),
        ("policy before, SHA-256", code(about.before)),
        ("policy after, SHA-256", code(about.after)),
        ("made by", f"tightener {prose(about.version)}"),
    )
    return [f"| {name} | {value} |" for name, value in rows]
