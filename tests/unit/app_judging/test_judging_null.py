"""Whole suites in which nothing changed, judged end to end: how often one of them fails."""

from __future__ import annotations

import math

import numpy as np
import pytest
from factories.judged import judged
from factories.judging import (
    baseline,
    measurement,
    regression,
    run,
    stored_run,
    stored_workload,
    unit,
)

from pytest_costguard.records import Gates, WorkloadId

SUITES, WORKLOADS, RUNS, UNITS = 250, 3, 8, 3
IDS = [WorkloadId(nodeid=f"tests/test_{name}.py::test") for name in "abc"]
RULES = Gates(regressions=(regression("mean"), regression("throughput")))


def suites(*, change, between, seed):
    """Return for each suite log seconds of head's and the baseline's units: run, workload, unit.

    The machine's speed, which the calibration kernel sees, differs from run to run as well, and
    the kernel itself is noisy.
    """
    rng = np.random.default_rng(seed)
    shape = (SUITES, RUNS + 1, WORKLOADS, UNITS)
    speed = 0.2 * rng.standard_normal((SUITES, RUNS + 1, 1, 1))
    of_run = between * rng.standard_normal((SUITES, RUNS + 1, WORKLOADS, 1))
    seconds = 0.001 * np.exp(speed + of_run + 0.01 * rng.standard_normal(shape))
    seconds[:, 0] *= change
    kernel = 0.003 * np.exp(speed + 0.005 * rng.standard_normal(shape))
    return seconds, kernel


def failed(seconds, kernel):
    head = run(
        *(
            measurement(
                [unit(s, count=4, calibration=k) for s, k in zip(*pair, strict=True)],
                workload=workload,
            )
            for workload, *pair in zip(IDS, seconds[0], kernel[0], strict=True)
        )
    )
    earlier = [
        stored_run(
            *(
                stored_workload(
                    {"mean": values, "throughput": [1 / value for value in values]},
                    workload=workload,
                    calibration=speeds,
                )
                for workload, values, speeds in zip(IDS, seconds[day], kernel[day], strict=True)
            ),
            day=day,
        )
        for day in range(1, RUNS + 1)
    ]
    held = {str(workload): RULES for workload in IDS}
    return judged(head, baseline(*earlier), gates=held).outcome.failed


@pytest.mark.parametrize("between", [0.001, 0.05])
def test_a_suite_that_changed_by_no_more_than_is_allowed_fails_in_one_of_a_hundred(between):
    seconds, kernel = suites(change=1.02, between=between, seed=61)

    alarms = sum(map(failed, seconds.tolist(), kernel.tolist()))

    assert alarms <= SUITES * (0.01 + 4 * math.sqrt(0.01 * 0.99 / SUITES))


def test_a_suite_that_became_a_fifth_slower_fails_on_a_quiet_runner():
    seconds, kernel = suites(change=1.2, between=0.005, seed=62)

    alarms = sum(map(failed, seconds.tolist(), kernel.tolist()))

    assert alarms / SUITES > 0.99
