"""The other agents of the policies: what each was granted and on which days it used it.

The agent in question is left out, so that what is said of it does not depend on what is taken from it: tightening the
tightened policy must find the same (docs/policy-semantics.md, 5.5).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tightener.logs.fleet import Fleet, Permission
from tightener.model import AgentPolicy, Effect
from tightener.services.catalogue import AWS, access_levels
from tightener.tighten.grants import granted_actions


@dataclass(frozen=True, slots=True)
class Peer:
    """One other agent. Days are ordinals, sorted."""

    active: tuple[int, ...]
    granted: tuple[tuple[str, tuple[int, ...]], ...]  # stratum and days of use of each permission
    since: int = 0  # the day from which its grants are known to stand; 0 = for ever

    def exposure(self, first: int, after: int) -> int:
        """Days at work in [first, after)."""
        return between(self.active, max(first, self.since), after)


def between(days: Sequence[int], first: int, after: int) -> int:
    """How many of the sorted days lie in [first, after)."""
    return max(0, bisect_left(days, after) - bisect_left(days, first))


def stratum(service: str, action: str) -> str:
    """What is pooled together: AWS's actions by the catalogue's access level, those of another service by themselves.

    Not by how a rule writes the action: a wildcard that becomes a list would find itself among others on the next run.
    """
    levels = access_levels(action) if service == AWS else ()
    return "+".join(levels) or service


def peers(policies: Iterable[AgentPolicy], fleet: Fleet, without: str) -> list[Peer]:
    """The agents of these policies that the logs know, but one, by name."""
    actions = fleet.actions()
    expanded: dict[tuple[object, ...], list[Permission]] = {}
    found = []
    for policy in sorted(policies, key=lambda p: p.name):
        active = fleet.active.get(policy.name)
        if policy.name == without or not active:
            continue
        granted: dict[Permission, None] = {}
        for rule in policy.rules:
            if rule.effect is Effect.DENY:
                continue
            key = (rule.service, rule.body.actions, tuple(sorted(rule.aliases.items())))
            if key not in expanded:
                pairs = granted_actions(rule, actions.get(rule.service, ()))
                expanded[key] = [(rule.service, action) for _, action in pairs]
            granted.update(dict.fromkeys(expanded[key]))
        used = fleet.used.get(policy.name, {})
        since = policy.granted_since.toordinal() if policy.granted_since else 0
        found.append(
            Peer(
                active,
                tuple((stratum(*p), used.get(p, ())) for p in granted),
                since,
            )
        )
    return found
