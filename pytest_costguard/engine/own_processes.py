"""Memory and cold start of workloads that shared their processes, from some of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.engine.lockstep import Lockstep, stop
from pytest_costguard.engine.opening import CollectedTest
from pytest_costguard.engine.pair import PairEffort, measure_pair
from pytest_costguard.engine.pair_collection import PairCollection
from pytest_costguard.engine.pairing import PairingTerms
from pytest_costguard.engine.sides import NotBesideEachOther, SideRefused, ordered
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import SIDES, Failure, WorkloadId

_SERVED_SECONDS = 0.02
"""What a process serves that is there for its memory and cold start; the whole set at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProcesses:
    """Gives each workload that shared its processes some that serve it alone."""

    tests: Mapping[str, CollectedTest]
    found: PairCollection
    effort: PairEffort
    open_both: Callable[[Lockstep, list[str]], None]
    progress: Callable[[Progress], None]
    in_turns: Collection[WorkloadId] = ()
    """Workloads whose sides cannot be there at the same time: theirs stays unknown."""

    def measure(self) -> None:
        """Measure each of them in as many units as a workload is looked at first."""
        began = time.monotonic()
        waiting = [
            workload
            for workload in self.found.head.without_memory()
            if self.found.paired(workload)
            and self.tests[workload.nodeid].needs_own_process
            and workload not in self.in_turns
        ]
        for number, workload in enumerate(waiting):
            measured = self.found.head.measurement(workload)
            assert measured is not None, "what has no memory was measured"
            indices = [unit.index for unit in measured.units][: self.effort.lone_units]
            for done, index in enumerate(indices):
                self.progress(
                    Progress(
                        stage="memory",
                        unit=number * len(indices) + done,
                        units=len(waiting) * len(indices),
                        doing=str(workload),
                        share=(number + done / len(indices)) / len(waiting),
                        elapsed_seconds=time.monotonic() - began,
                    )
                )
                if not self._serve_alone(workload, index=index):
                    break

    def _serve_alone(self, workload: WorkloadId, *, index: int) -> bool:
        """Serve only `workload` in a process a side; return whether that went well."""
        lockstep = Lockstep(sessions={}, found=self.found, unit=index, lone=True)
        try:
            self.open_both(lockstep, [workload.nodeid])
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
            )
            for side in SIDES:
                self.found.sides[side].complete_memory(measured.sides[side])
                lockstep.proceed(side)
                lockstep.end(side)
        except (WorkerError, SideRefused, NotBesideEachOther) as error:
            self.found.head.fail(
                Failure(
                    workload=workload,
                    reason=f"its memory could not be measured alone: {error}",
                    remedy="let each measurement of a test work without the ones before it",
                )
            )
            return False
        finally:
            stop(lockstep.sessions)
        return True
