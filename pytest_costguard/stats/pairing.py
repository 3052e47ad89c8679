"""What one unit of two sides says about a metric: one logarithm, head ÷ base, above 0 worse.

For latency, throughput and cost it rests on pairs of blocks that ran right after each other on
the same slice of the inputs, so that drift and neighbours hit both alike. It says three things:

- what is typical, the median over all pairs, which a disturbed block cannot move;
- the total, where pairs serve different slices: a change that hits a few of the inputs has its
  weight there, and none in the median. It is as noisy as its noisiest pairs;
- of times, not of p50, the sum over all pairs: what makes few requests much slower, whatever they
  are served, has its full weight there. Every disturbance is in it. Where CPU time decides, it is
  told by wall time too: a request that waits now and then does so in no CPU time.

Where a request waits for nothing but a core, the pairs are compared by CPU time, which what others
do on that core is not in; and where both sides ran at the same time, a pair is the same request on
both. The percentiles always come from wall times of requests that ran alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from types import MappingProxyType

from pytest_costguard.records import COSTS, METRICS, Block, Measurement, Unit, first_side
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.paired import PairedUnit
from pytest_costguard.stats.summary import infinite_metrics, unit_metrics

Latencies = Sequence[float]
_Statistic = Callable[[Block, Latencies], float]
"""What a block says, in seconds."""


def _mean(_block: Block, latency_seconds: Latencies) -> float:
    return mean(latency_seconds)


def _median(_block: Block, latency_seconds: Latencies) -> float:
    return median(latency_seconds)


def _seconds_per_item(block: Block, _latency_seconds: Latencies) -> float:
    return block.wall_seconds / block.items


def _cpu_seconds(block: Block, _latency_seconds: Latencies) -> float:
    return block.cpu_seconds / block.requests


def _cpu_seconds_per_item(block: Block, _latency_seconds: Latencies) -> float:
    return block.cpu_seconds / block.items


_OF_CPU_TIME: Mapping[str, _Statistic] = MappingProxyType(
    {
        "mean": _cpu_seconds,
        "throughput": _cpu_seconds_per_item,
        "cost_per_1k": _cpu_seconds_per_item,
    }
)
OF_CPU_TIME = frozenset(_OF_CPU_TIME)
"""The metrics that rest on CPU time where both sides ran at the same time."""
_PER_ITEM = frozenset({"throughput", "cost_per_1k"})
"""The metrics whose statistic is seconds an item; of the others it is seconds a request."""
_BLOCKWISE: Mapping[str, _Statistic] = MappingProxyType(
    {
        "mean": _mean,
        "p50": _median,
        "throughput": _seconds_per_item,
        "cost_per_1k": _seconds_per_item,
    }
)
_SUMMED = frozenset(_BLOCKWISE) - {"p50"}
"""The metrics that say how much time all requests took: a sum of medians says nothing."""
_NO_SUMS = (None, None)


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
    if metric in infinite_metrics(base) | infinite_metrics(head):
        return ()  # units in which nothing failed must not speak for those in which something did
    others = {unit.index: unit for unit in base.units}
    inputs = max(head.declaration.input_count, base.declaration.input_count)
    found = []
    for unit in head.units:
        other = others.get(unit.index)
        if other is None:
            continue
        if metric in _BLOCKWISE and unit.open_loop is None:
            pairs = _pairs_of(
                metric, base=other, head=unit, inputs=inputs, taken=inputs_per_request
            )
            if not pairs:
                continue
            change: float | None = median([pair.change for pair in pairs])
            sums = _sums(metric, pairs, base=other, head=unit) if metric in _SUMMED else _NO_SUMS
            total = _total(pairs)
        else:
            change, total, sums = _unitwise(metric, base=other, head=unit), None, _NO_SUMS
        if change is not None:
            first = first_side(unit.index)
            found.append(
                PairedUnit(change=change, total=total, summed=sums[0], waited=sums[1], first=first)
            )
    return tuple(found)


def _sums(
    metric: str, pairs: Sequence[_Pair], *, base: Unit, head: Unit
) -> tuple[float | None, float | None]:
    """Return the change of the sum over all pairs, and by wall time where CPU time decides.

    Requests that were served at the same time as the other side's have no wall time of their own.
    """
    if head.clock != "cpu" or (base.together and head.together):
        return _summed(pairs), None
    per_item = metric in _PER_ITEM
    by_wall = _pairs(
        _BLOCKWISE[metric], _alone(base), _alone(head), inputs=1, taken=1, per_item=per_item
    )
    return _summed(pairs), _summed(by_wall)


def _pairs_of(metric: str, *, base: Unit, head: Unit, inputs: int, taken: int) -> list[_Pair]:
    """Pair the blocks of a unit: by CPU time where that is what a caller waits, else by wall."""
    by_cpu_time = head.clock == "cpu" and metric in _OF_CPU_TIME
    at_once = by_cpu_time and base.together and head.together
    return _pairs(
        (_OF_CPU_TIME if by_cpu_time else _BLOCKWISE)[metric],
        *((_beside(base), _beside(head)) if at_once else (_alone(base), _alone(head))),
        inputs=inputs,
        taken=taken,
        per_item=metric in _PER_ITEM,
    )


def _unitwise(metric: str, *, base: Unit, head: Unit) -> float | None:
    # The price of both sides is the same, so that cost follows the throughput.
    metric = COSTS.get(metric, metric)
    before, after = unit_metrics(base).get(metric), unit_metrics(head).get(metric)
    if before is None or after is None or before <= 0 or after <= 0:
        return None
    change = math.log(after / before)
    return -change if METRICS[metric].better == "higher" else change


@dataclass(frozen=True, slots=True)
class _Pair:
    change: float
    seconds: float
    """Of one side's block, the geometric mean of both: what the pair weighs."""
    slice: tuple[int, int] | None
    """Which inputs it served; None where that is all of them."""


