"""Head against base, measured side by side: the verdict about a metric, and its reason."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pytest_costguard.app.judging_hypotheses import Pairs, both_moved, changes_of
from pytest_costguard.app.judging_lateness import ALTHOUGH, holds
from pytest_costguard.app.judging_ratio import ratio
from pytest_costguard.app.judging_subject import Subject, unknown_rate
from pytest_costguard.records import (
    METRICS,
    OF_OWN_PROCESS,
    Comparison,
    Measurement,
    Pairing,
    Regression,
    Verdict,
)
from pytest_costguard.reports.numbers import change, counted, percent
from pytest_costguard.reports.ways import way
from pytest_costguard.stats.backlog import steady_state_fault
from pytest_costguard.stats.disturbances import disturbances
from pytest_costguard.stats.generator import (
    generator_fault,
    may_be_lateness,
    moved_by_lateness,
)
from pytest_costguard.stats.paired import (
    DEEP_LOOKS,
    FEWEST_UNITS,
    PairedDecision,
    View,
)

_TOO_LONG_SECONDS = 3600.0
_WORSE: Mapping[View, str] = MappingProxyType(
    {
        "typical": "",
        "total": "a part of the inputs got worse, their total ",
        "summed": "some requests got much slower, all of them together ",
    }
)
_KEPT_BACK: Mapping[View, str] = MappingProxyType(
    {
        "total": "most inputs are not slower, but their total is at",
        "summed": "most requests are not slower, but all of them together are at",
        "waited": "by CPU time it is not slower, but by wall time all requests together are at",
    }
)
_LOOKED_INTO: Mapping[View, str] = MappingProxyType(
    {
        "total": "give the inputs that got worse a test of their own",
        "summed": "look for what takes long now and then (p99 may show it)",
        "waited": "look for what waits now and then, such as a file or a lock (p99 may show it),"
        " compare by --costguard-clock=wall",
    }
)
_DONE_BY_THE_MACHINE = ("the hypervisor", "the container")


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
    if unsteady := _unsteady(verdict, metric, subject=subject, base=base):
        verdict, reason = Verdict.INCONCLUSIVE, unsteady
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


def _unsteady(verdict: Verdict, metric: str, *, subject: Subject, base: Measurement | None) -> str:
    """Say which side did not keep up with its rate; "" where that speaks against no verdict.

    Where head alone did not, it is worse all the more. A base that did not is no reference.
    """
    if metric in OF_OWN_PROCESS or verdict is Verdict.INCONCLUSIVE:
        return ""
    if unknown := unknown_rate(metric, subject.measurement):
        return unknown
    if base is not None and (fault := steady_state_fault(base)):
        return f"on base, {fault}"
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
    moved = both_moved(regression.metric, base=base, head=subject.measurement)
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
    if (worst := decision.worst) is None:
        return dataclasses.replace(decision, verdict=Verdict.REGRESSED)
    return dataclasses.replace(
        decision,
        verdict=Verdict.REGRESSED,
        change=worst.change,
        lower=worst.lower,
        upper=worst.upper,
        view=worst.view,
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
    if together or decision.verdict is Verdict.REGRESSED:
        at_once = " once all gates are seen together" if together else ""
        return f"{_WORSE[decision.view]}surely more than {allow} worse{at_once}, {units}"
    if decision.verdict is Verdict.IMPROVED:
        return f"surely more than {allow} better, {units}"
    if decision.verdict is Verdict.UNCHANGED:
        return f"surely less than {catch} worse, {units}"
    if (kept_back := decision.kept_back) is not None:
        whole = f"{change(ratio(kept_back.change))} %"
        return f"{_KEPT_BACK[kept_back.view]} {whole}, {units}"
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
    if decision.kept_back is not None:
        return f": {_LOOKED_INTO[decision.kept_back.view]}, or measure longer (--costguard-deep)"
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
