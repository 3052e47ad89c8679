"""The rule for stored baselines: what one run says against a series of earlier runs.

All values are logarithms, signed so that larger is worse, one a unit: log(metric) for latency,
-log(metric) for throughput, less log(calibration kernel) where the machine's speed matters.

With at least 8 runs from separate sessions a new run is held against their spread: the
prediction interval of one further observation of a normal variable, z̄ ± t·s·sqrt(1 + 1/n). With
fewer, only what no spread seen on any runner explains is called a change; but metrics that hardly
differ from run to run have a rule of their own (`near_exact`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_costguard.records import Verdict
from pytest_costguard.stats import near_exact as ranges
from pytest_costguard.stats.intervals import mean, variance
from pytest_costguard.stats.limits import BETA, Limits
from pytest_costguard.stats.quantiles import normal_quantile, t_quantile

ENOUGH_RUNS = 8

_FEW_RUNS_RATIO = 1.5
_BEYOND_ALLOWED = 1.25
_DISBELIEF = 2.0

Rule = Literal["spread of runs", "near exact", "declared spread", "few runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """A verdict with the logarithms that it rests on; above 0 is worse."""

    verdict: Verdict
    rule: Rule
    change: float
    lower: float | None = None
    """The change is surely above it, at 1 - alpha; None where the spread is not known."""
    upper: float | None = None
    """The change is surely below it: at 1 - beta, and at 1 - alpha where `improved` is said."""
    smallest_visible: float
    """The smallest change that could have been called regressed."""
    missing_runs: int
    """How many baseline runs are missing before their own spread decides."""
    spread: float | None = None
    """The run-to-run standard deviation that decided, where one did."""
    times_spread: float | None = None
    """How many times `spread` a change must be beyond what is allowed; None where none decided."""
    fewer_units: bool = False
    """Whether head's having fewer units than the runs counts for more than their spread."""
    spread_disbelieved: float | None = None
    """The run-to-run spread that the units show, where it refutes the declared one."""


def decide_stored(
    head: Sequence[float],
    runs: Sequence[Sequence[float]],
    *,
    limits: Limits,
    runner_spread: float | None = None,
    near_exact: bool = False,
) -> StoredDecision:
    """Compare one run with a stored series.

    Args:
        head: one log a unit of the run to judge.
        runs: for each baseline run, one log a unit; at least one run.
        limits: what is allowed, what must be caught, how many hypotheses share the error.
        runner_spread: relative standard deviation from run to run that was declared for this
            runner; it counts only where there are fewer than 8 runs.
        near_exact: whether the metric hardly differs from run to run, so that two runs bound it;
            that goes before `runner_spread`, which is about speed.

    Raises:
        ValueError: if head, the series or one of its runs is empty.
    """
    if not head or not runs or not all(runs):
        raise ValueError("head, the series and each of its runs need at least one value")
    if len(runs) >= ENOUGH_RUNS:
        means = [mean(run) for run in runs]
        df = len(runs) - 1
        return _by_spread(
            head,
            runs,
            limits=limits,
            change=mean(head) - mean(means),
            spread=math.sqrt(variance(means)),
            reach=(t_quantile(1 - limits.alpha, df), t_quantile(1 - BETA, df)),
            rule="spread of runs",
        )
    if near_exact and (exact := _by_range(head, runs, limits=limits)) is not None:
        return exact
    if runner_spread is None:
        return _by_few_runs(head, runs, limits=limits)
    shown = _spread_of_units(head, runs)
    if shown > _DISBELIEF * runner_spread:
        return _by_few_runs(head, runs, limits=limits, disbelieved=shown)
    return _by_spread(
        head,
        runs,
        limits=limits,
        change=_change(head, runs),
        spread=runner_spread,
        reach=(normal_quantile(1 - limits.alpha), normal_quantile(1 - BETA)),
        rule="declared spread",
    )


def _by_spread(
    head: Sequence[float],
    runs: Sequence[Sequence[float]],
    *,
    limits: Limits,
    change: float,
    spread: float,
    reach: tuple[float, float],
    rule: Rule,
) -> StoredDecision:
    of_runs, of_units = spread**2 * (1 + 1 / len(runs)), _fewer_units(head, runs)
    sigma = math.sqrt(of_runs + of_units)
    far, near = reach[0] * sigma, reach[1] * sigma
    allowed, caught = math.log1p(limits.allow), math.log1p(limits.catch)
    upper = change + near
    if change - far > allowed:
        verdict = Verdict.REGRESSED
    elif change + far < -math.log1p(limits.improvement):
        verdict, upper = Verdict.IMPROVED, change + far
    elif change + near < caught:
        verdict = Verdict.UNCHANGED
    else:
        verdict = Verdict.INCONCLUSIVE
    return StoredDecision(
        verdict=verdict,
        rule=rule,
        change=change,
        lower=change - far,
        upper=upper,
        smallest_visible=allowed + far,
        missing_runs=max(0, ENOUGH_RUNS - len(runs)),
        spread=spread,
        times_spread=far / spread if spread else None,
        fewer_units=of_units > of_runs,
    )


