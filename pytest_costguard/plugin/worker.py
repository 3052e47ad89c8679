"""The hooks of a worker session: exactly the tests it was told, and word of how they end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator
from io import TextIOWrapper

import pytest

from pytest_costguard.app.worker import Worker, guard_imports
from pytest_costguard.engine.protocol import DeclaredMarks
from pytest_costguard.plugin import backend_key, worker_key
from pytest_costguard.plugin.benchmarks import FIXTURE, guard_benchmark
from pytest_costguard.plugin.endings import PYTEST_ENDINGS
from pytest_costguard.plugin.markers import marked, measures

_BOOKKEEPERS = ("lfplugin", "nfplugin", "stepwiseplugin")
"""They would note a worker's failures as the user's last run."""


def start_worker(config: pytest.Config) -> None:
    """Make this session a worker; its options are there before any conftest is configured."""
    worker = Worker.from_environment(PYTEST_ENDINGS)
    assert worker is not None, "asked only where the variable is set"
    for dest, value in worker.task.options.items():
        setattr(config.option, dest, value)
    config.stash[backend_key] = config.stash[worker_key] = worker
    _keep_words()


def register_worker(config: pytest.Config, worker: Worker) -> None:
    """Take part in the session as a worker."""
    for name in _BOOKKEEPERS:
        plugin = config.pluginmanager.get_plugin(name)
        if plugin is not None:
            config.pluginmanager.unregister(plugin)
    config.pluginmanager.register(WorkerHooks(worker), "costguard-worker")


def _keep_words() -> None:
    """Print as under pytest's capture: any character, and each line at once, for a sudden end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)


class WorkerHooks:
    """Translates pytest's hooks into the worker's words."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._words: dict[str, list[str]] = {}
        self._worst: dict[str, str] = {}

    def pytest_collectstart(self) -> None:
        """Guard the imports of what is collected, whatever a conftest file has put first."""
        guard_imports()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Keep exactly the tests that were asked for, in the order that was asked for."""
        if self._worker.task.census:
            found = {item.nodeid: _declared(item) for item in items if measures(item)}
            items.clear()
            if not session.testsfailed:
                self._worker.hello(census=found)
            return
        by_nodeid = {item.nodeid: item for item in items}
        wanted = self._worker.task.nodeids
        items[:] = [by_nodeid[nodeid] for nodeid in wanted if nodeid in by_nodeid]
        missing = tuple(nodeid for nodeid in wanted if nodeid not in by_nodeid)
        if not session.testsfailed:
            self._worker.hello(missing=missing)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Let tests that use pytest-benchmark's fixture serve the coordinator."""
        fixture = yield
        if fixturedef.argname == FIXTURE and _from_pytest_benchmark(fixturedef):
            guard_benchmark(fixture, nodeid=request.node.nodeid, backend=self._worker)
        return fixture

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the phases of a test; its end is told when all of them are over."""
        if report.outcome == "failed":
            self._words.setdefault(report.nodeid, []).append(report.longreprtext)
        if report.failed or self._worst.get(report.nodeid) in (None, "passed"):
            self._worst[report.nodeid] = report.outcome

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Say how a test ended."""
        self._worker.test_ended(
            nodeid,
            outcome=self._worst.pop(nodeid, "skipped"),
            details="\n".join(self._words.pop(nodeid, ())),
        )

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> Generator[None, None, None]:
        """Say that the session is over, once others have ended what they had.

        Where nothing failed, what nobody sees of the end is left out, since each unit waits for it:
        summaries, and looking through all objects for garbage, which pytest does several times.
        """
        quickly = exitstatus == pytest.ExitCode.OK
        if quickly:
            setattr(session.config.hook, "pytest_terminal_summary", _nothing)  # noqa: B010
        yield
        if quickly:
            gc.freeze()
        self._worker.session_ended(int(exitstatus))


def _nothing(**_: object) -> list[object]:
    """Stand in for the summaries of plugins: Hypothesis is imported for its own."""
    return []


def _declared(item: pytest.Item) -> DeclaredMarks:
    said = marked(item)
    return DeclaredMarks(threads=said.threads, labels=dict(said.labels))


def _from_pytest_benchmark(fixturedef: pytest.FixtureDef[object]) -> bool:
    return getattr(fixturedef.func, "__module__", "").startswith("pytest_benchmark")
