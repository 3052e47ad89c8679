"""What a plan of one workload rests on: its traffic, its objectives, and a replica of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from pytest_costguard.app.plan_mixtures import PartOfTraffic, parts_of_traffic
from pytest_costguard.config.profiles import parse_profile
from pytest_costguard.cost.capacity import FleetLimits, Replica
from pytest_costguard.cost.queueing import Objective, ServiceTimes
from pytest_costguard.cost.traffic import TrafficProfile, recorded_peak, recorded_profile
from pytest_costguard.records import (
    PERCENTILES,
    Cost,
    Gates,
    Interval,
    Measurement,
    Report,
    ScalerName,
    Target,
    Traffic,
    WorkloadId,
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


class TooMany(NoPlan):
    """More replicas are needed than are counted, `MOST_SERVERS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSubject:
    """One workload, and all that is known of it."""

    measurement: Measurement
    throughput: Interval | None
    """Inferences a second; None where it was not measured."""
    priced: Cost | None
    target: Target | None
    gates: Gates
    terms: PlanTerms
    part: PartOfTraffic | None = None
    """Of a part of a mixture that is measured alone: what falls to it of the mixture's traffic."""

    @property
    def workload(self) -> WorkloadId:
        """Who it is."""
        return self.measurement.workload

    @property
    def searched(self) -> bool:
        """Whether its goodput is the highest rate that kept an SLO, found by a search."""
        return self.measurement.declaration.scenario.kind == "max_rate"

    def profile(self) -> tuple[TrafficProfile, str]:
        """Return the traffic, and how it was written.

        Raises:
            NoPlan: none is declared or given.
            ConfigError: it is not understood, or its file cannot be read.
        """
        profile, text = self._of_all()
        return (profile, text) if self.part is None else self.part.of(profile, text)

    def _of_all(self) -> tuple[TrafficProfile, str]:
        if self.terms.traffic is not None:
            text = self.terms.traffic
            return parse_profile(text, origin="command line", key="--traffic"), text
        # What a report says is rates, and never the name of a file.
        traffic = self._declared()
        profile = recorded_profile(traffic)
        if profile is None:
            raise NoPlan(
                f"its traffic {traffic.text} has more steps than a report keeps",
                remedy=f"give the file: --traffic {traffic.text}",
            )
        return profile, traffic.text

    def peak(self) -> float:
        """Return the highest rate that was declared, inferences a second; raises `NoPlan`."""
        return recorded_peak(self._declared())

    def _declared(self) -> Traffic:
        if self.gates.traffic is not None:
            return self.gates.traffic
        self._require_capacity()
        raise NoPlan(
            "how much it serves is not known",
            remedy='declare traffic="3M/day" in its marker or a rule, or give --traffic',
        )

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What was given, else the SLOs of the workload that are limits on a percentile.

        Else those under which its highest rate was searched for; limits on tokens say nothing of
        waiting, and are kept by the rate itself.
        """
        asked = self.terms.objectives or self._slos()
        if self.searched and asked:
            self._require_searched(asked)
        return asked or self._searched_under()

    def _require_searched(self, asked: tuple[Objective, ...]) -> None:
        """Raise unless a rate that keeps the SLO of the search keeps what is asked for as well.

        Raises:
            NoPlan: it may not.
        """
        found = self._searched_under()
        for one in asked:
            if any(o.quantile >= one.quantile and o.seconds <= one.seconds for o in found):
                continue
            searched = ", ".join(f"p{o.quantile * 100:g} {o.seconds * 1e3:g} ms" for o in found)
            raise NoPlan(
                f"its highest rate was searched for under {searched or 'limits on tokens'}, which"
                f" says nothing of p{one.quantile * 100:g} within {one.seconds * 1e3:g} ms",
                remedy="plan it under the SLO of the search, or measure max_rate with this one",
            )

    def _searched_under(self) -> tuple[Objective, ...]:
        load = self.measurement.declaration.scenario.load
        if not self.searched or load is None:
            return ()
        return tuple(
            Objective(quantile=PERCENTILES[metric], seconds=seconds)
            for metric, seconds in load.slo.items()
            if metric in PERCENTILES
        )

    def _slos(self) -> tuple[Objective, ...]:
        return tuple(
            Objective(quantile=PERCENTILES[budget.metric], seconds=budget.limit)
            for budget in self.gates.budgets
            if budget.kind == "slo" and budget.metric in PERCENTILES and not budget.relative
        )

    def _require_capacity(self) -> None:
        """Raise `NoPlan` where it was measured at a rate that says nothing of how much it takes."""
        if self.measurement.declaration.scenario.kind == "server":
            raise NoPlan(
                "what it served was what was sent, which says nothing of how much it could",
                remedy="measure scenario='max_rate' with the SLO, and plan that",
            )

    @property
    def goodput(self) -> Interval:
        """Of one replica, inferences a second; raises `NoPlan` where it was not measured."""
        found = self.throughput
        self._require_capacity()
        if found is None or not found.estimate > 0:
            raise NoPlan("its throughput was not measured", remedy="measure it: pytest --costguard")
        return found

    @property
    def cost(self) -> Cost:
        """Of 1,000 inferences; raises `NoPlan` where it has no price."""
        cost = self.priced
        if cost is None or not self._has_price:
            reason = "" if cost is None else f": {cost.reason}"
            raise NoPlan(
                f"it has no price{reason}",
                remedy="name what serves (--costguard-target) or what an hour costs"
                " (--costguard-price), and measure again",
            )
        return cost

    @property
    def usd_per_hour(self) -> Decimal:
        """Of one replica; raises `NoPlan` where there is no price."""
        cost, target = self.cost, self.target
        assert target is not None, "what is priced has one"
        return target.quote.usd_per_hour * cost.share

    def replica(self) -> Replica:
        """Return what serves, at the estimated goodput; without a price where there is none.

        Raises:
            NoPlan: its goodput is not known, or too few requests were measured for its objectives.
        """
        units = self.measurement.units
        requests = sum(unit.requests for unit in units)
        items_per_request = sum(unit.items for unit in units) / requests
        return Replica(
            items_per_second=self.goodput.estimate,
            items_per_request=items_per_request,
            service=self._service(mean=items_per_request / self.goodput.estimate),
            usd_per_hour=self.usd_per_hour if self._has_price else None,
            startup_seconds=self._startup_seconds(),
        )

    @property
    def _has_price(self) -> bool:
        return self.priced is not None and self.priced.state == "priced" and self.target is not None

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


def subjects_of(
    report: Report, *, terms: PlanTerms, chosen: Sequence[str] = ()
) -> tuple[PlanSubject, ...]:
    """Return what a report has measured, ready to be planned.

    Args:
        report: with throughputs and a price.
        terms: what is asked for.
        chosen: the workloads, by `str(workload)`; none: all of them.
    """
    measured = {one.workload: one for one in report.run.measurements}
    parts = parts_of_traffic(report.run.measurements)
    return tuple(
        PlanSubject(
            measurement=measured[verdict.workload],
            throughput=verdict.figures.get("throughput"),
            priced=verdict.cost,
            target=report.target,
            gates=report.gates.get(str(verdict.workload), Gates()),
            terms=terms,
            part=parts.get(verdict.workload),
        )
        for verdict in report.verdicts
        if verdict.workload in measured and (not chosen or str(verdict.workload) in chosen)
    )
