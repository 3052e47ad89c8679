"""Which change a runner can see in a given time, from what it shows where nothing has changed.

Side by side, by the rule of `paired`: a verdict after m units needs a change δ of

    log(1 + δ) = log(1 + allow) + (t[1 - alpha/K] + t[1 - beta/K]) · sd ÷ √m

with t on m - 2 degrees of freedom, K looks, and sd the standard deviation of a unit's logarithm
round the model (the sample size of two one-sided bounds: Chow, Shao and Wang, "Sample Size
Calculations in Clinical Research", 3.2, with t in place of z and the error split by Bonferroni).
All K looks together promise 1 - beta, since each may fail with beta/K at most.

Stored, by the rule of `stored` with n baseline runs of standard deviation s: a further run lies
round their mean with sd = s·√(1 + 1/n), and what is seen with probability 1 - beta is
log(1 + allow) + (t[1 - alpha] + t[1 - beta]) · sd with t on n - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_costguard.stats.intervals import mean, variance
from pytest_costguard.stats.limits import BETA, SUITE_ALPHA
from pytest_costguard.stats.paired import DEEP_LOOKS, USUAL_LOOKS, Fit, Looks, shares
from pytest_costguard.stats.quantiles import normal_quantile, t_quantile
from pytest_costguard.stats.stored import ENOUGH_RUNS

ALLOW = 0.02
"""The default of what the mean may get worse."""
_FEWEST_GROUPS = 2
_BIAS_CONFIDENCE = 0.95
_SURELY_WRONG = 0.001
"""P-value below which an A/A run is said to show a difference; a bias of a few tenths of a per
cent is real everywhere, and is allowed for by never testing against zero."""
_HARMLESS = math.log1p(0.005)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The smallest change that is called regressed with 95 % power, and what it takes."""

    change: float
    """As a share: 0.05 is 5 %."""
    units: int
    deep: bool = False
    """Whether it takes the looks of the deep mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpread:
    """How a run's mean varies from run to run: what all its units share, and each unit's own."""

    shared: float
    """Standard deviation, as a logarithm, that more units in a run do not remove."""
    own: float
    """Standard deviation, as a logarithm, of a unit within its run."""

    def of_run(self, units: int) -> float:
        """Return the standard deviation of a run's mean over so many units.

        Raises:
            ValueError: for fewer than one unit.
        """
        if units < 1:
            raise ValueError(f"a run has at least one unit, got {units}")
        return math.sqrt(self.shared**2 + self.own**2 / units)


def reach_side_by_side(
    spread: float,
    *,
    seconds: float,
    seconds_a_unit: float,
    allow: float = ALLOW,
    hypotheses: int = 1,
    totals: bool = False,
) -> Reach | None:
    """Return the smallest change that can be promised to be seen side by side.

    Args:
        spread: standard deviation of a unit round the model, as a logarithm.
        seconds: that may be spent on one workload, starts included.
        seconds_a_unit: that one unit of both sides takes.
        allow: how much worse is allowed, as a share.
        hypotheses: among which the run's error is shared.
        totals: whether the inputs differ, so that the typical change and the total's have an
            equal share of the error each, beside that of the sum over all requests.

    Returns:
        None where the first look is not reached in that time.

    Raises:
        ValueError: `seconds_a_unit` is not above zero.
    """
    if not seconds_a_unit > 0:
        raise ValueError(f"a unit takes more than 0 s, got {seconds_a_unit}")
    # A unit that ends a hair late still counts: 24 units of 0.5 s are 12 s.
    units = math.floor(seconds / seconds_a_unit + 1e-9)
    alpha = SUITE_ALPHA / hypotheses * shares(total=totals, summed=True)["typical"]
    found = [
        Reach(
            change=_change(spread, reached, looks, allow=allow, alpha=alpha),
            units=reached,
            deep=deep,
        )
        for looks, deep in ((USUAL_LOOKS, False), (DEEP_LOOKS, True))
        if (reached := max((u for u in looks.units if u <= units), default=0))
    ]
    # The deep mode costs error at its further looks, and is worth it only where it gets there.
    return min(found, key=lambda reach: reach.change, default=None)


def _change(spread: float, units: int, looks: Looks, *, allow: float, alpha: float) -> float:
    count, df = len(looks.units), units - 2
    reach = t_quantile(1 - alpha / count, df) + t_quantile(1 - BETA / count, df)
    return math.expm1(math.log1p(allow) + reach * spread / math.sqrt(units))


def run_spread(logs: Sequence[float], *, group: int = 3) -> RunSpread:
    """Return how runs differ, from units of separate processes that were made one after another.

    Neighbouring units are taken for a run, and the analysis of variance of a one-way random model
    tells what they share from what is each one's own (Searle, Casella and McCulloch, "Variance
    Components", 3.5): shared² = max(0, (MSB - MSW) ÷ group). Units after the last whole group
    are not used. Runs made back to back do not know tomorrow's variance: this bounds it below.

    Args:
        logs: one logarithm a unit, in the order in which they were measured.
        group: how many neighbouring units stand for a run; at least 2.

    Raises:
        ValueError: there are fewer than two groups.
    """
    groups = [logs[at : at + group] for at in range(0, len(logs) - group + 1, group)]
    if len(groups) < _FEWEST_GROUPS or group < _FEWEST_GROUPS:
        raise ValueError(
            f"at least two groups of at least 2 are needed, got {len(logs)} in {group}s"
        )
    within = mean([variance(one) for one in groups])
    between = group * variance([mean(one) for one in groups])
    return RunSpread(shared=math.sqrt(max(0.0, (between - within) / group)), own=math.sqrt(within))


def reach_stored(
    spread: float,
    *,
    runs: int = ENOUGH_RUNS,
    allow: float = ALLOW,
    hypotheses: int = 1,
    declared: bool = False,
) -> float:
    """Return the smallest change, as a share, that a stored baseline sees with 95 % power.

    Args:
        spread: from run to run, as a logarithm.
        runs: of the baseline.
        allow: how much worse is allowed, as a share.
        hypotheses: among which the run's error is shared.
        declared: whether the spread is declared, so that the normal quantile stands for t.

    Raises:
        ValueError: for fewer runs than the rule takes.
    """
    if runs < (1 if declared else ENOUGH_RUNS):
        raise ValueError(f"the rule takes {ENOUGH_RUNS} runs, or a declared spread; got {runs}")
    alpha = SUITE_ALPHA / hypotheses
    far, near = (
        (normal_quantile(1 - alpha), normal_quantile(1 - BETA))
        if declared
        else (t_quantile(1 - alpha, runs - 1), t_quantile(1 - BETA, runs - 1))
    )
    return math.expm1(math.log1p(allow) + (far + near) * spread * math.sqrt(1 + 1 / runs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias:
    """What is left of the change where both sides are the same, with its 95 % interval."""

    change: float
    lower: float
    upper: float
    wrong: bool
    """Whether it is surely a difference, and a large one: something told the sides apart."""


def bias_of(fitted: Fit) -> Bias:
    """Judge the change of an A/A run: below half a per cent is real everywhere, and harmless."""
    half = t_quantile(0.5 + _BIAS_CONFIDENCE / 2, fitted.df) * fitted.standard_error
    least = abs(fitted.change) - t_quantile(1 - _SURELY_WRONG / 2, fitted.df) * (
        fitted.standard_error
    )
    return Bias(
        change=fitted.change,
        lower=fitted.change - half,
        upper=fitted.change + half,
        wrong=least > _HARMLESS,
    )


def uncertainty_of_spread(df: int) -> float:
    """Return the relative standard error of a standard deviation: about 1 ÷ √(2·df).

    For a normal variable, to first order (Kenney and Keeping, "Mathematics of Statistics" II, 7.8).

    Raises:
        ValueError: for fewer than one degree of freedom.
    """
    if df < 1:
        raise ValueError(f"df must be at least 1, got {df}")
    return 1 / math.sqrt(2 * df)
