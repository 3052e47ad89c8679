"""Metrics that a workload can never yield as it is measured: limits on them would never fail."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pytest_costguard.records import (
    METRICS,
    OF_CAPACITY,
    OF_REQUESTS,
    OPEN_LOOPS,
    QUANTILES,
    TOKEN_COSTS,
    Gates,
    Measurement,
)

_TOKEN_RATES = frozenset(TOKEN_COSTS.values())
_OF_STREAMS = frozenset({"ttft_mean", "tpot_mean", "itl_mean"}) | {
    name for name, one in QUANTILES.items() if one.series != "latency"
}
_CHOSEN = (
    "a search shows the requests of windows that were chosen for keeping its SLO: hold max_rate to"
    " a limit, or measure scenario='server' at a rate"
)


def never_measured(metric: str, measurement: Measurement) -> str:
    """Say why no such measurement yields a metric, and which would; "" where it can.

    What depends on the machine, such as energy in a closed loop, is not asked here.
    """
    kind = measurement.declaration.scenario.kind
    if metric == "max_rate" and kind != "max_rate":
        return _elsewhere(metric, measurement, "scenario='max_rate' with slo=")
    if metric == "error_rate" and kind not in OPEN_LOOPS:
        return _elsewhere(metric, measurement, "scenario='server' at a rate")
    if metric in OF_REQUESTS and kind == "max_rate":
        return _CHOSEN
    if metric == "goodput" and not _has_goodput(measurement):
        return _elsewhere(metric, measurement, "scenario='server' with slo= of measure()")
    if metric == "energy_per_1k" and kind in OPEN_LOOPS:
        return _elsewhere(metric, measurement, "closed loops, such as scenario='concurrent(4)'")
    if metric in OF_CAPACITY and kind == "server":
        return _elsewhere(metric, measurement, "scenario='max_rate', or a closed loop")
    if metric == "quality" and all(unit.quality is None for unit in measurement.units):
        return "quality is measured where measure() is given quality="
    return _of_tokens(metric, measurement)


def own_gates(gates: Gates, measurement: Measurement, among: Iterable[Measurement]) -> Gates:
    """Return the gates with those limits no longer its own that another workload answers.

    A test's marker speaks of all workloads of the test: a limit on the highest rate is meant for
    the one that searches for it.

    Args:
        gates: of a workload.
        measurement: of the same workload.
        among: all measurements of the run.
    """
    beside = [
        one
        for one in among
        if one.workload.nodeid == measurement.workload.nodeid
        and one.workload != measurement.workload
    ]
    return msgspec.structs.replace(
        gates,
        budgets=tuple(
            msgspec.structs.replace(
                budget,
                own=budget.own and all(never_measured(budget.metric, other) for other in beside),
            )
            for budget in gates.budgets
        ),
    )


def _elsewhere(metric: str, measurement: Measurement, scenario: str) -> str:
    kind = measurement.declaration.scenario.kind
    return f"{METRICS[metric].title} is measured by {scenario}, and this is scenario={kind!r}"


def _has_goodput(measurement: Measurement) -> bool:
    scenario = measurement.declaration.scenario
    return scenario.kind == "server" and scenario.load is not None and bool(scenario.load.slo)


def _of_tokens(metric: str, measurement: Measurement) -> str:
    """Say why a workload whose requests were answered has no such figure of tokens."""
    if not any(unit.latency_seconds for unit in measurement.units):
        return ""
    told = [unit.tokens for unit in measurement.units if unit.tokens is not None]
    if metric in _OF_STREAMS and not any(tokens.ttft_seconds for tokens in told):
        return (
            f"{METRICS[metric].title} is measured of answers that are streamed, and these are not:"
            " give measure() the address of a language model and protocol='openai'"
        )
    if metric in (*_TOKEN_RATES, *TOKEN_COSTS) and not told:
        return (
            f"{METRICS[metric].title} is measured of answers in tokens: give measure() the address"
            " of a language model and protocol='openai'"
        )
    return ""
