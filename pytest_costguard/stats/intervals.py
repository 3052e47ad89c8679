"""Intervals over units, as closed loops have them; of open loops see `open_loop`."""

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
