"""From a tree of YAML nodes to rules: section 1 of docs/policy-semantics.md, key by key."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from tightener.errors import Place, PolicyError
from tightener.model import AgentPolicy, Aliases, Body, Effect, Rule
from tightener.policy.edits import RuleSpot
from tightener.policy.nodes import Node, compose

BLOCKS = tuple(effect.value for effect in Effect)
_AGENT_KEYS = (*BLOCKS, "description", "owner", "principals")
_NOTES = ("reason", "owner", "ticket", "id")
_RULE_KEYS = ("service", "actions", "resources", "branches", *_NOTES, "expires", "ttl")
_TOP_KEYS = ("project", "agents", "version", "description")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_TTL = re.compile(r"[1-9]\d{0,5}[mh]")


@dataclass(frozen=True, slots=True)
class PolicyWarning:
    """Something legal that is probably not meant."""

    place: Place
    message: str
    slug: str


@dataclass(slots=True)
class Found:
    """What a file holds."""

    agents: dict[str, AgentPolicy] = field(default_factory=dict)
    warnings: tuple[PolicyWarning, ...] = ()
    spots: dict[tuple[str, int], RuleSpot] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Member:
    """One key of a map, with the place of the merged map that it came from (None: it stands here)."""

    key: Node
    value: Node
    merged: Place | None = None

    @property
    def name(self) -> str:
        return self.key.real.text


def read(text: str, path: str, aliases: Aliases) -> Found:
    """Read a policy file's text. Raises PolicyError with place, slug and hint for everything that is not a policy.

    `aliases` are the configuration's action aliases, which every rule carries with it.
    """
    root = compose(text, path)
    if root is None or root.kind != "map":
        place = root.place if root else Place(path)
        raise PolicyError(
            "a policy file is a map with the key agents",
            slug="not-a-policy",
            hint="begin it with `agents:`",
            place=place,
        )
    return _Reader(aliases).file(root)


class _Reader:
    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._warnings: list[PolicyWarning] = []
        self._found = Found()

    def file(self, root: Node) -> Found:
        _refuse_repeats(root, _agent_maps(root))
        agents: _Member | None = None
        for member in _members(root):
            if member.name == "agents":
                agents = member
            elif member.name not in _TOP_KEYS and not member.name.startswith("x-"):
                self._warn(
                    member.key, f"the key {member.name} is not known here{_like(member.name, _TOP_KEYS)}", "unknown-key"
                )
        if agents is None:
            hint = _like(" ".join(m.name for m in _members(root)), ["agents"]).lstrip(" ;")
            raise PolicyError("there is no key agents", slug="not-a-policy", hint=hint, place=root.place)
        if agents.value.real.is_null:
            self._warn(agents.key, "no agent is defined", "empty-block")
        else:
            for member in _members(_map(agents.value, "agents")):
                self._agent(member, _behind(agents.value) or member.merged)
        self._found.warnings = tuple(self._warnings)
        return self._found

    def _agent(self, member: _Member, behind: Place | None) -> None:
        name, node = member.name, member.value.real
        rules: list[Rule] = []
        since: date | None = None
        if not node.is_null:
            behind = behind or _behind(member.value)
            for part in _members(_map(member.value, f"the agent {name}"), rules_must_stay=True):
                if part.name in BLOCKS:
                    self._block(node, part, behind or part.merged, rules, name)
                elif part.name == "x-granted-since":
                    since = _day(part.value)
                elif part.name not in _AGENT_KEYS and not part.name.startswith("x-"):
                    raise _unknown(part.key, f"under the agent {name}", _AGENT_KEYS)
        if not rules:
            self._warn(member.key, f"the agent {name} has no rules", "empty-block")
        self._found.agents[name] = AgentPolicy(name, member.key.place, _twins(rules), since)

    def _block(self, owner: Node, part: _Member, behind: Place | None, rules: list[Rule], agent: str) -> None:
        effect, node = Effect(part.name), part.value.real
        behind = behind or _behind(part.value)
        if node.is_null or (node.kind == "seq" and not node.children):
            self._warn(part.key, f"{effect} has no rules", "empty-block")
            return
        if node.kind != "seq":
            raise PolicyError(
                f"{effect} must be a list of rules",
                slug="not-a-list",
                hint="put `- ` before the rule's first key",
                place=node.place,
            )
        for item in node.children:
            index = len(rules)
            rules.append(self._rule(agent, index, effect, item, behind))
            self._found.spots[agent, index] = RuleSpot(owner, part.key, node, item.real)

    def _rule(self, agent: str, index: int, effect: Effect, item: Node, behind: Place | None) -> Rule:
        members = {member.name: member for member in _members(_map(item, "a rule"))}
        for member in members.values():
            if member.name not in _RULE_KEYS:
                raise _unknown(member.key, "in a rule", _RULE_KEYS)
        for name in ("service", "actions"):
            if name not in members:
                raise PolicyError(
                    f"a rule needs {name}", slug="missing-key", hint=f"add `{name}:` to the rule", place=item.place
                )
        values = {name: member.value.real for name, member in members.items()}
        lists = {n: self._list(n, members[n]) for n in ("actions", "resources", "branches") if n in members}
        patterns = {n: tuple(node.text for node in nodes) for n, nodes in lists.items()}
        merged = next((member.merged for member in members.values() if member.merged), None)
        return Rule(
            agent=agent,
            index=index,
            effect=effect,
            service=_service(values["service"], effect),
            body=Body(patterns["actions"], patterns.get("resources"), patterns.get("branches")),
            place=item.place,
            action_places=tuple(node.place for node in lists["actions"]),
            expires=_expires(values["expires"], effect) if "expires" in values else None,
            ttl=_ttl(members["ttl"].key, values["ttl"], effect) if "ttl" in values else None,
            extras={name: _note(name, values[name]) for name in _NOTES if name in values},
            alias_of=behind or merged or _sharing(item),
            aliases=self._aliases,
        )

    def _list(self, name: str, member: _Member) -> list[Node]:
        node = member.value.real
        if node.is_null:
            raise PolicyError(
                f"{name} is null",
                slug="null-list",
                hint=f"leave the key out for any, or write `{name}: []` for none"
                if name != "actions"
                else "list the actions",
                place=member.key.place,
            )
        if node.kind == "map":
            raise PolicyError(f"{name} must be a list of patterns", slug="not-a-list", place=node.place)
        items = [child.real for child in node.children] if node.kind == "seq" else [node]
        for item in items:
            if item.kind != "scalar":
                raise PolicyError(f"{name} must hold patterns, not lists or maps", slug="not-a-list", place=item.place)
            if not item.is_string:
                raise _unquoted(item, name)
        if not items:
            self._warn(member.key, f"{name} is an empty list, so this rule matches nothing", "dead-rule")
        return items

    def _warn(self, node: Node, message: str, slug: str) -> None:
        self._warnings.append(PolicyWarning(node.place, message, slug))


def _twins(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules, those that repeat an earlier one numbered."""
    seen: Counter[tuple[Effect, str, Body]] = Counter()
    found: list[Rule] = []
    for rule in rules:
        same = (rule.effect, rule.service, rule.body)
        found.append(replace(rule, twin=seen[same]) if seen[same] else rule)
        seen[same] += 1
    return tuple(found)


