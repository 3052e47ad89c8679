"""How close the search for the highest rate comes to the truth, and in how many seconds.

Beside it the linear sweep: the same windows at rates that rise by 5 % of the truth's own size from
a tenth of what the server can do, until one breaks the SLO. The seconds are those that the windows
would have taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np

from benchmarks.load.queues import (
    SimulatedServer,
    Times,
    constant,
    exponential,
    true_rate,
    two_kinds,
)
from pytest_costguard.measure.rate_search import search, window_requests

UNITS = 6
STEP = 0.05
GOAL_ERROR, GOAL_SECONDS = 0.05, 1 / 3


@dataclass(frozen=True, kw_only=True)
class Case:
    """A server, and the SLO that it is held to."""

    name: str
    times: Times
    mean: float
    servers: int
    slo: dict[str, float]


CASES = (
    Case(name="one, all alike", times=constant(0.01), mean=0.01, servers=1, slo={"p99": 0.05}),
    Case(name="one, exponential", times=exponential(0.01), mean=0.01, servers=1, slo={"p99": 0.1}),
    Case(
        name="one, far below its limit",
        times=constant(0.001),
        mean=0.001,
        servers=1,
        slo={"p99": 0.05},
    ),
    Case(name="four, all alike", times=constant(0.02), mean=0.02, servers=4, slo={"p99": 0.05}),
    Case(
        name="four, two kinds",
        times=two_kinds(short=0.01, long=0.06, share=0.9),
        mean=0.015,
        servers=4,
        slo={"p95": 0.08},
    ),
)


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What runs of six units found of one server, as ratios to the truth."""

    case: Case
    truth: float
    ratios: tuple[float, ...]
    """Of each run, the mean over its units."""
    seconds: float
    """Of a run, at the median."""
    sweep_seconds: float
    """Of as many linear sweeps."""
    sweep_ratios: tuple[float, ...]

    @property
    def bias(self) -> float:
        """How far runs are from the truth on average, relative."""
        return fmean(self.ratios) - 1

    @property
    def within(self) -> float:
        """Share of runs within 5 % of the truth."""
        return fmean(abs(ratio - 1) <= GOAL_ERROR for ratio in self.ratios)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "server": self.case.name,
            "truth": self.truth,
            "ratios": list(self.ratios),
            "seconds": self.seconds,
            "sweep_seconds": self.sweep_seconds,
            "sweep_ratios": list(self.sweep_ratios),
        }


def searches(runs: int) -> Iterator[Searched]:
    for case in CASES:
        ((metric, limit),) = case.slo.items()
        truth = true_rate(
            case.times,
            servers=case.servers,
            limit=limit,
            q={"p99": 0.99, "p95": 0.95}[metric],
            highest=case.servers / case.mean,
        )
        found = [_run(case, run) for run in range(runs)]
        swept = [_sweeps(case, truth, run) for run in range(runs)]
        yield Searched(
            case=case,
            truth=truth,
            ratios=tuple(rate / truth for rate, _ in found),
            seconds=median(seconds for _, seconds in found),
            sweep_seconds=median(seconds for _, seconds in swept),
            sweep_ratios=tuple(rate / truth for rate, _ in swept),
        )


def _run(case: Case, run: int) -> tuple[float, float]:
    """Search in each unit, from where the last one ended."""
    rates: list[float] = []
    seconds = 0.0
    for unit in range(UNITS):
        server = SimulatedServer(
            times=case.times, servers=case.servers, slo=case.slo, seed=1000 * run + unit
        )
        found = search(
            server.probe,
            slo=case.slo,
            start=rates[-1] if rates else case.servers / case.mean,
            known=bool(rates),
            max_seconds=1e9,
        )
        rates.append(found.rate)
        seconds += server.seconds
    return float(np.mean(rates)), seconds


def _sweeps(case: Case, truth: float, run: int) -> tuple[float, float]:
    rates: list[float] = []
    seconds = 0.0
    for unit in range(UNITS):
        server = SimulatedServer(
            times=case.times, servers=case.servers, slo=case.slo, seed=500_000 + 1000 * run + unit
        )
        rate = 0.1 * case.servers / case.mean
        while server.probe(rate, window_requests(case.slo, rate), gives_up=False).passed:
            rate += STEP * truth
        rates.append(rate - STEP * truth / 2)
        seconds += server.seconds
    return float(np.mean(rates)), seconds
