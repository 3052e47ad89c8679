"""How far requests that were sent late can have moved the figures of a load.

A request that is sent late has its lateness in its latency, and may hold up those that wait behind
it. Both have a bound.

Where this process serves requests one by one, each takes what it takes, and all are answered, a
server that gets its requests later ends them later by no more than that (the recursion of Lindley,
Proc. Camb. Phil. Soc. 48 (1952) 277, moves by no more than the arrivals do); and a request begins
no earlier than it is due. So request i has been held up by at most

    d(i) = min(max(late(i), d(i-1)), late(i) + waited(i))

and would have taken no less than its latency without d(i), had all been sent in time, and no more
than it did.

Of an endpoint, of several workers, of batches and behind a cache nobody here knows what waits for
what. But a request that is due when all before it have been answered begins a busy period, and what
went before hardly matters to it. So requests of busy periods without a late one, and not right
after one with it, are taken as they are. A request that was alone in its period was late by its
lateness. Each of the others would have taken no less than the fastest one ever did, and no more
than it did, and what all of its period were late by, and the slowest of them, with which it might
have shared a batch. These are bounds of figures, held against queues that were played.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from pytest_costguard.records import LATE_SHARE, QUANTILES, Load, Measurement, OpenLoop, Unit
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.percentiles import percentile, support
from pytest_costguard.stats.samples import arrivals

MEAN = "mean"
_ROUNDING = 1e-9
_REMEMBERED = 4
"""Measurements whose bounds are kept: those of both sides, and of a mixture and its part."""
SECONDS_AN_ANSWER = "seconds an answer"
"""What a throughput is the inverse of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How far a figure may be from what it were, had all been sent in time, as shares of itself."""

    figure: float
    """In seconds; `inf` for no answer."""
    less: float
    """In time it would have been less by no more than this; at most 1."""
    more: float
    """And more by no more than this; `inf`: it might be no answer."""

    def __post_init__(self) -> None:
        if not (0 <= self.less <= 1 and self.more >= 0):
            raise ValueError(f"less must be from 0 to 1, and more from 0 up, got {self}")


NOT_MOVED = Moved(figure=0.0, less=0.0, more=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InTime:
    """What each request of a unit took, and would have taken, had all been sent in time: seconds.

    `inf` stands for no answer.
    """

    felt: Sequence[float]
    least: Sequence[float]
    most: Sequence[float]


def in_time(measurement: Measurement, *, part: int | None = None) -> Sequence[InTime] | None:
    """Bound what requests would have taken, unit by unit, in order of arrival.

    Args:
        measurement: of an open loop, or of anything else.
        part: of a mixture, whose requests are meant: its place among the shares. None: all.

    Returns:
        None where there is no bound: of a search, of what is only a part of a mixture, and where
        it is not known when the server was idle.
    """
    return _in_time(_Same(measurement), part)


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A measurement as what it is: several verdicts ask the same of the same one."""

    measurement: Measurement

    def __hash__(self) -> int:
        return id(self.measurement)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.measurement is self.measurement


@lru_cache(maxsize=_REMEMBERED)
def _in_time(same: _Same, part: int | None) -> Sequence[InTime] | None:
    measurement = same.measurement
    load = measurement.declaration.scenario.load
    loops = [(unit, unit.open_loop) for unit in measurement.units if unit.open_loop is not None]
    apart = load is not None and load.shares and not all(loop.parts for _, loop in loops)
    if load is None or apart or not loops or any(loop.probes for _, loop in loops):
        return None
    found = []
    for unit, loop in loops:
        places = [k for k in range(loop.requests) if part is None or loop.parts[k] == part]
        felt = arrivals(unit)
        if not unit.latency_seconds or not places:
            return None
        if _one_by_one(load) and not loop.unanswered:
            held = held_up(unit, loop)
            least = [seconds - most for seconds, most in zip(felt, held, strict=True)]
            bounds = InTime(felt=felt, least=least, most=felt)
        elif loop.busy_periods:
            bounds = _by_busy_period(unit, loop, typical=_median(felt, places))
        else:
            return None
        ways = (bounds.felt, bounds.least, bounds.most)
        mine = [[way[place] for place in places] for way in ways]
        found.append(InTime(felt=mine[0], least=mine[1], most=mine[2]))
    return found


def figures_moved(
    measurement: Measurement, *, part: int | None = None
) -> Mapping[str, Moved] | None:
    """Return how far lateness can have moved figures of the latency, in the unit where it is most.

    Verdicts rest on a figure a unit: their mean moves by no more than the one that moved most.

    Args:
        measurement: of an open loop, or of anything else.
        part: of a mixture, whose figures are meant: its place among the shares. None: all requests.

    Returns:
        Of percentiles those that the requests support; `MEAN` where all were answered, and
        `SECONDS_AN_ANSWER` where they were served one by one, too. None as of `in_time`.
    """
    return _figures_moved(_Same(measurement), part)


@lru_cache(maxsize=_REMEMBERED)
def _figures_moved(same: _Same, part: int | None) -> Mapping[str, Moved] | None:
    measurement, bounds = same.measurement, _in_time(same, part)
    if bounds is None:
        return None
    found: dict[str, Moved] = {}
    if all(math.isfinite(seconds) for unit in bounds for seconds in unit.felt):
        found[MEAN] = _most_moved([_moved(*map(mean, _ways(unit))) for unit in bounds])
        rates = _rates_moved(measurement) if part is None else []
        if rates:
            found[SECONDS_AN_ANSWER] = _most_moved(rates)
    counts = tuple(len(unit.felt) for unit in bounds)
    ordered = [tuple(map(sorted, _ways(unit))) for unit in bounds]
    for metric, one in QUANTILES.items():
        if one.series == "latency" and not support(one.q, counts):
            found[metric] = _most_moved(
                [_moved(*(percentile(way, one.q) for way in ways)) for ways in ordered]
            )
    return found


