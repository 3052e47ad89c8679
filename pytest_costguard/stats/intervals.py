"""Intervals: over units in closed loops, over consecutive batches where samples hang together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_costguard.records import Interval
from pytest_costguard.stats.quantiles import t_quantile


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean; of equal values it is exactly that value.

    Raises:
        ValueError: if there are no values.
    """
    if not values:
        raise ValueError("the mean of no values does not exist")
    first = values[0]
    if values[-1] == first and values.count(first) == len(values):
        # A sum of equal floats, divided again, can be off by a rounding error: enough to put a
        # deterministic figure on the wrong side of a limit that it exactly meets.
        return first
    return math.fsum(values) / len(values)


def variance(values: Sequence[float]) -> float:
    """Return the sample variance (n - 1 in the denominator), exactly 0 for equal values.

    Raises:
        ValueError: if there are fewer than two values.
    """
    if len(values) < 2:
        raise ValueError("a variance needs at least two values")
    centre = mean(values)
    return math.fsum([(value - centre) ** 2 for value in values]) / (len(values) - 1)


def margin(values: Sequence[float], probability: float) -> float:
    """Return how far a one-sided t-bound on the mean at `probability` lies from the mean."""
    n = len(values)
    return t_quantile(probability, n - 1) * math.sqrt(variance(values) / n)


def t_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """Return the two-sided t-interval of the mean over units, n - 1 degrees of freedom.

    Args:
        values: one value a unit, in any unit of measurement.
        confidence: of the whole interval, strictly between 0 and 1.

    Returns:
        None for fewer than two values: one unit bounds nothing.
    """
    if len(values) < 2:
        return None
    half = margin(values, 0.5 + confidence / 2)
    centre = mean(values)
    return Interval(
        estimate=centre,
        lower=centre - half,
        upper=centre + half,
        confidence=confidence,
        n=len(values),
    )


def batch_robust_interval(
    samples: Sequence[float], q: float, confidence: float, batches: int = 20
) -> Interval | None:
    """Return an interval of the q-quantile that holds for autocorrelated samples.

    Woodruff's inversion: in each of `batches` consecutive batches take the share of samples that
    are at most the overall quantile; a t-interval of that share over the batches is read off as
    quantiles of the pooled, sorted samples (Woodruff, JASA 47 (1952) 635).

    Args:
        samples: in order of arrival; `inf` stands for a request that failed.
        q: the quantile, strictly between 0 and 1.
        confidence: of the whole interval.
        batches: at least 2.

    Returns:
        None for fewer than two samples a batch. The upper bound is `math.inf`, and the lower one
        `-math.inf`, where the samples do not reach far enough; such an interval decides but
        cannot be stored.
    """
    size = len(samples) // batches
    if batches < 2 or size < 2:
        return None
    ordered = sorted(samples)
    estimate = ordered[_rank(q, len(ordered))]
    shares = [
        sum(sample <= estimate for sample in samples[start : start + size]) / size
        for start in range(0, size * batches, size)
    ]
    half = margin(shares, 0.5 + confidence / 2)
    return Interval(
        estimate=estimate,
        lower=_quantile_or_infinite(ordered, q - half),
        upper=_quantile_or_infinite(ordered, q + half),
        confidence=confidence,
        n=len(samples),
    )


def _rank(q: float, n: int) -> int:
    return min(n - 1, max(0, math.ceil(q * n) - 1))


def _quantile_or_infinite(ordered: Sequence[float], q: float) -> float:
    if q <= 0.0:
        return -math.inf
    if q >= 1.0:
        return math.inf
    return ordered[_rank(q, len(ordered))]
