"""Head against base, measured side by side: every gated metric of every workload together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_costguard.app.judging_comparisons import limits_of
from pytest_costguard.app.judging_lateness import ALTHOUGH, holds, worse_by
from pytest_costguard.app.judging_ratio import ratio
from pytest_costguard.app.judging_subject import Subject
from pytest_costguard.measure.scenarios import inputs_per_request
from pytest_costguard.records import (
    METRICS,
    OF_OWN_PROCESS,
    Against,
    Comparison,
    Gates,
    Measurement,
    Pairing,
    Regression,
    Run,
    Verdict,
    WorkloadId,
)
from pytest_costguard.reports.numbers import change, counted, percent
from pytest_costguard.reports.ways import way
from pytest_costguard.stats.backlog import growing_backlog, unknown_backlog
from pytest_costguard.stats.disturbances import disturbances
from pytest_costguard.stats.generator import (
    generator_fault,
    may_be_lateness,
    moved_by_lateness,
)
from pytest_costguard.stats.lateness import NOT_MOVED, Moved
from pytest_costguard.stats.limits import Limits
from pytest_costguard.stats.paired import (
    DEEP_LOOKS,
    FEWEST_UNITS,
    Looks,
    PairedDecision,
    PairedUnit,
    decide_paired,
    holm,
)
from pytest_costguard.stats.pairing import paired_units

Key = tuple[WorkloadId, str]
_TOO_LONG_SECONDS = 3600.0
_DONE_BY_THE_MACHINE = ("the hypervisor", "the container")


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
    worse: float,
    looks: Looks,
) -> PairedDecision:
    """Return a decision with its p-value beside what is allowed and what lateness may have added.

    Of one that is inconclusive: another does not become regressed by it. Where lateness may have
    added all that lies between what is allowed and what must be caught, nothing is regressed by it.
    """
    if decision.verdict is not Verdict.INCONCLUSIVE or worse <= 0:
        return decision
    allow = math.expm1(math.log1p(limits.allow) + worse)
    if allow >= limits.catch:
        return dataclasses.replace(decision, p_regressed=1.0)
    late = dataclasses.replace(limits, allow=allow)
    p_value = decide_paired(units, limits=late, looks=looks, final=True).p_regressed
    return dataclasses.replace(decision, p_regressed=max(decision.p_regressed, p_value))


def _worse_by_lateness(metric: str, *, base: Measurement, head: Measurement) -> float:
    """Return by how much lateness may have made head look worse, as a logarithm; 0.0: not known."""
    moved = _both_moved(metric, base=base, head=head)
    return 0.0 if moved is None else worse_by(moved[1], base=moved[0])


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


def compare_pair(regression: Regression, *, subject: Subject, pairs: Pairs) -> Comparison:
    """Say what was decided about one metric of one workload, quality apart."""
    metric, workload = regression.metric, subject.measurement.workload
    decision = pairs.decisions.get((workload, metric))
    if decision is None:
        return Comparison(
            metric=metric,
            verdict=Verdict.INCONCLUSIVE,
            regression=regression,
            reason=_absence(metric, subject, pairs.base.get(workload)),
        )
    together = (workload, metric) in pairs.all_together
    if together:
        decision = _regressed_together(decision)
    verdict = decision.verdict or Verdict.INCONCLUSIVE
    how = pairs.against.pairings.get(str(workload))
    reason = _reason(decision, regression=regression, together=together, pairing=how)
    if verdict is Verdict.INCONCLUSIVE:
        seconds = pairs.against.seconds.get(str(workload), 0.0)
        units = len(subject.measurement.units)
        reason += _remedy(
            decision,
            regression=regression,
            units=units,
            seconds=seconds,
            looks=pairs.against.looks,
        )
        reason = _explained(reason, subject=subject, base=pairs.base.get(workload))
    base = pairs.base.get(workload)
    held = _holds(verdict, decision, regression=regression, subject=subject, base=base)
    if fault := _generator_fault(metric, subject, base):
        reason = f"{reason}; {ALTHOUGH} {fault}" if held else fault
        verdict = verdict if held else Verdict.INCONCLUSIVE
    elif held is False:
        verdict, reason = Verdict.INCONCLUSIVE, _decided_by_lateness(metric, subject, base)
    if piled := _piled_up(verdict, metric, subject=subject, base=base):
        verdict, reason = Verdict.INCONCLUSIVE, piled
    higher = METRICS[metric].better == "higher"
    bounds = (decision.upper, decision.lower) if higher else (decision.lower, decision.upper)
    sign = -1 if higher else 1
    return Comparison(
        metric=metric,
        verdict=verdict,
        ratio=ratio(sign * decision.change),
        lower=ratio(sign * bounds[0]),
        upper=ratio(sign * bounds[1]),
        smallest_visible=ratio(decision.smallest_visible) - 1,
        regression=regression,
        reason=reason,
        units=decision.units,
    )


def _piled_up(verdict: Verdict, metric: str, *, subject: Subject, base: Measurement | None) -> str:
    """Say which side did not keep up with its rate; "" where that speaks against no verdict.

    Only head: it is worse all the more. Nothing is said of what is held against a base that did not
    keep up either.
    """
    if metric in OF_OWN_PROCESS or verdict is Verdict.INCONCLUSIVE:
        return ""
    if unknown := subject.unknown_rate(metric):
        return unknown
    if base is not None and (growing := growing_backlog(base) or unknown_backlog(base)):
        return f"on base, {growing}"
    return "" if verdict is Verdict.REGRESSED else subject.piling_up(metric)


def _generator_fault(metric: str, subject: Subject, base: Measurement | None) -> str:
    """Say why the load on either side was not what was asked for, by no fault of the server's."""
    if metric in OF_OWN_PROCESS:
        return ""
    if fault := generator_fault(subject.measurement, metric):
        return fault
    fault = "" if base is None else generator_fault(base, metric)
    return f"on base, {fault}" if fault else ""


