"""The rules for SLOs and error budgets under load: over, within, or why that is not known."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_costguard.records import QUANTILES, BudgetVerdict, Interval, Measurement
from pytest_costguard.stats.backlog import may_pile_up
from pytest_costguard.stats.generator import generator_fault, missed_rate, sent_late
from pytest_costguard.stats.lateness import in_time
from pytest_costguard.stats.open_loop import (
    error_rate_under_load,
    interval_under_load,
    requests_to_decide,
)
from pytest_costguard.stats.samples import arrivals
from pytest_costguard.stats.words import samples_in_words

_MOST_TIMES = 100
"""How many times as many requests are worth naming."""
_NO_BOUNDS = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadDecision:
    """A verdict on an SLO under load, with the interval that decided."""

    verdict: BudgetVerdict
    interval: Interval
    reason: str = ""
    despite: str = ""
    """What is wrong with the load, and cannot have made the verdict."""


def decide_slo(
    measurement: Measurement, metric: str, *, limit: float, alpha: float, confidence: float = 0.99
) -> LoadDecision | None:
    """Hold a percentile under load against a limit.

    `within` only on a finite upper bound that keeps the limit, where requests surely did not pile
    up; `over` where the lower bound at 1 - `alpha` exceeds it. If the generator was late, each only
    by more than that can have moved it.

    Args:
        measurement: of an open loop.
        metric: a percentile.
        limit: in seconds.
        alpha: P(over is said of a figure that is within).
        confidence: 1 - P(within is said of a figure that is over).

    Returns:
        None where there are too few samples to say anything.
    """
    looked_at = QUANTILES[metric]
    units = [arrivals(unit, looked_at.series) for unit in measurement.units]
    interval = interval_under_load(units, looked_at.q, below=1 - alpha, above=confidence)
    if interval is None:
        return None
    late = generator_fault(measurement, metric, against=limit)
    growing = may_pile_up(measurement)
    bounds = _bounds_in_time(
        measurement, metric, limit=limit, felt=interval, alpha=alpha, confidence=confidence
    )
    if min(bounds[0], interval.lower) > limit:
        return LoadDecision(verdict=BudgetVerdict.OVER, interval=interval, despite=late)
    if max(bounds[1], interval.upper) <= limit and not growing:
        return LoadDecision(verdict=BudgetVerdict.WITHIN, interval=interval, despite=late)
    reason = growing
    if not growing and interval.lower <= limit < interval.upper:
        wanted = requests_to_decide(
            units, looked_at.q, limit=limit, below=1 - alpha, above=confidence
        )
        times = None if wanted is None else wanted / interval.n
        reason = _undecided(metric, interval, units=len(units), times=times)
    told = "; besides, ".join(one for one in (reason, late) if one)
    if not told:
        kept = "kept" if interval.lower > limit else "exceeded"
        told = f"the load generator was late, and in time {metric} may have {kept} the limit"
    return LoadDecision(verdict=BudgetVerdict.INCONCLUSIVE, interval=interval, reason=told)


def _undecided(metric: str, interval: Interval, *, units: int, times: float | None) -> str:
    """Say that the requests do not tell, and how many times as many would."""
    counted = samples_in_words(metric, interval.n)
    told = f"the limit lies inside the interval of {counted}"
    if interval.upper == math.inf:
        told = f"{counted} do not bound {metric} from above at this load"
    if times is None:
        return told
    if times > _MOST_TIMES:
        return f"{told}; {_MOST_TIMES} times as many would not decide either"
    more = math.ceil(10 * times) / 10
    wanted = f"--costguard-units={math.ceil(more * units)}, side by side --costguard-unit-time"
    return f"{told}; about {more:g} times as many would decide ({wanted})"


def _bounds_in_time(
    measurement: Measurement,
    metric: str,
    *,
    limit: float,
    felt: Interval,
    alpha: float,
    confidence: float,
) -> tuple[float, float]:
    """Return what bounds the least and the most that requests would have taken, sent in time."""
    if missed_rate(measurement):
        return _NO_BOUNDS
    looked_at = QUANTILES[metric]
    units = in_time(measurement) if looked_at.series == "latency" else None
    if units is None:
        late = sent_late(measurement, metric, against=limit)
        return _NO_BOUNDS if late else (felt.lower, felt.upper)
    least, most = (
        interval_under_load(way, looked_at.q, below=1 - alpha, above=confidence)
        for way in ([unit.least for unit in units], [unit.most for unit in units])
    )
    return _NO_BOUNDS if least is None or most is None else (least.lower, most.upper)


def decide_error_rate(
    measurement: Measurement, *, limit: float, alpha: float, confidence: float = 0.95
) -> LoadDecision:
    """Hold the share of requests without an answer in time against a limit.

    Args:
        measurement: of an open loop.
        limit: as a share of all requests.
        alpha: P(over is said of a rate that is within).
        confidence: 1 - P(within is said of a rate that is over).
    """
    interval = error_rate_under_load(measurement, below=1 - alpha, above=confidence)
    total, failed = interval.n, round(interval.estimate * interval.n)
    load = measurement.declaration.scenario.load
    # A request that was sent late has less time left for its answer.
    if late := generator_fault(
        measurement, "error_rate", against=load.timeout_seconds if load else 0.0
    ):
        return LoadDecision(verdict=BudgetVerdict.INCONCLUSIVE, interval=interval, reason=late)
    if interval.lower > limit:
        return LoadDecision(verdict=BudgetVerdict.OVER, interval=interval)
    if growing := may_pile_up(measurement):
        return LoadDecision(verdict=BudgetVerdict.INCONCLUSIVE, interval=interval, reason=growing)
    if interval.upper <= limit:
        return LoadDecision(verdict=BudgetVerdict.WITHIN, interval=interval)
    return LoadDecision(
        verdict=BudgetVerdict.INCONCLUSIVE,
        interval=interval,
        reason=f"{failed:,} of {total:,} requests had no answer in time, which may be"
        f" {interval.upper:.2%} of all".replace("%", " %"),
    )
