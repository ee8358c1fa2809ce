"""Clopper and Pearson's interval for a share: the shares under which what was seen is not too unlikely either way."""

from __future__ import annotations

import math

_ROUNDS = 200
_MOST_TERMS = 100_000  # it takes about the square root of the larger parameter
_CLOSE = 1e-15
_TINY = 1e-300  # stands for a denominator of nought


def clopper_pearson(part: int, whole: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a binomial share (Clopper and Pearson, Biometrika 1934); (0, 1) where there is nothing.

    Its ends are quantiles of beta distributions. It takes the events for independent, which those of one session are
    not: read it as the least that is uncertain.
    """
    if not whole:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = _quantile(tail, part, whole - part + 1) if part else 0.0
    high = _quantile(1 - tail, part + 1, whole - part) if part < whole else 1.0
    return low, high


def _quantile(share: float, a: float, b: float) -> float:
    """Where the beta distribution's cumulative share is reached, by halving."""
    low, high = 0.0, 1.0
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _cumulative(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _cumulative(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) on the side that converges."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _cumulative(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    return front * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 1 / (1 + d1 / (1 + d2 / ...)), by Lentz's method."""
    value, top, bottom = 0.0, math.inf, 0.0
    for step in range(_MOST_TERMS):
        half = step // 2
        if step == 0:
            term = 1.0
        elif step % 2:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        bottom = 1 / (1 + term * bottom or _TINY)
        if step == 0:
            value = bottom
            continue
        top = 1 + term / top or _TINY
        value *= top * bottom
        if abs(top * bottom - 1) < _CLOSE:
            break
    return value
