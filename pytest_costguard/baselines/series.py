"""Which runs can be compared with which: choosing, replacing and ageing, without any file."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec

from pytest_costguard.records import (
    Baseline,
    BaselineRun,
    BaselineWorkload,
    Fingerprint,
    WorkloadId,
)

NEWEST_RUNS = 20
"""Of a series, those that a run is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What happens to the runs of a name when others take their place."""

    trimmed: tuple[BaselineRun, ...]
    """Runs that stay, with fewer workloads than before."""
    dropped: tuple[BaselineRun, ...]
    """Runs of which nothing is left."""


def moment(created: dt.datetime) -> dt.datetime:
    """Return the time in UTC; a time without a zone is taken to be in UTC."""
    if created.tzinfo is None:
        return created.replace(tzinfo=dt.UTC)
    try:
        return created.astimezone(dt.UTC)
    except (
        OverflowError
    ):  # In the first or the last hours of the calendar: nothing was measured then.
        return created.replace(tzinfo=dt.UTC)


def ordered(runs: Iterable[BaselineRun]) -> tuple[BaselineRun, ...]:
    """Return the runs oldest first; those of the same moment by their id."""
    return tuple(sorted(runs, key=lambda run: (moment(run.created), run.run_id)))


def select(
    runs: Iterable[BaselineRun], fingerprint: Fingerprint, *, name: str, location: str
) -> Baseline:
    """Return the runs made on the same hardware as `fingerprint`, and name the other series.

    Of a long series the newest runs count: more of them tell little more about the spread, and the
    oldest are of code that has long been replaced. Where no run fits, the baseline has no runs and
    `other_series` says what there is instead.
    """
    comparable: tuple[BaselineRun, ...] = ()
    others = []
    for series in by_hardware(runs):
        if series[0].fingerprint.identity() == fingerprint.identity():
            comparable = series[-NEWEST_RUNS:]
        else:
            others.append(described(series))
    return Baseline(
        name=name,
        location=location,
        # Times without a zone cannot be ordered among those that have one.
        runs=tuple(
            run if run.created.tzinfo else msgspec.structs.replace(run, created=moment(run.created))
            for run in comparable
        ),
        other_series=tuple(others),
    )


def by_hardware(runs: Iterable[BaselineRun]) -> tuple[tuple[BaselineRun, ...], ...]:
    """Return the runs grouped by hardware, oldest first in each."""

    def hardware(run: BaselineRun) -> str:
        return repr(run.fingerprint.identity())

    # Sorting is stable, so each group keeps the order in time.
    return tuple(
        tuple(group) for _, group in groupby(sorted(ordered(runs), key=hardware), key=hardware)
    )


def hardware_name(fingerprint: Fingerprint) -> str:
    """Return the hardware in words: `AMD EPYC 7763, 4 cores, 1 x NVIDIA L4`."""
    cores = f"{fingerprint.cores} core{'' if fingerprint.cores == 1 else 's'}"
    gpus = [f"{len(list(same))} x {gpu}" for gpu, same in groupby(sorted(fingerprint.gpus))]
    return ", ".join([fingerprint.cpu_model or "unknown processor", cores, *gpus])


def described(series: Sequence[BaselineRun]) -> str:
    """Return one series in words: how many runs, on what, and of which day the last is."""
    runs = f"{len(series)} run{'' if len(series) == 1 else 's'}"
    last = moment(series[-1].created).date().isoformat()
    return f"{runs} on {hardware_name(series[-1].fingerprint)} (last {last})"


def replacement(old: Iterable[BaselineRun], new: Sequence[BaselineRun]) -> Replacement:
    """Return what `old` runs lose when `new` ones take their place.

    A workload is replaced where a new run measured it on the same hardware. Runs that are among the
    new ones themselves are left alone.
    """
    measured = {
        (run.fingerprint.identity(), workload.workload) for run in new for workload in run.workloads
    }
    ids = {run.run_id for run in new}
    trimmed, dropped = [], []
    for run in old:
        hardware = run.fingerprint.identity()
        left = tuple(w for w in run.workloads if (hardware, w.workload) not in measured)
        if run.run_id in ids or len(left) == len(run.workloads):
            continue
        if left:
            trimmed.append(msgspec.structs.replace(run, workloads=left))
        else:
            dropped.append(run)
    return Replacement(trimmed=tuple(trimmed), dropped=tuple(dropped))


def expired(
    runs: Iterable[BaselineRun],
    *,
    keep: int | None = None,
    older_than: dt.timedelta | None = None,
    now: dt.datetime,
) -> tuple[BaselineRun, ...]:
    """Return the runs that are not among the last `keep` of their hardware, or are too old."""
    found = []
    for series in by_hardware(runs):
        surplus = 0 if keep is None else max(0, len(series) - keep)
        for position, run in enumerate(series):
            old = older_than is not None and moment(now) - moment(run.created) > older_than
            if position < surplus or old:
                found.append(run)
    return ordered(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One workload over all runs of a series."""

    workload: WorkloadId
    runs: int
    figures: dict[str, float]
    """Metric to the mean over runs of each run's mean over units, in the metric's unit."""
    spread: float | None
    """Standard deviation from run to run of log mean latency; None below two runs."""


def summaries(series: Sequence[BaselineRun]) -> tuple[Summary, ...]:
    """Return what a series knows of each workload, in the order in which they first appear."""
    found: dict[WorkloadId, list[BaselineWorkload]] = {}
    for run in series:
        for measured in run.workloads:
            found.setdefault(measured.workload, []).append(measured)
    return tuple(_summary(workload, entries) for workload, entries in found.items())


def _summary(workload: WorkloadId, entries: Sequence[BaselineWorkload]) -> Summary:
    values: dict[str, list[float]] = {}
    for entry in entries:
        for metric, units in entry.metrics.items():
            if units:
                values.setdefault(metric, []).append(statistics.fmean(units))
    latencies = [value for value in values.get("mean", []) if value > 0]
    return Summary(
        workload=workload,
        runs=len(entries),
        figures={metric: statistics.fmean(runs) for metric, runs in values.items()},
        spread=statistics.stdev(map(math.log, latencies)) if len(latencies) > 1 else None,
    )
