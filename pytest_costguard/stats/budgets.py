"""Absolute budgets: is a figure surely over its limit, surely within it, or is it not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_costguard.records import BudgetVerdict, Interval
from pytest_costguard.stats.intervals import margin, mean

ONE_UNIT = "one unit gives an estimate only"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetDecision:
    """A verdict, the interval whose bounds decided, and the reason where it is not known."""

    verdict: BudgetVerdict
    interval: Interval
    reason: str = ""


def decide_budget(
    values: Sequence[float],
    *,
    limit: float,
    bound: Literal["at most", "at least"],
    alpha: float,
    confidence: float,
    estimate: float | None = None,
) -> BudgetDecision:
    """Hold the values of the units against a limit.

    The bound towards the good side is one-sided at 1 - `alpha` and decides `over`; the one
    towards the bad side is one-sided at `confidence` and decides `within`. Equal values decide
    directly: they have no spread. A figure that meets its limit exactly is within.

    Args:
        values: one a unit, in the metric's unit; at least one.
        limit: in the same unit.
        bound: whether the limit is a ceiling or a floor.
        alpha: P(over is said of a figure that is within).
        confidence: 1 - P(within is said of a figure that is over).
        estimate: the figure itself, where it is not the mean of the values: a cost is that of the
            mean throughput. The values then give its spread.

    Raises:
        ValueError: if there are no values.
    """
    if not values:
        raise ValueError("a budget needs at least one value")
    if len(values) == 1:
        value = values[0]
        lone = Interval(estimate=value, lower=value, upper=value, confidence=0.0, n=1)
        return BudgetDecision(verdict=BudgetVerdict.INCONCLUSIVE, interval=lone, reason=ONE_UNIT)
    interval = _decisive_interval(
        values,
        centre=mean(values) if estimate is None else estimate,
        bound=bound,
        alpha=alpha,
        confidence=confidence,
    )
    surely_over = interval.lower > limit if bound == "at most" else interval.upper < limit
    surely_within = interval.upper <= limit if bound == "at most" else interval.lower >= limit
    if surely_over:
        return BudgetDecision(verdict=BudgetVerdict.OVER, interval=interval)
    if surely_within:
        return BudgetDecision(verdict=BudgetVerdict.WITHIN, interval=interval)
    return BudgetDecision(
        verdict=BudgetVerdict.INCONCLUSIVE,
        interval=interval,
        reason=f"the limit lies inside the interval of {len(values)} units",
    )


def _decisive_interval(
    values: Sequence[float],
    *,
    centre: float,
    bound: Literal["at most", "at least"],
    alpha: float,
    confidence: float,
) -> Interval:
    good, bad = margin(values, 1 - alpha), margin(values, confidence)
    below, above = (good, bad) if bound == "at most" else (bad, good)
    return Interval(
        estimate=centre,
        lower=centre - below,
        upper=centre + above,
        confidence=confidence - alpha,
        n=len(values),
    )
