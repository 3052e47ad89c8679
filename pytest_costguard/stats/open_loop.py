"""What open-loop load says: percentiles with intervals that hold under load.

Latencies under load hang together, so that an interval for independent samples covers the truth in
4 to 72 % of cases where it says 95. The share of latencies beyond a value, in each of at least
twenty consecutive batches, does not need independence within a batch (Woodruff, JASA 47 (1952)
635); it is read off as quantiles of all samples. Where processes differ more than batches within
them explain, the margin is that over processes.

A request that failed or came too late has an infinite latency, and is never left out.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from pytest_costguard.records import (
    Interval,
    Measurement,
)
from pytest_costguard.stats.intervals import margin, mean, variance
from pytest_costguard.stats.percentiles import support
from pytest_costguard.stats.proportions import proportion_lower, proportion_upper
from pytest_costguard.stats.quantiles import normal_quantile, t_quantile
from pytest_costguard.stats.samples import arrivals, quantiles_of
from pytest_costguard.stats.words import samples_in_words, seconds_in_words

BATCHES = 20
_APART = 2.2
_SOMEWHAT_APART = 1.5
_MOST_CORRELATED = 0.9


def under_load(measurement: Measurement) -> bool:
    """Whether requests arrived in an open loop."""
    return any(unit.open_loop is not None for unit in measurement.units)


def interval_under_load(
    units: Sequence[Sequence[float]],
    q: float,
    *,
    below: float,
    above: float,
    batches: int = BATCHES,
) -> Interval | None:
    """Return the q-quantile of all latencies, between two one-sided bounds.

    Args:
        units: the latencies of each process in order of arrival; `inf` stands for no answer.
        q: the quantile, strictly between 0 and 1.
        below: probability that the truth is above the lower bound.
        above: probability that it is below the upper one.
        batches: at least so many, shared out evenly over the processes.

    Returns:
        None for fewer than two samples a batch. The upper bound is `inf`, the lower one `-inf`,
        where the samples do not reach so far; such an interval decides, and cannot be stored.
    """
    shares = _Shares.of(units, q, batches=batches)
    if shares is None:
        return None
    ordered = shares.ordered
    lower, upper = shares.margin(below), shares.margin(above)
    low = -math.inf if q - lower <= 0 else ordered[_rank(q - lower, len(ordered))]
    return Interval(
        estimate=shares.estimate,
        lower=min(low, *_own_quantiles(units, shares.at_most, q)),
        upper=math.inf if q + upper >= 1 else ordered[_rank(q + upper, len(ordered))],
        confidence=below + above - 1,
        n=len(ordered),
    )


def requests_to_decide(
    units: Sequence[Sequence[float]], q: float, *, limit: float, below: float, above: float
) -> int | None:
    """Return about how many requests would tell on which side of a limit the q-quantile is.

    The margin of a share shrinks with the root of their number; what it must not exceed is how far
    the share of latencies within the limit is from q.

    Args:
        units: as of `interval_under_load`.
        q: the quantile, strictly between 0 and 1.
        limit: in seconds.
        below: probability that the truth is above the lower bound.
        above: probability that it is below the upper one.

    Returns:
        None where that cannot be told: too few requests, the quantile is the limit itself, or so
        many are enough by this rule, and another keeps them from deciding.
    """
    shares = _Shares.of(units, q)
    if shares is None:
        return None
    count = len(shares.ordered)
    apart = bisect_right(shares.ordered, limit) / count - q
    if abs(apart) * count < 1:
        return None
    times = shares.margin(above if apart > 0 else below) / abs(apart)
    return math.ceil(count * times**2) if times > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shares:
    """What batches say of the share of latencies that a quantile leaves below it."""

    q: float
    ordered: Sequence[float]
    estimate: float
    at_most: list[list[float]]
    """The share that is the quantile or less, of each batch of each process."""
    less: list[list[float]]
    """The share that is less: where many are the quantile itself, as failures are, this tells."""

    @classmethod
    def of(
        cls, units: Sequence[Sequence[float]], q: float, *, batches: int = BATCHES
    ) -> _Shares | None:
        each = math.ceil(batches / max(1, len(units)))
        if not units or any(len(unit) < 2 * each for unit in units):
            return None
        ordered = sorted(chain.from_iterable(units))
        estimate = ordered[_rank(q, len(ordered))]
        return cls(
            q=q,
            ordered=ordered,
            estimate=estimate,
            at_most=batch_shares(units, each, lambda latency: latency <= estimate),
            less=batch_shares(units, each, lambda latency: latency < estimate),
        )

    def margin(self, probability: float) -> float:
        # Requests that wait for each other tell no more than independent ones would.
        least = math.sqrt(self.q * (1 - self.q) / len(self.ordered))
        return max(
            batch_margin(self.at_most, probability),
            batch_margin(self.less, probability),
            normal_quantile(probability) * least,
        )


def _own_quantiles(
    units: Sequence[Sequence[float]], shares: Sequence[Sequence[float]], q: float
) -> list[float]:
    """Return what the quantile is in each process, where processes differ; else nothing to add.

    One that a long queue has caught has many slow requests, and the estimate with it; t knows
    nothing of such skew. That the quantile of every one of n processes is above the truth has a
    chance of at most 1 in 2^n: the sign test.
    """
    if len(units) < 2 or _ratio(shares) <= _SOMEWHAT_APART:
        return [math.inf]
    return [sorted(unit)[_rank(q, len(unit))] for unit in units]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFigures:
    """What an open loop says of each percentile that the workload can have."""

    bounded: Mapping[str, Interval]
    """At 95 %, those that are bounded on both sides."""
    unsupported: Mapping[str, str]
    """Why the others are not shown."""
    percentiles: Mapping[str, float]
    """Those that the requests support, bounded or not; those that failed are not."""


def figures_under_load(measurement: Measurement) -> LoadFigures:
    """Return each percentile as far as the requests of an open loop tell it."""
    bounded: dict[str, Interval] = {}
    missing: dict[str, str] = {}
    percentiles: dict[str, float] = {}
    for metric, (series, q) in quantiles_of(measurement).items():
        units = [arrivals(unit, series) for unit in measurement.units]
        counts = tuple(map(len, units))
        if reason := support(q, counts, metric):
            missing[metric] = reason
            continue
        interval = interval_under_load(units, q, below=0.975, above=0.975)
        if interval is None:
            missing[metric] = f"{metric} not supported by {sum(counts)} samples"
            estimate = sorted(chain.from_iterable(units))[_rank(q, sum(counts))]
        else:
            estimate = interval.estimate
            if reason := _unbounded(metric, interval):
                missing[metric] = reason
            else:
                bounded[metric] = interval
        if math.isfinite(estimate):
            percentiles[metric] = estimate
    return LoadFigures(bounded=bounded, unsupported=missing, percentiles=percentiles)


def error_rate_under_load(measurement: Measurement, *, below: float, above: float) -> Interval:
    """Return the share of requests without an answer in time, between two one-sided bounds.

    Both ways to bound it must agree: the exact one of independent failures (Clopper and Pearson,
    Biometrika 26 (1934) 404), which knows what no failure at all still leaves open, and t over
    batches, since failures come in bursts.

    Args:
        measurement: of an open loop.
        below: probability that the truth is above the lower bound.
        above: probability that it is below the upper one.
    """
    units = [arrivals(unit) for unit in measurement.units]
    total = sum(map(len, units))
    failed = sum(math.isinf(latency) for unit in units for latency in unit)
    rate = failed / total
    each = max(1, min(math.ceil(BATCHES / len(units)), *map(len, units), total))
    shares = batch_shares(units, each, math.isinf)
    # A single batch has no spread that could be seen: only the exact bounds are left.
    margins = [batch_margin(shares, p) if total > 1 else 0.0 for p in (below, above)]
    lower = min(rate - margins[0], proportion_lower(failed, total, below))
    upper = max(rate + margins[1], proportion_upper(failed, total, above))
    return Interval(
        estimate=rate,
        lower=max(0.0, lower),
        upper=min(1.0, upper),
        confidence=below + above - 1,
        n=total,
    )


def _unbounded(metric: str, interval: Interval) -> str:
    """Say why an interval decides, and is not shown; "" if it is."""
    if math.isinf(interval.estimate):
        return f"{metric} is not an answer: too many requests failed"
    if math.isinf(interval.upper) or math.isinf(interval.lower):
        return (
            f"{metric} is about {seconds_in_words(interval.estimate)}, and"
            f" {samples_in_words(metric, interval.n)} do not bound it at this load"
        )
    return ""


def batch_shares(
    units: Sequence[Sequence[float]], each: int, holds: Callable[[float], bool]
) -> list[list[float]]:
    """Return in which share of each batch of each process something holds of a latency."""
    return [
        [mean([float(holds(latency)) for latency in batch]) for batch in _batches(unit, each)]
        for unit in units
    ]


def _batches(samples: Sequence[float], count: int) -> Iterator[Sequence[float]]:
    edges = [round(number * len(samples) / count) for number in range(count + 1)]
    return (samples[start:stop] for start, stop in pairwise(edges))


def batch_margin(shares: Sequence[Sequence[float]], probability: float) -> float:
    """Return the margin over all batches, or over processes where these differ more than batches.

    Late requests come in bursts, so that the shares of batches are skewed and t on all of their
    degrees of freedom is too narrow: half of them are counted (played: the interval of p99 covers
    93 instead of 91 % at a utilisation of 0.7). Processes differ more than batches where the
    variance between their means is more than `_APART` times what the batches within explain: the
    ratio that chance alone exceeds in a tenth of cases (F on 5 and 18 degrees of freedom: six
    processes of four batches).
    """
    flat = [share for unit in shares for share in unit]
    batches = t_quantile(probability, max(1, len(flat) // 2 - 1)) * _standard_error(shares)
    if _ratio(shares) <= _APART:
        return batches
    return max(batches, margin([mean(unit) for unit in shares], probability))


def _ratio(shares: Sequence[Sequence[float]]) -> float:
    """Return the variance between processes over what batches explain; 0: not known."""
    if len(shares) < 2 or min(map(len, shares)) < 2:
        return 0.0
    between = variance([mean(unit) for unit in shares])
    within = mean([variance(unit) / len(unit) for unit in shares])
    return between / within if within else math.inf if between else 0.0


def _standard_error(shares: Sequence[Sequence[float]]) -> float:
    """Return that of the mean of all batches, which hang together with those before them.

    As of a first-order autoregression (Fishman, Management Science 18 (1971) 21): the variance of
    the mean is (1 + r) / (1 - r) times that of independent batches, r the correlation of a batch
    with the next of its process.
    """
    flat = [share for unit in shares for share in unit]
    spread, middle = variance(flat), mean(flat)
    follow = [pair for unit in shares for pair in pairwise(unit)]
    if not spread or not follow:
        return math.sqrt(spread / len(flat))
    together = mean([(one - middle) * (other - middle) for one, other in follow])
    correlation = min(_MOST_CORRELATED, max(0.0, together / spread))
    return math.sqrt(spread / len(flat) * (1 + correlation) / (1 - correlation))


def _rank(q: float, n: int) -> int:
    return min(n - 1, max(0, math.ceil(q * n) - 1))
