"""A report as OpenMetrics text, for a gateway, a file collector or a dashboard.

OpenMetrics 1.0: a family for each figure, with its unit, and `# EOF` at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_costguard.records import (
    PERCENTILES,
    TOKEN_COSTS,
    BudgetVerdict,
    Interval,
    Measurement,
    Report,
    Verdict,
    WorkloadVerdict,
)
from pytest_costguard.reports.escaping import plain
from pytest_costguard.reports.figures import telling

_PREFIX = "costguard"
_UNFIT = re.compile(r"[^a-zA-Z0-9_]")
_LABEL_LIMIT = 300
_LATENCIES = ("mean", *PERCENTILES)
_OF_TOKENS = ("ttft", "tpot", "itl")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    family: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    name: str
    unit: str
    help: str


_FAMILIES: Mapping[str, _Family] = MappingProxyType(
    {
        "latency": _Family(
            name="latency_seconds", unit="seconds", help="Latency of a request, by statistic."
        ),
        "ttft": _Family(
            name="ttft_seconds", unit="seconds", help="Time to the first token, by statistic."
        ),
        "tpot": _Family(
            name="tpot_seconds", unit="seconds", help="Time per output token, by statistic."
        ),
        "itl": _Family(
            name="itl_seconds", unit="seconds", help="Gaps between events, by statistic."
        ),
        "tokens": _Family(name="tokens_per_second", unit="", help="Tokens a second, by kind."),
        "token_cost": _Family(
            name="cost_usd_per_1m_tokens",
            unit="",
            help="US dollars for 1,000,000 tokens, by kind; each is the whole price.",
        ),
        "throughput": _Family(
            name="throughput_inferences_per_second", unit="", help="Inferences a second."
        ),
        "cost": _Family(
            name="cost_usd_per_1k_inferences", unit="", help="US dollars for 1,000 inferences."
        ),
        "memory": _Family(
            name="peak_memory_bytes", unit="bytes", help="Peak resident memory while serving."
        ),
        "peak_device_memory": _Family(
            name="peak_device_memory_bytes", unit="bytes", help="Peak memory of the device."
        ),
        "cold_start": _Family(
            name="cold_start_seconds", unit="seconds", help="From the start of loading to ready."
        ),
        "first_call": _Family(
            name="first_call_seconds", unit="seconds", help="Latency of the first request."
        ),
        "energy_per_1k": _Family(
            name="energy_per_1k_inferences_joules", unit="joules", help="For 1,000 inferences."
        ),
        "quality": _Family(
            name="quality", unit="", help="As the test measures it; more is better."
        ),
        "max_rate": _Family(
            name="highest_rate_requests_per_second",
            unit="",
            help="Requests a second, the most that keep the SLO.",
        ),
        "goodput": _Family(
            name="goodput_inferences_per_second",
            unit="",
            help="Inferences a second that were answered within the SLO.",
        ),
        "error_rate": _Family(
            name="error_ratio", unit="ratio", help="Share of requests without an answer in time."
        ),
        "monthly_cost": _Family(
            name="monthly_cost_usd", unit="", help="US dollars a month at the declared traffic."
        ),
        "replicas": _Family(
            name="replicas", unit="", help="At the peak of the declared traffic, not rounded."
        ),
        "change": _Family(
            name="change_ratio",
            unit="ratio",
            help="Head over its reference; worse is above 1, of rates and quality below 1.",
        ),
        "verdict": _Family(
            name="verdict", unit="", help="1 for the verdict that a comparison ended with."
        ),
        "budget_limit": _Family(
            name="budget_limit", unit="", help="Of a budget or SLO, in its metric's base unit."
        ),
        "budget_verdict": _Family(
            name="budget_verdict",
            unit="",
            help="1 for the verdict that a budget or SLO ended with.",
        ),
        "failed": _Family(name="failed", unit="", help="1 where the gate fails."),
    }
)


def render(report: Report) -> str:
    """Return a report as OpenMetrics text: every figure with both ends of its interval."""
    samples = [*_samples(report)]
    lines: list[str] = []
    for key, family in _FAMILIES.items():
        found = [one for one in samples if one.family == key]
        if not found:
            continue
        name = f"{_PREFIX}_{family.name}"
        lines += [f"# TYPE {name} gauge"]
        lines += [f"# UNIT {name} {family.unit}"] if family.unit else []
        lines += [f"# HELP {name} {family.help}"]
        lines += [f"{name}{_labels(one.labels)} {one.value!r}" for one in found]
    return "\n".join((*lines, "# EOF")) + "\n"


def _samples(report: Report) -> Iterator[_Sample]:
    measured = {one.workload: one for one in report.run.measurements}
    for verdict in report.verdicts:
        measurement = measured.get(verdict.workload)
        declared = {} if measurement is None else measurement.declaration.labels
        own = {f"label_{_fit(key)}": value for key, value in declared.items()}
        labels = {"workload": str(verdict.workload), **own}
        yield from _figures(verdict, measurement, labels)
        yield from _comparisons(verdict, labels)
        yield from _budgets(verdict, labels)
    yield _Sample(family="failed", labels={}, value=float(report.outcome.failed))


def _figures(
    verdict: WorkloadVerdict, measurement: Measurement | None, labels: Mapping[str, str]
) -> Iterator[_Sample]:
    for metric, seen in telling(verdict.figures, measurement).items():
        family, own = _family(metric)
        if not family:
            continue
        yield from _ends(family, seen, {**labels, **own})
    cost = verdict.cost
    if cost is None or cost.usd_per_1k is None:
        return
    amounts = {"estimate": cost.usd_per_1k, "lower": cost.lower, "upper": cost.upper}
    for bound, amount in amounts.items():
        if amount is not None:
            yield _Sample(family="cost", labels={**labels, "bound": bound}, value=float(amount))


def _ends(family: str, seen: Interval, labels: Mapping[str, str]) -> Iterator[_Sample]:
    ends = {"estimate": seen.estimate}
    if seen.n > 1:
        ends |= {"lower": seen.lower, "upper": seen.upper}
    for bound, value in ends.items():
        yield _Sample(family=family, labels={**labels, "bound": bound}, value=value)


def _family(metric: str) -> tuple[str, Mapping[str, str]]:
    """Return the family of a metric, "" where it has none, and the labels that are its own."""
    if metric in _LATENCIES:
        return "latency", {"statistic": metric}
    if metric in TOKEN_COSTS:
        return "token_cost", {"kind": _kind(TOKEN_COSTS[metric])}
    if metric in TOKEN_COSTS.values():
        return "tokens", {"kind": _kind(metric)}
    series, _, statistic = metric.partition("_")
    if series in _OF_TOKENS:
        return series, {"statistic": statistic}
    family = {"peak_memory": "memory"}.get(metric, metric)
    return family if family in _FAMILIES else "", {}


def _kind(rate: str) -> str:
    return rate.partition("_")[0]


def _comparisons(verdict: WorkloadVerdict, labels: Mapping[str, str]) -> Iterator[_Sample]:
    for one in verdict.comparisons:
        named = {**labels, "metric": one.metric}
        if one.ratio is not None:
            yield _Sample(family="change", labels=named, value=one.ratio)
        for word in Verdict:
            told = {**named, "verdict": str(word)}
            yield _Sample(family="verdict", labels=told, value=float(one.verdict is word))


def _budgets(verdict: WorkloadVerdict, labels: Mapping[str, str]) -> Iterator[_Sample]:
    for one in verdict.budgets:
        metric = one.budget.metric
        told = {"metric": metric, "kind": one.budget.kind, "limit": one.budget.bound}
        named = {**labels, **told}
        if one.limit is not None:
            yield _Sample(family="budget_limit", labels=named, value=one.limit)
        for word in BudgetVerdict:
            yield _Sample(
                family="budget_verdict",
                labels={**named, "verdict": str(word)},
                value=float(one.verdict is word),
            )


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(_pairs(labels.items())) + "}"


def _pairs(labels: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in labels:
        text = plain(value, limit=_LABEL_LIMIT).replace("\\", "\\\\").replace('"', '\\"')
        yield f'{name}="{text}"'


def _fit(name: str) -> str:
    """Return a name that a label may have."""
    return _UNFIT.sub("_", name)
