"""tightener.yaml: read, checked, every mistake explained with its line.

policy: policies/            # a file, a folder, or a list of them
logs: [logs/gateway, logs/AWSLogs]
sources: [{bucket: acme-trail, since: 2026-06-01}]  # logs in S3: docs/s3.md
agents:
  claude-invoice-01: {principals: ["arn:aws:iam::123456789012:role/claude-invoice-01"]}
  claude-ops-02: {principals: [{session_name: "ops-*", role: "arn:aws:iam::123456789012:role/shared"}]}
  claude-report-03: {jobs: {weekly: "week-*", ad-hoc: {on_behalf_of: "*@acme.example"}}}  # which runs are which job's
covers: {gateway: [git, aws]}        # which services a gateway's own log covers; default: those it has logged
data_events: {"AWS::S3::Object": 2026-06-01}  # all resources of the type are in the trail's selectors, since that day
exceptions:                          # grants that a person wants kept
  - {agent: claude-invoice-01, service: git, actions: [pull], reason: disaster drill, owner: dana, until: 2027-01-31}
rejected:                            # suggestions that a person said no to; `tightener reject` adds them
  - {agent: claude-invoice-01, suggestion: drop-rule-1a2b3c, reason: year-end close, owner: dana, until: 2027-01-31}
action_aliases: {stripe: {write: [create, update]}}  # what `thing:write` also covers, instead of what tightener knows
tools: {my_runner: {shell: cmd}}     # tools of which a shell or a database reads an argument; {} = none does
formats: {edge-proxy: {...}}         # field maps for other gateways' logs: docs/field-maps.md
publish: {github: acme/policies}     # where pull requests go; default: branches of the local repository
redact: {arguments: hash, resources: show}  # logged values in what goes out: docs/redaction.md
reports: reports                     # the pages of `tightener run`; more: docs/configuration.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from tightener.checked import Checked
from tightener.errors import ConfigError, Place
from tightener.logs import limits
from tightener.logs.callers import KEYS, Entry, Identity, Owner, owner
from tightener.logs.files import LIMIT
from tightener.logs.formats.field_map import FieldMap
from tightener.logs.jobs import JOB_KEYS, NAME, Started, names
from tightener.logs.limits import Limits
from tightener.logs.s3.source import Source
from tightener.model import Aliases
from tightener.redaction import Redact, Shown
from tightener.services.observe import data_types
from tightener.services.tool_kinds import KINDS, Tools

FILE_NAME = "tightener.yaml"
_TOP = (
    *("policy", "logs", "database", "agents", "covers", "data_events", "exceptions", "rejected", "action_aliases"),
    *("tools", "formats", "publish", "redact", "reports", "sources"),
    *("keep_events", "memory_limit", "threads", "temp_directory", "largest_file"),
)
_AGENT = ("policy", "principals", "jobs")
_SAID = ("reason", "owner", "until")  # of every decision of a person
_EXCEPTION = ("agent", "service", "actions", "rule", *_SAID)
_REJECTION = ("agent", "suggestion", *_SAID)
_PUBLISH = ("github", "api", "base", "labels", "most_open")
_REDACT = ("arguments", "resources")
_REPOSITORY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+")
MOST_OPEN = 10
LABEL = "tightener"


@dataclass(frozen=True, slots=True)
class Exemption:
    """A person said keep: these grants are `excepted` up to and including the day `until`.

    Either actions of a service, or all that the rule with this `id` grants.
    """

    agent: str
    service: str
    actions: tuple[str, ...]
    rule: str
    reason: str
    owner: str
    until: date


@dataclass(frozen=True, slots=True)
class Rejection:
    """A person said no to a suggestion: it is not made again up to and including the day `until`.

    A suggestion's id is made of the rule's text and the change to it, so other evidence makes another suggestion.
    """

    agent: str
    suggestion: str
    reason: str
    owner: str
    until: date


@dataclass(frozen=True, slots=True)
class Publish:
    """Where and how pull requests are opened. Without `github`, in the local repository."""

    github: str = ""  # owner/name
    api: str = ""  # of a GitHub Enterprise Server; '' = GITHUB_API_URL, else github.com's
    base: str = ""  # '' = the repository's default branch (locally: the one that is checked out)
    labels: tuple[str, ...] = (LABEL,)
    most_open: int = MOST_OPEN


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration, with every path made absolute against the file's folder."""

    path: Path | None = None
    policy: tuple[Path, ...] = ()  # those of the agents below among them
    policy_of: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)  # agent -> where it has to be
    logs: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()  # in S3
    database: Path | None = None
    principals: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)  # agent -> who it is in CloudTrail
    jobs: Mapping[str, Mapping[str, tuple[Started, ...]]] = field(default_factory=dict)  # agent -> job -> its runs
    covers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # gateway source -> services
    data_events: Mapping[str, date] = field(default_factory=dict)  # resource type -> since when a trail selects it all
    exceptions: tuple[Exemption, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    aliases: Aliases = field(default_factory=dict)
    tools: Tools = field(default_factory=dict)
    formats: Mapping[str, FieldMap] = field(default_factory=dict)
    publish: Publish = Publish()
    redact: Redact = field(default_factory=Redact)
    publishes: bool = False  # there is a `publish:`, so `run` publishes
    reports: Path | None = None  # the folder of run's pages; None = .tightener/reports beside the file
    largest_file: int = LIMIT  # decompressed bytes of one log file that are read
    keep_events: int | None = None  # days; None = events are never dropped
    limits: Limits = field(default_factory=Limits)

    def owner_of(self, caller: Identity) -> Owner:
        """The agent that a logged caller is, and what told so."""
        return owner(caller, self.principals)


def find(start: Path) -> Path | None:
    """The tightener.yaml of `start` or the nearest parent that has one."""
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def load(path: Path) -> Config:
    """Reads one configuration file. Raises ConfigError with file and line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration: {error.strerror}", slug="config-unreadable", place=Place(str(path))
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            "the configuration is not UTF-8 text", slug="config-syntax", place=Place(str(path))
        ) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = Place(str(path), mark.line + 1, mark.column + 1) if mark else Place(str(path))
        raise ConfigError(
            f"not valid YAML: {getattr(error, 'problem', error)}", slug="config-syntax", place=place
        ) from error
    reader = _Reader(path, root)
    reader.no_repeats(root)
    return reader.config(_given(data))


def _given(value: Any) -> Any:
    """The value; nothing (a key with nothing behind it) is an empty mapping, and only nothing is."""
    return {} if value is None else value


class _Reader(Checked):
    """Turns plain data into a Config."""

    def config(self, data: Any) -> Config:
        data = self.mapping(data, _TOP)
        base = self.path.resolve().parent
        agents = self.mapping(_given(data.get("agents")), None, "agents")
        formats = self.mapping(_given(data.get("formats")), None, "formats")
        for key in ("database", "reports", "temp_directory"):
            if not isinstance(data.get(key), str | None):
                raise self.fail(f"`{key}` must be text, not {data[key]!r}", key, hint="put it in quotes")
        policy_of = {str(name): own for name, value in agents.items() if (own := self._policy_of(base, name, value))}
        policy = [base / p for p in self.strings(data.get("policy", []), "policy")]
        return Config(
            path=self.path.resolve(),
            policy=tuple(dict.fromkeys([*policy, *(path for own in policy_of.values() for path in own)])),
            policy_of=policy_of,
            logs=tuple(p if "://" in p else str(base / p) for p in self.strings(data.get("logs", []), "logs")),
            sources=Source.several(data.get("sources"), lambda *keys: self.place("sources", *keys)),
            database=base / data["database"] if data.get("database") else None,
            principals={str(name): self._principals(name, value) for name, value in agents.items()},
            jobs={str(name): jobs for name, value in agents.items() if (jobs := self._jobs(name, value))},
            covers={
                str(name): self.strings(value, "covers", name)
                for name, value in self.mapping(_given(data.get("covers")), None, "covers").items()
            },
            data_events=self._data_events(_given(data.get("data_events"))),
            exceptions=tuple(
                self._exception(i, e) for i, e in enumerate(self.list_of(data.get("exceptions"), "exceptions"))
            ),
            rejected=tuple(self._rejection(i, e) for i, e in enumerate(self.list_of(data.get("rejected"), "rejected"))),
            aliases={
                (str(service), str(verb)): self.strings(becomes, "action_aliases", service, verb)
                for service, verbs in self.mapping(_given(data.get("action_aliases")), None, "action_aliases").items()
                for verb, becomes in self.mapping(verbs, None, "action_aliases", service).items()
            },
            tools={
                str(name): self._tool(str(name), value)
                for name, value in self.mapping(_given(data.get("tools")), None, "tools").items()
            },
            formats={
                str(name): FieldMap.parse(str(name), value, lambda *keys, n=name: self.place("formats", n, *keys))
                for name, value in formats.items()
            },
            publish=self._publish(_given(data.get("publish"))),
            redact=self._redact(_given(data.get("redact"))),
            publishes="publish" in data,
            reports=base / data["reports"] if data.get("reports") else None,
            keep_events=limits.number(data, "keep_events", self.fail),
            largest_file=limits.size(data, "largest_file", self.fail) or LIMIT,
            limits=limits.read(data, base, self.fail),
        )

    def _publish(self, value: Any) -> Publish:
        value = self.mapping(value, _PUBLISH, "publish")
        for key in ("github", "api", "base"):
            if not isinstance(value.get(key, ""), str):
                raise self.fail(f"`{key}` must be text, not {value[key]!r}", "publish", key, hint="put it in quotes")
        github, most = value.get("github", ""), value.get("most_open", MOST_OPEN)
        if github and not _REPOSITORY.fullmatch(github):
            raise self.fail(f"`github` must be a repository, not {github!r}", "publish", "github", hint="owner/name")
        if type(most) is not int or most < 1:
            raise self.fail(f"`most_open` must be a number from 1, not {most!r}", "publish", "most_open")
        labels = self.strings(value.get("labels", [LABEL]), "publish", "labels")
        if not labels:
            raise self.fail("a pull request needs a label to be known by", "publish", "labels", hint=f"[{LABEL}]")
        return Publish(github, value.get("api", ""), value.get("base", ""), labels, most)

    def _redact(self, value: Any) -> Redact:
        value = self.mapping(value, _REDACT, "redact")
        for key, said in value.items():
            if said not in tuple(Shown):
                raise self.fail(f"`{key}` must be show, hash or hide, not {said!r}", "redact", key)
        return Redact(**{key: Shown(said) for key, said in value.items()})

    def _data_events(self, value: Any) -> dict[str, date]:
        """Resource type -> first day. A type that no action is logged under would be a declaration without effect."""
        if isinstance(value, (list, str)):
            raise self.fail(
                "`data_events` must say since when the trail selects all resources of a type",
                "data_events",
                hint='write {"AWS::S3::Object": 2026-06-01}',
            )
        for kind, since in self.mapping(value, data_types(), "data_events").items():
            if type(since) is not date:
                raise self.fail(f"`{kind}` must be a date such as 2026-06-01, not {since!r}", "data_events", kind)
        return dict(value)

    def _policy_of(self, base: Path, name: str, value: Any) -> tuple[Path, ...]:
        said = self.mapping(_given(value), _AGENT, "agents", name).get("policy", [])
        return tuple(base / path for path in self.strings(said, "agents", name, "policy"))

    def _principals(self, name: str, value: Any) -> tuple[Entry, ...]:
        value = self.mapping(_given(value), _AGENT, "agents", name).get("principals", [])
        if not isinstance(value, list):
            return (self._entry(value, "agents", name, "principals"),)
        return tuple(self._entry(one, "agents", name, "principals", i) for i, one in enumerate(value))

    def _jobs(self, name: str, value: Any) -> dict[str, tuple[Started, ...]]:
        """Job -> patterns over its runs, in the file's order: the first job that fits has the run."""
        said = self.mapping(_given(value), _AGENT, "agents", name).get("jobs", {})
        found: dict[str, tuple[Started, ...]] = {}
        for job, patterns in self.mapping(said, None, "agents", name, "jobs").items():
            keys = ("agents", name, "jobs", job)
            if not NAME.fullmatch(str(job)):
                near = next(iter(names([str(job)]).values()))
                raise self.fail(
                    f"{job!r} cannot be the name of a job: letters, digits, `-` and `_` only",
                    *keys,
                    hint=f"did you mean `{near}`?",
                )
            if not (several := patterns if isinstance(patterns, list) else [patterns]):
                raise self.fail(f"the job `{job}` has no pattern", *keys, hint='write a pattern such as "run-*"')
            found[str(job)] = tuple(self._started(one, *keys) for one in several)
        return found

    def _started(self, value: Any, *keys: str | int) -> Started:
        """A pattern over the session, or a mapping of patterns that must both hold."""
        if isinstance(value, str) and value:
            return Started(session=value)
        if not isinstance(value, dict) or not value:
            raise self.fail(
                f"`{keys[-1]}` must hold patterns, not {value!r}",
                *keys,
                hint=f"write a pattern over sessions in quotes, or a mapping of {' and '.join(JOB_KEYS)}",
            )
        for key, pattern in self.mapping(value, JOB_KEYS, *keys).items():
            if not isinstance(pattern, str) or not pattern:
                raise self.fail(f"`{key}` must be text, not {pattern!r}", *keys, key, hint="put it in quotes")
        return Started(**value)

    def _entry(self, value: Any, *keys: str | int) -> Entry:
        """A pattern for the ARN of a role or user, or a mapping of patterns that must all hold."""
        if not isinstance(value, dict):
            if not isinstance(value, str) or not value:
                raise self.fail(
                    f"`principals` must hold text or mappings, not {value!r}",
                    *keys,
                    hint=f"put an ARN in quotes, or write a mapping of {', '.join(KEYS)}",
                )
            return Entry({"role": value})
        if not value:
            raise self.fail("an empty mapping names nobody", *keys, hint=f"known here: {', '.join(KEYS)}")
        self.mapping(value, KEYS, *keys)
        for key, pattern in value.items():
            if not isinstance(pattern, str) or not pattern:
                raise self.fail(f"`{key}` must be text, not {pattern!r}", *keys, key, hint="put it in quotes")
        run = value.get("agentcore_runtime", "")
        if run.startswith(("arn:", "BedrockAgentCore")):
            raise self.fail(
                "`agentcore_runtime` is the ID in the session name BedrockAgentCore-ID",
                *keys,
                "agentcore_runtime",
                hint='for every run of one role, write {agentcore_runtime: "*", role: "arn:..."}',
            )
        return Entry(dict(value))

    def _tool(self, name: str, value: Any) -> dict[str, str]:
        """`{shell: cmd}` -> {"cmd": "shell"}; an empty mapping says that no program reads any of them."""
        said = self.mapping(_given(value), KINDS, "tools", name)
        found = {argument: kind for kind in said for argument in self.strings(said[kind], "tools", name, kind)}
        if len(found) < sum(len(self.strings(said[kind], "tools", name, kind)) for kind in said):
            raise self.fail("an argument is read by a shell or by a database, not by both", "tools", name)
        return found

    def _exception(self, index: int, value: Any) -> Exemption:
        value = self.mapping(value, _EXCEPTION, "exceptions", index)
        by_rule = "rule" in value
        if by_rule and ("service" in value or "actions" in value):
            raise self.fail(
                "an exception names a rule, or a service and its actions, not both", "exceptions", index, "rule"
            )
        self._complete(value, ("agent", *(("rule",) if by_rule else ("service", "actions"))), "exceptions", index)
        return Exemption(
            agent=value["agent"],
            service=value.get("service", ""),
            actions=() if by_rule else self.strings(value["actions"], "exceptions", index, "actions"),
            rule=value.get("rule", ""),
            reason=value["reason"],
            owner=value["owner"],
            until=value["until"],
        )

    def _rejection(self, index: int, value: Any) -> Rejection:
        value = self.mapping(value, _REJECTION, "rejected", index)
        self._complete(value, ("agent", "suggestion"), "rejected", index)
        return Rejection(
            agent=value["agent"],
            suggestion=value["suggestion"],
            reason=value["reason"],
            owner=value["owner"],
            until=value["until"],
        )

    def _complete(self, value: Mapping[str, Any], needed: tuple[str, ...], kind: str, index: int) -> None:
        """A decision of a person says about what, why, who answers for it and until when."""
        missing = [key for key in (*needed, *_SAID) if value.get(key) in (None, "", [])]
        if missing:
            raise self.fail(
                f"this entry lacks {', '.join(missing)}",
                kind,
                index,
                hint="it says what it is about, why, who answers for it and until which day",
            )
        for key in ("agent", "service", "rule", "suggestion", "reason", "owner"):
            if not isinstance(value.get(key, ""), str):
                raise self.fail(f"`{key}` must be text, not {value[key]!r}", kind, index, key, hint="put it in quotes")
        if type(value["until"]) is not date:
            raise self.fail("`until` must be a date such as 2027-01-31", kind, index, "until")
