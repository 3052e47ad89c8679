"""From a doubtful stored verdict to side by side: measure again, against the baseline's commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from pytest_costguard.app.baselines import runs_elsewhere
from pytest_costguard.app.escalation_bases import (
    Origin,
    caveats_after,
    caveats_before,
    commit_here,
    newest,
)
from pytest_costguard.app.estimates import loads_of, with_loads
from pytest_costguard.app.judging import hypotheses
from pytest_costguard.app.judging_escalation import (
    INTERRUPTED,
    already_decided,
    in_doubt,
    steps_that_alarm,
)
from pytest_costguard.app.measuring import Measuring, side_by_side
from pytest_costguard.app.targets import PricedSetup
from pytest_costguard.baselines.store import Store
from pytest_costguard.config.model import Settings
from pytest_costguard.engine.coordinator import Progress
from pytest_costguard.engine.launch import Side
from pytest_costguard.engine.opening import CollectedTest
from pytest_costguard.errors import CostguardError
from pytest_costguard.records import (
    Against,
    Escalation,
    Failure,
    Gates,
    Measurement,
    Report,
    SecondLook,
    WorkloadId,
    WorkloadVerdict,
)
from pytest_costguard.revisions.repository import Repository

SHORT_SHA = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What is about to be measured side by side."""

    workloads: int
    commit: str
    """Its first digits."""
    seconds: float
    """About how long it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What measuring side by side needs, as the plain run was measured with it."""

    settings: Settings
    side: Side
    pricing: PricedSetup
    tests: Sequence[CollectedTest]
    labels: Mapping[str, dict[str, str]]
    gates: Mapping[str, Gates]
    """By node id."""
    open_store: Callable[[], Store]
    """Where the baselines are."""
    pythonpath: Sequence[str]
    progress: Callable[[Progress], None]
    tell: Callable[[str], None]
    """Is told what a person waits for before anything is measured."""


