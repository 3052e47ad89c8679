"""How a command ends: by a run's verdict, or before its time, in order, whoever ends it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pytest_costguard.records import Report

INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""


def exit_code_of(report: Report) -> int:
    """Return the exit code of a command that shows a run: a part of one is no pass."""
    if report.outcome.failed:
        return 1
    return 0 if report.run.complete else INTERRUPTED


def ended_in_order() -> AbstractContextManager[None]:
    """Let SIGTERM and SIGHUP end this process in order: no worker and no file is left."""
    from pytest_costguard.app import termination

    return termination.ended_in_order(_leave)


def _leave(number: int) -> NoReturn:
    raise SystemExit(128 + number)
