"""What both sides have yielded so far: valid at any moment, whatever happens next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_costguard.engine.collection import Collection
from pytest_costguard.engine.plain import MeasuredUnit
from pytest_costguard.engine.protocol import Refused, Skipped, TestEnded
from pytest_costguard.engine.sides import FailedOnSide
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import SIDES, Failure, Fingerprint, SideName, WorkloadId

SAME_ORDER = (
    "make the test reach the same measurements in the same order each time it runs, on both"
    " revisions"
)


class PairCollection:
    """A collection a side. Every failure, of either side, is head's, since its test shows it."""

    def __init__(self) -> None:
        self.sides: dict[SideName, Collection] = {side: Collection() for side in SIDES}
        self.fingerprints: dict[SideName, Fingerprint] = {}
        """Of each side's first worker."""
        self.only_base: dict[WorkloadId, None] = {}
        self.skipped_on_base: set[WorkloadId] = set()
        self.own_files: set[str] = set()
        """Files of the trees that either side has loaded as modules."""

    @property
    def head(self) -> Collection:
        """Head's measurements, and the failures of both sides."""
        return self.sides["head"]

    def paired(self, workload: WorkloadId) -> bool:
        """Whether a workload was measured on both sides."""
        return self.sides["base"].measurement(workload) is not None

    def known_rates(self, workload: WorkloadId) -> dict[SideName, float]:
        """Return the highest rate that each side's last search has found, if any."""
        rates = {side: self.sides[side].known_rate(workload) for side in SIDES}
        return {side: rate for side, rate in rates.items() if rate is not None}

    def add(self, measured: Mapping[SideName, MeasuredUnit]) -> None:
        """Add a unit of both sides."""
        for side in SIDES:
            self.add_one(side, measured[side])

    def add_one(self, side: SideName, measured: MeasuredUnit) -> None:
        """Add a unit of one side."""
        self.sides[side].add(measured)
        self.own_files.update(measured.announced.own_files)

    def fail(self, workload: WorkloadId, error: WorkerError) -> None:
        """Record why a workload, or a whole test, has no verdict."""
        self.head.fail(
            Failure(
                workload=workload,
                reason=error.message,
                remedy=error.remedy,
                side=error.side if isinstance(error, FailedOnSide) else "head",
            )
        )

    def refuse(self, side: SideName, refusal: Refused | Skipped) -> None:
        """Record that a side refused a workload, or that it skipped its test there."""
        if isinstance(refusal, Skipped):
            if side == "head":
                self.head.skipped[refusal.workload] = refusal
            else:
                self.skipped_on_base.add(refusal.workload)
            return
        self.head.fail(
            Failure(
                workload=refusal.workload,
                reason=refusal.reason if side == "head" else f"on base: {refusal.reason}",
                remedy=refusal.remedy,
                details=refusal.details,
                side=side,
            )
        )

    def note_details(self, side: SideName, event: TestEnded) -> None:
        """Keep what pytest said of a test that failed in a worker."""
        self.sides[side].test_details.setdefault(event.nodeid, event.details)

    def _details(self, nodeid: str) -> str:
        if nodeid in self.head.test_details:
            return self.head.test_details[nodeid]
        said = self.sides["base"].test_details.get(nodeid, "")
        return f"on base:\n{said}" if said else ""

    def check_reached(self, wanted: Sequence[WorkloadId], *, unit: int) -> None:
        """A workload that some unit loses on either side has no verdict to be trusted."""
        for workload in wanted:
            lost = not self.head.has(workload, unit=unit) or (
                self.paired(workload)
                and workload not in self.skipped_on_base
                and not self.sides["base"].has(workload, unit=unit)
            )
            if lost and workload not in self.head.skipped:
                self.head.fail(
                    Failure(
                        workload=workload,
                        reason=f"it was reached before, and not in unit {unit + 1}",
                        remedy=SAME_ORDER,
                        details=self._details(workload.nodeid),
                        side="both",
                    )
                )
