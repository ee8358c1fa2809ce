"""The body of a pull request: the sentence, the numbers, the changes, the evidence, what could not be seen, and how to
keep, to take in part, to undo and to check. At most 58,000 characters; what is folded goes first, the summary never.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tightener.model import Body
from tightener.publish import kept, record
from tightener.publish.host import Seen
from tightener.publish.markdown import block, code, prose, short
from tightener.publish.parts import Context, Part, confidence, doubts, last_used
from tightener.redaction import Redact
from tightener.report import veil, words
from tightener.tighten.grants import Grant, Status
from tightener.tighten.suggest import with_required
from tightener.tighten.suggestion import Suggestion, compose
from tightener.tighten.wording import count, listing, scope

MOST = 58_000  # characters; GitHub takes 65,536
MOST_CHANGES = 80  # in one pull request, so that each is named, can be ticked off, and is read
_LINES = 40  # of a list
_AGENTS = 20  # of the numbers
_CELL, _LINE, _NAME = 220, 300, 120  # characters, written
_DETAIL = 2_500
_EXAMPLES, _ACTIONS = 3, 12
_UNKNOWN = " (this pull request's number, or the commit of its merge)"  # until there is one


@dataclass(frozen=True, slots=True)
class _Change:
    part: Part
    one: Suggestion

    @property
    def removes(self) -> float:
        return self.part.proposal.removes.get(self.one.id, 0.0)


def render(parts: Sequence[Part], about: Context) -> str:
    """The body for one policy file. In: one part for each agent that anything can be said about. Raises nothing."""
    parts = [_veiled(part, about.redact) for part in parts]
    changes = [_Change(part, one) for part in parts for one in part.proposal.ranked]
    changes.sort(key=lambda change: -change.removes)
    head = [*_sentence(parts, changes, about), *_numbers(parts)]
    tail = [
        *_promotions(parts),
        *_not_seen(parts, about),
        *_keep(parts),
        *_accept(parts, changes),
        *_undo(),
        *_record(about),
        record.hidden(_remembered(parts, about)),
    ]
    left = MOST - _size([*head, *tail]) - 600  # for headings and what says that something was left out
    table = list(_within([_row(change, about.path) for change in changes], left))
    left -= _size(table)
    details = list(_within([_detail(change, about.path) for change in changes], left))
    return "\n".join(
        [
            *head,
            "",
            "### Changes",
            "",
            "| change | where | risk removed | last use | why |",
            "|---|---|--:|---|---|",
            *table,
            *_more(len(changes) - len(table), "change", "the list of boxes below names each"),
            "",
            "### Evidence, change by change",
            "",
            *details,
            *_more(len(changes) - len(details), "change", "`tightener explain ID --agent A` shows theirs"),
            *tail,
            "",
        ]
    )


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _within(lines: Sequence[str], most: int) -> Iterator[str]:
    for line in lines:
        most -= len(line) + 1
        if most < 0:
            return
        yield line


def _more(number: int, noun: str, where: str) -> list[str]:
    return ["", f"{count(number, f'more {noun}')}: {prose(where)}."] if number > 0 else []


def _sentence(parts: Sequence[Part], changes: Sequence[_Change], about: Context) -> Iterator[str]:
    names = [part.agent for part in parts if part.proposal.suggestions]
    if len(names) == 1:
        (only,) = (part for part in parts if part.proposal.suggestions)
        said = short(words.sentence(only.proposal), 3 * _LINE)
    else:
        whose = " and ".join(
            filter(None, [", ".join(short(n, _NAME, code) for n in names[:3]), _others(len(names) - 3)])
        )
        said = (
            f"{count(len(changes), 'change')} make the policies of {whose} smaller, proved never wider and without"
            " losing a use."
        )
    yield f"**{said}**"
    yield ""
    replayed = sum(part.proposal.proof.replayed for part in parts)
    uses = sum(part.proposal.study.requests.uses for part in parts)
    lost = sum(len(part.proposal.proof.lost) for part in parts)
    moved = sum(part.proposal.proof.moved for part in parts)
    asks = f", {moved:,} move to approval as suggested" if moved else ""
    yield (
        f"Proof: never wider, over all requests and all time to come. Replay: {count(replayed, 'distinct request')}"
        f" ({uses:,} uses), {lost} would lose their level{asks}."
    )
    yield ""
    least = min((confidence(part) for part in parts), key=("low", "medium", "high").index, default="medium")
    why = [f"{part.agent}: {doubt}" for part in parts for doubt in doubts(part)]
    otherwise = {
        "high": "tried on the past of every agent",
        "medium": "nothing speaks against it; not tried on the past yet",
    }
    yield f"Confidence: {least} ({'; '.join(short(one, _LINE) for one in why[:5]) or otherwise[least]})."
    if about.so_far:
        yield ""
        yield f"{prose(about.so_far)}."
    if about.waiting:
        yield ""
        yield (
            f"{count(about.waiting, 'more change')} {'waits' if about.waiting == 1 else 'wait'} for the next pull"
            f" request: one proposes at most {MOST_CHANGES}, those that remove the most risk."
        )


def _others(number: int) -> str:
    return count(number, "more agent") if number > 0 else ""


def _numbers(parts: Sequence[Part]) -> Iterator[str]:
    yield from (
        "",
        "### Numbers",
        "",
        "| agent | changes | grants | window | logs | risk | tried |",
        "|---|--:|---|---|---|---|---|",
    )
    for part in parts[:_AGENTS]:
        found = part.proposal
        comparison = found.study.comparison
        statuses = [(sum(g.status is s for g in comparison.grants), s.value.replace("_", " ")) for s in Status]
        sources = [f"{s.source} {s.full}/{len(s.days)} days" for s in comparison.terms.coverage.sources]
        cells = (
            short(part.agent, _NAME, code),
            str(len(found.suggestions)),
            ", ".join(f"{number:,} {name}" for number, name in statuses if number),
            prose(words.window_line(comparison)),
            short(", ".join(sources), _CELL),
            f"{found.before.score:.0f} → {found.after.score:.0f} of 100",
            short(part.tried, _CELL),
        )
        yield f"| {' | '.join(cells)} |"
    if len(parts) > _AGENTS:
        yield ""
        yield f"{_others(len(parts) - _AGENTS)} of this file: `tightener suggest --agent A` shows theirs."


def _row(change: _Change, path: str) -> str:
    used = last_used(change.part, change.one)
    cells = (
        short(change.one.title, _CELL),
        _where(change, path),
        f"{change.removes:.1f}",
        f"{used:%Y-%m-%d}" if used else "-" if change.one.edit.deny else "never in the window",
        short(change.one.why, _CELL),
    )
    return f"| {' | '.join(cells)} |"


def _where(change: _Change, path: str) -> str:
    line = change.one.rule.place.line
    place = f"line {line}" if line else path
    return f"{short(change.part.agent, _NAME, code)}, {prose(place)}"


def _detail(change: _Change, path: str) -> str:
    one, part = change.one, change.part
    study = part.proposal.study
    grants = study.comparison.of_rule(one.rule.index)
    lines = [f"<details><summary>{code(one.id)} {short(one.title, _CELL)}</summary>", ""]
    lines.append(f"{short(one.why, _LINE)}. {_where(change, path)}.")
    lines += ["", *(f"- {short(text, _LINE)}" for text in _evidence(part, one, grants))]
    lines += [line for said in _said(part, one) for line in ("", short(said, 2 * _LINE))]
    lines += ["", "</details>", ""]
    text = "\n".join(lines)
    return text if len(text) <= _DETAIL else "\n".join([*lines[:3], "", "</details>", ""])


def _said(part: Part, one: Suggestion) -> Iterator[str]:
    """What the rule says, and what it becomes by this change and those that it needs."""
    rule = one.rule
    if one.edit.deny is not None:
        yield f"adds {_rule('deny', rule.service, (one.edit.deny,))}"
        return
    needed = with_required([one], part.proposal.suggestions)
    after = compose(rule.body, [other.edit for other in needed if other.rule.index == rule.index])
    yield f"from {_rule(rule.effect, rule.service, (rule.body,))}"
    if after != (rule.body,):
        yield f"to {_rule(rule.effect, rule.service, after)}"
    for moved in one.moved:
        yield f"adds {_rule(moved.effect, moved.service, (moved.body,))}"


def _rule(effect: str, service: str, bodies: Sequence[Body]) -> str:
    parts = (f"{listing(body.actions, _ACTIONS)} on {scope(body.resources, body.branches)}" for body in bodies)
    return f"{effect.replace('_', ' ')} {service}: {'; and '.join(parts) or 'nothing'}"


def _evidence(part: Part, one: Suggestion, grants: Sequence[Grant]) -> Iterator[str]:
    known = one.evidence
    if isinstance(days := known.get("observed_days"), int):
        yield f"could be seen on {days} of {count(part.proposal.study.comparison.terms.window.days, 'day')}"
    if isinstance(alone := known.get("log_alone"), float):
        yield f"{known['calendar']}; {words.alone_line(alone)}"
    if isinstance(pooled := known.get("pooled"), float):
        yield f"by the fleet {pooled:.1%}"
    if isinstance(examples := known.get("examples"), list):
        yield from (f"used: `{example}`" for example in examples[:_EXAMPLES])
    if isinstance(approvals := known.get("approvals"), int):
        yield f"{count(approvals, 'approval')} would have been asked for"
    if grants:
        uses = sum(grant.evidence.uses for grant in grants)
        yield f"{count(len(grants), 'grant')} of this rule: {count(uses, 'use')} in the window"
    yield f"backtest: {part.tried}"


def _veiled(part: Part, said: Redact) -> Part:
    """The part as it goes out. What people unticked is left out by a reason of theirs."""
    unticked = veil.suggestions(part.unticked, part.proposal, said)
    return replace(
        part, proposal=veil.proposal(part.proposal, said, [one.id for one in part.unticked]), unticked=unticked
    )


def _not_seen(parts: Sequence[Part], about: Context) -> Iterator[str]:
    yield from ("", "### What could not be seen", "")
    lines = [*about.silent]
    for part in parts:
        study = part.proposal.study
        left_out = [f"left out, {said}" for said in words.not_proposed(part.proposal)]
        holes = [line for line in words.coverage_lines(study.comparison) if "; " in line]
        lines += [
            f"{part.agent}: {text}"
            for text in (
                *holes,
                *words.not_seen(study),
                *words.kept(study.comparison),
                *words.stays(part.proposal),
                *left_out,
            )
        ]
    yield from (f"- {short(line, _LINE)}" for line in lines[:_LINES])
    if not lines:
        yield "Nothing that was looked for: every day of the window was read whole."
    if len(lines) > _LINES:
        yield f"- and {len(lines) - _LINES:,} more: `tightener compare --agent A` lists them"


def _promotions(parts: Sequence[Part]) -> Iterator[str]:
    lines = [f"{part.agent}: {line}" for part in parts for line in words.promotions(part.proposal.study)]
    if lines:
        yield from ("", "### Approved often, refused never: for a person to decide, no part of this", "")
        yield from (f"- {short(line, _LINE)}" for line in lines[:_LINES])


def _keep(parts: Sequence[Part]) -> Iterator[str]:
    yield from ("", "### Keep a grant", "")
    found = next(((part, one) for part in parts for one in part.proposal.ranked), None)
    yield (
        "Say so in `tightener.yaml`, with an owner and a last day, and it leaves this pull request at the next refresh."
        " For example:"
    )
    yield ""
    if found:
        part, one = found
        window = part.proposal.study.comparison.terms.window
        until = window.last.replace(year=window.last.year + 1, day=min(window.last.day, 28))
        actions = sorted(one.edit.drop) or list(one.rule.body.actions)
        said = ", ".join(_quoted(action) for action in actions[:3])
        yield short(
            f"exceptions:\n  - agent: {_quoted(part.agent)}\n    service: {_quoted(one.rule.service)}\n"
            f"    actions: [{said}]\n    reason: why it is needed\n    owner: who answers for it\n    until: {until}",
            4 * _LINE,
            block,
        )


def _quoted(text: str) -> str:
    inside = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'


def _accept(parts: Sequence[Part], changes: Sequence[_Change]) -> Iterator[str]:
    yield from ("", "### Take a part of it", "")
    yield (
        "Untick what should stay as it is: it leaves the diff at the next refresh (`tightener publish`), and merging"
        " the rest says no to it for 90 days. A box ticked again comes back. Closing the pull request says no to all"
        " of it."
    )
    yield ""
    yield from (f"- [x] {code(c.one.id)} {short(c.one.title, _CELL)}" for c in changes)
    unticked = [one for part in parts for one in part.unticked]
    yield from (f"- [ ] {code(one.id)} {short(one.title, _CELL)}" for one in unticked[:_LINES])
    if len(unticked) > _LINES:
        yield f"- and {len(unticked) - _LINES:,} more that were unticked"


def _undo() -> Iterator[str]:
    yield from ("", "### Undo", "")
    yield (
        f"After merging: {code('tightener revert NUMBER')}{_UNKNOWN} opens a pull request that puts back what is taken"
        f" away here, with {code('--only ID')} a part of it. What people change until then is kept, and the next weekly"
        " ones do not propose it again. Without tightener:"
        " `git revert`, or the button *Revert*. The policy file is all that changes."
    )


def numbered(text: str, seen: Seen) -> str:
    """The body with its pull request's number, where that is known. For that alone no body is written anew."""
    if seen.open is None or not seen.open.name.startswith("#") or seen.open.body.rstrip() == text.rstrip():
        return text
    unknown = f"{code('tightener revert NUMBER')}{_UNKNOWN}"
    return text.replace(unknown, code(f"tightener revert {seen.open.name[1:]}"))


