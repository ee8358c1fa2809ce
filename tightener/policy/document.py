"""Policy files: read with every repeated key counted and every place known, and rewritten with the smallest edit.

What the parts of a file mean is section 1 of docs/policy-semantics.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from tightener.errors import Place, PolicyError
from tightener.model import Addition, AgentPolicy, Aliases, Body, Effect, Rule
from tightener.policy import adding, copying, edits, reading
from tightener.policy.edits import RuleSpot
from tightener.policy.reading import PolicyWarning

NO_ALIASES: Aliases = {}
CONFIG_NAME = "tightener.yaml"  # may lie in the same folder and is no policy

_Intended = tuple[Effect, str, Body, datetime | None, str | None, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The file as its new text reads, and by agent from which rule each of its rules came, by index (-1: none)."""

    file: PolicyFile
    origin: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file: its exact text (BOM and line endings included), its agents, and what deserves a second look."""

    path: str
    text: str
    agents: Mapping[str, AgentPolicy]
    warnings: tuple[PolicyWarning, ...]
    spots: Mapping[tuple[str, int], RuleSpot] = field(repr=False, compare=False)
    aliases: Aliases = field(default_factory=dict)

    def rewrite(
        self,
        changes: Mapping[tuple[str, int], Sequence[Body]],
        additions: Mapping[str, Sequence[Addition]] | None = None,
    ) -> str:
        """The text that `rewritten` makes."""
        return self.rewritten(changes, additions).file.text

    def rewritten(
        self,
        changes: Mapping[tuple[str, int], Sequence[Body]],
        additions: Mapping[str, Sequence[Addition]] | None = None,
    ) -> Rewritten:
        """The text with some rules changed or added, and every other byte kept.

        In: (agent, rule index) -> what the rule becomes: nothing (it goes), one body, or several (the further ones are
        written right behind it); agent -> rules that its blocks get (a rule that goes, and is the source of an
        addition, moves there). The result is read again and compared with what was asked for.
        Raises PolicyError: `rule-behind-alias` for a rule that shares text with another, `edit-went-wrong` where the
        result does not say what was asked for; KeyError for a rule that is not in this file.
        """
        wanted = self._wanted(changes)
        # What is added comes first, so that what goes is removed from blocks that are known to keep something.
        file, orders = self, {name: list(range(len(agent.rules))) for name, agent in self.agents.items()}
        for name, rules in (additions or {}).items():
            if rules:
                whole = {index for (agent, index), bodies in wanted.items() if agent == name and not bodies}
                text, orders[name] = adding.add(file.text, file.agents[name], file.spots, rules, whole)
                file = self._read(text)
        places = {(name, index): place for name, order in orders.items() for place, index in enumerate(order)}
        text = edits.rewrite(file.text, file.spots, {(key[0], places[key]): bodies for key, bodies in wanted.items()})
        asked = {
            name: list(_intended(agent, wanted, (additions or {}).get(name, ()), orders[name]))
            for name, agent in self.agents.items()
        }
        read = self._read(text)
        found = {name: [_said(rule) for rule in agent.rules] for name, agent in read.agents.items()}
        if found != {name: [said for _, said in rules] for name, rules in asked.items()}:
            raise _went_wrong(self.path)
        return Rewritten(read, {name: tuple(index for index, _ in rules) for name, rules in asked.items()})

    def meaning(
        self,
        agent: str,
        changes: Mapping[tuple[str, int], Sequence[Body]],
        additions: Mapping[str, Sequence[Addition]],
    ) -> AgentPolicy:
        """What `rewritten` would make of one agent, without its text: the same rules, added ones last, where they were.

        Raises PolicyError (`rule-behind-alias`), KeyError as `rewritten` does.
        """
        policy, more = self.agents[agent], additions.get(agent, ())
        order = [*range(len(policy.rules)), *(-1 - number for number in range(len(more)))]
        rules: list[Rule] = []
        for source, said in _intended(policy, self._wanted(changes), more, order):
            effect, service, body, expires, ttl, extras = said
            place = policy.rules[source].place if source >= 0 else policy.place
            rules.append(
                Rule(
                    agent,
                    len(rules),
                    effect,
                    service,
                    body,
                    place,
                    expires=expires,
                    ttl=ttl,
                    extras=extras,
                    aliases=self.aliases,
                )
            )
        return replace(policy, rules=tuple(rules))

    def with_copies(self, agent: str, copies: Mapping[str, str]) -> str:
        """The text with new agents behind one, and every other byte kept.

        In: new name -> a text of this file in which `agent` says what the new one is to say. The result is read again
        and compared. Raises PolicyError: `agent-exists`, `agent-behind-alias`, `edit-went-wrong`; KeyError for an agent
        that is not in this file.
        """
        for name in copies:
            if name in self.agents:
                raise PolicyError(
                    f"there is an agent {name} already",
                    slug="agent-exists",
                    hint=f"tighten it by itself, `tightener suggest --agent {name}`, or remove it to have it made anew",
                    place=self.agents[name].place,
                )
        wanted = {name: list(map(_said, one.rules)) for name, one in self.agents.items()}
        wanted |= {name: list(map(_said, self._read(text).agents[agent].rules)) for name, text in copies.items()}
        text = copying.copied(self.text, self.path, agent, copies)
        if {name: list(map(_said, one.rules)) for name, one in self._read(text).agents.items()} != wanted:
            raise _went_wrong(self.path)
        return text

    def _wanted(self, changes: Mapping[tuple[str, int], Sequence[Body]]) -> dict[tuple[str, int], Sequence[Body]]:
        """The changes that change something. Raises PolicyError for a rule whose text is not its own."""
        wanted: dict[tuple[str, int], Sequence[Body]] = {}
        for (name, index), bodies in changes.items():
            rule = self.agents[name].rules[index]
            if tuple(bodies) == (rule.body,):
                continue
            if rule.alias_of is not None:
                raise PolicyError(
                    f"this rule shares text with the anchor or merge key in line {rule.alias_of.line}",
                    slug="rule-behind-alias",
                    hint="write the rule out, or change it where it is anchored, by hand",
                    place=rule.place,
                )
            wanted[name, index] = bodies
        return wanted

    def _read(self, text: str) -> PolicyFile:
        try:
            return parse(text, self.path, self.aliases)
        except PolicyError as error:
            raise _went_wrong(self.path) from error


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Some files as one policy. Raises PolicyError (`agent-twice`) when two define the same agent."""

    files: tuple[PolicyFile, ...]

    def __post_init__(self) -> None:
        seen: dict[str, Place] = {}
        for file in self.files:
            for name, agent in file.agents.items():
                if name in seen:
                    raise PolicyError(
                        f"the agent {name} is already defined in {seen[name]}",
                        slug="agent-twice",
                        hint="keep all rules of an agent in one file",
                        place=agent.place,
                    )
                seen[name] = agent.place

    @property
    def agents(self) -> Mapping[str, AgentPolicy]:
        """All agents by name, in file order."""
        return {name: agent for file in self.files for name, agent in file.agents.items()}

    @property
    def warnings(self) -> tuple[PolicyWarning, ...]:
        """The warnings of all files."""
        return tuple(warning for file in self.files for warning in file.warnings)

    def file_of(self, agent: str) -> PolicyFile:
        """The file that defines the agent. Raises KeyError when none does."""
        for file in self.files:
            if agent in file.agents:
                return file
        raise KeyError(agent)


