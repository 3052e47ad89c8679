"""One pair of sessions that run the same tests, and where each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from pytest_costguard.engine.opening import let_end
from pytest_costguard.engine.pair_collection import PairCollection
from pytest_costguard.engine.protocol import (
    Proceed,
    Reached,
    Refused,
    SessionEnded,
    TestEnded,
)
from pytest_costguard.engine.session import WorkerSession
from pytest_costguard.engine.sides import not_beside_each_other, on_side
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import SideName, WorkloadId, first_side


@dataclass(slots=True, kw_only=True)
class Lockstep:
    """Leads the sessions of a unit from workload to workload."""

    sessions: dict[SideName, WorkerSession]
    found: PairCollection
    unit: int
    lone: bool
    """Whether the sessions run one test alone."""
    at: dict[SideName, Reached | None] = field(default_factory=dict)
    done: frozenset[WorkloadId] = frozenset()
    """Of the test that runs: the workloads that need no other unit."""
    failed: set[SideName] = field(default_factory=set)
    """The sides on which the test that runs has failed."""

    @property
    def first(self) -> SideName:
        """The side that is started first in this unit."""
        return first_side(self.unit)

    def workload(self, side: SideName) -> WorkloadId | None:
        """The workload that a side has reached; None where its test is over."""
        reached = self.at.get(side)
        return None if reached is None else reached.workload

    def advance(self, side: SideName, nodeid: str) -> Reached | None:
        """Let a side go on to its next workload; None where the test is over.

        Raises:
            NotBesideEachOther: before it has reached one, it needed what the other side has.
            WorkerError: the worker died, hung, or ended before the test was over.
        """
        try:
            self.at[side] = reached = self._next(side, nodeid)
        except WorkerError as error:
            raise on_side(side, error) from error
        return reached

    def advance_to(self, side: SideName, workload: WorkloadId) -> None:
        """Let a side pass all workloads of a test before this one.

        Raises:
            WorkerError: the test ended before it reached this workload.
        """
        while self.workload(side) != workload:
            if self.workload(side) is not None:
                self.proceed(side)
            if self.advance(side, workload.nodeid) is None:
                raise WorkerError(
                    "the test ended before it reached this workload",
                    remedy="let each measurement of a test work without the ones before it",
                )

    def proceed(self, side: SideName) -> None:
        """Let a side that waits at a workload go on, with what is known of it so far."""
        workload = self.workload(side)
        assert workload is not None, "only a side that waits can go on"
        known = self.found.sides[side].measurement(workload)
        self.at[side] = None
        self.sessions[side].tell(Proceed(measurement=known))

    def end(self, side: SideName) -> None:
        """Let a session come to its own end."""
        let_end(self.sessions[side], known=self.found.sides[side].measurement)

    def _next(self, side: SideName, nodeid: str) -> Reached | None:
        session = self.sessions[side]
        while True:
            event = session.next_event()
            if isinstance(event, Reached):
                return event
            if isinstance(event, Refused):
                if event.needs_the_machine and len(self.sessions) > 1:
                    raise not_beside_each_other(side, event)
                self.found.refuse(side, event)
            elif isinstance(event, TestEnded):
                if event.outcome == "failed":
                    self.failed.add(side)
                    self.found.note_details(side, event)
                if event.nodeid == nodeid:
                    return None
            elif isinstance(event, SessionEnded):
                raise session.ended_early(event, when="before this test was over")


def stop(sessions: Mapping[SideName, WorkerSession]) -> None:
    """End both at the same time: ending takes as long as starting for some."""
    with ExitStack() as all_of_them:  # whatever interrupts the end of one
        for session in sessions.values():
            all_of_them.callback(session.stop)
            session.release()
