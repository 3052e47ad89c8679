"""The coordinator: runs units of worker sessions until every workload is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from pytest_costguard.engine.collection import Collection
from pytest_costguard.engine.opening import (
    CollectedTest,
    NotOpened,
    WorkerSetup,
    by_file,
    greeted,
    let_end,
    not_collected,
    open_session,
)
from pytest_costguard.engine.plain import Effort, measure_unit
from pytest_costguard.engine.protocol import (
    Proceed,
    Reached,
    Refused,
    Skipped,
    TestEnded,
)
from pytest_costguard.engine.session import WorkerSession, WorkloadRefused
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import Failure, Fingerprint, WorkloadId

Item = TypeVar("Item")
Isolation = Literal["test", "suite"]
_ALONE_UNITS = 3
"""How many processes serve a workload alone, where its units do not."""
_START_SECONDS = 1.0
"""A guess at a worker's start, for the estimate that is given before anything is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the measuring is, for a person who waits.

    First come the units. In the second stage, memory, a unit is one process that serves one
    workload alone.
    """

    stage: Literal["units", "memory"] = "units"
    unit: int
    units: int
    doing: str
    share: float
    """Of the way to `until`."""
    elapsed_seconds: float
    """That this way has taken, without what was spent on tests that failed."""
    until: Literal["end", "look"] = "end"
    """A look may find that more units are needed; the end is the end."""
    undecided: tuple[str, ...] = ()
    """Side by side: each workload that was looked at last and is not decided, and how far it is."""

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds until then at the pace so far; None before anything is done."""
        return self.elapsed_seconds * (1 / self.share - 1) if self.share > 0 else None


