"""Whether the load that was sent is the load that was asked for, and what it changed if not.

A request that is sent late has its lateness in its latency, and may hold up those that wait behind
it. How much of a latency that can be has a bound where requests wait in this process, in order of
arrival, and each takes what it takes: a server that gets its requests later ends them later by no
more than that (the recursions of Lindley, Proc. Camb. Phil. Soc. 48 (1952) 277, and of Kiefer and
Wolfowitz, Trans. AMS 78 (1955) 1, move by no more than the arrivals do); and a request begins no
earlier than it is due. So request i has been held up by at most

    d(i) = min(max(late(i), d of those before it that may still be served), late(i) + waited(i))

and a percentile of `latency - d` is the least that it would have been, had all been sent in time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pytest_costguard.records import LATE_SHARE, QUANTILES, Load, Measurement, OpenLoop, Unit
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.percentiles import percentile, support
from pytest_costguard.stats.samples import answered, arrivals, series_of

_MISSED_RATE = 0.02
_MOST_CHANGED = 0.01
"""By which share of a figure lateness may have raised it, before nothing is decided by it."""
_COUNTED = frozenset({"error_rate", "goodput", "max_rate"})
"""What is counted beyond a limit: one request can be there by its lateness alone."""


def generator_fault(measurement: Measurement, metric: str = "", *, against: float = 0.0) -> str:
    """Say why the load was not what was asked for, by no fault of the server's; "" if it was.

    Lateness is in the latency, so what matters is how much of it it can be. Below a twentieth of
    the median, or of a limit that is longer, at the 99th percentile it is nothing. Beyond that, it
    is asked how far it can have moved the figure, where requests are served one by one in this
    process; of an endpoint, of batches and behind a cache nobody here knows what waits for what.

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
    """Return by how many seconds lateness can have held up each request, at most.

    Args:
        unit: of an open loop whose requests were served in this process, each by itself.
        at_once: how many were served at the same time.
    """
    loop = unit.open_loop
    assert loop is not None, "a closed loop has no generator"
    lost = frozenset(loop.unanswered)
    served = zip(unit.latency_seconds, loop.service_seconds, strict=True)
    found: list[float] = []
    # How late those of the ramp were is not told: the first may have waited for any of them.
    before = math.inf
    for place, late in enumerate(loop.lateness_seconds):
        most = max(late, before)
        if place not in lost:
            latency, service = next(served)
            most = min(most, max(late, latency - service))
        found.append(most)
        # One server goes from each to the next; of several, any may still be busy with any before.
        before = most if at_once == 1 or not place else max(before, most)
    return found


def _limit_on_waiting(load: Load | None) -> float | None:
    """Return the lowest limit of an SLO that lateness alone can break; None: it has none."""
    limits = [
        seconds
        for metric, seconds in (load.slo if load else {}).items()
        if QUANTILES[metric].series in ("latency", "ttft")
    ]
    return min(limits, default=None)


def _lateness(
    measurement: Measurement, loops: list[OpenLoop], metric: str, *, against: float
) -> str:
    typical = _typical(measurement, metric)
    if typical is None:
        return ""
    load = measurement.declaration.scenario.load
    searched = _limit_on_waiting(load) if loops[0].probes else None
    late = percentile([seconds for loop in loops for seconds in loop.lateness_seconds], 0.99)
    allowed = max(typical, against) if searched is None else searched
    if late <= LATE_SHARE * allowed:
        return ""
    told = f"the load generator was late by {late * 1e3:.3g} ms (p99)"
    if load is not None and _followed(load) and metric not in _COUNTED and not loops[0].probes:
        changed = _changed(measurement, load, against=against)
        worst = max(changed, key=lambda name: changed[name])
        name = metric if metric in QUANTILES else "mean" if metric else worst
        if name in changed:
            return _told_change(told, name, changed[name], against=against)
    of = "of the limit" if allowed > typical else f"of the median {_title(metric)}"
    return f"{told}, more than {LATE_SHARE * 100:g} % {of}"


def _typical(measurement: Measurement, metric: str) -> float | None:
    """Return the median of what a metric is a figure of: of TTFT its own, of all else latencies."""
    series = series_of(metric)
    samples = [
        seconds
        for unit in measurement.units
        for seconds in answered(unit, series if series == "ttft" else "latency")
    ]
    return percentile(samples, 0.5) if samples else None


def _told_change(told: str, name: str, changed: float, *, against: float) -> str:
    if changed <= _MOST_CHANGED:
        return ""
    of = "the limit" if against else "the mean latency" if name == "mean" else name
    if math.isinf(changed):
        return f"{told}, which can be why {name} is no answer"
    return f"{told}, which can be {100 * changed:.2g} % of {of}"


def _followed(load: Load) -> bool:
    """Whether the requests that are told wait for each other alone, in this process, one by one."""
    alone = not load.connections and not load.shares
    return alone and load.max_batch_size == 1 and not load.cache_entries


def _changed(measurement: Measurement, load: Load, *, against: float) -> dict[str, float]:
    """Return by which share of itself, or of a limit, lateness can have raised each figure."""
    felt: list[float] = []
    in_time: list[float] = []
    counts = []
    for unit in measurement.units:
        if unit.open_loop is None:
            continue
        of_unit = arrivals(unit)
        counts.append(len(of_unit))
        felt += of_unit
        for seconds, most in zip(of_unit, held_up(unit, at_once=load.at_once), strict=True):
            if math.isfinite(seconds):
                in_time.append(seconds - most)
            else:  # it may have failed by being late, and by that alone
                late = most > LATE_SHARE * load.timeout_seconds
                in_time.append(0.0 if late else math.inf)
    answers = [place for place, seconds in enumerate(felt) if math.isfinite(seconds)]
    both = {"mean": (mean([felt[k] for k in answers]), mean([in_time[k] for k in answers]))}
    for metric, one in QUANTILES.items():
        if one.series == "latency" and not support(one.q, tuple(counts)):
            both[metric] = percentile(felt, one.q), percentile(in_time, one.q)
    return {name: _share(*pair, against=against) for name, pair in both.items()}


def _share(was: float, least: float, *, against: float) -> float:
    if math.isinf(was):
        return 0.0 if math.isinf(least) else math.inf
    return (was - least) / max(was, against)


def _title(metric: str) -> str:
    return "time to first token" if series_of(metric) == "ttft" else "latency"


def _limited_by_generator(loop: OpenLoop) -> bool:
    """Whether the lowest rate that broke the SLO did so while the generator was late."""
    broken = [probe for probe in loop.probes if not probe.passed]
    return bool(broken) and min(broken, key=lambda probe: probe.rate).sent_late