def _map(node: Node, what: str) -> Node:
    if node.real.kind != "map":
        raise PolicyError(f"{what} must be a map of keys", slug="not-a-map", place=node.place)
    return node.real


def _members(node: Node, *, rules_must_stay: bool = False) -> list[_Member]:
    """The keys of a map, its own first, then what merge keys fill in.

    With `rules_must_stay` (an agent) no allow, require_approval or deny may be hidden by another: a deny would vanish.
    """
    found: list[_Member] = []
    sources: list[Node] = []
    for key, value in node.pairs:
        if key.is_merge:
            sources += [child.real for child in value.real.children] if value.real.kind == "seq" else [value.real]
        elif not key.real.is_string:
            raise _unquoted(key.real, "a key")
        else:
            found.append(_Member(key, value))
    for source in sources:
        if source.kind != "map":
            raise PolicyError("a merge key takes maps only", slug="not-a-map", place=source.place)
        seen = {member.name for member in found}
        for member in _members(source, rules_must_stay=rules_must_stay):
            if member.name not in seen:
                found.append(_Member(member.key, member.value, member.merged or source.place))
            elif rules_must_stay and member.name in BLOCKS:
                raise PolicyError(
                    f"the merge key brings a {member.name} that the agent has already, and which would vanish",
                    slug="merge-hides-rules",
                    hint="write the rules out under the agent",
                    place=node.place,
                )
    return found


