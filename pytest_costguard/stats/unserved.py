"""How much of a figure may be time in which no core served the process: a bound, not an estimate.

Waiting for a core, time that the hypervisor took and throttling are the machine's, not the
code's. A stored baseline has none of today's neighbours in it, so a figure may be called worse
only as far as they cannot have made it so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pytest_costguard.records import COSTS, MEANS, QUANTILES, Measurement, Sensors, Series
from pytest_costguard.stats.percentiles import percentile_of_sorted
from pytest_costguard.stats.samples import answered

_AS_THE_MEAN: Mapping[str, Series] = MappingProxyType(
    {metric: series for series, metric in MEANS.items()}
    | dict.fromkeys((*COSTS, *COSTS.values()), "latency")
)


def unserved_share(measurement: Measurement) -> float:
    """Return the share of all timed stretches, 0 to 1, in which the serving threads had no core.

    The waits of all threads are shared among those that serve; time taken by the hypervisor and
    throttling count in full. What the machine does not tell is taken as none.
    """
    return _share([unit.sensors for unit in measurement.units], measurement)


def _share(sensors: Sequence[Sensors], measurement: Measurement) -> float:
    wall = math.fsum(reading.wall_seconds for reading in sensors)
    if wall <= 0:
        return 0.0
    lost = waited_seconds(sensors, measurement) + math.fsum(
        (reading.steal_seconds or 0.0) + (reading.throttled_seconds or 0.0) for reading in sensors
    )
    return min(1.0, lost / wall)


def waited_seconds(sensors: Iterable[Sensors], measurement: Measurement) -> float:
    """Return how long the serving threads waited for a core; it is shared among all of them."""
    threads = max(1, measurement.declaration.threads)
    return math.fsum((reading.run_queue_wait_seconds or 0.0) / threads for reading in sensors)


def least_ratio(metric: str, measurement: Measurement) -> float:
    """Return what a figure is at least, as a ratio to itself, without the time that was unserved.

    Every unit gives up its own share, and the ratio is that of the means over units. A mean m
    becomes m·(1 - w); a throughput's ratio is that of the mean time of an item; a quantile
    becomes what `least_quantile` says. Metrics that no core's absence makes worse have the
    ratio 1.

    Args:
        metric: by its name.
        measurement: with the latencies and sensors of its units.
    """
    quantile = QUANTILES.get(metric)
    series = _AS_THE_MEAN.get(metric) if quantile is None else quantile.series
    if series is None:
        return 1.0
    seen = least = 0.0
    for unit in measurement.units:
        ordered = sorted(answered(unit, series))
        if not ordered:
            continue
        share = _share([unit.sensors], measurement)
        total = math.fsum(ordered)
        if quantile is None:
            seen += total / len(ordered)
            least += total / len(ordered) * (1.0 - share)
        else:
            seen += percentile_of_sorted(ordered, quantile.q)
            least += least_quantile(ordered, quantile.q, lost=share * total)
    return least / seen if seen > 0 else 1.0


def least_quantile(ordered: Sequence[float], q: float, *, lost: float) -> float:
    """Return what the q-quantile is at least when `lost` seconds are taken off some of the values.

    The cheapest way to lower the value at a rank k is to lower it and those next below it to one
    level y, which takes the sum of v - y over the values v above y up to that rank.

    Args:
        ordered: seconds, ascending; at least one.
        q: the order, 0 to 1.
        lost: seconds in all.
    """
    rank = math.floor(q * (len(ordered) - 1))
    above = 0.0
    for index in range(rank, -1, -1):
        above += ordered[index]
        level = (above - lost) / (rank - index + 1)
        if index == 0 or level >= ordered[index - 1]:
            return max(0.0, level)
    raise AssertionError("the lowest value ends the search")
