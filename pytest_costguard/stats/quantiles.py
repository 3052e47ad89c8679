"""Quantiles of the normal and of Student's t distribution, without scipy.

Why they are our own: `docs/decisions/0002-own-t-quantile.md`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_MANY_DEGREES = 10_000
_TINY = 1e-300


def normal_quantile(p: float) -> float:
    """Return the value that a standard normal variable stays below with probability `p`.

    Raises:
        ValueError: if `p` is not strictly between 0 and 1.
    """
    _require_probability(p)
    return _NORMAL.inv_cdf(p)


@lru_cache(maxsize=4096)
def t_quantile(p: float, df: int) -> float:
    """Return the value that Student's t on `df` degrees of freedom stays below with probability p.

    Agrees with `scipy.stats.t.ppf` to a relative error below 1e-8.

    Raises:
        ValueError: if `p` is not strictly between 0 and 1, or `df` is below 1.
    """
    _require_probability(p)
    if df < 1:
        raise ValueError(f"df must be at least 1, got {df}")
    if p == 0.5:
        return 0.0
    if p < 0.5:
        return -_upper_quantile(p, df)
    return _upper_quantile(1.0 - p, df)


def t_survival(t: float, df: int) -> float:
    """Return P(T > t) for Student's t on `df` degrees of freedom; `t` may be infinite.

    Raises:
        ValueError: if `t` is not a number, or `df` is below 1.
    """
    if df < 1:
        raise ValueError(f"df must be at least 1, got {df}")
    if math.isnan(t):
        raise ValueError("t must be a number, got nan")
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    return _tail(t, df) if t >= 0 else 1.0 - _tail(-t, df)


def _require_probability(p: float) -> None:
    if not 0.0 < p < 1.0:
        raise ValueError(f"p must be strictly between 0 and 1, got {p!r}")


def _upper_quantile(q: float, df: int) -> float:
    """Return t with P(T > t) = q, for 0 < q < 0.5."""
    if df == 1:
        return 1.0 / math.tan(math.pi * q)
    if df == 2:
        return (1.0 - 2.0 * q) / math.sqrt(2.0 * q * (1.0 - q))
    start = _expansion(-_NORMAL.inv_cdf(q), df)
    return start if df > _MANY_DEGREES else _newton(q, df, start=start)


def _expansion(z: float, df: int) -> float:
    """Expand t around the normal quantile z (Abramowitz and Stegun 26.7.5)."""
    square = z * z
    g1 = (square + 1.0) / 4.0
    g2 = ((5.0 * square + 16.0) * square + 3.0) / 96.0
    g3 = (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0
    return z * (1.0 + (g1 + (g2 + g3 / df) / df) / df)


def _newton(q: float, df: int, *, start: float) -> float:
    """Solve log P(T > t) = log q by Newton's method inside a bracket that only shrinks."""
    low, high, t = 0.0, math.inf, start
    for _ in range(100):
        tail = _tail(t, df)
        error = math.log(tail / q)
        low, high = (t, high) if error > 0 else (low, t)
        following = t + error * tail / _density(t, df)
        if not low <= following <= high:
            following = 2.0 * t if math.isinf(high) else (low + high) / 2.0
        if abs(following - t) <= 1e-14 * following:
            return following
        t = following
    return t


def _density(t: float, df: int) -> float:
    log_density = -_log_beta_half(df / 2.0) - (df + 1) / 2.0 * math.log1p(t * t / df)
    return math.exp(log_density) / math.sqrt(df)


def _log_beta_half(a: float) -> float:
    """Return log B(a, 1/2)."""
    return math.lgamma(a) + math.lgamma(0.5) - math.lgamma(a + 0.5)


def _tail(t: float, df: int) -> float:
    """Return P(T > t) = I_x(df/2, 1/2) / 2 with x = df/(df + t²) (A. & S. 26.5.27, 26.7.1)."""
    a, b = df / 2.0, 0.5
    x, y = df / (df + t * t), t * t / (df + t * t)
    if y == 0.0:
        return 0.5
    front = math.exp(-a * math.log1p(t * t / df) + b * math.log(y) - _log_beta_half(a))
    if x < (a + 1.0) / (a + b + 2.0):
        return 0.5 * front * _continued_fraction(a, b, x) / a
    return 0.5 * (1.0 - front * _continued_fraction(b, a, y) / b)


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of I_x(a, b) by Lentz's method (A. & S. 26.5.8)."""
    c, d = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _not_zero(1.0 + term * d)
            c = _not_zero(1.0 + term / c)
            value *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
