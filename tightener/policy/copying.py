"""New agents as copies of one: written behind it, in its own words, with every other character of the file kept.

A copy comes from a text of the same file in which the agent says what the new one is to say (what an edit has left of
it). Whoever calls this reads the result again and compares (`PolicyFile.with_copies`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tightener.errors import PolicyError
from tightener.policy.edits import Pen, Splice, quoted, spliced
from tightener.policy.nodes import Node, compose

# What is said of the agent itself: who it is, since when it is granted what. A new agent is somebody else.
_OWN = ("description", "principals")
_ANCHOR = re.compile(r"&[^\s,\[\]{}]+")


def copied(text: str, path: str, agent: str, copies: Mapping[str, str]) -> str:
    """The text with new agents behind `agent`.

    In: new name -> a text of the same file whose `agent` the new one copies. Comments inside the agent come along; its
    description, its principals and its `x-...` keys, and anchors, do not. Raises PolicyError (`agent-behind-alias`)
    where the agent does not stand in the file itself.
    """
    pen = Pen(text)
    agents, key, value = _entry(text, path, agent)
    if agents.flow:
        inside = "".join(f", {_copy(one, path, agent, name)}" for name, one in copies.items())
        return spliced(text, [Splice(value.end, value.end, inside)], 0, len(text))
    end = pen.line_end(max(key.end, value.end))
    behind = text[end:].removeprefix(pen.newline)
    gap = pen.newline if behind != text[end:] and re.match(r"[ \t]*\r?\n", behind) else ""
    lines = "".join(f"{gap}{pen.newline}{_copy(one, path, agent, name)}" for name, one in copies.items())
    return spliced(text, [Splice(end, end, lines)], 0, len(text))


def _entry(text: str, path: str, agent: str) -> tuple[Node, Node, Node]:
    """The map of all agents, and the key and value of one."""
    root = compose(text, path)
    agents = next((value for key, value in root.pairs if key.real.text == "agents"), None) if root else None
    if agents is not None and agents.kind == "map":
        for key, value in agents.pairs:
            if key.kind == "scalar" and key.text == agent:
                return agents, key, value
    raise PolicyError(
        f"the agent {agent} does not stand in the file itself, but behind an alias or a merge key",
        slug="agent-behind-alias",
        hint="write it out under `agents:`",
        place=root.place if root else None,
    )


def _copy(text: str, path: str, agent: str, name: str) -> str:
    """The agent's entry under another name: whole lines without the last line break, or the inside of a flow map."""
    agents, key, value = _entry(text, path, agent)
    pen = Pen(text)
    shown = quoted(name, key.style)
    own: list[int] = []
    if value.kind == "map":
        own = [n for n, (k, _) in enumerate(value.pairs) if k.real.text in _OWN or k.real.text.startswith("x-")]
    lead = "" if agents.flow else text[pen.line_start(key.start) : key.start]
    if value.kind == "map" and len(own) == len(value.children) // 2:
        return f"{lead}{shown}: {{}}"
    pen.splices.append(Splice(key.start, key.end, shown))
    if own:
        pen.remove(value, own)
    gone = [(value.children[2 * n].start, value.children[2 * n + 1].end) for n in own]
    pen.splices += [s for s in _anchors(text, value) if not any(a <= s.start < b for a, b in gone)]
    start = key.start if agents.flow else pen.line_start(key.start)
    end = value.end if agents.flow else pen.line_end(max(key.end, value.end))
    return spliced(text, pen.splices, start, end)


def _anchors(text: str, of: Node) -> list[Splice]:
    """What takes the anchors out of a node: an alias in its copy means the original, which says the same."""
    found = []
    work = [of]
    while work:
        node = work.pop()
        work += node.children
        if node.anchor and (at := _ANCHOR.search(text, node.start, max(node.end, node.start + 1))):
            start, end = at.span()
            if text[end : end + 1] in ("", "\n", "\r"):
                start = len(text[:start].rstrip(" "))
            else:
                end += len(text[end:]) - len(text[end:].lstrip(" "))
            found.append(Splice(start, end))
    return found
