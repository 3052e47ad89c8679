"""How much of a figure may be time in which no core served the process: a bound, not an estimate.

Waiting for a core, time that the hypervisor took and throttling are the machine's, not the
code's. A stored baseline has none of today's neighbours in it, so a figure may be called worse
only as far as they cannot have made it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_costguard.records import PERCENTILES, Measurement

_AS_THE_MEAN = frozenset({"mean", "throughput", "cost_per_1k"})


def unserved_share(measurement: Measurement) -> float:
    """Return the share of the timed stretches, 0 to 1, in which the serving threads had no core.

    The waits of all threads are shared among those that serve; time taken by the hypervisor and
    throttling count in full. What the machine does not tell is taken as none.
    """
    sensors = [unit.sensors for unit in measurement.units if unit.sensors.wall_seconds > 0]
    wall = sum(reading.wall_seconds for reading in sensors)
    if not wall:
        return 0.0
    waited = _total(reading.run_queue_wait_seconds for reading in sensors)
    taken = _total(reading.steal_seconds for reading in sensors)
    throttled = _total(reading.throttled_seconds for reading in sensors)
    lost = waited / max(1, measurement.declaration.threads) + taken + throttled
    return min(1.0, lost / wall)


def least_ratio(metric: str, *, share: float, means: Mapping[str, float]) -> float:
    """Return what a figure is at least, as a ratio to itself, without the time that was unserved.

    For a mean m, m·(1 - w), with w the unserved share. For a quantile x of order q,
    x - w·m / (1 - q): at least (1 - q)·n of n requests are as slow as x, so to have moved all of
    them by d takes (1 - q)·n·d of the w·n·m seconds that were lost. Metrics that no core's
    absence makes worse have the ratio 1; a throughput's is that of the mean time of an item.

    Args:
        metric: by its name.
        share: as `unserved_share` returns it.
        means: the mean over units, by metric.
    """
    if metric in _AS_THE_MEAN:
        return 1.0 - share
    quantile, figure, mean = PERCENTILES.get(metric), means.get(metric), means.get("mean")
    if quantile is None or not figure or mean is None:
        return 1.0
    return max(0.0, 1.0 - share * mean / (1.0 - quantile) / figure)


def _total(readings: Iterable[float | None]) -> float:
    return sum(reading for reading in readings if reading is not None)