def _by_range(
    head: Sequence[float], runs: Sequence[Sequence[float]], *, limits: Limits
) -> StoredDecision | None:
    """Decide by the range of all units; None where that is no ground to stand on."""
    found = ranges.bounds(head, runs)
    if found is None:
        return None
    change = _change(head, runs)
    allowed, caught = math.log1p(limits.allow), math.log1p(limits.catch)
    verdict = Verdict.INCONCLUSIVE
    if found.lower > allowed and found.error <= limits.alpha:
        verdict = Verdict.REGRESSED
    elif found.upper < -math.log1p(limits.improvement) and found.error <= limits.alpha:
        verdict = Verdict.IMPROVED
    elif found.upper < caught and found.error <= BETA:
        verdict = Verdict.UNCHANGED
    elif found.error > limits.alpha:
        # Too few units for so many gates: what no spread explains is still a change.
        few = _by_few_runs(head, runs, limits=limits)
        if few.verdict is not Verdict.INCONCLUSIVE:
            return few
    return StoredDecision(
        verdict=verdict,
        rule="near exact",
        change=change,
        lower=found.lower,
        upper=found.upper,
        smallest_visible=_visible_by_range(change - found.lower, found.error, limits=limits),
        missing_runs=ENOUGH_RUNS - len(runs),
    )


def _visible_by_range(reach: float, error: float, *, limits: Limits) -> float:
    if error > limits.alpha:
        return max(_few_runs_change(limits), reach)
    return math.log1p(limits.allow) + reach


def _few_runs_change(limits: Limits) -> float:
    """1.5 as such; where more than 20 % is allowed it must be clearly beyond that as well."""
    return max(math.log(_FEW_RUNS_RATIO), math.log1p(limits.allow) + math.log(_BEYOND_ALLOWED))


def _by_few_runs(
    head: Sequence[float],
    runs: Sequence[Sequence[float]],
    *,
    limits: Limits,
    disbelieved: float | None = None,
) -> StoredDecision:
    change = _change(head, runs)
    needed = _few_runs_change(limits)
    slowest, fastest = max(map(max, runs)), min(map(min, runs))
    verdict = Verdict.INCONCLUSIVE
    if change >= needed and min(head) > slowest:
        verdict = Verdict.REGRESSED
    elif change <= -needed and max(head) < fastest:
        verdict = Verdict.IMPROVED
    return StoredDecision(
        verdict=verdict,
        rule="few runs",
        change=change,
        smallest_visible=needed,
        missing_runs=ENOUGH_RUNS - len(runs),
        spread_disbelieved=disbelieved,
    )


def _change(head: Sequence[float], runs: Sequence[Sequence[float]]) -> float:
    return mean(head) - mean([mean(run) for run in runs])


def _unit_variance(runs: Sequence[Sequence[float]]) -> float:
    """Pool the variance of units within their runs; 0.0 where no run has two."""
    several = [run for run in runs if len(run) > 1]
    degrees = sum(len(run) - 1 for run in several)
    if not degrees:
        return 0.0
    return math.fsum(variance(run) * (len(run) - 1) for run in several) / degrees


def _fewer_units(head: Sequence[float], runs: Sequence[Sequence[float]]) -> float:
    """Return the variance that head has beyond a baseline run because it has fewer units.

    Zero for equal numbers of units: the spread of the runs holds only for a run of their kind.
    """
    beyond = 1 / len(head) - mean([1 / len(run) for run in runs])
    # The usual case, told apart because the variance of all units is dear in a large suite.
    return _unit_variance([head, *runs]) * beyond if beyond > 0 else 0.0


def _spread_of_units(head: Sequence[float], runs: Sequence[Sequence[float]]) -> float:
    """Return the run-to-run spread that the units alone bring about: a lower bound of the true one.

    Where it is more than twice what was declared (by chance: 1 in 60,000 on 10 degrees of
    freedom), the declaration does not hold for this metric on this day.
    """
    return math.sqrt(_unit_variance([head, *runs]) / len(head))
