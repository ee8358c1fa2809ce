"""Policy files in: YAML text -> rules, by node graph, so that no key is lost and every mistake has a line.

A plain YAML load keeps only the last of several `allow` keys and silently loses the rest; here all of them count, in
document order (docs/policy-semantics.md, section 1). Edits back into the text are made by policy/edits.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tightener.errors import Place, PolicyError
from tightener.model import AgentPolicy, Body
from tightener.policy import edits
from tightener.policy.reader import Notice, RuleNodes, read



@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One policy file: its exact text and what it means."""

    path: str
    text: str
    agents: Mapping[str, AgentPolicy]
    warnings: tuple[Notice, ...]
    nodes: Mapping[tuple[str, int], RuleNodes] = field(repr=False)  # (agent, rule index) -> where it stands

    def rewrite(self, changes: Mapping[tuple[str, int], Sequence[Body]]) -> str:
        """The text after these changes: each rule, (agent, index), becomes the bodies given for it.

        No body removes the rule, one edits it in place, several edit it and insert the rest behind it as copies. All
        other bytes stay. The result is read back and compared with what was asked for. Raises PolicyError for a rule
        reached through an alias, and with slug `edit-went-wrong` where the text did not come out as intended.
        """
        file = self
        for (agent, index), bodies in sorted(changes.items(), reverse=True):
            shared = file.agents[agent].rules[index].alias_of
            if shared is not None:
                raise PolicyError(
                    "this rule is written once and used through an alias or merge key: it is never edited",
                    slug="rule-behind-alias",
                    place=shared,
                    hint="write the rule out where it is used, then run again",
                )
            file = _change(file, (agent, index), bodies)
        self._check(file, changes)
        return file.text

    def _check(self, after: PolicyFile, changes: Mapping[tuple[str, int], Sequence[Body]]) -> None:
        for name, policy in self.agents.items():
            wanted = [
                (rule.effect, rule.service, body, rule.expires, rule.ttl)
                for rule in policy.rules
                for body in changes.get((name, rule.index), (rule.body,))
            ]
            found = [(r.effect, r.service, r.body, r.expires, r.ttl) for r in after.agents[name].rules]
            if wanted != found or after.agents[name].granted_since != policy.granted_since:
                raise PolicyError(
                    f"the edited text does not say what was meant for {name}",
                    slug="edit-went-wrong",
                    place=policy.place,
                    hint="nothing was written; please report this with the policy file",
                )


def _change(file: PolicyFile, key: tuple[str, int], bodies: Sequence[Body]) -> PolicyFile:
    if not bodies:
        return parse(edits.remove_rule(file.text, file.nodes[key]), file.path)
    agent, index = key
    for _ in bodies[1:]:
        file = parse(edits.copy_rule(file.text, file.nodes[key]), file.path)
    for offset in reversed(range(len(bodies))):
        here = agent, index + offset
        rule = file.agents[agent].rules[index + offset]
        if bodies[offset] != rule.body:
            file = parse(edits.set_body(file.text, file.nodes[here], rule.body, bodies[offset]), file.path)
    return file


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Several files that form one policy: every agent is defined in exactly one of them."""

    files: tuple[PolicyFile, ...]

    @property
    def agents(self) -> Mapping[str, AgentPolicy]:
        """All agents of all files."""
        return {name: policy for file in self.files for name, policy in file.agents.items()}

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """All warnings of all files."""
        return tuple(warning for file in self.files for warning in file.warnings)

    def file_of(self, agent: str) -> PolicyFile:
        """The file that defines an agent. Raises KeyError for an agent that no file names."""
        for file in self.files:
            if agent in file.agents:
                return file
        raise KeyError(agent)


def parse(text: str, path: str) -> PolicyFile:
    """Reads the text of one policy file. Raises PolicyError with file, line, column and a suggestion."""
    agents, nodes, warnings = read(text, path)
    return PolicyFile(path, text, agents, warnings, nodes)


def load(paths: Sequence[Path]) -> PolicySet:
    """Reads files, and the *.yaml and *.yml files of folders, as one policy set. Raises PolicyError."""
    files: list[PolicyFile] = []
    homes: dict[str, AgentPolicy] = {}
    for path in _policy_files(paths):
        file = parse(read_text(path), str(path))
        for name, policy in file.agents.items():
            if name in homes:
                raise PolicyError(
                    f"the agent {name} is defined twice, in {homes[name].place} and here",
                    slug="agent-in-two-files",
                    place=policy.place,
                    hint="an agent's rules stand in one file",
                )
            homes[name] = policy
        files.append(file)
    return PolicySet(tuple(files))


def _policy_files(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            found[path] = None
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix in {".yaml", ".yml"} and p.is_file())
        if not inside:
            raise PolicyError("no *.yaml or *.yml file in this folder", slug="policy-unreadable", place=Place(str(path)))
        found.update(dict.fromkeys(inside))
    return list(found)


def read_text(path: Path) -> str:
    """A policy file's text with its line endings as they are. Raises PolicyError."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise PolicyError(
            f"cannot read the policy: {error.strerror}", slug="policy-unreadable", place=Place(str(path))
        ) from error
    except UnicodeDecodeError as error:
        raise PolicyError("the policy is not UTF-8 text", slug="policy-unreadable", place=Place(str(path))) from error


def encode(text: str) -> bytes:
    """The bytes of a policy file's text, as they are written."""
    return text.encode("utf-8")


