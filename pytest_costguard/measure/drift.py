"""Whether block times still drift: has a workload settled after its first requests?"""

from __future__ import annotations

import math
from collections.abc import Sequence

WINDOW = 5
TOLERANCE = 0.02
TREND_BLOCKS = 20
LONG_SECONDS = 0.05
"""From here on a block is so long that what interrupts it is little of it: two of them tell."""
_FEW_TOLERANCE = 0.05
_TREND_Z = 2.0


def has_settled(block_seconds: Sequence[float]) -> bool:
    """Tell, after each block, whether the times have stopped to drift.

    They have when the medians of the last five blocks and of the five before differ by less
    than 2 %; of blocks of 50 ms and more, when the last two do. On a machine whose noise is larger
    than that, medians may never agree; from 20 blocks on it is enough that the last 20 show no
    trend.
    """
    last = block_seconds[-2:]
    if len(last) == 2 and min(last) >= LONG_SECONDS and abs(last[1] / last[0] - 1) < TOLERANCE:
        return True
    if len(block_seconds) < 2 * WINDOW:
        return False
    earlier = _median(block_seconds[-2 * WINDOW : -WINDOW])
    if abs(_median(block_seconds[-WINDOW:]) / earlier - 1) < TOLERANCE:
        return True
    return len(block_seconds) >= TREND_BLOCKS and not _has_trend(block_seconds[-TREND_BLOCKS:])


def settled_when_cut_short(block_seconds: Sequence[float]) -> bool:
    """Tell the same of a warm-up that ran out of time, from however few blocks there are.

    With fewer than ten blocks, the medians of the two halves may differ by 5 %; with fewer than
    two blocks nothing can be told, so that the answer is no.
    """
    if len(block_seconds) >= 2 * WINDOW:
        return has_settled(block_seconds)
    half = len(block_seconds) // 2
    if half == 0:
        return False
    change = _median(block_seconds[-half:]) / _median(block_seconds[:half]) - 1
    return abs(change) < _FEW_TOLERANCE


def _has_trend(series: Sequence[float]) -> bool:
    """Test for a monotone trend at about 5 % (Mann 1945, Kendall 1975, normal approximation)."""
    n = len(series)
    score = sum(
        (series[later] > series[earlier]) - (series[later] < series[earlier])
        for earlier in range(n)
        for later in range(earlier + 1, n)
    )
    variance = n * (n - 1) * (2 * n + 5) / 18
    return abs(score) / math.sqrt(variance) > _TREND_Z


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
