"""How far each workload is from decided, while both sides are measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_costguard.app.judging import hypotheses
from pytest_costguard.app.judging_hypotheses import decide_hypothesis
from pytest_costguard.app.judging_load import fitting
from pytest_costguard.app.judging_ratio import ratio
from pytest_costguard.app.unit_changes import UnitChanges, on_both_sides
from pytest_costguard.engine.side_by_side import SideBySide, Standing
from pytest_costguard.records import METRICS, Gates, Measurement, WorkloadId
from pytest_costguard.reports.numbers import change
from pytest_costguard.stats.paired import Looks, PairedDecision

_UNGATED_UNITS = 6
"""Where nothing is gated: as many as a plain run takes."""


class Standings:
    """Decides as the report will, and reduces each unit once."""

    def __init__(
        self, *, gates: Callable[[WorkloadId], Gates], looks: Looks, hypotheses: int = 1
    ) -> None:
        """Begin without a unit.

        Args:
            gates: of a workload.
            looks: when to look.
            hypotheses: among how many gates the error is shared at least: those of the whole run,
                where only a part of it is measured side by side.
        """
        self._gates = gates
        self._looks = looks
        self._hypotheses = hypotheses
        self._changes = UnitChanges()
        self._known: dict[WorkloadId, tuple[int, int, Standing]] = {}

    def of(self, workload: WorkloadId, engine: SideBySide) -> Standing:
        """Return how far a workload is that both sides have measured."""
        base = engine.sides["base"].measurement(workload)
        head = engine.sides["head"].measurement(workload)
        assert base is not None, "only what both sides have measured has a standing"
        assert head is not None, "only what both sides have measured has a standing"
        head = on_both_sides(head, base=base)
        measured = [one.workload for one in engine.collection.measurements()]
        shared = max(self._hypotheses, hypotheses(map(self._gates, measured)))
        known = self._known.get(workload)
        if known is not None and known[:2] == (len(head.units), shared):
            return known[2]
        standing = self._decide(workload, base=base, head=head, shared=shared)
        self._known[workload] = len(head.units), shared, standing
        return standing

    def _decide(
        self, workload: WorkloadId, *, base: Measurement, head: Measurement, shared: int
    ) -> Standing:
        units = len(head.units)
        open_words, estimate = [], ""
        for rule in fitting(self._gates(workload), head).regressions:
            found = self._changes.of(rule.metric, base=base, head=head)
            decision = decide_hypothesis(
                rule, found, looks=self._looks, hypotheses=shared, final=False
            )
            if decision is None:
                if units < _UNGATED_UNITS:
                    open_words.append(rule.metric)
                continue
            if decision.verdict is None:
                open_words.append(rule.metric)
                estimate = estimate or _estimate(rule.metric, decision)
        next_look = next((look for look in self._looks.units if look > units), units)
        decided = not open_words and units >= _UNGATED_UNITS
        words = estimate + f" after {units} of {next_look} units" if estimate else ""
        looked = units in self._looks.units
        return Standing(decided=decided, next_look=next_look, words=words, looked=looked)


def _estimate(metric: str, decision: PairedDecision) -> str:
    """Say what the change is so far: the one that keeps a verdict back, where that is another."""
    found = decision.kept_back or decision
    sign = -1 if METRICS[metric].better == "higher" else 1
    return f"{metric} {change(ratio(sign * found.change))} %"


def gates_by_workload(gates: Mapping[str, Gates]) -> Callable[[WorkloadId], Gates]:
    """Return what looks the gates of a workload up by its test's node id."""
    return lambda workload: gates.get(workload.nodeid, Gates())
