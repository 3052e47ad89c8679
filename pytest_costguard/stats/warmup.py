"""Warm-up: when it is over, and whether a unit was still drifting while it was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pytest_costguard.records import Block, Unit
from pytest_costguard.stats.intervals import mean, variance
from pytest_costguard.stats.quantiles import t_quantile

_MATTERS_FROM = 0.02
_FIRST_MATTERS_FROM = 0.1
_BATCHES = 10
_FEWEST_STRETCHES = 2 * _BATCHES
_FALSE_ALARM = 0.002


def drift(seconds: Sequence[float]) -> float:
    """Return the relative change of speed over a unit that noise does not explain, or 0.0.

    The times are cut into 10 consecutive batches, and the logarithms of the batches' medians are
    tested twice: a straight line through them by t on 8 degrees of freedom, for a slow drift of
    at least 2 %, and the first against the last five by t on 4, for a short warm-up that makes
    the first tenth at least 10 % slower. Medians ignore single outliers, and batches are nearly
    independent where single times are not.

    Args:
        seconds: like with like, in order: seconds a request of successive stretches.

    Returns:
        Below zero where it got faster (still warming up), above zero where it got slower; 0.0
        also for fewer than 20 times, which tell nothing.
    """
    if len(seconds) < _FEWEST_STRETCHES:
        return 0.0
    edges = [round(index * len(seconds) / _BATCHES) for index in range(_BATCHES + 1)]
    logs = [math.log(median(seconds[start:stop])) for start, stop in pairwise(edges)]
    slope, slope_error = _slope(logs)
    change = slope * (_BATCHES - 1)
    if _certain(slope, slope_error, df=_BATCHES - 2) and abs(change) > _MATTERS_FROM:
        return math.expm1(change)
    late = logs[_BATCHES // 2 :]
    step = mean(late) - logs[0]
    step_error = math.sqrt(variance(late) * (1 + 1 / len(late)))
    if _certain(step, step_error, df=len(late) - 1) and abs(step) > _FIRST_MATTERS_FROM:
        return math.expm1(step)
    return 0.0


def _certain(value: float, error: float, *, df: int) -> bool:
    return abs(value) > t_quantile(1 - _FALSE_ALARM / 4, df) * error


@dataclass(frozen=True, slots=True)
class Course:
    """How the speed of a unit went while it was measured."""

    drift: float
    """Relative change of the time a request, 0.0 where noise explains it."""
    warming_up: bool
    """Whether it was measured before its warm-up was over."""


def course(unit: Unit, *, input_count: int) -> Course:
    """Examine the blocks of a unit; where they are too few, the word of its warm-up counts.

    Args:
        unit: with its blocks in the order in which they were timed.
        input_count: how many inputs the unit goes round through. Blocks are joined until they
            have gone through all of them, so that long inputs after short ones are no drift.
    """
    if unit.open_loop is not None:  # a queue's state drifts by itself; see `open_loop`
        return Course(drift=0.0, warming_up=False)
    seconds = stretches(unit.blocks, input_count=input_count)
    if len(seconds) < _FEWEST_STRETCHES:
        return Course(drift=0.0, warming_up=not unit.warmup.settled)
    change = drift(seconds)
    return Course(drift=change, warming_up=change < 0)


def stretches(blocks: Sequence[Block], *, input_count: int) -> tuple[float, ...]:
    """Join blocks into stretches of at least `input_count` requests: seconds a request of each."""
    found: list[float] = []
    wall, requests = 0.0, 0
    for block in blocks:
        wall, requests = wall + block.wall_seconds, requests + block.requests
        if requests >= input_count:
            found.append(wall / requests)
            wall, requests = 0.0, 0
    return tuple(found)


def _slope(values: Sequence[float]) -> tuple[float, float]:
    """Return slope and standard error of a straight line through equally spaced values."""
    n = len(values)
    middle, centre = (n - 1) / 2, mean(values)
    spread = math.fsum((index - middle) ** 2 for index in range(n))
    slope = math.fsum((i - middle) * (value - centre) for i, value in enumerate(values)) / spread
    rest = math.fsum((value - centre - slope * (i - middle)) ** 2 for i, value in enumerate(values))
    return slope, math.sqrt(rest / (n - 2) / spread)