class Coordinator:
    """Measures tests on one side. `collection` is valid at any moment, also after Ctrl-C."""

    def __init__(
        self,
        *,
        setup: WorkerSetup,
        tests: Sequence[CollectedTest],
        effort: Effort,
        isolation: Isolation,
        progress: Callable[[Progress], None],
    ) -> None:
        self._setup = setup
        self._tests = {test.nodeid: test for test in tests}
        self._effort = effort
        self._isolation = isolation
        self._progress = progress
        self._lap_began = time.monotonic()
        self._seconds_done = 0.0
        self._steps_done = 0
        self.collection = Collection()
        self.fingerprint: Fingerprint | None = None
        """Of the first worker; None until one was up."""

    def estimated_seconds(self) -> float:
        """About how long this will take; of the workloads only known load is counted."""
        tests, units = len(self._tests), self._effort.units
        measuring = tests * self._effort.unit_seconds * 1.7 + sum(
            test.seconds_under_load(
                unit_seconds=self._effort.unit_seconds,
                longest_seconds=self._effort.longest_unit_seconds,
                windows=1,
            )
            for test in self._tests.values()
        )
        alone = tests * _START_SECONDS + measuring
        if self._isolation == "test" or tests == 1:
            return units * alone
        together = _START_SECONDS + measuring
        return units * together + min(_ALONE_UNITS, units) * alone

    def run(self) -> None:
        """Measure every test in every unit, then memory of what no process has served alone."""
        self._lap_began = time.monotonic()
        for unit in range(self._effort.units):
            for group in self._groups(unit):
                self._run_group(group, unit=unit)
        self.collection.check_complete(tuple(self._tests), units=self._effort.units)
        self._measure_memory()

    def _measure_memory(self) -> None:
        """Give each workload that shared its process some processes of its own."""
        started = time.monotonic()
        processes = min(_ALONE_UNITS, self._effort.units)
        waiting = self.collection.without_memory()
        for number, workload in enumerate(waiting):
            for unit in range(processes):
                done, total = number * processes + unit, len(waiting) * processes
                self._progress(
                    Progress(
                        stage="memory",
                        unit=done,
                        units=total,
                        doing=str(workload),
                        share=done / total,
                        elapsed_seconds=time.monotonic() - started,
                    )
                )
                if not self._run_alone(workload, unit=unit):
                    break

    def _groups(self, unit: int) -> list[list[CollectedTest]]:
        """The sessions of a unit: one a test or, in suite isolation, one a number of threads.

        There the order rotates, so that each test is the first of its session in its turn.
        """
        tests = [test for test in self._tests.values() if not self._given_up(test.nodeid, unit)]
        if not tests:
            return []
        if self._isolation == "test":
            return [[test] for test in tests]
        by_threads: dict[int, list[CollectedTest]] = {}
        for test in tests:
            by_threads.setdefault(test.threads, []).append(test)
        return [rotated(group, unit) for group in by_threads.values()]

    def _given_up(self, nodeid: str, unit: int) -> bool:
        nothing_to_measure = unit > 0 and not self.collection.workloads(nodeid)
        return nothing_to_measure or self.collection.failed(nodeid)

    def _run_group(self, group: Sequence[CollectedTest], *, unit: int) -> None:
        """Run one session; where its worker dies, the tests after the culprit get a fresh one."""
        waiting = [test.nodeid for test in group]
        while waiting:
            try:
                culprit = self._run_session(waiting, unit=unit)
            except NotOpened as obstacle:
                self._run_apart(waiting, obstacle.error, unit=unit)
                return
            if culprit is None:
                return
            waiting = [nodeid for nodeid in waiting if nodeid != culprit]

    def _run_apart(self, waiting: Sequence[str], error: WorkerError, *, unit: int) -> None:
        """Give each file a session of its own."""
        files = by_file(waiting)
        if len(files) > 1:
            for nodeids in files:
                self._run_group([self._tests[nodeid] for nodeid in nodeids], unit=unit)
            return
        for nodeid in waiting:
            self._fail(WorkloadId(nodeid=nodeid), error)

    def _run_session(self, waiting: list[str], *, unit: int) -> str | None:
        """Run `waiting` in one worker, dropping what ends; return the test that broke it.

        Raises:
            NotOpened: it could not be started, or not collect.
        """
        session: WorkerSession | None = None
        current = waiting[0]
        reached: WorkloadId | None = None
        lone = len(waiting) == 1
        try:
            try:
                session, missing = self._start(waiting)
            except WorkerError as error:
                raise NotOpened(error) from error
            for nodeid in missing:
                self._fail(WorkloadId(nodeid=nodeid), not_collected(nodeid))
                waiting.remove(nodeid)
            current = waiting[0] if waiting else current
            while waiting:
                event = session.next_event()
                if isinstance(event, Reached):
                    current, reached = event.workload.nodeid, event.workload
                    self._measure(session, event.workload, unit=unit, lone=lone)
                    reached = None
                elif isinstance(event, Refused):
                    self._refuse(event)
                elif isinstance(event, TestEnded):
                    self._note_end(event)
                    waiting.remove(event.nodeid)
                    current = waiting[0] if waiting else current
                else:
                    self._fail(
                        WorkloadId(nodeid=current),
                        session.ended_early(event, when="before this test was over"),
                    )
                    return current
            let_end(session, known=self.collection.measurement)
        except WorkerError as error:
            self._fail(reached or WorkloadId(nodeid=current), error)
            return current
        finally:
            if session is not None:
                session.stop()
        return None

    def _start(self, nodeids: Sequence[str]) -> tuple[WorkerSession, tuple[str, ...]]:
        """Start a worker; return its session and the tests that it could not collect."""
        session = open_session(
            self._setup,
            [self._tests[nodeid] for nodeid in nodeids],
            timeout_seconds=self._effort.timeout_seconds,
        )
        hello = greeted(session)
        if self.fingerprint is None:
            self.fingerprint = hello.fingerprint
        return session, hello.missing

    def _measure(
        self, session: WorkerSession, workload: WorkloadId, *, unit: int, lone: bool
    ) -> None:
        self._tell(unit=unit, doing=str(workload))
        if self.collection.has(workload, unit=unit):
            self._fail(
                workload,
                WorkerError(
                    "the test measured this workload twice in one run",
                    remedy="give each its own name: costguard.measure(…, name='int8')",
                ),
            )
        elif unit > 0 and workload not in self.collection.workloads(workload.nodeid):
            self._fail(
                workload,
                WorkerError(
                    "the test measured this workload in a later unit, not in the first",
                    remedy="make the test reach the same measurements each time it runs",
                ),
            )
        else:
            try:
                self.collection.add(
                    measure_unit(
                        session,
                        index=unit,
                        effort=self._effort,
                        min_requests=self._tests[workload.nodeid].min_requests,
                        lone=lone,
                        known_rate=self.collection.known_rate(workload),
                    )
                )
            except WorkloadRefused as refused:
                self._refuse(refused.refusal)
                return
        self._steps_done += 1
        self._seconds_done += self._lap()
        session.tell(Proceed(measurement=self.collection.measurement(workload)))

    def _run_alone(self, workload: WorkloadId, *, unit: int) -> bool:
        """Serve only `workload` in a process of its own; return whether that went well."""
        session: WorkerSession | None = None
        try:
            session, _ = self._start([workload.nodeid])
            try:
                self._serve_alone(session, workload, unit=unit)
            except WorkloadRefused as refused:
                self._fail_alone(workload, refused)
            let_end(session, known=self.collection.measurement)
        except WorkerError as error:
            self._fail_alone(workload, error)
        finally:
            if session is not None:
                session.stop()
        return all(failure.workload != workload for failure in self.collection.failures)

    def _serve_alone(self, session: WorkerSession, workload: WorkloadId, *, unit: int) -> None:
        """Let the test pass by its other workloads, and measure memory and cold start of one."""
        while isinstance(event := session.next_event(), Reached):
            if event.workload == workload:
                self.collection.complete_memory(
                    measure_unit(
                        session,
                        index=unit,
                        effort=self._effort,
                        min_requests=0,
                        lone=True,
                        known_rate=self.collection.known_rate(workload),
                    )
                )
                session.tell(Proceed(measurement=self.collection.measurement(workload)))
                return
            session.tell(Proceed(measurement=self.collection.measurement(event.workload)))
        raise WorkerError(
            "the test ended before it reached this workload",
            remedy="let each measurement of a test work without the ones before it",
        )

    def _fail_alone(self, workload: WorkloadId, error: Exception) -> None:
        self.collection.fail(
            Failure(
                workload=workload,
                reason=f"its memory could not be measured alone: {error}",
                remedy="let each measurement of a test work without the ones before it",
            )
        )

    def _note_end(self, event: TestEnded) -> None:
        if event.outcome == "failed":
            self.collection.test_details[event.nodeid] = event.details

    def _refuse(self, refusal: Refused | Skipped) -> None:
        if isinstance(refusal, Skipped):
            self.collection.skipped[refusal.workload] = refusal
            return
        self._lap()
        self.collection.fail(
            Failure(
                workload=refusal.workload,
                reason=refusal.reason,
                remedy=refusal.remedy,
                details=refusal.details,
            )
        )

    def _fail(self, workload: WorkloadId, error: WorkerError) -> None:
        self._lap()
        self.collection.fail(Failure(workload=workload, reason=error.message, remedy=error.remedy))

    def _tell(self, *, unit: int, doing: str) -> None:
        sound = self.collection.sound
        known = max(1, sound, len(self._tests) - len(self.collection.failures))
        self._progress(
            Progress(
                unit=unit,
                units=self._effort.units,
                doing=doing,
                share=min(0.99, self._steps_done / (known * self._effort.units)),
                elapsed_seconds=self._seconds_done,
            )
        )

    def _lap(self) -> float:
        """Return the seconds since the last lap, which a test that was measured or failed ends."""
        now = time.monotonic()
        began, self._lap_began = self._lap_began, now
        return now - began


def rotated(group: Sequence[Item], unit: int) -> list[Item]:
    """Return the group in another order each unit, so that each is the first one in its turn."""
    turn = unit % len(group)
    return [*group[turn:], *group[:turn]]
