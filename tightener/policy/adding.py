"""Rules that an edit adds: written behind the last rule of their block, or as a new block, every other character kept.

What moves whole takes its own text and comments along, what moves in part is written as its new neighbours are.
Whoever calls this reads the result again and compares, as for every edit (`PolicyFile.rewrite`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, time, timedelta

from tightener.errors import PolicyError
from tightener.model import Addition, AgentPolicy, Effect
from tightener.policy.edits import LISTS, Pen, RuleSpot, Splice, quoted, spliced, style_of
from tightener.policy.nodes import Node, compose

_KEPT = ("reason", "owner", "ticket", "expires")  # what a moved part says besides what it is about
_STEP = "  "  # how much deeper a new block's rules stand than its key


def add(
    text: str,
    agent: AgentPolicy,
    spots: Mapping[tuple[str, int], RuleSpot],
    additions: Sequence[Addition],
    whole: Collection[int],
) -> tuple[str, list[int]]:
    """The text with these rules added to one agent.

    In: `whole`, the indexes of source rules of which nothing stays where it was. Out: the new text, in which nothing
    is removed, and for each rule of it in document order the index that it had, or `-1 - n` for addition number n.
    Raises PolicyError (`rule-behind-alias`) where every block that could take a rule is shared with another.
    """
    if not agent.rules:
        return _first(text, agent, additions)
    pen = Pen(text)
    order = [rule.index for rule in agent.rules]
    has = {rule.effect for rule in agent.rules}
    # What is there grows first: a new block may come right behind it.
    for effect in sorted((Effect.ALLOW, Effect.REQUIRE_APPROVAL, Effect.DENY), key=lambda one: one not in has):
        numbers = [number for number, one in enumerate(additions) if one.effect is effect]
        if not numbers:
            continue
        sources = {source for n in numbers if (source := additions[n].source) is not None and source in whole}
        spot, exists = _home(agent, spots, effect, lines=any(_commented(pen, spots[agent.name, i]) for i in sources))
        writer = _Writer(pen, agent, spots, spot, whole, exists=exists)
        moved: set[int] = set()
        written = []
        for number in numbers:
            one = additions[number]
            first = one.source is not None and one.source in whole and one.source not in moved
            moved.update(() if one.source is None else (one.source,))
            written.append(writer.rule(one, whole=first))
        pen.splices += writer.block(effect, written)
        last = max(rule.index for rule in agent.rules if spots[agent.name, rule.index].sequence is spot.sequence)
        at = max(place for place, index in enumerate(order) if index == last) + 1
        while at < len(order) and order[at] < 0:  # behind what another new block has put there
            at += 1
        order[at:at] = [-1 - number for number in numbers]
    return spliced(text, pen.splices, 0, len(text)), order


def _first(text: str, agent: AgentPolicy, additions: Sequence[Addition]) -> tuple[str, list[int]]:
    """The same for an agent without any rule: nothing behind its name, `{}`, or other keys only."""
    pen = Pen(text)
    key, value, parent = _entry(text, agent)
    groups = {
        effect: [number for number, one in enumerate(additions) if one.effect is effect]
        for effect in Effect
        if any(one.effect is effect for one in additions)
    }
    order = [-1 - number for numbers in groups.values() for number in numbers]
    written = {effect.value: [_flow(additions[number]) for number in numbers] for effect, numbers in groups.items()}
    empty = value.is_null or not value.children
    if parent.flow or (value.flow and not empty):
        inside = ", ".join(f"{name}: [{', '.join(rules)}]" for name, rules in written.items())
        if empty:
            pen.splices.append(Splice(value.start, value.end, f"{'' if value.end > key.end + 1 else ' '}{{{inside}}}"))
        else:
            pen.splices.append(Splice(value.children[-1].end, value.children[-1].end, f", {inside}"))
        return spliced(text, pen.splices, 0, len(text)), order
    lead = " " * ((key.place.column - 1 + len(_STEP)) if empty else (value.children[0].place.column - 1))
    lines = [
        line
        for name, rules in written.items()
        for line in (f"{lead}{name}:", *(f"{lead}{_STEP}- {rule}" for rule in rules))
    ]
    if empty:
        pen.splices.append(Splice(value.start, value.end))
    end = pen.line_end(value.end)
    pen.splices.append(Splice(end, end, "".join(f"{pen.newline}{line}" for line in lines)))
    return spliced(text, pen.splices, 0, len(text)), order


def _entry(text: str, agent: AgentPolicy) -> tuple[Node, Node, Node]:
    """An agent's name and what stands behind it, and the map of agents. Raises PolicyError (`rule-behind-alias`)."""
    root = compose(text, agent.place.path)
    for top, agents in root.pairs if root else ():
        if top.real.text != "agents" or agents.real.kind != "map" or agents.target or agents.shared:
            continue
        for key, value in agents.pairs:
            if key.place == agent.place and not (value.target or value.shared):
                return key, value, agents
    raise PolicyError(
        f"the agent {agent.name} shares its text with an anchor, so no rule can be added",
        slug="rule-behind-alias",
        hint="write the agent out, by hand",
        place=agent.place,
    )


