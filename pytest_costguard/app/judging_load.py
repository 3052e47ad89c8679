"""SLOs and error budgets of open-loop load, and the rules that fit what such a load measures."""

from __future__ import annotations

import math

import msgspec

from pytest_costguard.app.judging_lateness import ALTHOUGH
from pytest_costguard.app.judging_scenario import never_measured
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
from pytest_costguard.stats.slo import LoadDecision, decide_error_rate, decide_slo
from pytest_costguard.stats.words import samples_in_words, seconds_in_words

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
    if any(unit.open_loop and unit.open_loop.probes for unit in subject.measurement.units):
        return BudgetResult(
            budget=budget,
            verdict=BudgetVerdict.NOT_MEASURED,
            limit=limit,
            reason=never_measured(budget.metric, subject.measurement),
        )
    decision = _decided(budget, subject, limit=limit, alpha=alpha)
    if decision is None:
        return BudgetResult(
            budget=budget,
            verdict=BudgetVerdict.INCONCLUSIVE,
            limit=limit,
            reason=subject.absence(budget.metric),
        )
    verdict, reason = decision.verdict, decision.reason
    few = subject.unsupported.get(budget.metric, "")
    if verdict is BudgetVerdict.WITHIN and "not supported by" in few:
        verdict, reason = BudgetVerdict.INCONCLUSIVE, few
    if subject.lone_unit:
        verdict, reason = BudgetVerdict.INCONCLUSIVE, subject.lone_unit
    if verdict is BudgetVerdict.INCONCLUSIVE:
        reason = subject.explained(reason)
    if verdict is BudgetVerdict.OVER and _excused(budget, subject, limit=limit, alpha=alpha):
        verdict = BudgetVerdict.INCONCLUSIVE
        reason = subject.accused("it is over the limit")
    return BudgetResult(
        budget=budget,
        verdict=verdict,
        limit=limit,
        interval=storable(decision.interval),
        reason=reason or _told(decision, budget.metric, alpha=alpha),
    )


def _decided(
    budget: Budget, subject: Subject, *, limit: float, alpha: float
) -> LoadDecision | None:
    if budget.metric == "error_rate":
        return decide_error_rate(subject.measurement, limit=limit, alpha=alpha)
    return decide_slo(subject.measurement, budget.metric, limit=limit, alpha=alpha)


def _excused(budget: Budget, subject: Subject, *, limit: float, alpha: float) -> bool:
    """Whether a latency is beyond its limit only with the time in which no core served it."""
    least = subject.least_ratio(budget.metric)
    if least in (0.0, 1.0):
        return least == 0.0
    without = _decided(budget, subject, limit=limit / least, alpha=alpha)
    return without is None or without.verdict is not BudgetVerdict.OVER


def _told(decision: LoadDecision, metric: str, *, alpha: float) -> str:
    """Say what a sure verdict rests on, with the bound where only one can be shown."""
    found = decision.interval
    rate = metric == "error_rate"
    told = f"in {f'{found.n:,} requests' if rate else samples_in_words(metric, found.n)}"
    if decision.verdict is BudgetVerdict.OVER and math.isinf(found.upper) and found.lower > 0:
        failed = math.isinf(found.lower)
        told += (
            ", surely no answer" if failed else f", surely above {seconds_in_words(found.lower)}"
        )
    held = f"; {ALTHOUGH} {decision.despite}" if decision.despite else ""
    return f"{told}; the interval leaves a false alarm a chance of {percent(alpha)}{held}"


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
