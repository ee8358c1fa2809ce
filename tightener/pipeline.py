"""The whole program on one screen: ingest -> compare -> suggest -> prove -> report.

Each step takes what the one before it returned. Nothing here prints, and the clock is an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import duckdb

from tightener.config import Config
from tightener.decided import ended, excepted, rejected
from tightener.errors import NoEvidence, PolicyError, TightenerError, VerificationFailed
from tightener.logs import coverage, ingest, store, usage
from tightener.logs.callers import Entry
from tightener.logs.fleet import Fleet, fleet
from tightener.logs.staging import Progress
from tightener.model import AgentPolicy, Window
from tightener.policy import diff, document
from tightener.policy.document import PolicyFile, PolicySet
from tightener.policy.patterns import matches
from tightener.policy.rules import boxes
from tightener.prove.proof import Proof, prove
from tightener.prove.replay import exercised
from tightener.results import Proposal, Study
from tightener.services.semantics import fold_action
from tightener.tighten.ages import ages
from tightener.tighten.checklist import checklist
from tightener.tighten.compare import Comparison, Draft, Terms, compare
from tightener.tighten.evidence.judge import judge
from tightener.tighten.moves import moves
from tightener.tighten.owners import assign, reassigned, remember
from tightener.tighten.reach import reach, removed
from tightener.tighten.suggest import changes, suggest, with_required
from tightener.tighten.suggestion import Suggestion, additions
from tightener.tighten.wording import count

WINDOW_DAYS = 90
MIN_AGE_DAYS = 30
STALE_DAYS = 7  # a window that ends longer ago than this is warned about
_ROUNDS = 8  # a proposal has settled after one or two


@dataclass(frozen=True, slots=True)
class Project:
    """An open database with its configuration."""

    con: duckdb.DuckDBPyConnection
    config: Config
    temporary: bool = False  # in memory, for one run: it has no past of its own


def open_project(config: Config, database: Path | None) -> Project:
    """Opens the database (None = a temporary one in memory)."""
    return Project(store.open(database), config, temporary=database is None)


def read_logs(
    project: Project,
    paths: Sequence[str],
    now: datetime,
    progress: Callable[[Progress], None],
    force_format: str | None = None,
) -> ingest.IngestReport:
    """Reads logs into the database; a file that it knows already costs nothing."""
    return ingest.ingest(
        project.con,
        paths,
        now=now,
        formats=project.config.formats,
        tools=project.config.tools,
        force_format=force_format,
        progress=progress,
    )


def read_policies(project: Project, paths: Sequence[Path] = ()) -> PolicySet:
    """The policy files: those named, else those of the configuration, where each agent has to be in its own."""
    own = {} if paths else project.config.policy_of
    paths = paths or project.config.policy
    if not paths:
        raise TightenerError(
            "no policy file is named",
            slug="no-policy",
            hint="give --policy FILE, or `policy:` in tightener.yaml",
        )
    here = Path.cwd()  # paths as a reader would type them
    named = [p.relative_to(here) if p.is_relative_to(here) else p for p in paths]
    found = document.load(named, project.config.aliases)
    for agent, places in own.items():
        if agent not in found.agents:
            files = ", ".join(map(str, places))
            raise PolicyError(
                f"{files} names no agent {agent}, as tightener.yaml says that it does",
                slug="unknown-agent",
                hint=f"agents there are: {', '.join(sorted(found.agents)) or 'none'}",
            )
    return found


def study(
    project: Project,
    policies: PolicySet,
    agent: str,
    *,
    days: int = WINDOW_DAYS,
    as_of: date | None = None,
    min_age: int = MIN_AGE_DAYS,
    since: Mapping[tuple[int, str], date | None] | None = None,
) -> Study:
    """Compares one agent's grants with its use over the window.

    `since` says since when each action is granted (None there = unknown); default: asked of Git and the database.
    """
    policy, file = agent_of(policies, agent)
    window, callers = collect(project, agent, days, as_of)
    if since is None:
        since = ages(None if project.temporary else project.con, Path(file.path), policy, window.last)
    return compared(project, policies, agent, window, callers, fleet(project.con, window), days, min_age, since)


def agent_of(policies: PolicySet, agent: str) -> tuple[AgentPolicy, PolicyFile]:
    """An agent's policy and the file that it stands in. Raises PolicyError (`unknown-agent`)."""
    if agent not in policies.agents:
        known = ", ".join(sorted(policies.agents)) or "none"
        raise PolicyError(f"no policy names the agent {agent}", slug="unknown-agent", hint=f"agents there are: {known}")
    return policies.agents[agent], policies.file_of(agent)


