"""Absolute budgets: is a figure surely over its limit, surely within it, or is it not known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
        centre=mean(values),
        bound=bound,
        alpha=alpha,
        confidence=confidence,
    )
    return _decision(interval, limit=limit, bound=bound)


def decide_falling(
    values: Sequence[float],
    *,
    figure_at: Callable[[float], float],
    limit: float,
    alpha: float,
    confidence: float,
) -> BudgetDecision:
    """Hold a figure that never rises with the values of the units against a ceiling.

    A bound on the mean of the values is one on the figure, at the same certainty: `over` where the
    figure at their upper bound at 1 - `alpha` exceeds the limit, `within` where the one at their
    lower bound at `confidence` does not.

    Args:
        values: one a unit; at least one.
        figure_at: the figure at a mean of the values; never asked below or at zero, where the
            figure has no end.
        limit: in the figure's unit.
        alpha: P(over is said of a figure that is within).
        confidence: 1 - P(within is said of a figure that is over).

    Returns:
        The interval is the figure's; an end of it may be infinite.

    Raises:
        ValueError: if there are no values.
    """
    if not values:
        raise ValueError("a budget needs at least one value")
    if len(values) == 1:
        value = figure_at(values[0])
        lone = Interval(estimate=value, lower=value, upper=value, confidence=0.0, n=1)
        return BudgetDecision(verdict=BudgetVerdict.INCONCLUSIVE, interval=lone, reason=ONE_UNIT)
    asked = _decisive_interval(
        values, centre=mean(values), bound="at least", alpha=alpha, confidence=confidence
    )
    interval = Interval(
        estimate=figure_at(asked.estimate),
        lower=figure_at(asked.upper),
        upper=figure_at(asked.lower) if asked.lower > 0 else math.inf,
        confidence=asked.confidence,
        n=asked.n,
    )
    return _decision(interval, limit=limit, bound="at most")


def _decision(
    interval: Interval, *, limit: float, bound: Literal["at most", "at least"]
) -> BudgetDecision:
    """Return what an interval whose bounds decide says of a limit."""
    surely_over = interval.lower > limit if bound == "at most" else interval.upper < limit
    surely_within = interval.upper <= limit if bound == "at most" else interval.lower >= limit
    if surely_over:
        return BudgetDecision(verdict=BudgetVerdict.OVER, interval=interval)
    if surely_within:
        return BudgetDecision(verdict=BudgetVerdict.WITHIN, interval=interval)
    return BudgetDecision(
        verdict=BudgetVerdict.INCONCLUSIVE,
        interval=interval,
        reason=f"the limit lies inside the interval of {interval.n} units",
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
