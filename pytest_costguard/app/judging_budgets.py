"""Budgets and SLOs of one workload: over, within, or why it is not known."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from pytest_costguard.app.judging_history import History
from pytest_costguard.app.judging_load import judge_under_load, storable
from pytest_costguard.app.judging_scenario import never_measured
from pytest_costguard.app.judging_subject import Subject, stored_metric
from pytest_costguard.records import (
    COSTS,
    MEANS,
    OF_CAPACITY,
    QUANTILES,
    Budget,
    BudgetResult,
    BudgetVerdict,
    FailOn,
    Gates,
    Interval,
    Verdict,
)
from pytest_costguard.reports.numbers import percent
from pytest_costguard.stats.budgets import BudgetDecision, decide_budget, decide_falling
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.lateness import Moved
from pytest_costguard.stats.open_loop import under_load

_FAILS_ON = {
    BudgetVerdict.OVER: FailOn.BUDGET,
    BudgetVerdict.INCONCLUSIVE: FailOn.INCONCLUSIVE,
    BudgetVerdict.NOT_PRICED: FailOn.NOT_PRICED,
}
_MONEY = frozenset({*COSTS, "monthly_cost"})
_OF_REQUESTS_UNDER_LOAD = frozenset({*QUANTILES, "error_rate"})
_CONFIDENCE = 0.95
_CONFIDENCE_UNDER_LOAD = 0.99
_Decide = Callable[[float], BudgetDecision]
"""Decides about a figure whose times were so many times those that were measured."""


def judge_budget(
    budget: Budget, *, subject: Subject, history: History | None, gates: Gates, alpha: float
) -> BudgetResult:
    """Decide about one budget, and say which word of fail-on the result falls under.

    Args:
        budget: the limit, in the metric's unit or as a share of the baseline's value.
        subject: the measured workload.
        history: its earlier runs; None where there is no baseline.
        gates: all that it is held to, and how much it serves.
        alpha: P(over is said of a figure that is within).
    """
    result = _judged(budget, subject=subject, history=history, gates=gates, alpha=alpha)
    result = _open(result, subject)
    return msgspec.structs.replace(result, cause=_cause(result, subject, history))


def _open(result: BudgetResult, subject: Subject) -> BudgetResult:
    """Leave open what a limit of the workload's own asks of a scenario that never answers it."""
    why = never_measured(result.budget.metric, subject.measurement)
    unmeasured = result.verdict is BudgetVerdict.NOT_MEASURED and result.limit is not None
    if not (why and unmeasured and result.budget.own):
        return result
    return msgspec.structs.replace(result, verdict=BudgetVerdict.INCONCLUSIVE, reason=why)


def _cause(result: BudgetResult, subject: Subject, history: History | None) -> FailOn | None:
    if result.verdict is not BudgetVerdict.NOT_MEASURED:
        return _FAILS_ON.get(result.verdict)
    priced = subject.cost is not None and subject.cost.state == "priced"
    if result.budget.metric in _MONEY and result.limit is not None and not priced:
        return FailOn.NOT_PRICED
    if result.limit is None and result.budget.relative:
        # A first run, or a new workload, has nothing yet that a share could be taken of.
        absent = history is None or history.absence is Verdict.NEW
        return None if absent else FailOn.NOT_COMPARABLE
    return FailOn.INCONCLUSIVE


def _judged(
    budget: Budget, *, subject: Subject, history: History | None, gates: Gates, alpha: float
) -> BudgetResult:
    priceless = _priceless(budget, subject)
    if priceless is not None:
        return priceless
    limit, problem = _limit(budget, subject=subject, history=history)
    if limit is None:
        seen = subject.figures().get(budget.metric)
        return _result(budget, BudgetVerdict.NOT_MEASURED, problem, interval=seen)
    if under_load(subject.measurement) and budget.metric in _OF_REQUESTS_UNDER_LOAD:
        return judge_under_load(budget, subject=subject, limit=limit, alpha=alpha)
    if budget.metric in OF_CAPACITY:
        return _of_capacity(budget, subject=subject, gates=gates, limit=limit, alpha=alpha)
    never = never_measured(budget.metric, subject.measurement)
    if never and budget.metric in MEANS.values():
        # A search has some, of windows that were chosen for keeping its SLO.
        return _result(budget, BudgetVerdict.NOT_MEASURED, never, limit=limit)
    return _of_units(budget, subject=subject, limit=limit, alpha=alpha)


def _of_units(budget: Budget, *, subject: Subject, limit: float, alpha: float) -> BudgetResult:
    """Decide about a metric of which each unit has a value."""
    values = subject.values(budget.metric)
    if not values:
        verdict = BudgetVerdict.NOT_MEASURED
        if budget.metric in subject.unsupported:
            verdict = BudgetVerdict.INCONCLUSIVE
        return _result(budget, verdict, subject.absence(budget.metric), limit=limit)

    def decide(times: float) -> BudgetDecision:
        if budget.metric in COSTS and subject.estimate(budget.metric) is not None:
            return _of_cost(budget, subject, slower=times, limit=limit, alpha=alpha)
        scale = times if budget.bound == "at most" else 1 / times
        return decide_budget(
            [scale * value for value in values],
            limit=limit,
            bound=budget.bound,
            alpha=alpha,
            confidence=_confidence(budget, subject),
        )

    return _held(budget, subject, decide, rests_on=budget.metric, limit=limit, alpha=alpha)