def compared(
    project: Project,
    policies: PolicySet,
    agent: str,
    window: Window,
    callers: usage.Callers,
    of: Fleet,
    days: int,
    min_age: int,
    since: Mapping[tuple[int, str], date | None],
    job: str = "",
) -> Study:
    """The comparison of what was collected: all that the agent did, or (logs.jobs.narrow) one job of it."""
    policy, file = agent_of(policies, agent)
    seen = coverage.measure(
        project.con,
        agent,
        window,
        project.config.covers,
        project.config.data_events,
        trail_sees_agent=callers.own > 0,
    )
    terms = Terms(
        window=window,
        asked_days=days,
        min_age=min_age,
        coverage=seen,
        excepted=excepted(project.config, agent, window.last),
        granted_since=since,
        judge=judge(of, policies.agents.values(), agent, window, days, min_age),
    )
    comparison = compare(project.con, policy, terms)
    return Study(
        file,
        comparison,
        exercised(project.con),
        tuple(one.sentence for one in callers.shared),
        ended(project.config, policy, window.last),
        job,
    )


def collect(project: Project, agent: str, days: int, as_of: date | None) -> tuple[Window, usage.Callers]:
    """Finds what one agent did, and who it is in the logs; the window ends at the last logged day or at `as_of`."""
    window = usage.window(project.con, days, as_of)
    return window, usage.collect(project.con, agent, window, project.config.owner_of)


def usage_of(project: Project, agent: str, days: int, as_of: date | None) -> duckdb.DuckDBPyRelation:
    """What one agent did, by day, request and outcome class (usage.sql)."""
    window, _ = collect(project, agent, days, as_of)
    return usage.roll_up(project.con, agent, window)


def propose(
    project: Project, found: Study, only: Sequence[str] = (), refused: Mapping[str, str] | None = None
) -> Proposal:
    """Suggests, proves every edit by itself, and the composition again.

    `refused`: suggestion's id -> why a person wants it left out, besides what the configuration says.
    Raises NoEvidence where the coverage is too thin, VerificationFailed where the whole does not hold.
    """
    enough(found.comparison)
    found, kept, left_out = _settled(project, found, refused or {})
    if only:
        kept = with_required(chosen(kept, only), kept)
        left_out = []
    whole = _proof(found, kept)
    if not whole.holds:
        raise VerificationFailed(
            f"the composed proposal for {found.policy.name} does not hold: {whole.reason}",
            slug="proposal-not-proved",
            hint="nothing was written; try single suggestions with --only ID",
        )
    name = diff.name_in_repository(Path(found.file.path))
    made = found.file.rewritten(changes(kept), additions(kept))
    new, comparison = (
        document.parse(made.text, found.file.path, found.file.aliases).agents[found.policy.name],
        found.comparison,
    )
    before = reach(found.policy, comparison)
    return Proposal(
        study=found,
        suggestions=tuple(kept),
        left_out=tuple(left_out),
        text=made.text,
        diff=diff.unified(found.file.text, made.text, name),
        proof=whole,
        before=before,
        after=reach(new, comparison, before),
        checklist=checklist(
            project.con, new, made.origin[new.name], comparison, moves(project.con, comparison), _unmoved(left_out)
        ),
        removes=removed(kept, comparison),
    )


def _unmoved(left_out: Sequence[tuple[Suggestion, str]]) -> dict[tuple[int, str], str]:
    """(rule, action) -> why it does not move to approval."""
    return {
        (rule.index, action): reason for one, reason in left_out for rule in one.moved for action in rule.body.actions
    }


