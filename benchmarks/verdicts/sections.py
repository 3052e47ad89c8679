"""The page's sections: one generator each of paragraphs, tables and plots."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.tables import table
from benchmarks.verdicts import figures
from benchmarks.verdicts.entries import Condition, LiveRun, PeerRun, StoredRun
from benchmarks.verdicts.figures import (
    ASKED,
    CAUGHT,
    SUITE,
    UNCHANGED,
    Peer,
    all_of,
    live_figures,
    peer_figures,
    spread,
    stored_figures,
    suite_alarms,
    summed,
)
from benchmarks.verdicts.plots import arrivals, bars
from benchmarks.verdicts.replay import GATES, consecutive
from benchmarks.verdicts.rules import BY_NAME as RULES_BY_NAME
from benchmarks.verdicts.rules import PLUGIN
from benchmarks.verdicts.series import Key, RecordedUnit
from benchmarks.verdicts.workloads import BY_NAME, WORKLOADS
from pytest_costguard.records import Interval, Verdict
from pytest_costguard.reports.numbers import counted
from pytest_costguard.stats.intervals import t_interval
from pytest_costguard.stats.paired import FEWEST_UNITS, as_seen, fit


def replayed(
    known: Mapping[Key, Sequence[RecordedUnit]],
    *,
    condition: Condition,
    images: dict[str, str],
    repeats: int,
) -> Iterator[str]:
    """Say what the units are like, and what the plugin's rule makes of them."""
    yield f"### Units, {condition}"
    yield table(
        ("Workload", "Extra work", "Units", "Estimate (95 %)", "SD of a unit", "Lag-1", "s a unit"),
        [_spread_row(key, known[key]) for key in sorted(known, key=_place)],
        align="l r r r r r r",
    )
    yield (
        "Estimates are of the mean latency's change. *Lag-1* is the autocorrelation of neighbouring"
        " units; *s a unit* is paired measuring, the median."
    )
    yield f"### Verdicts replayed over consecutive units, {condition}"
    yield table(
        (
            *("Extra work", "Workload", "Regressed", "Passed", "Inconclusive", "Caught in time"),
            *("Paired s: median, worst", "Wall s: median, worst"),
        ),
        list(_verdict_rows(known)),
        align="l l r r r r r r",
    )
    yield (
        "The plugin's rule and limits, the error shared as in a suite of five workloads with two"
        " gates each. *Passed* is unchanged or improved; *caught in time* is regressed within 12 s"
        " of paired measuring (26 s where 3 % is to be caught)."
    )
    curves = {f"{asked.level} %": _arrivals(known, asked.level) for asked in (UNCHANGED, CAUGHT)}
    name = f"verdicts-time-{condition}.svg"
    images[name] = arrivals(
        curves,
        title=f"Verdicts that have fallen, by seconds of paired measuring, {condition}",
        seconds=60,
        goal=CAUGHT.within,
    )
    yield f"![When verdicts fall, {condition}](images/{name})"
    yield f"### False alarms of whole suites, {condition}"
    yield table(
        ("Unchanged workloads", "Suites that fail, consecutive units", "Drawn anew"),
        [
            (str(one.size), str(one.consecutive), _drawn(one.drawn.share, one.drawn.trials))
            for one in suite_alarms(known, repeats=repeats)
        ],
        align="r r r",
    )


def _drawn(share: float, trials: int) -> str:
    return f"{100 * share:.2f} % of {trials}" if trials else "no trials"


def _spread_row(key: Key, units: Sequence[RecordedUnit]) -> tuple[str, ...]:
    found = spread(key, units)
    return (
        BY_NAME[found.workload].about,
        f"{found.level} %",
        str(found.units),
        _estimate(found.estimate),
        f"{100 * found.deviation:.2f} %",
        f"{found.autocorrelation:+.2f}".replace("-", "\u2212"),
        f"{found.paired_seconds:.2f}",
    )


def _estimate(found: Interval | None) -> str:
    if found is None:
        return "one unit"
    bounds = (found.estimate, found.lower, found.upper)
    middle, lower, upper = (100 * math.expm1(value) for value in bounds)
    return f"{middle:+.2f} % ({lower:+.2f} to {upper:+.2f})".replace("-", "\u2212")


def _verdict_rows(known: Mapping[Key, Sequence[RecordedUnit]]) -> Iterator[tuple[str, ...]]:
    for asked in ASKED:
        trials = figures.replayed(known, asked)
        if not all_of(trials):
            continue
        named = {BY_NAME[n].about: trials[n] for n in sorted(trials, key=lambda n: _place((n, 0)))}
        for name, found in {**named, "**all**": all_of(trials)}.items():
            verdicts = summed(found, within=asked.within)
            in_time = str(verdicts.in_time) if asked.level > 100 * asked.allow else "n/a"
            yield (
                *(asked.words, name, str(verdicts.regressed), str(verdicts.passed)),
                *(str(verdicts.inconclusive), in_time),
                *(_pair(verdicts.median_and_worst), _pair(verdicts.wall_median_and_worst)),
            )


def seldom(known: Mapping[Key, Sequence[RecordedUnit]], *, condition: Condition) -> Iterator[str]:
    """Say what is made of changes that hit few requests; nothing where none were recorded."""
    if not known:
        return
    yield f"### Requests that are seldom slower, {condition}"
    rows = []
    for name, level in sorted(known, key=_place):
        units = known[name, level]
        for rule in (PLUGIN, RULES_BY_NAME["no sum over requests"]):
            verdicts = summed(consecutive(units, rule, hypotheses=GATES * SUITE), within=math.inf)
            rows.append(
                (
                    *(BY_NAME[name].about, f"{level} %", str(len(units))),
                    *(*_sums(units), rule.name),
                    *(str(verdicts.regressed), str(verdicts.passed), str(verdicts.inconclusive)),
                    _pair(verdicts.median_and_worst),
                )
            )
    yield table(
        (
            *("Workload", "Extra work", "Units", "Sum (95 %)", "SD of a unit's sum", "Rule"),
            *("Regressed", "Passed", "Inconclusive", "Paired s: median, worst"),
        ),
        rows,
        align="l r r r r l r r r r",
    )
    yield (
        "The extra work is a share of that of all requests, and all of it is in the few that are"
        " drawn by chance: what is typical does not change."
    )


