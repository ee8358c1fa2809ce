"""One policy per job, not per persona: what an agent's jobs would each be granted as separate agents (docs/jobs.md).

The comparison, the suggestions and the proofs are those of `tightener suggest`, asked of one job's runs at a time. Only
what is taken away counts here: nothing moves to approval, so whatever a job did keeps its level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from tightener.errors import PolicyError, TightenerError, VerificationFailed
from tightener.logs import jobs as runs
from tightener.logs.fleet import fleet
from tightener.logs.jobs import Started
from tightener.pipeline import MIN_AGE_DAYS, WINDOW_DAYS, Project, agent_of, collect, compared, propose
from tightener.policy import diff, document
from tightener.policy.document import PolicySet
from tightener.prove.proof import prove
from tightener.results import Part, Proposal, Split
from tightener.tighten.ages import ages
from tightener.tighten.reach import reach

MOST = 50  # jobs; more are hardly jobs, but what the gateway says of every single run


def split(
    project: Project,
    policies: PolicySet,
    agent: str,
    *,
    days: int = WINDOW_DAYS,
    as_of: date | None = None,
    min_age: int = MIN_AGE_DAYS,
) -> Split:
    """What each job of the agent would be granted as an agent of its own, proved against the agent's policy.

    Raises PolicyError (`unknown-agent`, `agent-exists`, ...), TightenerError (`no-jobs`, `too-many-jobs`), NoEvidence
    where the coverage is too thin, VerificationFailed where a proof does not hold.
    """
    policy, file = agent_of(policies, agent)
    window, callers = collect(project, agent, days, as_of)
    con = project.con
    since = ages(None if project.temporary else con, Path(file.path), policy, window.last)
    everybody = fleet(con, window)
    whole = compared(project, policies, agent, window, callers, everybody, days, min_age, since)
    before = reach(policy, whole.comparison)
    named = project.config.jobs.get(agent, {})
    if named:
        runs.assign_named(con, agent, window, named)
        told = {job: tuple(map(_shown, patterns)) for job, patterns in named.items()}
    else:
        causes = runs.names(runs.told(con, agent, window))
        _few(agent, causes)
        runs.assign_told(con, agent, window, causes)
        told = {job: (f"on_behalf_of {cause}",) for cause, job in sorted(causes.items(), key=lambda pair: pair[1])}
    shares = runs.shares(con, agent, window)
    working = [job for job in told if job in shares.jobs]
    if not working:
        raise _no_jobs(agent, named)
    for job in working:
        _free(policies, f"{agent}.{job}")
    proposals: dict[str, Proposal] = {}
    for job in working:
        runs.narrow(con, agent, window, job)
        own = runs.fleet_with(con, everybody, agent, window)
        study = compared(project, policies, agent, window, callers, own, days, min_age, since, job)
        proposals[job] = propose(project, study)
    text = file.with_copies(agent, {f"{agent}.{job}": one.text for job, one in proposals.items()})
    made = document.parse(text, file.path, file.aliases).agents
    parts = []
    for job, one in proposals.items():
        name = f"{agent}.{job}"
        proof = prove(policy, made[name], one.study.requests, one.study.comparison.terms.moment)
        if not proof.holds:
            raise VerificationFailed(
                f"the policy of {name} does not hold: {proof.reason}",
                slug="proposal-not-proved",
                hint="nothing was written; please report it",
            )
        parts.append(Part(name, told[job], shares.jobs[job], one, made[name], proof))
    return Split(
        study=whole,
        before=before,
        named=bool(named),
        parts=tuple(parts),
        shares=shares,
        idle=tuple(job for job in told if job not in shares.jobs),
        text=text,
        diff=diff.added(file.text, text, diff.name_in_repository(Path(file.path))),
    )


def _shown(pattern: Started) -> str:
    said = (("session", pattern.session), ("on_behalf_of", pattern.on_behalf_of))
    return ", ".join(f"{key} {value}" for key, value in said if value != "*") or "every session"


def _few(agent: str, causes: Mapping[str, str]) -> None:
    if len(causes) > MOST:
        raise TightenerError(
            f"the gateway names {len(causes):,} causes of {agent}'s runs; {MOST} at most can be jobs",
            slug="too-many-jobs",
            hint="put them together by patterns: `jobs:` of the agent in tightener.yaml",
        )


def _no_jobs(agent: str, named: Mapping[str, Sequence[Started]]) -> TightenerError:
    return TightenerError(
        f"no use of {agent} in this window belongs to a job",
        slug="no-jobs",
        hint="no session matches the patterns of its `jobs:` in tightener.yaml"
        if named
        else "its gateway logs no on_behalf_of: name its jobs by their sessions, under `jobs:` in tightener.yaml",
    )


def _free(policies: PolicySet, name: str) -> None:
    """Raises PolicyError (`agent-exists`) where some policy file has an agent of this name."""
    if name in policies.agents:
        raise PolicyError(
            f"there is an agent {name} already",
            slug="agent-exists",
            hint=f"tighten it by itself, `tightener suggest --agent {name}`, or remove it to have it made anew",
            place=policies.agents[name].place,
        )
