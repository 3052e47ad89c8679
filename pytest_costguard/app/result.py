"""What `measure` returns: figures with their intervals, or a clear word where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pytest_costguard.cost.unit_cost import token_cost
from pytest_costguard.errors import NotMeasured
from pytest_costguard.records import (
    METRICS,
    PERCENTILES,
    TOKEN_COSTS,
    Cost,
    Interval,
    Measurement,
    Series,
    WorkloadId,
)
from pytest_costguard.stats.mixtures import part_of
from pytest_costguard.stats.summary import Summary, estimates

_REMEDY = "run pytest with --costguard, or ask result.measured first"


class Figure(float):
    """A number that knows its interval: `lower` and `upper` at 95 %, None where it is not bounded.

    A single unit bounds nothing; the cost of a throughput that may be zero has no upper bound.
    `n` is the number of units that the figure rests on.
    """

    lower: float | None
    upper: float | None
    n: int
    unit: str

    @classmethod
    def of(cls, interval: Interval, *, unit: str) -> Figure:
        """Return the figure of an interval over units."""
        known = interval.n > 1
        return cls._bounded(
            interval.estimate,
            lower=interval.lower if known else None,
            upper=interval.upper if known else None,
            n=interval.n,
            unit=unit,
        )

    @classmethod
    def of_cost(cls, usd: Decimal, cost: Cost, *, n: int) -> Figure:
        """Return the figure of a cost of `usd` that rests on the throughput of `n` units."""
        return cls._bounded(
            float(usd),
            lower=None if cost.lower is None else float(cost.lower),
            upper=None if cost.upper is None else float(cost.upper),
            n=n,
            unit="USD",
        )

    @classmethod
    def unbounded(cls, estimate: float, *, n: int, unit: str) -> Figure:
        """Return the figure of an estimate over `n` units that nothing bounds."""
        return cls._bounded(estimate, lower=None, upper=None, n=n, unit=unit)

    @classmethod
    def _bounded(
        cls, estimate: float, *, lower: float | None, upper: float | None, n: int, unit: str
    ) -> Figure:
        figure = cls(estimate)
        figure.lower, figure.upper, figure.n, figure.unit = lower, upper, n, unit
        return figure

    def __repr__(self) -> str:
        number = f"{float(self):.4g} {self.unit}".rstrip()
        if self.n < 2:
            return f"{number} (one unit, no interval)"
        bounds = ("?" if bound is None else f"{bound:.4g}" for bound in (self.lower, self.upper))
        return f"{number} [{', '.join(bounds)}]"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency of a request, in seconds."""

    _result: Result

    @property
    def mean(self) -> Figure:
        """Mean latency in seconds."""
        return self._result.figure("mean")

    @property
    def p50(self) -> Figure:
        """Median latency in seconds."""
        return self._result.figure("p50")

    @property
    def p90(self) -> Figure:
        """90th percentile in seconds; raises `NotMeasured` below 36 requests, or 10 in a unit."""
        return self._result.figure("p90")

    @property
    def p95(self) -> Figure:
        """95th percentile in seconds; raises `NotMeasured` below 72 requests, or 20 in a unit."""
        return self._result.figure("p95")

    @property
    def p99(self) -> Figure:
        """99th percentile in seconds; raises `NotMeasured` below 368 requests, or 100 in a unit."""
        return self._result.figure("p99")


@dataclass(frozen=True, slots=True)
class TokenTimes:
    """TTFT, TPOT or ITL of a language model's answers, in seconds; see `records.Tokens`."""

    _result: Result
    _series: Series

    @property
    def mean(self) -> Figure:
        """Mean in seconds."""
        return self._result.figure(f"{self._series}_mean")

    @property
    def p50(self) -> Figure:
        """Median in seconds."""
        return self._result.figure(f"{self._series}_p50")

    @property
    def p95(self) -> Figure:
        """95th percentile in seconds; raises `NotMeasured` where the samples are too few."""
        return self._result.figure(f"{self._series}_p95")

    @property
    def p99(self) -> Figure:
        """99th percentile in seconds; raises `NotMeasured` where the samples are too few."""
        return self._result.figure(f"{self._series}_p99")


