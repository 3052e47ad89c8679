"""The figures: what recorded units say about the rules, as records that a page only places."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.verdicts.entries import LiveCase, LiveRun, PeerRun, StoredRun
from benchmarks.verdicts.peers import RULES as PEER_RULES
from benchmarks.verdicts.proportions import Proportion
from benchmarks.verdicts.replay import (
    GATES,
    Trial,
    consecutive,
    consecutive_suites,
    share_of,
    suites,
)
from benchmarks.verdicts.rules import PLUGIN, Rule
from benchmarks.verdicts.series import Key, RecordedUnit
from benchmarks.verdicts.stored_runs import verdicts as stored_verdicts
from pytest_costguard.records import Interval, Verdict
from pytest_costguard.stats.intervals import t_interval

SUITE_SIZES = (1, 5, 10)
SUITE = 5
"""Workloads of the suite whose error is shared where a table does not say otherwise."""
CAUGHT_SECONDS = 12.0
SMALLER_CAUGHT_SECONDS = 26.0
_PASSED = (Verdict.UNCHANGED, Verdict.IMPROVED)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What the units of one workload at one level say about the change, in logarithms."""

    workload: str
    level: int
    units: int
    estimate: Interval | None
    """Of the change, over units, at 95 %."""
    deviation: float
    """Of a unit, about its starting order's mean."""
    autocorrelation: float
    """Between neighbouring units, likewise; about 0 ± 2/√units where they are independent."""
    paired_seconds: float
    """Of a unit, the median."""
    wall_seconds: float


def spread(key: Key, units: Sequence[RecordedUnit]) -> Spread:
    """Describe the units of one workload at one level."""
    changes = [paired.change for unit in units if (paired := unit.paired()) is not None]
    orders = [unit.cell.first for unit in units]
    means = {
        order: statistics.fmean(c for c, o in zip(changes, orders, strict=True) if o == order)
        for order in set(orders)
    }
    rest = [change - means[order] for change, order in zip(changes, orders, strict=True)]
    squares = math.fsum(value * value for value in rest)
    together = math.fsum(a * b for a, b in pairwise(rest))
    return Spread(
        workload=key[0],
        level=key[1],
        units=len(units),
        estimate=t_interval(changes, 0.95),
        deviation=math.sqrt(squares / max(1, len(rest) - len(means))),
        autocorrelation=together / squares if squares else 0.0,
        paired_seconds=statistics.median(unit.paired_seconds for unit in units),
        wall_seconds=statistics.median(unit.wall_seconds for unit in units),
    )


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """How often a rule says what, and how long that takes."""

    regressed: Proportion
    passed: Proportion
    """Unchanged or improved."""
    inconclusive: Proportion
    in_time: Proportion
    """Regressed within the seconds that were asked for."""
    paired_seconds: tuple[float, ...]
    """Of each trial, inconclusive ones included."""
    wall_seconds: tuple[float, ...]
    units: tuple[int, ...]

    @property
    def median_and_worst(self) -> tuple[float, float]:
        """Paired seconds to the verdict; NaN where there were no trials."""
        return _median_and_worst(self.paired_seconds)

    @property
    def wall_median_and_worst(self) -> tuple[float, float]:
        """The same of wall time, starts included."""
        return _median_and_worst(self.wall_seconds)


def _median_and_worst(seconds: Sequence[float]) -> tuple[float, float]:
    if not seconds:
        return math.nan, math.nan
    return statistics.median(seconds), max(seconds)


def summed(trials: Sequence[Trial], *, within: float) -> Verdicts:
    """Count verdicts.

    Args:
        trials: of any workloads.
        within: seconds of paired measuring in which a change is to be caught.
    """
    return Verdicts(
        regressed=share_of(trials, lambda trial: trial.verdict is Verdict.REGRESSED),
        passed=share_of(trials, lambda trial: trial.verdict in _PASSED),
        inconclusive=share_of(trials, lambda trial: trial.verdict is Verdict.INCONCLUSIVE),
        in_time=share_of(
            trials,
            lambda trial: trial.verdict is Verdict.REGRESSED and trial.paired_seconds <= within,
        ),
        paired_seconds=tuple(trial.paired_seconds for trial in trials),
        wall_seconds=tuple(trial.wall_seconds for trial in trials),
        units=tuple(trial.units for trial in trials),
    )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question put to the recorded units: which level, and what is allowed and to be caught."""

    level: int
    allow: float
    catch: float
    within: float

    @property
    def words(self) -> str:
        """For a table's cell."""
        return f"{self.level} % (allow {100 * self.allow:g}, catch {100 * self.catch:g})"


ASKED: tuple[Asked, ...] = (
    Asked(level=0, allow=0.02, catch=0.05, within=CAUGHT_SECONDS),
    Asked(level=2, allow=0.02, catch=0.05, within=CAUGHT_SECONDS),
    Asked(level=3, allow=0.02, catch=0.05, within=CAUGHT_SECONDS),
    Asked(level=5, allow=0.02, catch=0.05, within=CAUGHT_SECONDS),
    Asked(level=10, allow=0.02, catch=0.05, within=CAUGHT_SECONDS),
    Asked(level=0, allow=0.01, catch=0.03, within=SMALLER_CAUGHT_SECONDS),
    Asked(level=3, allow=0.01, catch=0.03, within=SMALLER_CAUGHT_SECONDS),
)
UNCHANGED, CAUGHT, SMALLER = ASKED[0], ASKED[3], ASKED[6]


def replayed(
    recorded: Mapping[Key, Sequence[RecordedUnit]], asked: Asked, *, rule: Rule = PLUGIN
) -> dict[str, list[Trial]]:
    """Return the trials of every workload that was recorded at the level that is asked about."""
    wanted = rule.asking(allow=asked.allow, catch=asked.catch)
    return {
        name: consecutive(units, wanted, hypotheses=GATES * SUITE)
        for (name, level), units in recorded.items()
        if level == asked.level
    }


