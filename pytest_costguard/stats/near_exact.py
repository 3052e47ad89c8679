"""What few runs bound of a metric that hardly differs from process to process, such as memory.

Write a unit's logarithm as level + run + process. Let two runs of the same code differ by at most
`RUN_TO_RUN`, and let the processes' parts be interchangeable, however they are distributed: steps
of an allocator as well as a bell curve. Then a bound below is on the wrong side of the truth only
if all units of head happen to lie on one side of all units of the baseline, of which the chance is
one in the number of ways to choose head's units among them all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_costguard.stats.intervals import mean

ENOUGH_RUNS = 2
"""One run cannot show whether runs agree."""
RUN_TO_RUN = 0.01
"""How much peak memory may differ between runs of the same code: twice the most that was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds of a change in logarithms; each is wrong at most with probability `error`."""

    lower: float
    upper: float
    error: float


def bounds(head: Sequence[float], runs: Sequence[Sequence[float]]) -> Bounds | None:
    """Return the bounds of the change from `runs` to `head`, one logarithm a unit.

    Returns:
        None where there is one run only, or where the runs differ from each other by more than
        `RUN_TO_RUN`, so that the assumption does not hold.
    """
    if len(runs) < ENOUGH_RUNS:
        return None
    levels = [mean(run) for run in runs]
    between = math.log1p(RUN_TO_RUN)
    if max(levels) - min(levels) > between:
        return None
    units = sum(map(len, runs))
    return Bounds(
        lower=min(head) - max(map(max, runs)) - between,
        upper=max(head) - min(map(min, runs)) + between,
        error=1 / math.comb(units + len(head), len(head)),
    )
