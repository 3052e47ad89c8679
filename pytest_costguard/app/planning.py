"""Use case: from what a report has measured to replicas and the monthly bill."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pytest_costguard import __version__
from pytest_costguard.app.plan_cases import (
    PlanCase,
    autoscaled_month,
    case_of,
    shortages,
    static_month,
    told,
)
from pytest_costguard.app.plan_mixtures import parts_of_traffic, with_mixtures
from pytest_costguard.app.plan_subjects import NoPlan, PlanSubject, PlanTerms, subjects_of
from pytest_costguard.cost.autoscaling import Simulated
from pytest_costguard.records import (
    Basis,
    Interval,
    Plan,
    PlannedWorkload,
    Range,
    Report,
    Unplanned,
)
from pytest_costguard.reports.escaping import plain
from pytest_costguard.reports.numbers import counted, percent
from pytest_costguard.reports.plan_plot import Track
from pytest_costguard.stats.generator import generator_fault

_SEVERAL_AT_A_TIME = (
    "it serves several requests at a time, so that nothing here says who waits: the objective is"
    " taken to hold at the utilisation aimed at"
)
_HEADROOM = (
    "at the peak a replica gets {} of the rate that kept the SLO: not for queues, which are in that"
    " rate, but for bursts while new replicas start, and for a replica that is lost (--utilisation"
    " 100% leaves no room)"
)
_NO_STARTUP = (
    "how long a replica takes to start was not measured, since the test loads its model itself: no"
    " autoscaler is run (--startup 60s)"
)
_STARTUP = (
    "a replica starts as quickly as the model loads and first answers here; starting the process,"
    " fetching its image and waiting for a machine come on top (--startup)"
)
_STARTUP_OF_SERVER = (
    "a replica starts as quickly as the server's process does here, until it is ready and answers;"
    " fetching its image and waiting for a machine come on top (--startup)"
)
_NO_SPARE = "spare replicas are in the static month alone: an autoscaler has none"
_GOODPUT: Mapping[Basis, str] = MappingProxyType(
    {
        "closed-loop throughput": "goodput is the closed-loop throughput, a best case: what queues"
        " and batches of a server do to it is not in it",
        "offline throughput": "goodput is the offline throughput, a best case: all inputs were at"
        " hand, and nobody waited",
        "goodput under the SLO": "goodput is the highest rate that kept the SLO of the search, with"
        " what queues and batches do to it",
    }
)
_ALWAYS_FULL = "no objective is declared, so that waiting is not looked at (--slo p95=50ms)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, and what a plot of it shows, workload by workload."""

    plan: Plan
    tracks: tuple[Track, ...]


def plan_report(report: Report, *, terms: PlanTerms, chosen: Sequence[str] = ()) -> Planned:
    """Plan the workloads of a report.

    Args:
        report: with throughputs and a price.
        terms: what is asked for.
        chosen: the workloads, by `str(workload)`; none: all of them.

    Raises:
        ConfigError: the traffic is not understood, or its file cannot be read.
    """
    measured = {one.workload for one in report.run.measurements}
    failed = {one.workload: one for one in report.run.failures}
    planned: list[PlannedWorkload] = []
    unplanned = [
        Unplanned(
            workload=workload,
            reason=f"it could not be measured: {failure.reason}",
            remedy=failure.remedy,
        )
        for workload, failure in failed.items()
        if workload not in measured and (not chosen or str(workload) in chosen)
    ]
    tracks: list[Track] = []
    for subject in subjects_of(report, terms=terms, chosen=chosen):
        try:
            workload, track = _plan(subject)
        except NoPlan as error:
            unplanned.append(
                Unplanned(workload=subject.workload, reason=error.reason, remedy=error.remedy)
            )
            continue
        planned.append(workload)
        tracks.append(track)
    workloads, mixtures = with_mixtures(planned, parts_of_traffic(report.run.measurements))
    return Planned(
        plan=Plan(
            tool_version=__version__,
            created=dt.datetime.now(tz=dt.UTC).replace(microsecond=0),
            run_id=report.run.run_id,
            target=report.target,
            scaler=terms.scaler,
            workloads=workloads,
            mixtures=mixtures,
            unplanned=tuple(unplanned),
        ),
        tracks=tuple(tracks),
    )


