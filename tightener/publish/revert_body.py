"""The body of a pull request that puts back what a merged one removed: that it widens, by what, and what is proved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tightener.publish import record
from tightener.publish.markdown import block, code, prose, short
from tightener.publish.undo import Undone
from tightener.tighten.wording import count, listing, scope

_LINES = 40  # of a list
_LINE, _NAME = 300, 120  # characters, written
_DIFF = 20_000  # characters, written: below that of a whole body with everything else at its longest
_ACTIONS = 12


@dataclass(frozen=True, slots=True)
class Told:
    """What the body says besides what comes back. `title`: the pull request or commit that is undone."""

    title: str
    commit: str
    path: str
    diff: str
    blob: str  # Git's name of the proposed file
    digests: tuple[str, str]  # SHA-256 of the file, before and after
    requester: str
    reviewers: tuple[str, ...]
    version: str  # of tightener
    moment: datetime  # from which on it was proved
    standings: Mapping[str, str]  # suggestion's id -> what its grants looked like


def render(done: Undone, about: Told) -> str:
    """The body. Raises nothing."""
    return "\n".join(
        [
            *_sentence(done, about),
            *_possible(done, about),
            *_suggestions(done),
            "",
            "### Diff",
            "",
            short(about.diff, _DIFF, block),
            *_record(about),
            record.hidden(_remembered(done, about)),
            "",
        ]
    )


def _sentence(done: Undone, about: Told) -> Iterator[str]:
    agents = done.agents
    whose = ", ".join(short(name, _NAME, code) for name in agents[:3])
    more = f" and {count(len(agents) - 3, 'more agent')}" if len(agents) > 3 else ""
    what = "a part of what" if done.asked else "what"
    yield f"**This is a widening: it gives {whose}{more} back {what} {_named(about)} took away.**"
    yield ""
    yield (
        "Proof, for every agent of the file, over all requests and all time to come: nothing becomes possible that was"
        " not granted before that merge and is not granted today; what people took away since then stays away; nothing"
        " that is granted today is lost; and all that was asked for is back, but for what approval and deny rules"
        " forbid that people have added since. Rules that have expired meanwhile grant nothing, as before."
    )


def _named(about: Told) -> str:
    return about.title if about.title.startswith("#") else prose(about.title)


def _possible(done: Undone, about: Told) -> Iterator[str]:
    yield from ("", "### What the policy says again", "")
    for rule in done.back[:_LINES]:
        over = rule.expires is not None and rule.expires <= about.moment
        ends = f", {'over since' if over else 'until'} {rule.expires:%Y-%m-%d %H:%M} UTC" if rule.expires else ""
        said = f"{rule.effect.value.replace('_', ' ')} {rule.service}: {listing(rule.body.actions, _ACTIONS)}"
        where = scope(rule.body.resources, rule.body.branches)
        yield f"- {short(rule.agent, _NAME, code)}: {short(f'{said} on {where}{ends}', _LINE)}"
    if not done.back:
        yield "No rule of its own: rules that limited others are gone."
    if len(done.back) > _LINES:
        yield f"- and {len(done.back) - _LINES:,} more: see the diff"


def _suggestions(done: Undone) -> Iterator[str]:
    yield from ("", "### Changes that this undoes", "")
    if not done.ids:
        yield (
            "Which suggestions these were is not known, so the next weekly pull request may propose them again:"
            " `tightener reject` says no to one."
        )
        return
    shown = ", ".join(code(one) for one in done.ids[:_LINES])
    more = f" and {len(done.ids) - _LINES:,} more" if len(done.ids) > _LINES else ""
    yield f"{shown}{more}."
    if done.along:
        names = ", ".join(code(one) for one in done.along)
        yield ""
        yield f"Of these, {names} come along: they say nothing without another that is undone."
    yield ""
    until = "" if done.asked else ", or until the status of a grant that they are about changes"
    yield f"Merging this is a no to them for {record.NO_DAYS} days{until}. Closing it changes nothing."


def _record(about: Told) -> Iterator[str]:
    yield from ("", "### Record", "", "| what | |", "|---|---|")
    owners = ", ".join(code(one) for one in about.reviewers[:5])
    rows = (
        ("policy", code(about.path)),
        ("undoes", f"{_named(about)}, merged as {code(about.commit)}"),
        ("requester", f"{short(about.requester, _NAME, code)}, with tightener {prose(about.version)}"),
        ("rationale", "a person asked for it with `tightener revert`"),
        ("reviewer", f"{owners} (CODEOWNERS)" if owners else "whoever approves this pull request"),
        ("policy before, SHA-256", code(about.digests[0])),
        ("policy after, SHA-256", code(about.digests[1])),
    )
    yield from (f"| {name} | {value} |" for name, value in rows)
    yield ""


def _remembered(done: Undone, about: Told) -> record.Record:
    # Where a part of the changes stays, the grants are not what they were, so their standing says nothing.
    taken = {one: "" if done.asked else about.standings.get(one, "") for one in done.ids}
    more = {name: taken[one] for one, names in done.names.items() for name in names}
    return record.Record(
        agents=done.agents,
        taken={**more, **taken},
        requester=about.requester,
        blob=about.blob,
        reverts=about.commit,
    )
