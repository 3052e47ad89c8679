"""The rule and its variants: what a unit says, when one looks, and how a verdict falls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.verdicts.always_valid import decide_always_valid
from benchmarks.verdicts.entries import Blocks
from benchmarks.verdicts.series import RecordedUnit
from pytest_costguard.records import Verdict
from pytest_costguard.stats.limits import Limits
from pytest_costguard.stats.paired import (
    USUAL_LOOKS,
    Looks,
    PairedDecision,
    PairedUnit,
    decide_paired,
)

Reduction = Callable[[RecordedUnit], PairedUnit | None]
"""What a unit says; None where it cannot say it."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a rule said, after how many units."""

    verdict: Verdict
    units: int
    decision: PairedDecision | None
    """What Holm's procedure needs; None from a rule that has no p-values."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A variant of the decision. The first one, with all defaults, is the plugin's own."""

    name: str
    about: str = ""
    allow: float = 0.02
    catch: float = 0.05
    looks: Looks = USUAL_LOOKS
    reduction: Reduction = RecordedUnit.paired
    prior_variance: float | None = None
    """Of an always-valid bound in place of looks; None: looks."""
    paired_share: float = 1.0
    """Which share of a unit's blocks it uses, and so of its measuring time."""

    def limits(self, hypotheses: int) -> Limits:
        """What is asked of one of so many hypotheses."""
        return Limits(allow=self.allow, catch=self.catch, hypotheses=hypotheses)

    def decide(self, units: Sequence[PairedUnit], *, hypotheses: int, final: bool) -> Outcome:
        """Say what is known after these units; INCONCLUSIVE also where more would be taken.

        Args:
            units: at most those of the last look.
            hypotheses: among which the run's error is shared.
            final: whether no more will come.
        """
        limits = self.limits(hypotheses)
        if self.prior_variance is not None:
            verdict, used = decide_always_valid(
                units, limits=limits, prior_variance=self.prior_variance
            )
            return Outcome(verdict=verdict, units=used, decision=None)
        decision = decide_paired(units, limits=limits, looks=self.looks, final=final)
        verdict = decision.verdict or Verdict.INCONCLUSIVE
        return Outcome(verdict=verdict, units=decision.units, decision=decision)

    def asking(self, *, allow: float, catch: float) -> Rule:
        """Return the same rule for other limits."""
        return dataclasses.replace(self, allow=allow, catch=catch)


def of_blocks(change: Callable[[Blocks], float]) -> Reduction:
    """Return a reduction of a unit's alternating blocks; totals are not looked at."""

    def reduced(unit: RecordedUnit) -> PairedUnit | None:
        blocks = unit.cell.blocks
        if blocks is None or unit.served_together:  # then the blocks are a glimpse
            return None
        return PairedUnit(change=change(blocks), first=unit.cell.first)

    return reduced


def _median_ratio(base: np.ndarray, head: np.ndarray) -> float:
    return float(np.median(np.log(head / base)))


def cpu_time(blocks: Blocks) -> float:
    """The median over pairs of the ratio of CPU times."""
    base, head = blocks.cpu_seconds()
    return _median_ratio(base, head)


def merged(blocks: Blocks, *, pairs: int) -> float:
    """The median over so many neighbouring pairs taken together, as if blocks were longer."""
    whole = blocks.wall_seconds().shape[1] // pairs
    if whole == 0:
        return _median_ratio(*blocks.wall_seconds())
    base, head = blocks.wall_seconds()[:, : whole * pairs].reshape(2, whole, pairs).sum(axis=2)
    return _median_ratio(base, head)


def first_part(blocks: Blocks, *, share: float) -> float:
    """The median over the first pairs only, as if a unit were shorter; at least eight pairs."""
    walls = blocks.wall_seconds()
    kept = min(walls.shape[1], max(8, math.ceil(share * walls.shape[1])))
    return _median_ratio(*walls[:, :kept])


def sums(blocks: Blocks) -> float:
    """The ratio of all blocks' times together."""
    base, head = blocks.wall_seconds().sum(axis=1)
    return math.log(head / base)


def quick_blocks(blocks: Blocks) -> float:
    """The ratio of the sides' lower quartiles: of blocks that nothing has interrupted."""
    base, head = np.quantile(blocks.wall_seconds(), 0.25, axis=1)
    return math.log(head / base)


