"""Which runs of a baseline a workload may be compared with, and why others may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_costguard.records import (
    Baseline,
    BaselineRun,
    BaselineWorkload,
    Declaration,
    Difference,
    Failure,
    Fingerprint,
    Measurement,
    Run,
    Verdict,
    WorkloadId,
    differences,
)
from pytest_costguard.stats.intervals import mean

_Entries = Mapping[WorkloadId, Sequence[tuple[BaselineRun, BaselineWorkload]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A baseline as one run sees it: the runs made on an equal machine, oldest first."""

    name: str
    """What it is called in sentences: `baseline 'main'`, `base (main, 352fa05c1d2e)`."""
    runs: tuple[BaselineRun, ...]
    others: tuple[BaselineRun, ...]
    entries: _Entries
    """What `runs` measured of each workload, oldest first."""
    other_entries: _Entries
    """The same of `others`."""
    decisive: tuple[Difference, ...]
    """What makes the other runs not comparable."""
    other_series: tuple[str, ...]
    possible_causes: tuple[str, ...]
    """What else differs: shown beside a change, since it may explain it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The earlier measurements that one workload is compared with, or why there are none."""

    name: str
    entries: tuple[BaselineWorkload, ...] = ()
    absence: Verdict | None = None
    """`new` or `not comparable` where there are no entries."""
    reason: str = ""
    inputs_changed: bool = False
    warnings: tuple[str, ...] = ()

    def values(self, metric: str) -> tuple[tuple[float, ...], ...]:
        """Return the values a unit of `metric`, for each run that has them."""
        return tuple(found for entry in self.entries if (found := entry.metrics.get(metric)))

    def average(self, metric: str) -> float | None:
        """Return the mean of the runs' means in the metric's unit; None where none has it."""
        runs = self.values(metric)
        return mean([mean(run) for run in runs]) if runs else None


def reference(run: Run, baseline: Baseline | None) -> Reference | None:
    """Sort a baseline's runs by whether they were made on an equal machine.

    Returns:
        None where there is no baseline yet: none at all, or one without runs anywhere.
    """
    if baseline is None or not (baseline.runs or baseline.other_series):
        return None
    ordered = sorted(baseline.runs, key=lambda earlier: earlier.created)
    found = [(earlier, differences(run.fingerprint, earlier.fingerprint)) for earlier in ordered]
    usable = [pair for pair in found if not any(one.decisive for one in pair[1])]
    others = [pair for pair in found if any(one.decisive for one in pair[1])]
    runs = tuple(earlier for earlier, _ in usable)
    elsewhere = tuple(earlier for earlier, _ in others)
    return Reference(
        name=f"baseline {baseline.name!r}",
        runs=runs,
        others=elsewhere,
        entries=_by_workload(runs),
        other_entries=_by_workload(elsewhere),
        decisive=tuple(one for one in others[-1][1] if one.decisive) if others else (),
        other_series=baseline.other_series,
        possible_causes=_unique(
            f"possible cause: {_named(one)}" for _, differing in usable for one in differing
        ),
    )


def history(measurement: Measurement, known: Reference, *, fingerprint: Fingerprint) -> History:
    """Find the earlier measurements of a workload that its figures may be held against."""
    found = known.entries.get(measurement.workload, ())
    ours = measurement.declaration
    alike = [pair for pair in found if _same_settings(ours, pair[1].declaration)]
    if not alike:
        verdict, reason = _absence(measurement, known, found=found, fingerprint=fingerprint)
        return History(name=known.name, absence=verdict, reason=reason)
    same_inputs = [pair for pair in alike if _same_inputs(ours, pair[1].declaration)]
    latest = alike[-1][1].declaration
    chosen = same_inputs or [pair for pair in alike if _same_inputs(latest, pair[1].declaration)]
    warnings = known.possible_causes
    if not same_inputs:
        warnings = (
            "its inputs are not those of the baseline, so a change may come from them",
            *warnings,
        )
    return History(
        name=known.name,
        entries=tuple(entry for _, entry in chosen),
        inputs_changed=not same_inputs,
        warnings=warnings,
    )


def missing_workloads(run: Run, known: Reference | None) -> tuple[WorkloadId, ...]:
    """Name the workloads of the baseline that this run has nothing of.

    Those of the newest run of the whole suite, and of the runs of a part of it since: a workload
    that the whole suite no longer had is gone on purpose.
    """
    if known is None:
        return ()
    current: dict[WorkloadId, None] = {}
    for earlier in known.runs or known.others:
        if earlier.whole_suite:
            current.clear()
        current |= dict.fromkeys(entry.workload for entry in earlier.workloads)
    measured = {measurement.workload for measurement in run.measurements}
    return tuple(
        workload
        for workload in current
        if workload not in measured and not failed(workload, run.failures)
    )


def failed(workload: WorkloadId, failures: Iterable[Failure]) -> bool:
    """Tell whether a failure speaks for a workload: its own, or its whole test's."""
    return any(
        failure.workload == workload
        or (failure.workload.nodeid == workload.nodeid and not failure.workload.name)
        for failure in failures
    )


def _by_workload(runs: Iterable[BaselineRun]) -> _Entries:
    """Index once: going through all runs for each workload is quadratic in a suite's size."""
    found: dict[WorkloadId, list[tuple[BaselineRun, BaselineWorkload]]] = {}
    for run in runs:
        for entry in run.workloads:
            found.setdefault(entry.workload, []).append((run, entry))
    return found


def _absence(
    measurement: Measurement,
    known: Reference,
    *,
    found: Sequence[tuple[BaselineRun, BaselineWorkload]],
    fingerprint: Fingerprint,
) -> tuple[Verdict, str]:
    if found:
        named = _setting_differences(measurement.declaration, found[-1][1].declaration)
        return Verdict.NOT_COMPARABLE, f"{known.name} differs in {', '.join(named)}"
    elsewhere = known.other_entries.get(measurement.workload)
    if not elsewhere and (known.runs or known.others or not known.other_series):
        return Verdict.NEW, f"not in {known.name}"
    reason = f"{known.name} was made on another machine"
    if known.decisive:
        reason += f": {', '.join(_named(one) for one in known.decisive)}"
    else:
        reason += f" than this one ({fingerprint.cpu_model}, {fingerprint.cores} cores)"
    if known.other_series:
        reason += f"; series exist for {', '.join(known.other_series)}"
    return Verdict.NOT_COMPARABLE, reason


def _same_settings(ours: Declaration, theirs: Declaration) -> bool:
    return ours.threads == theirs.threads and ours.scenario == theirs.scenario


def _setting_differences(ours: Declaration, theirs: Declaration) -> tuple[str, ...]:
    pairs = (
        ("threads", ours.threads, theirs.threads),
        ("scenario", ours.scenario, theirs.scenario),
    )
    return tuple(
        f"{name} ({mine} here, {other} there)" for name, mine, other in pairs if mine != other
    )


def _same_inputs(ours: Declaration, theirs: Declaration) -> bool:
    """Compare by digest; an imported baseline that knows none is given the benefit of doubt."""
    if not (ours.input_digest and theirs.input_digest):
        return True
    return ours.input_digest == theirs.input_digest


def _named(one: Difference) -> str:
    return f"{one.field} ({one.ours} here, {one.theirs} in the baseline)"


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
