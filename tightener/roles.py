"""The granted side of AWS: an account's IAM in the place of, or beside, the gateway's policy.

As in the pipeline, each step takes what the one before it returned, nothing prints, and the clock is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from tightener.config import Config
from tightener.decided import excepted
from tightener.errors import TightenerError
from tightener.iam.account import Account, Identity, is_principal
from tightener.iam.beyond import Compared, beyond, identities_of
from tightener.iam.granted import granted
from tightener.logs import coverage
from tightener.model import AgentPolicy
from tightener.pipeline import MIN_AGE_DAYS, WINDOW_DAYS, Project, collect
from tightener.policy.document import PolicyFile
from tightener.prove.replay import exercised
from tightener.resources import query
from tightener.results import RoleStudy, Study
from tightener.tighten.compare import Terms, compare


def study_role(
    project: Project,
    account: Account,
    agent: str,
    *,
    days: int = WINDOW_DAYS,
    as_of: date | None = None,
    min_age: int = MIN_AGE_DAYS,
) -> RoleStudy:
    """The same comparison with the agent's IAM roles as the granted side. Nothing is ever proposed from it.

    A gateway's log covers what the gateway grants; a role can be used past it, so only CloudTrail can show here that
    something was not used.
    Raises TightenerError (`iam-no-role`) when no principal of the agent is in the account.
    """
    found, missing = roles_of(project.config, account, agent)
    logged = [a for (a,) in project.con.execute(query("aws_action")).fetchall()]
    rules = granted(agent, found, logged)
    window, callers = collect(project, agent, days, as_of)
    project.con.execute("DELETE FROM request WHERE service <> 'aws'")
    config = project.config
    seen = coverage.measure(
        project.con, agent, window, config.covers, config.data_events, trail_sees_agent=callers.own > 0
    )
    seen = replace(seen, sources=tuple(s for s in seen.sources if s.source == coverage.TRAIL), gateways=frozenset())
    terms = Terms(
        window=window,
        asked_days=days,
        min_age=min_age,
        coverage=seen,
        excepted=excepted(project.config, agent, window.last),
        granted_since=rules.since,
    )
    compared = compare(project.con, rules.policy, terms)
    grants = [replace(g, pattern=rules.written(g.rule, g.action)) for g in compared.grants]
    kept = tuple(g for g in grants if rules.holds(g.rule, g.action))
    refused = tuple(g for g in grants if not rules.holds(g.rule, g.action))
    file = PolicyFile(account.path, "", {agent: rules.policy}, (), {})
    return RoleStudy(
        study=Study(file, replace(compared, grants=kept), exercised(project.con)),
        identities=found,
        statements={rule.index: rules.statement(rule) for rule in rules.policy.rules},
        without_effect=refused,
        notes=(*rules.notes, *(f"the principal {p} names no role or user of this account" for p in missing)),
    )


def beyond_gateway(
    config: Config, account: Account, policy: AgentPolicy | None, agent: str, at: datetime
) -> tuple[Compared, ...]:
    """What each of an agent's roles can do beyond its gateway policy. Raises TightenerError (`iam-no-role`)."""
    found, missing = roles_of(config, account, agent)
    named = tuple(f"the principal {p} names no role or user of this account" for p in missing)
    results = []
    for one in found:
        compared = beyond(agent, policy, one, at)
        notes: tuple[str, ...] = named
        several = [a for a in config.principals if any(is_principal(p, one.arn) for p in role_patterns(config, a))]
        if len(several) > 1:
            notes += (f"this role is shared by {', '.join(several)}: the log cannot tell them apart by it",)
        results.append(replace(compared, undecided=(*notes, *compared.undecided)))
    return tuple(results)


def beyond_gateways(
    config: Config, account: Account, policies: Mapping[str, AgentPolicy], agent: str, at: datetime
) -> tuple[dict[str, tuple[Compared, ...]], list[str]]:
    """`beyond_gateway` for one agent, or ('') for each that a policy or the configuration names; and what was left out.

    Raises TightenerError (`iam-no-role`) where the one agent, or none at all, is in the account.
    """
    found: dict[str, tuple[Compared, ...]] = {}
    notes: list[str] = []
    for name in [agent] if agent else dict.fromkeys([*policies, *config.principals]):
        try:
            found[name] = beyond_gateway(config, account, policies.get(name), name, at)
        except TightenerError as error:
            if agent or error.slug != "iam-no-role":
                raise
            notes.append(f"{error.message}: {error.hint}")
            continue
        if name not in policies:
            notes.append(f"no policy names the agent {name}: the gateway grants it nothing")
    if not found:
        raise TightenerError(
            f"{account.path} holds no role or user that is any agent",
            slug="iam-no-role",
            hint="say which are whose under `agents:` in tightener.yaml",
        )
    return found, notes


def roles_of(config: Config, account: Account, agent: str) -> tuple[tuple[Identity, ...], tuple[str, ...]]:
    """The roles and users that an agent acts as, and its principals that the account does not know."""
    principals = role_patterns(config, agent)
    found, missing = identities_of(account, principals)
    if not found:
        raise TightenerError(
            f"{account.path} holds no role or user that is the agent {agent}",
            slug="iam-no-role",
            hint=f"its principals are: {', '.join(principals)}"
            if principals
            else "say which it is with --principal, or under `agents:` in tightener.yaml",
        )
    return found, missing


def role_patterns(config: Config, agent: str) -> tuple[str, ...]:
    """The patterns over ARNs of roles and users in what the configuration says about who an agent is."""
    return tuple(entry.patterns["role"] for entry in config.principals.get(agent, ()) if "role" in entry.patterns)
