"""The smallest edit of a policy's text: splices at known places, every other character kept.

Whoever calls this reads the result again and compares (`PolicyFile.rewrite`), so a layout that is not foreseen here
ends in an error and never in a wrong policy.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tightener.model import Body
from tightener.policy.nodes import Node, reads_as_text

LISTS = ("actions", "resources", "branches")
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*")


@dataclass(frozen=True, slots=True)
class RuleSpot:
    """Where a rule stands: the agent's map, the key of its block, the block's list, and the rule's own map."""

    agent: Node
    key: Node
    sequence: Node
    rule: Node


@dataclass(frozen=True, slots=True)
class Splice:
    """A stretch of the text and what takes its place."""

    start: int
    end: int
    text: str = ""


def rewrite(
    text: str, spots: Mapping[tuple[str, int], RuleSpot], changes: Mapping[tuple[str, int], Sequence[Body]]
) -> str:
    """The text in which each rule of `changes` has become its bodies. No rule may share text with another."""
    pen = Pen(text)
    gone: dict[int, list[RuleSpot]] = {}
    for key, bodies in changes.items():
        spot = spots[key]
        if not bodies:
            gone.setdefault(id(spot.sequence), []).append(spot)
            continue
        inside = [pen.rule(spot.rule, body, copy=bool(number)) for number, body in enumerate(bodies)]
        pen.splices += inside[0]
        pen.copies(spot, inside[1:])
    keys: dict[int, list[RuleSpot]] = {}
    for removed in gone.values():
        spot = removed[0]
        items = spot.sequence.children
        if len(removed) == len(items):
            keys.setdefault(id(spot.agent), []).append(spot)
        else:
            rules = {id(one.rule) for one in removed}
            pen.remove(spot.sequence, [i for i, item in enumerate(items) if id(item) in rules])
    for blocks in keys.values():
        pen.remove_blocks(blocks)
    return spliced(text, pen.splices, 0, len(text))


