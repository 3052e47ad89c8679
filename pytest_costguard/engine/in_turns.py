"""A test on one side and then on the other, where both cannot be there at the same time.

Pools that spin while their side is idle take the other's core, and a device may not hold both. So
each side has the machine to itself, with the same blocks on the same inputs. Drift between the
two turns is then in the difference, so it takes more units to see as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from pytest_costguard.engine.lockstep import Lockstep, stop
from pytest_costguard.engine.opening import CollectedTest, WorkerSetup, not_collected, open_session
from pytest_costguard.engine.pair import require_own_code
from pytest_costguard.engine.pair_collection import PairCollection
from pytest_costguard.engine.plain import Effort, Plan, measure_unit
from pytest_costguard.engine.session import WorkloadRefused
from pytest_costguard.engine.sides import at, failed_on_base, on_side
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import ClockName, SideName, WorkloadId


@dataclass(frozen=True, slots=True, kw_only=True)
class InTurns:
    """Measures one test on its sides, one after the other."""

    setups: Mapping[SideName, WorkerSetup]
    """Of the sides that have the test, the one that goes first at first."""
    test: CollectedTest
    found: PairCollection
    effort: Effort
    cores: Callable[[int], tuple[int, ...]]
    """Which cores a workload is held to, by how many it can keep busy."""
    wants: Callable[[WorkloadId], bool]
    begins: Callable[[WorkloadId], None]
    clock: Callable[[WorkloadId], ClockName]
    """By which clock a workload is compared."""

    def run(self, *, unit: int) -> Sequence[WorkloadId]:
        """Measure one unit of each side; return the workloads that both have yielded in it.

        What breaks is a failure of the test, never silence.
        """
        # Said once for both turns: what is known changes with the first of them.
        known = self.found.head.workloads(self.test.nodeid)
        wanted = [workload for workload in known if self.wants(workload)]
        done = frozenset(known) - frozenset(wanted)
        plans: dict[WorkloadId, Plan] = {}
        before = {one for one in known if self.found.head.has(one, unit=unit)}
        reached: dict[SideName, list[WorkloadId]] = {}
        failed: set[SideName] = set()
        for side in self.setups:
            lockstep = Lockstep(sessions={}, found=self.found, unit=unit, lone=True)
            try:
                reached[side] = self._turn(lockstep, side, plans, done=done)
                failed |= lockstep.failed
            except WorkerError as error:
                at_work = lockstep.workload(side) or WorkloadId(nodeid=self.test.nodeid)
                self.found.fail(at_work, error)
                return ()
            finally:
                stop(lockstep.sessions)
        on_head = reached.get("head", [])
        gone = (workload for workload in reached.get("base", ()) if workload not in on_head)
        self.found.only_base |= dict.fromkeys(gone)
        on_base = reached.get("base", ())
        if "base" in failed and any(workload not in on_base for workload in on_head):
            self.found.fail(WorkloadId(nodeid=self.test.nodeid), failed_on_base())
        self.found.check_reached(wanted, unit=unit)
        return [
            one
            for one in on_head
            if one in on_base and one not in before and self.found.head.has(one, unit=unit)
        ]

    def _turn(
        self,
        lockstep: Lockstep,
        side: SideName,
        plans: dict[WorkloadId, Plan],
        *,
        done: frozenset[WorkloadId],
    ) -> list[WorkloadId]:
        """Run the test on one side, with the blocks of the side before."""
        nodeid = self.test.nodeid
        with at(side):
            session = lockstep.sessions[side] = open_session(
                self.setups[side], [self.test], timeout_seconds=self.effort.timeout_seconds
            )
            hello = session.hello()
        self.found.fingerprints.setdefault(side, hello.fingerprint)
        if hello.missing:
            if side == "head":
                raise not_collected(nodeid)
            return []
        reached = []
        while (arrived := lockstep.advance(side, nodeid)) is not None:
            workload = arrived.workload
            reached.append(workload)
            # It has this unit where it was measured before its test was known to need turns.
            has_unit = self.found.sides[side].has(workload, unit=lockstep.unit)
            if workload not in done and not has_unit:
                self.begins(workload)
                cores = self.cores(arrived.parallel)
                if not self._measure(lockstep, side, workload, plans, cores=cores):
                    continue
            lockstep.proceed(side)
        lockstep.end(side)
        return reached

    def _measure(
        self,
        lockstep: Lockstep,
        side: SideName,
        workload: WorkloadId,
        plans: dict[WorkloadId, Plan],
        *,
        cores: tuple[int, ...],
    ) -> bool:
        try:
            measured = measure_unit(
                lockstep.sessions[side],
                index=lockstep.unit,
                effort=self.effort,
                min_requests=self.test.min_requests,
                lone=True,
                cores=cores,
                plan=plans.get(workload),
                known_rate=self.found.sides[side].known_rate(workload),
            )
        except WorkloadRefused as refused:
            self.found.refuse(side, refused.refusal)
            return False
        except WorkerError as error:
            raise on_side(side, error) from error
        require_own_code(side, measured.announced)
        plans.setdefault(workload, measured.plan)
        unit = msgspec.structs.replace(measured.unit, clock=self.clock(workload))
        self.found.add_one(side, replace(measured, unit=unit))
        return True
