"""At which rate a share of requests is late: a logistic curve through what windows have shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_USUAL_SLOPE = 8.0
"""Of the logarithm of the odds of being late over that of the rate. A queue whose limit is ten
service times has 5, one near saturation has tens."""
_SLOPE_SPREAD = 2.0
"""How far from it the slope is taken to be, as a standard deviation."""
_LEAST_SLOPE = 1.0
_LONGEST_STEP = 2.0
_STEPS = 60
_CLOSE = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How many of a window's requests were late, at its rate."""

    rate: float
    requests: int
    late: int


def crossing(windows: Sequence[Seen], *, share: float) -> float:
    """Return the rate at which a share of requests is late.

    Whether a window has more late requests than a limit says little of by how much, and late
    requests come in bursts, so that most windows have fewer than the mean: the middle between the
    last window that passed and the first that did not is too high (by 3 to 11 % in queues that were
    played). A logistic regression of the late ones on the logarithm of the rate uses the counts.
    Its slope is held towards a usual one, since rates that lie close together tell little of it,
    and what they seem to tell makes the result noisy (maximum a posteriori; the regression is that
    of Cox, The Regression Analysis of Binary Sequences, J. R. Stat. Soc. B 20 (1958) 215).

    Args:
        windows: at least one, with at least one request each.
        share: strictly between 0 and 1.
    """
    centre = math.fsum(math.log(one.rate) for one in windows) / len(windows)
    places = [math.log(one.rate) - centre for one in windows]
    late, sent = sum(one.late for one in windows), sum(one.requests for one in windows)
    height, slope = math.log((late + 0.5) / (sent - late + 0.5)), _USUAL_SLOPE
    for _ in range(_STEPS):
        step = _newton(windows, places, height=height, slope=slope)
        height, slope = height + step[0], max(_LEAST_SLOPE, slope + step[1])
        if max(abs(step[0]), abs(step[1])) < _CLOSE:
            break
    wanted = math.log(share / (1 - share))
    return math.exp(centre + (wanted - height) / slope)


def _newton(
    windows: Sequence[Seen], places: Sequence[float], *, height: float, slope: float
) -> tuple[float, float]:
    """Return one bounded Newton step of height and slope."""
    pull = 1 / _SLOPE_SPREAD**2
    down, across, twist = 0.0, pull, 0.0
    up, turn = 0.0, -pull * (slope - _USUAL_SLOPE)
    for one, place in zip(windows, places, strict=True):
        odds = max(-30.0, min(30.0, height + slope * place))
        chance = 1 / (1 + math.exp(-odds))
        weight = one.requests * chance * (1 - chance)
        rest = one.late - one.requests * chance
        up, turn = up + rest, turn + rest * place
        down, twist, across = down + weight, twist + weight * place, across + weight * place**2
    determinant = down * across - twist * twist
    if determinant <= 0:
        return 0.0, 0.0
    steps = (across * up - twist * turn) / determinant, (down * turn - twist * up) / determinant
    return _bounded(steps[0]), _bounded(steps[1])


def _bounded(step: float) -> float:
    return max(-_LONGEST_STEP, min(_LONGEST_STEP, step))
