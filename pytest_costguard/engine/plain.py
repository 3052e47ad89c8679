"""One unit of one workload on one side: load, warm up, blocks with calibration between, end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_costguard.engine.loaded import LoadTerms, serve_load
from pytest_costguard.engine.protocol import (
    Announced,
    Began,
    Begin,
    BeginMeter,
    BlockDone,
    Calibrate,
    Calibrated,
    End,
    Ended,
    EndMeter,
    Load,
    Metered,
    RunBlock,
    WarmedUp,
    WarmUp,
)
from pytest_costguard.engine.session import WorkerSession
from pytest_costguard.engine.timed_part import TimedPart
from pytest_costguard.measure.blocks import MIN_BLOCKS, plan_unit
from pytest_costguard.records import Energy, Unit

_CALIBRATIONS = 12
_WARMUP_SECONDS = 5.0
DISCARD_BELOW_SECONDS = 0.02
"""The first request after a pause is 8 to 23 % slow; for long requests that is no longer seen."""
QUALITY_UNITS = 2
"""A quality pass that is dear runs in the first units only: two equal values decide."""


Plan = Sequence[tuple[int, int]]
"""Blocks, each as the index of its first input and its requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured: units, seconds a unit, and what bounds them."""

    units: int = 6
    unit_seconds: float = 0.5
    timeout_seconds: float = 120.0
    longest_unit_seconds: float = 60.0
    """Beyond this a unit ends, once every input was served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredUnit:
    """What a unit of one workload yields."""

    announced: Announced
    unit: Unit
    notes: tuple[str, ...]
    plan: Plan = ()
    """The blocks that were served: the index of the first input, and the requests, of each."""


def measure_unit(
    session: WorkerSession,
    *,
    index: int,
    effort: Effort,
    min_requests: int,
    lone: bool,
    cores: tuple[int, ...] = (),
    plan: Plan | None = None,
    known_rate: float | None = None,
) -> MeasuredUnit:
    """Measure the workload that `session` has reached, and leave it waiting for `Proceed`.

    Args:
        session: the worker session.
        index: of the unit.
        effort: how much is measured.
        min_requests: that the percentiles asked for need.
        lone: whether the session has collected this workload's test alone. Where it has imported
            what other tests need, neither memory nor cold start are this workload's.
        cores: which the process is held to; none: it stays where it is.
        plan: the blocks to serve; None: they are planned by what the warm-up shows.
        known_rate: the highest rate that an earlier unit has found; None: nothing is known.

    Raises:
        WorkloadRefused: the workload raised or skipped, or its figures cannot stand.
        WorkerError: the worker died or hung.
    """
    announced = session.ask(Load(cores=cores), Announced, doing="loading the workload")
    warmed = session.ask(
        WarmUp(max_seconds=min(_WARMUP_SECONDS, effort.timeout_seconds / 2)),
        WarmedUp,
        doing="warming up",
    )
    seconds = warmed.seconds_per_request
    # The kernel brings numpy and its threads, which must not pass for the workload's own.
    _calibrate(session)
    session.ask(Begin(), Began, doing="resetting the memory peak")
    if (load := announced.declaration.scenario.load) is not None:
        timed = _under_load(
            session,
            LoadTerms.of_unit(
                load,
                effort=effort,
                seconds_per_request=seconds,
                min_requests=min_requests,
                index=index,
                known_rate=known_rate,
            ),
        )
    else:
        plan = plan or plan_unit(
            inputs=announced.declaration.input_count,
            scenario=announced.declaration.scenario,
            seconds_per_request=seconds,
            unit_seconds=effort.unit_seconds,
            min_requests=max(1, min_requests),
            max_seconds=effort.longest_unit_seconds,
        )
        timed = _in_blocks(session, plan, discard=int(seconds < DISCARD_BELOW_SECONDS))
    cheap = seconds * announced.declaration.input_count < effort.unit_seconds
    quality = announced.has_quality and (cheap or index < QUALITY_UNITS)
    ended = session.ask(End(quality=quality), Ended, doing="reading sensors and quality")
    metered = ended.has_meter and load is None
    energy = _energy(session, announced, effort, seconds) if metered else None
    alone = lone and announced.alone
    unit = Unit(
        index=index,
        blocks=timed.blocks,
        latency_seconds=timed.latency_seconds,
        calibration_seconds=timed.calibration_seconds,
        warmup=warmed.warmup,
        sensors=ended.sensors,
        memory=ended.memory if alone else None,
        cold_start=announced.cold_start if alone else None,
        energy=energy,
        quality=ended.quality,
        open_loop=timed.open_loop,
        tokens=timed.tokens,
    )
    notes = (*announced.notes, *ended.notes)
    return MeasuredUnit(announced=announced, unit=unit, notes=notes, plan=plan or ())


def _in_blocks(session: WorkerSession, plan: Plan, *, discard: int) -> TimedPart:
    """Serve the blocks of a plan, with runs of the calibration kernel between them."""
    every = max(1, len(plan) // _CALIBRATIONS)
    done: list[BlockDone] = []
    calibration: list[float] = []
    for number, (first, requests) in enumerate(plan):
        if number % every == 0:
            calibration.append(_calibrate(session))
        done.append(
            session.ask(
                RunBlock(first=first, requests=requests, discard=discard),
                BlockDone,
                doing=f"serving a block of {requests} requests",
            )
        )
    return TimedPart.of_blocks(done, calibration_seconds=tuple(calibration))


def _under_load(session: WorkerSession, terms: LoadTerms) -> TimedPart:
    """Load the workload, with runs of the calibration kernel before and after."""
    calibration = [_calibrate(session) for _ in range(_CALIBRATIONS // 2)]
    loaded = serve_load(session, terms)
    calibration += [_calibrate(session) for _ in range(_CALIBRATIONS // 2)]
    return replace(loaded, calibration_seconds=tuple(calibration))


def _calibrate(session: WorkerSession) -> float:
    doing = "running the calibration kernel"
    return session.ask(Calibrate(), Calibrated, doing=doing).seconds


def _energy(
    session: WorkerSession, announced: Announced, effort: Effort, seconds: float
) -> Energy | None:
    """Meter a few long blocks with nothing between them.

    Apart from the timed ones, since between those calibration runs and requests go that are not
    counted, and each is shorter than a device takes to renew its counter.
    """
    plan = plan_unit(
        inputs=announced.declaration.input_count,
        scenario=announced.declaration.scenario,
        seconds_per_request=seconds,
        unit_seconds=effort.unit_seconds,
        max_seconds=effort.longest_unit_seconds,
        target_seconds=effort.unit_seconds / MIN_BLOCKS,
    )
    session.ask(BeginMeter(), Began, doing="reading the energy counters")
    items = 0
    for first, requests in plan:
        items += session.ask(
            RunBlock(first=first, requests=requests, discard=0),
            BlockDone,
            doing=f"serving a block of {requests} requests",
        ).block.items
    return session.ask(EndMeter(items=items), Metered, doing="reading the energy counters").energy
