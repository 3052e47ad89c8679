"""The rule for a figure that may be zero or below and is better when higher, such as a quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_costguard.records import Interval, Verdict
from pytest_costguard.stats.intervals import margin, mean
from pytest_costguard.stats.limits import BETA, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelDecision:
    """A verdict, and the interval whose bounds decided."""

    verdict: Verdict
    interval: Interval


def decide_level(
    values: Sequence[float], *, base: float, limits: Limits, looks: int = 1
) -> LevelDecision:
    """Hold the values of the units against shares of a base value.

    Bounds are one-sided t-bounds over units, as for budgets: surely lower than allowed is
    `regressed`, surely higher than allowed `improved`, both at 1 - alpha; surely above what must
    be caught, at 1 - beta, is `unchanged`. Equal values have no spread and decide directly; one
    that meets what is allowed exactly has kept it.

    Args:
        values: one a unit, higher is better; at least one.
        base: the value to compare with, as given.
        limits: shares of the base's magnitude.
        looks: after how many numbers of units the values may have come to be all, by what was
            measured beside them. Each takes its share of both errors (Bonferroni).

    Raises:
        ValueError: if there are no values.
    """
    centre = mean(values)
    alpha, beta = limits.alpha / looks, BETA / looks
    far = margin(values, 1 - alpha) if len(values) > 1 else 0.0
    near = margin(values, 1 - beta) if len(values) > 1 else 0.0
    allowed, caught = limits.allow * abs(base), limits.catch * abs(base)
    verdict, below = Verdict.INCONCLUSIVE, near
    if centre + far < base - allowed:
        verdict = Verdict.REGRESSED
    elif centre - far > base + limits.improvement * abs(base):
        verdict, below = Verdict.IMPROVED, far
    elif centre - near > base - caught or centre - near >= base - allowed:
        verdict = Verdict.UNCHANGED
    return LevelDecision(
        verdict=verdict,
        interval=Interval(
            estimate=centre,
            lower=centre - below,
            upper=centre + far,
            confidence=1 - beta - alpha if below == near else 1 - 2 * alpha,
            n=len(values),
        ),
    )
