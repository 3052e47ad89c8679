"""The samples that a unit has of a series: latencies, and what a language model's answers tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

from pytest_costguard.records import MEANS, QUANTILES, Measurement, Series, Unit


def answered(unit: Unit, series: Series = "latency") -> Sequence[float]:
    """Return the samples of the requests that were answered, in seconds and in their order."""
    if series == "latency":
        return unit.latency_seconds
    tokens = unit.tokens
    if tokens is None:
        return ()
    if series == "ttft":
        return tokens.ttft_seconds
    if series == "itl":
        return tokens.gap_seconds
    return [seconds for seconds in tokens.tpot_by_request() if seconds is not None]


def series_of(metric: str) -> Series:
    """Return the series that a percentile or a mean is taken of; of any other metric, latencies."""
    if metric in QUANTILES:
        return QUANTILES[metric].series
    return next((series for series, name in MEANS.items() if name == metric), "latency")


def arrivals(unit: Unit, series: Series = "latency") -> list[float]:
    """Return the samples of all requests of a unit in order of arrival; `inf` where none was.

    A request without an answer counts for as many gaps as an answered one has on average. Of a
    closed loop, whose requests are all answered, these are the samples of the answered ones; empty
    where the workload tells none.
    """
    samples = answered(unit, series)
    if unit.open_loop is None or not unit.open_loop.unanswered:
        return list(samples)
    if not samples:
        return [math.inf] * unit.open_loop.requests if series == "latency" else []
    told = iter(_by_request(unit, series))
    lost = frozenset(unit.open_loop.unanswered)
    weight = max(1, round(len(samples) / len(unit.latency_seconds))) if series == "itl" else 1
    nothing = [math.inf] * weight
    places = range(unit.open_loop.requests)
    return [*chain.from_iterable(nothing if place in lost else next(told) for place in places)]


def told_series(measurement: Measurement) -> list[Series]:
    """Return latency, and each series of which at least one unit has samples."""
    units = measurement.units
    return [one for one in MEANS if one == "latency" or any(answered(unit, one) for unit in units)]


def quantiles_of(measurement: Measurement) -> dict[str, tuple[Series, float]]:
    """Return every percentile that the workload can have: its series and its order."""
    if not measurement.units:
        return {}
    told = told_series(measurement)
    return {metric: (one.series, one.q) for metric, one in QUANTILES.items() if one.series in told}


def _by_request(unit: Unit, series: Series) -> Sequence[Sequence[float]]:
    if series == "latency":
        return [(seconds,) for seconds in unit.latency_seconds]
    tokens = unit.tokens
    assert tokens is not None, "there are samples of its answers"
    if series == "ttft":
        return [(seconds,) for seconds in tokens.ttft_seconds]
    if series == "itl":
        return [*tokens.gaps_by_request()]
    return [() if seconds is None else (seconds,) for seconds in tokens.tpot_by_request()]
