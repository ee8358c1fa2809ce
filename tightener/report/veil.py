"""The one way out for logged values: a study or a proposal in which they stand only as `redact:` lets them.

Pages, packs, pull requests and SARIF are made from what this returns, so no place that shows a value can forget to ask.
What the policy names, as it is or as it is proposed, is never touched: the diff shows it. Whatever is not known to be
harmless goes: a text of evidence that no key vouches for, a reason that may quote a request.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tightener.model import Body, Rule
from tightener.prove.replay import Exercised
from tightener.redaction import Redact, Shown
from tightener.results import Proposal, Study
from tightener.tighten.checklist import Item
from tightener.tighten.compare import Attempt
from tightener.tighten.rule_use import Open
from tightener.tighten.suggestion import Edit, Suggestion, compose

# Evidence whose texts are the names of actions or words of tightener's own; all other texts are taken for values.
_NO_VALUES = frozenset(
    {
        *("actions", "exercised", "unobservable", "kept_unexercised", "removed", "denies"),
        *("class", "ttl", "calendar", "because", "day"),
    }
)
_SAFE = re.compile(
    r"rejected by .*|it needs [a-z-]+-[0-9a-f]{6}, which is left out"
    r"|`[^`]+` would be written out as \d+ actions, none of which .*",
    re.DOTALL,
)
_LOSES = re.compile(r"(?:not together with the others: )?\d+ requests in use would lose their level(?=, such as )")
_LOOK = "`tightener suggest` says why"


def study(found: Study, said: Redact) -> Study:
    """What was compared, as it goes out. In: a study of the program's own, never one that this returned."""
    return _Veil(said, frozenset(_texts(found.policy.rules))).study(found)


def proposal(found: Proposal, said: Redact, people: Collection[str] = ()) -> Proposal:
    """A proposal as it goes out: ids, numbers, text and diff as they are. It is for showing: its edits are no edits.

    In: a proposal of the program's own; `people` are ids of suggestions whose reason is what a person said. Raises
    nothing.
    """
    veil = _Veil(said, frozenset((*_texts(found.study.policy.rules), *_written(found))))
    reasons = {
        reason: shown
        for one, reason in found.left_out
        if (shown := veil.reason(one, reason, people)) != reason  # a breach that stays quotes the same
    }
    return replace(
        found,
        study=veil.study(found.study),
        suggestions=tuple(veil.suggestion(one) for one in found.suggestions),
        left_out=tuple((veil.suggestion(one), veil.reason(one, reason, people)) for one, reason in found.left_out),
        proof=replace(
            found.proof,
            lost=tuple(
                replace(one, resource=veil.value(one.service, one.resource), branch=veil.value(one.service, one.branch))
                for one in found.proof.lost
            ),
        ),
        checklist=tuple(_item(one, reasons) for one in found.checklist),
        open=tuple(map(veil.open, found.open)),
    )


def suggestions(every: Iterable[Suggestion], of: Proposal, said: Redact) -> tuple[Suggestion, ...]:
    """Suggestions that are no longer in a proposal (people left them out), as they go out beside it."""
    veil = _Veil(said, frozenset((*_texts(of.study.policy.rules), *_written(of))))
    return tuple(map(veil.suggestion, every))


def _written(found: Proposal) -> Iterator[str]:
    """What the rules of the proposed text name: those that edits leave behind, and those that come."""
    edits: dict[int, list[Edit]] = {}
    for one in found.suggestions:
        edits.setdefault(one.rule.index, []).append(one.edit)
    bodies = [body for rule in found.study.policy.rules for body in compose(rule.body, edits.get(rule.index, []))]
    bodies += [rule.body for one in found.suggestions for rule in one.moved]
    return (text for body in bodies for text in (*(body.resources or ()), *(body.branches or ())))


def _texts(rules: Sequence[Rule]) -> Iterator[str]:
    for rule in rules:
        yield from rule.body.resources or ()
        yield from rule.body.branches or ()


def _item(one: Item, reasons: Mapping[str, str]) -> Item:
    return replace(one, breaches=tuple(replace(b, reason=reasons.get(b.reason, b.reason)) for b in one.breaches))


