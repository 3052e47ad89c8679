"""From measurements to figures: one value a unit and metric, then intervals over the units."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from statistics import median

from pytest_costguard.records import (
    MEANS,
    METRICS,
    QUANTILES,
    BaselineWorkload,
    Interval,
    Measurement,
    OpenLoop,
    Series,
    Tokens,
    Unit,
)
from pytest_costguard.stats.intervals import mean, t_interval
from pytest_costguard.stats.open_loop import error_rate_under_load, figures_under_load, under_load
from pytest_costguard.stats.percentiles import percentile_of_sorted, support, unit_samples_needed
from pytest_costguard.stats.samples import answered, arrivals, quantiles_of

_INFINITE = "requests without an answer take infinitely long"


def unit_metrics(unit: Unit) -> dict[str, float]:
    """Return what one unit says about each metric, in the metric's own unit.

    A metric that the unit did not measure is absent: percentiles that are beyond its samples,
    memory of a process that served other workloads too, energy without a meter. Costs are never
    here, since they need a price.
    """
    found = _memory_metrics(unit)
    for series in MEANS:
        # One request without an answer makes the mean infinite, and percentiles from there on.
        found |= {
            name: seconds
            for name, seconds in _series_metrics(unit, series).items()
            if math.isfinite(seconds)
        }
    found["throughput"] = unit.items / sum(block.wall_seconds for block in unit.blocks)
    if unit.tokens is not None:
        found |= _token_rates(unit, unit.tokens)
    if unit.open_loop is not None:
        found |= _load_metrics(unit, unit.open_loop)
    if unit.cold_start is not None:
        if unit.cold_start.seconds is not None:
            found["cold_start"] = unit.cold_start.seconds
        found["first_call"] = unit.cold_start.first_call_seconds
    if unit.energy is not None:
        found["energy_per_1k"] = 1000 * unit.energy.joules / unit.energy.items
    if unit.quality is not None:
        found["quality"] = unit.quality
    return found


def _series_metrics(unit: Unit, series: Series) -> dict[str, float]:
    samples = arrivals(unit, series)
    if not samples:
        return {}
    ordered = sorted(samples)
    return {MEANS[series]: mean(samples)} | {
        name: percentile_of_sorted(ordered, one.q)
        for name, one in QUANTILES.items()
        if one.series == series and len(samples) >= unit_samples_needed(one.q)
    }


def infinite_metrics(measurement: Measurement) -> frozenset[str]:
    """Return the metrics of which some unit has no finite value, since requests had no answer.

    The other units must not speak for all: they are those in which nothing went wrong.
    """
    return frozenset(
        name
        for unit in measurement.units
        if unit.open_loop is not None and unit.open_loop.unanswered
        for series in MEANS
        for name, seconds in _series_metrics(unit, series).items()
        if not math.isfinite(seconds)
    )


def _token_rates(unit: Unit, tokens: Tokens) -> dict[str, float]:
    """Tokens a second over all answered requests; of a search, at the rate that it found."""
    seconds = sum(block.wall_seconds for block in unit.blocks)
    if unit.open_loop is not None and unit.open_loop.probes:
        seconds = unit.requests / unit.open_loop.rate
    found = {"output": sum(tokens.output_tokens), "input": sum(tokens.input_tokens)}
    if tokens.output_tokens and tokens.input_tokens:
        found["total"] = found["output"] + found["input"]
    return {f"{kind}_tokens_per_second": count / seconds for kind, count in found.items() if count}


def _load_metrics(unit: Unit, loop: OpenLoop) -> dict[str, float]:
    """What only an open loop tells; a search's throughput is that of the rate that it found."""
    items_per_request = unit.items / unit.requests
    found = {"error_rate": loop.error_rate}
    if loop.probes:
        found |= {"max_rate": loop.rate, "throughput": loop.rate * items_per_request}
    elif loop.within_slo is not None:
        found["goodput"] = loop.within_slo * items_per_request / loop.answered_seconds
    return found