def _flow(one: Addition) -> str:
    """A rule as a flow map, where no neighbour shows how rules are written here."""
    lists = zip(LISTS, (one.body.actions, one.body.resources, one.body.branches), strict=True)
    parts = [f"service: {quoted(one.service, '')}"]
    parts += [f"{name}: [{', '.join(quoted(i, '') for i in items)}]" for name, items in lists if items is not None]
    parts += [f"{name}: {quoted(text, '')}" for name, text in one.notes.items()]
    parts += [f"expires: {_written(one.expires)}"] if one.expires is not None else []
    parts += [f"ttl: {one.ttl}"] if one.ttl is not None else []
    return f"{{{', '.join(parts)}}}"


def _home(
    agent: AgentPolicy, spots: Mapping[tuple[str, int], RuleSpot], effect: Effect, *, lines: bool
) -> tuple[RuleSpot, bool]:
    """The last rule of the block that takes the additions, and whether it is a block of that effect.

    Without one, a new block comes behind this rule's: behind the last allow for approvals, behind everything for
    denies. `lines` asks for a block that has lines of its own, for comments.
    """
    free = [rule for rule in agent.rules if rule.alias_of is None]
    own = [spots[agent.name, rule.index] for rule in free if rule.effect is effect]
    own = [spot for spot in own if not (lines and spot.sequence.flow and not spot.agent.flow)]
    if own:
        return own[-1], True
    near = [rule for rule in free if rule.effect is Effect.ALLOW or effect is Effect.DENY] or free
    if not near:
        raise PolicyError(
            f"every block of {agent.name} shares its text with an anchor, so no rule can be added",
            slug="rule-behind-alias",
            hint="write the rules out, or change them where they are anchored, by hand",
            place=agent.place,
        )
    return spots[agent.name, near[-1].index], False


def _commented(pen: Pen, spot: RuleSpot) -> bool:
    """Whether comments stand in or at a rule's own lines."""
    line = pen.line_start(spot.rule.start)
    above = pen.comment_above(line, spot.rule.place.column - 1 - 2)
    return not spot.sequence.flow and "#" in pen.text[above : pen.line_end(spot.rule.end)]