class Pen:
    """Collects splices of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.splices: list[Splice] = []

    def rule(self, rule: Node, body: Body, *, copy: bool) -> list[Splice]:
        """The splices that give a rule this body; a copy also loses its id."""
        kept, self.splices = self.splices, []
        wanted = dict(zip(LISTS, (body.actions, body.resources, body.branches), strict=True))
        at = {key.text: number for number, (key, _) in enumerate(rule.pairs)}
        for name, items in wanted.items():
            if name in at and items is not None:
                self._list(rule.children[2 * at[name]], rule.children[2 * at[name] + 1], items)
        leaving = [at[name] for name in LISTS if name in at and wanted[name] is None]
        if copy and "id" in at:
            leaving.append(at["id"])
        self.remove(rule, sorted(leaving))
        behind = at["actions"]
        for name in LISTS[1:]:
            items = wanted[name]
            if items is not None and name not in at:
                self._add_key(rule, behind, name, items)
            elif items is not None:
                behind = at[name]
        made, self.splices = self.splices, kept
        return made

    def copies(self, spot: RuleSpot, made: Sequence[list[Splice]]) -> None:
        """Writes further copies of a rule right behind it."""
        rule = spot.rule
        for splices in made:
            if spot.sequence.flow:
                copy = spliced(self.text, splices, rule.start, rule.end)
                self.splices.append(Splice(rule.end, rule.end, f", {copy}"))
                continue
            start = self.dash(spot.sequence, spot.sequence.children.index(rule))
            copy = spliced(self.text, splices, start, rule.end)
            indent = self.text[self.line_start(start) : start]
            end = self.line_end(rule.end)
            self.splices.append(Splice(end, end, f"{self.newline}{indent}{copy}"))

    def remove_blocks(self, blocks: Sequence[RuleSpot]) -> None:
        """Removes whole blocks of one agent, each with its key; an agent without anything left is `{}`."""
        agent = blocks[0].agent
        keys = {id(spot.key) for spot in blocks}
        numbers = [number for number, (key, _) in enumerate(agent.pairs) if id(key) in keys]
        self.remove(agent, numbers)
        if len(numbers) == len(agent.children) // 2 and not agent.flow:
            colon = self._colon_before(agent.start)
            self.splices.append(Splice(colon, colon, " {}"))

    def remove(self, parent: Node, numbers: Sequence[int]) -> None:
        """Removes some items of a list, or keys of a map, each with the comments that are about it."""
        step = 2 if parent.kind == "map" else 1
        spans = [
            (parent.children[i].start, parent.children[i + step - 1].end) for i in range(0, len(parent.children), step)
        ]
        if parent.flow:
            for first, last in _runs(numbers):
                self._remove_flow_run(spans, first, last)
            return
        for number in numbers:
            self._remove_block_item(parent, spans, number)

    def _remove_block_item(self, parent: Node, spans: Sequence[tuple[int, int]], number: int) -> None:
        start, end = spans[number]
        if parent.kind == "seq":
            start = self.dash(parent, number)
        line = self.line_start(start)
        if self.text[line:start].strip():  # the first key, behind its rule's dash: the next key takes its place
            self.splices.append(Splice(start, spans[number + 1][0] if number + 1 < len(spans) else end))
            return
        # A comment above the first rule or pattern heads the whole list; above an agent's block it is about that block.
        if number or parent.kind == "map":
            line = self.comment_above(line, start - line)
        self._remove_lines(line, self.line_end(end))

    def _remove_flow_run(self, spans: Sequence[tuple[int, int]], first: int, last: int) -> None:
        start, end = spans[first][0], spans[last][1]
        if all(self._alone(*spans[number]) for number in range(first, last + 1)):
            for number in range(first, last + 1):
                line = self.line_start(spans[number][0])
                if number:
                    line = self.comment_above(line, spans[number][0] - line)
                self._remove_lines(line, self.line_end(spans[number][1]))
        elif last + 1 < len(spans):
            self.splices.append(Splice(start, spans[last + 1][0]))
        elif first and "\n" not in self.text[spans[first - 1][1] : start]:
            self.splices.append(Splice(spans[first - 1][1], end))
        else:
            self.splices.append(Splice(start, end))

    def _list(self, key: Node, value: Node, items: tuple[str, ...]) -> None:
        """Gives a list these items. Kept items keep their bytes, new ones are quoted like their siblings."""
        if value.kind == "scalar":
            if (value.text,) != items:
                written = [quoted(item, value.style) for item in items]
                shown = written[0] if len(written) == 1 else f"[{', '.join(written)}]"
                self.splices.append(Splice(value.start, value.end, shown))
            return
        old = [child.text for child in value.children]
        if tuple(old) == items:
            return
        style = style_of(value)
        if not items or not old:
            shown = f"[{', '.join(quoted(item, style) for item in items)}]"
            start = value.start if value.flow else self.text.index(":", key.end) + 1
            self.splices.append(Splice(start, value.end, shown if value.flow else f" {shown}"))
            return
        for kind, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, items, autojunk=False).get_opcodes():
            written = [quoted(item, style) for item in items[j1:j2]]
            if kind == "delete":
                self.remove(value, range(i1, i2))
            elif kind != "equal" and value.flow:
                self._flow_items(value, i1, i2, written)
            elif kind != "equal":
                self._block_items(value, i1, i2, written)

    def _flow_items(self, value: Node, first: int, stop: int, written: Sequence[str]) -> None:
        """Writes new items in place of those from `first` to before `stop`, or before `first` where these are none."""
        joined = ", ".join(written)
        if stop > first:
            self.splices.append(Splice(value.children[first].start, value.children[first].end, joined))
            self.remove(value, range(first + 1, stop))
        elif first:
            end = value.children[first - 1].end
            self.splices.append(Splice(end, end, f", {joined}"))
        else:
            start = value.children[0].start
            self.splices.append(Splice(start, start, f"{joined}, "))

    def _block_items(self, value: Node, first: int, stop: int, written: Sequence[str]) -> None:
        """The same for a block list: a line for each item."""
        near = min(first, len(value.children) - 1)
        dash = self.dash(value, near)
        line = self.line_start(dash)
        lead = self.text[line : value.children[near].start]
        if not re.fullmatch(r" *- +", lead):
            lead = f"{self.text[line:dash]}- "
        if stop > first:  # the first item that goes gives its line; what was said about it goes with it
            child = value.children[first]
            above = self.comment_above(line, dash - line) if first else line
            if above != line:
                self.splices.append(Splice(above, line))
            self.splices.append(Splice(child.start, self.line_end(child.end), f"{self.newline}{lead}".join(written)))
            self.remove(value, range(first + 1, stop))
        elif first:
            end = self.line_end(value.children[first - 1].end)
            self.splices.append(Splice(end, end, "".join(f"{self.newline}{lead}{item}" for item in written)))
        else:
            self.splices.append(Splice(line, line, "".join(f"{lead}{item}{self.newline}" for item in written)))

    def _add_key(self, rule: Node, behind: int, name: str, items: tuple[str, ...]) -> None:
        """Adds a list behind the key number `behind`, in the rule's own style and quotes."""
        lists = {key.text: value for key, value in rule.pairs if key.text in LISTS}
        model = lists["actions"]
        style = style_of(lists.get("resources") or lists.get("branches") or model)
        written = [quoted(item, style) for item in items]
        end = rule.children[2 * behind + 1].end
        if rule.flow:
            self.splices.append(Splice(end, end, f", {name}: [{', '.join(written)}]"))
            return
        shown = f" [{', '.join(written)}]"
        if model.kind == "seq" and not model.flow and items:
            dash = self.dash(model, 0)
            lead = f"{self.newline}{self.text[self.line_start(dash) : dash]}- "
            shown = "".join(f"{lead}{item}" for item in written)
        indent = " " * (rule.children[0].place.column - 1)
        end = self.line_end(end)
        self.splices.append(Splice(end, end, f"{self.newline}{indent}{name}:{shown}"))

    def _remove_lines(self, start: int, end: int) -> None:
        """Removes whole lines. The line break before them goes, so that the one behind them stays."""
        if start:
            start -= 2 if self.text.startswith("\r\n", start - 2) else 1
        self.splices.append(Splice(start, end))

    def dash(self, sequence: Node, number: int) -> int:
        """The offset of the dash of a block list's item."""
        if not number:
            return sequence.start
        start = sequence.children[number - 1].end
        between = self.text[start : sequence.children[number].start]
        *_, last = re.finditer(r"^ *(-)(?=\s)", between, re.MULTILINE)
        return start + last.start(1)

    def line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        return end - 1 if end > at and self.text[end - 1] == "\r" else end

    def _colon_before(self, at: int) -> int:
        """The offset behind the colon of the key whose block value starts at `at`: comments may stand between."""
        line = self.line_start(at)
        while line:
            line = self.line_start(line - 1)
            found = re.match(r"(?! *#).*?:(?=\s*(#|$))", self.text[line : self.line_end(line)])
            if found:
                return line + found.end()
        return at

    def comment_above(self, line: int, indent: int) -> int:
        """The start of the comment lines directly above a line that are indented as it is; else `line` itself."""
        while line:
            above = self.line_start(line - 1)
            written = self.text[above:line]
            if not written.lstrip(" ").startswith("#") or len(written) - len(written.lstrip(" ")) != indent:
                break
            line = above
        return line

    def _alone(self, start: int, end: int) -> bool:
        """Whether a flow item has its lines to itself: nothing before it, and at most a comma and a comment behind."""
        before = self.text[self.line_start(start) : start]
        behind = self.text[end : self.line_end(end)]
        return not before.strip() and re.fullmatch(r"\s*,?\s*(#.*)?", behind) is not None


def spliced(text: str, splices: Iterable[Splice], start: int, end: int) -> str:
    """The text between two offsets with the splices in it, cut to that range."""
    made: list[str] = []
    at = start
    for one in sorted(splices, key=lambda s: (s.start, s.end)):
        # What a copy gets behind its last line's comment moves to the cut: copies leave that comment out.
        made += [text[at : max(min(one.start, end), at)], one.text]
        at = max(at, min(one.end, end))
    return "".join([*made, text[at:end]])


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring numbers as (first, last)."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def style_of(value: Node) -> str:
    """The most frequent quoting in a list; ties go to the first, an empty list has double quotes."""
    styles = [child.style for child in value.children] if value.kind == "seq" else [value.style]
    return max(styles, key=styles.count) if styles else '"'


def quoted(text: str, style: str) -> str:
    """A scalar in this style, or in double quotes where the style cannot hold it."""
    if not style and _PLAIN.fullmatch(text) and reads_as_text(text):
        return text
    if not text.isprintable():
        return '"' + "".join(_escaped(char) for char in text) + '"'
    if style == "'":
        return "'" + text.replace("'", "''") + "'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08X}"
