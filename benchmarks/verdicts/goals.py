"""What was promised, and whether the records show it: yes, no, or not sure yet."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.verdicts.entries import Batch, LiveRun
from benchmarks.verdicts.figures import (
    CAUGHT,
    SMALLER,
    SUITE,
    UNCHANGED,
    all_of,
    replayed,
    suite_alarms,
    summed,
)
from benchmarks.verdicts.live import SUITE_OF_TEN
from benchmarks.verdicts.proportions import Proportion
from benchmarks.verdicts.replay import GATES, Trial, consecutive
from benchmarks.verdicts.rules import PLUGIN
from benchmarks.verdicts.series import Key, RecordedUnit
from benchmarks.verdicts.workloads import WORKLOADS
from pytest_costguard.records import Verdict

FALSE_ALARMS = 0.01
CAUGHT_SHARE = 0.95
START_SECONDS = 0.6
UNCHANGED_SECONDS = 7.0
SUITE_OF_TEN_SECONDS = 90.0
_NO_WHOLE_RUN = "no whole run was made here, and those take more"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One promise, what was measured, and whether it is kept; None where the data do not tell."""

    promise: str
    measured: str
    reached: bool | None
    in_the_way: str = ""
    """Where it is not reached, or not sure: by how much, and why."""


def told(goal: Goal) -> Goal:
    """Return a goal that says nothing of what is in the way where it is reached."""
    return replace(goal, in_the_way="") if goal.reached else goal


def at_most(found: Proportion, limit: float) -> bool | None:
    """Tell whether the true share is at most `limit`; None where its interval holds both."""
    if not found.trials or found.lower <= limit < found.upper:
        return None
    return found.upper <= limit


def at_least(found: Proportion, limit: float) -> bool | None:
    """Tell whether the true share is at least `limit`; None where its interval holds both."""
    if not found.trials or found.lower < limit <= found.upper:
        return None
    return found.lower >= limit


def goals(
    recorded: Mapping[Key, Sequence[RecordedUnit]],
    batches: Sequence[Batch],
    *,
    condition: str,
    repeats: int,
    suites: Sequence[LiveRun] = (),
    live: Sequence[LiveRun] = (),
) -> list[Goal]:
    """Hold the recorded units of one condition against what was promised, and whole runs.

    How long a user waits is said by whole runs alone: of five workloads for one (`live`), of ten
    tests for a suite (`suites`). Without any, recorded units say no more than that it is too long.
    """
    alarms = next(a for a in suite_alarms(recorded, repeats=repeats) if a.size == SUITE)
    found = [
        Goal(
            promise=f"{condition}: a suite of {SUITE} unchanged workloads fails in at most 1 %",
            measured=f"{alarms.consecutive}; drawn anew: {100 * alarms.drawn.share:.2f} %"
            if alarms.drawn.trials
            else str(alarms.consecutive),
            reached=at_most(alarms.consecutive, FALSE_ALARMS),
            in_the_way=_too_many(alarms.consecutive),
        ),
        _caught(
            f"{condition}: 5 % is caught in at least 95 % within 12 s",
            replayed(recorded, CAUGHT),
            within=CAUGHT.within,
        ),
        _caught(
            f"{condition}: 3 % (allow 1, catch 3) is caught in at least 95 % within 26 s",
            replayed(recorded, SMALLER),
            within=SMALLER.within,
        ),
    ]
    waiting = _waiting(recorded, batches, suites, live, condition=condition)
    return [told(goal) for goal in found + waiting]


def _too_many(found: Proportion) -> str:
    if at_most(found, FALSE_ALARMS) is False:
        return (
            f"surely more: {100 * found.lower:.1f} to {100 * found.upper:.1f} %, so that the rule's"
            " assumptions do not hold here"
        )
    return f"so few suites bound it at {100 * found.upper:.0f} % only"


def _caught(promise: str, trials: Mapping[str, Sequence[Trial]], *, within: float) -> Goal:
    in_time = summed(all_of(trials), within=within).in_time
    late = []
    for name, found in trials.items():
        one = summed(found, within=within)
        if one.in_time.trials and one.in_time.share < CAUGHT_SHARE:
            seconds = statistics.median(one.paired_seconds)
            units = statistics.median(one.units)
            late.append(f"{name}: {one.in_time}, {seconds:.1f} s in {units:.0f} units (medians)")
    absent = [one.name for one in WORKLOADS if not trials.get(one.name)]
    return Goal(
        promise=promise,
        measured=str(in_time) + (f"; not recorded: {', '.join(absent)}" if absent else ""),
        reached=at_least(in_time, CAUGHT_SHARE),
        in_the_way="; ".join(late) or "too few verdicts to be sure",
    )


