"""Builders of mixtures: parts alone and together, with latencies that are known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec
from factories.loads import a_load, loaded

from pytest_costguard.records import Load, Measurement, Memory, Probe, Unit, WorkloadId

TOGETHER = WorkloadId(nodeid="tests/test_two.py::test_two", name="together")
SHARES = {"reranker": 0.75, "embedder": 0.25}
MIB = 1 << 20
KEPT = Probe(rate=1.0, requests=100, late=(0,), passed=True, seconds=1.0)


def named(measurement: Measurement, workload: WorkloadId) -> Measurement:
    return msgspec.structs.replace(measurement, workload=workload)


def with_memory(unit: Unit, mebibytes: float | None) -> Unit:
    if mebibytes is None:
        return unit
    memory = Memory(peak_bytes=round(mebibytes * MIB), method="test")
    return msgspec.structs.replace(unit, memory=memory)


def alone(
    part: str,
    latencies: Callable[[int], Sequence[float]],
    *,
    units: int = 6,
    rate: float = 100.0,
    slo: dict[str, float] | None = None,
    mebibytes: float | None = None,
    **fields: object,
) -> Measurement:
    """A part by itself; with an SLO its highest rate was searched for and is `rate`."""
    probes = (KEPT,) if slo else ()
    load = Load(rate=None if slo else rate * SHARES[part], slo=slo or {})
    found = [
        with_memory(loaded(latencies=latencies(k), rate=rate, probes=probes, **fields), mebibytes)
        for k in range(units)
    ]
    return named(a_load(found, load=load), TOGETHER.alone(part))


def together(
    latencies: Callable[[int], Sequence[float]],
    parts: Sequence[int],
    *,
    units: int = 6,
    rate: float = 100.0,
    slo: dict[str, float] | None = None,
    unanswered: tuple[int, ...] = (),
    mebibytes: float | None = None,
    shares: dict[str, float] | None = None,
    **fields: object,
) -> Measurement:
    """All parts together: of each request, which part it was."""
    load = Load(rate=None if slo else rate, slo=slo or {}, shares=shares or SHARES)
    found = [
        with_memory(
            loaded(
                latencies=latencies(k),
                rate=rate,
                parts=tuple(parts),
                unanswered=unanswered,
                probes=(KEPT,) if slo else (),
                **fields,
            ),
            mebibytes,
        )
        for k in range(units)
    ]
    return named(a_load(found, load=load), TOGETHER)


def queue(seed: int, *, rate: float, serves: float, requests: int) -> list[float]:
    """Latencies in steady state of a queue of Poisson arrivals and exponential service times.

    First come, first served, by one server: the latency is exponential too, and its mean is
    1 / (serves - rate). (Lindley's recursion, begun where the queue has its steady state.)
    """
    chance = random.Random(seed)
    waiting = 0.0
    if chance.random() < rate / serves:
        waiting = chance.expovariate(serves - rate)
    found = []
    for _ in range(requests):
        latency = waiting + chance.expovariate(serves)
        found.append(latency)
        waiting = max(0.0, latency - chance.expovariate(rate))
    return found
