"""The main job: measure what was collected, compare, price, decide; then hand verdicts out."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pytest_costguard import __version__
from pytest_costguard.app.accepting import standing_acceptances
from pytest_costguard.app.baselines import locate
from pytest_costguard.app.declared_tests import DeclaredTest, told_in_vain
from pytest_costguard.app.endings import Ending, Endings
from pytest_costguard.app.escalation import Announcement, Means, SecondMeasuring
from pytest_costguard.app.estimates import Estimate, estimated, loads_of_baseline, with_loads
from pytest_costguard.app.judging import expecting, judge
from pytest_costguard.app.measure_call import MeasureCall
from pytest_costguard.app.measuring import Measuring, one_side, side_by_side
from pytest_costguard.app.progress import duration
from pytest_costguard.app.result import Result
from pytest_costguard.app.targets import PricedSetup
from pytest_costguard.baselines.folder import FOLDER_NAME
from pytest_costguard.baselines.store import Store
from pytest_costguard.config.acceptances import AcceptedChange, in_vain
from pytest_costguard.config.gates import (
    labels_for,
    unmatched_rules,
)
from pytest_costguard.config.model import Settings
from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.engine.launch import Side
from pytest_costguard.errors import WorkloadError
from pytest_costguard.host.fingerprint import fingerprint
from pytest_costguard.host.revision import commit_of, lock_digest, place_in_checkout
from pytest_costguard.records import (
    Baseline,
    Escalation,
    Failure,
    Gates,
    Report,
    Run,
    WorkloadId,
    WorkloadVerdict,
)


class Check:
    """One `pytest --costguard`: made before the measuring, asked by each test after it."""

    def __init__(
        self,
        *,
        settings: Settings,
        side: Side,
        pricing: PricedSetup,
        open_store: Callable[[], Store],
        whole_suite: bool,
    ) -> None:
        self._settings = settings
        self._side = side
        self._pricing = pricing
        self._open_store = open_store
        self._whole_suite = whole_suite
        self._fingerprint = fingerprint(environ=os.environ)
        self._created = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
        # Side by side base is measured here and now; what is stored plays no part.
        self._baseline, self._baseline_problem = (
            _located(settings, side, open_store, self._fingerprint)
            if settings.against is None
            else (None, "")
        )
        self._measuring: Measuring | None = None
        self._means: Means | None = None
        self._gates: dict[str, Gates] = {}
        self._accepted: tuple[AcceptedChange, ...] = ()
        self._lines: dict[str, int] = {}
        self._consumed: set[WorkloadId] = set()
        self.report: Report | None = None
        self.warnings: tuple[str, ...] = ()
        """What the configuration says in vain, for the end of the run."""

    def prepare(
        self,
        tests: Sequence[DeclaredTest],
        *,
        progress: Callable[[Progress], None],
        tell: Callable[[str], None],
        pythonpath: Sequence[str] = (),
        paths: Sequence[Path] = (),
    ) -> Estimate:
        """Resolve what every test is held to; return about how long measuring takes.

        Args:
            tests: what was collected.
            progress: is told how far the measuring is.
            tell: is told what a person waits for before that.
            pythonpath: pytest's setting, relative to the root directory.
            paths: where the whole suite was collected.

        Raises:
            ConfigError: a marker says something that is not understood.
            RevisionError: the revision to compare with is not there, or what it needs.
            StoreError: there is no room for the work trees.
        """
        self._accepted = standing_acceptances(self._settings, self._side)
        self._gates = {
            test.nodeid: test.held_to(
                self._settings, accepted=self._accepted, today=self._created.date()
            )
            for test in tests
        }
        self._lines = {test.nodeid: test.line for test in tests if test.line is not None}
        if self._whole_suite:
            markers = [(test.nodeid, test.marker) for test in tests]
            self.warnings = tuple(map(told_in_vain, unmatched_rules(markers, self._settings)))
        self.warnings += in_vain(
            self._settings.accepted,
            gates=self._gates,
            whole_suite=self._whole_suite,
            today=self._created.date(),
        )
        means = self._means = Means(
            settings=self._settings,
            side=self._side,
            pricing=self._pricing,
            tests=with_loads(
                (test.collected(self._settings, gates=self._gates[test.nodeid]) for test in tests),
                loads_of_baseline(self._baseline),
            ),
            labels={test.nodeid: labels_for(self._settings, test.marker) for test in tests},
            gates=self._gates,
            open_store=self._open_store,
            pythonpath=pythonpath,
            progress=progress,
            tell=tell,
        )
        if self._settings.against is None:
            self._measuring = one_side(
                settings=self._settings,
                side=self._side,
                pricing=self._pricing,
                tests=means.tests,
                labels=means.labels,
                progress=progress,
            )
        else:
            self._measuring = side_by_side(
                settings=self._settings,
                side=self._side,
                pricing=self._pricing,
                tests=means.tests,
                labels=means.labels,
                gates=self._gates,
                pythonpath=pythonpath,
                whole=paths if self._whole_suite else (),
                progress=progress,
                tell=tell,
            )
        seconds = self._measuring.estimated_seconds()
        if self._settings.against is not None and seconds > self._settings.suite_seconds:
            limit = duration(self._settings.suite_seconds)
            told = (
                f"this takes about {duration(seconds)}, and suite_time is {limit}: what is"
                " undecided then is inconclusive (--costguard-suite-time)"
            )
            self.warnings = (*self.warnings, told)
        return estimated(seconds, means.tests)

    def measure(self, *, escalating: Callable[[Announcement], None] = lambda _: None) -> None:
        """Measure everything; after Ctrl-C what was measured is judged, and the run incomplete.

        Args:
            escalating: is told what a stored baseline left in doubt, before that is measured again.
        """
        assert self._measuring is not None, "prepare comes first"
        complete = False
        try:
            self._measuring.run()
            complete = True
        finally:
            self.report = self._judge(self._run(complete=complete))
        if self._settings.escalate:
            self._escalate(self.report, announce=escalating)

    def close(self) -> None:
        """Remove what `prepare` made, where it was not measured."""
        if self._measuring is not None:
            self._measuring.close()

    def _escalate(self, stored: Report, *, announce: Callable[[Announcement], None]) -> None:
        assert self._means is not None, "prepare comes first"
        second = SecondMeasuring(means=self._means, report=stored, announce=announce)
        try:
            second.run()
        finally:
            found = second.record()
            run = msgspec.structs.replace(
                stored.run,
                complete=stored.run.complete and found.complete,
                failures=(*stored.run.failures, *second.failures),
            )
            self.report = self._judge(run, escalation=found)

    def result(self, call: MeasureCall, *, endings: Endings) -> Result:
        """Return the merged result of a workload, in the final pass.

        Where the workload skipped its test in the worker, the test is skipped here.

        Raises:
            WorkloadError: it could not be measured; the message says why, with the details.
        """
        __tracebackhide__ = True
        verdict = self._verdict(call.workload)
        measurement = (
            None
            if self._measuring is None
            else self._measuring.collection.measurement(call.workload)
        )
        self._consumed.add(call.workload)
        self.require_sound(call.workload)
        if measurement is None:
            self._end_again(call.workload, endings)
            details = self._test_details(call.workload.nodeid)
            raise WorkloadError(
                f"{call.workload} was never reached in the workers"
                + (f", where the test failed:\n{details}" if details else ""),
                remedy="make the test reach the same measurements each time it runs, measure"
                " everything before it asserts anything, and name the costguard fixture among its"
                " arguments",
            )
        return Result(
            call.workload,
            measurement=measurement,
            cost=verdict.cost if verdict is not None else None,
        )

    def require_sound(self, workload: WorkloadId) -> None:
        """Raise `WorkloadError` where a workload, or its whole test, could not be measured."""
        __tracebackhide__ = True
        if (failure := self._failure(workload)) is not None:
            raise WorkloadError(_told(failure), remedy=failure.remedy)

    def _end_again(self, workload: WorkloadId, endings: Endings) -> None:
        skipped = None if self._measuring is None else self._measuring.collection.skipped
        if not skipped or (told := skipped.get(workload)) is None:
            return
        endings.repeat(Ending(reason=told.reason, expected_failure=told.expected_failure))
        raise WorkloadError(
            f"{workload} was not measured: it ended its test in the worker: {told.reason}",
            remedy="--runxfail does not reach the workers: run without it",
        )

    def consume(self, nodeid: str) -> None:
        """Take the verdicts of a test as asked for: its own fixture measures in its own way."""
        self._consumed.update(verdict.workload for verdict in self.verdicts(nodeid))

    def expect(self, failures: Mapping[str, str]) -> None:
        """Let the run not fail for tests that failed as expected: the reason by node id.

        Tests that failed by their own assertions alone are none of ours.
        """
        ours = {nodeid: reason for nodeid, reason in failures.items() if self._fails(nodeid)}
        if self.report is not None and ours:
            self.report = expecting(self.report, ours)

    def fail_beside(self, nodeids: Collection[str]) -> None:
        """Let the report say how many tests failed by themselves, and not by a verdict."""
        if self.report is not None:
            others = sum(not self._fails(nodeid) for nodeid in nodeids)
            self.report = msgspec.structs.replace(self.report, other_failures=others)

    def _fails(self, nodeid: str) -> bool:
        judged = any(verdict.failing for verdict in self.verdicts(nodeid))
        return judged or bool(self._failures(nodeid))

    def verdicts(self, nodeid: str) -> tuple[WorkloadVerdict, ...]:
        """The verdicts on a test's workloads."""
        found = self.report.verdicts if self.report is not None else ()
        return tuple(verdict for verdict in found if verdict.workload.nodeid == nodeid)

    def failing(self, nodeid: str) -> tuple[str, ...]:
        """What fails a test that has passed its assertions: readable messages."""
        messages = [message for verdict in self.verdicts(nodeid) for message in verdict.failing]
        if not self.verdicts(nodeid) and not self._failures(nodeid):
            self._fail_unmeasured(nodeid)
        failures = self._failures(nodeid)
        messages += [f"{_told(failure)}\n  remedy: {failure.remedy}" for failure in failures]
        explained = self._consumed | {failure.workload for failure in failures}
        unasked = [
            verdict.workload
            for verdict in self.verdicts(nodeid)
            if verdict.workload not in explained
        ]
        messages += [
            f"{workload} was measured in the workers, but the test did not ask for it again\n"
            "  remedy: make the test reach the same measurements each time it runs"
            for workload in unasked
        ]
        return tuple(messages)

    def _fail_unmeasured(self, nodeid: str) -> None:
        """Let the report say as well that a test which passed has measured nothing."""
        if self.report is None:
            return
        failure = Failure(
            workload=WorkloadId(nodeid=nodeid),
            reason="the test measured nothing, so it has no verdict",
            remedy="call costguard.measure(…), or skip the test",
            details=self._test_details(nodeid),
        )
        run = msgspec.structs.replace(
            self.report.run, failures=(*self.report.run.failures, failure)
        )
        self.report = self._judge(run, escalation=self.report.escalation)

    def _run(self, *, complete: bool) -> Run:
        assert self._measuring is not None, "prepare comes first"
        collection = self._measuring.collection
        return Run(
            run_id=uuid.uuid4().hex[:12],
            created=self._created,
            tool_version=__version__,
            fingerprint=self._measuring.fingerprint or self._fingerprint,
            commit=commit_of(self._side.rootdir),
            lock_digest=lock_digest(self._side.rootdir),
            config_digest=self._settings.digest,
            price_digest=self._pricing.digest,
            complete=complete,
            whole_suite=self._whole_suite,
            measurements=collection.measurements(),
            failures=collection.failures,
            lines=self._lines,
            root=place_in_checkout(self._side.rootdir),
        )

    def _judge(self, run: Run, *, escalation: Escalation | None = None) -> Report:
        assert self._measuring is not None, "prepare comes first"
        workloads = [m.workload for m in run.measurements]
        workloads += [f.workload for f in run.failures if f.workload not in workloads]
        return judge(
            run=run,
            baseline=self._baseline,
            gates={str(w): self._gates.get(w.nodeid, Gates()) for w in workloads},
            target=self._pricing.target,
            target_problem=self._pricing.problem,
            fail_on=self._settings.fail_on,
            runner_spread=self._settings.runner_spread,
            baseline_requested=self._settings.baseline,
            baseline_problem=self._baseline_problem,
            whole_suite=self._whole_suite and run.complete,
            now=self._created.date(),
            against=self._measuring.against(run),
            escalation=escalation,
        )

    def _verdict(self, workload: WorkloadId) -> WorkloadVerdict | None:
        return next((v for v in self.verdicts(workload.nodeid) if v.workload == workload), None)

    def _failure(self, workload: WorkloadId) -> Failure | None:
        whole_test = WorkloadId(nodeid=workload.nodeid)
        failures = self._failures(workload.nodeid)
        return next((f for f in failures if f.workload in (workload, whole_test)), None)

    def _failures(self, nodeid: str) -> list[Failure]:
        failures = self.report.run.failures if self.report is not None else ()
        return [failure for failure in failures if failure.workload.nodeid == nodeid]

    def _test_details(self, nodeid: str) -> str:
        if self._measuring is None:
            return ""
        return self._measuring.collection.test_details.get(nodeid, "")


def _told(failure: Failure) -> str:
    said = f"\n\nIn the worker:\n{failure.details}" if failure.details else ""
    return f"{failure.workload} was not measured: {failure.reason}{said}"


def _located(
    settings: Settings, side: Side, open_store: Callable[[], Store], machine: Any
) -> tuple[Baseline | None, str]:
    if settings.baseline == "none":
        return None, ""  # a store that nobody asks for is not opened
    baseline, problem = locate(
        settings.baseline, store=open_store(), rootdir=side.rootdir, fingerprint=machine
    )
    if baseline is None or settings.store == FOLDER_NAME or "://" in settings.store:
        return baseline, problem
    return msgspec.structs.replace(baseline, store=settings.store), problem
