"""Builders of runs, units and baselines for the tests of statistics and of judging."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pytest_costguard.records import (
    Baseline,
    BaselineRun,
    BaselineWorkload,
    Block,
    Budget,
    ColdStart,
    Declaration,
    Energy,
    Fingerprint,
    Gates,
    Measurement,
    Memory,
    Regression,
    Run,
    Scenario,
    Sensors,
    Unit,
    Warmup,
    WorkloadId,
)

DAY = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
MACHINE = Fingerprint(cpu_model="Xeon", cores=2, memory_bytes=8 << 30, packages={"torch": "2.5.0"})
WORKLOAD = WorkloadId(nodeid="tests/test_rerank.py::test_rerank")


def block(seconds: float = 0.01, *, requests: int = 10, items: int | None = None) -> Block:
    """Return a block in which `requests` requests took `seconds`."""
    return Block(
        wall_seconds=seconds,
        cpu_seconds=seconds,
        requests=requests,
        items=requests if items is None else items,
    )


def unit(
    latency: float = 0.001,
    *,
    index: int = 0,
    samples: Sequence[float] | None = None,
    count: int = 200,
    blocks: Sequence[Block] | None = None,
    calibration: float | None = None,
    memory: Memory | None = None,
    cold_start: ColdStart | None = None,
    energy: Energy | None = None,
    quality: float | None = None,
    settled: bool = True,
    sensors: Sensors | None = None,
) -> Unit:
    """Return a unit whose requests each took `latency` seconds, or `samples`."""
    latencies = tuple(samples) if samples is not None else (latency,) * count
    timed = tuple(blocks) if blocks is not None else (block(sum(latencies), requests=count),)
    return Unit(
        index=index,
        blocks=timed,
        latency_seconds=latencies,
        calibration_seconds=() if calibration is None else (calibration,) * 3,
        warmup=Warmup(requests=20, seconds=0.1, settled=settled),
        sensors=sensors or Sensors(wall_seconds=1.0, cpu_seconds=1.0),
        memory=memory,
        cold_start=cold_start,
        energy=energy,
        quality=quality,
    )


def declaration(**changes: Any) -> Declaration:
    """Return a declaration; keywords replace fields."""
    fields: dict[str, Any] = {
        "adapter": "callable",
        "scenario": Scenario(),
        "threads": 1,
        "input_count": 1,
        "input_digest": "inputs-a",
    }
    return Declaration(**(fields | changes))


def measurement(
    units: Sequence[Unit], *, workload: WorkloadId = WORKLOAD, **declared: Any
) -> Measurement:
    """Return a measurement of `units`, numbered anew where some have the same index."""
    if len({one.index for one in units}) < len(units):
        units = [msgspec.structs.replace(one, index=index) for index, one in enumerate(units)]
    return Measurement(workload=workload, declaration=declaration(**declared), units=tuple(units))


def run(*measurements: Measurement, **changes: Any) -> Run:
    """Return a run; keywords replace fields."""
    fields: dict[str, Any] = {
        "run_id": "r-head",
        "created": DAY,
        "tool_version": "0.1.0",
        "fingerprint": MACHINE,
        "measurements": measurements,
    }
    return Run(**(fields | changes))


def stored_workload(
    metrics: Mapping[str, Sequence[float]],
    *,
    workload: WorkloadId = WORKLOAD,
    calibration: Sequence[float] = (),
    **declared: Any,
) -> BaselineWorkload:
    """Return one workload of a baseline run, with one value a unit and metric."""
    return BaselineWorkload(
        workload=workload,
        declaration=declaration(**declared),
        metrics={name: tuple(values) for name, values in metrics.items()},
        calibration=tuple(calibration),
    )


def stored_run(*workloads: BaselineWorkload, day: int = 0, **changes: Any) -> BaselineRun:
    """Return a baseline run made `day` days after the first."""
    fields: dict[str, Any] = {
        "run_id": f"r-{day}",
        "created": DAY + dt.timedelta(days=day - 30),
        "tool_version": "0.1.0",
        "fingerprint": MACHINE,
        "workloads": workloads,
    }
    return BaselineRun(**(fields | changes))


def baseline(*runs: BaselineRun, **changes: Any) -> Baseline:
    """Return a baseline of the given runs."""
    fields: dict[str, Any] = {"name": "main", "location": ".costguard/baselines", "runs": runs}
    return Baseline(**(fields | changes))


def regression(metric: str = "mean", allow: float = 0.02, catch: float = 0.05) -> Regression:
    """Return a regression rule."""
    return Regression(metric=metric, allow=allow, catch=catch, origin="default")


def budget(metric: str = "mean", limit: float = 0.002, **changes: Any) -> Budget:
    """Return a budget that a marker set."""
    fields: dict[str, Any] = {
        "metric": metric,
        "limit": limit,
        "origin": "marker of tests/test_rerank.py::test_rerank",
        "text": str(limit),
    }
    return Budget(**(fields | changes))


def gates(*held: Regression | Budget) -> dict[str, Gates]:
    """Return gates of the one workload."""
    return {
        str(WORKLOAD): Gates(
            budgets=tuple(one for one in held if isinstance(one, Budget)),
            regressions=tuple(one for one in held if isinstance(one, Regression)),
        )
    }
