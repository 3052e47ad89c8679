"""The part of the workload port that is the same whatever protocol a server is asked by.

The model, its device and its threads are another process's: here a thread sends and waits. Each of
these stands in the body of such a workload's class, by the name that the port has for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from pytest_costguard.workloads.answers import UnreadAnswers
from pytest_costguard.workloads.written_requests import WrittenRequests


class WritesBeforehand(Protocol):
    """A workload that writes its requests down beforehand."""

    _requests: WrittenRequests[Any]


class ReadsAfterwards(Protocol):
    """A workload whose answers are read once nothing is timed."""

    _answers: UnreadAnswers[Any]


IS_ASYNC = False
"""A request is waited for in a thread."""


def prepare(self: WritesBeforehand, inputs: Sequence[Any]) -> None:
    """Write down the request of each input.

    Raises:
        WorkloadError: one cannot be written.
    """
    self._requests.write(inputs)


def serving(self: ReadsAfterwards) -> AbstractContextManager[object]:
    """Return a context that reads first answers when it ends."""
    return self._answers.reading()


def synchronise(self: object) -> Callable[[], None] | None:
    """Return None: an answer is there when it is there."""
    del self
    return None


def device_peak_bytes(self: object) -> int | None:
    """Return None: the server's device is not this process's."""
    del self
    return None


def reset_device_peak(self: object) -> None:
    """Do nothing."""
    del self