def _agent_maps(root: Node) -> set[int]:
    """The maps in which allow, require_approval and deny may repeat: the agents', and what they merge."""
    found: set[int] = set()
    agents = [value.real for key, value in root.pairs if key.real.text == "agents"]
    waiting = [value.real for node in agents if node.kind == "map" for _, value in node.pairs]
    while waiting:
        node = waiting.pop()
        if id(node) in found:
            continue
        if node.kind == "seq":
            waiting.extend(child.real for child in node.children)
        elif node.kind == "map":
            found.add(id(node))
            waiting.extend(value.real for key, value in node.pairs if key.is_merge)
    return found


def _refuse_repeats(root: Node, agents: set[int]) -> None:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting.extend(reversed(node.children))
        if node.kind != "map":
            continue
        seen: dict[str, Node] = {}
        for key, _ in node.pairs:
            name = key.real.text
            if name in seen and not (id(node) in agents and name in BLOCKS):
                raise PolicyError(
                    f"the key {name} stands here a second time, after line {seen[name].place.line}",
                    slug="repeated-key",
                    hint="only allow, require_approval and deny may repeat, under an agent",
                    place=key.place,
                )
            if key.real.kind == "scalar":
                seen[name] = key


def _behind(node: Node) -> Place | None:
    """The anchor whose text this node shares with some other place, or None."""
    return node.real.place if node.target or node.shared else None


def _sharing(item: Node) -> Place | None:
    return next((place for node in _inside(item) if (place := _behind(node))), None)


def _inside(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _inside(child)


def _service(node: Node, effect: Effect) -> str:
    if not node.is_string or not node.text.strip():
        raise _unquoted(node, "service")
    name = node.text
    if name != name.lower() or name != name.strip():
        raise PolicyError(
            f"services are written in lower case: {name}",
            slug="bad-service",
            hint=f"did you mean {name.strip().lower()}?",
            place=node.place,
        )
    if ("*" in name or "?" in name) and (name != "*" or effect is not Effect.DENY):
        raise PolicyError(
            f"a rule names one service, not a pattern: {name}",
            slug="bad-service",
            hint='only deny may say `service: "*"`',
            place=node.place,
        )
    return name


def _expires(node: Node, effect: Effect) -> datetime:
    if effect is Effect.DENY:
        raise PolicyError(
            "a deny rule does not expire",
            slug="deny-expires",
            hint="remove the rule when its time comes",
            place=node.place,
        )
    text = node.text if node.kind == "scalar" else ""
    try:
        if _DAY.fullmatch(text):  # the end of that day
            return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # 2026-02-30 and the like: the same answer as for any other text
    raise PolicyError(
        f"not a date: {text or 'a list or map'}",
        slug="bad-date",
        hint="write a day (2027-01-31: to its end, UTC) or a moment with its zone (2027-01-31T12:00:00Z)",
        place=node.place,
    )


def _day(node: Node) -> date:
    text = node.real.text
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # no such day: the same answer as for any other text
    raise PolicyError(
        f"x-granted-since is not a date: {text}", slug="bad-date", hint="write it as 2026-01-15", place=node.place
    )


def _ttl(key: Node, node: Node, effect: Effect) -> str:
    if effect is not Effect.REQUIRE_APPROVAL:
        raise PolicyError(
            "ttl says how long an approval holds",
            slug="bad-ttl",
            hint="it belongs under require_approval",
            place=key.place,
        )
    if node.kind != "scalar" or not _TTL.fullmatch(node.text):
        raise PolicyError(
            "ttl is not a length of time", slug="bad-ttl", hint="write minutes or hours: 30m, 1h", place=node.place
        )
    return node.text


def _note(name: str, node: Node) -> str:
    if node.kind != "scalar":
        raise PolicyError(f"{name} must be text", slug="not-text", place=node.place)
    return node.text


def _unquoted(node: Node, what: str) -> PolicyError:
    text = node.text if node.kind == "scalar" else "a list or map"
    return PolicyError(
        f"{what} must be text, and YAML reads {text or 'nothing'} as something else",
        slug="not-text",
        hint=f'put it in quotes: "{text}"' if node.kind == "scalar" and text else "write a name",
        place=node.place,
    )


def _unknown(key: Node, where: str, known: Iterable[str]) -> PolicyError:
    name = key.real.text
    hint = _like(name, known).lstrip("; ") or f"known keys: {', '.join(known)}"
    return PolicyError(f"unknown key {name} {where}", slug="unknown-key", hint=hint, place=key.place)


def _like(name: str, known: Iterable[str]) -> str:
    close = [hit for word in name.split() for hit in difflib.get_close_matches(word, list(known), n=1)]
    return f"; did you mean {close[0]}?" if close else ""
