"""Use case: what replicas, bill, effective cost and utilisation change to, before and after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

from pytest_costguard import __version__
from pytest_costguard.app.plan_befores import Before
from pytest_costguard.app.plan_cases import (
    PlanCase,
    autoscaled_month,
    case_of,
    static_month,
    told,
)
from pytest_costguard.app.plan_subjects import NoPlan, PlanSubject, PlanTerms, subjects_of
from pytest_costguard.app.planning import ends_of
from pytest_costguard.cost.traffic import TrafficProfile
from pytest_costguard.records import (
    Bill,
    BillChange,
    FigureChange,
    Month,
    MonthChange,
    PlanChange,
    PlannedChange,
    Range,
    Report,
    Unplanned,
)

_Cases = list[tuple[PlanCase, PlanCase]]
"""Before and after: first as estimated, then at the ends of what is known of the change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """A workload at one goodput: what its peak needs, and a month of both ways to run it."""

    need: float
    exact: float
    static: Month
    autoscaled: Month | None


_Outcomes = Sequence[tuple[_Outcome, _Outcome]]


def compare_plans(
    before: Before, after: Report, *, terms: PlanTerms, chosen: Sequence[str] = ()
) -> PlanChange:
    """Say what changes, workload by workload and in all.

    Both sides serve the traffic and keep the objectives that the report of after declares, at one
    price where they are of one target: what changes is what a replica serves.

    Args:
        before: what it was.
        after: what it is.
        terms: what is asked for.
        chosen: the workloads, by `str(workload)`; none: all of them.

    Raises:
        ConfigError: the traffic is not understood, or its file cannot be read.
    """
    found: list[PlannedChange] = []
    whole: list[PlannedChange] = []
    """Of a sum: the parts of a mixture are in its own bill."""
    uncompared: list[Unplanned] = []
    for subject in subjects_of(after, terms=terms, chosen=chosen):
        try:
            found.append(_change(before, subject))
            whole += [found[-1]] * (subject.part is None)
        except NoPlan as error:
            uncompared.append(
                Unplanned(workload=subject.workload, reason=error.reason, remedy=error.remedy)
            )
    return PlanChange(
        tool_version=__version__,
        created=dt.datetime.now(tz=dt.UTC).replace(microsecond=0),
        before_run_id=before.run.run_id,
        after_run_id=after.run.run_id,
        target=after.target,
        scaler=terms.scaler,
        workloads=tuple(found),
        uncompared=(*uncompared, *before.without(after, chosen=chosen)),
        static=_total([one.static for one in whole]),
        autoscaled=_total([one.autoscaled for one in whole]),
        notes=before.notes,
    )


def _change(before: Before, after: PlanSubject) -> PlannedChange:
    profile, text = after.profile()
    now = _case(after, profile)
    other = before.subject(after)
    paired = before.ratio(other, after)
    if paired is None:
        cases, notes = _apart(other, after, now=now)
    else:
        cases, notes = _side_by_side(other, after, now=now, ratio=paired)
    outcomes = _outcomes(cases)
    return PlannedChange(
        workload=after.workload,
        labels=after.measurement.declaration.labels,
        traffic=text,
        objective=told(now.objective),
        ratio=paired or _quotient(other, after),
        paired=paired is not None,
        replicas=_figure(outcomes, lambda one: one.need),
        exact=_figure(outcomes, lambda one: one.exact),
        static=_month(outcomes, lambda one: one.static),
        autoscaled=_autoscaled(outcomes),
        notes=(*notes, *before.differences(after)),
    )


def _case(subject: PlanSubject, profile: TrafficProfile, *, factor: float = 1.0) -> PlanCase:
    """Return what the peak needs of a replica that serves `factor` times what was measured."""
    replica = replace(subject.replica(), usd_per_hour=subject.usd_per_hour)
    return case_of(
        profile,
        replica=replica.faster(factor),
        terms=subject.terms,
        objectives=subject.objectives,
    )


def _side_by_side(
    before: PlanSubject, after: PlanSubject, *, now: PlanCase, ratio: Range
) -> tuple[_Cases, tuple[str, ...]]:
    """Return after as it was measured, and before as each end of the ratio has it.

    Before keeps the spread of its own requests: only how much it serves follows from the pairs.
    """
    same = after.goodput.estimate / before.goodput.estimate
    cases = [(_case(before, now.profile, factor=same / ratio.estimate), now)]
    try:
        ends = [
            (_case(before, now.profile, factor=same / end), now)
            for end in (ratio.lower, ratio.upper)
            if end is not None
        ]
    except NoPlan as error:
        return cases, (f"at an end of the ratio's interval there is no plan: {error.reason}",)
    return cases + ends, ()


