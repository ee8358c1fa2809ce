"""The whole program on one screen: ingest -> compare -> suggest -> prove -> report.

Each step takes what the one before it returned. Nothing here prints, and the clock is an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path

import duckdb

from tightener.composition import proof, settled
from tightener.config import Config
from tightener.decided import ended, excepted, rejected
from tightener.errors import LogError, NoEvidence, PolicyError, TightenerError, VerificationFailed
from tightener.logs import coverage, ingest, planned, pruning, spark, store, usage, usage_files
from tightener.logs.callers import Entry
from tightener.logs.fleet import Fleet, fleet
from tightener.logs.s3.reading import keep
from tightener.logs.s3.source import Source, named
from tightener.logs.staging import Progress
from tightener.model import AgentPolicy, Window
from tightener.policy import diff, document
from tightener.policy.document import PolicyFile, PolicySet
from tightener.prove.replay import exercised
from tightener.results import Proposal, Study
from tightener.tighten.ages import ages
from tightener.tighten.checklist import checklist
from tightener.tighten.compare import Comparison, Terms, compare
from tightener.tighten.evidence.judge import judge
from tightener.tighten.moves import moves
from tightener.tighten.promotion import candidates
from tightener.tighten.reach import reach, removed
from tightener.tighten.suggest import changes, with_required
from tightener.tighten.suggestion import Suggestion, additions
from tightener.tighten.wording import count

WINDOW_DAYS = 90
MIN_AGE_DAYS = 30
STALE_DAYS = 7  # a window that ends longer ago than this is warned about


@dataclass(frozen=True, slots=True)
class Project:
    """An open database with its configuration."""

    con: duckdb.DuckDBPyConnection
    config: Config
    temporary: bool = False  # in memory, for one run: it has no past of its own


def open_project(config: Config, database: Path | None) -> Project:
    """Opens the database (None = a temporary one in memory)."""
    return Project(store.open(database, config.limits), config, temporary=database is None)


def logs_of(config: Config, paths: Sequence[str] = ()) -> tuple[tuple[str, ...], tuple[Source, ...]]:
    """Paths of log files, and sources in S3: those named, else all of the configuration. Raises TightenerError."""
    local, sources = named(paths or config.logs, config.sources)
    sources = sources if paths else (*config.sources, *sources)
    if not local and not sources:
        place = config.path or "tightener.yaml"
        raise TightenerError(
            "no logs are named", slug="no-logs", hint=f"give PATHs, or `logs:` or `sources:` in {place}"
        )
    return local, sources


def read_logs(
    project: Project,
    paths: Sequence[str],
    now: datetime,
    progress: Callable[[Progress], None],
    force_format: str | None = None,
) -> ingest.IngestReport:
    """Reads logs into the database: those named, else all of the configuration. What it knows already costs nothing."""
    local, sources = logs_of(project.config, paths)
    if not paths:
        keep(project.con, sources)
    return ingest.ingest(
        project.con,
        local,
        sources=sources,
        now=now,
        formats=project.config.formats,
        tools=project.config.tools,
        force_format=force_format,
        progress=progress,
        largest=project.config.largest_file,
    )


def keep_usage(project: Project) -> int:
    """Writes the usage files of the days that are out of date; how many these are."""
    return usage_files.refresh(project.con)


def read_logs_on_spark(
    project: Project,
    paths: Sequence[str],
    now: datetime,
    master: str | None,
    say: Callable[[str], None],
    force_format: str | None = None,
    *,
    progress: bool,
) -> ingest.IngestReport:
    """The same on a cluster, into usage alone. `master` as Spark names one; `progress`: with Spark's own bar.

    Raises LogError (`spark-sources`) where an object store is named.
    """
    local, sources = logs_of(project.config, paths)
    if sources:
        raise LogError(
            "a cluster reads files that all its workers see under one path, not `s3://`",
            slug="spark-sources",
            hint="mount the bucket on the workers and name its folder, or read it without --engine",
        )
    return spark.read(
        partial(spark.connect, master, progress=progress),
        project.con,
        local,
        now=now,
        formats=project.config.formats,
        tools=project.config.tools,
        force_format=force_format,
        say=say,
        largest=project.config.largest_file,
    )


def prune(project: Project, plan: pruning.Plan) -> int:
    """Drops the events of a plan and keeps their usage; the bytes that this frees in the database."""
    freed = pruning.prune(project.con, plan, project.config.owner_of)
    usage_files.refresh(project.con)
    return freed


def plan_logs(project: Project, paths: Sequence[str]) -> planned.PlanReport:
    """What `read_logs` would read, and what that would cost."""
    local, sources = logs_of(project.config, paths)
    return planned.plan(project.con, local, sources, project.config.formats, project.config.tools)


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
        candidates(project.con, comparison),
        pruning.dropped(project.con, window),
        job,
    )


def collect(project: Project, agent: str, days: int, as_of: date | None) -> tuple[Window, usage.Callers]:
    """Finds what one agent did, and who it is in the logs; the window ends at the last logged day or at `as_of`."""
    window = usage.window(project.con, days, as_of)
    return window, usage.collect(project.con, agent, window, project.config.owner_of)


def usage_of(project: Project, agent: str, days: int, as_of: date | None) -> duckdb.DuckDBPyRelation:
    """What one agent did, by day, request and outcome class (agent_usage.sql)."""
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
    no = {**(refused or {}), **rejected(project.config, found.policy.name, found.comparison.terms.window.last)}
    found, best = settled(project.con, found, no)
    kept, left_out = best.kept, best.left_out
    if only:
        kept = with_required(chosen(kept, only), kept)
        left_out = []
    whole = proof(found, kept)
    if not whole.holds:
        raise VerificationFailed(
            f"the composed proposal for {found.policy.name} does not hold: {whole.reason}",
            slug="proposal-not-proved",
            hint="nothing was written; try single suggestions with --only ID",
        )
    name = diff.name_in_repository(Path(found.file.path))
    made = found.file.rewritten(changes(kept), additions(kept))
    new, comparison = made.file.agents[found.policy.name], found.comparison
    before = reach(found.policy, comparison)
    return Proposal(
        study=found,
        suggestions=tuple(kept),
        left_out=tuple(left_out),
        text=made.file.text,
        diff=diff.unified(found.file.text, made.file.text, name),
        proof=whole,
        before=before,
        after=reach(new, comparison, before),
        checklist=checklist(
            project.con, new, made.origin[new.name], comparison, moves(project.con, comparison), _unmoved(left_out)
        ),
        removes=removed(kept, comparison),
        open=tuple(best.open),
    )


def _unmoved(left_out: Sequence[tuple[Suggestion, str]]) -> dict[tuple[int, str], str]:
    """(rule, action) -> why it does not move to approval."""
    return {
        (rule.index, action): reason for one, reason in left_out for rule in one.moved for action in rule.body.actions
    }


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