class Result:
    """The figures of one workload. Reading what was not measured raises `NotMeasured`.

    In a worker a test sees what is known so far. A percentile for which there are too few requests
    yet is then that of the requests so far, so that reading it does not end the test.
    """

    def __init__(
        self,
        workload: WorkloadId,
        *,
        measurement: Measurement | None = None,
        cost: Cost | None = None,
        quality: float | None = None,
        final: bool = True,
    ) -> None:
        self.workload = workload
        self.measurement = measurement
        """The record behind the figures; None without `--costguard`."""
        self._cost = cost
        self._final = final
        self._figures: dict[str, Interval] = {}
        self._unsupported: Mapping[str, str] = {}
        self._unbounded: Mapping[str, float] = {}
        if measurement is not None:
            summary = Summary.of(measurement)
            so_far = {} if final else estimates(measurement)
            self._figures = {**so_far, **summary.figures}
            self._unsupported = summary.unsupported
            self._unbounded = summary.percentiles
        elif quality is not None:
            self._figures = {
                "quality": Interval(
                    estimate=quality, lower=quality, upper=quality, confidence=1.0, n=1
                )
            }

    @property
    def measured(self) -> bool:
        """Whether this run measured; without `--costguard` the workload only ran once."""
        return self.measurement is not None

    @property
    def latency(self) -> Latency:
        """Latency of a request: mean, p50, p90, p95, p99."""
        return Latency(self)

    @property
    def throughput(self) -> Figure:
        """Items a second."""
        return self.figure("throughput")

    @property
    def max_rate(self) -> Figure:
        """Requests a second at which the SLO is still kept; of `scenario="max_rate"`."""
        return self.figure("max_rate")

    @property
    def goodput(self) -> Figure:
        """Items a second that were answered within `slo=`; of `scenario="server"`."""
        return self.figure("goodput")

    @property
    def error_rate(self) -> Figure:
        """Share of requests without an answer in time; of an open loop."""
        return self.figure("error_rate")

    def part(self, name: str) -> Result:
        """Latency and error rate of one part of a mixture, beside the others.

        Raises:
            NotMeasured: the workload is no mixture, has no such part, or was not measured.
        """
        measurement = self.measurement
        if measurement is None:
            raise NotMeasured(f"{self.workload}: part {name!r} was not measured", remedy=_REMEDY)
        load = measurement.declaration.scenario.load
        names = () if load is None else tuple(load.shares)
        if name not in names:
            raise NotMeasured(
                f"{self.workload} has no part {name!r}",
                remedy=f"name one of {', '.join(names)}"
                if names
                else "ask the result of the mixture: results['together']",
            )
        beside = part_of(measurement, name)
        return _PartResult(self.workload, measurement=beside, final=self._final)

    @property
    def ttft(self) -> TokenTimes:
        """Time to first token: from sending, in an open loop from the scheduled arrival."""
        return TokenTimes(self, "ttft")

    @property
    def tpot(self) -> TokenTimes:
        """Time per output token after the first, of each request."""
        return TokenTimes(self, "tpot")

    @property
    def itl(self) -> TokenTimes:
        """Inter-token latency: the gaps between events with output, of all requests."""
        return TokenTimes(self, "itl")

    @property
    def tokens_per_second(self) -> Figure:
        """Output tokens a second, over all requests together."""
        return self.figure("output_tokens_per_second")

    @property
    def memory(self) -> Figure:
        """Peak resident memory in bytes, of a process that served this workload alone."""
        return self.figure("peak_memory")

    @property
    def device_memory(self) -> Figure:
        """Peak memory of the accelerator in bytes."""
        return self.figure("peak_device_memory")

    @property
    def cold_start(self) -> Figure:
        """Seconds of loading and of the first answer, in a fresh process.

        Loading is `load=`, or reading the model's file. The process's own start and the imports
        of the test file and its conftest come before, and are not in it: what an import costs is
        counted only where `load=` itself makes it.
        """
        return self.figure("cold_start")

    @property
    def first_call(self) -> Figure:
        """Seconds of the first request after loading."""
        return self.figure("first_call")

    @property
    def energy(self) -> Figure:
        """Joules for 1,000 items, where the machine reports them."""
        return self.figure("energy_per_1k")

    @property
    def quality(self) -> float:
        """The quality metric; known with and without `--costguard`."""
        return float(self.figure("quality"))

    @property
    def cost_per_1k(self) -> Figure:
        """US dollars for 1,000 inferences on the target."""
        cost = self._priced("cost_per_1k")
        assert cost.usd_per_1k is not None, "what is priced has a cost"
        return Figure.of_cost(cost.usd_per_1k, cost, n=self.throughput.n)

    @property
    def cost_per_1m_output_tokens(self) -> Figure:
        """US dollars for 1,000,000 output tokens: the whole price over these alone."""
        return self._token_cost("cost_per_1m_output_tokens")

    @property
    def cost_per_1m_input_tokens(self) -> Figure:
        """US dollars for 1,000,000 input tokens: the whole price over these alone."""
        return self._token_cost("cost_per_1m_input_tokens")

    @property
    def cost_per_1m_total_tokens(self) -> Figure:
        """US dollars for 1,000,000 tokens, input and output together."""
        return self._token_cost("cost_per_1m_total_tokens")

    def _token_cost(self, metric: str) -> Figure:
        cost = self._priced(metric)
        found = token_cost(cost, self._figures.get(TOKEN_COSTS[metric]))
        if found is None:
            raise self._not_measured(metric)
        return Figure.of(found, unit="USD")

    def _priced(self, metric: str) -> Cost:
        if not self.measured:
            raise self._not_measured(metric)
        cost = self._cost
        if cost is None or cost.usd_per_1k is None:
            reason = cost.reason if cost is not None else "no target is declared"
            raise NotMeasured(
                f"{self.workload}: {metric} is not known: {reason}",
                remedy="declare a target, or price this machine: --costguard-price=USD_PER_HOUR",
            )
        return cost

    def figure(self, metric: str) -> Figure:
        """Return the figure of a metric by its name, see `records.METRICS`.

        Raises:
            NotMeasured: this run did not measure it, or its samples do not support it.
        """
        interval = self._figures.get(metric)
        if interval is None and metric in self._unbounded:
            assert self.measurement is not None, "what is estimated was measured"
            return Figure.unbounded(
                self._unbounded[metric],
                n=len(self.measurement.units),
                unit=METRICS[metric].unit,
            )
        if interval is None:
            raise self._not_measured(metric)
        return Figure.of(interval, unit=METRICS[metric].unit)

    def _not_measured(self, metric: str) -> NotMeasured:
        if metric in self._unsupported:
            return NotMeasured(
                f"{self.workload}: {self._unsupported[metric]}",
                remedy="measure longer: --costguard-unit-time, or more --costguard-units",
            )
        if self.measured:
            return NotMeasured(
                f"{self.workload}: {metric} was not measured on this machine or in this scenario",
                remedy="see `costguard report -v` for what was measured, and why not the rest",
            )
        return NotMeasured(f"{self.workload}: {metric} was not measured", remedy=_REMEDY)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self.figure(name)}" for name in self._figures)
        return f"<Result {self.workload}: {shown or 'not measured'}>"


class _PartResult(Result):
    """Of a part beside others, only what its own requests tell: the rest is all parts'."""

    def __init__(self, workload: WorkloadId, *, measurement: Measurement, final: bool) -> None:
        super().__init__(workload, measurement=measurement, final=final)
        own = ("mean", *PERCENTILES, "error_rate")
        self._figures = {name: seen for name, seen in self._figures.items() if name in own}