@dataclass(frozen=True, slots=True)
class _Veil:
    said: Redact
    named: frozenset[str]  # patterns that the policy holds, before or after

    def value(self, service: str, value: str) -> str:
        return value if value in self.named else self.said.value(service, value)

    def study(self, found: Study) -> Study:
        comparison = found.comparison
        hidden = found.shared and self.said.resources is not Shown.SHOW
        return replace(
            found,
            comparison=replace(
                comparison,
                ungranted=tuple(map(self._attempt, comparison.ungranted)),
                refused=tuple(map(self._attempt, comparison.refused)),
                around=tuple(map(self._attempt, comparison.around)),
            ),
            requests=Exercised(uses=found.requests.uses, requests=found.requests.requests),
            shared=("a credential of its is shared: `tightener agents` says with whom",) if hidden else found.shared,
        )

    def _attempt(self, one: Attempt) -> Attempt:
        return replace(one, resource=self.value(one.service, one.resource), branch=self.value(one.service, one.branch))

    def reason(self, one: Suggestion, reason: str, people: Collection[str]) -> str:
        """Why a suggestion was left out. What the proof says quotes a request."""
        if one.id in people or _SAFE.fullmatch(reason) or self.said.quotes(one.rule.service, reason):
            return reason
        loses = _LOSES.match(reason)
        return f"{loses[0]}; `tightener suggest` names one" if loses else _LOOK

    def suggestion(self, one: Suggestion) -> Suggestion:
        """The same suggestion by name, with what it quotes as it goes out."""
        service, edit = one.rule.service, one.edit
        bodies = (*edit.parts, *edit.asks, Body((), edit.resources, edit.branches))
        own = {text for body in bodies for text in (*(body.resources or ()), *(body.branches or ()))}
        hidden = {text: shown for text in own if (shown := self.value(service, text)) != text}
        aligned = {*own, *_texts((one.rule,)), *one.rule.body.actions, *(a for body in bodies for a in body.actions)}
        return replace(
            one,
            title=_quoted(one.title, hidden, aligned, f"{one.kind.replace('_', ' ')}, of what is not shown"),
            why=_quoted(one.why, hidden, aligned, _LOOK),
            evidence={key: self._evidence(service, key, value) for key, value in one.evidence.items()},
            edit=replace(
                edit,
                resources=self._patterns(service, edit.resources),
                branches=self._patterns(service, edit.branches),
                parts=tuple(self._body(service, body) for body in edit.parts),
                asks=tuple(self._body(service, body) for body in edit.asks),
            ),
            name=one.id,
        )

    def open(self, one: Open) -> Open:
        """The same, with its witnesses as they go out."""
        shown = tuple(w._replace(value=self.value(one.rule.service, w.value)) for w in one.because.witnesses)
        return replace(one, because=replace(one.because, witnesses=shown))

    def _body(self, service: str, body: Body) -> Body:
        return replace(
            body,
            resources=self._patterns(service, body.resources),
            branches=self._patterns(service, body.branches),
        )

    def _patterns(self, service: str, patterns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if patterns is None else tuple(self.value(service, one) for one in patterns)

    def _evidence(self, service: str, key: str, said: object) -> object:
        if key in _NO_VALUES:
            return said
        if isinstance(said, str):
            return self.value(service, said)
        if isinstance(said, Mapping):
            return {name: self._evidence(service, str(name), value) for name, value in said.items()}
        if isinstance(said, (list, tuple)):
            return [self._evidence(service, key, value) for value in said]
        return said  # numbers and nothing


def _quoted(text: str, hidden: Mapping[str, str], aligned: Collection[str], otherwise: str) -> str:
    """A sentence whose quotations (wording.listing) are replaced, all in one pass from left to right.

    What it quotes besides (`aligned`) is passed over as a whole, so that no value can pose as the gap between two
    others. Where a hidden text is left even so, the sentence is not told. Shorter ones than four characters are in many
    a word of ours.
    """
    if not hidden:
        return text
    spans = sorted((f"`{one}`" for one in {*hidden, *aligned}), key=lambda span: (-len(span), span))
    made = re.sub("|".join(map(re.escape, spans)), lambda found: _span(found[0], hidden), text)
    return otherwise if any(len(one) > 3 and one in made for one in hidden) else made


def _span(span: str, hidden: Mapping[str, str]) -> str:
    inside = span[1:-1]
    return f"`{hidden[inside]}`" if inside in hidden else span
