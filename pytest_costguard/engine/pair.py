"""One unit of one workload on two sides: load both, warm both up, measure beside each other, end.

Blocks alternate in quartets ABBA, BAAB, so that what drifts within a pair hits both sides alike;
both blocks of a pair serve the same slice of the inputs. Slow requests that are CPU time alone
are served by both sides at the same time on one core instead, after a few that ran alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from pytest_costguard.engine.company import serve_together
from pytest_costguard.engine.loaded import LoadTerms, serve_load_beside
from pytest_costguard.engine.pairing import SLOW_SECONDS, PairingTerms, choose, spinning
from pytest_costguard.engine.plain import (
    DISCARD_BELOW_SECONDS,
    QUALITY_UNITS,
    MeasuredUnit,
    Plan,
)
from pytest_costguard.engine.protocol import (
    Announced,
    Began,
    Begin,
    BlockDone,
    End,
    Ended,
    EndedTogether,
    EndTogether,
    Load,
    RunBlock,
    TogetherDone,
    WarmedUp,
    WarmUp,
)
from pytest_costguard.engine.session import WorkerSession
from pytest_costguard.engine.sides import BothSessions, NotBesideEachOther, on_side, ordered
from pytest_costguard.engine.timed_part import TimedPart
from pytest_costguard.errors import WorkerError
from pytest_costguard.measure.blocks import BLOCK_SECONDS, plan_glimpse, plan_together, plan_unit
from pytest_costguard.records import ClockName, Pairing, Scenario, SideName, Unit

_WARMUP_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairEffort:
    """How much of a workload one unit measures on each side."""

    unit_seconds: float = 0.25
    block_seconds: float = BLOCK_SECONDS
    timeout_seconds: float = 120.0
    longest_unit_seconds: float = 30.0
    """Beyond this a side's part of a unit ends, once every input was served."""
    least_units: int = 6
    """What every workload takes, and in how many its memory is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPair:
    """What one unit of both sides yields, and which way it was measured."""

    sides: Mapping[SideName, MeasuredUnit]
    pairing: Pairing


def measure_pair(
    sides: Mapping[SideName, WorkerSession],
    *,
    index: int,
    first: SideName,
    effort: PairEffort,
    min_requests: int,
    lone: bool,
    terms: PairingTerms,
    pairing: Pairing | None = None,
    known_rates: Mapping[SideName, float] = MappingProxyType({}),
) -> MeasuredPair:
    """Measure the workload that both sessions have reached; both then wait for `Proceed`.

    Args:
        sides: both sessions.
        index: of the unit.
        first: the side that was started first; it also goes first in the first pair.
        effort: how much is measured.
        min_requests: a side, that the percentiles asked for need.
        lone: whether the sessions have collected this workload's test alone.
        terms: what the way of pairing is chosen by, and the cores both are held to.
        pairing: what was chosen for this workload before; None: it is chosen now.
        known_rates: the highest rate that an earlier unit has found, by side.

    Raises:
        SideRefused: on one side the workload raised or skipped, or its figures cannot stand.
        NotBesideEachOther: threads of one side work while the other is measured.
        WorkerError: a worker died, hung, or imported the other side's code.
    """
    pair = BothSessions(sides, ordered(first))
    announced = pair.both(Load(cores=tuple(terms.cores)), Announced, "loading the workload")
    for side in pair.order:
        require_own_code(side, announced[side])
    warmup = WarmUp(max_seconds=min(_WARMUP_SECONDS, effort.timeout_seconds / 2))
    warmed = pair.both(warmup, WarmedUp, "warming up")
    seconds = max(answer.seconds_per_request for answer in warmed.values())
    chosen = pairing or choose(terms, announced=announced, warmed=warmed)
    counts = {side: one.declaration.input_count for side, one in announced.items()}
    together = chosen.kind == "together"
    pair.both(Begin(), Began, "resetting the memory peak")
    scenario = announced["head"].declaration.scenario
    timed: Mapping[SideName, TimedPart]
    if scenario.load is not None:
        timed = serve_load_beside(
            pair,
            {
                side: LoadTerms.of_unit(
                    announced[side].declaration.scenario.load or scenario.load,
                    effort=effort,
                    seconds_per_request=seconds,
                    min_requests=min_requests,
                    index=index,
                    known_rate=known_rates.get(side),
                )
                for side in pair.order
            },
        )
    else:
        plan = _plan(
            scenario,
            inputs=max(counts.values()),
            seconds=seconds,
            effort=effort,
            min_requests=min_requests,
            turn=index if together else None,
        )
        discard = int(seconds < DISCARD_BELOW_SECONDS)
        timed = _alternate(pair, plan, counts=counts, discard=discard)
    wanted = {
        side: _wants_quality(announced[side], seconds, index=index, effort=effort)
        for side in pair.order
    }
    ended = pair.each(
        lambda side: End(quality=wanted[side] and not together),
        Ended,
        "reading sensors and quality",
    )
    disturbed = spinning({side: answer.sensors for side, answer in ended.items()})
    if disturbed and terms.asked is None:
        raise NotBesideEachOther(disturbed)
    company = dict.fromkeys(pair.order, _NOBODY)
    if together:
        company = serve_together(
            pair,
            requests=plan_together(
                inputs=max(counts.values()),
                scenario=scenario,
                seconds_per_request=seconds,
                unit_seconds=effort.unit_seconds,
            ),
            seconds_per_request=seconds,
        )
        ended = _ended_together(pair, ended, wanted)
    return MeasuredPair(
        pairing=chosen,
        sides={
            side: _measured(
                announced[side],
                warmed[side],
                timed[side],
                ended[side],
                index=index,
                lone=lone,
                clock=chosen.clock,
                together=company[side],
            )
            for side in pair.order
        },
    )


_NOBODY = TogetherDone(blocks=())


def _plan(
    scenario: Scenario,
    *,
    inputs: int,
    seconds: float,
    effort: PairEffort,
    min_requests: int,
    turn: int | None,
) -> Plan:
    """Return the blocks that run alone; few where the sides serve at the same time afterwards.

    Args:
        scenario: how requests arrive.
        inputs: of the side that has more.
        seconds: of a request.
        effort: how much is measured.
        min_requests: that the percentiles asked for need.
        turn: of a glimpse; None: all there is to see is seen in these blocks.
    """
    if turn is not None and not min_requests and seconds >= SLOW_SECONDS:
        return plan_glimpse(
            inputs=inputs,
            scenario=scenario,
            seconds_per_request=seconds,
            unit_seconds=effort.unit_seconds,
            turn=turn,
        )
    return plan_unit(
        inputs=inputs,
        scenario=scenario,
        seconds_per_request=seconds,
        unit_seconds=effort.unit_seconds,
        min_requests=max(1, min_requests),
        max_seconds=effort.longest_unit_seconds,
        target_seconds=effort.block_seconds,
    )


def _ended_together(
    pair: BothSessions, ended: Mapping[SideName, Ended], wanted: Mapping[SideName, bool]
) -> dict[SideName, Ended]:
    """Add what is known only now that the whole set was served: the peak, and the quality."""
    late = pair.each(
        lambda side: EndTogether(quality=wanted[side]),
        EndedTogether,
        "reading the memory peak and quality",
    )
    return {
        side: msgspec.structs.replace(answer, memory=late[side].memory, quality=late[side].quality)
        for side, answer in ended.items()
    }


def _alternate(
    pair: BothSessions, plan: Plan, *, counts: Mapping[SideName, int], discard: int
) -> dict[SideName, TimedPart]:
    """Serve the blocks of a plan on both sides, ABBA, BAAB and so on."""
    done: dict[SideName, list[BlockDone]] = {side: [] for side in pair.order}
    for number, (begin, requests) in enumerate(plan):
        for side in pair.order if number % 4 in (0, 3) else pair.order[::-1]:
            block = RunBlock(first=begin % counts[side], requests=requests, discard=discard)
            doing = f"serving a block of {requests} requests"
            done[side].append(pair.ask(side, block, BlockDone, doing))
    return {side: TimedPart.of_blocks(answers) for side, answers in done.items()}


def require_own_code(side: SideName, announced: Announced) -> None:
    """Raise `WorkerError` where a worker has imported code that is not its own revision's."""
    if announced.leaks:
        error = WorkerError(
            "code was imported that is not this revision's own: " + "; ".join(announced.leaks[:3]),
            remedy="nothing may be compared with itself by accident: import the project's modules"
            " by their names, without paths to the checkout",
        )
        raise on_side(side, error)


def _wants_quality(announced: Announced, seconds: float, *, index: int, effort: PairEffort) -> bool:
    cheap = seconds * announced.declaration.input_count < effort.unit_seconds
    return announced.has_quality and (cheap or index < QUALITY_UNITS)


def _measured(
    announced: Announced,
    warmed: WarmedUp,
    timed: TimedPart,
    ended: Ended,
    *,
    index: int,
    lone: bool,
    clock: ClockName,
    together: TogetherDone,
) -> MeasuredUnit:
    alone = lone and announced.alone
    unit = Unit(
        index=index,
        blocks=timed.blocks,
        latency_seconds=timed.latency_seconds,
        open_loop=timed.open_loop,
        tokens=timed.tokens,
        warmup=warmed.warmup,
        sensors=ended.sensors,
        memory=ended.memory if alone else None,
        cold_start=announced.cold_start if alone else None,
        quality=ended.quality,
        clock=clock,
        together=together.blocks,
        together_sensors=together.sensors,
    )
    return MeasuredUnit(announced=announced, unit=unit, notes=(*announced.notes, *ended.notes))
