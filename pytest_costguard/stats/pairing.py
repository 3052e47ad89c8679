"""What one unit of two sides says about a metric: one logarithm, head ÷ base, above 0 worse.

For latency, throughput and cost it rests on pairs of blocks that ran right after each other on
the same slice of the inputs, so that drift and neighbours hit both alike. Each slice counts with
the median over its pairs, which a disturbed block cannot move, and the slices are put together as
shares of base's time: a regression that hits one slice in ten shows with its true weight, where
the median over all pairs would not see it. With one slice it is the median over all pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from statistics import median
from types import MappingProxyType

from pytest_costguard.records import METRICS, Block, Measurement, Unit, first_side
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.paired import PairedUnit
from pytest_costguard.stats.summary import unit_metrics

Latencies = Sequence[float]
_Statistic = Callable[[Block, Latencies], float]
"""What a block says, in seconds."""


def _mean(_block: Block, latency_seconds: Latencies) -> float:
    return mean(latency_seconds)


def _median(_block: Block, latency_seconds: Latencies) -> float:
    return median(latency_seconds)


def _seconds_per_item(block: Block, _latency_seconds: Latencies) -> float:
    return block.wall_seconds / block.items


_BLOCKWISE: Mapping[str, _Statistic] = MappingProxyType(
    {
        "mean": _mean,
        "p50": _median,
        "throughput": _seconds_per_item,
        "cost_per_1k": _seconds_per_item,
    }
)


def paired_units(
    metric: str, *, base: Measurement, head: Measurement, inputs_per_request: int
) -> tuple[PairedUnit, ...]:
    """Return what each unit that both sides measured says about a metric, in order.

    Units that lack the metric on either side, or whose value has no logarithm, are left out.

    Args:
        metric: by its name.
        base: measured in the same units.
        head: the same workload.
        inputs_per_request: of the scenario; tells which slice of the inputs a block has served.
    """
    others = {unit.index: unit for unit in base.units}
    inputs = max(head.declaration.input_count, base.declaration.input_count)
    found = []
    for unit in head.units:
        other = others.get(unit.index)
        if other is None:
            continue
        change = (
            _blockwise(
                _BLOCKWISE[metric],
                base=other,
                head=unit,
                inputs=inputs,
                taken=inputs_per_request,
            )
            if metric in _BLOCKWISE
            else _unitwise(metric, base=other, head=unit)
        )
        if change is not None:
            found.append(PairedUnit(change=change, first=first_side(unit.index)))
    return tuple(found)


def _unitwise(metric: str, *, base: Unit, head: Unit) -> float | None:
    before, after = unit_metrics(base).get(metric), unit_metrics(head).get(metric)
    if before is None or after is None or before <= 0 or after <= 0:
        return None
    change = math.log(after / before)
    return -change if METRICS[metric].better == "higher" else change


def _blockwise(
    statistic: _Statistic, *, base: Unit, head: Unit, inputs: int, taken: int
) -> float | None:
    """Return log(Σ over slices of share · ratio), a slice's ratio being the median of its pairs."""
    ratios: dict[tuple[int, int], list[float]] = {}
    weights: dict[tuple[int, int], list[float]] = {}
    position = 0
    for (before, base_latencies), (after, head_latencies) in zip(
        _blocks(base), _blocks(head), strict=True
    ):
        slice_ = position, before.requests
        position = (position + before.requests * taken) % inputs
        seconds = statistic(before, base_latencies)
        ratios.setdefault(slice_, []).append(statistic(after, head_latencies) / seconds)
        weights.setdefault(slice_, []).append(seconds * before.requests)
    total = math.fsum(median(found) * len(found) for found in weights.values())
    return math.log(
        math.fsum(
            median(weights[key]) * len(weights[key]) / total * median(found)
            for key, found in ratios.items()
        )
    )


def _blocks(unit: Unit) -> Iterator[tuple[Block, Latencies]]:
    """Each block with its latencies; `offline` has one latency a block."""
    apart = len(unit.latency_seconds) == unit.requests
    latencies = iter(unit.latency_seconds)
    for block in unit.blocks:
        yield block, tuple(islice(latencies, block.requests if apart else 1))
