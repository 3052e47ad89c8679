"""What each unit of both sides says about a metric, each unit reduced once while more come."""

from __future__ import annotations

import msgspec

from pytest_costguard.app.judging_hypotheses import changes_of
from pytest_costguard.records import Measurement, WorkloadId
from pytest_costguard.stats.paired import PairedUnit


def on_both_sides(head: Measurement, *, base: Measurement) -> Measurement:
    """Return the units that base has too: where sides take turns, one is ahead for a while."""
    known = {unit.index for unit in base.units}
    return msgspec.structs.replace(
        head, units=tuple(unit for unit in head.units if unit.index in known)
    )


class UnitChanges:
    """Keeps what is reduced already: a unit may hold a hundred thousand latencies."""

    def __init__(self) -> None:
        self._changes: dict[tuple[WorkloadId, str], list[PairedUnit]] = {}
        self._units: dict[tuple[WorkloadId, str], int] = {}

    def of(self, metric: str, *, base: Measurement, head: Measurement) -> list[PairedUnit]:
        """Return every unit's change, those that are new reduced now."""
        key = head.workload, metric
        head = on_both_sides(head, base=base)
        done = self._units.get(key, 0)
        new = msgspec.structs.replace(head, units=head.units[done:])
        changes = self._changes.setdefault(key, [])
        if new.units:
            changes += changes_of(metric, base=base, head=new)
        self._units[key] = len(head.units)
        return changes
