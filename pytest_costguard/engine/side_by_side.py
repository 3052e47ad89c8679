"""The coordinator with two sides: units of both, in lock-step, until every workload is decided."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_costguard.engine.collection import Collection
from pytest_costguard.engine.coordinator import Isolation, Progress, rotated
from pytest_costguard.engine.loaded import WINDOWS_A_SIDE
from pytest_costguard.engine.opening import CollectedTest, WorkerSetup, census
from pytest_costguard.engine.own_processes import OwnProcesses
from pytest_costguard.engine.pair import PairEffort
from pytest_costguard.engine.pair_collection import PairCollection
from pytest_costguard.engine.paired_tests import PairedTests
from pytest_costguard.engine.standing import Bounds, Standing
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import (
    ClockName,
    Fingerprint,
    Pairing,
    PairingKind,
    SideName,
    WorkloadId,
)

__all__ = ["Bounds", "SideBySide", "Standing"]


class SideBySide:
    """Measures tests on both sides. What it holds is valid at any moment, also after Ctrl-C."""

    def __init__(
        self,
        *,
        setups: Mapping[SideName, WorkerSetup],
        tests: Sequence[CollectedTest],
        whole: Sequence[Path],
        effort: PairEffort,
        bounds: Bounds,
        isolation: Isolation,
        cores: tuple[int, ...],
        standing: Callable[[WorkloadId], Standing],
        progress: Callable[[Progress], None],
        pairing: PairingKind | None = None,
        clock: ClockName | None = None,
    ) -> None:
        """Take both sides and what is to be measured.

        Args:
            setups: what the workers of each side are started with.
            tests: what is measured.
            whole: where the whole suite was collected; empty where only a part is measured.
            effort: how much a unit measures.
            bounds: what ends the measuring where nothing is decided.
            isolation: whether each test gets processes of its own.
            cores: which the workers may use; none where they cannot be held to any.
            standing: says of a workload that both sides have measured how far it is.
            progress: is told how far the measuring is.
            pairing: how the user wants both sides to be measured beside each other; None: it is
                chosen by workload.
            clock: by which clock the user wants to compare; None: it is chosen by workload.
        """
        self._setups = setups
        self._tests = {test.nodeid: test for test in tests}
        self._whole = whole
        self._effort = effort
        self._bounds = bounds
        self._isolation = isolation
        self._standing = standing
        self._progress = progress
        self._started = time.monotonic()
        self._found = PairCollection()
        self._paired_tests = PairedTests(
            setups=setups,
            tests=self._tests,
            effort=effort,
            cores=cores,
            asked=pairing,
            clock=clock,
            found=self._found,
            schedule=self,
        )
        self.notes: tuple[str, ...] = ()
        """What a reader must know of the comparison."""
        self.seconds: dict[WorkloadId, float] = {}
        """Wall seconds that each workload took, starts included."""

    @property
    def sides(self) -> Mapping[SideName, Collection]:
        """What was measured. Every failure, of either side, is head's, since its test shows it."""
        return self._found.sides

    @property
    def collection(self) -> Collection:
        """Head's measurements, and the failures of both sides."""
        return self._found.head

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Of head's first worker; None until one was up."""
        return self._found.fingerprints.get("head")

    @property
    def base_fingerprint(self) -> Fingerprint | None:
        """Of base's first worker; None until one was up."""
        return self._found.fingerprints.get("base")

    @property
    def only_base(self) -> Mapping[WorkloadId, None]:
        """What base has and head has not."""
        return self._found.only_base

    @property
    def own_files(self) -> set[str]:
        """Files of the trees that either side has loaded as modules."""
        return self._found.own_files

    @property
    def pairings(self) -> Mapping[WorkloadId, Pairing]:
        """How each workload's sides were measured beside each other."""
        return self._paired_tests.pairings

    def estimated_seconds(self) -> float:
        """About how long this will take if everything is decided at the first look."""
        unit = 2 * (self._effort.unit_seconds + 0.15) + 0.7
        loaded = sum(
            test.seconds_under_load(
                unit_seconds=self._effort.unit_seconds,
                longest_seconds=self._effort.longest_unit_seconds,
                windows=WINDOWS_A_SIDE,
            )
            for test in self._tests.values()
        )
        return self._effort.least_units * (unit * len(self._tests) + 2 * loaded)

    def run(self) -> None:
        """Measure in units until everything is decided, or its time is up."""
        self._started = time.monotonic()
        self._count_base()
        for unit in range(self._bounds.units):
            groups = self._groups(unit)
            if not groups:
                break
            for group in groups:
                if unit == 0 or not self._out_of_time():
                    self._paired_tests.run(group, unit=unit)
        self.collection.check_complete(tuple(self._tests), units=0)
        OwnProcesses(
            tests=self._tests,
            found=self._found,
            effort=self._effort,
            open=self._paired_tests.open,
            progress=self._progress,
            in_turns=[one for one, how in self.pairings.items() if how.kind == "restart"],
            out_of_time=self._out_of_time,
        ).measure()

    def _count_base(self) -> None:
        """Find the tests that base has and head has not, where the whole suite is measured."""
        if not self._whole:
            return
        base = self._setups["base"].side
        try:
            found = census(base, self._whole, timeout_seconds=self._effort.timeout_seconds)
        except WorkerError as error:
            self.notes += (f"what only base has is not known: {error.message.splitlines()[0]}",)
            return
        gone = (nodeid for nodeid in found if nodeid not in self._tests)
        self._found.only_base |= dict.fromkeys(WorkloadId(nodeid=nodeid) for nodeid in gone)

    def paired(self, workload: WorkloadId) -> bool:
        """Whether a workload was measured on both sides."""
        return self._found.paired(workload)

    def _groups(self, unit: int) -> list[list[str]]:
        nodeids = [nodeid for nodeid in self._tests if self._wants(nodeid, unit)]
        if self._isolation == "test":
            return [[nodeid] for nodeid in nodeids]
        by_threads: dict[int, list[str]] = {}
        for nodeid in nodeids:
            by_threads.setdefault(self._tests[nodeid].threads, []).append(nodeid)
        return [rotated(group, unit) for group in by_threads.values()]

    def _wants(self, nodeid: str, unit: int) -> bool:
        if self.collection.failed(nodeid):
            return False
        known = self.collection.workloads(nodeid)
        learned = unit == 1 and (
            nodeid in self._paired_tests.reached
            or any(workload.nodeid == nodeid for workload in self._found.skipped_on_base)
        )
        return unit == 0 or learned or any(self.undecided(workload) for workload in known)

    def undecided(self, workload: WorkloadId) -> bool:
        """Whether a workload needs another unit, and there is time for it."""
        measured = self.collection.measurement(workload)
        units = 0 if measured is None else len(measured.units)
        spent = self.seconds.get(workload, 0.0)
        if units >= self._effort.least_units and self._bounds.ended(units=units, spent=spent):
            return False
        if self._out_of_time():
            return False
        if self.paired(workload):
            return not self._standing(workload).decided
        return units < self._effort.least_units

    def _out_of_time(self) -> bool:
        return time.monotonic() - self._started > self._bounds.suite_seconds

    def spent(self, nodeid: str, seconds: float, *, unit: int) -> None:
        """Count the seconds of a test for those of its workloads that took part in the unit."""
        known = self.collection.workloads(nodeid)
        workloads = [one for one in known if self.collection.has(one, unit=unit)] or known
        for workload in workloads:
            self.seconds[workload] = self.seconds.get(workload, 0.0) + seconds / len(workloads)

    def begins(self, workload: WorkloadId, *, unit: int) -> None:
        """Tell a person who waits what is measured now, and how far it all is."""
        known = self.collection.sound_workloads()
        done = expected = 0.0
        words = ""
        undecided: list[str] = []
        looks = [self._effort.least_units]
        for one in known:
            measured = self.collection.measurement(one)
            units = 0 if measured is None else len(measured.units)
            standing = self._standing(one) if self.paired(one) else None
            goal = self._effort.least_units if standing is None else standing.next_look
            ended = standing is not None and not self.undecided(one)
            seconds = self.seconds.get(one, 0.0)
            done += seconds
            expected += seconds if ended else seconds * max(units, goal) / max(1, units)
            looks.append(goal)
            if standing is not None and standing.looked and not ended:
                undecided.append(f"{one}: {standing.words}")
            if one == workload and standing is not None:
                words = standing.words
        reached = {one.nodeid for one in known}
        ahead = [t for t in self._tests if t not in reached and not self.collection.failed(t)]
        expected *= 1 + len(ahead) / max(1, len(known))
        self._progress(
            Progress(
                unit=unit,
                units=max(unit + 1, *looks),
                doing=f"{workload}, {words}" if words else str(workload),
                share=min(0.99, done / expected) if expected else 0.0,
                elapsed_seconds=done,
                until="look",
                undecided=tuple(undecided),
            )
        )
