"""Recording units: batches of the real engine on both sides, appended as they are measured.

A batch is four units, the smallest number in which starting order and core are balanced; it goes
into the journal as a whole. Recorded next is the workload with the fewest units, so a recording
that was killed goes on where it stopped, and ends when all is there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from benchmarks.verdicts.entries import (
    Batch,
    Blocks,
    Cell,
    Change,
    Condition,
    Disturbance,
    circumstances,
    of_this_machine,
    of_this_method,
)
from benchmarks.verdicts.journal import Journal
from benchmarks.verdicts.workloads import ROOT, Workload, setups, tests
from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.engine.pair import PairEffort
from pytest_costguard.engine.side_by_side import Bounds, SideBySide, Standing
from pytest_costguard.errors import WorkerError
from pytest_costguard.host.affinity import available_cores
from pytest_costguard.measure.scenarios import inputs_per_request
from pytest_costguard.records import SIDES, Measurement, Pairing, Unit, first_side
from pytest_costguard.stats.pairing import paired_units

UNITS = 4
_METRICS = ("mean", "p50", "p95")
_BLOCK_LEVELS = frozenset({0, 3, 5})
"""Of which every block is kept, for trials of other rules; of all levels it is too much."""
_LONG_SECONDS = 1e6


def journal(data: Path, condition: Condition) -> Journal[Batch]:
    """The file of a condition."""
    return Journal(data / f"units-{condition}.jsonl.gz", Batch)


def seldom_journal(data: Path, condition: Condition) -> Journal[Batch]:
    """The file of the workloads that are seldom slow."""
    return Journal(data / f"seldom-{condition}.jsonl.gz", Batch)


def next_batch(
    batches: Sequence[Batch], workloads: Sequence[Workload], *, wanted: int
) -> tuple[Workload, tuple[int, ...]] | None:
    """Return the workload with the fewest units, and its levels that lack some; None if none does.

    Args:
        batches: of every machine: only their number of units is a sum, never a figure.
        workloads: to choose from.
        wanted: units of each level.
    """
    found = {workload.name: dict.fromkeys(workload.levels, 0) for workload in workloads}
    for batch in of_this_method(batches):
        known = found.get(batch.workload, {})
        for cell in chain.from_iterable(batch.units):
            if cell.level in known:
                known[cell.level] += 1
    fewest = min(workloads, key=lambda workload: min(found[workload.name].values()))
    lacking = tuple(level for level, units in found[fewest.name].items() if units < wanted)
    return (fewest, lacking) if lacking else None


def record(
    kept: Journal[Batch],
    *,
    folder: Path,
    condition: Condition,
    workloads: Sequence[Workload],
    wanted: int,
    go_on: Callable[[int], bool],
    told: Callable[[str], None],
    unit_seconds: float = PairEffort().unit_seconds,
) -> int:
    """Record batches until all is there, or told otherwise; return how many were added.

    Args:
        kept: grows by one entry a batch.
        folder: of the written project.
        condition: what runs beside it; the caller sees to that.
        workloads: to record.
        wanted: units of each level.
        go_on: whether another batch is wanted, by the number added so far.
        told: is told of each batch.
        unit_seconds: a side; another than the engine's own is for tests.

    Raises:
        WorkerError: a workload could not be measured.
    """
    batches = kept.read()
    added = 0
    while go_on(added):
        lacking = next_batch(batches, workloads, wanted=wanted)
        if lacking is None:
            told(f"nothing is lacking: {wanted} units of each, all machines together")
            break
        workload, levels = lacking
        here = of_this_machine(batches)
        batch = measured_batch(
            workload,
            levels=levels,
            number=sum(batch.workload == workload.name for batch in here),
            folder=folder,
            condition=condition,
            effort=PairEffort(unit_seconds=unit_seconds),
        )
        kept.append(batch)
        batches.append(batch)
        added += 1
        told(_said(batch))
    return added


def measured_batch(
    workload: Workload,
    *,
    levels: Sequence[int],
    number: int,
    folder: Path,
    condition: Condition,
    effort: PairEffort,
) -> Batch:
    """Measure four units of each of these levels, which share their pairs of processes.

    Raises:
        WorkerError: it could not be measured.
    """
    levels = list(levels)
    random.Random(f"{workload.name} {number}").shuffle(levels)
    about = circumstances(condition, root=ROOT)
    reached: list[float] = []

    def progress(_progress: Progress) -> None:
        reached.append(time.monotonic())

    cores = tuple(sorted(available_cores() or ()))
    engine = SideBySide(
        setups=setups(folder, levels=levels),
        tests=tests(folder, workload, levels),
        whole=(),
        effort=effort,
        bounds=Bounds(units=UNITS, seconds=_LONG_SECONDS, suite_seconds=_LONG_SECONDS),
        isolation="suite",
        cores=cores,
        standing=lambda _workload: Standing(decided=False, next_look=UNITS),
        progress=progress,
    )
    began = time.monotonic()
    engine.run()
    seconds = time.monotonic() - began
    for failure in engine.collection.failures:
        raise WorkerError(
            f"{failure.workload}: {failure.reason}\n{failure.details}", remedy=failure.remedy
        )
    found = [_cells(engine, workload.nodeid(level), level=level, cores=cores) for level in levels]
    return Batch(
        about=about,
        workload=workload.name,
        number=number,
        opening_seconds=round(reached[0] - began, 4),
        run_seconds=round(seconds, 4),
        units=tuple(zip(*found, strict=True)),
    )


def _cells(
    engine: SideBySide, nodeid: str, *, level: int, cores: tuple[int, ...]
) -> tuple[Cell, ...]:
    workload = engine.collection.workloads(nodeid)[0]
    base, head = (engine.sides[side].measurement(workload) for side in SIDES)
    assert base is not None, "nothing has failed, so both sides were measured"
    assert head is not None, "nothing has failed, so both sides were measured"
    return tuple(
        _cell(
            ours,
            theirs,
            level=level,
            cores=cores,
            base=base,
            head=head,
            pairing=engine.pairings[workload],
        )
        for ours, theirs in zip(base.units, head.units, strict=True)
    )


def _cell(
    ours: Unit,
    theirs: Unit,
    *,
    level: int,
    cores: tuple[int, ...],
    base: Measurement,
    head: Measurement,
    pairing: Pairing,
) -> Cell:
    changes = {}
    for metric in _METRICS:
        found = paired_units(
            metric,
            base=_only(base, ours),
            head=_only(head, theirs),
            inputs_per_request=inputs_per_request(head.declaration.scenario),
        )
        for one in found:
            changes[metric] = Change(
                change=round(one.change, 7),
                total=None if one.total is None else round(one.total, 7),
                summed=None if one.summed is None else round(one.summed, 7),
            )
    return Cell(
        level=level,
        first=first_side(ours.index),
        core=(cores[ours.index // 2 % len(cores)],) if cores else (),
        changes=changes,
        paired_seconds=round(paired_seconds((ours, theirs)), 4),
        pairing=pairing.kind,
        clock=pairing.clock,
        disturbances={"base": _disturbance(ours), "head": _disturbance(theirs)},
        blocks=Blocks.of(ours, theirs) if level in _BLOCK_LEVELS else None,
    )


def _only(measurement: Measurement, unit: Unit) -> Measurement:
    return Measurement(
        workload=measurement.workload, declaration=measurement.declaration, units=(unit,)
    )


def paired_seconds(units: Sequence[Unit]) -> float:
    """Return how long warm-up and blocks of both sides of a unit took, less what is discarded.

    What both served at the same time counts once.
    """
    alone = sum(
        unit.warmup.seconds + sum(block.wall_seconds for block in unit.blocks) for unit in units
    )
    beside = sum(block.wall_seconds for unit in units for block in unit.together)
    return alone + beside / 2


def _disturbance(unit: Unit) -> Disturbance:
    sensors = unit.sensors
    wall = sensors.wall_seconds

    def share(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds / wall, 4)

    return Disturbance(
        cpu=round(sensors.cpu_seconds / wall, 4),
        run_queue_wait=share(sensors.run_queue_wait_seconds),
        steal=share(sensors.steal_seconds),
        involuntary_switches=sensors.involuntary_switches,
    )


def _said(batch: Batch) -> str:
    seen = {
        cell.level: f"{cell.level} %: {100 * cell.changes['mean'].change:+.2f} %"
        for cell in batch.units[-1]
    }
    levels = ", ".join(seen[level] for level in sorted(seen))
    return (
        f"{batch.about.condition}: {batch.workload} batch {batch.number + 1},"
        f" {batch.run_seconds / len(batch.units):.1f} s a unit; the last one: {levels}"
    )
