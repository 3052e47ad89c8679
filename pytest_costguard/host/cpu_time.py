"""How finely a process's CPU time is told, and that of other processes at one moment.

With a limit on it (`ulimit -t`, RLIMIT_CPU) Linux adds the CPU time of a process up at the timer's
ticks, so that it grows in steps of 4 ms where there are 250 a second; Windows tells it in steps of
15.6 ms. A block of 3 ms has none of it then, or too much.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable

_STEPS = 2
"""The first may have begun before it was looked at; what counts is the smallest."""
_PATIENCE_SECONDS = 0.1


def cpu_time_step(
    *,
    clock: Callable[[], float] = time.process_time,
    now: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the smallest step that CPU time was seen to make, in seconds.

    The process is busy meanwhile: for microseconds, or for two steps of a clock that counts ticks.

    Args:
        clock: seconds of CPU time.
        now: seconds on a monotonic clock; a CPU clock that stands still is given up.
    """
    end = now() + _PATIENCE_SECONDS
    smallest = _PATIENCE_SECONDS
    for _ in range(_STEPS):
        before = after = clock()
        while after == before and now() < end:
            after = clock()
        if after > before:
            smallest = min(smallest, after - before)
    return smallest


def cpu_seconds_of(pids: Iterable[int]) -> float | None:
    """Return what some processes have used so far, all their threads together; None off Linux.

    In nanoseconds of resolution and a microsecond a process, so that it can be asked around a
    block. One that has ended counts no more.
    """
    if sys.platform != "linux":
        return None
    used = 0.0
    for pid in pids:
        try:
            # The clock of another process: clock_getcpuclockid(3), which no module of Python's has.
            used += time.clock_gettime((~pid << 3) | 2)
        except OSError:
            continue
    return used