def _holds(
    verdict: Verdict,
    decision: PairedDecision,
    *,
    regression: Regression,
    subject: Subject,
    base: Measurement | None,
) -> bool | None:
    """Whether a verdict says the same, as far as lateness can have moved either side."""
    moved = _both_moved(regression.metric, base=base, head=subject.measurement)
    if moved is None:
        return None
    return holds(
        verdict,
        lower=decision.lower,
        upper=decision.upper,
        regression=regression,
        head=moved[1],
        base=moved[0],
    )


def _both_moved(
    metric: str, *, base: Measurement | None, head: Measurement
) -> tuple[Moved, Moved] | None:
    """Return how far lateness can have moved a figure of base and of head; None: no bound."""
    if metric in OF_OWN_PROCESS:
        return None
    of_head = moved_by_lateness(head, metric)
    of_base = NOT_MOVED if base is None else moved_by_lateness(base, metric)
    return None if of_head is None or of_base is None else (of_base, of_head)


def _decided_by_lateness(metric: str, subject: Subject, base: Measurement | None) -> str:
    """Say on which side requests were late, by what may have made the verdict: the later one."""
    if base is None or _moved_by(subject.measurement, metric) >= _moved_by(base, metric):
        return may_be_lateness(subject.measurement, metric)
    return f"on base, {may_be_lateness(base, metric)}"


def _moved_by(measurement: Measurement, metric: str) -> float:
    """Return the share of a figure that lateness may have made, in either direction."""
    moved = moved_by_lateness(measurement, metric)
    return math.inf if moved is None else max(moved.less, moved.more)


