"""Progress for a person who waits: one line that is rewritten, or one line a unit in a log."""

from __future__ import annotations

import pytest

from pytest_costguard.app.escalation import Announcement
from pytest_costguard.app.estimates import Estimate
from pytest_costguard.app.progress import duration, in_words
from pytest_costguard.engine.coordinator import Progress

_MOST_SHOWN = 10
"""Workloads that a log names after a look."""


class ProgressLine:
    """Shows how far the measuring is, and after a look what is not decided; silent with `-q`."""

    def __init__(self, reporter: pytest.TerminalReporter | None, *, quiet: bool) -> None:
        self._reporter = None if quiet else reporter
        self._told = ("", -1)
        self._open = False

    def announce(self, *, tests: int, estimate: Estimate) -> None:
        """Say before the start about how long it will take."""
        if self._reporter is not None:
            noun = "test" if tests == 1 else "tests"
            more = "and more for slow workloads"
            if estimate.without_load:
                more += " and for load (scenario='server' or 'max_rate'): the first unit tells"
            self._reporter.write_line("")
            self._reporter.write_line(
                f"costguard: measuring {tests} {noun} in fresh processes, about"
                f" {duration(estimate.seconds)}, {more}"
            )

    def announce_again(self, what: Announcement) -> None:
        """Say before it starts what is measured again, side by side, and how long it takes."""
        if self._reporter is None:
            return
        self.close()
        are = "1 workload is" if what.workloads == 1 else f"{what.workloads} workloads are"
        them = "it" if what.workloads == 1 else "them"
        self._reporter.write_line(
            f"costguard: {are} in doubt, measuring {them} side by side with {what.commit}, about"
            f" {duration(what.seconds)}"
        )
        self._told = ("", -1)

    def tell(self, text: str) -> None:
        """Say what is waited for before anything is measured."""
        if self._reporter is not None:
            self._reporter.ensure_newline()
            self._reporter.write_line(f"costguard: {text}")

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        if self._reporter is None:
            return
        text = in_words(progress)
        # In a log each unit has a line; the processes of the second stage have one in all.
        told = (progress.stage, progress.unit if progress.stage == "units" else 0)
        if self._reporter.isatty:
            width = self._reporter._tw.fullwidth - 1  # as pytest's own progress
            self._reporter.rewrite(f"{text}: {progress.doing}"[:width], erase=True)
            self._open = True
        elif told != self._told:
            self._reporter.write_line(text)
            for line in progress.undecided[:_MOST_SHOWN]:
                self._reporter.write_line(f"costguard:   not decided: {line}")
            if (more := len(progress.undecided) - _MOST_SHOWN) > 0:
                self._reporter.write_line(f"costguard:   and {more} more")
        self._told = told

    def close(self) -> None:
        """Leave the line, so that what follows begins on its own."""
        if self._reporter is not None and self._open:
            self._reporter.rewrite("", erase=True)
            self._open = False