def _waiting(
    recorded: Mapping[Key, Sequence[RecordedUnit]],
    batches: Sequence[Batch],
    suites: Sequence[LiveRun],
    live: Sequence[LiveRun],
    *,
    condition: str,
) -> list[Goal]:
    quick = quickly_started(batches)
    unchanged = {n: u for (n, level), u in recorded.items() if level == 0 and n in quick}
    ten = {name: consecutive(u, PLUGIN, hypotheses=GATES * 10) for name, u in unchanged.items()}
    whole = statistics.fmean(_seconds(all_of(ten))) * 10 if all_of(ten) else None
    until = _waited(live, quick=quick)
    ran = bool(until)
    until = until or _replayed_waits(recorded, quick=quick)
    median = statistics.median(until) if until else None
    source = "tests in whole runs of pytest" if ran else "recorded units"
    which = ", ".join(sorted(quick)) or "no workload's"
    return [
        Goal(
            promise=f"{condition}: an unchanged workload whose start takes at most 0.6 s"
            f" ({which}) is decided in about 7 s of wall time",
            measured="no such workload"
            if median is None
            else f"{_seconds_told(median)}, the median of {source}; one that stays undecided"
            " counts as never",
            reached=_kept(median, ran=ran),
            in_the_way=_late(median),
        ),
        suite_of_ten(whole, suites, condition=condition),
    ]


def _waited(live: Sequence[LiveRun], *, quick: Collection[str]) -> list[float]:
    """Return the wall seconds of unchanged tests in whole runs."""
    unchanged = (case for run in live if run.level == 0 for case in run.cases)
    return [_until(one.verdict, one.seconds) for one in unchanged if one.workload in quick]


def _replayed_waits(
    recorded: Mapping[Key, Sequence[RecordedUnit]], *, quick: Collection[str]
) -> list[float]:
    """Return the wall seconds of unchanged workloads by their recorded units."""
    trials = all_of({n: t for n, t in replayed(recorded, UNCHANGED).items() if n in quick})
    return [_until(trial.verdict, trial.wall_seconds) for trial in trials]


def _until(verdict: str | None, seconds: float) -> float:
    return math.inf if verdict == Verdict.INCONCLUSIVE else seconds


def _seconds_told(seconds: float) -> str:
    return f"{seconds:.1f} s" if math.isfinite(seconds) else "never"


def _kept(median: float | None, *, ran: bool) -> bool | None:
    if median is None or (median <= UNCHANGED_SECONDS and not ran):
        return None
    return median <= UNCHANGED_SECONDS


def _late(median: float | None) -> str:
    if median is None:
        return ""
    if median <= UNCHANGED_SECONDS:
        return _NO_WHOLE_RUN
    if not math.isfinite(median):
        return "most of them stay undecided"
    late = median - UNCHANGED_SECONDS
    return f"{late:+.2f} s: six units are started, loaded and warmed up on both sides"


def suite_of_ten(expected: float | None, suites: Sequence[LiveRun], *, condition: str) -> Goal:
    """Hold whole runs of ten such tests against the goal; without any, ten times the mean."""
    suites = [run for run in suites if {case.workload for case in run.cases} == set(SUITE_OF_TEN)]
    promise = f"{condition}: a suite of 10 such workloads takes under 90 s"
    if not suites:
        measured = (
            "no such workload" if expected is None else f"{expected:.0f} s, ten times the mean"
        )
        late = expected is not None and expected >= SUITE_OF_TEN_SECONDS
        return Goal(
            promise=promise,
            measured=measured,
            reached=False if late else None,
            in_the_way="" if expected is None else _NO_WHOLE_RUN,
        )
    seconds = [run.seconds for run in suites]
    middle, worst = statistics.median(seconds), max(seconds)
    alarms = sum(case.verdict == Verdict.REGRESSED.value for run in suites for case in run.cases)
    return Goal(
        promise=promise,
        measured=f"{middle:.0f} s, the median of {len(seconds)} whole runs of pytest; {worst:.0f} s"
        f" the longest; {alarms} false alarms among {sum(len(run.cases) for run in suites)} tests",
        reached=middle < SUITE_OF_TEN_SECONDS,
        in_the_way="" if middle < SUITE_OF_TEN_SECONDS else _beyond_measuring(middle, suites),
    )


def _beyond_measuring(middle: float, suites: Sequence[LiveRun]) -> str:
    cases = [case for run in suites for case in run.cases]
    whole = statistics.median(case.seconds for case in cases)
    paired = statistics.median(case.paired_seconds for case in cases)
    return (
        f"{middle - SUITE_OF_TEN_SECONDS:+.0f} s: of {whole:.1f} s a test {paired:.1f} s are"
        " measuring (medians), the rest is starting, loading and ending both sides' processes in"
        " each unit"
    )


def quickly_started(batches: Sequence[Batch]) -> frozenset[str]:
    """Return the workloads whose start, of both sides at once, takes at most 0.6 s (the median)."""
    starts: dict[str, list[float]] = {}
    for batch in batches:
        starts.setdefault(batch.workload, []).append(batch.opening_seconds)
    return frozenset(
        name for name, seconds in starts.items() if statistics.median(seconds) <= START_SECONDS
    )


def _seconds(trials: Sequence[Trial]) -> list[float]:
    return [trial.wall_seconds for trial in trials]
