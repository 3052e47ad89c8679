"""Replaying rules over recorded units: false alarms, power, and how long a verdict takes.

Twice: over consecutive units, each used once, so that the binomial intervals hold; and, for
suites, over units that are drawn anew from the recorded ones, which says more about rare events
only as far as the recorded units hold them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.verdicts.proportions import Proportion
from benchmarks.verdicts.rules import Outcome, Rule
from benchmarks.verdicts.series import RecordedUnit
from pytest_costguard.engine.standing import SLOW_TIMES, Bounds
from pytest_costguard.records import Verdict
from pytest_costguard.stats.limits import Limits
from pytest_costguard.stats.paired import (
    USUAL_LOOKS,
    PairedDecision,
    PairedUnit,
    decide_paired,
    holm,
)

GATES = 2
"""Of each workload by default: mean latency and peak memory."""
BOUNDS = Bounds(
    units=USUAL_LOOKS.most, seconds=60.0, slow_seconds=SLOW_TIMES * 60.0, suite_seconds=math.inf
)
"""The plugin's own time limit for a workload; it holds once six units are measured."""
_LEAST_UNITS = 6


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One verdict on one workload, and what it took."""

    verdict: Verdict
    units: int
    paired_seconds: float
    wall_seconds: float
    decision: PairedDecision | None


def consecutive(units: Sequence[RecordedUnit], rule: Rule, *, hypotheses: int) -> list[Trial]:
    """Judge again and again, each time from the unit after the last one that was used."""
    trials: list[Trial] = []
    start = 0
    while (trial := _trial(units[start:], rule, hypotheses=hypotheses)) is not None:
        trials.append(trial)
        start += trial.units
    return trials


def _trial(units: Sequence[RecordedUnit], rule: Rule, *, hypotheses: int) -> Trial | None:
    """Judge from the first unit on; None where the last look, or the time limit, does not fit.

    Whatever the verdict: near the end of the units, only the quick ones would fit.
    """
    most = _within_time(units, rule)
    if most > len(units) < rule.looks.most:
        return None
    wanted = units[: min(most, rule.looks.most)]
    values = [rule.reduction(unit) for unit in wanted]
    said = [value for value in values if value is not None]
    if len(said) < len(values) or len(said) < _LEAST_UNITS:
        return None
    out_of_time = most < rule.looks.most and most <= len(units)
    outcome = rule.decide(said, hypotheses=hypotheses, final=out_of_time)
    ended = out_of_time or len(said) == rule.looks.most
    if outcome.verdict is Verdict.INCONCLUSIVE and not ended:
        return None
    return _costed(outcome, wanted, rule)


def _within_time(units: Sequence[RecordedUnit], rule: Rule) -> int:
    """After how many units the time limit ends the measuring; more than there are: not at all."""
    spent = 0.0
    for number, unit in enumerate(units, start=1):
        spent += _wall_seconds(unit, rule)
        if number >= _LEAST_UNITS and BOUNDS.ended(units=number, spent=spent):
            return number
    return len(units) + rule.looks.most


def _wall_seconds(unit: RecordedUnit, rule: Rule) -> float:
    return unit.overhead_seconds + rule.paired_share * unit.paired_seconds


def _costed(outcome: Outcome, units: Sequence[RecordedUnit], rule: Rule) -> Trial:
    # An inconclusive verdict rests on the last look, and costs every unit that was measured.
    undecided = outcome.verdict is Verdict.INCONCLUSIVE
    used = len(units) if undecided else outcome.units
    return Trial(
        verdict=outcome.verdict,
        units=used,
        paired_seconds=sum(rule.paired_share * unit.paired_seconds for unit in units[:used]),
        wall_seconds=sum(_wall_seconds(unit, rule) for unit in units[:used]),
        decision=outcome.decision,
    )


def drawn(
    units: Sequence[RecordedUnit], rule: Rule, *, hypotheses: int, source: random.Random
) -> Trial | None:
    """Judge over units drawn with replacement, in neighbouring pairs of both starting orders.

    None where there are too few units, or they cannot say what the rule asks.
    """
    pairs = [
        pair
        for pair in zip(units[0::2], units[1::2], strict=False)
        if pair[0].cell.first != pair[1].cell.first
    ]
    if len(pairs) < _LEAST_UNITS:
        return None
    chosen = source.choices(pairs, k=rule.looks.most // 2)
    return _trial([unit for pair in chosen for unit in pair], rule, hypotheses=hypotheses)


def failed_suite(trials: Sequence[Trial]) -> bool:
    """Whether a suite of these workloads fails: one is regressed, by itself or by Holm's procedure.

    Peak memory is a hypothesis of each workload too; here it never changes.
    """
    if any(trial.verdict is Verdict.REGRESSED for trial in trials):
        return True
    decisions: dict[tuple[int, str], PairedDecision] = {}
    for number, trial in enumerate(trials):
        if trial.decision is None:
            return False
        decisions[number, "mean"] = trial.decision
        decisions[number, "peak_memory"] = _SAME_MEMORY
    return bool(holm(decisions))


def _same_memory() -> PairedDecision:
    units = [PairedUnit(change=0.0, first=first) for first in ("base", "head", "base", "head") * 2]
    return decide_paired(units[:6], limits=Limits(allow=0.02, catch=0.05))


_SAME_MEMORY = _same_memory()


def suites(
    by_workload: Mapping[str, Sequence[RecordedUnit]],
    rule: Rule,
    *,
    size: int,
    repeats: int,
    seed: int = 0,
) -> Proportion:
    """How many of so many suites fail, over units that are drawn anew for each.

    Args:
        by_workload: recorded at one level; taken in turn until the suite has its size.
        rule: to judge by.
        size: workloads in a suite.
        repeats: suites.
        seed: of the drawing.
    """
    source = random.Random(seed)
    names = sorted(by_workload)
    hits = trials = 0
    for _ in range(repeats if names else 0):
        found = [
            drawn(by_workload[names[i % len(names)]], rule, hypotheses=GATES * size, source=source)
            for i in range(size)
        ]
        whole = [trial for trial in found if trial is not None]
        if len(whole) < size:
            continue
        trials += 1
        hits += failed_suite(whole)
    return Proportion(hits=hits, trials=trials)


def consecutive_suites(
    by_workload: Mapping[str, Sequence[RecordedUnit]], rule: Rule, *, size: int
) -> Proportion:
    """How many suites fail, each made of consecutive units that no other one uses."""
    names = sorted(by_workload)
    if not names:
        return Proportion(hits=0, trials=0)
    trials = {n: consecutive(by_workload[n], rule, hypotheses=GATES * size) for n in names}
    share = {name: [i for i in range(size) if names[i % len(names)] == name] for name in names}
    taking = [name for name in names if share[name]]
    count = min(len(trials[name]) // len(share[name]) for name in taking)
    hits = 0
    for number in range(count):
        members: list[Trial] = []
        for name in taking:
            each = len(share[name])
            members += trials[name][number * each : (number + 1) * each]
        hits += failed_suite(members)
    return Proportion(hits=hits, trials=count)


def share_of(trials: Sequence[Trial], matches: Callable[[Trial], bool]) -> Proportion:
    """How many of the trials match."""
    return Proportion(hits=sum(map(matches, trials)), trials=len(trials))
