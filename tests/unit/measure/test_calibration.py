from __future__ import annotations

import pytest

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.calibration import calibrate, kernel
from pytest_costguard.measure.ports import Clock


def clock_reading(*readings):
    left = iter(readings)
    return Clock(wall_ns=lambda: next(left), cpu_ns=lambda: 0)


def test_the_kernel_does_the_same_work_every_time():
    assert kernel() == kernel()


def test_one_run_is_timed():
    assert calibrate(clock_reading(1_000, 2_501_000)) == 0.0025


def test_a_clock_that_stands_still_still_yields_a_positive_time():
    assert calibrate(clock_reading(1_000, 1_000)) > 0


def test_a_clock_that_goes_backwards_is_refused():
    with pytest.raises(WorkloadError, match="backwards"):
        calibrate(clock_reading(2_000, 1_000))
