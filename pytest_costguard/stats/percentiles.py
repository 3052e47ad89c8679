"""Percentiles, and how many samples one needs before it says anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from pytest_costguard.records import QUANTILES

_ERROR_EACH_SIDE = 0.025


def percentile(samples: Sequence[float], q: float) -> float:
    """Return the q-quantile by linear interpolation, as `numpy.quantile` does by default.

    Raises:
        ValueError: if there are no samples or `q` is outside 0 to 1.
    """
    return percentile_of_sorted(sorted(samples), q)


def percentile_of_sorted(ordered: Sequence[float], q: float) -> float:
    """Return the q-quantile of samples that are in ascending order, as `percentile` does.

    Raises:
        ValueError: if there are no samples or `q` is outside 0 to 1.
    """
    if not ordered:
        raise ValueError("the percentile of no samples does not exist")
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"q must be between 0 and 1, got {q!r}")
    position = q * (len(ordered) - 1)
    index = math.floor(position)
    below, above = ordered[index], ordered[min(index + 1, len(ordered) - 1)]
    if below == above or position == index:  # else infinity would be taken no times
        return below
    return below + (above - below) * (position - index)


@lru_cache
def samples_needed(q: float) -> int:
    """Return from how many independent samples on a two-sided 95 % interval of q exists.

    The smallest n with max(q, 1 - q)^n <= 0.025: 6 for the median, then 36, 72 and 368 for p90,
    p95 and p99, as in the table of MLPerf's early stopping.
    """
    return math.ceil(math.log(_ERROR_EACH_SIDE) / math.log(max(q, 1.0 - q)))


@lru_cache
def unit_samples_needed(q: float) -> int:
    """Return how many samples a single unit needs before its own q-quantile is not its maximum."""
    # 1 / (1 - 0.95) is a little above 20 in floating point.
    return math.ceil(1.0 / (1.0 - q) - 1e-9)


GAPS_A_REQUEST = 16
"""How many gaps between tokens a request is taken to have before it is seen: few have fewer."""


def requests_needed(metric: str) -> int:
    """Return how many requests the percentile of a name needs; see `samples_needed`."""
    return _requests(metric, samples_needed(QUANTILES[metric].q))


def unit_requests_needed(metric: str) -> int:
    """Return how many a single unit needs; see `unit_samples_needed`."""
    return _requests(metric, unit_samples_needed(QUANTILES[metric].q))


def _requests(metric: str, samples: int) -> int:
    return -(-samples // GAPS_A_REQUEST) if QUANTILES[metric].series == "itl" else samples


@lru_cache(maxsize=256)
def support(q: float, units: tuple[int, ...], name: str = "") -> str:
    """Say why the samples do not support the q-quantile, or return "" where they do.

    Args:
        q: the quantile, for example 0.99.
        units: how many samples each unit has.
        name: what it is called; "": p99.
    """
    name, pooled = name or f"p{q * 100:g}", sum(units)
    if pooled < samples_needed(q):
        return f"{name} not supported by {pooled} samples ({samples_needed(q)} needed)"
    if min(units) < unit_samples_needed(q):
        return (
            f"{name} not supported by {min(units)} samples in a unit "
            f"({unit_samples_needed(q)} needed)"
        )
    return ""
