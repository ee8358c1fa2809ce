"""Putting back what a merged tightening removed: pure, from the texts before and after it and the one of today.

Let `before` and `after` be the policy before and after the merge, `target` what it would be without the parts that are
put back (`before` where that is all of it), `today` the policy in force, `new` the proposal. It is merged by lines:
what leads from `after` to `target` is done to `today`. Then, for each agent of the file, over all requests and all time
to come, on the text as read back, four things are proved (levels: refused < needs approval < allowed):

1. `new <= max(before, today)`: nothing becomes possible that was not granted before the merge and is not today. Where
   nobody has changed the agent since then, `new <= target`.
2. `min(new, after) <= today`: what the merge had left, and people have taken away since, stays away.
3. `today <= new`: nothing that is granted today is lost.
4. `min(target, later) <= max(new, after)`: all that the merge took away is back, but for what `later` forbids, the
   approval and deny rules that people have added since.

Where nothing has changed since the merge (`today = after`), these say that `new = target`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tightener.errors import Place, TightenerError, VerificationFailed
from tightener.model import AgentPolicy, Aliases, Body, Effect, Rule
from tightener.policy import document
from tightener.policy.bounds import Breach, breach
from tightener.policy.document import PolicyFile
from tightener.policy.merging import Clash, merged
from tightener.publish import kept, record
from tightener.tighten.suggest import changes
from tightener.tighten.suggestion import Suggestion, additions

_STEPS = (
    "it would grant what was neither granted before the merge nor is today",
    "it would give back what somebody has taken away since the merge",
    "it would take away what is granted today",
    "it would not give back all that the merge took away",
)
_MOST_LINES = 5  # stretches of lines that an error names


@dataclass(frozen=True, slots=True)
class Undone:
    """The new text, whose rules it changes, those of its rules that are not there today, and what comes back.

    `ids`: those of the pull request that are undone, as far as its record tells; `along`: of these, the ones that
    were not asked for, because they say nothing without one that was; `names`: id -> under which names the same change
    to the rule as it stands now is known (its id may be another, where other changes of the rule stay).
    """

    text: str
    agents: tuple[str, ...]
    back: tuple[Rule, ...]
    ids: tuple[str, ...] = ()
    along: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: bool = False  # for a part only


def undone(
    file: PolicyFile, texts: tuple[str, str], edits: str, taken: Sequence[str], only: Sequence[str], at: datetime
) -> Undone:
    """What a merge removed, put back into the file as it is today.

    In: the texts before and after the merge; the record's packed edits and the ids that it names; the ids to put back,
    none = all; from when on it has to hold. Out: the same text as today where all is back already.
    Raises TightenerError: `nothing-removed`, `not-a-tightening`, `unknown-suggestion`, `parts-unknown`,
    `revert-conflict`; VerificationFailed (`revert-not-proved`).
    """
    before, after = (
        document.parse(_like(text, file.text), f"{file.path} {when} the merge", file.aliases)
        for text, when in zip(texts, ("before", "after"), strict=True)
    )
    _removes(before, after, at)
    every = kept.unpack(edits, before.agents) or []
    put_back = tuple(one.id for one in every) or tuple(taken)
    along: tuple[str, ...] = ()
    target = before
    if only:
        _check_known(before, after, every, put_back, only)
        put_back = _closed(every, only)
        along = tuple(one for one in put_back if one not in only)
        rest = [one for one in every if one.id not in put_back]
        target = _read(before.rewrite(changes(rest), additions(rest)), file) if rest else before
        for agent in target.agents:
            if breach([after.agents[agent]], [target.agents[agent]], at):
                raise _unknown_parts("these changes cannot be taken apart: each needs the other")
    text = _proved(before, after, file, target, at)
    new = _read(text, file)
    names = {one.id: _names(one, new) for one in every if one.id in put_back}
    old, now = _said(file.agents), _said(new.agents)
    agents = tuple(name for name in now if now[name] != old.get(name))
    return Undone(text, agents, tuple(_back(file, new)), put_back, along, names, bool(only))


def _like(text: str, today: str) -> str:
    """An old text with the line endings of today's: Git may store others than the work tree has."""
    if "\r\n" in today and "\r\n" not in text:
        return text.replace("\n", "\r\n")
    return text.replace("\r\n", "\n") if "\r\n" not in today else text


