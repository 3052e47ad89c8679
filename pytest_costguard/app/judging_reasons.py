"""Why a comparison with a stored baseline says what it says, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_costguard.app.judging_ratio import ratio
from pytest_costguard.records import METRICS, Regression, Verdict
from pytest_costguard.reports.numbers import change, counted, percent, significant
from pytest_costguard.stats.near_exact import ENOUGH_RUNS as ENOUGH_IF_NEAR_EXACT
from pytest_costguard.stats.near_exact import RUN_TO_RUN
from pytest_costguard.stats.stored import ENOUGH_RUNS, StoredDecision

_SPEED_WORTH_NAMING = 0.01
_WIDENED = 1.5
"""From so many times the spread as measured on, the correction is what a spread consists of."""
SIDE_BY_SIDE_OR_QUIETER = (
    ": compare base and head side by side on one machine, or use a quieter one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a comparison rests on."""

    runs: int
    runner_spread: float | None
    machine: float
    """Logarithm of how much slower the machine was than for the baseline; taken out already."""
    measured_spread: float | None = None
    """Of the runs' logarithms as measured, where what decided is corrected; None where not."""
    doubted: bool = False
    """Whether the figures as measured do not show the change that the corrected ones show."""


def reason_of(decision: StoredDecision, *, regression: Regression, grounds: Grounds) -> str:
    """Say in one sentence, without a full stop, what decided."""
    if decision.rule == "few runs":
        text = _few_runs(decision, regression, grounds)
    elif decision.rule == "near exact":
        text = _by_range(decision, regression, grounds)
    else:
        text = _by_spread(decision, regression, grounds)
    if abs(grounds.machine) > _SPEED_WORTH_NAMING:
        slower = "slower" if grounds.machine > 0 else "faster"
        size = percent(round(abs(ratio(grounds.machine) - 1), 3))
        text += f"; corrected for a machine that was {size} {slower} than for the baseline"
    if grounds.doubted:
        text += ", without which there is no such change"
    return text


def _by_spread(decision: StoredDecision, regression: Regression, grounds: Grounds) -> str:
    against = f"against the spread of {counted(grounds.runs, 'baseline run')}"
    if decision.rule == "declared spread" and grounds.runner_spread is not None:
        against = (
            f"against {counted(grounds.runs, 'baseline run')} and the declared runner spread "
            f"of {percent(grounds.runner_spread)}"
        )
    allow, catch = percent(regression.allow), percent(regression.catch)
    if decision.verdict is Verdict.REGRESSED:
        return f"surely more than {allow} worse, {against}"
    if decision.verdict is Verdict.IMPROVED:
        return f"surely more than {allow} better, {against}"
    if decision.verdict is Verdict.UNCHANGED:
        return f"surely less than {catch} worse, {against}"
    text = f"changes can be seen from {_visible(decision)} up, {against}"
    text += _made_up_of(decision, regression, grounds)
    if decision.smallest_visible <= math.log1p(regression.catch):
        return f"{text}; this one is too close to what is allowed"
    return f"{text}, but must be from {catch}" + SIDE_BY_SIDE_OR_QUIETER


def _made_up_of(decision: StoredDecision, regression: Regression, grounds: Grounds) -> str:
    """Say how a spread becomes the smallest visible change, and what widened it most."""
    if not decision.spread or decision.times_spread is None:
        return ""
    spread = percent(round(decision.spread, 4))
    text = (
        f"{percent(regression.allow)} allowed and {significant(decision.times_spread)} times"
        f" their spread of {spread}"
    )
    measured = grounds.measured_spread
    if decision.fewer_units:
        text += ", mostly because this run has fewer units than they have"
    elif measured is not None and decision.spread > _WIDENED * measured:
        text += (
            f", which comes from correcting for the machine's speed: as measured they differ by"
            f" {percent(round(measured, 4))}"
        )
    return f" ({text})"


def _by_range(decision: StoredDecision, regression: Regression, grounds: Grounds) -> str:
    against = f"against the range of all units of {counted(grounds.runs, 'baseline run')}"
    if decision.verdict is Verdict.INCONCLUSIVE:
        return f"changes can be seen from {_visible(decision)} up, {against}"
    limit = regression.catch if decision.verdict is Verdict.UNCHANGED else regression.allow
    words = {
        Verdict.REGRESSED: "every unit more than {} worse",
        Verdict.IMPROVED: "every unit more than {} better",
        Verdict.UNCHANGED: "no unit as much as {} worse",
    }
    between = f"with {percent(RUN_TO_RUN)} for what runs differ by"
    return f"{words[decision.verdict].format(percent(limit))}, {against}, {between}"


def _few_runs(decision: StoredDecision, regression: Regression, grounds: Grounds) -> str:
    runs = counted(grounds.runs, "baseline run")
    if decision.verdict in (Verdict.REGRESSED, Verdict.IMPROVED):
        word = "worse" if decision.verdict is Verdict.REGRESSED else "better"
        return f"at least 1.5 times {word}, and every unit {word} than every unit of {runs}"
    enough, missing = ENOUGH_RUNS, decision.missing_runs
    if METRICS[regression.metric].near_exact and grounds.runs < ENOUGH_IF_NEAR_EXACT:
        enough, missing = ENOUGH_IF_NEAR_EXACT, ENOUGH_IF_NEAR_EXACT - grounds.runs
    text = (
        f"{runs} of {enough}: changes below {_visible(decision)} cannot be told from noise "
        f"until {missing} more {'is' if missing == 1 else 'are'} recorded "
        f"(costguard baseline record --runs {missing})"
    )
    if decision.spread_disbelieved is not None and grounds.runner_spread is not None:
        shown = percent(round(decision.spread_disbelieved, 4))
        text += (
            f"; the declared runner spread of {percent(grounds.runner_spread)} does not hold: "
            f"the units alone show {shown}"
        )
    return text


def _visible(decision: StoredDecision) -> str:
    return f"{change(ratio(decision.smallest_visible))} %"
