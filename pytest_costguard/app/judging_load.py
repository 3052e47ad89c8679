"""SLOs and error budgets of open-loop load, and the rules that fit what such a load measures."""

from __future__ import annotations

import math

import msgspec

from pytest_costguard.app.judging_subject import Subject
from pytest_costguard.records import (
    Budget,
    BudgetResult,
    BudgetVerdict,
    Gates,
    Interval,
    Measurement,
    Regression,
)
from pytest_costguard.reports.numbers import percent
from pytest_costguard.stats.open_loop import decide_error_rate, decide_slo

_DEFAULT = "default"
_RATE_ALLOW, _RATE_CATCH = 0.05, 0.10
"""Of the highest rate where nothing is declared: a search is blunter than a mean."""


def judge_under_load(
    budget: Budget, *, subject: Subject, limit: float, alpha: float
) -> BudgetResult:
    """Decide about a percentile or the error rate of an open loop.

    Args:
        budget: on one of them.
        subject: the measured workload.
        limit: in seconds, or as a share.
        alpha: P(over is said of a figure that is within).
    """
    measurement = subject.measurement
    if budget.metric == "error_rate":
        decision = decide_error_rate(measurement, limit=limit, alpha=alpha)
    else:
        found = decide_slo(measurement, budget.metric, limit=limit, alpha=alpha)
        if found is None:
            return BudgetResult(
                budget=budget,
                verdict=BudgetVerdict.INCONCLUSIVE,
                limit=limit,
                reason=subject.absence(budget.metric),
            )
        decision = found
    verdict, reason = decision.verdict, decision.reason
    if few := subject.unsupported.get(budget.metric, ""):
        few = few if "not supported by" in few else ""
    if few and verdict is BudgetVerdict.WITHIN:
        verdict, reason = BudgetVerdict.INCONCLUSIVE, few
    if verdict is BudgetVerdict.INCONCLUSIVE:
        reason = subject.explained(reason)
    return BudgetResult(
        budget=budget,
        verdict=verdict,
        limit=limit,
        interval=storable(decision.interval),
        reason=reason
        or f"in {decision.interval.n:,} requests; the interval leaves a false alarm a chance of"
        f" {percent(alpha)}",
    )


def fitting(gates: Gates, measurement: Measurement) -> Gates:
    """Return the gates of a workload as they fit its scenario.

    A search for the highest rate has no mean latency that could be compared, since each side's is
    at a rate of its own: what is held by default is the rate itself.
    """
    if measurement.declaration.scenario.kind != "max_rate":
        return gates
    held = {rule.metric for rule in gates.regressions}
    rules = []
    for rule in gates.regressions:
        if rule.metric == "mean" and rule.origin == _DEFAULT and "max_rate" not in held:
            rules.append(
                Regression(metric="max_rate", allow=_RATE_ALLOW, catch=_RATE_CATCH, origin=_DEFAULT)
            )
        elif rule.metric != "mean" or rule.origin != _DEFAULT:
            rules.append(rule)
    return msgspec.structs.replace(gates, regressions=tuple(rules))


def storable(interval: Interval) -> Interval | None:
    """Return what a record can hold; an end that is not bounded is the estimate's, and says so."""
    if math.isinf(interval.estimate):
        return None
    if math.isfinite(interval.lower) and math.isfinite(interval.upper):
        return interval
    return Interval(
        estimate=interval.estimate,
        lower=interval.estimate,
        upper=interval.estimate,
        confidence=0.0,
        n=interval.n,
    )
