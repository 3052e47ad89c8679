"""About how long measuring takes: what earlier measurements tell of the load on each test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from pytest_costguard.engine.loaded import KnownLoad
from pytest_costguard.engine.opening import CollectedTest
from pytest_costguard.records import Baseline, BaselineWorkload, Measurement, WorkloadId

Loads = Mapping[WorkloadId, KnownLoad | None]
"""By workload: the load that it was under; None where its requests arrived in a closed loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is said before the start: a test tells how its requests arrive only when it runs."""

    seconds: float
    without_load: bool
    """Whether load is not counted of a test that has none known."""


def estimated(seconds: float, tests: Sequence[CollectedTest]) -> Estimate:
    """Return an estimate with what it leaves out."""
    return Estimate(seconds=seconds, without_load=any(test.loads is None for test in tests))


def with_loads(tests: Iterable[CollectedTest], loads: Loads) -> list[CollectedTest]:
    """Return the tests with the load that each of their workloads was under before."""
    by_test: dict[str, list[KnownLoad]] = {}
    for workload, known in loads.items():
        by_test.setdefault(workload.nodeid, []).extend([known] if known else [])
    return [
        replace(test, loads=tuple(by_test[test.nodeid]) if test.nodeid in by_test else None)
        for test in tests
    ]


def loads_of_baseline(baseline: Baseline | None) -> Loads:
    """Return what each workload's newest run in a baseline says of its load."""
    runs = sorted(baseline.runs, key=lambda run: run.created) if baseline is not None else ()
    return {one.workload: _of_baseline(one) for run in runs for one in run.workloads}


def loads_of(measurements: Iterable[Measurement]) -> Loads:
    """Return the load that workloads were under when they were measured."""
    return {
        one.workload: _known(
            one,
            rates=[unit.open_loop.rate for unit in one.units if unit.open_loop],
            medians=[median(unit.latency_seconds) for unit in one.units if unit.latency_seconds],
        )
        for one in measurements
    }


def _of_baseline(stored: BaselineWorkload) -> KnownLoad | None:
    return _known(
        stored, rates=stored.metrics.get("max_rate", ()), medians=stored.metrics.get("p50", ())
    )


def _known(
    one: Measurement | BaselineWorkload, *, rates: Sequence[float], medians: Sequence[float]
) -> KnownLoad | None:
    load = one.declaration.scenario.load
    if load is None:
        return None
    found = median(rates) if rates else 0.0
    return KnownLoad(
        load=load,
        found_rate=found if found > 0 else None,
        seconds_per_request=median(medians) if medians else 0.0,
    )
