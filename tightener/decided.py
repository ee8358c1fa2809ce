"""What people decided in tightener.yaml: exceptions (keep this) and rejections (do not suggest this again)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

import yaml

from tightener import config as configuration
from tightener.config import Config, Exemption, Rejection
from tightener.errors import ConfigError, Place
from tightener.model import AgentPolicy, Effect, Rule
from tightener.policy.patterns import matches
from tightener.services.semantics import fold_action

REJECTED_DAYS = 90  # how long a no holds when nobody says otherwise


class State(StrEnum):
    """What has become of a decision."""

    HONOURED = "honoured"
    EXPIRED = "expired"
    WITHOUT_EFFECT = "without effect"  # no policy grants what it is about


@dataclass(frozen=True, slots=True)
class Decision:
    """One exception or rejection as `tightener exceptions` lists it."""

    kind: str  # exception, rejection
    agent: str
    about: str
    reason: str
    owner: str
    until: date
    state: State

    @property
    def sentence(self) -> str:
        """The decision and its state, for people."""
        return f"the {self.kind} for {self.about} ({self.owner}: {self.reason}) ended on {self.until}"


def excepted(config: Config, agent: str, day: date) -> Callable[[Rule, str], str]:
    """(rule, action) -> why a person said keep; '' where nobody did, or the exception has ended by `day`."""
    live = [e for e in config.exceptions if e.agent == agent and e.until >= day]

    def reason(rule: Rule, action: str) -> str:
        for e in live:
            if covers(e, rule, action):
                return f"kept by {e.owner} until {e.until}: {e.reason}"
        return ""

    return reason


def covers(one: Exemption, rule: Rule, action: str) -> bool:
    """Whether an exception is about this action of this rule."""
    if one.rule:
        return rule.extras.get("id") == one.rule
    folded = fold_action(rule.service, action)
    return one.service == rule.service and any(matches(fold_action(one.service, p), folded) for p in one.actions)


def rejected(config: Config, agent: str, day: date) -> Mapping[str, str]:
    """Suggestion's id -> why it is not made again, for the rejections that still hold on `day`."""
    return {
        r.suggestion: f"rejected by {r.owner} until {r.until}: {r.reason}"
        for r in config.rejected
        if r.agent == agent and r.until >= day
    }


def decisions(config: Config, policies: Mapping[str, AgentPolicy], day: date) -> list[Decision]:
    """Every decision in the order of the file, with what has become of it by `day`."""
    found = []
    for e in config.exceptions:
        about = f"rule {e.rule}" if e.rule else f"{e.service} {', '.join(e.actions)}"
        state = State.HONOURED if _grants(policies.get(e.agent), e) else State.WITHOUT_EFFECT
        state = State.EXPIRED if e.until < day else state
        found.append(Decision("exception", e.agent, about, e.reason, e.owner, e.until, state))
    for r in config.rejected:
        state = State.HONOURED if r.agent in policies else State.WITHOUT_EFFECT
        state = State.EXPIRED if r.until < day else state
        found.append(Decision("rejection", r.agent, r.suggestion, r.reason, r.owner, r.until, state))
    return found


def ended(config: Config, policy: AgentPolicy, day: date) -> tuple[str, ...]:
    """A sentence for each decision about this agent that holds no longer."""
    every = decisions(config, {policy.name: policy}, day)
    return tuple(d.sentence for d in every if d.agent == policy.name and d.state is State.EXPIRED)


def _grants(policy: AgentPolicy | None, one: Exemption) -> bool:
    rules = [r for r in policy.rules if r.effect is not Effect.DENY] if policy else []
    if one.rule:
        return any(r.extras.get("id") == one.rule for r in rules)
    return any(r.service == one.service for r in rules)


def reject(config: Config, one: Rejection) -> Path:
    """Adds a rejection to the configuration's text, every other byte kept, and returns the file.

    Raises ConfigError where there is no file, or where its `rejected:` is not a block list.
    """
    if config.path is None:
        raise ConfigError(
            "there is no tightener.yaml to remember it in",
            slug="config-unreadable",
            hint="make one in the policy's repository, or name it with --config",
        )
    text = config.path.read_bytes().decode()
    fields = (("agent", one.agent), ("suggestion", one.suggestion), ("reason", one.reason), ("owner", one.owner))
    said = ", ".join(f"{key}: {json.dumps(value)}" for key, value in fields)
    new = _with_item(config.path, text, f"{{{said}, until: {one.until.isoformat()}}}")
    temporary = config.path.with_name(f".{config.path.name}.tightener")
    temporary.write_bytes(new.encode())
    try:
        if configuration.load(temporary).rejected != (*config.rejected, one):
            raise ConfigError(
                "the rejection cannot be added to this file",
                slug="config-invalid",
                place=Place(str(config.path)),
                hint=f"add it by hand under `rejected:`: - {{{said}, until: {one.until}}}",
            )
        temporary.chmod(config.path.stat().st_mode)
        temporary.replace(config.path)
    finally:
        temporary.unlink(missing_ok=True)
    return config.path


def _with_item(path: Path, text: str, item: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    key, found = _rejected(yaml.compose(text, Loader=yaml.SafeLoader))
    if key is None:
        lines += [f"rejected:{newline}", f"  - {item}{newline}"]
    elif isinstance(found, yaml.SequenceNode) and not found.flow_style and found.value:
        last = found.value[-1]
        after = last.end_mark.line + (last.end_mark.column > 0)  # a block item ends where the next token begins
        while not lines[after - 1].strip() or lines[after - 1].lstrip().startswith("#"):
            after -= 1
        lines.insert(after, f"{' ' * found.start_mark.column}- {item}{newline}")
    elif isinstance(found, yaml.ScalarNode) and not found.value:
        lines.insert(key.end_mark.line + 1, f"  - {item}{newline}")
    else:
        raise ConfigError(
            "`rejected` is no block list",
            slug="config-invalid",
            place=Place(str(path), key.start_mark.line + 1, key.start_mark.column + 1),
            hint=f"write it as one, or add by hand: - {item}",
        )
    return "".join(lines)


def _rejected(root: yaml.Node | None) -> tuple[yaml.Node | None, yaml.Node | None]:
    pairs: Sequence[tuple[yaml.Node, yaml.Node]] = root.value if isinstance(root, yaml.MappingNode) else ()
    return next((pair for pair in pairs if pair[0].value == "rejected"), (None, None))