def _record(about: Context) -> Iterator[str]:
    yield from ("", "### Record", "", "| what | |", "|---|---|")
    owners = ", ".join(code(one) for one in about.reviewers[:5])
    rows = (
        ("policy", code(about.path)),
        ("requester", f"tightener {prose(about.version)}, run by {short(about.requester, _NAME, code)}"),
        ("rationale", "least privilege: what was granted and, on evidence, is not needed"),
        ("reviewer", f"{owners} (CODEOWNERS)" if owners else "whoever approves this pull request"),
        ("policy before, SHA-256", code(about.before)),
        ("policy after, SHA-256", code(about.after)),
        ("logs", f"{count(about.logs[0], 'file')}, {code(about.logs[1])} (`tightener sql log_digest`)"),
    )
    yield from (f"| {name} | {value} |" for name, value in rows)
    yield ""


def _remembered(parts: Sequence[Part], about: Context) -> record.Record:
    def standings(every: Sequence[Suggestion]) -> dict[str, str]:
        return {one.id: about.standings.get(one.id, "") for one in every}

    before = about.said_before
    about_whom = (part.agent for part in parts if part.proposal.suggestions or part.unticked)
    taken = standings([one for part in parts for one in part.proposal.suggestions])
    unticked = {**before.unticked, **standings([one for part in parts for one in part.unticked])}
    return record.Record(
        agents=tuple(dict.fromkeys((*about_whom, *before.agents))),
        taken=taken,
        unticked={name: said for name, said in unticked.items() if name not in taken},
        requester=about.requester,
        blob=about.blob,
        edits=kept.pack([one for part in parts for one in part.proposal.suggestions]),
    )
