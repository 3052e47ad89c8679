"""Side by side: what is decided of every gated metric of every workload, all of them together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_costguard.app.judging_comparisons import limits_of
from pytest_costguard.app.judging_lateness import worse_by
from pytest_costguard.app.judging_subject import unknown_rate
from pytest_costguard.measure.scenarios import inputs_per_request
from pytest_costguard.records import (
    OF_OWN_PROCESS,
    Against,
    Gates,
    Measurement,
    Regression,
    Run,
    WorkloadId,
)
from pytest_costguard.stats.backlog import steady_state_fault
from pytest_costguard.stats.generator import moved_by_lateness
from pytest_costguard.stats.lateness import NOT_MOVED, Moved
from pytest_costguard.stats.limits import Limits
from pytest_costguard.stats.paired import (
    FEWEST_UNITS,
    Looks,
    PairedDecision,
    PairedUnit,
    decide_paired,
    holm,
)
from pytest_costguard.stats.pairing import paired_units

Key = tuple[WorkloadId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Both sides' measurements by workload, and what was decided about each gated metric."""

    against: Against
    base: Mapping[WorkloadId, Measurement]
    decisions: Mapping[Key, PairedDecision]
    all_together: frozenset[Key]
    """The hypotheses that are regressed by Holm's procedure only."""


def decide_pairs(
    run: Run, against: Against, gates: Mapping[str, Gates], *, hypotheses: int
) -> Pairs:
    """Decide about every gated metric that both sides measured; quality has its own rule.

    Args:
        run: head's.
        against: base's, and when it was looked.
        gates: by `str(workload)`.
        hypotheses: among which the run's error is shared.
    """
    base = {measurement.workload: measurement for measurement in against.run.measurements}
    looks = Looks(units=against.looks)
    decisions: dict[Key, PairedDecision] = {}
    beyond_lateness: dict[Key, PairedDecision] = {}
    for head in run.measurements:
        other = base.get(head.workload)
        if other is None:
            continue
        for rule in gates.get(str(head.workload), Gates()).regressions:
            units = changes_of(rule.metric, base=other, head=head)
            decision = decide_hypothesis(
                rule, units, looks=looks, hypotheses=hypotheses, final=True
            )
            if decision is not None:
                key = head.workload, rule.metric
                decisions[key] = decision
                worse = _worse_by_lateness(rule.metric, base=other, head=head)
                limits = limits_of(rule, hypotheses=hypotheses)
                beyond_lateness[key] = _beyond_lateness(
                    decision, units, limits=limits, worse=worse, looks=looks
                )
    return Pairs(
        against=against,
        base=base,
        decisions=decisions,
        all_together=holm(beyond_lateness, hypotheses=hypotheses),
    )


def _beyond_lateness(
    decision: PairedDecision,
    units: Sequence[PairedUnit],
    *,
    limits: Limits,
    worse: float | None,
    looks: Looks,
) -> PairedDecision:
    """Return a decision with its p-value beside what is allowed and what lateness may have added.

    Nothing becomes regressed by lateness, and nothing else because that was. Where lateness may
    have added all that lies between what is allowed and what must be caught, or the load says
    nothing, nothing is regressed.
    """
    if worse is not None and worse <= 0:
        return decision
    allow = math.inf if worse is None else math.expm1(math.log1p(limits.allow) + worse)
    if allow >= limits.catch:
        return dataclasses.replace(decision, p_regressed=1.0)
    late = dataclasses.replace(limits, allow=allow)
    p_value = decide_paired(units, limits=late, looks=looks, final=True).p_regressed
    return dataclasses.replace(decision, p_regressed=max(decision.p_regressed, p_value))


def _worse_by_lateness(metric: str, *, base: Measurement, head: Measurement) -> float | None:
    """Return by how much lateness may have made head look worse, as a logarithm.

    None where that has no bound, or base or head tells nothing of a steady state.
    """
    if metric in OF_OWN_PROCESS:
        return 0.0
    moved = both_moved(metric, base=base, head=head)
    if moved is None or steady_state_fault(base) or unknown_rate(metric, head):
        return None
    return worse_by(moved[1], base=moved[0])


def changes_of(metric: str, *, base: Measurement, head: Measurement) -> tuple[PairedUnit, ...]:
    """Return what each unit says about a metric; nothing about quality, which has its own rule."""
    if metric == "quality":
        return ()
    taken = inputs_per_request(head.declaration.scenario)
    return paired_units(metric, base=base, head=head, inputs_per_request=taken)


def decide_hypothesis(
    rule: Regression,
    units: Sequence[PairedUnit],
    *,
    looks: Looks,
    hypotheses: int,
    final: bool,
) -> PairedDecision | None:
    """Decide about one metric of one workload; None while the units are too few to say anything.

    Args:
        rule: what is allowed and what must be caught.
        units: what each says about the metric.
        looks: when to look.
        hypotheses: among which the run's error is shared.
        final: whether no more units will come.
    """
    if len(units) < FEWEST_UNITS or len({unit.first for unit in units}) < 2:
        return None
    limits = limits_of(rule, hypotheses=hypotheses)
    return decide_paired(units, limits=limits, looks=looks, final=final)


def both_moved(
    metric: str, *, base: Measurement | None, head: Measurement
) -> tuple[Moved, Moved] | None:
    """Return how far lateness can have moved a figure of base and of head; None: no bound."""
    if metric in OF_OWN_PROCESS:
        return None
    of_head = moved_by_lateness(head, metric)
    of_base = NOT_MOVED if base is None else moved_by_lateness(base, metric)
    return None if of_head is None or of_base is None else (of_base, of_head)
