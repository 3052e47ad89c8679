"""Opening a worker session for some tests, and letting it come to its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_costguard.engine.launch import Side, start
from pytest_costguard.engine.loaded import KnownLoad
from pytest_costguard.engine.protocol import DeclaredMarks, Hello, Proceed, Reached, SessionEnded
from pytest_costguard.engine.session import WorkerSession
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import Measurement, WorkloadId

_END_SECONDS = 30.0
"""How long the teardowns of a worker session may take, once all was measured that was wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedTest:
    """A test that measures, as the coordinator's pytest session collected it."""

    nodeid: str
    path: Path
    threads: int = 1
    min_requests: int = 0
    """Requests a unit that the percentiles asked for need."""
    needs_own_process: bool = True
    """Whether it is held to what only a process that serves it alone can tell, as memory is."""
    metrics: frozenset[str] = frozenset()
    """What it is held to."""
    loads: tuple[KnownLoad, ...] | None = None
    """The load on its workloads when it was measured before; None where nobody knows of any."""

    def seconds_under_load(
        self, *, unit_seconds: float, longest_seconds: float, windows: int
    ) -> float:
        """Return about how long load is sent to it in one unit on one side, as far as is known."""
        return sum(
            known.about_seconds(
                unit_seconds=unit_seconds,
                longest_seconds=longest_seconds,
                min_requests=self.min_requests,
                windows=windows,
            )
            for known in self.loads or ()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """What every worker of this run is started with."""

    side: Side
    thread_variables: Callable[[int], Mapping[str, str]]
    settings: Callable[[Sequence[str]], Mapping[str, Any]]
    """What the worker that runs these tests is told, by their node ids."""


class NotOpened(Exception):
    """Sessions could not be started, or could not collect their tests."""

    def __init__(self, error: WorkerError) -> None:
        super().__init__(error.message)
        self.error = error


def by_file(nodeids: Sequence[str]) -> list[list[str]]:
    """Return the tests of each file: where one file cannot be collected, others can."""
    found: dict[str, list[str]] = {}
    for nodeid in nodeids:
        found.setdefault(nodeid.partition("::")[0], []).append(nodeid)
    return list(found.values())


def open_session(
    setup: WorkerSetup, tests: Sequence[CollectedTest], *, timeout_seconds: float
) -> WorkerSession:
    """Start a worker that runs `tests`, all with the same number of threads; it may still start.

    Raises:
        WorkerError: it could not be started.
    """
    threads = tests[0].threads
    nodeids = tuple(test.nodeid for test in tests)
    worker = start(
        setup.side,
        files=tuple(dict.fromkeys(setup.side.at_home(test.path) for test in tests)),
        nodeids=nodeids,
        threads=threads,
        thread_variables=setup.thread_variables(threads),
        settings=setup.settings(nodeids),
    )
    return WorkerSession(worker, timeout_seconds=timeout_seconds)


def census(
    side: Side, paths: Sequence[Path], *, timeout_seconds: float
) -> Mapping[str, DeclaredMarks]:
    """Return the tests that measure below some paths of the checkout, by node id.

    Raises:
        WorkerError: this side could not collect them.
    """
    here = tuple(path for path in map(side.at_home, paths) if path.exists())
    return roll(side, here, timeout_seconds=timeout_seconds).census if here else {}


def roll(side: Side, words: Sequence[Path | str], *, timeout_seconds: float) -> Hello:
    """Return what a worker says of the tests that measure, with the threads they declare.

    Args:
        side: where they are.
        words: paths and node ids as pytest takes them; none: what the project's settings name.
        timeout_seconds: for starting and collecting.

    Raises:
        WorkerError: this side could not collect them.
    """
    worker = start(
        side,
        files=tuple(words),
        nodeids=(),
        threads=1,
        thread_variables={},
        settings={},
        census=True,
    )
    session = WorkerSession(worker, timeout_seconds=timeout_seconds)
    try:
        return session.hello()
    finally:
        session.stop()


def greeted(session: WorkerSession) -> Hello:
    """Wait until the worker is up, and stop it where it does not come up.

    Raises:
        WorkerError: it died, hung, or could not collect.
    """
    try:
        return session.hello()
    except BaseException:
        session.stop()
        raise


def let_end(session: WorkerSession, *, known: Callable[[WorkloadId], Measurement | None]) -> None:
    """Let the session come to its own end, teardowns included; no word of it counts.

    Args:
        session: where all was measured that was wanted.
        known: what is known of a workload that is reached on the way.
    """
    deadline = time.monotonic() + _END_SECONDS
    with contextlib.suppress(WorkerError):
        while True:
            event = session.next_event(timeout_seconds=deadline - time.monotonic())
            if isinstance(event, SessionEnded):
                return
            if isinstance(event, Reached):
                session.tell(Proceed(measurement=known(event.workload)))


def not_collected(nodeid: str) -> WorkerError:
    """Say that a worker has not found a test that was asked for."""
    return WorkerError(
        f"the worker did not collect {nodeid}",
        remedy="parametrise with the same ids each time the tests are collected",
    )
