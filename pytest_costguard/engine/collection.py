"""What the engine has measured so far: valid at any moment, whatever happens next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from pytest_costguard.engine.plain import MeasuredUnit
from pytest_costguard.engine.protocol import Skipped
from pytest_costguard.records import Declaration, Failure, Measurement, Unit, WorkloadId


@dataclass(slots=True)
class _Growing:
    declaration: Declaration
    units: list[Unit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


_SAME_EACH_TIME = (
    "make the test reach the same measurements each time it runs, and measure everything before"
    " it asserts anything: in a worker the figures are not final yet"
)


_TRY_WITHOUT = (
    "run the test without --costguard to debug it, and measure everything before it asserts"
    " anything"
)
_OWN_ERROR = re.compile(
    r"^E +pytest_costguard\.errors\.\w+: (?P<reason>.+)\nE +remedy: (?P<remedy>.+)$", re.MULTILINE
)
"""What pytest says of an error that names its remedy."""


class Collection:
    """Measurements, failures and the words of tests that failed before they measured."""

    def __init__(self) -> None:
        self._growing: dict[WorkloadId, _Growing] = {}
        self._failures: dict[WorkloadId, Failure] = {}
        self.test_details: dict[str, str] = {}
        """What pytest said of tests that failed in a worker, by node id."""
        self.skipped: dict[WorkloadId, Skipped] = {}
        """Workloads that ended their test while they were loaded or served."""

    def add(self, measured: MeasuredUnit) -> None:
        """Add one unit of one workload."""
        announced = measured.announced
        growing = self._growing.setdefault(
            announced.workload, _Growing(declaration=announced.declaration)
        )
        if growing.declaration.input_digest != announced.declaration.input_digest:
            _note(growing.notes, "the inputs differ from unit to unit: seed what makes them")
        elif growing.declaration != announced.declaration:
            _note(growing.notes, "the model or its settings differ from unit to unit")
        growing.units.append(measured.unit)
        for note in measured.notes:
            _note(growing.notes, note)

    def has(self, workload: WorkloadId, *, unit: int) -> bool:
        """Whether this unit has measured this workload already."""
        growing = self._growing.get(workload)
        return growing is not None and any(known.index == unit for known in growing.units)

    def known_rate(self, workload: WorkloadId) -> float | None:
        """Return the highest rate that the last unit has found; None where none was searched."""
        growing = self._growing.get(workload)
        loops = [] if growing is None else [unit.open_loop for unit in growing.units]
        return next((loop.rate for loop in reversed(loops) if loop and loop.probes), None)

    def complete_memory(self, measured: MeasuredUnit) -> None:
        """Add memory and cold start of a process that served this workload alone."""
        growing = self._growing[measured.announced.workload]
        for position, unit in enumerate(growing.units):
            if unit.cold_start is None:
                growing.units[position] = msgspec.structs.replace(
                    unit, memory=measured.unit.memory, cold_start=measured.unit.cold_start
                )
                return

    def fail(self, failure: Failure) -> None:
        """Record why a workload, or a whole test, has no verdict; the first reason stays."""
        self._failures.setdefault(failure.workload, failure)

    def failed(self, nodeid: str) -> bool:
        """Whether anything of this test failed."""
        return any(workload.nodeid == nodeid for workload in self._failures)

    def workloads(self, nodeid: str) -> tuple[WorkloadId, ...]:
        """The workloads of a test, in the order of their first announcement."""
        return tuple(workload for workload in self._growing if workload.nodeid == nodeid)

    @property
    def sound(self) -> int:
        """How many workloads were measured and have not failed."""
        return len(self.sound_workloads())

    def sound_workloads(self) -> tuple[WorkloadId, ...]:
        """Workloads that were measured and have not failed, in the order of first announcement."""
        return tuple(workload for workload in self._growing if workload not in self._failures)

    def without_memory(self) -> tuple[WorkloadId, ...]:
        """Workloads that no process has served alone yet.

        A process that has tells their cold start. Their memory it may not know: a server that
        runs elsewhere has it, or this system does not tell.
        """
        return tuple(
            workload
            for workload, growing in self._growing.items()
            if workload not in self._failures and not any(unit.cold_start for unit in growing.units)
        )

    def without_memory_in(self, workload: WorkloadId) -> tuple[int, ...]:
        """The indices of the units in which other workloads had been loaded before this one."""
        growing = self._growing.get(workload)
        units = () if growing is None else growing.units
        return tuple(unit.index for unit in units if unit.cold_start is None)

    def measurement(self, workload: WorkloadId) -> Measurement | None:
        """What is known of a workload so far."""
        growing = self._growing.get(workload)
        if growing is None or not growing.units:
            return None
        return Measurement(
            workload=workload,
            declaration=growing.declaration,
            units=tuple(growing.units),
            notes=tuple(growing.notes),
        )

    def measurements(self) -> tuple[Measurement, ...]:
        """Every measurement, in the order of first announcement."""
        found = (self.measurement(workload) for workload in self._growing)
        return tuple(measurement for measurement in found if measurement is not None)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every failure, in the order in which they came."""
        return tuple(self._failures.values())

    def check_complete(self, nodeids: Sequence[str], *, units: int) -> None:
        """Fail every workload that some unit lost: one without a full verdict is an error."""
        for workload, growing in self._growing.items():
            if workload.nodeid in nodeids and len(growing.units) < units:
                reason = f"measured in {len(growing.units)} of {units} units only"
                if workload in self.skipped:
                    reason += f", then its test was skipped: {self.skipped[workload].reason}"
                elif self.failed(workload.nodeid):
                    reason += ", since another measurement of its test failed"
                self.fail(
                    Failure(
                        workload=workload,
                        reason=reason,
                        remedy=_SAME_EACH_TIME,
                        details=self.test_details.get(workload.nodeid, ""),
                    )
                )
        for nodeid in nodeids:
            if nodeid in self.test_details and not self._known(nodeid):
                details = self.test_details[nodeid]
                known = _OWN_ERROR.search(details)
                reason = "the test failed in a worker before it had measured anything"
                self.fail(
                    Failure(
                        workload=WorkloadId(nodeid=nodeid),
                        reason=f"{reason}: {known['reason']}" if known else reason,
                        remedy=known["remedy"] if known else _TRY_WITHOUT,
                        details=details,
                    )
                )

    def _known(self, nodeid: str) -> bool:
        return bool(self.workloads(nodeid)) or self.failed(nodeid)


def _note(notes: list[str], note: str) -> None:
    if note not in notes:
        notes.append(note)