def _memory_metrics(unit: Unit) -> dict[str, float]:
    if unit.memory is None or not unit.memory.alone:
        return {}
    found = {"peak_memory": float(unit.memory.peak_bytes)}
    if unit.memory.device_peak_bytes is not None:
        found["peak_device_memory"] = float(unit.memory.device_peak_bytes)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a measurement says, and of which figures it says nothing."""

    reduced: BaselineWorkload
    """One value a unit and metric: what a baseline stores and a verdict rests on.

    A metric that some units lack keeps the values of the others; a percentile that the samples as
    a whole do not support is absent.
    """
    figures: Mapping[str, Interval]
    """Each measured metric with its t-interval over units.

    Percentiles under load have their own at 95 %, see `open_loop.interval_under_load`, and so has
    the error rate, see `open_loop.error_rate_under_load`.
    """
    unsupported: Mapping[str, str]
    """Each figure of requests that the samples do not support, with the reason."""
    percentiles: Mapping[str, float]
    """Each percentile under load that the requests support, bounded or not."""

    @classmethod
    def of(cls, measurement: Measurement, confidence: float = 0.95) -> Summary:
        """Summarise a measurement, with intervals over units at this confidence."""
        if not under_load(measurement):
            few = _too_few(measurement)
            reduced = _reduced(measurement, few)
            shown = intervals(reduced.metrics, confidence)
            return cls(reduced=reduced, figures=shown, unsupported=few, percentiles={})
        loaded = figures_under_load(measurement)
        lost = dict.fromkeys(sorted(infinite_metrics(measurement)), _INFINITE)
        hidden = {**lost, **loaded.unsupported}
        reduced = _reduced(measurement, hidden)
        one_sided = 0.5 + confidence / 2
        failed = error_rate_under_load(measurement, below=one_sided, above=one_sided)
        shown = {**intervals(reduced.metrics, confidence), **loaded.bounded, "error_rate": failed}
        return cls(
            reduced=reduced,
            figures=shown,
            unsupported=hidden,
            percentiles=loaded.percentiles,
        )


def reduce(measurement: Measurement) -> BaselineWorkload:
    """Return one value a unit and metric, see `Summary`."""
    return Summary.of(measurement).reduced


def figures(
    measured: Measurement | BaselineWorkload, confidence: float = 0.95
) -> dict[str, Interval]:
    """Return each measured metric with its interval, see `Summary`."""
    if isinstance(measured, Measurement):
        return dict(Summary.of(measured, confidence).figures)
    return intervals(measured.metrics, confidence)


def _too_few(measurement: Measurement) -> dict[str, str]:
    """Name each percentile of a closed loop that its samples do not support."""
    reasons = {}
    for name, (series, q) in quantiles_of(measurement).items():
        counts = tuple([len(answered(unit, series)) for unit in measurement.units])
        reasons[name] = support(q, counts, name)
    return {name: reason for name, reason in reasons.items() if reason}


def _reduced(measurement: Measurement, hidden: Container[str]) -> BaselineWorkload:
    units = [unit_metrics(unit) for unit in measurement.units]
    values = {
        name: tuple(unit[name] for unit in units if name in unit)
        for name in METRICS
        if name not in hidden
    }
    return BaselineWorkload(
        workload=measurement.workload,
        declaration=measurement.declaration,
        metrics={name: found for name, found in values.items() if found},
        calibration=tuple(
            median(unit.calibration_seconds)
            for unit in measurement.units
            if unit.calibration_seconds
        ),
        memory_method=_memory_method(measurement.units),
    )


def _memory_method(units: Iterable[Unit]) -> str:
    methods = {unit.memory.method: None for unit in units if unit.memory is not None}
    return " and ".join(methods)


def estimates(measurement: Measurement) -> dict[str, Interval]:
    """Return each percentile over all samples so far, whether or not they support it.

    A stand-in where more units are to come: nothing is decided on it.
    """
    values = {}
    for name, (series, q) in quantiles_of(measurement).items():
        samples = sorted(chain.from_iterable(answered(one, series) for one in measurement.units))
        values[name] = (percentile_of_sorted(samples, q),) if samples else ()
    return intervals(values)


def intervals(
    values: Mapping[str, tuple[float, ...]], confidence: float = 0.95
) -> dict[str, Interval]:
    """Return the interval of each metric that has values, one a unit, at least one each.

    One unit bounds nothing: its interval is the estimate alone, with `n` 1 and `confidence` 0.
    """
    return {name: _figure(name, found, confidence) for name, found in values.items() if found}


def _figure(name: str, values: tuple[float, ...], confidence: float) -> Interval:
    interval = t_interval(values, confidence)
    if interval is None:
        value = values[0]
        return Interval(estimate=value, lower=value, upper=value, confidence=0.0, n=1)
    if METRICS[name].unit and interval.lower < 0 <= min(values):
        # Seconds, bytes and money cannot be below zero, so cutting there loses no coverage.
        return Interval(
            estimate=interval.estimate,
            lower=0.0,
            upper=interval.upper,
            confidence=confidence,
            n=interval.n,
        )
    return interval
