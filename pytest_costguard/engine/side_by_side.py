"""The coordinator with two sides: units of both, in lock-step, until every workload is decided."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_costguard.engine.collection import Collection
from pytest_costguard.engine.coordinator import Isolation, Progress, rotated
from pytest_costguard.engine.opening import (
    CollectedTest,
    WorkerSetup,
    census,
    let_end,
    not_collected,
    open_session,
)
from pytest_costguard.engine.pair import (
    PairEffort,
    SideRefused,
    measure_pair,
    on_side,
    ordered,
)
from pytest_costguard.engine.plain import Effort, measure_unit
from pytest_costguard.engine.protocol import (
    Proceed,
    Reached,
    Refused,
    SessionEnded,
    Skipped,
    TestEnded,
)
from pytest_costguard.engine.session import WorkerSession, WorkloadRefused
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import (
    SIDES,
    Failure,
    Fingerprint,
    SideName,
    WorkloadId,
    first_side,
)

_SAME_ORDER = (
    "make the test reach the same measurements in the same order each time it runs, on both"
    " revisions"
)
_MEMORY_SECONDS = 0.02
"""What a process serves that is there for its memory and cold start; the whole set at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far one workload is from decided."""

    decided: bool
    next_look: int
    """The units at which it is looked at next."""
    words: str = ""
    """For a person who waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What ends the measuring where nothing is decided."""

    units: int
    seconds: float
    """Of one workload, starts included, once its first look was reached."""
    suite_seconds: float


@dataclass(slots=True)
class _Lockstep:
    """One pair of sessions and where they are."""

    sessions: Mapping[SideName, WorkerSession]
    unit: int
    lone: bool
    at: dict[SideName, Reached | None] = field(default_factory=dict)

    @property
    def first(self) -> SideName:
        return first_side(self.unit)

    def workload(self, side: SideName) -> WorkloadId | None:
        """The workload that a side has reached; None where its test is over."""
        reached = self.at.get(side)
        return None if reached is None else reached.workload


class SideBySide:
    """Measures tests on both sides. What it holds is valid at any moment, also after Ctrl-C."""

    def __init__(
        self,
        *,
        setups: Mapping[SideName, WorkerSetup],
        tests: Sequence[CollectedTest],
        whole: Sequence[Path],
        effort: PairEffort,
        bounds: Bounds,
        isolation: Isolation,
        cores: tuple[int, ...],
        standing: Callable[[WorkloadId], Standing],
        progress: Callable[[Progress], None],
    ) -> None:
        self._setups = setups
        self._tests = {test.nodeid: test for test in tests}
        self._whole = whole
        self._effort = effort
        self._bounds = bounds
        self._isolation = isolation
        self._cores = cores
        self._standing = standing
        self._progress = progress
        self._started = time.monotonic()
        base = setups["base"].side
        self._on_base = {t.nodeid for t in tests if base.at_home(t.path).exists()}
        self._reached: dict[str, dict[SideName, list[WorkloadId]]] = {}
        """Of the tests whose sides reach different workloads: what each reached."""
        self._skipped_on_base: set[WorkloadId] = set()
        self.sides: dict[SideName, Collection] = {side: Collection() for side in SIDES}
        """What was measured. Every failure, of either side, is head's, since its test shows it."""
        self.fingerprint: Fingerprint | None = None
        self.base_fingerprint: Fingerprint | None = None
        self.only_base: dict[WorkloadId, None] = {}
        self.own_files: set[str] = set()
        """Files of the trees that either side has loaded as modules."""
        self.seconds: dict[WorkloadId, float] = {}

    @property
    def collection(self) -> Collection:
        """Head's measurements, and the failures of both sides."""
        return self.sides["head"]

    def estimated_seconds(self) -> float:
        """About how long this will take if everything is decided at the first look."""
        unit = 2 * (self._effort.unit_seconds + 0.15) + 0.7
        return self._effort.lone_units * unit * len(self._tests)

    def run(self) -> None:
        """Measure in units until everything is decided, or its time is up."""
        self._started = time.monotonic()
        self._count_base()
        for unit in range(self._bounds.units):
            groups = self._groups(unit)
            if not groups:
                break
            for group in groups:
                self._run_group(group, unit=unit)
        self.collection.check_complete(tuple(self._tests), units=0)
        self._measure_memory()

    def _count_base(self) -> None:
        """Find the tests that base has and head has not, where the whole suite is measured."""
        if not self._whole:
            return
        base = self._setups["base"].side
        try:
            found = census(base, self._whole, timeout_seconds=self._effort.timeout_seconds)
        except WorkerError:
            return  # whatever it is, it fails the tests that base shares with head
        gone = (nodeid for nodeid in found if nodeid not in self._tests)
        self.only_base |= dict.fromkeys(WorkloadId(nodeid=nodeid) for nodeid in gone)

    def paired(self, workload: WorkloadId) -> bool:
        """Whether a workload was measured on both sides."""
        return self.sides["base"].measurement(workload) is not None

    def _groups(self, unit: int) -> list[list[str]]:
        nodeids = [nodeid for nodeid in self._tests if self._wants(nodeid, unit)]
        if self._isolation == "test":
            return [[nodeid] for nodeid in nodeids]
        by_threads: dict[int, list[str]] = {}
        for nodeid in nodeids:
            by_threads.setdefault(self._tests[nodeid].threads, []).append(nodeid)
        return [rotated(group, unit) for group in by_threads.values()]

    def _wants(self, nodeid: str, unit: int) -> bool:
        if self.collection.failed(nodeid):
            return False
        known = self.collection.workloads(nodeid)
        learned = unit == 1 and nodeid in self._reached
        return unit == 0 or learned or any(self._undecided(workload) for workload in known)

    def _undecided(self, workload: WorkloadId) -> bool:
        measured = self.collection.measurement(workload)
        units = 0 if measured is None else len(measured.units)
        spent = self.seconds.get(workload, 0.0)
        if units >= self._effort.lone_units and spent > self._bounds.seconds:
            return False
        if time.monotonic() - self._started > self._bounds.suite_seconds:
            return False
        if self.paired(workload):
            return not self._standing(workload).decided
        return units < self._effort.lone_units

    def _run_group(self, group: Sequence[str], *, unit: int) -> None:
        """Run a pair of sessions; where one breaks, the tests after the culprit get fresh ones."""
        waiting = list(group)
        while waiting:
            culprit = self._run_sessions(waiting, unit=unit)
            if culprit is None:
                return
            waiting = [nodeid for nodeid in waiting if nodeid != culprit]

    def _run_sessions(self, waiting: list[str], *, unit: int) -> str | None:
        """Run `waiting` on both sides, dropping what ends; return the test that broke them."""
        began = time.monotonic()
        lone = len(waiting) == 1
        current = waiting[0]
        sessions: dict[SideName, WorkerSession] = {}
        lockstep = _Lockstep(sessions=sessions, unit=unit, lone=lone)
        try:
            self._open(sessions, waiting, first=lockstep.first)
            share = (time.monotonic() - began) / len(waiting)
            while waiting:
                current = waiting[0]
                began = time.monotonic()
                self._run_test(lockstep, current)
                self._spend(current, share + time.monotonic() - began)
                waiting.remove(current)
            for side, session in sessions.items():
                let_end(session, known=self.sides[side].measurement)
        except WorkerError as error:
            reached = lockstep.workload("head") or lockstep.workload("base")
            self._fail(reached or WorkloadId(nodeid=current), error)
            return current
        finally:
            _stop(sessions)
        return None

    def _open(
        self, sessions: dict[SideName, WorkerSession], waiting: list[str], *, first: SideName
    ) -> None:
        """Start both at once, `first` first; drop from `waiting` what head does not collect."""
        for side in ordered(first):
            tests = [self._tests[n] for n in waiting if side == "head" or n in self._on_base]
            if tests:
                sessions[side] = open_session(
                    self._setups[side], tests, timeout_seconds=self._effort.timeout_seconds
                )
        for side in ordered(first):
            if side not in sessions:
                continue
            try:
                hello = sessions[side].hello()
            except WorkerError as error:
                raise on_side(side, error) from error
            if side == "base":
                self.base_fingerprint = self.base_fingerprint or hello.fingerprint
                self._on_base -= set(hello.missing)
                continue
            self.fingerprint = self.fingerprint or hello.fingerprint
            for nodeid in hello.missing:
                self._fail(WorkloadId(nodeid=nodeid), not_collected(nodeid))
                waiting.remove(nodeid)

    def _run_test(self, lockstep: _Lockstep, nodeid: str) -> None:
        """Run one test on both sides, measuring what both reach at the same point."""
        sides = [
            side
            for side in ordered(lockstep.first)
            if side in lockstep.sessions and (side == "head" or nodeid in self._on_base)
        ]
        reached: dict[SideName, list[WorkloadId]] = {side: [] for side in sides}
        wanted = [w for w in self.collection.workloads(nodeid) if self._undecided(w)]
        astray = False
        moving: Sequence[SideName] = sides
        lockstep.at.clear()
        while True:
            for side in moving:
                lockstep.at[side] = found = self._advance(lockstep, side, nodeid)
                if found is not None:
                    reached[side].append(found.workload)
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
                    self._proceed(lockstep, side)
        if astray and nodeid in self._reached:
            self._fail(
                WorkloadId(nodeid=nodeid),
                WorkerError("base and head do not measure in the same order", remedy=_SAME_ORDER),
            )
        elif astray:
            self._reached[nodeid] = reached
        else:
            self._check_reached(wanted, unit=lockstep.unit)

    def _alone(self, lockstep: _Lockstep, nodeid: str) -> SideName | None:
        """Return the side that is at a workload which the other does not have, if that is known."""
        base, head = lockstep.workload("base"), lockstep.workload("head")
        if head is not None and head in self._skipped_on_base:
            return "head"
        known = self._reached.get(nodeid)
        if known is not None:
            if base is not None and base not in known.get("head", ()):
                return "base"
            if head is not None and head not in known.get("base", ()):
                return "head"
            return None
        if base is None:
            return "head"
        return "base" if head is None else None

    def _advance(self, lockstep: _Lockstep, side: SideName, nodeid: str) -> Reached | None:
        """Let a side go on to its next workload; None where the test is over."""
        try:
            while True:
                event = lockstep.sessions[side].next_event()
                if isinstance(event, Reached):
                    return event
                if isinstance(event, Refused):
                    self._refuse(side, event)
                elif isinstance(event, TestEnded):
                    if event.outcome == "failed":
                        self._note_details(side, event)
                    if event.nodeid == nodeid:
                        return None
                elif isinstance(event, SessionEnded):
                    raise WorkerError(
                        f"the worker session ended with status {event.status} before this test"
                        f" had run\n{lockstep.sessions[side].last_output()}",
                        remedy="run the test without --costguard and mend what fails there",
                    )
        except WorkerError as error:
            raise on_side(side, error) from error

    def _pair(self, lockstep: _Lockstep, workload: WorkloadId) -> None:
        """Measure a workload that both sides have reached, if it still needs it."""
        if self.collection.has(workload, unit=lockstep.unit):
            self._fail(
                workload,
                WorkerError(
                    "the test measured this workload twice in one run",
                    remedy="give each its own name: costguard.measure(…, name='int8')",
                ),
            )
        elif self.collection.measurement(workload) is None or self._undecided(workload):
            self._tell(workload, unit=lockstep.unit)
            try:
                self._measure_pair(lockstep, workload)
            except SideRefused as refused:
                self._refuse(refused.side, refused.refusal)
                others = [side for side in lockstep.sessions if side != refused.side]
                for side in others:
                    self._proceed(lockstep, side)
                return
        for side in SIDES:
            self._proceed(lockstep, side)

    def _measure_pair(self, lockstep: _Lockstep, workload: WorkloadId) -> None:
        head = lockstep.at["head"]
        assert head is not None, "the caller has seen that it is there"
        measured = measure_pair(
            lockstep.sessions,
            index=lockstep.unit,
            first=lockstep.first,
            effort=self._effort,
            min_requests=self._tests[workload.nodeid].min_requests,
            lone=lockstep.lone,
            cores=self._cores_of(lockstep.unit, parallel=head.parallel),
        )
        for side in SIDES:
            self.sides[side].add(measured[side])
            self.own_files.update(measured[side].announced.own_files)

    def _one_sided(self, lockstep: _Lockstep, side: SideName) -> None:
        """Pass what only base has; measure what only head has, for its budgets."""
        workload = lockstep.workload(side)
        assert workload is not None, "a side that is alone is somewhere"
        if side == "base":
            self.only_base[workload] = None
        elif self._undecided(workload):
            self._tell(workload, unit=lockstep.unit)
            try:
                self.collection.add(
                    measure_unit(
                        lockstep.sessions[side],
                        index=lockstep.unit,
                        effort=Effort(
                            unit_seconds=2 * self._effort.unit_seconds,
                            timeout_seconds=self._effort.timeout_seconds,
                        ),
                        min_requests=self._tests[workload.nodeid].min_requests,
                        lone=lockstep.lone,
                    )
                )
            except WorkloadRefused as refused:
                self._refuse(side, refused.refusal)
                return
        self._proceed(lockstep, side)

    def _proceed(self, lockstep: _Lockstep, side: SideName) -> None:
        workload = lockstep.workload(side)
        assert workload is not None, "only a side that waits can go on"
        known = self.sides[side].measurement(workload)
        lockstep.sessions[side].tell(Proceed(measurement=known))

    def _check_reached(self, wanted: Sequence[WorkloadId], *, unit: int) -> None:
        """A workload that some unit loses on either side has no verdict to be trusted."""
        for workload in wanted:
            lost = not self.collection.has(workload, unit=unit)
            if lost and workload not in self.collection.skipped:
                details = self.collection.test_details.get(workload.nodeid, "")
                self.collection.fail(
                    Failure(
                        workload=workload,
                        reason=f"it was reached before, and not in unit {unit + 1}",
                        remedy=_SAME_ORDER,
                        details=details,
                    )
                )

    def _measure_memory(self) -> None:
        """Give each workload that shared its processes some of its own, on both sides."""
        effort = PairEffort(
            unit_seconds=_MEMORY_SECONDS,
            timeout_seconds=self._effort.timeout_seconds,
            longest_unit_seconds=self._effort.longest_unit_seconds,
        )
        waiting = [
            workload
            for workload in self.collection.without_memory()
            if self.paired(workload) and self._tests[workload.nodeid].needs_own_process
        ]
        began = time.monotonic()
        for number, workload in enumerate(waiting):
            measured = self.collection.measurement(workload)
            assert measured is not None, "what has no memory was measured"
            indices = [unit.index for unit in measured.units][: self._effort.lone_units]
            for done, index in enumerate(indices):
                self._progress(
                    Progress(
                        stage="memory",
                        unit=number * len(indices) + done,
                        units=len(waiting) * len(indices),
                        doing=str(workload),
                        share=(number + done / len(indices)) / len(waiting),
                        elapsed_seconds=time.monotonic() - began,
                    )
                )
                if not self._serve_alone(workload, index=index, effort=effort):
                    break

    def _serve_alone(self, workload: WorkloadId, *, index: int, effort: PairEffort) -> bool:
        """Serve only `workload` in a process a side; return whether that went well."""
        sessions: dict[SideName, WorkerSession] = {}
        lockstep = _Lockstep(sessions=sessions, unit=index, lone=True)
        try:
            self._open(sessions, [workload.nodeid], first=lockstep.first)
            for side in ordered(lockstep.first):
                while lockstep.workload(side) != workload:
                    if lockstep.workload(side) is not None:
                        self._proceed(lockstep, side)
                    lockstep.at[side] = self._advance(lockstep, side, workload.nodeid)
                    if lockstep.at[side] is None:
                        raise WorkerError(
                            "the test ended before it reached this workload",
                            remedy="let each measurement of a test work without the ones before it",
                        )
            measured = measure_pair(
                sessions,
                index=index,
                first=lockstep.first,
                effort=effort,
                min_requests=0,
                lone=True,
                cores=(),
            )
            for side in SIDES:
                self.sides[side].complete_memory(measured[side])
                self._proceed(lockstep, side)
                let_end(sessions[side], known=self.sides[side].measurement)
        except (WorkerError, SideRefused) as error:
            self.collection.fail(
                Failure(
                    workload=workload,
                    reason=f"its memory could not be measured alone: {error}",
                    remedy="let each measurement of a test work without the ones before it",
                )
            )
            return False
        finally:
            _stop(sessions)
        return True

    def _cores_of(self, unit: int, *, parallel: int) -> tuple[int, ...]:
        """The cores of a unit: others every second unit, so that order and core are apart."""
        if not 0 < parallel < len(self._cores):
            return self._cores
        start = (unit // 2) * parallel
        picked = {self._cores[(start + turn) % len(self._cores)] for turn in range(parallel)}
        return tuple(sorted(picked))

    def _spend(self, nodeid: str, seconds: float) -> None:
        """Count the seconds of a test for those of its workloads that took part."""
        workloads = self.collection.workloads(nodeid)
        for workload in workloads:
            self.seconds[workload] = self.seconds.get(workload, 0.0) + seconds / len(workloads)

    def _note_details(self, side: SideName, event: TestEnded) -> None:
        said = event.details if side == "head" else f"on base:\n{event.details}"
        self.collection.test_details.setdefault(event.nodeid, said)

    def _refuse(self, side: SideName, refusal: Refused | Skipped) -> None:
        if isinstance(refusal, Skipped):
            if side == "head":
                self.collection.skipped[refusal.workload] = refusal
            else:
                self._skipped_on_base.add(refusal.workload)
            return
        self.collection.fail(
            Failure(
                workload=refusal.workload,
                reason=refusal.reason if side == "head" else f"on base: {refusal.reason}",
                remedy=refusal.remedy,
                details=refusal.details,
            )
        )

    def _fail(self, workload: WorkloadId, error: WorkerError) -> None:
        self.collection.fail(Failure(workload=workload, reason=error.message, remedy=error.remedy))

    def _tell(self, workload: WorkloadId, *, unit: int) -> None:
        known = [w for nodeid in self._tests for w in self.collection.workloads(nodeid)]
        done = expected = 0
        words = ""
        looks = [self._effort.lone_units]
        for one in known:
            measured = self.collection.measurement(one)
            units = 0 if measured is None else len(measured.units)
            standing = self._standing(one) if self.paired(one) else None
            goal = self._effort.lone_units if standing is None else standing.next_look
            ended = standing is not None and not self._undecided(one)
            done += units
            expected += units if ended else max(units, goal)
            looks.append(goal)
            if one == workload and standing is not None:
                words = standing.words
        expected += self._effort.lone_units * max(0, len(self._tests) - len(known))
        self._progress(
            Progress(
                unit=unit,
                units=max(unit + 1, *looks),
                doing=f"{workload}, {words}" if words else str(workload),
                share=min(0.99, done / max(1, expected)),
                elapsed_seconds=time.monotonic() - self._started,
            )
        )


def _stop(sessions: Mapping[SideName, WorkerSession]) -> None:
    """End both at the same time: ending takes as long as starting for some."""
    for session in sessions.values():
        session.release()
    for session in sessions.values():
        session.stop()