def _read(text: str, file: PolicyFile) -> PolicyFile:
    return document.parse(text, file.path, file.aliases)


def _removes(before: PolicyFile, after: PolicyFile, at: datetime) -> None:
    """Raises TightenerError where the merge changed no rule, or also granted something."""
    for name in sorted({*before.agents, *after.agents}):
        found = breach([after.agents.get(name)], [before.agents.get(name)], at)
        if found:
            raise TightenerError(
                f"it also grants {name} something{_shown(found)}, so it is no tightening",
                slug="not-a-tightening",
                hint="look at it, and undo it by hand or with `git revert`",
            )
    if _said(before.agents) == _said(after.agents):
        raise TightenerError(
            "it changed no rule of the policy file", slug="nothing-removed", hint="there is nothing to put back"
        )


def _check_known(
    before: PolicyFile, after: PolicyFile, every: Sequence[Suggestion], names: Sequence[str], only: Sequence[str]
) -> None:
    """Raises TightenerError where the pull request did not make these changes, or where its suggestions do not lead
    from the one text to the other."""
    unknown = [one for one in only if one not in names]
    if unknown and names:
        raise TightenerError(
            f"the pull request made no change {unknown[0]}",
            slug="unknown-suggestion",
            hint=f"it made: {', '.join(names)}",
        )
    if not every:
        raise _unknown_parts("the record of the pull request does not tell its single changes")
    made = _read(before.rewrite(changes(every), additions(every)), before)
    if _said(made.agents) != _said(after.agents):
        raise _unknown_parts("what was merged is not what the pull request's record tells")


def _unknown_parts(why: str) -> TightenerError:
    return TightenerError(why, slug="parts-unknown", hint="revert all of it, without --only, and edit that")


def _said(agents: Mapping[str, AgentPolicy]) -> dict[str, list[object]]:
    return {
        name: [(r.effect, r.service, r.body, r.expires, r.ttl, sorted(r.extras.items())) for r in agent.rules]
        for name, agent in agents.items()
    }


def _closed(every: Sequence[Suggestion], only: Sequence[str]) -> tuple[str, ...]:
    """The ids to put back: a change that says nothing without one of them comes back with it."""
    back = set(only)
    while more := {one.id for one in every if back & set(one.requires)} - back:
        back |= more
    return tuple(one.id for one in every if one.id in back)


def _proved(before: PolicyFile, after: PolicyFile, today: PolicyFile, target: PolicyFile, at: datetime) -> str:
    """The merged text that is proved; raises what `undone` says."""
    clashes: tuple[Clash, ...] = ()
    reason, good = "", list[str]()
    for ours_first in (False, True):
        text, clashes = merged(after.text, today.text, target.text, ours_first=ours_first)
        if clashes or text in good:
            break
        why = _reason(text, before, after, today, target, at)
        reason = reason or why
        good += [] if why else [text]
    good.sort(key=lambda text: _doubled(_read(text, today), today, target))
    if good and not _doubled(_read(good[0], today), today, target):
        return good[0]
    if not _reason(today.text, before, after, today, target, at):
        return today.text  # all of it is back already, in other words
    if good:
        return good[0]
    if clashes:
        first = clashes[0]
        raise TightenerError(
            f"{_lines(clashes)} changed since the merge, and the merge had changed the same ones",
            slug="revert-conflict",
            hint="put it back by hand; `git diff` of the two commits shows what it was. Nothing was written",
            place=Place(today.path, first.first),
        )
    raise VerificationFailed(
        f"what would be put back does not hold: {reason}",
        slug="revert-not-proved",
        hint="nothing was written; put back a part with --only ID, or edit the file by hand",
    )