def less_waiting(weight: float) -> Reduction:
    """The change of wall time less `weight` times that of what is waited for the processor."""

    def change(blocks: Blocks) -> float:
        wall, cpu = _median_ratio(*blocks.wall_seconds()), cpu_time(blocks)
        return wall - weight * (wall - cpu)

    return of_blocks(change)


def less_control(weight: float) -> Reduction:
    """The recorded change less `weight` times that of equal work in the same two processes."""

    def reduced(unit: RecordedUnit) -> PairedUnit | None:
        known = unit.paired()
        control = None if unit.control is None else unit.control.changes.get("mean")
        if known is None or control is None:
            return None
        return PairedUnit(change=known.change - weight * control.change, first=known.first)

    return reduced


def _looks(*units: int, shares: Sequence[float] = ()) -> Looks:
    return Looks(units=units, alpha_shares=tuple(shares))


RULES: tuple[Rule, ...] = (
    Rule(
        name="as it is",
        about="looks at 6, 10, 16, 24; equal shares of alpha; way and clock as chosen",
    ),
    Rule(
        name="median only",
        about="no total of the inputs, no sum over requests: all of alpha is the median's",
        reduction=lambda unit: _typical_only(unit.paired()),
    ),
    Rule(
        name="no sum over requests",
        about="what is seldom slow is not looked at, and has no share of alpha",
        reduction=lambda unit: _without_sum(unit.paired()),
    ),
    Rule(name="p50", about="the median latency of each block", reduction=lambda u: u.paired("p50")),
    Rule(name="looks 8, 16, 24", looks=_looks(8, 16, 24)),
    Rule(name="looks 6, 12, 24", looks=_looks(6, 12, 24)),
    Rule(name="looks 10, 24", looks=_looks(10, 24)),
    Rule(name="one look at 24", looks=_looks(24)),
    Rule(name="looks at every second unit", looks=_looks(*range(6, 25, 2))),
    Rule(
        name="alpha late",
        about="5, 15, 30 and 50 % of alpha at the four looks",
        looks=_looks(6, 10, 16, 24, shares=(0.05, 0.15, 0.3, 0.5)),
    ),
    Rule(
        name="alpha early",
        about="50, 25, 15 and 10 % of alpha at the four looks",
        looks=_looks(6, 10, 16, 24, shares=(0.5, 0.25, 0.15, 0.1)),
    ),
    Rule(name="always valid, g = 1", about="after every unit", prior_variance=1.0),
    Rule(name="always valid, g = 9", about="after every unit", prior_variance=9.0),
    Rule(
        name="half a unit",
        about="the first half of the pairs, at least eight",
        reduction=of_blocks(lambda blocks: first_part(blocks, share=0.5)),
        paired_share=0.5,
    ),
    Rule(
        name="blocks of 6 ms",
        about="two neighbouring pairs taken together",
        reduction=of_blocks(lambda blocks: merged(blocks, pairs=2)),
    ),
    Rule(
        name="blocks of 12 ms",
        about="four neighbouring pairs taken together",
        reduction=of_blocks(lambda blocks: merged(blocks, pairs=4)),
    ),
    Rule(name="sums", about="of all blocks, no median", reduction=of_blocks(sums)),
    Rule(
        name="quick blocks",
        about="the lower quartile of each side's blocks",
        reduction=of_blocks(quick_blocks),
    ),
    Rule(
        name="wall time",
        about="of alternating blocks",
        reduction=of_blocks(lambda blocks: _median_ratio(*blocks.wall_seconds())),
    ),
    Rule(name="CPU time", about="of alternating blocks", reduction=of_blocks(cpu_time)),
    Rule(
        name="half-way to CPU time",
        about="wall time less half of the change in waiting",
        reduction=less_waiting(0.5),
    ),
    Rule(
        name="less a control",
        about="less the change of equal work in the same processes, measured as long",
        reduction=less_control(1.0),
        paired_share=2.0,
    ),
    Rule(
        name="less half a control",
        about="less half of it",
        reduction=less_control(0.5),
        paired_share=2.0,
    ),
)
"""Trials. What is measured with blocks as they were recorded cannot say what shorter ones would."""
PLUGIN: Rule = RULES[0]
BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}


def _typical_only(unit: PairedUnit | None) -> PairedUnit | None:
    return None if unit is None else dataclasses.replace(unit, total=None, summed=None, waited=None)


def _without_sum(unit: PairedUnit | None) -> PairedUnit | None:
    return None if unit is None else dataclasses.replace(unit, summed=None, waited=None)