def load(paths: Sequence[Path], aliases: Aliases = NO_ALIASES) -> PolicySet:
    """Read files, and the *.yaml and *.yml of folders (not of folders inside them), as one policy set.

    `aliases` are the configuration's. A file named twice counts once. Raises PolicyError for what cannot be read, or is
    not a policy.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix in {".yaml", ".yml"} and p.name[0] != ".")
            inside = [p for p in inside if p.name != CONFIG_NAME]
            if not inside:
                raise PolicyError("this folder holds no *.yaml", slug="unreadable", place=Place(str(path)))
        else:
            inside = [path]
        for one in inside:
            files.setdefault(one.resolve(), one)
    return PolicySet(tuple(parse(read_text(path), str(path), aliases) for path in files.values()))


def parse(text: str, path: str, aliases: Aliases = NO_ALIASES) -> PolicyFile:
    """Read one file's text; `path` is only for messages. Raises PolicyError with place, slug and hint."""
    found = reading.read(text, path, aliases)
    return PolicyFile(path, text, found.agents, found.warnings, found.spots, aliases)


def read_text(path: Path) -> str:
    """The file's text, with its line endings and its BOM as they are. Raises PolicyError (`unreadable`)."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror}", slug="unreadable", place=Place(str(path))) from error
    except UnicodeDecodeError as error:
        raise PolicyError(
            f"is not UTF-8 (byte {error.start})",
            slug="unreadable",
            hint="save the file as UTF-8",
            place=Place(str(path)),
        ) from error


def encode(text: str) -> bytes:
    """The bytes of a policy file's text: what `read_text` read comes out again, byte for byte."""
    return text.encode("utf-8")


def _said(rule: Rule) -> _Intended:
    return rule.effect, rule.service, rule.body, rule.expires, rule.ttl, dict(rule.extras)


def _intended(
    agent: AgentPolicy,
    changes: Mapping[tuple[str, int], Sequence[Body]],
    additions: Sequence[Addition],
    order: Sequence[int],
) -> Iterator[tuple[int, _Intended]]:
    """What the agent's rules should say afterwards, and from which rule each comes.

    `order`: rule indexes, and -1 - n for addition number n.
    """
    moved: set[int] = set()
    for index in order:
        if index >= 0:
            rule = agent.rules[index]
            for number, body in enumerate(changes.get((agent.name, index), (rule.body,))):
                extras = _without_id(rule) if number else dict(rule.extras)
                yield index, (rule.effect, rule.service, body, rule.expires, rule.ttl, extras)
            continue
        one = additions[-1 - index]
        if one.source is None:
            yield -1, (one.effect, one.service, one.body, one.expires, one.ttl, dict(one.notes))
            continue
        rule = agent.rules[one.source]
        whole = not changes.get((agent.name, rule.index), (rule.body,)) and rule.index not in moved
        moved.add(rule.index)
        extras = dict(rule.extras) if whole else _without_id(rule)
        yield rule.index, (one.effect, one.service, one.body, rule.expires, one.ttl, extras)


def _without_id(rule: Rule) -> dict[str, str]:
    return {key: value for key, value in rule.extras.items() if key != "id"}


def _went_wrong(path: str) -> PolicyError:
    return PolicyError(
        "the edited text would not say what was asked for, so nothing was changed",
        slug="edit-went-wrong",
        hint="edit this file by hand, and please report its layout",
        place=Place(path),
    )
