"""What a month costs and how many replicas that takes at the declared traffic, for budgets.

The arithmetic is that of `costguard plan`: the replicas of the peak, all the time. Neither figure
ever rises with the throughput, so that the bounds of the throughput become theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pytest_costguard.app.judging_load import storable
from pytest_costguard.app.judging_subject import Subject
from pytest_costguard.app.plan_cases import PeakNeed, need_at, static_usd, told
from pytest_costguard.app.plan_subjects import NoPlan, PlanSubject, PlanTerms, TooMany
from pytest_costguard.cost.capacity import Replica, monthly_usd, static_hours
from pytest_costguard.cost.queueing import MOST_SERVERS
from pytest_costguard.records import OF_CAPACITY, Gates, Interval
from pytest_costguard.reports.numbers import counted, money, significant
from pytest_costguard.stats.budgets import BudgetDecision, decide_falling
from pytest_costguard.stats.intervals import margin, mean
from pytest_costguard.stats.summary import figures

RESTS_ON = "throughput"
_CONFIDENCE = 0.95
_AS_IN_A_PLAN = PlanTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a workload needs at its peak, at the throughput that was measured or at any other."""

    subject: Subject
    asked: PlanSubject
    peak: float
    """Inferences a second."""
    replica: Replica
    """At the estimated goodput."""

    def decide(
        self, metric: str, *, limit: float, alpha: float, slower: float = 1.0
    ) -> BudgetDecision:
        """Hold one of both figures against a limit.

        Args:
            metric: `monthly_cost` or `replicas`.
            limit: in its unit.
            alpha: P(over is said of a figure that is within).
            slower: how many times as long an inference takes as was measured.

        Raises:
            NoPlan: no number of replicas is enough, not even at the best end of the interval.
        """
        rates = [value / slower for value in self.subject.values(RESTS_ON)]
        decision = decide_falling(
            rates,
            figure_at=lambda rate: self.figure(metric, rate),
            limit=limit,
            alpha=alpha,
            confidence=_CONFIDENCE,
        )
        if math.isinf(decision.interval.lower):
            best = mean(rates) + (margin(rates, 1 - alpha) if len(rates) > 1 else 0.0)
            self._require_beyond(metric, limit=limit, items_per_second=best)
        return decision

    def _require_beyond(self, metric: str, *, limit: float, items_per_second: float) -> None:
        """Raise `NoPlan` where there is no figure, unless that is for being beyond the limit."""
        try:
            self._at(items_per_second)
        except TooMany:
            most = float(MOST_SERVERS)
            if metric == "monthly_cost":
                most = float(monthly_usd(static_hours(MOST_SERVERS), replica=self.replica))
            if not limit < most:
                raise

    def figure(self, metric: str, items_per_second: float) -> float:
        """Return replicas before rounding, or US dollars a month; infinite where none is enough."""
        try:
            found, replica = self._at(items_per_second)
        except NoPlan:
            return math.inf
        if metric == "replicas":
            # By a rounding error it may be above the whole number that it was found to be.
            return min(found.need.exact, float(found.need.replicas))
        return float(static_usd(found.need, replica=replica))

    def interval(self, metric: str) -> Interval | None:
        """Return one of both figures at 95 %; None where it has no end that could be shown."""
        rate = figures(self.subject.reduced, _CONFIDENCE)[RESTS_ON]
        return storable(
            Interval(
                estimate=self.figure(metric, rate.estimate),
                lower=self.figure(metric, rate.upper),
                upper=self.figure(metric, rate.lower) if rate.lower > 0 else math.inf,
                confidence=rate.confidence,
                n=rate.n,
            )
        )

    def told(self) -> str:
        """Say how the figures come about."""
        try:
            found, replica = self._at(self.replica.items_per_second)
        except NoPlan as error:
            return error.reason
        need, wanted = found.need, told(found.objective)
        price = ""
        if replica.usd_per_hour is not None:
            price = f", each {money(replica.usd_per_hour, self.subject.currency)} an hour"
        return (
            f"{counted(need.replicas, 'replica')} for {significant(self.peak)} inferences a second"
            f"{f' with {wanted}' if wanted else ''}{price} ({significant(need.exact)} before"
            f" rounding{self._between()}; {need.because})"
        )

    def _between(self) -> str:
        found = self.interval("replicas")
        if found is None or not found.confidence or found.lower == found.upper:
            return ""
        return f", {significant(found.lower)} to {significant(found.upper)}"

    def _at(self, items_per_second: float) -> tuple[PeakNeed, Replica]:
        """Return the need and what a replica then is; raises `NoPlan` where none is enough."""
        replica = self.replica.faster(items_per_second / self.replica.items_per_second)
        need = need_at(
            self.peak,
            replica=replica,
            limits=self.asked.terms.limits,
            objectives=self.asked.objectives,
        )
        return need, replica


def capacity_for(metric: str, *, subject: Subject, gates: Gates) -> Capacity:
    """Return what the figures of a workload rest on.

    Args:
        metric: `monthly_cost`, which needs a price, or `replicas`.
        subject: the measured workload.
        gates: with its traffic and its SLOs.

    Raises:
        NoPlan: traffic, throughput or price is not known, or the objective not supported.
    """
    rates = subject.reduced.metrics.get(RESTS_ON)
    asked = PlanSubject(
        measurement=subject.measurement,
        throughput=figures(subject.reduced)[RESTS_ON] if rates else None,
        priced=subject.cost,
        target=subject.target,
        gates=gates,
        terms=_AS_IN_A_PLAN,
    )
    peak, replica = asked.peak(), asked.replica()
    if metric == "monthly_cost":
        replica = replace(replica, usd_per_hour=asked.usd_per_hour)
    return Capacity(subject=subject, asked=asked, peak=peak, replica=replica)


def capacity_figures(subject: Subject, gates: Gates) -> Mapping[str, Interval]:
    """Return those of both figures that a budget asks for, where they are known.

    Args:
        subject: the measured workload.
        gates: with its budgets, its traffic and its SLOs.
    """
    if subject.cost is not None and subject.cost.state == "not measured on target":
        return {}
    found: dict[str, Interval] = {}
    for metric in OF_CAPACITY & {budget.metric for budget in gates.budgets}:
        try:
            known = capacity_for(metric, subject=subject, gates=gates).interval(metric)
        except NoPlan:
            continue
        if known is not None:
            found[metric] = known
    return found
