"""Whether requests pile up under load: then no latency is typical, and no capacity is enough."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from statistics import geometric_mean

from pytest_costguard.records import Measurement, OpenLoop, Unit
from pytest_costguard.stats.generator import loops_of
from pytest_costguard.stats.intervals import margin, mean
from pytest_costguard.stats.percentiles import percentile
from pytest_costguard.stats.words import share_in_words

_BY_CHANCE = 3.0
"""Times the root of how many requests arrive: by more their backlog hardly grows by chance."""
_GROWN_SHARE = 0.02
_MAY_GROW_SHARE = 0.05
"""Of what arrives: a server that is 5 % too slow is told from one that keeps up."""
_SLOWER = math.log(1.1)
_FEWEST_GROWTHS = 3
_TELLING_SHARE = 0.8


def growing_backlog(measurement: Measurement) -> str:
    """Say that requests piled up or got slower until the end, so that no latency is typical.

    In steady state the backlog returns to what it was. It has not where the growth over windows is
    surely (t at 99 %) more than 2 % of what arrived; or where it is, in most units, more than what
    chance adds over N arrivals, three times the square root of N, and than what can be under way.
    A server that serves everything at once has none, and may get slower all the same: surely by
    more than a tenth from the first third of a unit to its last.
    """
    load = measurement.declaration.scenario.load
    loops = list(loops_of(measurement))
    if load is None or not loops:
        return ""
    growths = [list(_growths(loop)) for loop in loops]
    large = sum(
        any(more > load.at_once + _BY_CHANCE * math.sqrt(arrived) for more, arrived in of_unit)
        for of_unit in growths
    )
    shares = [more / arrived for of_unit in growths for more, arrived in of_unit]
    surely = len(shares) >= _FEWEST_GROWTHS and mean(shares) - margin(shares, 0.99) > _GROWN_SHARE
    if 2 * large > len(loops) or surely:
        return "requests piled up until the end: the server does not keep up with this rate"
    slower = [math.log(change) for change in _slowdowns(measurement)]
    if len(slower) < _FEWEST_GROWTHS or mean(slower) - margin(slower, 0.99) <= _SLOWER:
        return ""
    return (
        f"requests got slower until the end ({share_in_words(math.expm1(mean(slower)))} from the"
        " first to the last third of a window)"
    )


def unknown_backlog(measurement: Measurement) -> str:
    """Say that nobody knows whether the server keeps up; "" where it is known, or does not matter.

    It is known where four fifths of the windows tell it: those that do not are those of a server
    that was slow, and a window in five may have had one slow request in its ramp. It is known as
    well of a server that surely does not: it may be too slow to be filled within its ramp.
    """
    return "" if growing_backlog(measurement) else _not_told(measurement)


def steady_state_fault(measurement: Measurement) -> str:
    """Say why a load shows no steady state, of which alone figures can be told; "" if it may.

    Requests surely pile up, or nobody knows whether they do.
    """
    return growing_backlog(measurement) or _not_told(measurement)


def _not_told(measurement: Measurement) -> str:
    loops = list(loops_of(measurement))
    if not loops or any(loop.probes for loop in loops):
        return ""
    if not any(loop.backlog and loop.backlog_arrived for loop in loops):
        return (
            "it is not known whether the server keeps up: the report does not tell what was under"
            " way in its windows; measure again"
        )
    windows = sum(len(loop.window_requests) for loop in loops)
    if sum(1 for loop in loops for _ in _growths(loop)) >= _TELLING_SHARE * windows:
        return ""
    return (
        "it is not known whether the server keeps up: too few requests arrive and end within a"
        " window; measure longer (--costguard-unit-time)"
    )


def may_pile_up(measurement: Measurement) -> str:
    """Say why it is not sure that the server keeps up with the rate; "" if it is.

    It keeps up where the growth over windows is, at 95 %, no more than 5 % of what arrived, and no
    more of the requests were left without an answer. Of a server that is slower than that a limit
    far away says nothing: its queue reaches any.
    """
    if fault := steady_state_fault(measurement):
        return fault
    loops = list(loops_of(measurement))
    growths = [growth for loop in loops for growth in _growths(loop)]
    if any(loop.probes for loop in loops) or not growths:
        return ""
    lost = sum(len(loop.unanswered) for loop in loops) / sum(loop.requests for loop in loops)
    if lost > _MAY_GROW_SHARE:
        return (
            f"it is not sure that the server keeps up: {share_in_words(lost)} of the requests had"
            " no answer, and what is without one piles up unseen"
        )
    shares = [more / arrived for more, arrived in growths]
    fewest = min(arrived for _, arrived in growths)
    least = 1 / fewest if len(shares) > 1 else 1 / math.sqrt(fewest)
    most = mean(shares) + max(least, margin(shares, 0.95) if len(shares) > 1 else 0.0)
    if most <= _MAY_GROW_SHARE:
        return ""
    return (
        f"it is not sure that the server keeps up: up to {share_in_words(most)} of the requests may"
        " have piled up in a window; measure longer (--costguard-unit-time), or at a lower rate"
    )


def _slowdowns(measurement: Measurement) -> Iterator[float]:
    """Yield of each unit the median latency of the last third of a window over its first's.

    Of several windows the geometric mean.
    """
    for unit in measurement.units:
        windows = [] if unit.open_loop is None else list(_windows(unit, unit.open_loop))
        thirds = [(one[: len(one) // 3], one[-(len(one) // 3) :]) for one in windows if one[2:]]
        if thirds:
            yield geometric_mean(
                percentile(last, 0.5) / percentile(first, 0.5) for first, last in thirds
            )


def _windows(unit: Unit, loop: OpenLoop) -> Iterator[Sequence[float]]:
    """Yield the latencies of each window, of the requests that were answered."""
    edges = [0, *accumulate(loop.window_requests)]
    # How many of the requests before an edge were answered is where its latencies begin.
    answered = [edge - bisect_left(loop.unanswered, edge) for edge in edges]
    return (unit.latency_seconds[start:stop] for start, stop in pairwise(answered))


def _growths(loop: OpenLoop) -> Iterator[tuple[int, int]]:
    """Yield by how much the backlog of each window grew while how many arrived, where known."""
    moments = len(loop.backlog) // len(loop.window_requests)
    for number, arrived in enumerate(loop.backlog_arrived):
        window = loop.backlog[number * moments : (number + 1) * moments]
        if arrived and window:
            yield window[-1] - window[0], arrived