def _plan(subject: PlanSubject) -> tuple[PlannedWorkload, Track]:
    profile, text = subject.profile()
    usd_per_hour, replica, goodput = subject.usd_per_hour, subject.replica(), subject.goodput
    case = case_of(profile, replica=replica, terms=subject.terms, objectives=subject.objectives)
    bounds, unbounded = ends_of(subject, case)
    static = static_month(case, bounds=bounds)
    scaled = autoscaled_month(case, bounds=bounds)
    month, simulated = (None, None) if scaled is None else scaled
    workload = PlannedWorkload(
        workload=subject.workload,
        labels=subject.measurement.declaration.labels,
        traffic=text,
        peak_per_second=profile.peak,
        average_per_second=profile.average,
        items_per_month=profile.items_a_month,
        objective=told(case.objective),
        goodput=goodput,
        items_per_request=replica.items_per_request,
        target_per_second=case.target_per_second,
        basis=subject.cost.basis,
        usd_per_hour=usd_per_hour,
        startup_seconds=replica.startup_seconds,
        sizing=case.need.sizing,
        replicas=case.need.replicas,
        exact=_range(case.need.exact, [one.need.exact for one in bounds]),
        static=static,
        autoscaled=month,
        notes=(
            *_notes(subject, case=case),
            *unbounded,
            *shortages(case, static=static, autoscaled=month),
        ),
    )
    return workload, _track(str(subject.workload), case, simulated)


def ends_of(subject: PlanSubject, case: PlanCase) -> tuple[list[PlanCase], tuple[str, ...]]:
    """Return the cases at both ends of the goodput's interval, or none and why not."""
    found = []
    for factor in _factors(subject.goodput):
        try:
            found.append(
                case_of(
                    case.profile,
                    replica=case.replica.faster(factor),
                    terms=subject.terms,
                    objectives=subject.objectives,
                )
            )
        except NoPlan as error:
            return [], (f"at an end of the goodput's interval there is no plan: {error.reason}",)
    return found, ()


def _track(title: str, case: PlanCase, simulated: Simulated | None) -> Track:
    profile = case.profile
    begins = [number * profile.step_seconds for number in range(len(profile.items_per_second))]
    replicas: list[tuple[float, float]] = []
    if simulated is not None:
        ends = np.cumsum(simulated.seconds)
        replicas = list(
            zip((ends - simulated.seconds).tolist(), simulated.started.tolist(), strict=True)
        )
    return Track(
        title=plain(title),
        seconds=profile.seconds,
        asked=list(zip(begins, profile.items_per_second, strict=True)),
        replicas=replicas,
        static_replicas=case.need.replicas,
        capacity_per_second=case.replica.items_per_second,
    )


def _factors(goodput: Interval) -> tuple[float, ...]:
    """Return the ends of the goodput's interval over its estimate; none where nothing bounds it."""
    if goodput.n < 2 or not 0 < goodput.lower <= goodput.estimate <= goodput.upper < math.inf:
        return ()
    return goodput.lower / goodput.estimate, goodput.upper / goodput.estimate


def _range(estimate: float, others: Sequence[float]) -> Range:
    if not others:
        return Range(estimate=estimate)
    return Range(estimate=estimate, lower=min(estimate, *others), upper=max(estimate, *others))


def _notes(subject: PlanSubject, *, case: PlanCase) -> tuple[str, ...]:
    notes = [case.need.because]
    if case.objective is None and not subject.searched:
        notes.append(_ALWAYS_FULL)
    elif case.need.sizing == "utilisation" and not subject.searched:
        notes.append(_SEVERAL_AT_A_TIME)
    elif subject.searched and subject.terms.limits.utilisation < 1:
        notes.append(_HEADROOM.format(percent(subject.terms.limits.utilisation)))
    notes += [_GOODPUT[basis]] if (basis := subject.cost.basis) in _GOODPUT else []
    share = subject.cost.share
    if share < 1:
        instances = math.ceil(case.need.replicas * share)
        notes.append(
            f"a replica is {percent(share)} of an instance: the peak's fill"
            f" {counted(instances, 'instance')}, whose rest is taken to be used by others"
        )
    if subject.searched and (fault := generator_fault(subject.measurement, "max_rate")):
        notes.append(f"how much a replica takes is not sure: {fault}")
    if subject.terms.scaler is not None:
        notes += _of_scaling(subject, case)
    return tuple(notes)


def _of_scaling(subject: PlanSubject, case: PlanCase) -> list[str]:
    if case.replica.startup_seconds is None:
        return [_NO_STARTUP]
    declared = subject.measurement.declaration
    measured = _STARTUP_OF_SERVER if declared.in_server else _STARTUP
    notes = [measured] if subject.terms.startup_seconds is None else []
    return notes + [_NO_SPARE] * bool(subject.terms.limits.spare)
