"""From the measurements of both sides to the change of each metric of one workload."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pytest_costguard.app.judging_hypotheses import changes_of
from pytest_costguard.app.judging_ratio import ratio
from pytest_costguard.app.targets import PricedSetup
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.records import (
    METRICS,
    Cost,
    Fingerprint,
    Measurement,
    MetricChange,
    Pairing,
    WorkloadChange,
)
from pytest_costguard.reports.numbers import change
from pytest_costguard.stats.paired import PairedUnit, View, as_seen
from pytest_costguard.stats.precision import (
    CONFIDENCE,
    PreciseChange,
    change_at,
    precise_change,
)
from pytest_costguard.stats.summary import figures, unit_metrics

_UNEVEN = 0.01
"""What surely differs by less from what is typical is not worth a word."""
_WHOLE: Mapping[View, str] = MappingProxyType({"total": "inputs", "summed": "requests"})
"""What changes by different amounts where a view differs from what is typical."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One workload as both sides measured it, in the same units."""

    base: Measurement
    head: Measurement
    seconds: float
    """Of wall time that it took, starts included."""
    pairing: Pairing | None = None

    def changes(self, metric: str) -> Sequence[PairedUnit]:
        """What each unit says about a metric."""
        return changes_of(metric, base=self.base, head=self.head)


def workload_change(
    measured: Measured,
    *,
    metric: str,
    precision: float,
    pricing: PricedSetup,
    machine: Fingerprint,
) -> WorkloadChange | None:
    """Return the change of every metric of a workload; None where nothing is known yet.

    Args:
        measured: both sides.
        metric: the one that decided when to stop.
        precision: the wished half width, as a ratio.
        pricing: what a machine costs; without a target there is no cost.
        machine: that was measured on.
    """
    found = precise_change(measured.changes(metric), precision=precision)
    if found is None:
        return None
    units = len(measured.head.units)
    costs = [_cost(one, pricing, machine) for one in (measured.base, measured.head)]
    return WorkloadChange(
        workload=measured.head.workload,
        declaration=measured.head.declaration,
        metric=metric,
        answer=found.direction,
        precise=found.precise,
        half_width=found.half_width,
        units=found.units,
        seconds=measured.seconds,
        seconds_needed=_seconds_needed(found, seconds_a_unit=measured.seconds / units),
        pairing=measured.pairing,
        changes=_rows(measured, count=found.units, costs=costs),
        notes=_notes(measured, precision=precision, cost=costs[1], pricing=pricing),
    )


def _rows(measured: Measured, *, count: int, costs: Sequence[Cost]) -> tuple[MetricChange, ...]:
    before, after = figures(measured.base), figures(measured.head)
    values = {
        name: (before[name].estimate, after[name].estimate)
        for name in METRICS
        if name in before and name in after
    }
    known = [float(cost.usd_per_1k) for cost in costs if cost.usd_per_1k is not None]
    if len(known) == len(costs):
        values["cost_per_1k"] = known[0], known[1]
    return tuple(
        _row(name, *values[name], found=_at(measured.changes(name), count=count))
        for name in METRICS
        if name in values
    )


def _at(units: Sequence[PairedUnit], *, count: int) -> PreciseChange | None:
    return change_at(units, count=min(count, len(units)))


def _row(metric: str, a: float, b: float, *, found: PreciseChange | None) -> MetricChange:
    if found is None:
        return MetricChange(metric=metric, a=a, b=b)
    higher = METRICS[metric].better == "higher"
    sign = -1 if higher else 1
    bounds = (found.upper, found.lower) if higher else (found.lower, found.upper)
    changed = ratio(sign * found.change)
    return MetricChange(
        metric=metric,
        a=b / changed,
        b=b,
        ratio=changed,
        lower=ratio(sign * bounds[0]),
        upper=ratio(sign * bounds[1]),
        confidence=CONFIDENCE,
        units=found.units,
    )


def _cost(measurement: Measurement, pricing: PricedSetup, machine: Fingerprint) -> Cost:
    cost, _ = cost_of(
        target=pricing.target,
        target_problem=pricing.problem,
        fingerprint=machine,
        threads=measurement.declaration.threads,
        throughputs=[unit_metrics(unit)["throughput"] for unit in measurement.units],
        scenario=measurement.declaration.scenario,
        in_server=measurement.declaration.in_server,
        interval=figures(measurement)["throughput"],
        today=dt.datetime.now(tz=dt.UTC).date(),
    )
    return cost


def _seconds_needed(found: PreciseChange, *, seconds_a_unit: float) -> float | None:
    if found.precise or found.units_needed is None:
        return None
    return seconds_a_unit * found.units_needed


def _notes(
    measured: Measured, *, precision: float, cost: Cost, pricing: PricedSetup
) -> tuple[str, ...]:
    base, head = measured.base, measured.head
    notes = list(dict.fromkeys([*base.notes, *head.notes]))
    ours, theirs = head.declaration, base.declaration
    if ours.input_digest != theirs.input_digest:
        notes.append("A and B were measured with different inputs, so this compares both at once")
    if ours.model_digest is not None and ours.model_digest == theirs.model_digest:
        notes.append("A and B served the same model file (equal SHA-256)")
    if (pricing.target or pricing.problem) and cost.usd_per_1k is None:
        notes.append(f"no cost: {cost.reason}")
    if cost.usd_per_1k is not None and cost.warning:
        notes.append(cost.warning)
    notes += _uneven(measured.changes("mean"), precision=precision)
    return tuple(notes)


def _uneven(units: Sequence[PairedUnit], *, precision: float) -> tuple[str, ...]:
    """Say so where all together surely changes by another amount than what is typical."""
    typical = change_at(units, count=len(units))
    if typical is None:
        return ()
    slack = math.log1p(max(precision, _UNEVEN))
    for view, what in _WHOLE.items():
        whole = change_at(as_seen(units, view), count=len(units))
        if whole is None or whole.lower - slack < typical.change < whole.upper + slack:
            continue
        low, high = change(ratio(whole.lower)), change(ratio(whole.upper))
        usual, all_of_them = change(ratio(typical.change)), change(ratio(whole.change))
        told = f"typically by {usual} %, all of them together by {all_of_them} %"
        return (f"{what} change by different amounts: {told} ({low} to {high} %)",)
    return ()
