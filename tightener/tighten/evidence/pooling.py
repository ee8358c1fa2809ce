"""What the fleet's experience says of a permission without use: exposure-aware empirical Bayes.

Zero-inflated gamma-Poisson: with probability `dead` a permission is never used, else on Gamma(a, b) days a day, each
permission with its own exposure E. Given none in E,

    P(used within H) = P(alive | none in E) * (1 - ((b + E) / (b + E + H)) ** a)

with P(none in E | alive) = (b / (b + E)) ** a, the negative binomial's zero term. What is counted is days with use, not
uses, so that a burst counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tightener.tighten.evidence.verdict import HORIZON

# The likelihood is looked for on a grid that closes in on its best point: no start value to choose, no step to tune,
# the same answer on every machine, and with sums over distinct values it takes milliseconds.
_SHAPE = (0.02, 20.0)  # a: from a few hectic permissions beside many quiet ones, to all alike
_RATE = (0.05, 20_000.0)  # b, days
_POINTS = 13
_ROUNDS = 6
_HALVINGS = 45

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pool:
    """A fitted model of one stratum."""

    dead: float
    a: float
    b: float

    def chance(self, exposure: int, horizon: int = HORIZON) -> float:
        """P(used within the horizon | no use in this exposure)."""
        silent = (self.b / (self.b + exposure)) ** self.a
        alive = (1 - self.dead) * silent
        if not alive:
            return 0.0
        back = 1 - ((self.b + exposure) / (self.b + exposure + horizon)) ** self.a
        return float(alive / (self.dead + alive) * back)

    def exposure_for(self, chance: float, most: int = 20_000) -> int | None:
        """The least exposure (days without use) after which the chance is at most this; None beyond `most`."""
        low, high = 0, most
        if self.chance(high) > chance:
            return None
        while low < high:
            middle = (low + high) // 2
            if self.chance(middle) <= chance:
                high = middle
            else:
                low = middle + 1
        return low


def fit(pairs: Iterable[tuple[int, int]]) -> Pool:
    """The maximum-likelihood model of permissions, each as (days with use, days of exposure, at least one)."""
    counts = Counter(pairs)
    zero = Counter[int]()  # exposure -> permissions without use
    used = Counter[int]()  # exposure -> permissions with use
    total = Counter[int]()  # exposure -> days with use
    shape = Counter[int]()  # days with use -> permissions
    for (n, exposure), times in counts.items():
        if n:
            used[exposure] += times
            total[exposure] += n * times
            shape[n] += times
        else:
            zero[exposure] += times
    sums = _Sums(_columns(zero), _columns(used), _columns(total), _columns(shape))
    low, high = np.log([_SHAPE[0], _RATE[0]]), np.log([_SHAPE[1], _RATE[1]])
    best = _best(sums, low, high)
    for _ in range(_ROUNDS):
        step = (high - low) / (_POINTS - 1)
        low, high = np.maximum(best[1] - 2 * step, low), np.minimum(best[1] + 2 * step, high)
        best = _best(sums, low, high)
    dead, (a, b) = best[0], np.exp(best[1])
    return Pool(float(dead), float(a), float(b))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sufficient statistics, each as (values, how many)."""

    zero: tuple[Floats, Floats]
    used: tuple[Floats, Floats]
    total: tuple[Floats, Floats]
    shape: tuple[Floats, Floats]


def _columns(found: Counter[int]) -> tuple[Floats, Floats]:
    keys = sorted(found)
    return np.array(keys, dtype=float), np.array([found[k] for k in keys], dtype=float)


def _best(sums: _Sums, low: Floats, high: Floats) -> tuple[float, Floats]:
    """The best point of one grid between two corners of (log a, log b): the dead share there, and the point."""
    log_a, log_b = (
        grid.ravel()
        for grid in np.meshgrid(*(np.linspace(x, y, _POINTS) for x, y in zip(low, high, strict=True)), indexing="ij")
    )
    a, b = np.exp(log_a)[:, None], np.exp(log_b)[:, None]
    exposure, times = sums.zero
    silent = np.exp(a * (np.log(b) - np.log(b + exposure)))  # P(none | alive)
    alive_seen = sums.used[1].sum()
    dead = _dead_share(silent, times, float(alive_seen))[:, None]
    value = (times * np.log(dead + (1 - dead) * silent + 1e-300)).sum(axis=1)
    value += alive_seen * np.log(np.maximum(1 - dead[:, 0], 1e-300))
    exposure, permissions = sums.used
    _, days = sums.total
    # log of the negative binomial, without what does not depend on the model: Gamma(n + a) / Gamma(a) is a product
    value += (a * permissions * (np.log(b) - np.log(b + exposure)) - days * np.log(b + exposure)).sum(axis=1)
    n, permissions = sums.shape
    if n.size:
        steps = np.cumsum(np.log(a + np.arange(n.max())), axis=1)
        value += (permissions * steps[:, n.astype(int) - 1]).sum(axis=1)
    at = int(np.argmax(value))
    return float(dead[at, 0]), np.array([log_a[at], log_b[at]])


def _dead_share(silent: Floats, times: Floats, alive_seen: float) -> Floats:
    """The most likely share of dead permissions at each grid point, by halving: the likelihood is concave in it."""
    low, high = np.zeros(silent.shape[0]), np.ones(silent.shape[0])
    for _ in range(_HALVINGS):
        middle = ((low + high) / 2)[:, None]
        slope = (times * (1 - silent) / (middle + (1 - middle) * silent)).sum(axis=1) - alive_seen / (1 - middle[:, 0])
        rises = slope > 0
        low, high = np.where(rises, middle[:, 0], low), np.where(rises, high, middle[:, 0])
    return (low + high) / 2
