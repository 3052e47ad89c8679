"""Whether the load that was sent is the load that was asked for, and what it changed if not.

A request that is sent late has its lateness in its latency, and may hold up those that wait behind
it. How much of a latency that can be has a bound where the queue is in this process. A server that
gets its requests later ends them later by no more than that (the recursion of Lindley, Proc. Camb.
Phil. Soc. 48 (1952) 277, moves by no more than its arrivals do); and a request begins no earlier
than it is due. So request i has been held up by at most

    d(i) = min(max(late(i), d of those before it that may still be served), late(i) + waited(i))

and a percentile of `latency - d` is the least that it would have been, had all been sent in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from pytest_costguard.records import LATE_SHARE, QUANTILES, Load, Measurement, OpenLoop, Unit
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.percentiles import percentile, support
from pytest_costguard.stats.samples import arrivals

_MISSED_RATE = 0.02
_MOST_CHANGED = 0.01
"""By which share of a figure lateness may have raised it, before nothing is decided by it."""
_STILL_SERVED = 4
_TAKES_ITS_OWN_COUNT = frozenset({"error_rate", "goodput", "max_rate"})
"""What is counted beyond a limit: one request can be there by its lateness alone."""


def generator_fault(measurement: Measurement, metric: str = "", *, against: float = 0.0) -> str:
    """Say why the load was not what was asked for, by no fault of the server's; "" if it was.

    Lateness is in the latency, so what matters is how much of it it can be. Below a twentieth of
    the median, or of a limit, at the 99th percentile it is nothing. Beyond that, it is asked how
    far it can have moved the figure, where the workload is served in this process; of an endpoint
    nobody here knows what waits behind what.

    Args:
        measurement: of an open loop, or of anything else.
        metric: what is to be decided; "": whatever can be.
        against: a limit in seconds; 0.0: none. A search is held against its SLO.
    """
    loops = list(loops_of(measurement))
    if not any(loop.lateness_seconds for loop in loops):
        return ""
    asked, sent = loops[0].rate, min(loop.dispatched_rate for loop in loops)
    if not loops[0].probes and sent < (1 - _MISSED_RATE) * asked:
        return f"the load generator sent {sent:.3g} requests a second instead of {asked:.3g}"
    searches = [loop for loop in loops if loop.probes]
    if searches:
        against = min(_limits_on_waiting(measurement), default=against)
    if late := _lateness(measurement, loops, metric, against=against):
        return f"{late}: it needs a core of its own"
    ended = [loop.search_ended for loop in searches if loop.search_ended]
    if 2 * len(ended) > len(searches) > 0:
        return f"the search for the highest rate has not come to its end: {ended[0]}"
    limited = sum(_limited_by_generator(loop) for loop in searches)
    if 2 * limited > len(searches) > 0:
        return "the load generator could not send faster in time: the server may take more"
    return ""


def loops_of(measurement: Measurement) -> Iterator[OpenLoop]:
    """Yield what load has shown, of each unit that was under it."""
    return (unit.open_loop for unit in measurement.units if unit.open_loop is not None)


def held_up(unit: Unit, *, at_once: int) -> list[float]:
    """Return by how many seconds lateness can have held up each answered request, at most.

    Args:
        unit: of an open loop whose requests were served in this process.
        at_once: how many were served at the same time.
    """
    loop = unit.open_loop
    assert loop is not None, "a closed loop has no generator"
    lost = frozenset(loop.unanswered)
    served = zip(unit.latency_seconds, loop.service_seconds, strict=True)
    # One server goes from each to the next. Of several, one may still be busy with what came some
    # time before: of four times as many none was overlooked in queues that were played.
    before: deque[float] = deque([0.0], maxlen=1 if at_once == 1 else _STILL_SERVED * at_once)
    found = []
    for place, late in enumerate(loop.lateness_seconds):
        most = max(late, *before)
        if place not in lost:
            latency, service = next(served)
            most = min(most, max(late, latency - service))
            found.append(most)
        before.append(most)
    return found


def _lateness(
    measurement: Measurement, loops: list[OpenLoop], metric: str, *, against: float
) -> str:
    latencies = [seconds for unit in measurement.units for seconds in unit.latency_seconds]
    if not latencies:
        return ""
    late = percentile([seconds for loop in loops for seconds in loop.lateness_seconds], 0.99)
    typical = percentile(latencies, 0.5)
    if late <= LATE_SHARE * max(typical, against):
        return ""
    told = f"the load generator was late by {late * 1e3:.3g} ms (p99)"
    load = measurement.declaration.scenario.load
    if load is None or not _replayable(load) or metric in _TAKES_ITS_OWN_COUNT or loops[0].probes:
        of = "of the limit" if against > typical else "of the median latency"
        return f"{told}, more than {LATE_SHARE * 100:g} % {of}"
    changed = _changed(measurement, load, against=against)
    name = metric if metric in changed else max(changed, key=changed.__getitem__)
    name = name if metric in (name, "") else "mean"
    if changed[name] <= _MOST_CHANGED:
        return ""
    return f"{told}, which can be {100 * changed[name]:.2g} % of {_named(name, against)}"


def _replayable(load: Load) -> bool:
    """Whether the requests that are told wait for each other alone, and in this process."""
    return not load.connections and not load.shares


def _changed(measurement: Measurement, load: Load, *, against: float) -> dict[str, float]:
    """Return by which share of itself, or of a limit, lateness can have raised each figure."""
    units = [unit for unit in measurement.units if unit.open_loop is not None]
    seen = [arrivals(unit) for unit in units]
    counts = tuple(map(len, seen))
    at_once = load.at_once * load.max_batch_size
    felt = [seconds for unit in units for seconds in unit.latency_seconds]
    in_time = [
        seconds - most
        for unit in units
        for seconds, most in zip(unit.latency_seconds, held_up(unit, at_once=at_once), strict=True)
    ]
    found = {"mean": (mean(felt), mean(in_time))}
    lost = [float("inf")] * (sum(counts) - len(felt))
    for metric, one in QUANTILES.items():
        if one.series == "latency" and not support(one.q, counts):
            both = percentile([*felt, *lost], one.q), percentile([*in_time, *lost], one.q)
            if both[0] < float("inf"):
                found[metric] = both
    return {name: (was - least) / max(was, against) for name, (was, least) in found.items()}


def _named(metric: str, against: float) -> str:
    return "the limit" if against else "the mean latency" if metric == "mean" else metric


def _limits_on_waiting(measurement: Measurement) -> list[float]:
    """Return the limits of the SLO that a late request can break by itself."""
    load = measurement.declaration.scenario.load
    return [
        seconds
        for metric, seconds in (load.slo if load else {}).items()
        if QUANTILES[metric].series in ("latency", "ttft")
    ]


def _limited_by_generator(loop: OpenLoop) -> bool:
    """Whether the lowest rate that broke the SLO did so while the generator was late."""
    broken = [probe for probe in loop.probes if not probe.passed]
    return bool(broken) and min(broken, key=lambda probe: probe.rate).sent_late