@dataclass(slots=True)
class SecondMeasuring:
    """Measures again what a report leaves in doubt; what it holds is valid at any moment."""

    means: Means
    report: Report
    announce: Callable[[Announcement], None]
    clock: Callable[[], float] = time.monotonic
    failures: list[Failure] = field(default_factory=list)
    """What head itself failed with; base's failures only keep a workload from being escalated."""
    _looks: list[SecondLook] = field(default_factory=list)
    _refused: dict[str, str] = field(default_factory=dict)
    _caveats: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _complete: bool = False

    def record(self) -> Escalation:
        """Return what was measured so far, for the report."""
        return Escalation(
            looks=tuple(self._looks),
            refused=dict(self._refused),
            caveats={name: texts for name, texts in self._caveats.items() if texts},
            complete=self._complete,
        )

    def run(self) -> None:
        """Measure every workload in doubt against the commit that its baseline names."""
        began = self.clock()
        for sha, origins in self._by_commit().items():
            left = self.means.settings.suite_seconds - (self.clock() - began)
            if left <= 0:
                told = "no time was left for it (--costguard-suite-time)"
                self._refuse([origin.workload for origin in origins], told)
                continue
            self._measure(sha, origins, seconds=left)
        self._complete = True

    def _by_commit(self) -> dict[str, list[Origin]]:
        """Group what can be measured again by the commit to measure it against."""
        doubts = in_doubt(self.report)
        if not doubts:
            return {}
        rootdir = self.means.side.rootdir
        try:
            origins = self._origins(doubts)
            repository = Repository(rootdir, environ=self.means.side.environ)
        except CostguardError as error:
            self._refuse([one.workload for one in doubts], _told(error))
            return {}
        settings = self.means.settings
        own = bool(settings.base_python or settings.base_environment)
        groups: dict[str, list[Origin]] = {}
        verdicts = {one.workload: one for one in doubts}
        for origin in origins:
            try:
                sha = commit_here(origin.commit, repository=repository)
                found = caveats_before(
                    origin,
                    sha=sha,
                    run=self.report.run,
                    repository=repository,
                    rootdir=rootdir,
                    own_environment=own,
                )
            except CostguardError as error:
                self._refuse([origin.workload], _told(error))
                continue
            if found and already_decided(verdicts[origin.workload]):
                told = "; ".join(found)
                self._refuse([origin.workload], f"it could not take this verdict back: {told}")
                continue
            self._caveats[str(origin.workload)] = found
            groups.setdefault(sha, []).append(origin)
        return groups

    def _origins(self, doubts: Sequence[WorkloadVerdict]) -> list[Origin]:
        """Return where the baseline has each workload in doubt from; refuse what has no commit."""
        baseline, settings = self.report.baseline, self.means.settings
        assert baseline is not None, "without a baseline nothing is in doubt"
        found, elsewhere = [], None
        for verdict in doubts:
            workload = verdict.workload
            origin = newest(workload, baseline.runs)
            if origin is None and elsewhere is None:
                elsewhere = runs_elsewhere(
                    settings.baseline,
                    store=self.means.open_store(),
                    rootdir=self.means.side.rootdir,
                    fingerprint=self.report.run.fingerprint,
                )
            origin = origin or newest(workload, elsewhere or ())
            if origin is None:
                told = (
                    f"no run of baseline {baseline.name!r} says which commit it measured"
                    " (remedy: record one in a git checkout, costguard baseline record)"
                )
                self._refuse([workload], told)
            else:
                found.append(origin)
        return found

    def _measure(self, sha: str, origins: Sequence[Origin], *, seconds: float) -> None:
        means = self.means
        nodeids = {origin.workload.nodeid for origin in origins}
        try:
            measuring = side_by_side(
                settings=replace(means.settings, against=sha, suite_seconds=seconds),
                side=means.side,
                pricing=means.pricing,
                tests=with_loads(
                    (test for test in means.tests if test.nodeid in nodeids),
                    loads_of(self.report.run.measurements),
                ),
                labels=means.labels,
                gates=means.gates,
                pythonpath=means.pythonpath,
                whole=(),
                progress=means.progress,
                tell=means.tell,
                hypotheses=self._hypotheses(),
            )
        except CostguardError as error:
            self._refuse([origin.workload for origin in origins], _told(error))
            return
        complete, stopped = False, ""
        try:
            self.announce(
                Announcement(
                    workloads=len(origins),
                    commit=sha[:SHORT_SHA],
                    seconds=measuring.estimated_seconds(),
                )
            )
            measuring.run()
            complete = True
        except CostguardError as error:
            complete, stopped = True, _told(error)
        finally:
            measuring.close()
            self._keep(measuring, sha, origins, complete=complete, stopped=stopped)

    def _hypotheses(self) -> int:
        """Among how many the error is shared when the whole run is judged, as far as is known."""
        known = msgspec.structs.replace(self.record(), complete=True)
        gates = (self.report.gates.get(str(one.workload)) for one in self.report.run.measurements)
        return steps_that_alarm(known) * hypotheses(one for one in gates if one is not None)

    def _keep(
        self,
        measuring: Measuring,
        sha: str,
        origins: Sequence[Origin],
        *,
        complete: bool,
        stopped: str,
    ) -> None:
        """Take over what both sides measured of the workloads in doubt."""
        collection = measuring.collection
        run = msgspec.structs.replace(
            self.report.run, measurements=collection.measurements(), complete=complete
        )
        against = measuring.against(run)
        assert against is not None, "two sides were measured"
        self.failures += [_of_head(one) for one in collection.failures if not _of_base(one)]
        base = {one.workload: one for one in against.run.measurements}
        kept: dict[WorkloadId, Measurement] = {}
        for origin in origins:
            workload = origin.workload
            head = collection.measurement(workload)
            told = stopped or _obstacle(workload, collection.failures)
            if told or head is None or workload not in base:
                self._refuse([workload], told or _unmeasured(sha, complete=complete))
                continue
            kept[workload] = head
            self._caveats[str(workload)] += caveats_after(origin, base[workload].declaration)
        if kept:
            self._looks.append(SecondLook(against=_only(kept, against), head=tuple(kept.values())))

    def _refuse(self, workloads: Sequence[WorkloadId], told: str) -> None:
        self._refused |= dict.fromkeys(map(str, workloads), told)


def _only(kept: Collection[WorkloadId], against: Against) -> Against:
    """Leave out what shared a test with a workload in doubt and is in none itself."""
    names = {str(workload) for workload in kept}
    both = tuple(one for one in against.run.measurements if one.workload in kept)
    return msgspec.structs.replace(
        against,
        found_as="the commit of the newest baseline run",
        run=msgspec.structs.replace(against.run, measurements=both),
        seconds={name: spent for name, spent in against.seconds.items() if name in names},
        pairings={name: how for name, how in against.pairings.items() if name in names},
        only_base=(),
    )


def _of_base(failure: Failure) -> bool:
    """Whether a failure says nothing against head, which was measured alone just before."""
    return failure.side != "head"


def _of_head(failure: Failure) -> Failure:
    return msgspec.structs.replace(failure, reason=f"side by side: {failure.reason}")


def _obstacle(workload: WorkloadId, failures: Sequence[Failure]) -> str:
    whole = WorkloadId(nodeid=workload.nodeid)
    found = next((one for one in failures if one.workload in (workload, whole)), None)
    return "" if found is None else _sentence(found.reason, found.remedy)


def _unmeasured(sha: str, *, complete: bool) -> str:
    if not complete:
        return INTERRUPTED
    return f"base {sha[:SHORT_SHA]} and this checkout did not both reach it"


def _told(error: CostguardError) -> str:
    return _sentence(error.message, error.remedy)


def _sentence(problem: str, remedy: str) -> str:
    """The first line, since a worker's last output follows below it, and what to do."""
    return f"{problem.partition(chr(10))[0].rstrip('.')} (remedy: {remedy})"
