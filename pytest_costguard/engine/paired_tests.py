"""The tests of a unit on two sides, in lock-step: what both reach is measured beside each other."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from pytest_costguard.engine.in_turns import InTurns
from pytest_costguard.engine.lockstep import Lockstep, stop
from pytest_costguard.engine.opening import (
    CollectedTest,
    NotOpened,
    WorkerSetup,
    by_file,
    not_collected,
    open_session,
)
from pytest_costguard.engine.pair import PairEffort, measure_pair, require_own_code
from pytest_costguard.engine.pair_collection import SAME_ORDER, PairCollection
from pytest_costguard.engine.pairing import PairingTerms
from pytest_costguard.engine.plain import Effort, measure_unit
from pytest_costguard.engine.session import WorkerSession, WorkloadRefused
from pytest_costguard.engine.sides import (
    FailedOnSide,
    NotBesideEachOther,
    SideRefused,
    at,
    failed_on_base,
    ordered,
)
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import (
    SIDES,
    ClockName,
    Pairing,
    PairingKind,
    SideName,
    WorkloadId,
    first_side,
)

_TWICE = "the test measured this workload twice in one run"
_NAME_EACH = "give each its own name: costguard.measure(…, name='int8')"


class Schedule(Protocol):
    """Who knows what still needs measuring."""

    def undecided(self, workload: WorkloadId) -> bool:
        """Whether a workload that was measured needs another unit."""

    def begins(self, workload: WorkloadId, *, unit: int) -> None:
        """Be told that a workload is measured now."""

    def spent(self, nodeid: str, seconds: float, *, unit: int) -> None:
        """Be told how long a test took in a unit, its share of starts and ends included."""


class PairedTests:
    """Runs tests on both sides and adds what they yield to a collection.

    Args:
        setups: what the workers of each side are started with.
        tests: every test, by node id.
        effort: how much a unit measures.
        cores: which the workers may use; none where they cannot be held to any.
        asked: which way of pairing the user wants; None: chosen by workload.
        clock: which clock the user wants to compare by; None: chosen by workload.
        found: what was measured so far.
        schedule: what still needs measuring.
    """

    def __init__(
        self,
        *,
        setups: Mapping[SideName, WorkerSetup],
        tests: Mapping[str, CollectedTest],
        effort: PairEffort,
        cores: tuple[int, ...],
        asked: PairingKind | None,
        clock: ClockName | None,
        found: PairCollection,
        schedule: Schedule,
    ) -> None:
        self._setups = setups
        self._tests = tests
        self._effort = effort
        self._cores = cores
        self._asked = asked
        self._clock = clock
        self._found = found
        self._schedule = schedule
        base = setups["base"].side
        self._on_base = {t.nodeid for t in tests.values() if base.at_home(t.path).exists()}
        self.reached: dict[str, dict[SideName, list[WorkloadId]]] = {}
        """Of the tests whose sides reach different workloads: what each reached."""
        self.pairings: dict[WorkloadId, Pairing] = {}
        self._in_turns: dict[str, str] = {}
        """Tests whose sides are not there at the same time, and why."""

    def run(self, nodeids: Sequence[str], *, unit: int) -> None:
        """Run one unit of some tests on both sides."""
        if self._asked == "restart":
            self._in_turns.update(dict.fromkeys(nodeids, "as asked for"))
        self._run_group([n for n in nodeids if n not in self._in_turns], unit=unit)
        for nodeid in nodeids:
            if nodeid in self._in_turns and not self._found.head.failed(nodeid):
                self._take_turns(nodeid, unit=unit)

    def _run_group(self, group: Sequence[str], *, unit: int) -> None:
        """Run a pair of sessions; where one breaks, the tests after the culprit get fresh ones."""
        waiting = list(group)
        while waiting:
            try:
                culprit = self._run_sessions(waiting, unit=unit)
            except NotOpened as obstacle:
                self._run_apart(waiting, obstacle.error, unit=unit)
                return
            if culprit is None:
                return
            waiting = [nodeid for nodeid in waiting if nodeid != culprit]

    def _run_apart(self, waiting: Sequence[str], error: WorkerError, *, unit: int) -> None:
        """Give each file sessions of its own."""
        files = by_file(waiting)
        if len(files) > 1:
            for nodeids in files:
                self._run_group(nodeids, unit=unit)
            return
        for nodeid in waiting:
            self._found.fail(WorkloadId(nodeid=nodeid), error)

    def _run_sessions(self, waiting: list[str], *, unit: int) -> str | None:
        """Run `waiting` on both sides, dropping what ends; return the test that broke them.

        Raises:
            NotOpened: they could not be started, or not collect.
        """
        began = time.monotonic()
        current = waiting[0]
        lockstep = Lockstep(sessions={}, found=self._found, unit=unit, lone=len(waiting) == 1)
        try:
            try:
                self.open(lockstep, waiting)
            except WorkerError as error:
                raise NotOpened(error) from error
            share = (time.monotonic() - began) / len(waiting) if waiting else 0.0
            ran = tuple(waiting)
            while waiting:
                current = waiting[0]
                began = time.monotonic()
                try:
                    self._run_test(lockstep, current)
                finally:
                    self._schedule.spent(current, share + time.monotonic() - began, unit=unit)
                waiting.remove(current)
            began = time.monotonic()
            for side in lockstep.sessions:
                lockstep.end(side)
            stop(lockstep.sessions)
            lockstep.sessions.clear()
            for nodeid in ran:
                spent = (time.monotonic() - began) / len(ran)
                self._schedule.spent(nodeid, spent, unit=unit)
        except NotBesideEachOther as obstacle:
            self._in_turns[current] = obstacle.reason
            self._let_go(lockstep, obstacle)
            return current
        except WorkerError as error:
            reached = lockstep.workload("head") or lockstep.workload("base")
            self._found.fail(reached or WorkloadId(nodeid=current), error)
            return current
        finally:
            stop(lockstep.sessions)
        return None

    def _let_go(self, lockstep: Lockstep, obstacle: NotBesideEachOther) -> None:
        """Let sound sessions come to their end, so that what their tests hold is freed.

        A side that has not been heard of since its last workload is told there to go on.
        """
        with contextlib.suppress(WorkerError):
            for side in lockstep.sessions:
                if side != obstacle.side and lockstep.workload(side) is not None:
                    lockstep.proceed(side)
            for side in lockstep.sessions:
                lockstep.end(side)

    def open(
        self, lockstep: Lockstep, waiting: list[str], *, sides: Collection[SideName] = SIDES
    ) -> None:
        """Start them at once, the first one first; drop from `waiting` what head does not collect.

        Raises:
            WorkerError: a side could not be started, or could not collect.
        """
        sessions = lockstep.sessions
        wanted = [side for side in ordered(lockstep.first) if side in sides]
        for side in wanted:
            tests = [self._tests[n] for n in waiting if side == "head" or n in self._on_base]
            if tests:
                with at(side):
                    sessions[side] = open_session(
                        self._setups[side], tests, timeout_seconds=self._effort.timeout_seconds
                    )
        for side in wanted:
            if side in sessions:
                self._greet(side, sessions[side], waiting)

    def _greet(self, side: SideName, session: WorkerSession, waiting: list[str]) -> None:
        with at(side):
            hello = session.hello()
        self._found.fingerprints.setdefault(side, hello.fingerprint)
        if side == "base":
            self._on_base -= set(hello.missing)
            return
        for nodeid in hello.missing:
            self._found.fail(WorkloadId(nodeid=nodeid), not_collected(nodeid))
            waiting.remove(nodeid)

    def _run_test(self, lockstep: Lockstep, nodeid: str) -> None:
        """Run one test on both sides, measuring what both reach at the same point."""
        sides = [
            side
            for side in ordered(lockstep.first)
            if side in lockstep.sessions and (side == "head" or nodeid in self._on_base)
        ]
        reached: dict[SideName, list[WorkloadId]] = {side: [] for side in sides}
        # Said once, at the start: what the clock says in between loses no workload of this unit.
        known = self._found.head.workloads(nodeid)
        wanted = [workload for workload in known if self._schedule.undecided(workload)]
        lockstep.done = frozenset(known) - frozenset(wanted)
        astray = False
        moving: Sequence[SideName] = sides
        lockstep.at.clear()
        lockstep.failed.clear()
        while True:
            for side in moving:
                if (arrived := lockstep.advance(side, nodeid)) is not None:
                    reached[side].append(arrived.workload)
            base, head = lockstep.workload("base"), lockstep.workload("head")
            if base is None and head is None:
                break
            moving = [side for side in sides if lockstep.workload(side) is not None]
            if not astray and head is not None and base == head:
                self._pair(lockstep, head)
            elif not astray and (alone := self._alone(lockstep, nodeid)) is not None:
                self._one_sided(lockstep, alone)
                moving = [alone]
            else:
                astray = True
                for side in moving:
                    lockstep.proceed(side)
        if astray and nodeid in self.reached:
            error = FailedOnSide(
                "base and head do not measure in the same order", remedy=SAME_ORDER, side="both"
            )
            self._found.fail(WorkloadId(nodeid=nodeid), error)
        elif astray:
            self.reached[nodeid] = reached
        else:
            self._found.check_reached(wanted, unit=lockstep.unit)

    def _alone(self, lockstep: Lockstep, nodeid: str) -> SideName | None:
        """Return the side that is at a workload which the other does not have, if that is known."""
        base, head = lockstep.workload("base"), lockstep.workload("head")
        known = self.reached.get(nodeid)
        if known is not None:
            if base is not None and base not in known.get("head", ()):
                return "base"
            if head is not None and head not in known.get("base", ()):
                return "head"
            return None
        if base is None:
            return "head"
        return "base" if head is None else None

    def _pair(self, lockstep: Lockstep, workload: WorkloadId) -> None:
        """Measure a workload that both sides have reached, if it still needs it."""
        head = self._found.head
        if workload in self._found.skipped_on_base:
            self._one_sided(lockstep, "head")
            lockstep.proceed("base")
            return
        if head.has(workload, unit=lockstep.unit):
            self._found.fail(workload, WorkerError(_TWICE, remedy=_NAME_EACH))
        elif workload not in lockstep.done:
            self._schedule.begins(workload, unit=lockstep.unit)
            try:
                self._measure_pair(lockstep, workload)
            except SideRefused as refused:
                self._found.refuse(refused.side, refused.refusal)
                for side in lockstep.sessions:
                    if side != refused.side:
                        lockstep.proceed(side)
                return
        for side in SIDES:
            lockstep.proceed(side)

    def _measure_pair(self, lockstep: Lockstep, workload: WorkloadId) -> None:
        head = lockstep.at["head"]
        assert head is not None, "the caller has seen that it is there"
        test = self._tests[workload.nodeid]
        measured = measure_pair(
            lockstep.sessions,
            index=lockstep.unit,
            first=lockstep.first,
            effort=self._effort,
            min_requests=test.min_requests,
            lone=lockstep.lone,
            terms=PairingTerms(
                asked=self._asked,
                clock=self._clock,
                cores=self.cores_of(lockstep.unit, parallel=head.parallel),
                metrics=test.metrics,
            ),
            pairing=self.pairings.get(workload),
            known_rates=self._found.known_rates(workload),
        )
        self.pairings[workload] = measured.pairing
        self._found.add(measured.sides)

    def _one_sided(self, lockstep: Lockstep, side: SideName) -> None:
        """Pass what only base has; measure what only head has, for its budgets."""
        reached = lockstep.at.get(side)
        assert reached is not None, "a side that is alone is somewhere"
        workload = reached.workload
        if side == "base":
            self._found.only_base[workload] = None
        elif "base" in lockstep.failed:
            self._found.fail(WorkloadId(nodeid=workload.nodeid), failed_on_base())
        elif self._found.head.has(workload, unit=lockstep.unit):
            self._found.fail(workload, WorkerError(_TWICE, remedy=_NAME_EACH))
        elif workload not in lockstep.done:
            self._schedule.begins(workload, unit=lockstep.unit)
            try:
                measured = measure_unit(
                    lockstep.sessions[side],
                    index=lockstep.unit,
                    effort=self._lone_effort(),
                    min_requests=self._tests[workload.nodeid].min_requests,
                    lone=lockstep.lone,
                    cores=self.cores_of(lockstep.unit, parallel=reached.parallel),
                    known_rate=self._found.head.known_rate(workload),
                )
                require_own_code(side, measured.announced)
                self._found.head.add(measured)
            except WorkloadRefused as refused:
                self._found.refuse(side, refused.refusal)
                return
        lockstep.proceed(side)

    def _take_turns(self, nodeid: str, *, unit: int) -> None:
        """Measure a test on one side, then on the other, each alone on the machine."""
        began = time.monotonic()
        sides = [s for s in ordered(first_side(unit)) if s == "head" or nodeid in self._on_base]
        turns = InTurns(
            setups={side: self._setups[side] for side in sides},
            test=self._tests[nodeid],
            found=self._found,
            effort=self._lone_effort(),
            cores=lambda parallel: self.cores_of(unit, parallel=parallel),
            wants=self._schedule.undecided,
            begins=lambda workload: self._schedule.begins(workload, unit=unit),
            clock=self._clock_of,
        )
        for workload in turns.run(unit=unit):
            self.pairings[workload] = Pairing(
                kind="restart", clock=self._clock_of(workload), reason=self._in_turns[nodeid]
            )
        self._schedule.spent(nodeid, time.monotonic() - began, unit=unit)

    def _clock_of(self, workload: WorkloadId) -> ClockName:
        """In turns: what was asked for, or what units before the turns were compared by."""
        known = self.pairings.get(workload)
        return self._clock or ("wall" if known is None else known.clock)

    def _lone_effort(self) -> Effort:
        return Effort(
            unit_seconds=2 * self._effort.unit_seconds,
            timeout_seconds=self._effort.timeout_seconds,
        )

    def cores_of(self, unit: int, *, parallel: int) -> tuple[int, ...]:
        """The cores of a unit: others every second unit, so that order and core are apart."""
        if not 0 < parallel < len(self._cores):
            return self._cores
        start = (unit // 2) * parallel
        picked = {self._cores[(start + turn) % len(self._cores)] for turn in range(parallel)}
        return tuple(sorted(picked))
