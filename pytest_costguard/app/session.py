"""A session with `--costguard`: configuration and prices before it, reports and baseline after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_costguard.app.baselines import save
from pytest_costguard.app.checking import Check
from pytest_costguard.app.reporting import write_reports
from pytest_costguard.app.targets import priced_setup
from pytest_costguard.config.cascade import resolve
from pytest_costguard.engine.launch import Side
from pytest_costguard.records import Report
from pytest_costguard.reports.terminal import render


class CheckedSession:
    """What one session is configured to do. Made before anything is collected.

    Raises:
        CostguardError: configuration, prices or target are not understood.
    """

    def __init__(
        self, *, given: Mapping[str, Any], environ: Mapping[str, str], rootdir: Path
    ) -> None:
        self.settings = resolve(cli=given, environ=environ, rootdir=rootdir)
        self._rootdir = rootdir
        self._pricing = priced_setup(self.settings, today=dt.datetime.now(tz=dt.UTC).date())

    def check(self, *, side: Side, whole_suite: bool) -> Check:
        """Return the check of the collected tests.

        Raises:
            CostguardError: the baseline that was asked for is not there, or cannot be read.
        """
        return Check(
            settings=self.settings, side=side, pricing=self._pricing, whole_suite=whole_suite
        )

    def finish(self, report: Report) -> list[str]:
        """Write what was asked for; return a line for each thing written, or not."""
        lines = []
        if self.settings.report_dir is not None:
            written = write_reports(report, self.settings.report_dir)
            lines += [f"costguard: wrote {path}" for path in written]
        if self.settings.save is not None:
            path = save(report.run, self.settings.save, rootdir=self._rootdir)
            lines.append(f"costguard: saved this run to baseline {self.settings.save!r}: {path}")
        return lines

    def render(self, report: Report, *, width: int, colour: bool, verbosity: int) -> str:
        """Return the terminal report."""
        return render(report, width=width, colour=colour, verbosity=verbosity)
