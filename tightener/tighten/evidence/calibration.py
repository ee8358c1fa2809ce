"""Whether the fleet's probabilities can be believed: they are tried on the fleet's own past before they are used.

At the moment one horizon ago every other agent's unused grants are sorted into classes with what was known then, and
what was used since is counted: the realised rate of each class with its Clopper-Pearson bound, and the correction of a
split-conformal prediction. A class that did not keep to its limit is not used. Conformal prediction needs agents to be
exchangeable, not days, so drift and rhythm do it no harm as long as the agent in question is one like the others
(docs/evidence.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightener.tighten.evidence.gates import FEWEST_EXPOSURE
from tightener.tighten.evidence.peers import Peer, between
from tightener.tighten.evidence.pooling import Pool, fit
from tightener.tighten.evidence.verdict import HORIZON, Class

FEWEST_AGENTS = 59  # none of 59 bounds a rate by 5 % at 95 % confidence
CONFIDENCE = 0.95
REMOVE_UP_TO = 0.005  # chance of a use within the horizon
ASK_UP_TO = 0.05
BORNE = 2  # times its limit: more than that, with its bound, a class may not have realised
NEVER = -1.0
_FEWEST_OF_A_KIND = 20  # permissions with use, and as many without, for a stratum to be fitted by itself


@dataclass(frozen=True, slots=True)
class Pools:
    """A fitted model for each stratum that is large enough, and one of all together for the others."""

    whole: Pool
    of: Mapping[str, Pool]

    def pool(self, stratum: str) -> Pool:
        """The model for a stratum."""
        return self.of.get(stratum, self.whole)


@dataclass(frozen=True, slots=True)
class Realised:
    """What became of one class of grants within the horizon. `upper` is the Clopper-Pearson bound on their rate."""

    agents: int
    grants: int
    used: int
    upper: float
    correction: float | None  # conformal; None = too few agents have grants of this class

    def bound(self, expected: float) -> float | None:
        """With 95 % confidence at most this share of an agent's grants of this class is used within the horizon.

        In: the share that the pools expect of them.
        """
        return None if self.correction is None else min(1.0, max(0.0, expected + self.correction))


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to which chance of a use within the horizon a grant is removed, or moved to approval (NEVER = not at all)."""

    remove: float = REMOVE_UP_TO
    ask: float = ASK_UP_TO

    def sorted(self, chance: float) -> Class:
        """The class of a grant of this chance."""
        if chance <= self.remove:
            return Class.REMOVE
        return Class.ASK_FIRST if chance <= self.ask else Class.KEEP


@dataclass(frozen=True, slots=True)
class Calibration:
    """Today's models, the limits that the past has borne, and what they were worth one horizon ago."""

    agents: int
    pools: Pools
    limits: Limits
    realised: Mapping[Class, Realised]


def calibrate(peers: Sequence[Peer], first: int, after: int) -> Calibration | None:
    """Fits on the window [first, after) and tries the procedure one horizon earlier; what fails there is not used.

    None where there are too few agents, or nothing to learn from.
    """
    at_work = [p for p in peers if p.exposure(first, after)]
    if len(at_work) < FEWEST_AGENTS:
        return None
    origin = after - HORIZON
    earliest = min(p.active[0] for p in at_work)
    start = max(earliest, origin - (after - first))
    then, now = pooled(at_work, start, origin), pooled(at_work, first, after)
    if then is None or now is None:
        return None
    limits = Limits()
    past = realised(at_work, then, limits, start, origin)
    if past[Class.REMOVE].upper > BORNE * REMOVE_UP_TO:
        limits = replace(limits, remove=NEVER)
        past = realised(at_work, then, limits, start, origin)
    if past[Class.ASK_FIRST].grants and past[Class.ASK_FIRST].upper > BORNE * ASK_UP_TO:
        limits = replace(limits, ask=limits.remove)
        past = realised(at_work, then, limits, start, origin)
    return Calibration(len(at_work), now, limits, past)


def pooled(peers: Sequence[Peer], first: int, after: int) -> Pools | None:
    """The models of what these agents did in [first, after); None where hardly anything was used, or all was."""
    pairs: dict[str, list[tuple[int, int]]] = {}
    for peer in peers:
        if exposure := peer.exposure(first, after):
            for stratum, days in peer.granted:
                pairs.setdefault(stratum, []).append((between(days, max(first, peer.since), after), exposure))
    every = [pair for some in pairs.values() for pair in some]
    if not _enough(every):
        return None
    return Pools(fit(every), {stratum: fit(some) for stratum, some in sorted(pairs.items()) if _enough(some)})


def _enough(pairs: Sequence[tuple[int, int]]) -> bool:
    used = sum(n > 0 for n, _ in pairs)
    return min(used, len(pairs) - used) >= _FEWEST_OF_A_KIND


def realised(peers: Sequence[Peer], pools: Pools, limits: Limits, first: int, origin: int) -> Mapping[Class, Realised]:
    """What became within the horizon of the grants unused in [first, origin), by the class that they had then."""
    scores: dict[Class, list[float]] = {kind: [] for kind in Class}
    grants, used = dict.fromkeys(Class, 0), dict.fromkeys(Class, 0)
    for peer in peers:
        exposure = peer.exposure(first, origin)
        if exposure < FEWEST_EXPOSURE or not peer.exposure(origin, origin + HORIZON):
            continue  # the gate would have kept them; or there was nothing to see
        own: dict[Class, list[tuple[float, bool]]] = {}
        for stratum, days in peer.granted:
            if not between(days, first, origin):
                chance = pools.pool(stratum).chance(exposure)
                own.setdefault(limits.sorted(chance), []).append((chance, between(days, origin, origin + HORIZON) > 0))
        for kind, found in own.items():
            back = sum(was for _, was in found)
            grants[kind] += len(found)
            used[kind] += back
            scores[kind].append((back - sum(chance for chance, _ in found)) / len(found))
    return {
        kind: Realised(
            len(scores[kind]), grants[kind], used[kind], upper(used[kind], grants[kind]), conformal(scores[kind])
        )
        for kind in Class
    }


def conformal(scores: Sequence[float]) -> float | None:
    """The split-conformal quantile: the ceil((n + 1) * 0.95)-th smallest of n scores; None for too few of them."""
    if len(scores) < FEWEST_AGENTS:
        return None
    return sorted(scores)[math.ceil((len(scores) + 1) * CONFIDENCE) - 1]


def upper(events: int, of: int) -> float:
    """The one-sided 95 % bound of Clopper and Pearson on a rate, of which `events` in `of` were seen."""
    if events >= of:
        return 1.0
    k = np.arange(events)
    choose = np.concatenate(([0.0], np.cumsum(np.log((of - k) / (k + 1)))))  # log of n over k
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        logs = choose + np.arange(events + 1) * math.log(rate) + (of - np.arange(events + 1)) * math.log1p(-rate)
        if np.exp(logs).sum() > 1 - CONFIDENCE:
            low = rate
        else:
            high = rate
    return high
