"""Use case: say what this machine can see, from its settings and an A/A run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pytest_costguard import __version__
from pytest_costguard.app.mending import Grounds, findings
from pytest_costguard.app.same_twice import (
    OWN_PLUGIN,
    Subject,
    Yield,
    built_in_kernel,
    measure_twice,
)
from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.gates import MarkerSettings, labels_for, threads_for
from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.engine.launch import Side
from pytest_costguard.engine.opening import CollectedTest, roll
from pytest_costguard.errors import ConfigError, WorkerError
from pytest_costguard.host.affinity import available_cores, pin
from pytest_costguard.host.cgroup import ControlGroups
from pytest_costguard.host.cpu_time import cpu_time_step
from pytest_costguard.host.fingerprint import fingerprint
from pytest_costguard.host.sensors import load_average
from pytest_costguard.host.tuning import Tuning, cpu_pressure
from pytest_costguard.records import (
    Disturbed,
    DoctorReport,
    MachineFacts,
    SameTwice,
    Unit,
    Visible,
)
from pytest_costguard.stats.detectability import (
    ALLOW,
    RunSpread,
    reach_side_by_side,
    reach_stored,
)
from pytest_costguard.stats.paired import FEWEST_UNITS

SECONDS = (10.0, 30.0, 120.0)
"""Of time for a workload, for which the smallest change is told."""
GATES_A_WORKLOAD = 2
"""Mean and peak memory are gated by default, and share the error."""


def examine(
    *,
    units: int,
    quick: bool = False,
    suite: Sequence[str] | None,
    arguments: Sequence[str] = (),
    rootdir: Path,
    environ: Mapping[str, str],
    progress: Callable[[Progress], None],
    root: Path = Path("/"),
) -> DoctorReport:
    """Look at the machine, measure the same twice, and say what it can see and what to mend.

    Args:
        units: of the A/A run; at least 4.
        quick: leave the slower of the built-in workloads out.
        suite: paths and node ids of the project's tests to measure instead of the built-in
            kernel; empty: all of the project's. None: the kernel.
        arguments: of pytest, that select among the tests.
        rootdir: the project.
        environ: of the workers; read for the configuration.
        progress: is told how far the measuring is.
        root: where `proc` and `sys` are.

    Raises:
        ConfigError: too few units, the configuration is not understood, or no test measures.
        WorkerError: the tests could not be collected, or nothing could be measured.
    """
    if units < FEWEST_UNITS:
        raise ConfigError(
            f"command line: --units={units} is too few for an A/A run",
            remedy=f"give at least {FEWEST_UNITS}: two of each starting order",
        )
    began = time.monotonic()
    settings = resolve(cli={}, environ=environ, rootdir=rootdir)
    machine = machine_facts(root=root, environ=environ)
    if suite is None:
        with built_in_kernel(environ, quick=quick) as subject:
            found = measure_twice(subject, units=units, progress=progress)
    else:
        subject = suite_of(suite, rootdir=rootdir, environ=environ, arguments=arguments)
        found = measure_twice(subject, units=units, progress=progress)
    if not found.workloads:
        raise _nothing_measured(found)
    return assemble(found, machine=machine, run_units=settings.units, began=began)


def _nothing_measured(found: Yield) -> WorkerError:
    if not found.failures:
        return WorkerError(
            "no workload was measured twice", remedy="run pytest --costguard to see what they do"
        )
    first = found.failures[0]
    return WorkerError(
        f"nothing could be measured: {first.workload}: {first.reason}", remedy=first.remedy
    )


def assemble(found: Yield, *, machine: MachineFacts, run_units: int, began: float) -> DoctorReport:
    """Put the report together from what was measured; `began` is by the monotonic clock."""
    disturbed = disturbed_by(found.units)
    # The kernel stands for one workload of yours at a time.
    gates = GATES_A_WORKLOAD * max(1, sum(not one.built_in for one in found.workloads))
    not_measured = tuple(f"{one.workload}: {one.reason}" for one in found.failures)
    spreads = [runs.of_run(run_units) for one in found.workloads if (runs := _runs(one))]
    return DoctorReport(
        tool_version=__version__,
        machine=machine,
        disturbed=disturbed,
        workloads=found.workloads,
        visible=tuple(
            visible(one, seconds=seconds, gates=gates)
            for one in found.workloads
            for seconds in SECONDS
        ),
        runner_spread=math.expm1(max(spreads)) if spreads else None,
        run_units=run_units,
        allow=ALLOW,
        gates=gates,
        findings=findings(
            Grounds(
                machine=machine,
                disturbed=disturbed,
                workloads=found.workloads,
                not_measured=not_measured,
            )
        ),
        not_measured=not_measured,
        seconds=time.monotonic() - began,
    )


def machine_facts(*, root: Path, environ: Mapping[str, str]) -> MachineFacts:
    """Read the machine's settings; nothing is changed, and what is not told stays open."""
    tuning = Tuning.read(root)
    machine = fingerprint(root=root, environ=environ)
    cores, groups = available_cores(), ControlGroups.locate(root)
    return MachineFacts(
        fingerprint=machine,
        usable_cores=len(cores) if cores else machine.cores,
        quota_cores=groups.cpu_limit_cores(),
        quota_told=bool(groups.cpu),
        smt=tuning.smt,
        governors=tuning.governors,
        turbo=tuning.turbo,
        virtual=tuning.virtual,
        clock_source=tuning.clock_source,
        cpu_time_step_seconds=cpu_time_step(),
        load_average=load_average(root),
        cpu_pressure=cpu_pressure(root),
        # To be held where it may run already: it changes nothing, and tells whether it is allowed.
        unpinned=pin(cores or (), root=root),
    )


