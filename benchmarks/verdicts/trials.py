"""The table of variants: what each would gain or cost, over the same recorded units."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.verdicts.figures import (
    CAUGHT,
    SMALLER,
    SUITE,
    UNCHANGED,
    Asked,
    Verdicts,
    all_of,
    replayed,
    summed,
)
from benchmarks.verdicts.replay import suites
from benchmarks.verdicts.rules import RULES, Rule
from benchmarks.verdicts.series import Key, RecordedUnit
from pytest_costguard.stats.paired import fit

_HEAD = (
    "| Variant | SD of a unit (%) | False alarms a suite of 5, drawn | Unchanged passed |"
    " Unchanged: median s, worst s | 5 % caught within 12 s | 5 %: median s, worst s |"
    " 3 % (1/3) caught within 26 s | 3 %: median s | What it is |"
)


def table(
    recorded: Mapping[Key, Sequence[RecordedUnit]],
    *,
    repeats: int,
    rules: Sequence[Rule] = RULES,
) -> str:
    """Return the variants of one condition as a Markdown table; seconds are of paired measuring.

    Variants that judge by blocks have them at levels 0, 3 and 5 only; those that need a control
    have none at level 0, where there is nothing to hold it against.
    """
    lines = [_HEAD, "|:--|--:|--:|--:|--:|--:|--:|--:|--:|:--|"]
    return "\n".join([*lines, *(_row(rule, recorded, repeats=repeats) for rule in rules)]) + "\n"


def _row(rule: Rule, recorded: Mapping[Key, Sequence[RecordedUnit]], *, repeats: int) -> str:
    def found(asked: Asked) -> Verdicts:
        return summed(all_of(replayed(recorded, asked, rule=rule)), within=asked.within)

    unchanged, caught, smaller = found(UNCHANGED), found(CAUGHT), found(SMALLER)
    still = {name: units for (name, level), units in recorded.items() if level == 0}
    alarms = suites(still, rule, size=SUITE, repeats=repeats)
    cells = [
        rule.name,
        _deviation(rule, recorded),
        f"{100 * alarms.share:.2f} %" if alarms.trials else "no trials",
        str(unchanged.passed),
        _seconds(unchanged.median_and_worst),
        str(caught.in_time),
        _seconds(caught.median_and_worst),
        str(smaller.in_time),
        _seconds(smaller.median_and_worst[:1]),
        rule.about,
    ]
    return "| " + " | ".join(cells) + " |"


def _seconds(values: Sequence[float]) -> str:
    if any(math.isnan(value) for value in values):
        return "no trials"
    return ", ".join(f"{value:.1f}" for value in values)


def _deviation(rule: Rule, recorded: Mapping[Key, Sequence[RecordedUnit]]) -> str:
    """Return the median over workloads of a unit's standard deviation, at 5 %."""
    spreads = []
    for (_, level), units in recorded.items():
        said = [rule.reduction(unit) for unit in units] if level == CAUGHT.level else []
        whole = [value for value in said if value is not None]
        if len(whole) >= 4 and len({value.first for value in whole}) == 2:
            spreads.append(fit(whole).spread)
    return f"{100 * statistics.median(spreads):.2f}" if spreads else "no units"