def _settled(
    project: Project, found: Study, no: Mapping[str, str]
) -> tuple[Study, list[Suggestion], list[tuple[Suggestion, str]]]:
    """The suggestions that a second run would have nothing to add to, and the comparison that they rest on.

    Narrowing a rule can move uses to it or away from it, where several rules grant the same. So the comparison is made
    again as if the proposal were in force, until that changes nothing any more.
    """
    kept, left_out = _composed(project, found, no)
    for _ in range(_ROUNDS if found.comparison.contested and kept else 0):
        made, policy, terms = found.file.rewritten(changes(kept), additions(kept)), found.policy, found.comparison.terms
        text, origin = made.text, made.origin[policy.name]
        new = document.parse(text, found.file.path, found.file.aliases).agents.get(found.policy.name)
        if new is None:
            break
        remember(project.con)
        assign(project.con, policy, terms.moment, new, origin)
        if not reassigned(project.con):
            break
        again = replace(found, comparison=compare(project.con, policy, terms, Draft(new, origin, found.comparison)))
        more, out = _composed(project, again, no)
        if _apply(again, more) == text:
            break
        found, kept, left_out = again, more, out
    return found, kept, left_out


def _composed(
    project: Project, found: Study, no: Mapping[str, str]
) -> tuple[list[Suggestion], list[tuple[Suggestion, str]]]:
    """The suggestions that were proved and hold together, in document order, and the others, with the reason."""
    refused = {**no, **rejected(project.config, found.policy.name, found.comparison.terms.window.last)}
    if found.job:
        refused = _taking(project, found, refused)
    kept, failed = _proved(found, suggest(project.con, found.comparison, refused), refused)
    stuck = {one.id: reason for one, reason in failed if one.moved and one.id not in refused}
    if stuck:  # what cannot move stays where it is, and the others leave room for it
        out = {**refused, **stuck}
        kept, failed = _proved(found, suggest(project.con, found.comparison, out), out)
    return (kept, failed) if not kept or not _reason(found, kept) else _one_by_one(found, kept, failed)


def _taking(project: Project, found: Study, refused: Mapping[str, str]) -> dict[str, str]:
    """A job's part of a policy only loses what the job does not use; what to ask about is a question of its own."""
    out = dict(refused)
    while more := {
        one.id: "asked about once the job is an agent of its own"
        for one in suggest(project.con, found.comparison, out)
        if one.id not in out and (one.moved or one.edit.deny is not None)
    }:
        out |= more
    return out


def _proved(
    found: Study, every: Sequence[Suggestion], refused: Mapping[str, str]
) -> tuple[list[Suggestion], list[tuple[Suggestion, str]]]:
    """The suggestions that were proved, in document order, and those that were not or were refused, with the reason.

    What fails by itself may hold together with the others of its service (an approval rule is a limit only as long as
    there is an allow below it): then it requires them.
    """
    kept: list[Suggestion] = []
    failed: list[tuple[Suggestion, str]] = []
    for one in every:
        alone = with_required([one], every)
        missing = [s for s in alone if s is not one and s not in kept]
        reason = refused.get(one.id, "")
        if missing and not reason:
            reason = f"it needs {missing[0].id}, which is left out"
        reason = reason or _reason(found, alone, one)
        if reason:
            failed.append((one, reason))
        else:
            kept.append(one)
    retry = True
    while retry:
        retry = False
        for one, reason in tuple(pair for pair in failed if pair[0].id not in refused):
            others = tuple(s.id for s in kept if s.rule.service == one.rule.service)
            together = [s for s in every if s.id in others or s is one]
            if others and set(one.requires) <= set(others) and not _reason(found, together):
                kept.append(replace(one, requires=others))
                failed.remove((one, reason))
                retry = True
    order = {s.id: i for i, s in enumerate(every)}
    return sorted(kept, key=lambda s: order[s.id]), failed


