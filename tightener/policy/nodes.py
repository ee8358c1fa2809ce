"""YAML as a tree with places: every key as often as it stands there, aliases as nodes of their own.

A plain load keeps only the last of several equal keys and forgets where things stand. This tree is built from the
parser's events, without recursion, so a file that is nested too deeply or grows without end is refused, not suffered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from tightener.errors import Place, PolicyError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()
_TAG = "tag:yaml.org,2002:"
MAX_DEPTH = 64
MAX_GROWTH = 100_000  # nodes that aliases may add; a policy written by people adds a few dozen


@dataclass(slots=True, eq=False)
class Node:
    """One node. `kind` is scalar, seq, map or alias; a map's children are key, value, key, value, ..."""

    kind: str
    place: Place
    start: int  # offset of the first character, an anchor or tag included
    end: int  # offset after the last one; comments behind it are outside
    tag: str = ""
    text: str = ""
    style: str = ""  # of a scalar: "" plain, else its first character
    flow: bool = False
    anchor: str = ""
    shared: bool = False  # some alias points here
    target: Node | None = None  # of an alias
    children: list[Node] = field(default_factory=list)

    @property
    def real(self) -> Node:
        """The node itself, or what the alias stands for."""
        return self.target or self

    @property
    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """The keys and values of a map."""
        return zip(self.children[::2], self.children[1::2], strict=True)

    @property
    def is_string(self) -> bool:
        """Whether YAML reads the scalar as text (`=` has a tag of its own that nobody means)."""
        return self.kind == "scalar" and self.tag in (f"{_TAG}str", f"{_TAG}value")

    @property
    def is_null(self) -> bool:
        """Whether the scalar is null: nothing, `~` or `null`."""
        return self.kind == "scalar" and self.tag == f"{_TAG}null"

    @property
    def is_merge(self) -> bool:
        """Whether the scalar is the merge key `<<`."""
        return self.kind == "scalar" and self.tag == f"{_TAG}merge"


def compose(text: str, path: str) -> Node | None:
    """The tree of the one document in `text`, or None where there is none.

    Raises PolicyError (`yaml-syntax`, `yaml-too-deep`, `yaml-alias-bomb`) with the line.
    """
    bom = text.startswith("\ufeff")
    try:
        root, known, anchored = _build(text[1:] if bom else text, path, int(bom))
    except yaml.YAMLError as error:
        raise _syntax(error, text, path) from error
    if root is not None and anchored:
        _refuse_bombs(root, known)
    return root


def _build(text: str, path: str, shift: int) -> tuple[Node | None, int, bool]:
    """The root, the number of nodes, and whether any has an anchor: without one nothing can grow."""
    root: Node | None = None
    stack: list[Node] = []
    anchors: dict[str, Node] = {}
    known = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            _refuse_second(documents, event, path)
        elif isinstance(event, yaml.CollectionEndEvent):
            node = stack.pop()
            node.end = _end(node, event, shift)
        elif isinstance(event, yaml.NodeEvent):
            node = _node(event, text, path, shift, anchors)
            known += 1
            if stack:
                stack[-1].children.append(node)
            else:
                root = node
            if node.kind in {"seq", "map"}:
                stack.append(node)
                if len(stack) > MAX_DEPTH:
                    raise _too_deep(node.place)
    return root, known, bool(anchors)


def _end(node: Node, event: yaml.Event, shift: int) -> int:
    """A block has no closing mark: it ends where its last child ends, not where the next thing starts."""
    if node.children and not node.flow:
        return node.children[-1].end
    return event.end_mark.index + shift if event.end_mark else node.end


def _refuse_second(documents: int, event: yaml.Event, path: str) -> None:
    if documents > 1:
        raise PolicyError(
            "a policy file holds one YAML document, here is a second",
            slug="yaml-syntax",
            hint="put it into a file of its own",
            place=Place(path, event.start_mark.line + 1 if event.start_mark else 0),
        )


def _node(event: yaml.NodeEvent, text: str, path: str, shift: int, anchors: dict[str, Node]) -> Node:
    mark, end = event.start_mark, event.end_mark
    if mark is None or end is None:  # the parser's events all have marks; only the types do not say so
        raise ValueError("an event without a place")
    node = Node("scalar", Place(path, mark.line + 1, mark.column + 1), mark.index + shift, end.index + shift)
    if isinstance(event, yaml.AliasEvent):
        node.kind = "alias"
        node.target = anchors.get(event.anchor or "")
        if node.target is None:
            raise PolicyError(
                f"*{event.anchor} is an alias, and no anchor before it has that name",
                slug="yaml-syntax",
                hint='a pattern that begins with * must be quoted: "*"',
                place=node.place,
            )
        node.target.shared = True
        return node
    node.anchor = event.anchor or ""
    if isinstance(event, yaml.ScalarEvent):
        node.text, node.style = event.value, event.style or ""
        node.tag = event.tag or _resolved(event.value, event.implicit)
        if node.style in {"|", ">"}:
            node.end = shift + len(text[: node.end - shift].rstrip())
    elif isinstance(event, yaml.CollectionStartEvent):
        node.kind = "seq" if isinstance(event, yaml.SequenceStartEvent) else "map"
        node.flow = bool(event.flow_style)
        node.tag = event.tag or ""
    if node.anchor:
        anchors[node.anchor] = node
    return node


def reads_as_text(text: str) -> bool:
    """Whether YAML reads this plain scalar as text (not as a number, a date, a boolean, null)."""
    return _resolved(text, (True, False)) == f"{_TAG}str"


def _resolved(text: str, implicit: tuple[bool, bool]) -> str:
    return str(_RESOLVER.resolve(yaml.ScalarNode, text, implicit))  # type: ignore[no-untyped-call]


def _refuse_bombs(root: Node, known: int) -> None:
    """Counts the nodes with every alias written out, and refuses a file in which they explode or never end."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    work: list[tuple[Node, bool]] = [(root, False)]
    while work:
        node, done = work.pop()
        if done:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child.real)] for child in node.children)
            if sizes[id(node)] > known + MAX_GROWTH:
                raise PolicyError("the aliases expand to far too much", slug="yaml-alias-bomb", place=node.place)
        elif id(node) in open_nodes:
            raise PolicyError("an anchor contains an alias to itself", slug="yaml-alias-bomb", place=node.place)
        elif id(node) not in sizes:
            open_nodes.add(id(node))
            work.append((node, True))
            work.extend((child.real, False) for child in node.children)


def _syntax(error: yaml.YAMLError, text: str, path: str) -> PolicyError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).partition("\n")[0]
    line = mark.line + 1 if mark else 1
    if "maximum nesting depth" in problem:  # libyaml has a limit of its own, and meets it while it reads ahead
        return _too_deep(Place(path, line))
    lines = text.split("\n")
    written = lines[line - 1] if line <= len(lines) else ""
    hint = "check the indentation and the quotes around this line"
    if "\t" in written[: len(written) - len(written.lstrip())]:
        hint = "YAML allows no tabs in the indentation: use spaces"
    elif "*" in written:
        hint = 'a pattern that begins with * must be quoted: "*"'
    return PolicyError(
        f"not valid YAML: {problem}",
        slug="yaml-syntax",
        hint=hint,
        place=Place(path, line, mark.column + 1 if mark else 0),
    )


def _too_deep(place: Place) -> PolicyError:
    return PolicyError(f"nested more than {MAX_DEPTH} levels deep", slug="yaml-too-deep", place=place)
