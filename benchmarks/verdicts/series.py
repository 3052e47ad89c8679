"""Recorded units of one workload at one level, in order, with what each of them cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdicts.entries import Batch, Cell
from pytest_costguard.measure.blocks import BLOCK_SECONDS
from pytest_costguard.stats.paired import PairedUnit

Key = tuple[str, int]
"""A workload's name and a level."""


@dataclass(frozen=True, kw_only=True)
class RecordedUnit:
    """One unit of one level, and of the same pair of processes the level without a change."""

    cell: Cell
    control: Cell | None
    """What the same processes measured at level 0; None where that is this level itself."""
    overhead_seconds: float
    """Of its pair of processes, beyond measuring."""

    @property
    def paired_seconds(self) -> float:
        """Warm-up and blocks of both sides."""
        return self.cell.paired_seconds

    @property
    def served_together(self) -> bool:
        """Whether both sides served at the same time, so that the blocks are few and beside it.

        Units that do not say so are told by their blocks: those of short requests last 3 ms.
        """
        cell = self.cell
        if cell.pairing is not None or cell.blocks is None:
            return cell.pairing == "together"
        return float(np.median(cell.blocks.wall_seconds())) > 2 * BLOCK_SECONDS

    @property
    def wall_seconds(self) -> float:
        """What it costs one who waits; more than this level alone would have needed."""
        return self.paired_seconds + self.overhead_seconds

    def paired(self, metric: str = "mean") -> PairedUnit | None:
        """Return what it says about a metric; None where it has not measured that."""
        change = self.cell.changes.get(metric)
        if change is None:
            return None
        summed, waited = self._sums() if metric == "mean" else (None, None)
        return PairedUnit(
            change=change.change,
            total=change.total,
            summed=summed if change.summed is None else change.summed,
            waited=waited,
            first=self.cell.first,
        )

    def _sums(self) -> tuple[float | None, float | None]:
        """Return the change of the sum over alternating blocks, and by wall time beside CPU time.

        None where the blocks are not kept.
        """
        blocks, clock = self.cell.blocks, self.cell.clock
        if blocks is None or clock is None or self.served_together:
            return None, None
        by_wall = _of_sums(blocks.wall_seconds())
        return (_of_sums(blocks.cpu_seconds()), by_wall) if clock == "cpu" else (by_wall, None)


def _of_sums(seconds: NDArray[np.float64]) -> float:
    base, head = seconds.sum(axis=1)
    return math.log(head / base)


def series(batches: Sequence[Batch]) -> Mapping[Key, tuple[RecordedUnit, ...]]:
    """Sort the units of one machine and one condition by workload and level, in order."""
    found: dict[Key, list[RecordedUnit]] = {}
    for batch in batches:
        for unit in batch.units:
            control = next((cell for cell in unit if cell.level == 0), None)
            for cell in unit:
                found.setdefault((batch.workload, cell.level), []).append(
                    RecordedUnit(
                        cell=cell,
                        control=control if cell.level != 0 else None,
                        overhead_seconds=batch.overhead_seconds,
                    )
                )
    return {key: tuple(units) for key, units in found.items()}
