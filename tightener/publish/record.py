"""What a pull request remembers about itself: a hidden comment at the end of its own body, and the boxes of its list.

Nothing is kept elsewhere, so nothing can be lost or disagree: whoever sees the pull request sees what
tightener knows of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from tightener.publish.host import Seen
from tightener.publish.markdown import prose
from tightener.tighten.compare import Comparison
from tightener.tighten.suggestion import Suggestion

NO_DAYS = 90  # how long a no on a pull request holds
CLOSED, MERGED, REFUSED = "closed", "merged", "refused"  # by tightener, by a person, without merging
_NAME = 200  # characters of who had it opened
_MARK = "<!-- tightener:"
_BOX = re.compile(r"^\s*[-*+] \[([ xX])\] <code>([a-z-]+-[0-9a-f]{6})</code>", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Record:
    """The agents and suggestions that a pull request is about. `taken` are in its diff, `unticked` a person took out;
    each by id, with the standing of its grants at that time."""

    agents: tuple[str, ...] = ()
    taken: Mapping[str, str] = field(default_factory=dict)
    unticked: Mapping[str, str] = field(default_factory=dict)
    requester: str = ""  # who had it opened
    blob: str = ""  # Git's name of the policy file that it proposes
    state: str = ""  # '' = open, else one of the three above
    day: str = ""  # on which it ended, where no host knows
    merge: str = ""  # the commit that merging made of the base, where no host knows
    before: str = ""  # the one that the base was at until then


@dataclass(frozen=True, slots=True)
class No:
    """A person's no to one suggestion, and what its grants looked like then."""

    reason: str
    standing: str


def hidden(record: Record) -> str:
    """The comment. Raises nothing."""
    said = {
        "v": 1,
        "agents": list(record.agents),
        "taken": dict(record.taken),
        "unticked": dict(record.unticked),
        "requester": record.requester[:_NAME],
        "blob": record.blob,
        "state": record.state,
        "day": record.day,
    }
    said |= {name: value for name, value in (("merge", record.merge), ("before", record.before)) if value}
    text = json.dumps(said, ensure_ascii=True, separators=(",", ":"))
    for char in "<>@#&`":  # an agent's name may hold anything
        text = text.replace(char, f"\\u{ord(char):04x}")
    text = text.replace("--", "\\u002d\\u002d")
    return f"{_MARK} {text} -->"


def read(body: str) -> Record | None:
    """The record of a body, boxes that were unticked or ticked since then taken into account.

    None where there is no record, or where a person has changed it to something else. Raises nothing.
    """
    at = body.rfind(_MARK)
    if at < 0:
        return None
    try:
        said = json.loads(body[at + len(_MARK) :].partition("-->")[0])
        record = Record(
            tuple(map(str, said["agents"])),
            {str(k): str(v) for k, v in said["taken"].items()},
            {str(k): str(v) for k, v in said["unticked"].items()},
            str(said["requester"]),
            str(said["blob"]),
            str(said["state"]),
            str(said["day"]),
            str(said.get("merge", "")),
            str(said.get("before", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    boxes = {name: mark != " " for mark, name in _BOX.findall(body[:at])}
    every = {**record.taken, **record.unticked}
    ticked = {name: boxes.get(name, name in record.taken) for name in every}
    return replace(
        record,
        taken={name: s for name, s in every.items() if ticked[name]},
        unticked={name: s for name, s in every.items() if not ticked[name]},
    )


def ended(body: str, state: str, day: date, why: str, merge: str = "", before: str = "") -> str:
    """The body of a pull request that has ended: why, then what it was; of a merged one also between which commits."""
    record = read(body) or Record()
    done = replace(record, state=state, day=day.isoformat(), merge=merge, before=before)
    rest = body[: body.rfind(_MARK)].rstrip("\n") if _MARK in body else body
    return f"**{prose(why)}**\n\n---\n\n{rest}\n\n{hidden(done)}\n"


def refused(seen: Seen, today: date) -> dict[str, No]:
    """Suggestion's id -> a person's no: unticked in the open one, or in one that was closed in the last 90 days.

    A pull request that a person closed without merging is a no to all that it proposed; of one that was merged, or that
    tightener closed itself, only what was unticked in it. The newest pull request that names a suggestion counts.
    """
    found: dict[str, No] = {}
    for ended in sorted(seen.ended, key=lambda one: one.day):
        record = read(ended.body)
        if record is None or today - ended.day >= timedelta(days=NO_DAYS):
            continue
        until = ended.day + timedelta(days=NO_DAYS)
        if not ended.merged and record.state != CLOSED:
            why = f"{ended.name} was closed without merging on {ended.day}{f' ({ended.said})' if ended.said else ''}"
            found |= {one: No(f"{why}; a no holds until {until}", s) for one, s in record.taken.items()}
        why = f"unticked in {ended.name}, which ended on {ended.day}; a no holds until {until}"
        found |= {one: No(why, s) for one, s in record.unticked.items()}
    record = read(seen.open.body) if seen.open else None
    if seen.open and record:
        for one in record.taken:
            found.pop(one, None)  # ticked again
        found |= {one: No(f"unticked in {seen.open.name}", s) for one, s in record.unticked.items()}
    return found


def standing(one: Suggestion, comparison: Comparison) -> str:
    """A short name for the statuses of the grants that a suggestion is about: when one changes, a no has ended."""
    about = [
        f"{grant.action} {grant.status} {grant.verdict.kind if grant.verdict else ''}"
        for grant in comparison.of_rule(one.rule.index)
        if not one.edit.drop or grant.pattern in one.edit.drop or grant.action in one.edit.drop
    ]
    return hashlib.sha256("\n".join(sorted(about)).encode()).hexdigest()[:6]