def disturbed_by(units: Iterable[Unit]) -> Disturbed:
    """Sum the sensors of all units; a sensor that no unit had stays open."""
    sensors = [unit.sensors for unit in units]

    def share(name: str, of: str = "wall_seconds") -> float | None:
        told = [one for one in sensors if getattr(one, name) is not None]
        whole = sum(getattr(one, of) or 0.0 for one in told)
        return sum(getattr(one, name) for one in told) / whole if whole > 0 else None

    return Disturbed(
        run_queue_wait=share("run_queue_wait_seconds"),
        steal=share("steal_seconds"),
        throttled=share("throttled_seconds"),
        idle_cpu=share("idle_cpu_seconds", of="idle_seconds"),
        switches_a_second=share("involuntary_switches"),
    )


def visible(workload: SameTwice, *, seconds: float, gates: int) -> Visible:
    """Return what is seen of a workload in some seconds, in both modes, beside other gates."""
    reach = reach_side_by_side(
        workload.spread,
        seconds=seconds,
        seconds_a_unit=workload.seconds_a_unit,
        hypotheses=gates,
        totals=workload.totals,
    )
    runs = _runs(workload)
    units = int(seconds / workload.seconds_a_run) if workload.seconds_a_run > 0 else 0
    return Visible(
        workload=workload.workload,
        seconds=seconds,
        side_by_side=None if reach is None else reach.change,
        units=0 if reach is None else reach.units,
        deep=reach is not None and reach.deep,
        stored=reach_stored(runs.of_run(units), hypotheses=gates) if runs and units else None,
    )


def _runs(workload: SameTwice) -> RunSpread | None:
    if workload.run_shared is None or workload.run_own is None:
        return None
    return RunSpread(shared=workload.run_shared, own=workload.run_own)


def suite_of(
    suite: Sequence[str],
    *,
    rootdir: Path,
    environ: Mapping[str, str],
    arguments: Sequence[str] = (),
) -> Subject:
    """Collect the project's own tests that measure, with the threads that they declare.

    Args:
        suite: paths and node ids, relative to the current folder as pytest takes them.
        rootdir: the project.
        environ: of the workers; read for the configuration.
        arguments: of pytest, that select among the tests.

    Raises:
        ConfigError: a path is not there, or no test measures.
        WorkerError: they could not be collected.
    """
    settings = resolve(cli={}, environ=environ, rootdir=rootdir)
    autoload = not environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    side = Side(
        name="head",
        rootdir=rootdir,
        invocation_dir=Path.cwd(),
        plugins=() if autoload else (OWN_PLUGIN,),
        environ=environ,
        arguments=tuple(arguments),
    )
    _require_paths(suite)
    words = suite or [str(rootdir)]
    found = roll(side, words, timeout_seconds=settings.timeout_seconds).census
    tests, labels = [], {}
    for nodeid, marks in found.items():
        marker = MarkerSettings(threads=marks.threads, labels=marks.labels, origin="marker")
        labels[nodeid] = labels_for(settings, marker)
        tests.append(
            CollectedTest(
                nodeid=nodeid,
                path=rootdir / nodeid.partition("::")[0],
                threads=threads_for(nodeid, settings, marker)[0],
                needs_own_process=False,
            )
        )
    if not tests:
        raise ConfigError(
            f"command line: no test that measures was found in {' '.join(suite) or rootdir}",
            remedy="name the folder or file of tests that use the fixture costguard, or leave"
            " --suite out to measure the built-in kernel",
        )
    return Subject(
        side=side,
        tests=tuple(tests),
        labels=labels,
        built_in=False,
        timeout_seconds=settings.timeout_seconds,
    )


def _require_paths(suite: Sequence[str]) -> None:
    """Raise `ConfigError` where a path is not there."""
    for word in suite:
        path = Path(word.partition("::")[0]).resolve()
        if not path.exists():
            raise ConfigError(
                f"command line: --suite: there is no {path}", remedy="check the path to the tests"
            )
