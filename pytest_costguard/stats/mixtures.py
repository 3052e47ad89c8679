"""What the parts of a mixture do to each other: the same unit's figures together against alone.

A unit measures each part alone and then all of them in one process, minutes apart at most, so that
the machine's state is in both. Its ratio of two percentiles, or of two rates, is one value; units
are processes of their own, so that the t-interval over the logarithms of their ratios holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from pytest_costguard.records import PERCENTILES, Capacity, Interval, Measurement, OpenLoop, Unit
from pytest_costguard.stats.intervals import t_interval
from pytest_costguard.stats.percentiles import percentile, support
from pytest_costguard.stats.summary import unit_metrics

_CONFIDENCE = 0.95


def part_of(measurement: Measurement, part: str) -> Measurement:
    """Return the requests of one part of a mixture as a measurement, as far as they tell it apart.

    Latencies, times of serving, lateness and requests without an answer are the part's own. Blocks,
    memory and sensors remain those of all parts. Units without a request of the part are left out.
    """
    load = measurement.declaration.scenario.load
    assert load is not None, "a mixture has a load"
    number = list(load.shares).index(part)
    share = load.shares[part]
    units = (_requests_of(unit, number, share=share) for unit in measurement.units)
    return msgspec.structs.replace(
        measurement, units=tuple(unit for unit in units if unit is not None)
    )


def longer(metric: str, *, alone: Measurement, beside: Measurement) -> Interval | str:
    """Return how many times as long a percentile is beside others as alone, or why that is unknown.

    Args:
        metric: a percentile.
        alone: the part by itself.
        beside: its requests in the mixture, see `part_of`.
    """
    for one in (alone, beside):
        counts = tuple(len(unit.latency_seconds) for unit in one.units)
        if not counts or (reason := support(PERCENTILES[metric], counts)):
            return reason if counts else f"{metric} not supported by 0 samples"
    found = _ratio(lambda unit: unit_metrics(unit).get(metric), over=beside, under=alone)
    return found or f"{metric} is not an answer in some units: too many requests failed"


def served_longer(*, alone: Measurement, beside: Measurement) -> Interval | None:
    """Return the same of the median time of serving, without what a request waits for others."""

    def median(unit: Unit) -> float | None:
        served = () if unit.open_loop is None else unit.open_loop.service_seconds
        return percentile(served, 0.5) if served else None

    return _ratio(median, over=beside, under=alone)


def capacity(together: Measurement, alone: Mapping[str, Measurement]) -> Capacity | None:
    """Hold the highest rate of a mixture against what its parts alone let expect.

    Args:
        together: the mixture.
        alone: each part by its name.

    Returns:
        None where the rates were not searched for.
    """
    load = together.declaration.scenario.load
    assert load is not None, "a mixture has a load"
    rates = {name: _highest_rates(one) for name, one in alone.items()}
    found, expected = _highest_rates(together), {}
    for index in found:
        shares = [
            (share, rates.get(name, {}).get(index, 0.0)) for name, share in load.shares.items()
        ]
        if all(rate > 0 for _, rate in shares):
            expected[index] = 1 / math.fsum(share / rate for share, rate in shares)
    both = sorted(expected)
    ratio = _of_logarithms([math.log(found[index] / expected[index]) for index in both])
    if ratio is None:
        return None
    rate = math.fsum(found[index] for index in both) / len(both)
    # As with base beside head: what is expected is shown as what makes the ratio.
    return Capacity(rate=rate, expected_rate=rate / ratio.estimate, ratio=ratio)


def _requests_of(unit: Unit, number: int, *, share: float) -> Unit | None:
    loop = unit.open_loop
    if loop is None or number not in loop.parts:
        return None
    lost = frozenset(loop.unanswered)
    answered = iter(zip(unit.latency_seconds, loop.service_seconds, strict=True))
    latencies: list[float] = []
    services: list[float] = []
    unanswered: list[int] = []
    mine = [place for place, part in enumerate(loop.parts) if part == number]
    own = {place: order for order, place in enumerate(mine)}
    for place in range(loop.requests):
        times = None if place in lost else next(answered)
        if place not in own:
            continue
        if times is None:
            unanswered.append(own[place])
        else:
            latencies.append(times[0])
            services.append(times[1])
    return msgspec.structs.replace(
        unit,
        latency_seconds=tuple(latencies),
        tokens=None,
        open_loop=msgspec.structs.replace(
            loop,
            rate=loop.rate * share,
            dispatched_rate=loop.dispatched_rate * share,
            lateness_seconds=tuple(loop.lateness_seconds[place] for place in mine),
            service_seconds=tuple(services),
            unanswered=tuple(unanswered),
            failures={},
            backlog=(),
            backlog_arrived=(),
            window_requests=_by_window(loop, number),
            within_slo=None,
            parts=(),
            probes=(),
            busy_periods=(),
            ramp_lateness_seconds=(),
        ),
    )


def _by_window(loop: OpenLoop, number: int) -> tuple[int, ...]:
    """Return how many requests of a part each window held that held any."""
    counts, first = [], 0
    for requests in loop.window_requests:
        counts.append(loop.parts[first : first + requests].count(number))
        first += requests
    return tuple(count for count in counts if count)


def _highest_rates(measurement: Measurement) -> dict[int, float]:
    """What the search of each unit has found, by its index."""
    return {
        unit.index: unit.open_loop.rate
        for unit in measurement.units
        if unit.open_loop is not None and unit.open_loop.probes
    }


def _ratio(
    value: Callable[[Unit], float | None], *, over: Measurement, under: Measurement
) -> Interval | None:
    """Return the ratio of a figure over the units that measured both; None where one lacks it."""
    others = {unit.index: unit for unit in under.units}
    logarithms = []
    for unit in over.units:
        if unit.index not in others:
            continue
        above, below = value(unit), value(others[unit.index])
        if not above or not below:
            return None
        logarithms.append(math.log(above / below))
    return _of_logarithms(logarithms)


def _of_logarithms(values: Sequence[float]) -> Interval | None:
    """Return the geometric mean with the t-interval of the logarithms; one unit bounds nothing."""
    if not values:
        return None
    found = t_interval(values, _CONFIDENCE)
    if found is None:
        ratio = math.exp(values[0])
        return Interval(estimate=ratio, lower=ratio, upper=ratio, confidence=0.0, n=1)
    return Interval(
        estimate=math.exp(found.estimate),
        lower=math.exp(found.lower),
        upper=math.exp(found.upper),
        confidence=_CONFIDENCE,
        n=found.n,
    )