def _doubled(new: PolicyFile, *others: PolicyFile) -> int:
    """How many rules stand more often than in any of the others."""
    counts = [
        Counter((r.agent, r.effect, r.service, r.body, r.expires) for agent in one.agents.values() for r in agent.rules)
        for one in (new, *others)
    ]
    return sum(max(0, number - max(c[said] for c in counts[1:])) for said, number in counts[0].items())


def _reason(
    text: str, before: PolicyFile, after: PolicyFile, today: PolicyFile, target: PolicyFile, at: datetime
) -> str:
    """Why a text does not put back exactly what it should, '' where it is proved that it does."""
    try:
        new = _read(text, today)
    except TightenerError as error:
        return f"the text would be no policy: {error.message}"
    for name in sorted({*after.agents, *today.agents, *target.agents, *new.agents}):
        n, a, o, t = (one.agents.get(name) for one in (new, after, today, target))
        later = _later(a, o, t, today.aliases) if t else None
        same = a is not None and o is not None and _said({name: a}) == _said({name: o})
        most = [t] if same else [before.agents.get(name), o]
        bounds = (([n], most), ([n, a], [o]), ([o], [n]), ([t, later], [n, a]))
        for (lefts, rights), said in zip(bounds, _STEPS, strict=True):
            found = breach(lefts, rights, at)
            if found:
                return f"{said}: {name}{_shown(found) or ', or that cannot be excluded'}"
    return ""


def _later(after: AgentPolicy | None, today: AgentPolicy | None, target: AgentPolicy, aliases: Aliases) -> AgentPolicy:
    """Everything, but for what approval and deny rules say that stand in the file since the merge."""
    old = {(r.effect, r.service, r.body, r.expires) for r in after.rules} if after else set()
    limits = [
        rule
        for rule in (today.rules if today else ())
        if rule.effect is not Effect.ALLOW and (rule.effect, rule.service, rule.body, rule.expires) not in old
    ]
    every = Rule(target.name, len(limits), Effect.ALLOW, "*", Body(("*",)), target.place, aliases=aliases)
    return AgentPolicy(target.name, target.place, (*limits, every))


def _shown(found: Breach) -> str:
    if found.request is None:
        return ""
    service, action, resource, branch = found.request
    where = f" on {resource!r}" if resource else ""
    return f": `{service} {action}`{where}{f' branch {branch!r}' if branch else ''}"


def _lines(clashes: Sequence[Clash]) -> str:
    shown = [f"{one.first}" if one.last <= one.first else f"{one.first} to {one.last}" for one in clashes[:_MOST_LINES]]
    more = f" and {len(clashes) - _MOST_LINES} more places" if len(clashes) > _MOST_LINES else ""
    return f"lines {', '.join(shown)}{more} have" if len(clashes) > 1 or "to" in shown[0] else f"line {shown[0]} has"


def _back(today: PolicyFile, new: PolicyFile) -> Iterator[Rule]:
    """The rules of the new text that are not in today's."""
    for name, agent in new.agents.items():
        old = (
            [(r.effect, r.service, r.body, r.expires) for r in today.agents[name].rules] if name in today.agents else []
        )
        for rule in agent.rules:
            said = (rule.effect, rule.service, rule.body, rule.expires)
            if said in old:
                old.remove(said)
            else:
                yield rule


def _names(one: Suggestion, new: PolicyFile) -> tuple[str, ...]:
    """Under which names the next run would know the same change: to the rule that says again what it said."""
    agent = new.agents.get(one.rule.agent)
    rules = agent.rules if agent else ()
    alike = [rule for rule in rules if (rule.effect, rule.service) == (one.rule.effect, one.rule.service)]
    actions = set(one.edit.drop) | set(one.edit.replace) or set(one.rule.body.actions)
    near = [rule for rule in alike if rule.body == one.rule.body] or [
        rule for rule in alike if actions & set(rule.body.actions)
    ]
    rule = one.rule if one.rule.index < 0 or not near else near[0]
    now = Suggestion(one.kind, rule, "", "", {}, one.edit)
    return now.id, record.about(now)
