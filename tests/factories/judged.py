"""Judge with everything defaulted but what a test is about."""

from __future__ import annotations

import datetime as dt
from typing import Any

from factories.judging import baseline, measurement, run, stored_run, stored_workload, unit
from factories.loads import loaded_as_declared
from fakes.pricing import dollar_an_hour

from pytest_costguard.app.judging import judge
from pytest_costguard.records import Baseline, FailOn, Report, Run, Scenario, WorkloadVerdict

TODAY = dt.date(2026, 3, 1)
WOBBLE = (-0.002, 0.001, 0.0, 0.002, -0.001, 0.0)


def judged(head: Run, earlier: Baseline | None = None, **changes: Any) -> Report:
    """Judge `head` against `earlier`; keywords replace arguments."""
    arguments: dict[str, Any] = {
        "gates": {},
        "target": None,
        "target_problem": "",
        "fail_on": (FailOn.REGRESSION, FailOn.BUDGET),
        "runner_spread": None,
        "baseline_requested": "auto",
        "baseline_problem": "",
        "whole_suite": True,
        "now": TODAY,
        "pricer": dollar_an_hour,
    }
    return judge(run=head, baseline=earlier, **(arguments | changes))


def only(report: Report) -> WorkloadVerdict:
    """Return the verdict of a report's one workload."""
    (verdict,) = report.verdicts
    return verdict


def head(latency: float = 0.001, *, units: int = 6, **declared: Any) -> Run:
    """Return a run of one workload whose units wobble a little around `latency`."""
    wobble = (WOBBLE * 10)[:units]
    timed = [unit(latency * (1 + share), index=index) for index, share in enumerate(wobble)]
    load = declared.get("scenario", Scenario()).load
    if load is not None:
        timed = [loaded_as_declared(one, load) for one in timed]
    return run(measurement(timed, **declared))


def series(
    latency: float = 0.001, *, runs: int = 8, spread: float = 0.001, **declared: Any
) -> Baseline:
    """Return a baseline whose runs differ by about `spread`, a day apart."""
    shifts = [spread * (-1) ** index * (1 + index % 3 / 4) for index in range(runs)]
    return baseline(
        *(
            stored_run(
                stored_workload(
                    {
                        "mean": [latency * (1 + shift) * (1 + share) for share in WOBBLE],
                        "throughput": [1 / latency / (1 + shift) / (1 + share) for share in WOBBLE],
                    },
                    **declared,
                ),
                day=day,
            )
            for day, shift in enumerate(shifts)
        )
    )