def _explained(reason: str, *, subject: Subject, base: Measurement | None) -> str:
    """Add what disturbed either side: both were measured at the same time, on the same cores.

    What the machine did to both is told once.
    """
    told = subject.explained(reason)
    common = tuple(
        start
        for start in _DONE_BY_THE_MACHINE
        if any(one.startswith(start) for one in subject.disturbances)
    )
    others = [
        one
        for one in (() if base is None else disturbances(base))
        if not (common and one.startswith(common))
    ]
    if not others:
        return told
    where = "on base" if told != reason else "while base was measured"
    return f"{told}; {where}, {' and '.join(others)}"


def _regressed_together(decision: PairedDecision) -> PairedDecision:
    """Return it as Holm's procedure has it, with the change whose p-value was the smaller."""
    if (whole := decision.whole) is None:
        return dataclasses.replace(decision, verdict=Verdict.REGRESSED)
    return dataclasses.replace(
        decision,
        verdict=Verdict.REGRESSED,
        change=whole.change,
        lower=whole.lower,
        upper=whole.upper,
        by_total=True,
    )


def _absence(metric: str, subject: Subject, base: Measurement | None) -> str:
    if not subject.values(metric):
        return subject.absence(metric)
    both = 0 if base is None else len(changes_of(metric, base=base, head=subject.measurement))
    if both == 0 and base is not None and len(base.units) >= FEWEST_UNITS:
        return f"base has no {METRICS[metric].title} to compare with"
    return (
        f"{counted(both, 'unit')} of both sides: at least {FEWEST_UNITS} are needed"
        " (--costguard-time, --costguard-suite-time)"
    )


def _reason(
    decision: PairedDecision, *, regression: Regression, together: bool, pairing: Pairing | None
) -> str:
    extent = f"in {counted(decision.units, 'unit')}"
    units = way(regression.metric, extent=extent, pairing=pairing)
    allow, catch = percent(regression.allow), percent(regression.catch)
    if together:
        part = "a part of the inputs got worse, their total " if decision.by_total else ""
        return f"{part}surely more than {allow} worse once all gates are seen together, {units}"
    if decision.by_total:
        return f"a part of the inputs got worse, their total surely more than {allow}, {units}"
    if decision.verdict is Verdict.REGRESSED:
        return f"surely more than {allow} worse, {units}"
    if decision.verdict is Verdict.IMPROVED:
        return f"surely more than {allow} better, {units}"
    if decision.verdict is Verdict.UNCHANGED:
        return f"surely less than {catch} worse, {units}"
    if decision.total is not None:
        whole = f"{change(ratio(decision.total))} %"
        return f"most inputs are unchanged, but their total is at {whole}, {units}"
    visible = f"{change(ratio(decision.smallest_visible))} %"
    return f"changes can be seen from {visible} up, {units}"


def _remedy(
    decision: PairedDecision,
    *,
    regression: Regression,
    units: int,
    seconds: float,
    looks: Sequence[int],
) -> str:
    """Say what it would take, where that can be said: a change between the limits never ends."""
    if decision.total is not None:
        return (
            ": give the inputs that got worse a test of their own, or measure longer"
            " (--costguard-deep)"
        )
    looked = max((look for look in looks if look <= units), default=0)
    if decision.units_needed <= looked:
        return "; this one is too close to what is allowed"
    coming = next((look for look in looks if look > units), units)
    more = max(decision.units_needed, coming) - units
    deepest = DEEP_LOOKS.units[-1]
    if units + more > deepest:
        return (
            f"; about {counted(units + more, 'unit')} would decide, and --costguard-deep ends at"
            f" {deepest}: raise catch ({percent(regression.catch)} now), or use a quieter machine"
        )
    if not seconds or not math.isfinite(seconds):
        return f"; about {counted(more, 'more unit')} would decide (--costguard-deep)"
    if seconds / units * more > _TOO_LONG_SECONDS:
        return "; this runner is too noisy for it: it would take more than an hour"
    return (
        f"; about {counted(more, 'more unit')} would decide, {seconds / units * more:.0f} s"
        " (--costguard-deep, --costguard-time)"
    )