def _sums(units: Sequence[RecordedUnit]) -> tuple[str, str]:
    """Return the change of the sum over all requests, and a unit's standard deviation round it."""
    said = [paired for unit in units if (paired := unit.paired()) is not None]
    if len(said) < FEWEST_UNITS:
        return "few units", "n/a"
    sums = as_seen(said, "summed")
    return _estimate(
        t_interval([one.change for one in sums], 0.95)
    ), f"{100 * fit(sums).spread:.2f} %"


def _arrivals(known: Mapping[Key, Sequence[RecordedUnit]], level: int) -> list[float]:
    asked = next(one for one in ASKED if one.level == level)
    return [
        math.inf if trial.verdict is Verdict.INCONCLUSIVE else trial.paired_seconds
        for trial in all_of(figures.replayed(known, asked))
    ]


def _place(key: Key) -> tuple[int, int]:
    return list(BY_NAME).index(key[0]), key[1]


def peers(
    runs: Sequence[PeerRun],
    stored: Sequence[StoredRun],
    *,
    condition: Condition,
    images: dict[str, str],
) -> Iterator[str]:
    """Say what other rules make of runs one after the other; nothing where there are none."""
    rules: list[Peer] = peer_figures(runs) if runs else []
    rules += [stored_figures(stored, calibrated=c) for c in (False, True)] if stored else []
    if not rules:
        return
    yield f"### Other rules, {condition}"
    yield table(
        (
            *("Rule", "False alarms, a workload", "A run of all five", "5 % called worse"),
            *("Unchanged, inconclusive", "s a verdict: median, worst"),
        ),
        [
            (
                *(one.name, str(one.false_alarms), str(one.suite_alarms), str(one.caught)),
                str(one.undecided) if one.undecided.trials else "n/a",
                _pair(one.seconds),
            )
            for one in rules
        ],
        align="l r r r r r",
    )
    pairs, plain = counted(len(runs), "pair"), counted(len(stored), "plain run")
    yield (
        f"{pairs} of runs of pytest-benchmark with its defaults, base's and then head's, and"
        f" {plain} of our own, in turn. All rules of other tools judge the same timings; seconds"
        " are those runs', their start shared among what they measured."
    )
    name = f"verdicts-peers-{condition}.svg"
    alarms = [(one.name.replace("`", ""), one.false_alarms) for one in rules]
    rows = [(who, one.share, one.lower, one.upper) for who, one in alarms if one.trials]
    images[name] = bars(
        rows, title=f"False alarms on an unchanged workload, {condition}", goal=0.01
    )
    yield f"![False alarms of other rules, {condition}](images/{name})"


def live(runs: Sequence[LiveRun], title: str) -> Iterator[str]:
    """Say what the plugin itself said; nothing where it was not run."""
    if not runs:
        return
    yield f"### {title}, {runs[0].about.condition}"
    rows = []
    for level in sorted({run.level for run in runs}):
        for name in [*BY_NAME, ""]:
            found = live_figures(runs, level=level, workload=name)
            if not found.regressed.trials:
                continue
            rows.append(
                (
                    *(f"{level} %", BY_NAME[name].about if name else "**all**"),
                    *(str(found.regressed), str(found.passed), str(found.inconclusive)),
                    str(found.in_time) if level else "n/a",
                    *(_pair(found.paired_seconds), _pair(found.seconds)),
                )
            )
    yield table(
        (
            *("Extra work", "Workload", "Regressed", "Passed", "Inconclusive"),
            *("Caught within 12 s", "Paired s: median, worst", "Wall s: median, worst"),
        ),
        rows,
        align="l l r r r r r r",
    )
    whole = [live_figures(runs, level=level) for level in sorted({run.level for run in runs})]
    yield "\n".join(
        f"- {one.level} %: {counted(one.runs, 'run')} of the whole command, median and worst"
        f" {_pair(one.run_seconds)} s; failed: {one.failed_runs}; peak memory called regressed:"
        f" {one.memory_alarms}."
        for one in whole
    )


def suites(runs: Sequence[LiveRun]) -> Iterator[str]:
    """Say how long whole runs of ten tests took, by what they measure; nothing without any."""
    if not runs:
        return
    alike: dict[str, list[LiveRun]] = {}
    for run in runs:
        counts = Counter(case.workload for case in run.cases)
        named = [f"{counts[one.name]} of {one.about}" for one in WORKLOADS if counts[one.name]]
        alike.setdefault("; ".join(named), []).append(run)
    yield f"### Whole runs of ten unchanged tests, {runs[0].about.condition}"
    rows = []
    for tests, found in alike.items():
        said = live_figures(found, level=0)
        rows.append(
            (
                *(tests, str(said.runs), _pair(said.run_seconds), _pair(said.seconds)),
                *(str(said.regressed), str(said.passed), str(said.failed_runs)),
            )
        )
    yield table(
        (
            *("Tests", "Runs", "s a run: median, worst", "s a test: median, worst"),
            *("Regressed", "Passed", "Runs that failed"),
        ),
        rows,
        align="l r r r r r r",
    )


def _pair(values: tuple[float, float]) -> str:
    return "n/a" if math.isnan(values[0]) else f"{values[0]:.1f}, {values[1]:.1f}"
