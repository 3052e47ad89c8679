"""What a plan of one workload rests on: its traffic, its objectives, and a replica of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from pytest_costguard.config.profiles import parse_profile
from pytest_costguard.cost.capacity import FleetLimits, Replica
from pytest_costguard.cost.queueing import Objective, ServiceTimes
from pytest_costguard.cost.traffic import SECONDS_A_MONTH, TrafficProfile, constant
from pytest_costguard.records import (
    PERCENTILES,
    Cost,
    Gates,
    Interval,
    Measurement,
    Report,
    ScalerName,
    WorkloadVerdict,
)
from pytest_costguard.stats.percentiles import support

_ONE_AT_A_TIME = frozenset({"single_stream", "multi_stream"})
_MOST_TIMES = 2_000
"""Of more, so many quantiles stand for the times of single requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """What a plan rests on beside what was measured."""

    traffic: str | None = None
    """For every workload; None: what each declares."""
    objectives: tuple[Objective, ...] = ()
    """For every workload; none: the SLOs that each declares."""
    limits: FleetLimits = field(default_factory=FleetLimits)
    scaler: ScalerName | None = None
    startup_seconds: float | None = None
    """Of a replica; None: its measured cold start."""


class NoPlan(Exception):
    """There is no plan for a workload."""

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSubject:
    """One workload, and all that is known of it."""

    report: Report
    verdict: WorkloadVerdict
    measurement: Measurement
    gates: Gates
    terms: PlanTerms

    def profile(self) -> tuple[TrafficProfile, str]:
        """Return the traffic, and how it was written.

        Raises:
            NoPlan: none is declared or given.
            ConfigError: it is not understood, or its file cannot be read.
        """
        if self.terms.traffic is not None:
            text = self.terms.traffic
            return parse_profile(text, origin="command line", key="--traffic"), text
        # What a report says is a rate, and never the name of a file.
        if self.gates.traffic is not None:
            items = self.gates.traffic.items_per_month
            return constant(items / SECONDS_A_MONTH), self.gates.traffic.text
        raise NoPlan(
            "how much it serves is not known",
            remedy='declare traffic="3M/day" in its marker or a rule, or give --traffic',
        )

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What was given, else the SLOs of the workload that are limits on a percentile."""
        if self.terms.objectives:
            return self.terms.objectives
        return tuple(
            Objective(quantile=PERCENTILES[budget.metric], seconds=budget.limit)
            for budget in self.gates.budgets
            if budget.kind == "slo" and budget.metric in PERCENTILES and not budget.relative
        )

    @property
    def goodput(self) -> Interval:
        """Of one replica, inferences a second; raises `NoPlan` where it was not measured."""
        found = self.verdict.figures.get("throughput")
        if self.measurement.declaration.scenario.kind == "server":
            raise NoPlan(
                "what it served was what was sent, which says nothing of how much it could",
                remedy="measure scenario='max_rate' with the SLO, and plan that",
            )
        if found is None or not found.estimate > 0:
            raise NoPlan("its throughput was not measured", remedy="measure it: pytest --costguard")
        return found

    @property
    def cost(self) -> Cost:
        """Of 1,000 inferences; raises `NoPlan` where it has no price."""
        cost = self.verdict.cost
        if cost is None or cost.state != "priced" or self.report.target is None:
            reason = "" if cost is None else f": {cost.reason}"
            raise NoPlan(
                f"it has no price{reason}",
                remedy="name what serves (--costguard-target) or what an hour costs"
                " (--costguard-price), and measure again",
            )
        return cost

    def replica(self) -> Replica:
        """Return what serves, at the estimated goodput.

        Raises:
            NoPlan: it has no price, or too few requests were measured for its objectives.
        """
        cost, target = self.cost, self.report.target
        assert target is not None, "what is priced has one"
        units = self.measurement.units
        requests = sum(unit.requests for unit in units)
        items_per_request = sum(unit.items for unit in units) / requests
        return Replica(
            items_per_second=self.goodput.estimate,
            items_per_request=items_per_request,
            service=self._service(mean=items_per_request / self.goodput.estimate),
            usd_per_hour=target.quote.usd_per_hour * cost.share,
            startup_seconds=self._startup_seconds(),
        )

    def _service(self, *, mean: float) -> ServiceTimes | None:
        """Return the times of single requests; None where it serves several at a time."""
        counts = tuple(len(unit.latency_seconds) for unit in self.measurement.units)
        if self.measurement.declaration.scenario.kind not in _ONE_AT_A_TIME or not sum(counts):
            return None
        for objective in self.objectives:
            if reason := support(objective.quantile, counts):
                raise NoPlan(reason, remedy="measure more requests, or plan for a lower percentile")
        times = np.concatenate([unit.latency_seconds for unit in self.measurement.units])
        if times.size > _MOST_TIMES:
            places = (np.arange(_MOST_TIMES) + 0.5) / _MOST_TIMES
            times = np.quantile(times, places)
        return ServiceTimes(mean=mean, samples=times)

    def _startup_seconds(self) -> float | None:
        if self.terms.startup_seconds is not None:
            return self.terms.startup_seconds
        found = [
            unit.cold_start.seconds
            for unit in self.measurement.units
            if unit.cold_start is not None and unit.cold_start.seconds is not None
        ]
        return math.fsum(found) / len(found) if found else None
