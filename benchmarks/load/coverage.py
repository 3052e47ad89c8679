"""How often the interval of a percentile under load holds the truth, and how often an SLO passes.

Queues whose p99 is known exactly (M/M/1) are played at four utilisations, in six processes of 1,000
requests as a run measures by default, in as many of 500, and in one of 3,000; a limit exactly at
the true p99 must hardly ever be called kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.load.queues import exponential, latencies, true_quantile_mm1
from benchmarks.verdicts.proportions import Proportion
from pytest_costguard.stats.open_loop import interval_under_load
from pytest_costguard.stats.quantiles import normal_quantile

MEAN = 0.01
UTILISATIONS = (0.3, 0.5, 0.7, 0.9)
SHAPES = ((6, 1000), (6, 500), (1, 3000))
Q = 0.99
WARM = 5000
COVERAGE_GOAL, FALSE_PASS_GOAL = 0.90, 0.025


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What one kind of run says of one queue."""

    utilisation: float
    processes: int
    requests: int
    covered: Proportion
    bounded: Proportion
    """Runs whose interval has an upper end at all."""
    false_passes: Proportion
    """At a limit that is exactly the truth."""
    independent: Proportion
    """How often an interval for independent samples would have held the truth."""

    def as_json(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return {
            "utilisation": self.utilisation,
            "processes": self.processes,
            "requests": self.requests,
            "covered": [self.covered.hits, self.covered.trials],
            "bounded": [self.bounded.hits, self.bounded.trials],
            "false_passes": [self.false_passes.hits, self.false_passes.trials],
            "independent": [self.independent.hits, self.independent.trials],
        }


def coverages(trials: int) -> Iterator[Coverage]:
    for processes, requests in SHAPES:
        for utilisation in UTILISATIONS:
            yield _coverage(utilisation, processes=processes, requests=requests, trials=trials)


def _coverage(utilisation: float, *, processes: int, requests: int, trials: int) -> Coverage:
    rate = utilisation / MEAN
    truth = true_quantile_mm1(rate=rate, mean=MEAN, q=Q)
    covered = bounded = passes = independent = 0
    for trial in range(trials):
        chance = np.random.default_rng((round(100 * utilisation), processes, trial))
        units = [_steady(chance, rate=rate, count=requests) for _ in range(processes)]
        interval = interval_under_load(units, Q, below=0.975, above=0.975)
        gate = interval_under_load(units, Q, below=0.99, above=0.99)
        assert interval is not None, "there are enough requests"
        assert gate is not None, "there are enough requests"
        covered += interval.lower <= truth <= interval.upper
        bounded += np.isfinite(interval.upper)
        passes += gate.upper <= truth
        independent += _independent_covers(np.concatenate(units), truth)
    return Coverage(
        utilisation=utilisation,
        processes=processes,
        requests=requests,
        covered=Proportion(hits=covered, trials=trials),
        bounded=Proportion(hits=int(bounded), trials=trials),
        false_passes=Proportion(hits=passes, trials=trials),
        independent=Proportion(hits=independent, trials=trials),
    )


def _steady(chance: Any, *, rate: float, count: int) -> list[float]:
    found = latencies(chance, rate=rate, times=exponential(MEAN), servers=1, count=WARM + count)
    steady: list[float] = found[WARM:].tolist()
    return steady


def _independent_covers(samples: Any, truth: float) -> bool:
    """Order statistics by the normal approximation, as if samples were independent."""
    ordered, n = np.sort(samples), len(samples)
    half = normal_quantile(0.975) * (n * Q * (1 - Q)) ** 0.5
    low, high = max(0, round(n * Q - half)), min(n - 1, round(n * Q + half))
    return bool(ordered[low] <= truth <= ordered[high])
