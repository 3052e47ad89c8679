"""How finely CPU time is told: read from the steps that it makes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import count

import pytest

from pytest_costguard.engine.pairing import COARSE_CPU_TIME_SECONDS
from pytest_costguard.host.cpu_time import cpu_seconds_of, cpu_time_step


def reader(step_seconds, *, every):
    """A CPU clock that moves by `step_seconds` at every so many readings."""
    readings = count(1)
    return lambda: (next(readings) // every) * step_seconds


@pytest.mark.parametrize(("step_seconds", "every"), [(0.004, 50), (1e-7, 1)])
def test_the_step_of_the_clock_is_found(step_seconds, every):
    moments = count()
    found = cpu_time_step(clock=reader(step_seconds, every=every), now=lambda: next(moments) * 1e-6)
    assert found == pytest.approx(step_seconds)


def test_a_clock_that_stands_still_is_given_up():
    moments = count()
    assert cpu_time_step(clock=lambda: 1.0, now=lambda: next(moments) * 1e-3) == 0.1


LIMITED = """
import resource, time
from pytest_costguard.engine.pairing import COARSE_CPU_TIME_SECONDS
from pytest_costguard.host.cpu_time import cpu_time_step

resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
told = cpu_time_step()
readings = [time.process_time() for _ in range(200_000)]
steps = [after - before for before, after in zip(readings, readings[1:]) if after > before]
print(told, min(steps))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits are set as on Linux")
def test_a_limit_under_which_cpu_time_is_coarse_is_found_out():
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True
    )
    told, smallest = map(float, done.stdout.split())
    # The kernel counts in ticks there, and exactly at each switch: steps differ.
    assert told > COARSE_CPU_TIME_SECONDS or smallest < COARSE_CPU_TIME_SECONDS


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the CPU time of others finely")
def test_the_cpu_time_of_processes_is_that_of_their_own_clocks():
    ours = cpu_seconds_of([os.getpid()])
    assert ours == pytest.approx(time.process_time(), abs=0.05)
    assert cpu_seconds_of([os.getpid(), os.getpid()]) > 1.5 * ours
    assert cpu_seconds_of([2**22 + 1]) == 0.0