def _one_by_one(
    found: Study, kept: list[Suggestion], failed: list[tuple[Suggestion, str]]
) -> tuple[list[Suggestion], list[tuple[Suggestion, str]]]:
    """As many of them as hold together, taken one by one in document order."""
    good: list[Suggestion] = []
    for one in kept:
        more = [s for s in with_required([one], kept) if s not in good]
        reason = _reason(found, [s for s in kept if s in good or s in more])
        if reason:
            failed.append((one, f"not together with the others: {reason}"))
        else:
            good += more
    return [s for s in kept if s in good], failed


def _reason(found: Study, chosen: Sequence[Suggestion], one: Suggestion | None = None) -> str:
    """Why these suggestions together are not proved; '' where they are."""
    try:
        return _proof(found, chosen, one).reason
    except PolicyError as error:  # an edit that the text does not allow, such as one behind an alias
        return error.message


def write(file: PolicyFile, text: str) -> None:
    """Writes a new text over the policy file, unless the file has changed since it was read."""
    path = Path(file.path)
    if document.read_text(path) != file.text:
        raise TightenerError(f"{path} has changed meanwhile", slug="file-changed", hint="run suggest again")
    temporary = path.with_name(f".{path.name}.tightener")
    temporary.write_bytes(document.encode(text))
    temporary.chmod(path.stat().st_mode)
    temporary.replace(path)


def digest(text: str) -> str:
    """SHA-256 of a policy file's bytes, hex."""
    return hashlib.sha256(document.encode(text)).hexdigest()


def _apply(found: Study, chosen: Sequence[Suggestion]) -> str:
    return found.file.rewrite(changes(chosen), additions(chosen)) if chosen else found.file.text


def _proof(found: Study, chosen: Sequence[Suggestion], one: Suggestion | None = None) -> Proof:
    """Proves the file with these edits, read back from its text. With `one`, only its rule is replayed."""
    name = found.policy.name
    new = document.parse(_apply(found, chosen), found.file.path, found.file.aliases).agents[name]
    only = None
    if one is not None:
        own = boxes(one.rule, one.rule.service)
        only = [
            (service, action)
            for service, action in found.requests.whole
            if service == one.rule.service and any(matches(b.action, fold_action(service, action)) for b in own)
        ]
    moved = [rule for suggestion in chosen for rule in suggestion.moved]
    return prove(found.policy, new, found.requests, found.comparison.terms.moment, only, moved)


def chosen(every: Sequence[Suggestion], only: Sequence[str]) -> list[Suggestion]:
    """The suggestions with these ids, in their own order. Raises TightenerError (`unknown-suggestion`)."""
    unknown = [wanted for wanted in only if wanted not in {s.id for s in every}]
    if unknown:
        known = ", ".join(s.id for s in every) or "none"
        raise TightenerError(
            f"there is no suggestion {unknown[0]}", slug="unknown-suggestion", hint=f"there are: {known}"
        )
    return [s for s in every if s.id in only]


def enough(comparison: Comparison) -> None:
    """Raises NoEvidence where no source that knows the agent was read on enough days to say anything."""
    terms = comparison.terms
    knowing = terms.coverage.knowing
    if not knowing:
        raise NoEvidence(
            f"no log that was read knows the agent {comparison.policy.name}",
            slug="agent-not-seen",
            hint="check the name, or say which principals it is with --principal",
        )
    best = max(source.full for source in knowing)
    if best < terms.days_needed:
        raise NoEvidence(
            f"coverage is too thin to say anything: {count(best, 'whole day')} of log at best,"
            f" at least {terms.days_needed} needed",
            slug="thin-coverage",
            hint=f"read more logs, or ask for what there is: --window {best}d" if best else "read more logs",
        )


def with_principals(config: Config, agent: str, patterns: Sequence[str]) -> Config:
    """The configuration with further principals for one agent (--principal)."""
    if not patterns:
        return config
    entries: Mapping[str, tuple[Entry, ...]] = {
        **config.principals,
        agent: (*config.principals.get(agent, ()), *(Entry({"role": one}) for one in patterns)),
    }
    return replace(config, principals=entries)
