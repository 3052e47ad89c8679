"""What the workloads of a mixture do to each other: figures beside the verdicts, and no verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pytest_costguard.records import (
    PERCENTILES,
    Interval,
    Measurement,
    PartTogether,
    Peaks,
    Together,
    WorkloadId,
    WorkloadVerdict,
)
from pytest_costguard.stats.backlog import steady_state_fault
from pytest_costguard.stats.generator import generator_fault
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.lateness import figures_moved
from pytest_costguard.stats.mixtures import capacity, longer, part_of, served_longer
from pytest_costguard.stats.open_loop import (
    figures_under_load,
)
from pytest_costguard.stats.summary import intervals, unit_metrics

_PEAKS = ("peak_memory", "peak_device_memory")
_RATES_OF_THEIR_OWN = (
    "each was measured at a highest rate of its own: scenario='server' compares them at one rate"
)


def mixtures_of(measurements: Sequence[Measurement]) -> dict[WorkloadId, Together]:
    """Return what the measurements say of each mixture among them."""
    known = {one.workload: one for one in measurements}
    return {
        one.workload: _together(one, known)
        for one in measurements
        if one.declaration.scenario.load is not None and one.declaration.scenario.load.shares
    }


def counted_once(
    verdicts: Iterable[WorkloadVerdict], mixtures: Mapping[WorkloadId, Together]
) -> tuple[WorkloadVerdict, ...]:
    """Say nothing of a month of a part alone: the mixture serves its requests, and is paid for."""
    parts = {who.alone(part.name) for who, one in mixtures.items() for part in one.parts}
    return tuple(
        msgspec.structs.replace(one, monthly=None)
        if one.workload in parts and one.monthly is not None
        else one
        for one in verdicts
    )


def _together(mixture: Measurement, known: Mapping[WorkloadId, Measurement]) -> Together:
    load = mixture.declaration.scenario.load
    assert load is not None, "a mixture has a load"
    found = {name: known.get(mixture.workload.alone(name)) for name in load.shares}
    alone = {name: one for name, one in found.items() if one is not None}
    return Together(
        parts=tuple(
            _part(name, share, mixture=mixture, alone=alone.get(name))
            for name, share in load.shares.items()
        ),
        capacity=capacity(mixture, alone),
        peaks=_peaks(mixture, alone) if len(alone) == len(load.shares) else {},
    )


def _part(
    name: str, share: float, *, mixture: Measurement, alone: Measurement | None
) -> PartTogether:
    beside = part_of(mixture, name)
    told = figures_under_load(beside)
    errors = intervals(
        {"error_rate": tuple(unit_metrics(unit)["error_rate"] for unit in beside.units)}
    )
    faults = {
        metric: _fault(metric, mixture=mixture, name=name, beside=beside, alone=alone)
        for metric in PERCENTILES
    }
    sound = [metric for metric, fault in faults.items() if not fault]
    compared = {
        metric: ratio
        for metric in sound
        if alone is not None
        and isinstance(ratio := longer(metric, alone=alone, beside=beside), Interval)
    }
    return PartTogether(
        name=name,
        share=share,
        requests=sum(unit.open_loop.requests for unit in beside.units if unit.open_loop),
        figures={**told.bounded, **errors},
        unsupported=dict(told.unsupported),
        longer=compared,
        served_longer=None
        if alone is None or not sound
        else served_longer(alone=alone, beside=beside),
        reason="" if sound else faults["p50"],
    )


def _fault(
    metric: str,
    *,
    mixture: Measurement,
    name: str,
    beside: Measurement,
    alone: Measurement | None,
) -> str:
    """Say why a percentile of a part cannot be held against that which it has alone; "": it can."""
    if alone is None:
        return "it was not measured alone"
    if not beside.units:
        return "not one of its requests was sent"
    load = mixture.declaration.scenario.load
    if load is None or load.rate is None:
        return _RATES_OF_THEIR_OWN
    # Whoever waited behind a late request may be of another part.
    moved = figures_moved(mixture, part=list(load.shares).index(name))
    faults = {
        "alone": generator_fault(alone, metric) or steady_state_fault(alone),
        "beside the others": generator_fault(beside, metric, moved=moved)
        or steady_state_fault(mixture),
    }
    return "; ".join(f"{where}, {fault}" for where, fault in faults.items() if fault)


def _peaks(mixture: Measurement, alone: Mapping[str, Measurement]) -> dict[str, Peaks]:
    found = {}
    for metric in _PEAKS:
        together = _values(mixture, metric)
        apart = [_values(one, metric) for one in alone.values()]
        if together and all(apart):
            found[metric] = Peaks(
                together_bytes=mean(together), apart_bytes=sum(mean(values) for values in apart)
            )
    return found


def _values(measurement: Measurement, metric: str) -> list[float]:
    values = (unit_metrics(unit).get(metric) for unit in measurement.units)
    return [value for value in values if value is not None]
