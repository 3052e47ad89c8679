"""What is judged: one workload of a run, reduced and priced, and what forbids a verdict."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median_low
from typing import Protocol

from pytest_costguard.app.judging_lateness import ALTHOUGH
from pytest_costguard.app.judging_scenario import never_measured
from pytest_costguard.cost.unit_cost import token_cost, unit_token_costs
from pytest_costguard.records import (
    COSTS,
    MEANS,
    METRICS,
    QUANTILES,
    TOKEN_COSTS,
    BaselineWorkload,
    Cost,
    Currency,
    Fingerprint,
    Interval,
    Measurement,
    Scenario,
    Target,
)
from pytest_costguard.stats.backlog import may_pile_up, steady_state_fault, unknown_backlog
from pytest_costguard.stats.budgets import ONE_UNIT
from pytest_costguard.stats.disturbances import disturbances
from pytest_costguard.stats.generator import (
    generator_fault,
    may_be_lateness,
    moved_by_lateness,
)
from pytest_costguard.stats.intervals import mean, t_interval
from pytest_costguard.stats.lateness import Moved
from pytest_costguard.stats.summary import Summary, intervals
from pytest_costguard.stats.unserved import least_ratio
from pytest_costguard.stats.warmup import course

_WARMS_UP = frozenset(
    {*QUANTILES, *MEANS.values(), *COSTS, *COSTS.values(), "energy_per_1k"},
)
_OF_LOAD = _WARMS_UP | {"max_rate", "goodput", "error_rate"}
_OF_RATE = frozenset({*COSTS, *COSTS.values(), "goodput"})
_CONFIDENCE = 0.95


def _unknown(_: Moved) -> None:
    return None


class Pricer(Protocol):
    """What turns throughput into money: `pytest_costguard.cost.unit_cost.cost_of`."""

    def __call__(
        self,
        *,
        target: Target | None,
        target_problem: str,
        fingerprint: Fingerprint,
        threads: int,
        throughputs: Sequence[float],
        scenario: Scenario,
        interval: Interval | None = None,
        today: dt.date | None = None,
        in_server: bool = False,
    ) -> tuple[Cost, tuple[float, ...]]:
        """Return the cost per 1k, and US dollars per 1k for each unit (empty: not priced)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One measured workload, ready to be held against gates."""

    measurement: Measurement
    summary: Summary
    target: Target | None
    cost: Cost | None
    unit_costs: tuple[float, ...]
    """US dollars per 1k items, one a unit; empty where there is no price."""
    currency: Currency
    disturbances: tuple[str, ...]
    warming_up: bool
    """Whether most units were measured before their warm-up was over."""
    slowing_down: float
    """By how much most units got slower while they were measured, relative; or 0.0."""

    @property
    def reduced(self) -> BaselineWorkload:
        """One value a unit and metric."""
        return self.summary.reduced

    @property
    def unsupported(self) -> Mapping[str, str]:
        """Which figures of requests are not shown, and why."""
        return self.summary.unsupported

    def values(self, metric: str) -> tuple[float, ...]:
        """Return one value a unit in the metric's unit; empty where it was not measured."""
        if metric == "cost_per_1k":
            return self.unit_costs
        if metric in TOKEN_COSTS:
            return unit_token_costs(self.cost, self.reduced.metrics.get(TOKEN_COSTS[metric], ()))
        return self.reduced.metrics.get(metric, ())

    def absence(self, metric: str) -> str:
        """Say why there are no values of a metric."""
        if metric in self.unsupported:
            return self.unsupported[metric]
        memories = [unit.memory for unit in self.measurement.units if unit.memory is not None]
        if metric in ("peak_memory", "peak_device_memory") and memories and not memories[0].alone:
            return "not measured: its process served other workloads as well"
        unmeasured = f"{METRICS[metric].title} was not measured in this run"
        return never_measured(metric, self.measurement) or unmeasured

    @property
    def lone_unit(self) -> str:
        """Why nothing is decided where there is one unit; "" where there are more."""
        if len(self.measurement.units) > 1:
            return ""
        return f"{ONE_UNIT}; measure with more than --costguard-units=1"

    def obstacle(self, metric: str, *, holds: Callable[[Moved], bool | None] = _unknown) -> str:
        """Say why no verdict about a metric may be given, whatever its values; "" if it may.

        Args:
            metric: it is given about.
            holds: whether it holds all the same where lateness has moved the figure as far as that;
                None: nothing was decided by it.
        """
        if self.lone_unit:
            return self.lone_unit
        if self.warming_up and metric in _WARMS_UP:
            return "it was still getting faster while it was measured: the warm-up was not over"
        if unknown := unknown_rate(metric, self.measurement):
            return unknown
        if metric in _OF_LOAD and (late := self._late(metric, holds)):
            return late
        return ""

    def unsteady(self, metric: str) -> str:
        """Say why nothing that is said of a load passes a limit; "" if it may.

        A server that does not keep up reaches any limit on its latencies, and serves more than it
        can go on to serve.
        """
        return may_pile_up(self.measurement) if metric in _OF_LOAD else ""

    def piling_up(self, metric: str) -> str:
        """Say that requests piled up, or nobody knows: the load says nothing good; "" if not."""
        return steady_state_fault(self.measurement) if metric in _OF_LOAD else ""

    def _late(self, metric: str, holds: Callable[[Moved], bool | None]) -> str:
        fault = generator_fault(self.measurement, metric)
        moved = moved_by_lateness(self.measurement, metric)
        held = None if moved is None else holds(moved)
        if fault:
            return "" if held else fault
        return may_be_lateness(self.measurement, metric) if held is False else ""

    def despite(self, metric: str) -> str:
        """Say, behind a reason, that requests were late; "" if they were not."""
        fault = generator_fault(self.measurement, metric) if metric in _OF_LOAD else ""
        return f"; {ALTHOUGH} {fault}" if fault else ""

    def explained(self, reason: str) -> str:
        """Add to the reason of an inconclusive verdict what disturbed the measurement."""
        if not self.disturbances:
            return reason
        return f"{reason}; while it was measured, {' and '.join(self.disturbances)}"

    def least_ratio(self, metric: str) -> float:
        """Return what a figure is at least, relative to itself, had a core always been there."""
        return least_ratio(metric, self.measurement)

    def accused(self, change: str) -> str:
        """Say why a figure that looks worse may not be called so: the machine may be the cause."""
        what = " and ".join(self.disturbances) or "a core was not always there"
        return f"{change}, but while it was measured {what}, and that alone may be the cause"

    def estimate(self, metric: str) -> float | None:
        """Return the one value of a metric that every part of a report shows; None: not known.

        The mean over units; of a cost that at the mean throughput, as its arithmetic says.
        """
        if metric == "cost_per_1k":
            cost = None if self.cost is None else self.cost.usd_per_1k
            return None if cost is None else float(cost)
        if metric in TOKEN_COSTS:
            found = self._token_cost(metric)
            return None if found is None else found.estimate
        values = self.values(metric)
        return mean(values) if values else None

    def figures(self) -> dict[str, Interval]:
        """Return every measured metric with its 95 % interval, cost included."""
        found = dict(self.summary.figures)
        cost = self.estimate("cost_per_1k")
        if self.cost is not None and cost is not None:
            bounds = self.cost.lower, self.cost.upper
            found["cost_per_1k"] = _bounded(cost, bounds, n=len(self.unit_costs))
        token_costs = {metric: self._token_cost(metric) for metric in TOKEN_COSTS}
        return found | {name: one for name, one in token_costs.items() if one is not None}

    def _token_cost(self, metric: str) -> Interval | None:
        rate = TOKEN_COSTS[metric]
        found = intervals({rate: self.reduced.metrics.get(rate, ())})
        return token_cost(self.cost, found.get(rate))

    def base_value(self, metric: str, base: float | None) -> float | None:
        """Return the baseline's value in the metric's unit, given that of the metric it rests on.

        A cost is that of the baseline's throughput at today's price: a change of price is no
        change of code.
        """
        if base is None or metric not in COSTS:
            return base
        cost = self.estimate(metric)
        if cost is None or base <= 0:
            return None
        return cost * mean(self.values(COSTS[metric])) / base


