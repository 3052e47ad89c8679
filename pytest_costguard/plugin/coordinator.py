"""The hooks of a session with `--costguard`: measure first, then run the tests with verdicts."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from pytest_costguard.app.checking import Check
from pytest_costguard.app.declared_tests import DeclaredTest
from pytest_costguard.app.final_pass import FinalPass, Unmeasured
from pytest_costguard.app.session import CheckedSession
from pytest_costguard.engine.launch import Side
from pytest_costguard.errors import CostguardError
from pytest_costguard.plugin import backend_key
from pytest_costguard.plugin.benchmarks import uses_benchmark
from pytest_costguard.plugin.endings import PYTEST_ENDINGS
from pytest_costguard.plugin.markers import marked, measures
from pytest_costguard.plugin.options import given_options, loaded_plugins, own_options
from pytest_costguard.plugin.progress import ProgressLine
from pytest_costguard.plugin.signals import ended_in_order
from pytest_costguard.reports.encodings import encodable
from pytest_costguard.reports.junit import properties


def register_coordinator(config: pytest.Config) -> None:
    """Make this session measure.

    Raises:
        UsageError: the configuration is not understood, or something forbids measuring here.
    """
    _refuse_xdist(config)
    try:
        session = CheckedSession(
            given=given_options(config), environ=os.environ, rootdir=config.rootpath
        )
    except CostguardError as error:
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(CoordinatorHooks(config, session), "costguard-coordinator")


class CoordinatorHooks:
    """Translates pytest's hooks into calls on the check."""

    def __init__(self, config: pytest.Config, session: CheckedSession) -> None:
        self._config = config
        self._session = session
        self._check: Check | None = None
        self._deselected = False
        self._measured: set[str] = set()
        self._expected: dict[str, str] = {}
        """The reasons of the tests that failed as expected, by node id."""
        self._failed: set[str] = set()
        self._lines: tuple[str, ...] = ()
        self._shown = False

    def pytest_deselected(self) -> None:
        """Note that this is not the whole suite, so that nothing can be called missing."""
        self._deselected = True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Measure before the tests run."""
        failed = session.testsfailed and not session.config.option.continue_on_collection_errors
        if not failed:
            try:
                self._measure(session)
            except CostguardError as error:
                raise pytest.UsageError(str(error)) from error
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Fail a test that passes its assertions by its verdict, in its natural place."""
        __tracebackhide__ = True
        yield
        check = self._check
        if check is None or item.nodeid not in self._measured:
            return
        if uses_benchmark(item):
            check.consume(item.nodeid)
        for verdict in check.verdicts(item.nodeid):
            known = properties(verdict)
            # A plugin that runs a failed test again must not make them double.
            item.user_properties.extend(p for p in known if p not in item.user_properties)
        if messages := check.failing(item.nodeid):
            _fail(messages)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what failed, and what was expected to: that must not fail the run otherwise."""
        if report.skipped and hasattr(report, "wasxfail"):
            self._expected[report.nodeid] = report.wasxfail
        if report.failed:
            self._failed.add(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write reports and the baseline, and let what has no test of its own fail the run."""
        if self._check is None or self._check.report is None:
            return
        self._check.expect(self._expected)
        self._check.fail_beside(self._failed)
        report = self._check.report
        finished = self._session.finish(report)
        self._lines = finished.lines
        session.exitstatus = session.exitstatus or finished.exit_code
        if report.outcome.failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the report, whatever happened before."""
        self._shown = True
        if self._check is None or self._check.report is None:
            for line in self._lines:
                terminalreporter.write_line(line)
            return
        writer = terminalreporter._tw  # the only place that knows the width
        terminalreporter.section("costguard")
        text = self._session.render(
            self._check.report,
            width=min(writer.fullwidth, 120),
            colour=writer.hasmarkup,
            verbosity=self._config.option.verbose,
        )
        # pytest writes what a stream does not know as escapes, line ends included.
        terminalreporter.write(encodable(text, getattr(writer._file, "encoding", None)))
        for line in self._lines:
            terminalreporter.write_line(line)
        for warning in self._check.warnings:
            terminalreporter.write_line(f"costguard: warning: {warning}", yellow=True)

    def pytest_unconfigure(self) -> None:
        """Show the report of a session that a signal ended: pytest has no summary of those."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        measured = self._check is not None and self._check.report is not None
        if measured and reporter is not None and not self._shown:
            self.pytest_terminal_summary(reporter)

    def _measure(self, session: pytest.Session) -> None:
        guarded = [item for item in session.items if self._guards(item)]
        declared = [
            DeclaredTest(nodeid=item.nodeid, path=item.path, marker=marked(item), line=_line(item))
            for item in guarded
        ]
        self._config.stash[backend_key] = Unmeasured()
        if not guarded:
            self._lines = ("costguard: no test here measures anything",)
            return
        if self._config.option.collectonly:
            self._session.require_understood(declared)
            return
        side = Side(
            name="head",
            rootdir=self._config.rootpath,
            invocation_dir=Path(self._config.invocation_params.dir),
            inifile=self._config.inipath,
            plugins=loaded_plugins(self._config),
            options=own_options(self._config),
            ini_overrides=tuple(
                override
                for override in self._config.option.override_ini or ()
                if not override.startswith("addopts")
            ),
            import_mode=self._config.option.importmode,
            environ=dict(os.environ),
        )
        self._check = self._session.check(side=side, whole_suite=self._whole_suite())
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        # Without a reporter (-p no:terminal) there is no option `verbose` either.
        quiet = reporter is None or self._config.option.verbose < 0
        progress = ProgressLine(reporter, quiet=quiet)
        self._measured = {item.nodeid for item in guarded}
        try:
            with ended_in_order():  # environments and builds take long, too
                estimate = self._check.prepare(
                    declared,
                    progress=progress,
                    tell=progress.tell,
                    pythonpath=self._config.getini("pythonpath"),
                    paths=[
                        Path(self._config.invocation_params.dir, path) for path in self._config.args
                    ],
                )
                progress.announce(tests=len(guarded), estimate=estimate)
                self._check.measure(escalating=progress.announce_again)
        finally:
            progress.close()
            self._check.close()
        self._config.stash[backend_key] = FinalPass(self._check, endings=PYTEST_ENDINGS)

    def _guards(self, item: pytest.Item) -> bool:
        option = self._config.option
        if uses_benchmark(item):
            asked = self._session.settings.benchmarks and item.get_closest_marker("skip") is None
            return asked and not getattr(option, "benchmark_skip", False)
        return measures(item) and not getattr(option, "benchmark_only", False)

    def _whole_suite(self) -> bool:
        option = self._config.option
        narrowed = ("ignore", "ignore_glob", "lf", "stepwise")
        given = self._config.args_source is pytest.Config.ArgsSource.ARGS
        fewer = any(getattr(option, name, None) for name in narrowed)
        return not (given or fewer or self._deselected)


def _line(item: pytest.Item) -> int | None:
    line = item.location[1]  # pytest counts from 0
    return None if line is None else line + 1


def _fail(messages: tuple[str, ...]) -> None:
    # Its frame is not hidden: pytest would say below every verdict that all frames are.
    pytest.fail("\n\n".join(messages), pytrace=False)


def _refuse_xdist(config: pytest.Config) -> None:
    workers = getattr(config.option, "numprocesses", None)
    if workers or getattr(config.option, "tx", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError(
            "--costguard and pytest-xdist (-n) exclude each other: other workers would disturb"
            " the measuring\n  remedy: add -n 0, or run the measuring tests in a session of their"
            " own"
        )
