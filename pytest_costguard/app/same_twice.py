"""The A/A run: the same code on both sides, by the engine that gives the verdicts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from pytest_costguard.app.judging_hypotheses import changes_of
from pytest_costguard.app.worker import WorkerSettings
from pytest_costguard.engine.coordinator import Coordinator, Progress
from pytest_costguard.engine.launch import Side
from pytest_costguard.engine.opening import CollectedTest, WorkerSetup
from pytest_costguard.engine.pair import PairEffort
from pytest_costguard.engine.plain import Effort
from pytest_costguard.engine.side_by_side import Bounds, SideBySide, Standing
from pytest_costguard.host.affinity import available_cores
from pytest_costguard.host.threads import thread_environment
from pytest_costguard.records import (
    SIDES,
    Failure,
    Measurement,
    Pairing,
    SameTwice,
    Unit,
    WorkloadId,
)
from pytest_costguard.reports.templates import locate
from pytest_costguard.stats.detectability import RunSpread, bias_of, run_spread
from pytest_costguard.stats.paired import FEWEST_UNITS, fit

OWN_PLUGIN = "pytest_costguard.plugin"
_GROUP = 3
"""How many neighbouring processes stand for a run."""
_PAIRED_SHARE = 0.6
"""Of the whole time, about; the plain runs take the rest."""
_KERNEL = "test_same_twice.py"
_KERNEL_TESTS = ("test_products_in_cache", "test_stream_from_memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Tests to measure against themselves."""

    side: Side
    tests: tuple[CollectedTest, ...]
    labels: Mapping[str, dict[str, str]] = field(default_factory=dict)
    built_in: bool
    timeout_seconds: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """What a subject yields: its workloads, every unit that was measured, every failure."""

    workloads: tuple[SameTwice, ...]
    units: tuple[Unit, ...]
    failures: tuple[Failure, ...]


