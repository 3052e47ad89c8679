"""One worker session, seen from the coordinator: its events, its answers, and its death."""

from __future__ import annotations

import time
from typing import TypeVar

from pytest_costguard.engine.channel import ChannelClosed, ChannelStuck
from pytest_costguard.engine.last_words import ending, told_error
from pytest_costguard.engine.launch import WorkerProcess
from pytest_costguard.engine.protocol import (
    Command,
    Event,
    Hello,
    Reached,
    Refused,
    SessionEnded,
    Skipped,
    TestEnded,
)
from pytest_costguard.errors import WorkerError

_LOOK_SECONDS = 0.5
"""How often a silent worker's process is looked at; it costs nothing while a block runs."""
_SILENT = ": something in the test may close the standard output, which pytest itself needs"

Answer = TypeVar("Answer", bound=Event)


class WorkloadRefused(Exception):
    """The worker refused or skipped a workload; the session itself is sound."""

    def __init__(self, refusal: Refused | Skipped) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


class EndedEarly(WorkerError):
    """pytest has ended in a worker before it had done what it was there for."""

    def __init__(self, end: SessionEnded, *, when: str, output: str) -> None:
        told = told_error(output)
        super().__init__(
            f"the worker session ended with status {end.status} {when}"
            + (f": {told}" if told else "")
            + (f"\n{output}" if output else f" and left no word{_SILENT}"),
            remedy="run the same tests without --costguard and mend what fails there",
        )


class WorkerSession:
    """Drives one worker process; every wait is bounded by `timeout_seconds`."""

    def __init__(self, worker: WorkerProcess, *, timeout_seconds: float) -> None:
        self._worker = worker
        self._timeout = timeout_seconds

    def hello(self) -> Hello:
        """Wait for the worker to be up and to have collected its tests."""
        hello = self.expect(Hello, doing="starting and collecting")
        self._worker.mark_output()
        return hello

    def next_event(
        self, *, timeout_seconds: float | None = None
    ) -> Reached | Refused | TestEnded | SessionEnded:
        """Wait for what the session does by itself: reach a workload, end a test, end."""
        event = self._receive(
            doing="running a test up to its next measurement", timeout_seconds=timeout_seconds
        )
        if isinstance(event, TestEnded):
            self._worker.mark_output()
        if isinstance(event, Reached | Refused | TestEnded | SessionEnded):
            return event
        raise WorkerError(
            f"the worker said {type(event).__name__} where nobody had asked",
            remedy="coordinator and worker must run the same version of pytest-costguard",
        )

    def ask(self, command: Command, answer: type[Answer], *, doing: str) -> Answer:
        """Send a command about the workload that was reached and wait for its answer.

        Raises:
            WorkloadRefused: the workload raised or skipped, or its figures cannot stand.
            WorkerError: the worker died, hung, or answered something else.
        """
        self.tell(command)
        return self.expect(answer, doing=doing)

    def tell(self, command: Command) -> None:
        """Send a command that has no answer."""
        try:
            self._worker.channel.send(command)
        except ChannelStuck as error:
            raise WorkerError(
                f"the worker does not listen: {error}; it was stopped",
                remedy="run the test without --costguard to see what holds it up",
            ) from error
        except ChannelClosed as error:
            raise self._died() from error

    def ended_early(self, end: SessionEnded, *, when: str) -> EndedEarly:
        """Return the error of a session that ended too soon, with what pytest says of it."""
        self._worker.wait_briefly()  # pytest prints its errors last
        return EndedEarly(end, when=when, output=self._worker.last_output())

    def release(self) -> None:
        """Let the worker end by itself, without waiting for it."""
        self._worker.channel.close()

    def stop(self) -> None:
        """End the worker and everything that it started."""
        self._worker.stop()

    def expect(self, answer: type[Answer], *, doing: str, more_seconds: float = 0.0) -> Answer:
        """Wait for the answer to a command that was told before; raises like `ask`.

        Args:
            answer: the only event that may come.
            doing: for the error.
            more_seconds: beyond the session's own time limit.
        """
        event = self._receive(doing=doing, timeout_seconds=self._timeout + more_seconds)
        if isinstance(event, answer):
            return event
        if isinstance(event, Refused | Skipped):
            raise WorkloadRefused(event)
        if isinstance(event, SessionEnded):
            raise self.ended_early(event, when=f"while {doing}")
        if isinstance(event, Reached):
            raise WorkerError(
                f"the test began to measure {event.workload} before this measurement was over",
                remedy="measure one after the other; scenario='concurrent(4)' serves requests at"
                " the same time",
            )
        raise WorkerError(
            f"the worker answered {type(event).__name__} while {doing}",
            remedy="coordinator and worker must run the same version of pytest-costguard",
        )

    def _receive(self, *, doing: str, timeout_seconds: float | None = None) -> Event:
        limit = self._timeout if timeout_seconds is None else timeout_seconds
        deadline = time.monotonic() + limit
        while (remaining := deadline - time.monotonic()) > 0:
            event = self._hear(min(_LOOK_SECONDS, remaining))
            if event is None and not self._worker.alive():
                event = self._hear(0.0)  # what it said between the silence and its end
                if event is None:
                    raise self._died()
            if event is not None:
                return event
        output = self._worker.last_output()
        raise WorkerError(
            f"no answer for {limit:g} s while {doing}; the worker was stopped"
            + (f"; its last output:\n{output}" if output else ""),
            remedy="make the step shorter, or allow more with --costguard-timeout",
        )

    def _hear(self, seconds: float) -> Event | None:
        try:
            return self._worker.channel.receive(timeout_seconds=seconds)
        except ChannelClosed as error:
            raise self._died() from error

    def _died(self) -> WorkerError:
        how = ending(self._worker.wait_briefly())
        output = self._worker.last_output()
        return WorkerError(
            f"the worker process {how}; it had not measured everything"
            + (f". Its last output:\n{output}" if output else " and left no word"),
            remedy="run the test without --costguard to see it fail by itself",
        )
