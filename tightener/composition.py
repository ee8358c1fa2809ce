"""Which suggestions make a proposal: proved one by one, then together, until a second run would add nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from tightener.errors import PolicyError
from tightener.policy.patterns import matches
from tightener.policy.rules import boxes
from tightener.prove.proof import Proof, prove
from tightener.results import Study
from tightener.services.semantics import fold_action
from tightener.tighten.compare import Draft, compare
from tightener.tighten.owners import assign, reassigned, remember
from tightener.tighten.rule_use import Open
from tightener.tighten.suggest import changes, suggest, with_required
from tightener.tighten.suggestion import Suggestion, additions

_ROUNDS = 8  # a proposal has settled after one or two


@dataclass(frozen=True, slots=True)
class Composed:
    """The suggestions that were proved and hold together, in document order; the others, with the reason; and what is
    left as it was granted because it keeps growing."""

    kept: list[Suggestion]
    left_out: list[tuple[Suggestion, str]]
    open: list[Open]


def settled(con: duckdb.DuckDBPyConnection, found: Study, refused: Mapping[str, str]) -> tuple[Study, Composed]:
    """The suggestions that a second run would have nothing to add to, and the comparison that they rest on.

    Narrowing a rule can move uses to it or away from it, where several rules grant the same. So the comparison is made
    again as if the proposal were in force, until that changes nothing any more.

    In: `refused` are ids of suggestions that are not to be made, each with its reason.
    """
    best = _composed(con, found, refused)
    for _ in range(_ROUNDS if found.comparison.contested and best.kept else 0):
        made = found.file.rewritten(changes(best.kept), additions(best.kept))
        policy, terms = found.policy, found.comparison.terms
        text, origin = made.file.text, made.origin[policy.name]
        new = made.file.agents.get(found.policy.name)
        if new is None:
            break
        remember(con)
        assign(con, policy, terms.moment, new, origin)
        if not reassigned(con):
            break
        again = replace(found, comparison=compare(con, policy, terms, Draft(new, origin, found.comparison)))
        more = _composed(con, again, refused)
        if _text(again, more.kept) == text:
            break
        found, best = again, more
    return found, best


def _composed(con: duckdb.DuckDBPyConnection, found: Study, refused: Mapping[str, str]) -> Composed:
    if found.job:
        refused = _taking(con, found, refused)
    made = suggest(con, found.comparison, refused)
    if made.early:
        refused = {**made.early, **refused}
        made = suggest(con, found.comparison, refused)
    kept, failed = _proved(found, made.every, refused)
    stuck = {one.id: reason for one, reason in failed if one.moved and one.id not in refused}
    if stuck:  # what cannot move stays where it is, and the others leave room for it
        out = {**refused, **stuck}
        made = suggest(con, found.comparison, out)
        kept, failed = _proved(found, made.every, out)
    if kept and _reason(found, kept):
        kept, failed = _one_by_one(found, kept, failed)
    return Composed(kept, failed, made.open)


def _taking(con: duckdb.DuckDBPyConnection, found: Study, refused: Mapping[str, str]) -> dict[str, str]:
    """A job's part of a policy only loses what the job does not use; what to ask about is a question of its own."""
    out = dict(refused)
    while more := {
        one.id: "asked about once the job is an agent of its own"
        for one in suggest(con, found.comparison, out).every
        if one.id not in out and (one.moved or one.edit.deny is not None)
    }:
        out |= more
    return out


def _proved(
    found: Study, every: Sequence[Suggestion], refused: Mapping[str, str]
) -> tuple[list[Suggestion], list[tuple[Suggestion, str]]]:
    """The suggestions that were proved, in document order, and those that were not or were refused, with the reason.

    What fails by itself may hold together with the others of its service (an approval rule is a limit only as long as
    there is an allow below it): then it requires them.
    """
    kept: list[Suggestion] = []
    failed: list[tuple[Suggestion, str]] = []
    for one in every:
        alone = with_required([one], every)
        missing = [s for s in alone if s is not one and s not in kept]
        reason = refused.get(one.id, "")
        if missing and not reason:
            reason = f"it needs {missing[0].id}, which is left out"
        reason = reason or _reason(found, alone, one)
        if reason:
            failed.append((one, reason))
        else:
            kept.append(one)
    retry = True
    while retry:
        retry = False
        for one, reason in tuple(pair for pair in failed if pair[0].id not in refused):
            others = tuple(s.id for s in kept if s.rule.service == one.rule.service)
            together = [s for s in every if s.id in others or s is one]
            if others and set(one.requires) <= set(others) and not _reason(found, together):
                kept.append(replace(one, requires=others))
                failed.remove((one, reason))
                retry = True
    order = {s.id: i for i, s in enumerate(every)}
    return sorted(kept, key=lambda s: order[s.id]), failed


def _one_by_one(
    found: Study, kept: list[Suggestion], failed: list[tuple[Suggestion, str]]
) -> tuple[list[Suggestion], list[tuple[Suggestion, str]]]:
    """As many of them as hold together, taken one by one in document order."""
    good: list[Suggestion] = []
    for one in kept:
        more = [s for s in with_required([one], kept) if s not in good]
        reason = _reason(found, [s for s in kept if s in good or s in more])
        if reason:
            failed.append((one, f"not together with the others: {reason}"))
        else:
            good += more
    return [s for s in kept if s in good], failed


def _reason(found: Study, chosen: Sequence[Suggestion], one: Suggestion | None = None) -> str:
    """Why these suggestions together are not proved; '' where they are."""
    try:
        return proof(found, chosen, one).reason
    except PolicyError as error:  # an edit that the text does not allow, such as one behind an alias
        return error.message


def _text(found: Study, chosen: Sequence[Suggestion]) -> str:
    return found.file.rewrite(changes(chosen), additions(chosen)) if chosen else found.file.text


def proof(found: Study, chosen: Sequence[Suggestion], one: Suggestion | None = None) -> Proof:
    """Proves the file with these edits, read back from its text.

    With `one` it is that suggestion's turn: only its rule is replayed, and what the edits mean is proved without
    writing and reading the whole file for each. (Whatever is shown or written in the end is proved as text.)
    """
    name = found.policy.name
    new = (
        found.file.rewritten(changes(chosen), additions(chosen)).file.agents[name]
        if one is None
        else found.file.meaning(name, changes(chosen), additions(chosen))
    )
    only = None
    if one is not None:
        own = boxes(one.rule, one.rule.service)
        only = [
            (service, action)
            for service, action in found.requests.whole
            if service == one.rule.service and any(matches(b.action, fold_action(service, action)) for b in own)
        ]
    moved = [rule for suggestion in chosen for rule in suggestion.moved]
    return prove(found.policy, new, found.requests, found.comparison.terms.moment, only, moved)
