"""Asking the sessions of two sides: in which order, and what it means where one cannot answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from pytest_costguard.engine.protocol import Command, Event, Refused, Skipped
from pytest_costguard.engine.session import EndedEarly, WorkerSession, WorkloadRefused
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import SIDES, FailedSide, SideName

Answer = TypeVar("Answer", bound=Event)


class SideRefused(Exception):
    """A side refused or skipped a workload; both sessions are sound."""

    def __init__(self, side: SideName, refusal: Refused | Skipped) -> None:
        super().__init__(refusal.reason)
        self.side: SideName = side
        self.refusal = refusal


class NotBesideEachOther(Exception):
    """Both sides disturb each other while both are there: they must be measured in turns."""

    def __init__(self, reason: str, *, side: SideName | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.side: SideName | None = side
        """The side that does not wait any more, since its workload raised there."""


def not_beside_each_other(side: SideName, refusal: Refused) -> NotBesideEachOther:
    """Say of a side that needs for itself what the other has that they must be apart."""
    first_line = refusal.reason.partition("\n")[0]
    return NotBesideEachOther(f"{refusal.needs_the_machine}: on {side}, {first_line}", side=side)


def ordered(first: SideName) -> tuple[SideName, SideName]:
    """Return both sides, `first` first."""
    return SIDES if first == SIDES[0] else (SIDES[1], SIDES[0])


class FailedOnSide(WorkerError):
    """A worker's error, with the side on which it was."""

    def __init__(self, message: str, *, remedy: str, side: FailedSide) -> None:
        super().__init__(message, remedy=remedy)
        self.side: FailedSide = side


def failed_on_base() -> FailedOnSide:
    """Say of a test that only head has got anywhere that it failed on base before that."""
    error = WorkerError(
        "the test failed before it reached what head measures",
        remedy="mend it there, or compare with a revision on which it passes",
    )
    return on_side("base", error)


def on_side(side: SideName, error: WorkerError) -> FailedOnSide:
    """Say of a worker's error on which side it was."""
    if isinstance(error, FailedOnSide):
        return error
    remedy = error.remedy
    if side == "base" and isinstance(error, EndedEarly):
        remedy = (
            "where head mends base, compare with a revision on which the tests run, or with a"
            " stored baseline; else run them in a checkout of base (git worktree add ../base REV)"
            " and mend what fails there"
        )
    return FailedOnSide(f"on {side}: {error.message}", remedy=remedy, side=side)


@contextmanager
def at(side: SideName) -> Iterator[None]:
    """Say of what goes wrong meanwhile that it was on this side.

    Raises:
        SideRefused: the workload raised or skipped there.
        NotBesideEachOther: what it needs there is once only, and the other has it.
        WorkerError: the worker died, hung or answered something else.
    """
    try:
        yield
    except WorkloadRefused as refused:
        refusal = refused.refusal
        if isinstance(refusal, Refused) and refusal.needs_the_machine:
            raise not_beside_each_other(side, refusal) from refused
        raise SideRefused(side, refusal) from refused
    except WorkerError as error:
        raise on_side(side, error) from error


@dataclass(frozen=True, slots=True)
class BothSessions:
    """The sessions of both sides, asked in the order of their start."""

    sessions: Mapping[SideName, WorkerSession]
    order: tuple[SideName, SideName]

    def both(self, command: Command, answer: type[Answer], doing: str) -> dict[SideName, Answer]:
        """Ask both the same, one after the other; raises like `at`."""
        return self.each(lambda _: command, answer, doing)

    def each(
        self, command: Callable[[SideName], Command], answer: type[Answer], doing: str
    ) -> dict[SideName, Answer]:
        """Ask each side, one after the other; raises like `at`."""
        return {side: self.ask(side, command(side), answer, doing) for side in self.order}

    def ask(self, side: SideName, command: Command, answer: type[Answer], doing: str) -> Answer:
        """Ask one side; raises like `at`."""
        with at(side):
            return self.sessions[side].ask(command, answer, doing=doing)
