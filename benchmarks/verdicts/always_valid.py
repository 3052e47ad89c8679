"""A bound that holds after every unit at once, so that one may look whenever one likes.

The sequential t-test with a normal prior of variance g over the effect size (change over standard
deviation of a unit) and the scale left out by invariance: its Bayes factor is a martingale where
the null holds, so by Ville's inequality it ever exceeds 1/alpha with probability alpha at most.

    BF = [(1 + t²/f) ÷ (1 + t²/(f·(1 + n·g)))]^((f + 1)/2) ÷ sqrt(1 + n·g)

with f = m - 2 degrees of freedom, since the starting order is fitted too, and n = (spread ÷
standard error)². Sources: Wang and Ramdas, "Anytime-valid t-tests and confidence sequences for
Gaussian means with unknown variance", arXiv:2310.03722; Gönen et al., The American Statistician 59
(2005) 252, for the closed form; Pérez-Ortiz et al., arXiv:2208.07610, for the linear model.
The prior is symmetric and only one direction is used, which errs on the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_costguard.records import Verdict
from pytest_costguard.stats.limits import BETA, Limits
from pytest_costguard.stats.paired import FEWEST_UNITS, Fit, PairedUnit, fit


def log_bayes_factor(fitted: Fit, limit: float, *, prior_variance: float) -> float:
    """Return the logarithm of the evidence against a true change of `limit`."""
    if fitted.standard_error == 0.0:
        return 0.0 if fitted.change == limit else math.inf
    t = (fitted.change - limit) / fitted.standard_error
    wider = 1 + prior_variance * (fitted.spread / fitted.standard_error) ** 2
    inside = math.log1p(t * t / fitted.df) - math.log1p(t * t / (fitted.df * wider))
    return -math.log(wider) / 2 + (fitted.df + 1) / 2 * inside


def decide_always_valid(
    units: Sequence[PairedUnit], *, limits: Limits, prior_variance: float = 4.0
) -> tuple[Verdict, int]:
    """Look after every unit from the fourth on; return the verdict and after how many it fell.

    `Verdict.INCONCLUSIVE` where none of them decides. The total of the inputs is not looked at.
    """
    allowed, caught = math.log1p(limits.allow), math.log1p(limits.catch)
    for count in range(FEWEST_UNITS, len(units) + 1):
        seen = units[:count]
        if len({unit.first for unit in seen}) < 2:
            continue
        fitted = fit(seen)
        above = log_bayes_factor(fitted, allowed, prior_variance=prior_variance)
        if fitted.change > allowed and above >= -math.log(limits.alpha):
            return Verdict.REGRESSED, count
        below = log_bayes_factor(fitted, caught, prior_variance=prior_variance)
        if fitted.change < caught and below >= -math.log(BETA):
            better = log_bayes_factor(fitted, -allowed, prior_variance=prior_variance)
            improved = fitted.change < -allowed and better >= -math.log(limits.alpha)
            return (Verdict.IMPROVED if improved else Verdict.UNCHANGED), count
    return Verdict.INCONCLUSIVE, len(units)