def all_of(trials: Mapping[str, Sequence[Trial]]) -> list[Trial]:
    """Return the trials of all workloads."""
    return [trial for found in trials.values() for trial in found]


@dataclass(frozen=True, kw_only=True)
class SuiteAlarms:
    """How often a suite of unchanged workloads fails."""

    size: int
    consecutive: Proportion
    drawn: Proportion


def suite_alarms(
    recorded: Mapping[Key, Sequence[RecordedUnit]], *, repeats: int, rule: Rule = PLUGIN
) -> tuple[SuiteAlarms, ...]:
    """Return the false alarms of suites, over consecutive and over drawn units."""
    unchanged = {name: units for (name, level), units in recorded.items() if level == 0}
    return tuple(
        SuiteAlarms(
            size=size,
            consecutive=consecutive_suites(unchanged, rule, size=size),
            drawn=suites(unchanged, rule, size=size, repeats=repeats),
        )
        for size in SUITE_SIZES
    )


@dataclass(frozen=True, kw_only=True)
class Peer:
    """How often another rule calls a workload worse, unchanged and at 5 %."""

    name: str
    false_alarms: Proportion
    suite_alarms: Proportion
    """Of all workloads of one run together."""
    caught: Proportion
    undecided: Proportion
    """Of the unchanged ones, where the rule can say so."""
    seconds: tuple[float, float]
    """To the verdict on a workload, median and worst, the runs' starts shared among them."""


def peer_figures(runs: Sequence[PeerRun]) -> list[Peer]:
    """Apply each rule of the peers to each pair of runs."""
    each = _median_and_worst([run.seconds / max(1, len(run.cases)) for run in runs])
    found = []
    for name, rule in PEER_RULES.items():
        by_run = [{(c.workload, c.level): rule(c) for c in run.cases} for run in runs]
        unchanged = [[said for (_, level), said in run.items() if level == 0] for run in by_run]
        changed = [said for run in by_run for (_, level), said in run.items() if level != 0]
        flat = [said for run in unchanged for said in run]
        found.append(
            Peer(
                name=name,
                false_alarms=_count(flat),
                suite_alarms=_count([any(run) for run in unchanged]),
                caught=_count(changed),
                undecided=Proportion(hits=0, trials=0),
                seconds=each,
            )
        )
    return found


def stored_figures(runs: Sequence[StoredRun], *, calibrated: bool) -> Peer:
    """Apply our own stored rule to the plain runs: each against the eight before it.

    Runs that lack some of the workloads are left out: suites are made of whole runs.
    """
    names = list(dict.fromkeys(case.workload for run in runs for case in run.cases))
    runs = [run for run in runs if {case.workload for case in run.cases} == set(names)]

    def said(level: int) -> list[list[Verdict]]:
        hypotheses = GATES * max(1, len(names))
        return [
            stored_verdicts(runs, name, level=level, calibrated=calibrated, hypotheses=hypotheses)
            for name in names
        ]

    unchanged, changed = said(0), said(5)
    flat = [verdict for found in unchanged for verdict in found]
    suite = [Verdict.REGRESSED in run for run in zip(*unchanged, strict=True)] if names else []
    per_case = [run.seconds / max(1, len(run.cases)) for run in runs]
    how = "calibrated" if calibrated else "not calibrated"
    return Peer(
        name=f"our stored rule, 8 baseline runs, {how}",
        false_alarms=_count([verdict is Verdict.REGRESSED for verdict in flat]),
        suite_alarms=_count(suite),
        caught=_count([v is Verdict.REGRESSED for found in changed for v in found]),
        undecided=_count([verdict is Verdict.INCONCLUSIVE for verdict in flat]),
        seconds=_median_and_worst(per_case),
    )


def _count(said: Sequence[bool]) -> Proportion:
    return Proportion(hits=sum(said), trials=len(said))


@dataclass(frozen=True, kw_only=True)
class Live:
    """What the plugin itself said of workloads of one level."""

    level: int
    runs: int
    regressed: Proportion
    passed: Proportion
    inconclusive: Proportion
    memory_alarms: Proportion
    failed_runs: Proportion
    in_time: Proportion
    paired_seconds: tuple[float, float]
    seconds: tuple[float, float]
    """Of a workload, starts included: median and worst."""
    run_seconds: tuple[float, float]
    """Of the whole command."""


def live_figures(runs: Sequence[LiveRun], *, level: int, workload: str = "") -> Live:
    """Count the plugin's verdicts at a level, of one workload or of all."""
    chosen = [run for run in runs if run.level == level]
    cases = [c for run in chosen for c in run.cases if workload in ("", c.workload)]

    def share(matches: Callable[[LiveCase], bool]) -> Proportion:
        return _count([matches(case) for case in cases])

    return Live(
        level=level,
        runs=len(chosen),
        regressed=share(lambda case: case.verdict == Verdict.REGRESSED),
        passed=share(lambda case: case.verdict in _PASSED),
        inconclusive=share(lambda case: case.verdict == Verdict.INCONCLUSIVE),
        memory_alarms=share(lambda case: case.memory_verdict == Verdict.REGRESSED),
        failed_runs=_count([run.exit_status != 0 for run in chosen]),
        in_time=share(
            lambda case: case.verdict == Verdict.REGRESSED and case.paired_seconds <= CAUGHT_SECONDS
        ),
        paired_seconds=_median_and_worst([case.paired_seconds for case in cases]),
        seconds=_median_and_worst([case.seconds for case in cases]),
        run_seconds=_median_and_worst([run.seconds for run in chosen]),
    )
