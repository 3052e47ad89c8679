"""Plain runs of our own, one after the other, and the stored rule over them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.verdicts.entries import Condition, StoredCase, StoredRun, circumstances
from benchmarks.verdicts.journal import Journal
from benchmarks.verdicts.peer_runs import LEVELS
from benchmarks.verdicts.workloads import ROOT, Workload, setups, tests
from pytest_costguard.engine.coordinator import Coordinator
from pytest_costguard.engine.plain import Effort
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import Verdict
from pytest_costguard.stats.limits import Limits
from pytest_costguard.stats.stored import ENOUGH_RUNS, decide_stored
from pytest_costguard.stats.summary import reduce


def journal(data: Path, condition: Condition) -> Journal[StoredRun]:
    """The file of a condition."""
    return Journal(data / f"stored-{condition}.jsonl.gz", StoredRun)


def stored_run(
    *, folder: Path, condition: Condition, workloads: Sequence[Workload], effort: Effort
) -> StoredRun:
    """Measure each workload alone, unchanged and with 5 % more work, as a plain run does.

    Raises:
        WorkerError: a workload could not be measured.
    """
    about = circumstances(condition, root=ROOT)
    began = time.monotonic()
    cases: list[StoredCase] = []
    for workload in workloads:
        engine = Coordinator(
            setup=setups(folder, levels=LEVELS)["head"],
            tests=tests(folder, workload, LEVELS),
            effort=effort,
            isolation="test",
            progress=lambda _progress: None,
        )
        engine.run()
        for failure in engine.collection.failures:
            raise WorkerError(f"{failure.workload}: {failure.reason}", remedy=failure.remedy)
        cases += _cases(engine, workload)
    return StoredRun(about=about, seconds=round(time.monotonic() - began, 3), cases=tuple(cases))


def _cases(engine: Coordinator, workload: Workload) -> Iterator[StoredCase]:
    for level in LEVELS:
        found = engine.collection.workloads(workload.nodeid(level))[0]
        measured = engine.collection.measurement(found)
        assert measured is not None, "nothing has failed, so it was measured"
        reduced = reduce(measured)
        yield StoredCase(
            workload=workload.name,
            level=level,
            logs=_logs(reduced.metrics["mean"]),
            calibration=_logs(reduced.calibration),
        )


def _logs(seconds: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(math.log(value), 7) for value in seconds)


def verdicts(
    runs: Sequence[StoredRun], workload: str, *, level: int, calibrated: bool, hypotheses: int
) -> list[Verdict]:
    """Judge each run from the ninth on against the eight before it, which were unchanged.

    Neighbouring verdicts share most of their baseline, so they are not independent.

    Args:
        runs: of one machine and condition, in order.
        workload: by its name.
        level: of head; the baseline is unchanged.
        calibrated: whether the calibration kernel's time is divided out, as the plugin does.
        hypotheses: among which the run's error is shared.
    """
    limits = Limits(allow=0.02, catch=0.05, hypotheses=hypotheses)
    found = []
    for position in range(ENOUGH_RUNS, len(runs)):
        before = runs[position - ENOUGH_RUNS : position]
        head = _values(runs[position], workload, level, calibrated=calibrated)
        base = [_values(run, workload, 0, calibrated=calibrated) for run in before]
        if head and all(base):
            found.append(decide_stored(head, base, limits=limits).verdict)
    return found


def _values(run: StoredRun, workload: str, level: int, *, calibrated: bool) -> tuple[float, ...]:
    for case in run.cases:
        if (case.workload, case.level) == (workload, level):
            if not calibrated:
                return case.logs
            return tuple(
                log - kernel for log, kernel in zip(case.logs, case.calibration, strict=True)
            )
    return ()