def _of_cost(
    budget: Budget, subject: Subject, *, slower: float, limit: float, alpha: float
) -> BudgetDecision:
    """Hold a cost against a limit by the throughput that it rests on, as its bounds are shown."""
    cost, rates = subject.estimate(budget.metric), subject.values(COSTS[budget.metric])
    assert cost is not None, "a cost that is not known was held against a limit"
    usual = mean(rates)
    return decide_falling(
        [rate / slower for rate in rates],
        figure_at=lambda rate: cost * usual / rate,
        limit=limit,
        alpha=alpha,
        confidence=_confidence(budget, subject),
    )


def _of_capacity(
    budget: Budget, *, subject: Subject, gates: Gates, limit: float, alpha: float
) -> BudgetResult:
    """Decide about a monthly cost or replicas, or say what is not known of them."""
    from pytest_costguard.app.judging_capacity import RESTS_ON, capacity_for
    from pytest_costguard.app.plan_subjects import NoPlan

    try:
        capacity = capacity_for(budget.metric, subject=subject, gates=gates)
        return _held(
            budget,
            subject,
            lambda times: capacity.decide(budget.metric, limit=limit, alpha=alpha, slower=times),
            rests_on=RESTS_ON,
            limit=limit,
            alpha=alpha,
            how=f"{capacity.told()}; ",
        )
    except NoPlan as error:
        reason = f"{error.reason}: {error.remedy}"
        return _result(budget, BudgetVerdict.NOT_MEASURED, reason, limit=limit)


def _held(
    budget: Budget,
    subject: Subject,
    decide: _Decide,
    *,
    rests_on: str,
    limit: float,
    alpha: float,
    how: str = "",
) -> BudgetResult:
    """Decide, unless something forbids it; `rests_on` is the metric that was measured."""
    decision = decide(1.0)

    def holds(moved: Moved) -> bool | None:
        if decision.verdict is BudgetVerdict.OVER:
            return moved.less < 1 and decide(1 - moved.less).verdict is BudgetVerdict.OVER
        if decision.verdict is BudgetVerdict.WITHIN:
            return moved.more < math.inf and decide(1 + moved.more).verdict is BudgetVerdict.WITHIN
        return None

    obstacle = subject.obstacle(rests_on, holds=holds)
    if decision.verdict is BudgetVerdict.WITHIN:
        obstacle = obstacle or subject.unsteady(rests_on)
    verdict = BudgetVerdict.INCONCLUSIVE if obstacle else decision.verdict
    reason = obstacle or (
        f"{how}{decision.reason or f'over {decision.interval.n} units'}; the interval leaves a"
        f" false alarm a chance of {percent(alpha)}{subject.despite(rests_on)}"
    )
    if verdict is BudgetVerdict.INCONCLUSIVE:
        reason = subject.explained(reason)
    if verdict is BudgetVerdict.OVER and _excused(subject, decide, rests_on=rests_on):
        verdict = BudgetVerdict.INCONCLUSIVE
        side = "over" if budget.bound == "at most" else "under"
        reason = subject.accused(f"it is {side} the limit")
    return _result(budget, verdict, reason, limit=limit, interval=storable(decision.interval))


def _excused(subject: Subject, decide: _Decide, *, rests_on: str) -> bool:
    """Whether a figure is beyond its limit only with the time in which no core served it."""
    least = subject.least_ratio(rests_on)
    if least in (0.0, 1.0):
        return least == 0.0
    return decide(least).verdict is not BudgetVerdict.OVER


def _result(
    budget: Budget,
    verdict: BudgetVerdict,
    reason: str,
    *,
    limit: float | None = None,
    interval: Interval | None = None,
) -> BudgetResult:
    return BudgetResult(
        budget=budget, verdict=verdict, reason=reason, limit=limit, interval=interval
    )


def _priceless(budget: Budget, subject: Subject) -> BudgetResult | None:
    """Answer a budget on what the target costs or carries, where that is not known here."""
    cost = subject.cost
    of_target = budget.metric in _MONEY | OF_CAPACITY
    if not of_target or cost is None or cost.state == "priced":
        return None
    limit = None if budget.relative else budget.limit
    if cost.state == "not priced":
        if budget.metric not in _MONEY:
            return None
        return _result(budget, BudgetVerdict.NOT_PRICED, cost.reason, limit=limit)
    reason = cost.reason
    if not reason.startswith(cost.state):
        reason = f"{cost.state}: {reason}" if reason else cost.state
    return _result(budget, BudgetVerdict.NOT_MEASURED, reason, limit=limit)


def _limit(
    budget: Budget, *, subject: Subject, history: History | None
) -> tuple[float | None, str]:
    """Return the limit in the metric's unit, or None and why there is none."""
    if not budget.relative:
        return budget.limit, ""
    if history is None:
        return None, f"could not be judged yet: {budget.text!r} needs a baseline, and there is none"
    if history.absence is not None:
        return None, f"could not be judged: {budget.text!r} needs a baseline: {history.reason}"
    base = subject.base_value(budget.metric, history.average(stored_metric(budget.metric)))
    if base is None:
        return None, f"{history.name} holds no value for it"
    return budget.limit * base, ""


def _confidence(budget: Budget, subject: Subject) -> float:
    """Return how sure `within` must be: surer for an SLO under concurrent load."""
    loaded = subject.measurement.declaration.scenario.kind == "concurrent"
    return _CONFIDENCE_UNDER_LOAD if budget.kind == "slo" and loaded else _CONFIDENCE
