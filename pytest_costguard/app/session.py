"""A session with `--costguard`: configuration and prices before it, reports and baseline after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_costguard.app.baselines import save
from pytest_costguard.app.checking import Check
from pytest_costguard.app.declared_tests import DeclaredTest
from pytest_costguard.app.reporting import write_reports
from pytest_costguard.app.stores import opened, require_writable
from pytest_costguard.app.targets import priced_setup
from pytest_costguard.baselines.store import Store
from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.gates import gates_for
from pytest_costguard.engine.launch import Side
from pytest_costguard.errors import CostguardError
from pytest_costguard.records import Report
from pytest_costguard.reports.terminal import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What was written, and what could not be: a line each, and an exit code above 0 for that."""

    lines: tuple[str, ...]
    exit_code: int


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
        self._environ = environ
        if self.settings.save is not None:
            require_writable(self.settings.store, environ, rootdir=rootdir)
        self._pricing = priced_setup(self.settings, today=dt.datetime.now(tz=dt.UTC).date())

    def require_understood(self, tests: Sequence[DeclaredTest]) -> None:
        """Raise unless what every test is held to makes sense together; nothing is measured.

        Raises:
            ConfigError: what options, markers and rules say of a test cannot be.
        """
        for test in tests:
            gates_for(test.nodeid, self.settings, test.marker)

    def check(self, *, side: Side, whole_suite: bool) -> Check:
        """Return the check of the collected tests.

        Raises:
            CostguardError: the baseline that was asked for is not there, or cannot be read.
        """
        return Check(
            settings=self.settings,
            side=side,
            pricing=self._pricing,
            open_store=self._store,
            whole_suite=whole_suite,
        )

    def finish(self, report: Report) -> Finished:
        """Write all that was asked for; what cannot be written keeps nothing else from it."""
        lines: list[str] = []
        errors: list[CostguardError] = []
        for write in (self._write_reports, self._save):
            try:
                lines += write(report)
            except CostguardError as error:
                errors.append(error)
        lines += [f"costguard: {error}" for error in errors]
        return Finished(lines=tuple(lines), exit_code=errors[0].exit_code if errors else 0)

    def _write_reports(self, report: Report) -> list[str]:
        if self.settings.report_dir is None:
            return []
        written = write_reports(report, self.settings.report_dir)
        return [f"costguard: wrote {path}" for path in written]

    def _save(self, report: Report) -> list[str]:
        name = self.settings.save
        if name is None:
            return []
        place = save(report.run, name, store=self._store())
        return [f"costguard: saved this run to baseline {name!r}: {place}"]

    def _store(self) -> Store:
        return opened(self.settings.store, rootdir=self._rootdir, environ=self._environ)

    def render(self, report: Report, *, width: int, colour: bool, verbosity: int) -> str:
        """Return the terminal report."""
        return render(report, width=width, colour=colour, verbosity=verbosity)