def held_up(unit: Unit, loop: OpenLoop) -> list[float]:
    """Return by how many seconds lateness can have held up each request, at most.

    Args:
        unit: of an open loop whose requests were served in this process, one by one, all of them.
        loop: its own.
    """
    idle, ramps = frozenset(loop.busy_periods), dict(_ramps(loop))
    found: list[float] = []
    before = math.inf
    served = zip(unit.latency_seconds, loop.service_seconds, loop.lateness_seconds, strict=True)
    for place, (latency, service, late) in enumerate(served):
        before = 0.0 if place in idle else ramps.get(place, before)
        before = max(late, min(before, latency - service))
        found.append(before)
    return found


def _one_by_one(load: Load) -> bool:
    alone = load.at_once == 1 and not load.connections
    return alone and load.max_batch_size == 1 and not load.cache_entries


def _ramps(loop: OpenLoop) -> Iterator[tuple[int, float]]:
    """Yield where each window starts, and how late its ramp was at most; `inf`: not known."""
    starts = [0, *accumulate(loop.window_requests)][:-1]
    late = loop.ramp_lateness_seconds or (math.inf,) * len(starts)
    return zip(starts, late, strict=True)


def _by_busy_period(unit: Unit, loop: OpenLoop, *, typical: float) -> InTime:
    felt, lateness = arrivals(unit), loop.lateness_seconds
    allowed = LATE_SHARE * typical
    fastest = min(
        seconds - late
        for seconds, late in zip(felt, lateness, strict=True)
        if math.isfinite(seconds)
    )
    least, most = [], []
    after = 0.0  # by what the period before may have reached into this one
    for start, stop, before in _periods(loop):
        of_period, late = felt[start:stop], lateness[start:stop]
        latest, answers = max(*late, before), [one for one in of_period if math.isfinite(one)]
        if stop - start == 1 and answers and not before and not after:
            least.append(answers[0] - latest)
            most.append(answers[0] - latest)
        elif latest <= allowed and not after:
            least += [seconds - latest for seconds in of_period]
            most += of_period
        else:
            # What was lost may have been answered in time, and have held up others.
            told = len(answers) == len(of_period) and before <= allowed
            further = math.fsum(late) + max(answers, default=0.0) if told else math.inf
            least += [
                min(fastest, seconds) if math.isfinite(seconds) else 0.0 for seconds in of_period
            ]
            most += [seconds + further + after for seconds in of_period]
            after = further if latest > allowed else 0.0
            continue
        after = 0.0
    return InTime(felt=felt, least=least, most=most)


def _periods(loop: OpenLoop) -> Iterator[tuple[int, int, float]]:
    """Yield where busy periods start and stop, and how late what was under way then was at most.

    Nothing was, where a period's own start is known; else the ramp was.
    """
    ramps, known = dict(_ramps(loop)), frozenset(loop.busy_periods)
    edges = sorted({*known, *ramps, loop.requests})
    return (
        (start, stop, 0.0 if start in known else ramps[start]) for start, stop in pairwise(edges)
    )


def _ways(unit: InTime) -> tuple[Sequence[float], ...]:
    return unit.felt, unit.least, unit.most


def _moved(figure: float, least: float, most: float) -> Moved:
    if math.isinf(figure):
        return Moved(figure=figure, less=0.0 if math.isinf(least) else 1.0, more=0.0)
    less, more = max(0.0, figure - least), max(0.0, most - figure)
    return Moved(figure=figure, less=min(1.0, less / figure), more=more / figure)


def _rates_moved(measurement: Measurement) -> list[Moved]:
    """Return how far lateness moved the time that requests took, unit by unit; [] if not known."""
    load = measurement.declaration.scenario.load
    loops = [(unit, unit.open_loop) for unit in measurement.units if unit.open_loop is not None]
    known = all(math.isfinite(late) for _, loop in loops for _, late in _ramps(loop))
    if load is None or not _one_by_one(load) or not known:
        return []
    return [_rate_moved(unit, loop) for unit, loop in loops]


def _rate_moved(unit: Unit, loop: OpenLoop) -> Moved:
    """What lateness did to the time that a window's requests took, which counts what is under way.

    A server that kept up with the rate all the same would have done so in time. Another serves no
    more than the rate; and as many as it answers while one is held up may have been counted at
    either end of what was counted, which is half of the window at least.
    """
    figure = loop.answered_seconds / loop.requests
    if figure <= (1 + _ROUNDING) / loop.rate:
        return Moved(figure=figure, less=0.0, more=0.0)
    ramps = [late for _, late in _ramps(loop)]
    held, windows = held_up(unit, loop), [0, *accumulate(loop.window_requests)]
    longest = [max(held[start:stop]) for start, stop in pairwise(windows)]
    both = math.fsum(map(max, longest, ramps)) + math.fsum(ramps)
    share = 2 * loop.rate * both / loop.requests
    return Moved(figure=figure, less=min(share, 1 - 1 / (loop.rate * figure)), more=share)


def _most_moved(units: Sequence[Moved]) -> Moved:
    return Moved(
        figure=mean([unit.figure for unit in units]),
        less=max(unit.less for unit in units),
        more=max(unit.more for unit in units),
    )


def _median(felt: Sequence[float], places: Sequence[int]) -> float:
    answers = [felt[place] for place in places if math.isfinite(felt[place])]
    return percentile(answers, 0.5) if answers else 0.0
