"""The metrics: their names, units and which direction is better. The one list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

MetricUnit = Literal["s", "1/s", "req/s", "tok/s", "B", "USD", "J", "%", "replicas", ""]
"""`1/s` is items a second, `req/s` requests and `tok/s` tokens a second, `%` a share of one."""
Direction = Literal["lower", "higher"]
Series = Literal["latency", "ttft", "tpot", "itl"]
"""What there are samples of: latency, time to first token and time per output token of requests,
and inter-token latency, the gaps between the events of all of them. See `records.Tokens`."""


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


_OF_TOKENS: tuple[Series, ...] = ("ttft", "tpot", "itl")
_TOKEN_QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_TOKENS = ("output", "input", "total")

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
            *(
                _metric(f"{series}_{statistic}", f"{statistic} {series.upper()}", "s")
                for series in _OF_TOKENS
                for statistic in ("mean", *_TOKEN_QUANTILES)
            ),
            *(
                _metric(
                    f"{kind}_tokens_per_second",
                    f"{kind} token throughput",
                    "tok/s",
                    better="higher",
                )
                for kind in _TOKENS
            ),
            *(
                _metric(f"cost_per_1m_{kind}_tokens", f"cost per 1M {kind} tokens", "USD")
                for kind in _TOKENS
            ),
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
"""Of the latency of requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """What a metric that is a percentile looks at."""

    series: Series
    q: float


QUANTILES: Mapping[str, Quantile] = MappingProxyType(
    {name: Quantile(series="latency", q=q) for name, q in PERCENTILES.items()}
    | {
        f"{series}_{name}": Quantile(series=series, q=q)
        for series in _OF_TOKENS
        for name, q in _TOKEN_QUANTILES.items()
    }
)
"""Every percentile, of latency and of tokens; an SLO is held by them."""

MEANS: Mapping[Series, str] = MappingProxyType(
    {"latency": "mean", "ttft": "ttft_mean", "tpot": "tpot_mean", "itl": "itl_mean"}
)
"""The metric that is the mean of each series."""

OF_REQUESTS = frozenset({*QUANTILES, *MEANS.values(), "error_rate"})
"""What requests at one rate tell. Those of a search ran at rates chosen for keeping its SLO."""

TOKEN_COSTS: Mapping[str, str] = MappingProxyType(
    {f"cost_per_1m_{kind}_tokens": f"{kind}_tokens_per_second" for kind in _TOKENS}
)
"""The costs of tokens, and the metric that each rests on; each is the whole price."""

COSTS: Mapping[str, str] = MappingProxyType({"cost_per_1k": "throughput", **TOKEN_COSTS})
"""Every metric that is money, and the metric that it rests on: prices are never stored."""
