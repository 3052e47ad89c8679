"""Memory and cold start of workloads that shared their processes, from some of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.engine.lockstep import Lockstep, stop
from pytest_costguard.engine.opening import CollectedTest
from pytest_costguard.engine.pair import PairEffort, measure_pair, require_own_code
from pytest_costguard.engine.pair_collection import PairCollection
from pytest_costguard.engine.pairing import PairingTerms
from pytest_costguard.engine.plain import Effort, MeasuredUnit, measure_unit
from pytest_costguard.engine.sides import (
    FailedOnSide,
    NotBesideEachOther,
    SideRefused,
    at,
    ordered,
)
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import SIDES, FailedSide, Failure, SideName, WorkloadId, first_side

_SERVED_SECONDS = 0.02
"""What a process serves that is there for its memory and cold start; the whole set at least."""


class OpenSides(Protocol):
    """Starts the sessions of a lock-step."""

    def __call__(
        self, lockstep: Lockstep, waiting: list[str], *, sides: Collection[SideName] = SIDES
    ) -> None:
        """Start those of `sides` on the tests in `waiting`.

        Raises:
            WorkerError: a side could not be started, or could not collect.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProcesses:
    """Gives each workload that shared its processes some that serve it alone."""

    tests: Mapping[str, CollectedTest]
    found: PairCollection
    effort: PairEffort
    open: OpenSides
    progress: Callable[[Progress], None]
    in_turns: Collection[WorkloadId] = ()
    """Workloads whose sides are not there at the same time."""
    out_of_time: Callable[[], bool] = lambda: False
    """Whether the suite's time is up: what is left then has no memory."""

    def measure(self) -> None:
        """Measure each of them in as many units as a workload is looked at first."""
        began = time.monotonic()
        waiting = [
            (workload, missing)
            for workload in self.found.head.sound_workloads()
            if self.tests[workload.nodeid].needs_own_process
            and not self.found.head.failed(workload.nodeid)
            and (missing := self._missing(workload))
        ]
        for number, (workload, indices) in enumerate(waiting):
            for done, index in enumerate(indices):
                if self.out_of_time():
                    return
                self.progress(
                    Progress(
                        stage="memory",
                        unit=number * self.effort.least_units + done,
                        units=len(waiting) * self.effort.least_units,
                        doing=str(workload),
                        share=(number + done / len(indices)) / len(waiting),
                        elapsed_seconds=time.monotonic() - began,
                    )
                )
                if not self._serve_alone(workload, index=index):
                    break

    def _missing(self, workload: WorkloadId) -> tuple[int, ...]:
        """Return the units whose memory is still to be measured, on either side."""
        measured = self.found.head.measurement(workload)
        assert measured is not None, "what is sound was measured"
        missing = self.found.head.without_memory_in(workload)
        known = len(measured.units) - len(missing)
        return missing[: max(0, self.effort.least_units - known)]

    def _serve_alone(self, workload: WorkloadId, *, index: int) -> bool:
        """Serve only `workload` in a process a side; return whether that went well."""
        paired = self.found.paired(workload)
        try:
            if paired and workload not in self.in_turns:
                try:
                    self._beside_each_other(workload, index=index)
                except NotBesideEachOther:
                    pass
                else:
                    return True
            for side in self._sides(workload, index=index):
                self._on(side, workload, index=index)
        except (WorkerError, SideRefused, NotBesideEachOther) as error:
            self.found.head.fail(
                Failure(
                    workload=workload,
                    reason=f"its memory could not be measured alone: {error}",
                    remedy="let each measurement of a test work without the ones before it",
                    side=_whose(error),
                )
            )
            return False
        return True

    def _sides(self, workload: WorkloadId, *, index: int) -> Sequence[SideName]:
        return ordered(first_side(index)) if self.found.paired(workload) else ("head",)

    def _beside_each_other(self, workload: WorkloadId, *, index: int) -> None:
        lockstep = Lockstep(sessions={}, found=self.found, unit=index, lone=True)
        try:
            self.open(lockstep, [workload.nodeid])
            for side in ordered(lockstep.first):
                lockstep.advance_to(side, workload)
            measured = measure_pair(
                lockstep.sessions,
                index=index,
                first=lockstep.first,
                effort=replace(self.effort, unit_seconds=_SERVED_SECONDS),
                min_requests=0,
                lone=True,
                terms=PairingTerms(asked="alternating"),
                known_rates=self.found.known_rates(workload),
            )
            for side in SIDES:
                self._keep(lockstep, side, measured.sides[side])
        finally:
            stop(lockstep.sessions)

    def _on(self, side: SideName, workload: WorkloadId, *, index: int) -> None:
        """Let one side serve while the other is not there."""
        lockstep = Lockstep(sessions={}, found=self.found, unit=index, lone=True)
        effort = Effort(
            unit_seconds=2 * _SERVED_SECONDS, timeout_seconds=self.effort.timeout_seconds
        )
        try:
            self.open(lockstep, [workload.nodeid], sides=(side,))
            lockstep.advance_to(side, workload)
            with at(side):
                measured = measure_unit(
                    lockstep.sessions[side],
                    index=index,
                    effort=effort,
                    min_requests=0,
                    lone=True,
                    known_rate=self.found.sides[side].known_rate(workload),
                )
            require_own_code(side, measured.announced)
            self._keep(lockstep, side, measured)
        finally:
            stop(lockstep.sessions)

    def _keep(self, lockstep: Lockstep, side: SideName, measured: MeasuredUnit) -> None:
        self.found.sides[side].complete_memory(measured)
        lockstep.proceed(side)
        lockstep.end(side)


def _whose(error: Exception) -> FailedSide:
    if isinstance(error, SideRefused | NotBesideEachOther | FailedOnSide) and error.side:
        return error.side
    return "head"
