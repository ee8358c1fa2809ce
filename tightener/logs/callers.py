"""Who a logged caller is: everything that CloudTrail says about it, and the ladder that maps it to an agent.

What identifies a caller differs in worth: a source identity cannot be changed once the role was assumed, a session
name is whatever the caller wrote. The strongest that matches decides (docs/cloudtrail.md, "Who").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache

import duckdb

from tightener.policy.patterns import matches
from tightener.resources import query

# The ladder, strongest first: what a step is called, and the fields of Identity that stand on it.
LADDER: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("source identity", ("source_identity",)),
    ("AWS MCP sign-in session", ("sign_in_session",)),
    ("AgentCore runtime session", ("agentcore_runtime",)),
    ("gateway token", ("jwt_sub", "jwt_client")),
    ("role or user", ("role",)),
    ("session name", ("session_name",)),
    ("access key", ("access_key",)),
)
KEYS = tuple(key for _, keys in LADDER for key in keys)


@dataclass(frozen=True, slots=True)
class Identity:
    """One combination of what identifies a caller; '' = the log does not say. Its fields are `KEYS`, in their order."""

    source_identity: str = ""
    sign_in_session: str = ""  # only of the AWS MCP Server: people sign in, too
    agentcore_runtime: str = ""
    jwt_sub: str = ""
    jwt_client: str = ""
    role: str = ""  # the ARN of the role or user
    session_name: str = ""
    access_key: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an agent's `principals`: patterns by key, all of which must hold."""

    patterns: Mapping[str, str]

    @property
    def strength(self) -> tuple[int, ...]:
        """How many keys it names on each step of the ladder: of two entries the greater is the stronger."""
        return tuple(sum(key in self.patterns for key in keys) for _, keys in LADDER)

    def holds(self, of: Identity) -> bool:
        """Whether every pattern matches; an absent value (one that the log does not give) is matched by none."""
        values = ((str(getattr(of, key)), pattern) for key, pattern in self.patterns.items())
        return all(value != "" and _matches(pattern, value) for value, pattern in values)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an identity is: one agent's; nobody's ('', no `rivals`); or claimed by several, and so nobody's."""

    agent: str = ""
    how: str = ""  # the steps of the ladder that decided, in words
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """One credential that several use: agents, and perhaps callers that are no agent's (a person, say)."""

    kind: str  # 'role or user' or 'access key'
    credential: str
    agents: tuple[str, ...]
    others: bool
    contested: bool  # some of its callers are claimed by several agents, and so credited to none

    @property
    def sentence(self) -> str:
        """What is shared by whom."""
        users = [*self.agents, *(["callers that are no agent's"] if self.others else [])]
        text = f"{self.kind} {self.credential} is shared by {', '.join(users[:-1])} and {users[-1]}"
        return f"{text}; what several of them claim is credited to none" if self.contested else text


OwnerOf = Callable[[Identity], Owner]


@lru_cache(maxsize=1 << 16)
def _matches(pattern: str, value: str) -> bool:
    return matches(pattern, value)


def owner(of: Identity, entries: Mapping[str, Sequence[Entry]]) -> Owner:
    """The agent with the strongest entry that holds.

    Entries are compared step by step from the top, so that a role with a session name is stronger than that role alone.
    Of agents whose strongest entries are equal none is chosen: guessing would credit one with another's work.
    """
    best: dict[str, tuple[int, ...]] = {}
    for agent, its in entries.items():
        held = [entry.strength for entry in its if entry.holds(of)]
        if held:
            best[agent] = max(held)
    if not best:
        return Owner()
    top = max(best.values())
    first = sorted(agent for agent, strength in best.items() if strength == top)
    how = " and ".join(name for (name, _), keys in zip(LADDER, top, strict=True) if keys)
    return Owner(first[0], how) if len(first) == 1 else Owner("", how, tuple(first))


def seen(con: duckdb.DuckDBPyConnection) -> dict[int, Identity]:
    """Every caller of a logged request that names no agent itself, by its id."""
    return {number: Identity(*texts) for number, *texts in con.execute(query("callers")).fetchall()}


def shared(owners: Iterable[tuple[Identity, Owner]]) -> tuple[Shared, ...]:
    """The roles, users and access keys that several agents use, or an agent and somebody who is none.

    What is contested as a whole is so because its role or user is: its keys (a new one every hour) would say no more.
    """
    users: dict[tuple[str, str], set[tuple[str, ...]]] = {}  # by credential: whom its callers are, or may be
    for of, its in owners:
        for kind, credential in (("role or user", of.role), ("access key", of.access_key)):
            if credential:
                users.setdefault((kind, credential), set()).add(its.rivals or (its.agent,))
    return tuple(
        Shared(
            kind,
            credential,
            tuple(sorted({agent for claim in claims for agent in claim} - {""})),
            ("",) in claims,
            any(len(claim) > 1 for claim in claims),
        )
        for (kind, credential), claims in sorted(users.items(), key=lambda item: (item[0][0] == "access key", item[0]))
        if len(claims) > 1 or (kind != "access key" and any(len(claim) > 1 for claim in claims))
    )


@dataclass(slots=True)
class Row:
    """One line of `tightener agents`: callers that only their sessions and temporary keys tell apart are one."""

    named: str  # the agent that the log itself names
    owner: Owner
    identity: Identity  # without session name, run and temporary access key, unless the caller has nothing else
    runtime: bool  # an AgentCore runtime session
    by_service: bool  # AWS services for themselves, all in one
    events: int
    sessions: int
    first: str
    last: str


def rows(con: duckdb.DuckDBPyConnection, owner_of: OwnerOf) -> tuple[list[Row], tuple[Shared, ...]]:
    """Everybody who acted, and the credentials that are shared: first those that are no agent's, then the largest.

    AWS services that acted for themselves are one row, the last.
    """
    identities = seen(con)
    owners = {number: owner_of(of) for number, of in identities.items()}
    found: dict[tuple[object, ...], Row] = {}
    sessions: dict[tuple[object, ...], set[str]] = {}
    for named, number, by_service, events, count, first, last in con.execute(query("principals")).fetchall():
        of = Identity() if named else identities.get(number, Identity())
        its = Owner(named, "named by the log") if named else owners.get(number, Owner())
        runtime = bool(of.agentcore_runtime)
        key = (named, its.agent, its.how, its.rivals, runtime, by_service, *astuple(_shown(of)))
        begun, ended = f"{first.isoformat()}Z", f"{last.isoformat()}Z"
        row = found.setdefault(key, Row(named, its, _shown(of), runtime, by_service, 0, 0, begun, ended))
        row.events += events
        row.first, row.last = min(row.first, begun), max(row.last, ended)
        if of.session_name:  # one session may have several access keys
            sessions.setdefault(key, set()).add(of.session_name)
            row.sessions = len(sessions[key])
        else:
            row.sessions += count
    ordered = sorted(
        found.values(),
        key=lambda r: (
            r.by_service,
            bool(r.owner.agent),
            -r.events,
            r.owner.agent,
            astuple(r.identity),
            r.owner.how,
        ),
    )
    return ordered, shared((identities[number], its) for number, its in owners.items())


def _shown(of: Identity) -> Identity:
    """Without what changes from session to session. AWS's temporary keys begin with ASIA, lasting ones with AKIA."""
    lasting = of.access_key if of.access_key.startswith("AKIA") else ""
    named = Identity(of.source_identity, of.sign_in_session, "", of.jwt_sub, of.jwt_client, of.role, "", lasting)
    return named if named != Identity() else of