def unknown_rate(metric: str, measurement: Measurement) -> str:
    """Say that what is served a second is not known, nor what that costs; "" if it is."""
    return unknown_backlog(measurement) if metric in _OF_RATE else ""


def _bounded(cost: float, bounds: tuple[Decimal | None, Decimal | None], *, n: int) -> Interval:
    """Return a cost with its bounds; without both it is an estimate alone, with confidence 0."""
    lower, upper = bounds
    if lower is None or upper is None:
        return Interval(estimate=cost, lower=cost, upper=cost, confidence=0.0, n=n)
    return Interval(
        estimate=cost, lower=float(lower), upper=float(upper), confidence=_CONFIDENCE, n=n
    )


def stored_metric(metric: str) -> str:
    """Return the metric that a baseline stores for this one: costs rest on a throughput."""
    return COSTS.get(metric, metric)


def subject(
    measurement: Measurement,
    *,
    fingerprint: Fingerprint,
    target: Target | None,
    target_problem: str,
    today: dt.date,
    pricer: Pricer,
) -> Subject:
    """Reduce, price and examine one measurement."""
    summary = Summary.of(measurement)
    throughputs = summary.reduced.metrics.get("throughput", ())
    declaration = measurement.declaration
    courses = [course(unit, input_count=declaration.input_count) for unit in measurement.units]
    cost: Cost | None = None
    unit_costs: tuple[float, ...] = ()
    if throughputs:
        cost, unit_costs = pricer(
            target=target,
            target_problem=target_problem,
            fingerprint=fingerprint,
            threads=declaration.threads,
            throughputs=throughputs,
            scenario=declaration.scenario,
            interval=t_interval(throughputs, _CONFIDENCE),
            today=today,
            in_server=declaration.in_server,
        )
    return Subject(
        measurement=measurement,
        summary=summary,
        target=target,
        cost=cost,
        unit_costs=unit_costs,
        currency=target.currency if target is not None else Currency(),
        disturbances=disturbances(measurement),
        warming_up=2 * sum(one.warming_up for one in courses) > len(courses),
        slowing_down=max(0.0, median_low([one.drift for one in courses])) if courses else 0.0,
    )
