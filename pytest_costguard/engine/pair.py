"""One unit of one workload on two sides: load both, warm both up, alternate their blocks, end.

Blocks alternate in quartets ABBA, BAAB, so that what drifts within a pair hits both sides alike;
both blocks of a pair serve the same slice of the inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pytest_costguard.engine.plain import DISCARD_BELOW_SECONDS, QUALITY_UNITS, MeasuredUnit
from pytest_costguard.engine.protocol import (
    Announced,
    Began,
    Begin,
    BlockDone,
    Command,
    End,
    Ended,
    Event,
    Load,
    Refused,
    RunBlock,
    Skipped,
    WarmedUp,
    WarmUp,
)
from pytest_costguard.engine.session import WorkerSession, WorkloadRefused
from pytest_costguard.errors import WorkerError
from pytest_costguard.measure.blocks import plan_unit
from pytest_costguard.records import SIDES, SideName, Unit

_WARMUP_SECONDS = 2.0
Answer = TypeVar("Answer", bound=Event)
Sides = Mapping[SideName, WorkerSession]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairEffort:
    """How much of a workload one unit measures on each side."""

    unit_seconds: float = 0.25
    timeout_seconds: float = 120.0
    longest_unit_seconds: float = 30.0
    """Beyond this a side's part of a unit ends, once every input was served."""
    lone_units: int = 6
    """How many processes serve a workload alone, or one that base does not have."""


class SideRefused(Exception):
    """A side refused or skipped a workload; both sessions are sound."""

    def __init__(self, side: SideName, refusal: Refused | Skipped) -> None:
        super().__init__(refusal.reason)
        self.side: SideName = side
        self.refusal = refusal


def ordered(first: SideName) -> tuple[SideName, SideName]:
    """Return both sides, `first` first."""
    return SIDES if first == SIDES[0] else (SIDES[1], SIDES[0])


def measure_pair(
    sides: Sides,
    *,
    index: int,
    first: SideName,
    effort: PairEffort,
    min_requests: int,
    lone: bool,
    cores: tuple[int, ...],
) -> dict[SideName, MeasuredUnit]:
    """Measure the workload that both sessions have reached; both then wait for `Proceed`.

    Args:
        sides: both sessions.
        index: of the unit.
        first: the side that was started first; it also goes first in the first pair.
        effort: how much is measured.
        min_requests: a side, that the percentiles asked for need.
        lone: whether the sessions have collected this workload's test alone.
        cores: which both processes are held to.

    Raises:
        SideRefused: on one side the workload raised or skipped, or its figures cannot stand.
        WorkerError: a worker died, hung, or imported the other side's code.
    """
    order = ordered(first)

    def both(command: Command, answer: type[Answer], doing: str) -> dict[SideName, Answer]:
        return {side: _ask(sides, side, command, answer, doing) for side in order}

    announced = both(Load(cores=cores), Announced, "loading the workload")
    for side in order:
        _require_own_code(side, announced[side])
    warmup = WarmUp(max_seconds=min(_WARMUP_SECONDS, effort.timeout_seconds / 2))
    warmed = both(warmup, WarmedUp, "warming up")
    seconds = max(answer.seconds_per_request for answer in warmed.values())
    counts = {side: announced[side].declaration.input_count for side in order}
    plan = plan_unit(
        inputs=max(counts.values()),
        scenario=announced["head"].declaration.scenario,
        seconds_per_request=seconds,
        unit_seconds=effort.unit_seconds,
        min_requests=max(1, min_requests),
        max_seconds=effort.longest_unit_seconds,
    )
    both(Begin(), Began, "resetting the memory peak")
    discard = 1 if seconds < DISCARD_BELOW_SECONDS else 0
    done: dict[SideName, list[BlockDone]] = {side: [] for side in order}
    for number, (begin, requests) in enumerate(plan):
        for side in order if number % 4 in (0, 3) else order[::-1]:
            block = RunBlock(first=begin % counts[side], requests=requests, discard=discard)
            doing = f"serving a block of {requests} requests"
            done[side].append(_ask(sides, side, block, BlockDone, doing))
    ended = {
        side: _ask(
            sides,
            side,
            End(quality=_wants_quality(announced[side], seconds, index=index, effort=effort)),
            Ended,
            "reading sensors and quality",
        )
        for side in order
    }
    return {
        side: _measured(
            announced[side], warmed[side], done[side], ended[side], index=index, lone=lone
        )
        for side in order
    }


def _ask(
    sides: Sides, side: SideName, command: Command, answer: type[Answer], doing: str
) -> Answer:
    try:
        return sides[side].ask(command, answer, doing=doing)
    except WorkloadRefused as refused:
        raise SideRefused(side, refused.refusal) from refused
    except WorkerError as error:
        raise on_side(side, error) from error


def on_side(side: SideName, error: WorkerError) -> WorkerError:
    """Say of a worker's error on which side it was."""
    if error.message.startswith(f"on {side}: "):
        return error
    return WorkerError(f"on {side}: {error.message}", remedy=error.remedy)


def _require_own_code(side: SideName, announced: Announced) -> None:
    if announced.leaks:
        raise WorkerError(
            f"on {side}: code was imported that is not this revision's own: "
            + "; ".join(announced.leaks[:3]),
            remedy="nothing may be compared with itself by accident: import the project's modules"
            " by their names, without paths to the checkout",
        )


def _wants_quality(announced: Announced, seconds: float, *, index: int, effort: PairEffort) -> bool:
    cheap = seconds * announced.declaration.input_count < effort.unit_seconds
    return announced.has_quality and (cheap or index < QUALITY_UNITS)


def _measured(
    announced: Announced,
    warmed: WarmedUp,
    done: list[BlockDone],
    ended: Ended,
    *,
    index: int,
    lone: bool,
) -> MeasuredUnit:
    alone = lone and announced.alone
    unit = Unit(
        index=index,
        blocks=tuple(answer.block for answer in done),
        latency_seconds=tuple(itertools.chain.from_iterable(a.latency_seconds for a in done)),
        warmup=warmed.warmup,
        sensors=ended.sensors,
        memory=ended.memory if alone else None,
        cold_start=announced.cold_start if alone else None,
        quality=ended.quality,
    )
    return MeasuredUnit(announced=announced, unit=unit, notes=(*announced.notes, *ended.notes))