def _apart(
    before: PlanSubject, after: PlanSubject, *, now: PlanCase
) -> tuple[_Cases, tuple[str, ...]]:
    """Return both as they were measured, and every end of one with every end of the other."""
    then = _case(before, now.profile)
    (befores, some), (afters, others) = ends_of(before, then), ends_of(after, now)
    return [(then, now), *product(befores, afters)], tuple(dict.fromkeys((*some, *others)))


def _quotient(before: PlanSubject, after: PlanSubject) -> Range:
    was, is_ = before.goodput, after.goodput
    estimate = is_.estimate / was.estimate
    if min(was.n, is_.n) < 2 or not min(was.lower, is_.lower) > 0:
        return Range(estimate=estimate)
    return Range(estimate=estimate, lower=is_.lower / was.upper, upper=is_.upper / was.lower)


def _outcomes(cases: _Cases) -> _Outcomes:
    """Run each case once, however often it is compared."""
    known: dict[int, _Outcome] = {}
    for case in (one for pair in cases for one in pair):
        if id(case) not in known:
            known[id(case)] = _outcome(case)
    return [(known[id(before)], known[id(after)]) for before, after in cases]


def _outcome(case: PlanCase) -> _Outcome:
    scaled = autoscaled_month(case, bounds=())
    return _Outcome(
        need=float(case.need.replicas),
        exact=case.need.exact,
        static=static_month(case, bounds=()),
        autoscaled=None if scaled is None else scaled[0],
    )


def _figure(outcomes: _Outcomes, value: Callable[[_Outcome], float]) -> FigureChange:
    changes = [value(after) - value(before) for before, after in outcomes]
    bounded = len(changes) > 1
    return FigureChange(
        before=value(outcomes[0][0]),
        after=value(outcomes[0][1]),
        change=Range(
            estimate=changes[0],
            lower=min(changes) if bounded else None,
            upper=max(changes) if bounded else None,
        ),
    )


def _amount(outcomes: _Outcomes, value: Callable[[_Outcome], Decimal]) -> BillChange:
    changes = [value(after) - value(before) for before, after in outcomes]
    bounded = len(changes) > 1
    return BillChange(
        before=value(outcomes[0][0]),
        after=value(outcomes[0][1]),
        change=Bill(
            usd=changes[0],
            lower=min(changes) if bounded else None,
            upper=max(changes) if bounded else None,
        ),
    )


def _month(outcomes: _Outcomes, month: Callable[[_Outcome], Month]) -> MonthChange:
    return MonthChange(
        bill=_amount(outcomes, lambda one: month(one).bill.usd),
        usd_per_1k=_amount(outcomes, lambda one: month(one).usd_per_1k),
        replicas=_figure(outcomes, lambda one: month(one).replicas),
        utilisation=_figure(outcomes, lambda one: month(one).utilisation),
    )


def _autoscaled(outcomes: _Outcomes) -> MonthChange | None:
    """Return the month under the autoscaler; None where one side has none."""
    if any(one.autoscaled is None for pair in outcomes for one in pair):
        return None

    def month(one: _Outcome) -> Month:
        assert one.autoscaled is not None, "all of them have one"
        return one.autoscaled

    return _month(outcomes, month)


def _total(months: Sequence[MonthChange | None]) -> BillChange | None:
    """Return the bill of all workloads; None where there is none, or one of them has none.

    Bounds add up at the same end of each, and so are wider than they had to be.
    """
    bills = [month.bill for month in months if month is not None]
    if not bills or len(bills) < len(months):
        return None
    lower = [one.change.lower for one in bills if one.change.lower is not None]
    upper = [one.change.upper for one in bills if one.change.upper is not None]
    bounded = len(lower) == len(upper) == len(bills)
    return BillChange(
        before=sum((one.before for one in bills), Decimal(0)),
        after=sum((one.after for one in bills), Decimal(0)),
        change=Bill(
            usd=sum((one.change.usd for one in bills), Decimal(0)),
            lower=sum(lower, Decimal(0)) if bounded else None,
            upper=sum(upper, Decimal(0)) if bounded else None,
        ),
    )