class _Writer:
    """Writes rules for one place of the text."""

    def __init__(
        self,
        pen: Pen,
        agent: AgentPolicy,
        spots: Mapping[tuple[str, int], RuleSpot],
        spot: RuleSpot,
        whole: Collection[int],
        *,
        exists: bool,
    ) -> None:
        self._whole = whole
        self._pen, self._agent, self._spots, self._spot, self._exists = pen, agent, spots, spot, exists
        # Inside a flow list there is no room for lines; a new block under an agent in block style has them.
        self._flow = spot.sequence.flow if exists else spot.agent.flow
        sequence = spot.sequence
        if not sequence.flow and not self._flow:
            dash = pen.dash(sequence, 0)
            self._indent = dash - pen.line_start(dash)
        else:
            self._indent = spot.key.place.column - 1 + len(_STEP)

    def block(self, effect: Effect, written: Sequence[str]) -> list[Splice]:
        """The splice that puts the written rules where they belong."""
        end = self._spot.sequence.end
        newline = self._pen.newline
        if self._flow:
            inside = ", ".join(written)
            return [
                Splice(self._spot.sequence.children[-1].end, self._spot.sequence.children[-1].end, f", {inside}")
                if self._exists
                else Splice(end, end, f", {effect.value}: [{inside}]")
            ]
        end = self._pen.line_end(end)
        lines = "".join(f"{newline}{rule}" for rule in written)
        if self._exists:
            return [Splice(end, end, lines)]
        key = " " * (self._spot.key.place.column - 1)
        return [Splice(end, end, f"{newline}{key}{effect.value}:{lines}")]

    def rule(self, one: Addition, *, whole: bool) -> str:
        """One rule as text: in lines from its indentation on, or as a flow map."""
        source = None if one.source is None else self._spots[self._agent.name, one.source]
        if whole and source is not None and (source.rule.flow or not self._flow):
            return self._moved(one, source)
        return self._anew(one, source)

    def _moved(self, one: Addition, source: RuleSpot) -> str:
        """The source's own text with its comments, shifted to where it goes."""
        pen, rule = self._pen, source.rule
        splices = pen.rule(rule, one.body, copy=False)
        if one.ttl is not None:
            splices.append(self._ttl(rule, one.ttl))
        if self._flow:
            return spliced(pen.text, splices, rule.start, rule.end)
        lead = " " * self._indent
        if source.sequence.flow:
            return f"{lead}- {spliced(pen.text, splices, rule.start, rule.end)}"
        number = source.sequence.children.index(rule)
        dash = pen.dash(source.sequence, number)
        line = pen.line_start(dash)
        above = []
        if not number and self._emptied(source):  # what is said above the key would go with the block
            key = pen.line_start(source.key.start)
            above.append((pen.comment_above(key, source.key.start - key), key))
        if number or self._emptied(source):
            above.append((pen.comment_above(line, dash - line), line))
        comments = [one.strip() for start, end in above for one in pen.text[start:end].splitlines()]
        copy = spliced(pen.text, splices, dash, pen.line_end(rule.end))
        shifted = _shifted(copy, self._indent - (dash - line))
        return pen.newline.join([*(f"{lead}{comment}" for comment in comments), f"{lead}{shifted}"])

    def _emptied(self, source: RuleSpot) -> bool:
        """Whether every rule of its block goes."""
        return all(i in self._whole for (_, i), spot in self._spots.items() if spot.sequence is source.sequence)

    def _anew(self, one: Addition, source: RuleSpot | None) -> str:
        """The rule written out, as its new neighbour (or, in a new block, its source) is written."""
        model = self._spot.rule if self._exists or source is None else source.rule
        lists = {key.text: value for key, value in model.pairs if key.text in LISTS}
        fields = [
            (name, [quoted(item, style_of(lists.get(name) or lists["actions"])) for item in items])
            for name, items in zip(LISTS, (one.body.actions, one.body.resources, one.body.branches), strict=True)
            if items is not None
        ]
        values = {key.text: value for key, value in source.rule.pairs} if source else {}
        plain = [(name, _raw(self._pen.text, values[name])) for name in _KEPT if name in values]
        plain += [(name, quoted(text, '"')) for name, text in one.notes.items()]
        plain += [("expires", _written(one.expires))] if one.expires is not None else []
        plain += [("ttl", one.ttl)] if one.ttl is not None else []
        service = f"service: {quoted(one.service, '')}"
        lead = " " * self._indent
        if self._flow or model.flow:
            shown = [f"{name}: [{', '.join(items)}]" for name, items in fields]
            text = ", ".join([service, *shown, *(f"{name}: {value}" for name, value in plain)])
            return f"{{{text}}}" if self._flow else f"{lead}- {{{text}}}"
        lines = [service]
        actions = lists["actions"]
        for name, items in fields:
            if actions.kind == "seq" and not actions.flow and items:
                deeper = " " * (actions.place.column - model.children[0].place.column)
                lines += [f"{name}:", *(f"{deeper}- {item}" for item in items)]
            else:
                lines.append(f"{name}: [{', '.join(items)}]")
        lines += [f"{name}: {value}" for name, value in plain]
        return self._pen.newline.join([f"{lead}- {lines[0]}", *(f"{lead}  {line}" for line in lines[1:])])

    def _ttl(self, rule: Node, ttl: str) -> Splice:
        end = rule.children[-1].end
        if rule.flow:
            return Splice(end, end, f", ttl: {ttl}")
        end = self._pen.line_end(end)
        return Splice(end, end, f"{self._pen.newline}{' ' * (rule.children[0].place.column - 1)}ttl: {ttl}")


def _raw(text: str, value: Node) -> str:
    """A scalar as it stands in the text, on one line."""
    raw = text[value.start : value.end]
    return raw if "\n" not in raw and value.style not in {"|", ">"} else quoted(value.text, '"')


def _written(expires: datetime) -> str:
    """As a day where it is the end of one (as the reader takes it), else as a moment."""
    if expires.time() == time():
        return (expires - timedelta(days=1)).date().isoformat()
    return expires.isoformat().replace("+00:00", "Z")


def _shifted(text: str, by: int) -> str:
    """Every line but the first one moved by so many columns."""
    if by >= 0:
        return re.sub(r"\n(?=[^\r\n])", "\n" + " " * by, text)
    return re.sub(rf"\n {{1,{-by}}}", "\n", text)
