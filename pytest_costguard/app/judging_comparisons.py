"""Head against the stored baseline, one metric at a time."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_costguard.app.judging_history import History
from pytest_costguard.app.judging_lateness import holds
from pytest_costguard.app.judging_ratio import ratio
from pytest_costguard.app.judging_reasons import SIDE_BY_SIDE_OR_QUIETER, Grounds, reason_of
from pytest_costguard.app.judging_subject import Subject, stored_metric
from pytest_costguard.records import (
    METRICS,
    OF_REQUESTS,
    Against,
    BaselineWorkload,
    Comparison,
    Regression,
    Verdict,
)
from pytest_costguard.reports.numbers import percent
from pytest_costguard.stats.intervals import mean, variance
from pytest_costguard.stats.levels import decide_level
from pytest_costguard.stats.limits import SUITE_ALPHA, Limits
from pytest_costguard.stats.stored import StoredDecision, decide_stored

_OF_WAITING = OF_REQUESTS - {"error_rate"}


def limits_of(regression: Regression, *, hypotheses: int) -> Limits:
    """Return what a rule asks of a comparison: an acceptance lifts only what is worse.

    Args:
        regression: the rule.
        hypotheses: among which the run's error is shared.
    """
    accepted = regression.accepted
    return Limits(
        allow=regression.allow,
        catch=regression.catch,
        hypotheses=hypotheses,
        better=None if accepted is None else accepted.allow,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all comparisons of a run share."""

    hypotheses: int
    runner_spread: float | None
    looks: int = 1
    """After how many numbers of units what was measured may have ended the measuring. Budgets and
    quality are decided then and no sooner, and share their error among them: see `decide_level`."""

    @property
    def alpha(self) -> float:
        """The error of a budget, which is decided once, after the last unit."""
        return SUITE_ALPHA / (self.hypotheses * self.looks)

    def limits(self, regression: Regression) -> Limits:
        """Return what one regression gate asks for."""
        return limits_of(regression, hypotheses=self.hypotheses)

    def beside(self, against: Against) -> Terms:
        """Return the terms of what was measured side by side, until a look decided."""
        return dataclasses.replace(self, looks=max(1, len(against.looks)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Logs:
    """Logarithms a unit, signed so that larger is worse."""

    head: tuple[float, ...]
    runs: tuple[tuple[float, ...], ...]
    machine: float
    """How much slower than the baseline's the machine was today; already taken out."""
    corrected: bool
    """Whether all runs have the calibration kernel, so that a correction was made at all."""
    measured: tuple[float, ...]
    """The mean of each run as measured, before any correction."""

    @property
    def measured_spread(self) -> float | None:
        """The runs' standard deviation as measured; None where it is the corrected one, too."""
        if not self.corrected or len(self.measured) < 2:
            return None
        return math.sqrt(variance(self.measured))


def compare(
    regression: Regression, *, subject: Subject, history: History, terms: Terms
) -> Comparison:
    """Decide about one metric of one workload against its earlier runs."""
    metric = regression.metric
    head = subject.estimate(metric)
    if history.absence is not None:
        return _undecided(regression, history.absence, history.reason, head=head)
    stored = stored_metric(metric)
    base = subject.base_value(metric, history.average(stored))
    if not subject.values(stored):
        reason = subject.absence(stored)
        return _undecided(regression, Verdict.INCONCLUSIVE, reason, base=base)
    if not history.values(stored):
        reason = f"{history.name} holds no {METRICS[stored].title}"
        return _undecided(regression, Verdict.NEW, reason, head=head)
    if metric == "quality":
        return _compare_quality(regression, subject=subject, history=history, terms=terms)
    entries = [entry for entry in history.entries if entry.metrics.get(stored)]
    if metric == "peak_memory":
        method = subject.reduced.memory_method
        alike = [entry for entry in entries if entry.memory_method in ("", method)]
        if not alike:
            theirs = entries[-1].memory_method
            reason = f"its memory is read as {method!r} here, and was as {theirs!r} in the baseline"
            return _undecided(regression, Verdict.NOT_COMPARABLE, reason, head=head, base=base)
        entries = alike
    logs = _logs(stored, subject.reduced, entries)
    if logs is None:
        reason = f"a {METRICS[stored].title} that is not above zero has no ratio"
        return _undecided(regression, Verdict.INCONCLUSIVE, reason, head=head, base=base)
    decision = decide_stored(
        logs.head,
        logs.runs,
        limits=terms.limits(regression),
        runner_spread=terms.runner_spread,
        near_exact=METRICS[stored].near_exact,
    )
    few = decision.rule == "few runs" and logs.corrected
    doubted = few and _doubted(
        decision.verdict, stored, subject.reduced, entries, limits=terms.limits(regression)
    )
    if doubted:
        decision = dataclasses.replace(decision, verdict=Verdict.INCONCLUSIVE)
    return _comparison(
        regression,
        decision,
        grounds=Grounds(
            runs=len(logs.runs),
            runner_spread=terms.runner_spread,
            machine=logs.machine,
            measured_spread=logs.measured_spread,
            doubted=doubted,
        ),
        subject=subject,
        head=head,
        base=base,
        excused=_excused(
            decision, logs, subject=subject, regression=regression, metric=stored, terms=terms
        ),
    )


def _excused(
    decision: StoredDecision,
    logs: _Logs,
    *,
    subject: Subject,
    regression: Regression,
    metric: str,
    terms: Terms,
) -> bool:
    """Whether head is worse only with the time in which no core served it: neighbours' time."""
    least = subject.least_ratio(metric)
    if decision.verdict is not Verdict.REGRESSED or least == 1.0:
        return False
    if least == 0.0:
        return True
    without = decide_stored(
        [log + math.log(least) for log in logs.head],
        logs.runs,
        limits=terms.limits(regression),
        runner_spread=terms.runner_spread,
        near_exact=METRICS[metric].near_exact,
    )
    return without.verdict is not Verdict.REGRESSED


def _doubted(
    verdict: Verdict,
    metric: str,
    head: BaselineWorkload,
    entries: Sequence[BaselineWorkload],
    *,
    limits: Limits,
) -> bool:
    """Whether only the correction for the machine's speed makes a change out of few runs.

    Not all work follows the calibration kernel: what waits does not. A spread of runs contains
    that error; few runs do not, so there the figures as measured must say the same.
    """
    if verdict not in (Verdict.REGRESSED, Verdict.IMPROVED):
        return False
    plain, *runs = (_signed_logs(entry, metric) for entry in (head, *entries))
    return decide_stored(plain, runs, limits=limits).verdict != verdict


def _undecided(
    regression: Regression,
    verdict: Verdict,
    reason: str,
    *,
    head: float | None = None,
    base: float | None = None,
) -> Comparison:
    return Comparison(
        metric=regression.metric,
        verdict=verdict,
        head=head,
        base=base,
        regression=regression,
        reason=reason,
    )


def _comparison(
    regression: Regression,
    decision: StoredDecision,
    *,
    grounds: Grounds,
    subject: Subject,
    head: float | None,
    base: float | None,
    excused: bool,
) -> Comparison:
    obstacle = subject.obstacle(
        regression.metric,
        holds=lambda moved: holds(
            decision.verdict,
            lower=decision.lower,
            upper=decision.upper,
            regression=regression,
            head=moved,
        ),
    )
    # Latencies of a growing queue are as long as the window, and nobody knows the baseline's.
    worse = decision.verdict is Verdict.REGRESSED and regression.metric in _OF_WAITING
    if worse or decision.verdict in (Verdict.UNCHANGED, Verdict.IMPROVED):
        obstacle = obstacle or subject.piling_up(regression.metric)
    verdict = Verdict.INCONCLUSIVE if obstacle or excused else decision.verdict
    reason = obstacle or reason_of(decision, regression=regression, grounds=grounds)
    reason += "" if obstacle else subject.despite(regression.metric)
    if excused and not obstacle:
        allow = percent(regression.allow)
        reason = subject.accused(f"it looks more than {allow} worse") + SIDE_BY_SIDE_OR_QUIETER
    elif verdict is Verdict.INCONCLUSIVE:
        reason = subject.explained(reason)
    higher = METRICS[regression.metric].better == "higher"
    bounds = (decision.upper, decision.lower) if higher else (decision.lower, decision.upper)
    sign = -1 if higher else 1
    return Comparison(
        metric=regression.metric,
        verdict=verdict,
        head=head,
        base=base,
        ratio=ratio(sign * decision.change),
        lower=None if bounds[0] is None else ratio(sign * bounds[0]),
        upper=None if bounds[1] is None else ratio(sign * bounds[1]),
        smallest_visible=ratio(decision.smallest_visible) - 1,
        regression=regression,
        reason=reason,
        runs=grounds.runs,
    )


def _logs(metric: str, head: BaselineWorkload, entries: Sequence[BaselineWorkload]) -> _Logs | None:
    """Take logarithms, less those of the calibration kernel where all runs have it.

    Returns:
        None where a value of a broken record has no logarithm.
    """
    everyone = (head, *entries)
    try:
        logs = [_signed_logs(entry, metric) for entry in everyone]
    except ValueError:
        return None
    measured = tuple(mean(run) for run in logs[1:])
    kernels = _kernel_logs(everyone) if METRICS[metric].scales_with_machine else None
    if kernels is None:
        return _Logs(
            head=logs[0], runs=tuple(logs[1:]), machine=0.0, corrected=False, measured=measured
        )
    speeds = [mean(kernel) for kernel in kernels]
    corrected = [_corrected(*pair) for pair in zip(logs, kernels, strict=True)]
    return _Logs(
        head=corrected[0],
        runs=tuple(corrected[1:]),
        machine=speeds[0] - mean(speeds[1:]),
        corrected=True,
        measured=measured,
    )


def _signed_logs(entry: BaselineWorkload, metric: str) -> tuple[float, ...]:
    """Raise `ValueError` for a value that is not above zero; records hold finite ones only."""
    logs = tuple(map(math.log, entry.metrics[metric]))
    return tuple(map(operator.neg, logs)) if METRICS[metric].better == "higher" else logs


def _kernel_logs(everyone: Sequence[BaselineWorkload]) -> list[tuple[float, ...]] | None:
    """Return the logarithm of the kernel's seconds a unit; None where a run lacks them."""
    if not all(entry.calibration for entry in everyone):
        return None
    return [tuple(map(math.log, entry.calibration)) for entry in everyone]


def _corrected(logs: tuple[float, ...], kernel: tuple[float, ...]) -> tuple[float, ...]:
    if len(kernel) == len(logs):
        return tuple(map(operator.sub, logs, kernel))
    # Some units lack one of the two, so which belongs to which is not known: take the mean.
    shift = mean(kernel)
    return tuple([log - shift for log in logs])


def _compare_quality(
    regression: Regression, *, subject: Subject, history: History, terms: Terms
) -> Comparison:
    """Hold quality against the baseline's mean: it may be zero, so its ratio decides nothing."""
    runs = history.values("quality")
    base = mean([mean(run) for run in runs])
    decision = decide_level(
        subject.values("quality"), base=base, limits=terms.limits(regression), looks=terms.looks
    )
    found = decision.interval
    obstacle = subject.obstacle("quality")
    floor = base - regression.allow * abs(base)
    return Comparison(
        metric="quality",
        verdict=Verdict.INCONCLUSIVE if obstacle else decision.verdict,
        head=found.estimate,
        base=base,
        ratio=found.estimate / base if base > 0 else None,
        lower=found.lower / base if base > 0 and not obstacle else None,
        upper=found.upper / base if base > 0 and not obstacle else None,
        regression=regression,
        reason=obstacle or f"held against a floor of {floor:.4g}, from {len(runs)} runs",
        runs=len(runs),
    )
