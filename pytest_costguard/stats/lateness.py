"""How far requests that were sent late can have moved the figures of a load.

A request that is sent late has its lateness in its latency, and may hold up those that wait behind
it. Both have a bound.

Where requests wait in this process, in order of arrival, and each takes what it takes, a server
that gets its requests later ends them later by no more than that (the recursions of Lindley, Proc.
Camb. Phil. Soc. 48 (1952) 277, and of Kiefer and Wolfowitz, Trans. AMS 78 (1955) 1, move by no more
than the arrivals do); and a request begins no earlier than it is due. So request i has been held up
by at most

    d(i) = min(max(late(i), d of those before it that may still be served), late(i) + waited(i))

and would have taken no less than its latency without d(i), had all been sent in time, and no more
than it did.

Of an endpoint, of batches and behind a cache nobody here knows what waits for what. But a request
that is due when all before it have been answered begins a busy period, and what went before does
not matter to it. Only the busy periods with a late request are other than they would have been. A
request that was alone in its own was late by its lateness; of the others, each would have taken no
less than the fastest one ever did, and no more than it did, and what all of them were late by, and
the slowest of them, with which it might have shared a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from pytest_costguard.records import LATE_SHARE, QUANTILES, Load, Measurement, OpenLoop, Unit
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.percentiles import percentile, support
from pytest_costguard.stats.samples import arrivals


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How far a figure may be from what it were, had all been sent in time, as shares of itself."""

    figure: float
    """In seconds; `inf` for no answer."""
    less: float
    """In time it would have been less by no more than this; at most 1."""
    more: float
    """And more by no more than this; `inf`: it might be no answer."""


NOT_MOVED = Moved(figure=0.0, less=0.0, more=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InTime:
    """What each request would have taken, had all been sent in time: `inf` for no answer."""

    least: Sequence[float]
    most: Sequence[float]


def figures_moved(measurement: Measurement, *, part: int | None = None) -> dict[str, Moved] | None:
    """Return how far lateness can have moved the mean and each percentile of the latency.

    Args:
        measurement: of an open loop, or of anything else.
        part: of a mixture, whose figures are meant: its place among the shares. None: all requests.

    Returns:
        Of percentiles those that the requests support. None where there is no bound: of a search,
        of what is only a part of a mixture, and where it is not known when the server was idle.
    """
    load = measurement.declaration.scenario.load
    loops = [(unit, unit.open_loop) for unit in measurement.units if unit.open_loop is not None]
    apart = load is not None and load.shares and not all(loop.parts for _, loop in loops)
    if load is None or apart or any(loop.probes for _, loop in loops):
        return None
    counts: list[int] = []
    ways: tuple[list[float], ...] = ([], [], [])
    for unit, loop in loops:
        places = [k for k in range(loop.requests) if part is None or loop.parts[k] == part]
        felt = arrivals(unit)
        bounds = in_time(unit, loop, load=load, typical=_median(felt, places))
        if bounds is None:
            return None
        counts.append(len(places))
        for way, of_unit in zip(ways, (felt, bounds.least, bounds.most), strict=True):
            way += [of_unit[place] for place in places]
    answers = [place for place, seconds in enumerate(ways[0]) if math.isfinite(seconds)]
    if not answers:
        return None
    found = {"mean": _moved(*(mean([way[place] for place in answers]) for way in ways))}
    for metric, one in QUANTILES.items():
        if one.series == "latency" and not support(one.q, tuple(counts)):
            found[metric] = _moved(*(percentile(way, one.q) for way in ways))
    return found


def in_time(unit: Unit, loop: OpenLoop, *, load: Load, typical: float) -> InTime | None:
    """Bound what each request of a unit would have taken; None where there is no bound.

    Args:
        unit: of an open loop.
        loop: its own.
        load: that was sent.
        typical: seconds of a request; less than a twentieth of them is not late.
    """
    if not unit.latency_seconds:
        return None
    if not load.connections and load.max_batch_size == 1 and not load.cache_entries:
        return _in_order(unit, loop, load)
    return _by_busy_period(unit, loop, typical) if loop.busy_periods else None


def held_up(unit: Unit, loop: OpenLoop, *, at_once: int) -> list[float]:
    """Return by how many seconds lateness can have held up each request, at most.

    Args:
        unit: of an open loop whose requests were served in this process, each by itself.
        loop: its own.
        at_once: how many were served at the same time.
    """
    lost, idle = frozenset(loop.unanswered), frozenset(loop.busy_periods)
    served = zip(unit.latency_seconds, loop.service_seconds, strict=True)
    found: list[float] = []
    # How late those of the ramp were is not told: the first may have waited for any of them.
    before = math.inf
    for place, late in enumerate(loop.lateness_seconds):
        first = place in idle
        most = late if first else max(late, before)
        if place not in lost:
            latency, service = next(served)
            most = min(most, max(late, latency - service))
        found.append(most)
        # One server goes from each to the next; of several, any may still be busy with any before.
        before = most if at_once == 1 or first or not place else max(before, most)
    return found


def _in_order(unit: Unit, loop: OpenLoop, load: Load) -> InTime:
    felt = arrivals(unit)
    least = []
    for seconds, most in zip(felt, held_up(unit, loop, at_once=load.at_once), strict=True):
        if math.isfinite(seconds):
            least.append(seconds - most)
        else:  # it may have failed by being late, and by that alone
            least.append(0.0 if most > LATE_SHARE * load.timeout_seconds else math.inf)
    return InTime(least=least, most=felt)


def _by_busy_period(unit: Unit, loop: OpenLoop, typical: float) -> InTime:
    felt, lateness = arrivals(unit), loop.lateness_seconds
    fastest, allowed = min(unit.latency_seconds), LATE_SHARE * typical
    least, most = [], []
    for start, stop, known in _periods(loop):
        of_period, late = felt[start:stop], lateness[start:stop]
        if known and stop - start == 1 and math.isfinite(felt[start]):
            least.append(felt[start] - late[0])
            most.append(felt[start] - late[0])
        elif known and max(late) <= allowed:
            least += map(float.__sub__, of_period, late)
            most += of_period
        else:
            slowest = max(filter(math.isfinite, of_period), default=0.0)
            least += [
                min(fastest, seconds) if math.isfinite(seconds) else 0.0 for seconds in of_period
            ]
            most += [seconds + sum(late) + slowest for seconds in of_period]
    return InTime(least=least, most=most)


def _median(felt: Sequence[float], places: Sequence[int]) -> float:
    answers = [felt[place] for place in places if math.isfinite(felt[place])]
    return percentile(answers, 0.5) if answers else 0.0


def _periods(loop: OpenLoop) -> Iterator[tuple[int, int, bool]]:
    """Yield where busy periods start and stop, and whether it is known how one began.

    Of the one that was under way when a window began, the start was in the ramp.
    """
    windows = [0, *accumulate(loop.window_requests)]
    known = frozenset(loop.busy_periods)
    edges = sorted(known | set(windows))
    return ((start, stop, start in known) for start, stop in pairwise(edges))


def _moved(figure: float, least: float, most: float) -> Moved:
    if math.isinf(figure):
        return Moved(figure=figure, less=0.0 if math.isinf(least) else 1.0, more=0.0)
    less, more = max(0.0, figure - least), max(0.0, most - figure)
    return Moved(figure=figure, less=less / figure, more=more / figure)
