"""The grammar of a policy file: nodes of the YAML graph -> agents and rules, or an error that says where and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import yaml

from tightener.errors import Place, PolicyError
from tightener.model import AgentPolicy, Body, Effect, Rule

BLOCKS = {effect.value: effect for effect in Effect}
SINCE = "x-granted-since"
_AGENT_KEYS = (*BLOCKS, "description", "owner", "principals")
_RULE_KEYS = ("service", "actions", "resources", "branches", "reason", "owner", "ticket", "id", "expires", "ttl")
_TOP_KEYS = ("project", "agents")
_TEXTS = ("reason", "owner", "ticket", "id")
_TTL = re.compile(r"[1-9][0-9]*[smhd]")
_TAG = "tag:yaml.org,2002:"
MOST_NODES = 200_000  # every alias counted as what it stands for: beyond this it is an alias bomb and no policy

Pair = tuple[yaml.Node, yaml.Node]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something legal that is worth a look: a warning."""

    place: Place
    message: str
    slug: str


@dataclass(frozen=True, slots=True)
class RuleNodes:
    """Where one rule stands in the node graph: what the editor needs."""

    agent: Pair
    block: Pair
    item: yaml.MappingNode
    items: int  # rules in the block


def read(
    text: str, path: str
) -> tuple[dict[str, AgentPolicy], dict[tuple[str, int], RuleNodes], tuple[Notice, ...]]:
    """The agents, where each rule stands, and warnings. Raises PolicyError."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise PolicyError(f"not valid YAML: {problem}", slug="policy-syntax", place=place) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyError(f"not valid YAML: {error}", slug="policy-syntax", place=Place(path)) from error
    reader = _Reader(path)
    if root is None:
        raise reader.error("the policy is empty", None, slug="policy-empty", hint="it needs an `agents:` mapping")
    reader.measure(root)
    return reader.root(root)


class _Reader:
    def __init__(self, path: str) -> None:
        self._path = path
        self._warnings: list[Notice] = []
        self._nodes: dict[tuple[str, int], RuleNodes] = {}
        self._parents: dict[int, int] = {}  # id(node) -> how often it is referred to

    def place(self, node: yaml.Node | None) -> Place:
        """Where a node stands."""
        if node is None:
            return Place(self._path, 1, 1)
        return Place(self._path, node.start_mark.line + 1, node.start_mark.column + 1)

    def error(self, message: str, node: yaml.Node | None, *, slug: str = "policy-invalid", hint: str = "") -> PolicyError:
        return PolicyError(message, slug=slug, hint=hint, place=self.place(node))

    def warn(self, message: str, node: yaml.Node, slug: str) -> None:
        self._warnings.append(Notice(self.place(node), message, slug))

    def measure(self, root: yaml.Node) -> None:
        """Counts references, and refuses graphs that are endless or explode when aliases are followed."""
        sizes: dict[int, int] = {}
        open_: set[int] = set()

        def size(node: yaml.Node) -> int:
            self._parents[id(node)] = self._parents.get(id(node), 0) + 1
            if id(node) in open_:
                raise self.error("an alias inside its own anchor", node, slug="policy-alias-bomb")
            if id(node) not in sizes:
                open_.add(id(node))
                sizes[id(node)] = 1 + sum(map(size, _children(node)))
                open_.discard(id(node))
            if sizes[id(node)] > MOST_NODES:
                raise self.error(
                    f"more than {MOST_NODES:,} nodes when aliases are followed",
                    node,
                    slug="policy-alias-bomb",
                    hint="write the rules out",
                )
            return sizes[id(node)]

        try:
            size(root)
        except RecursionError:
            raise self.error("nested too deeply", root, slug="policy-alias-bomb") from None

    def root(
        self, root: yaml.Node
    ) -> tuple[dict[str, AgentPolicy], dict[tuple[str, int], RuleNodes], tuple[Notice, ...]]:
        pairs = self._mapping(root, "a policy")
        self._no_repeats(pairs)
        for key, _ in pairs:
            if self._text(key) not in _TOP_KEYS:
                self.warn(f"unknown key `{self._text(key)}` is kept and ignored", key, "unknown-top-key")
        agents_node = next((value for key, value in pairs if self._text(key) == "agents"), None)
        if agents_node is None:
            raise self.error("there is no `agents:` mapping", root, hint="agents: {name: {allow: [...]}}")
        if _is_null(agents_node):
            self.warn("no agents are defined", agents_node, "no-agents")
            return {}, {}, tuple(self._warnings)
        agent_pairs = self._mapping(agents_node, "`agents`")
        self._no_repeats(agent_pairs)
        agents = {name: self._agent(name, pair) for pair in agent_pairs for name in (self._text(pair[0]),)}
        return agents, self._nodes, tuple(self._warnings)

    def _agent(self, name: str, pair: Pair) -> AgentPolicy:
        key, node = pair
        if not name:
            raise self.error("an agent's name must not be empty", key)
        if _is_null(node):
            self.warn(f"{name} has no rules", key, "empty-agent")
            return AgentPolicy(name, self.place(key), ())
        own = self._mapping(node, f"the agent {name}")
        merged = list(self._merged(own, f"the agent {name}"))
        blocks = {self._text(k) for k, _ in own if self._text(k) in BLOCKS}
        for _, base in merged:
            clash = next((k for k, _ in base if self._text(k) in blocks), None)
            if clash is not None:
                raise self.error(
                    f"the merge key brings `{self._text(clash)}`, which {name} has itself: one of them would be lost",
                    key,
                    hint="write the rules out under the agent",
                )
        plain = [(k, v) for k, v in own if not _is_merge(k)]
        self._no_repeats([(k, v) for k, v in plain if self._text(k) not in BLOCKS])
        present = {self._text(k) for k, _ in plain}
        inherited = []
        for anchor, base in merged:  # the first base that has a key wins, as YAML merges
            fresh = [(anchor, k, v) for k, v in base if self._text(k) not in present]
            inherited += fresh
            present |= {self._text(k) for _, k, _ in fresh}
        rules: list[Rule] = []
        since: date | None = None
        shared_agent = self.place(node) if self._parents[id(node)] > 1 else None
        for anchor_place, k, v in [*((shared_agent, k, v) for k, v in plain), *((self.place(a), k, v) for a, k, v in inherited)]:
            word = self._text(k)
            if word in BLOCKS:
                rules += self._block(name, len(rules), (k, v), pair, anchor_place)
            elif word == SINCE:
                since = self._date(v, SINCE)
            elif word not in _AGENT_KEYS and not word.startswith("x-"):
                raise self._unknown(k, word, _AGENT_KEYS, f"under the agent {name}")
        return AgentPolicy(name, self.place(key), tuple(rules), since)

    def _merged(self, pairs: list[Pair], where: str) -> Iterator[tuple[yaml.Node, list[Pair]]]:
        for key, value in pairs:
            if not _is_merge(key):
                continue
            bases = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for base in bases:
                found = self._mapping(base, f"what a merge key of {where} brings")
                yield base, [(k, v) for k, v in found if not _is_merge(k)]
                for _, deeper in self._merged(found, where):
                    yield base, deeper

    def _block(self, agent: str, start: int, block: Pair, agent_pair: Pair, shared: Place | None) -> list[Rule]:
        key, node = block
        word = self._text(key)
        if _is_null(node):
            self.warn(f"`{word}` holds no rules", key, "empty-block")
            return []
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if isinstance(node, yaml.ScalarNode):
            raise self.error(f"`{word}` must be a list of rules", node, hint="- service: git")
        if not items:
            self.warn(f"`{word}` holds no rules", key, "empty-block")
        if shared is None and self._parents[id(node)] > 1:
            shared = self.place(node)
        rules = []
        for offset, item in enumerate(items):
            rules.append(self._rule(agent, start + offset, BLOCKS[word], item, shared))
            self._nodes[agent, start + offset] = RuleNodes(agent_pair, block, item, len(items))
        return rules

    def _rule(self, agent: str, index: int, effect: Effect, node: yaml.Node, shared: Place | None) -> Rule:
        own = self._mapping(node, "a rule")
        fields: dict[str, Pair] = {}
        plain = [(k, v) for k, v in own if not _is_merge(k)]
        self._no_repeats(plain)
        for k, v in plain:
            fields[self._text(k)] = (k, v)
        for anchor, base in self._merged(own, "a rule"):
            shared = shared or self.place(anchor)
            for k, v in base:
                fields.setdefault(self._text(k), (k, v))
        for word, (k, _) in fields.items():
            if word not in _RULE_KEYS:
                raise self._unknown(k, word, _RULE_KEYS, "in a rule")
        if self._parents[id(node)] > 1:
            shared = shared or self.place(node)
        for _, v in fields.values():
            for deep in (v, *_children(v)):
                if self._parents[id(deep)] > 1:
                    shared = shared or self.place(deep)
        for needed in ("service", "actions"):
            if needed not in fields:
                raise self.error(f"this rule has no `{needed}`", node, hint="a rule needs service and actions")
        service = self._service(fields["service"][1], effect)
        actions_node = fields["actions"][1]
        actions = self._strings(actions_node, "actions")
        resources, branches = (
            self._strings(fields[w][1], w) if w in fields else None for w in ("resources", "branches")
        )
        for word, values in (("actions", actions), ("resources", resources), ("branches", branches)):
            if values == ():
                self.warn(f"`{word}: []` matches nothing: this rule is dead", fields[word][0], "dead-rule")
        return Rule(
            agent=agent,
            index=index,
            effect=effect,
            service=service,
            body=Body(actions, resources, branches),
            place=self.place(node),
            action_places=tuple(map(self.place, _items(actions_node))),
            expires=self._expires(fields.get("expires"), effect),
            ttl=self._ttl(fields.get("ttl"), effect),
            extras={w: self._scalar(fields[w][1], w) for w in _TEXTS if w in fields},
            alias_of=shared,
        )

    def _service(self, node: yaml.Node, effect: Effect) -> str:
        service = self._string(node, "service")
        if service == "*" and effect is not Effect.DENY:
            raise self.error('`service: "*"` is legal in `deny` only', node, hint="name the services")
        if service != service.lower():
            raise self.error(f"services are written in lower case: {service}", node, hint=f"did you mean `{service.lower()}`?")
        if not service:
            raise self.error("`service` must not be empty", node)
        return service

    def _strings(self, node: yaml.Node, word: str) -> tuple[str, ...]:
        if _is_null(node):
            raise self.error(
                f"`{word}` must not be null", node, hint=f"leave `{word}` out for any, or write [] for none"
            )
        return tuple(self._string(item, word) for item in _items(node))

    def _string(self, node: yaml.Node, word: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(f"`{word}` holds text, not a {node.id}", node)
        if node.tag != f"{_TAG}str":
            kind = node.tag.removeprefix(_TAG)
            raise self.error(f"`{word}` holds text, and {node.value or 'nothing'} is a {kind}", node, hint=f'write "{node.value}"')
        return str(node.value)

    def _scalar(self, node: yaml.Node, word: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(f"`{word}` must be text", node)
        return str(node.value)

    def _expires(self, pair: Pair | None, effect: Effect) -> datetime | None:
        if pair is None:
            return None
        if effect is Effect.DENY:
            raise self.error("a deny does not expire", pair[0], hint="remove the rule on that day, under review")
        text = self._scalar(pair[1], "expires")
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", text):  # the end of that day, 24:00 UTC
                return datetime.combine(date.fromisoformat(text) + timedelta(days=1), datetime.min.time(), UTC)
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise self.error(f"`expires` is no date and no time with a zone: {text}", pair[1], hint="2027-01-31, or 2027-01-31T12:00:00Z")
        return moment.astimezone(UTC)

    def _ttl(self, pair: Pair | None, effect: Effect) -> str | None:
        if pair is None:
            return None
        text = self._scalar(pair[1], "ttl")
        if effect is not Effect.REQUIRE_APPROVAL:
            raise self.error("`ttl` says how long an approval holds: it belongs to require_approval", pair[0])
        if not _TTL.fullmatch(text):
            raise self.error(f"`ttl` is no duration: {text}", pair[1], hint="30m, 1h")
        return text

    def _date(self, node: yaml.Node, word: str) -> date:
        try:
            return date.fromisoformat(self._scalar(node, word))
        except ValueError:
            raise self.error(f"`{word}` must be a date", node, hint="2026-02-01") from None

    def _mapping(self, node: yaml.Node, what: str) -> list[Pair]:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(f"{what} must be a mapping, not a {node.id}", node)
        return list(node.value)

    def _text(self, key: yaml.Node) -> str:
        if not isinstance(key, yaml.ScalarNode):
            raise self.error("a key must be text", key)
        return str(key.value)

    def _no_repeats(self, pairs: list[Pair]) -> None:
        seen: dict[str, yaml.Node] = {}
        for key, _ in pairs:
            word = self._text(key)
            if word in seen and not _is_merge(key):
                raise self.error(
                    f"`{word}` stands twice, first on line {seen[word].start_mark.line + 1}: YAML would keep only one",
                    key,
                    slug="policy-repeated-key",
                )
            seen[word] = key

    def _unknown(self, key: yaml.Node, word: str, known: tuple[str, ...], where: str) -> PolicyError:
        near = difflib.get_close_matches(word, known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
        return self.error(f"unknown key `{word}` {where}", key, slug="policy-unknown-key", hint=hint)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _items(node: yaml.Node) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}null"


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.tag == f"{_TAG}merge"