def _pairs(
    statistic: _Statistic,
    base: Iterable[tuple[Block, Latencies]],
    head: Iterable[tuple[Block, Latencies]],
    *,
    inputs: int,
    taken: int,
    per_item: bool,
) -> list[_Pair]:
    found = []
    position = 0
    for (before, base_latencies), (after, head_latencies) in zip(base, head, strict=True):
        seconds = statistic(before, base_latencies), statistic(after, head_latencies)
        if min(seconds) <= 0:
            return []  # too short for the clock of CPU time, so that it has no ratio
        served = before.requests * taken
        count = before.items if per_item else before.requests
        found.append(
            _Pair(
                math.log(seconds[1] / seconds[0]),
                math.sqrt(seconds[0] * seconds[1]) * count,
                None if served >= inputs else (position, served),
            )
        )
        position = (position + served) % inputs
    return found


def _total(pairs: Sequence[_Pair]) -> float | None:
    """Return the change of the whole input set; None where every pair serves all there is.

    Each slice counts once, with the medians over its pairs, however often it was served. Written
    with the geometric mean of both sides, it is as likely above as below where nothing changed: a
    mean of ratios is not.
    """
    slices: dict[tuple[int, int] | None, list[_Pair]] = {}
    for pair in pairs:
        slices.setdefault(pair.slice, []).append(pair)
    if len(slices) == 1:
        return None
    return _of_sums(
        (median([pair.change for pair in found]), median([pair.seconds for pair in found]))
        for found in slices.values()
    )


def _summed(pairs: Sequence[_Pair]) -> float:
    """Return the change of the sum over all pairs."""
    return _of_sums((pair.change, pair.seconds) for pair in pairs)


def _of_sums(terms: Iterable[tuple[float, float]]) -> float:
    """Return log(sum of head ÷ sum of base), of changes and of seconds between both sides."""
    head, base = [], []
    for change, seconds in terms:
        head.append(seconds * math.exp(change / 2))
        base.append(seconds * math.exp(-change / 2))
    return math.log(math.fsum(head) / math.fsum(base))


def _alone(unit: Unit) -> Iterator[tuple[Block, Latencies]]:
    """Each block that ran alone, with its latencies; `offline` has one latency a block."""
    apart = len(unit.latency_seconds) == unit.requests
    latencies = iter(unit.latency_seconds)
    for block in unit.blocks:
        yield block, tuple(islice(latencies, block.requests if apart else 1))


def _beside(unit: Unit) -> Iterator[tuple[Block, Latencies]]:
    """Each request that ran while the other side did."""
    return ((block, ()) for block in unit.together)