@contextmanager
def built_in_kernel(environ: Mapping[str, str], *, quick: bool) -> Iterator[Subject]:
    """Provide the built-in workloads, in a folder of their own that goes afterwards.

    Args:
        environ: of the workers.
        quick: only the small one, whose data stays in the caches.
    """
    with TemporaryDirectory(prefix="costguard-doctor-") as name:
        folder = Path(name).resolve()
        (folder / _KERNEL).write_bytes(locate(f"doctor/{_KERNEL}").read_bytes())
        inifile = folder / "pytest.ini"
        inifile.write_text("[pytest]\n", encoding="utf-8")
        yield Subject(
            side=Side(
                name="head",
                rootdir=folder,
                invocation_dir=folder,
                inifile=inifile,
                plugins=(OWN_PLUGIN,),
                # Only what every process needs is started: no plugin of whoever asks.
                environ={**environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": ""},
            ),
            tests=tuple(
                CollectedTest(
                    nodeid=f"{_KERNEL}::{test}", path=folder / _KERNEL, needs_own_process=False
                )
                for test in _KERNEL_TESTS[: 1 if quick else None]
            ),
            built_in=True,
        )


def measure_twice(subject: Subject, *, units: int, progress: Callable[[Progress], None]) -> Yield:
    """Measure a subject with itself on both sides, then alone, as a plain run does.

    Args:
        subject: what is measured.
        units: of both sides, and processes of a plain run; at least 4.
        progress: is told how far each of the two is.
    """
    began = time.monotonic()
    setup = _setup(subject)
    engine = SideBySide(
        setups=dict.fromkeys(SIDES, setup),
        tests=subject.tests,
        whole=(),
        effort=PairEffort(timeout_seconds=subject.timeout_seconds),
        bounds=Bounds(units=units, seconds=math.inf, suite_seconds=math.inf),
        isolation="test",
        cores=tuple(sorted(available_cores() or ())),
        standing=lambda workload: _standing(engine, workload, units=units),
        progress=_part(progress, begin=0.0, size=_PAIRED_SHARE, began=began),
    )
    engine.run()
    measured = [one for one in engine.collection.measurements() if engine.paired(one.workload)]
    plain, seconds = _plain(subject, setup, measured, units=units, progress=progress, began=began)
    workloads, seen = [], []
    for head in measured:
        base = engine.sides["base"].measurement(head.workload)
        assert base is not None, "it was measured on both sides"
        alone = plain.get(head.workload)
        seen += [*base.units, *head.units, *(alone.units if alone else ())]
        found = _workload(
            base=base,
            head=head,
            alone=alone,
            pairing=engine.pairings[head.workload],
            seconds=engine.seconds.get(head.workload, 0.0),
            built_in=subject.built_in,
            seconds_a_run=seconds.get(head.workload.nodeid, 0.0),
        )
        if found is not None:
            workloads.append(found)
    return Yield(
        workloads=tuple(workloads),
        units=tuple(seen),
        failures=tuple(engine.collection.failures),
    )


def _part(
    progress: Callable[[Progress], None], *, begin: float, size: float, began: float
) -> Callable[[Progress], None]:
    """Return what tells the progress of a part as that of the whole, which began at `began`."""

    def tell(part: Progress) -> None:
        share = begin + size * part.share
        progress(replace(part, share=share, elapsed_seconds=time.monotonic() - began))

    return tell


def _setup(subject: Subject) -> WorkerSetup:
    def told(nodeids: Sequence[str]) -> Mapping[str, Any]:
        labels = {nodeid: subject.labels.get(nodeid, {}) for nodeid in nodeids}
        plain: dict[str, Any] = msgspec.to_builtins(WorkerSettings(labels=labels))
        return plain

    return WorkerSetup(side=subject.side, thread_variables=thread_environment, settings=told)


def _standing(engine: SideBySide, workload: WorkloadId, *, units: int) -> Standing:
    head = engine.sides["head"].measurement(workload)
    assert head is not None, "only what both sides have measured has a standing"
    return Standing(decided=len(head.units) >= units, next_look=units)


def _plain(
    subject: Subject,
    setup: WorkerSetup,
    measured: Sequence[Measurement],
    *,
    units: int,
    progress: Callable[[Progress], None],
    began: float,
) -> tuple[Mapping[WorkloadId, Measurement], Mapping[str, float]]:
    """Measure each test alone; return the workloads, and the seconds a process by node id."""
    found: dict[WorkloadId, Measurement] = {}
    seconds: dict[str, float] = {}
    sound = {one.workload.nodeid for one in measured}
    tests = [test for test in subject.tests if test.nodeid in sound]
    for place, test in enumerate(tests):
        started = time.monotonic()
        size = (1 - _PAIRED_SHARE) / len(tests)
        begin = _PAIRED_SHARE + place * size
        coordinator = Coordinator(
            setup=setup,
            tests=(test,),
            effort=Effort(units=units, timeout_seconds=subject.timeout_seconds),
            isolation="test",
            progress=_part(progress, begin=begin, size=size, began=began),
        )
        coordinator.run()
        seconds[test.nodeid] = (time.monotonic() - started) / units
        found |= {one.workload: one for one in coordinator.collection.measurements()}
    return found, seconds


def _workload(
    *,
    base: Measurement,
    head: Measurement,
    alone: Measurement | None,
    pairing: Pairing,
    seconds: float,
    built_in: bool,
    seconds_a_run: float,
) -> SameTwice | None:
    """Reduce a workload; None where too few units were measured before something failed."""
    changes = changes_of("mean", base=base, head=head)
    if len(changes) < FEWEST_UNITS:
        return None
    fitted = fit(changes)
    bias = bias_of(fitted)
    runs = _run_spread(alone)
    return SameTwice(
        workload=str(head.workload),
        built_in=built_in,
        units=len(changes),
        seconds_a_unit=seconds / len(head.units),
        seconds_a_run=seconds_a_run,
        request_seconds=median(
            block.seconds_per_request for unit in head.units for block in unit.blocks
        ),
        pairing=pairing,
        spread=fitted.spread,
        change=bias.change,
        lower=bias.lower,
        upper=bias.upper,
        order_effect=fitted.order_effect,
        differs=bias.wrong,
        run_shared=None if runs is None else runs.shared,
        run_own=None if runs is None else runs.own,
        totals=all(unit.total is not None for unit in changes),
        notes=tuple(dict.fromkeys((*head.notes, *base.notes))),
    )


def _run_spread(alone: Measurement | None) -> RunSpread | None:
    """Calibrated as a stored baseline is; None where too little was measured."""
    if alone is None:
        return None
    logs = [
        math.log(seconds / median(unit.calibration_seconds))
        for unit in alone.units
        if unit.calibration_seconds
        and (seconds := sum(unit.latency_seconds) / max(1, len(unit.latency_seconds)))
    ]
    group = _GROUP if len(logs) >= 2 * _GROUP else 2
    return run_spread(logs, group=group) if len(logs) >= 2 * group else None
