"""The metrics: their names, units and which direction is better. The one list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

MetricUnit = Literal["s", "1/s", "req/s", "B", "USD", "J", "%", "replicas", ""]
"""`1/s` is items a second, `req/s` requests a second, `%` a share of one."""
Direction = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure that a workload yields, once for each unit."""

    name: str
    title: str
    unit: MetricUnit
    better: Direction
    scales_with_machine: bool
    """Whether a slower machine makes it worse, so that the calibration kernel can correct it."""
    near_exact: bool
    """Whether it hardly differs between processes and runs, so that two runs bound it."""


def _metric(
    name: str,
    title: str,
    unit: MetricUnit,
    *,
    better: Direction = "lower",
    scales: bool = True,
    near_exact: bool = False,
) -> tuple[str, Metric]:
    return name, Metric(
        name=name,
        title=title,
        unit=unit,
        better=better,
        scales_with_machine=scales,
        near_exact=near_exact,
    )


METRICS: Mapping[str, Metric] = MappingProxyType(
    dict(
        [
            _metric("mean", "mean latency", "s"),
            _metric("p50", "p50 latency", "s"),
            _metric("p90", "p90 latency", "s"),
            _metric("p95", "p95 latency", "s"),
            _metric("p99", "p99 latency", "s"),
            _metric("throughput", "throughput", "1/s", better="higher"),
            _metric("cost_per_1k", "cost per 1k", "USD"),
            _metric("peak_memory", "peak memory", "B", scales=False, near_exact=True),
            _metric("peak_device_memory", "peak device memory", "B", scales=False, near_exact=True),
            _metric("cold_start", "cold start", "s"),
            _metric("first_call", "first call", "s"),
            _metric("energy_per_1k", "energy per 1k", "J", scales=False),
            _metric("quality", "quality", "", better="higher", scales=False),
            _metric("max_rate", "highest rate", "req/s", better="higher"),
            _metric("goodput", "goodput", "1/s", better="higher"),
            _metric("error_rate", "error rate", "%", scales=False),
            _metric("monthly_cost", "monthly cost", "USD"),
            _metric("replicas", "replicas", "replicas"),
        ]
    )
)

OF_OWN_PROCESS = frozenset({"peak_memory", "peak_device_memory", "cold_start", "first_call"})
"""What only a process that serves one workload alone can tell."""

OF_CAPACITY = frozenset({"monthly_cost", "replicas"})
"""What follows from the throughput at a declared traffic: budgets limit it, nothing compares it."""

PERCENTILES: Mapping[str, float] = MappingProxyType(
    {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
)
