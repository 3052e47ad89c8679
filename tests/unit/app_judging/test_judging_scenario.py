"""A limit that a workload's scenario can never break is left open, and not passed over."""

from __future__ import annotations

import msgspec
import pytest
from factories.judged import judged, only
from factories.judging import WORKLOAD, budget, gates, measurement, run, unit
from factories.loads import a_load, loaded

from pytest_costguard.app.judging_scenario import never_measured
from pytest_costguard.records import (
    BudgetVerdict,
    FailOn,
    Gates,
    Load,
    Probe,
    Scenario,
    WorkloadId,
)

SEARCHED = Load(slo={"p99": 0.05})
PROBES = (Probe(rate=95.0, requests=400, late=(0,), passed=True, seconds=4.0),)


def closed(kind="single_stream"):
    return measurement([unit(index=k) for k in range(6)], scenario=Scenario(kind=kind))


def at_a_rate(**load):
    return a_load([loaded(latencies=[0.02] * 600)] * 6, load=Load(rate=100.0, **load))


def a_search():
    return a_load([loaded(latencies=[0.02] * 400, probes=PROBES)] * 6, load=SEARCHED)


def held(measured, limit):
    (result,) = only(judged(run(measured), gates=gates(limit))).budgets
    return result


@pytest.mark.parametrize(
    ("metric", "measured", "where"),
    [
        ("max_rate", at_a_rate(), "scenario='max_rate'"),
        ("max_rate", closed(), "scenario='max_rate'"),
        ("goodput", closed("offline"), "scenario='server' with slo="),
        ("goodput", at_a_rate(), "scenario='server' with slo="),
        ("goodput", a_search(), "scenario='server' with slo="),
        ("error_rate", closed(), "scenario='server'"),
        ("p99", a_search(), "measure scenario='server' at a rate"),
        ("mean", a_search(), "measure scenario='server' at a rate"),
        ("energy_per_1k", at_a_rate(), "closed loops"),
        ("ttft_mean", closed(), "protocol='openai'"),
        ("output_tokens_per_second", closed(), "protocol='openai'"),
        ("quality", closed(), "quality="),
    ],
)
def test_a_limit_of_the_workloads_own_is_inconclusive_and_says_what_measures_it(
    metric, measured, where
):
    result = held(measured, budget(metric, 1.0, own=True))

    assert (result.verdict, result.cause) == (BudgetVerdict.INCONCLUSIVE, FailOn.INCONCLUSIVE)
    assert where in result.reason


def test_a_limit_for_many_workloads_stays_not_measured_and_says_why():
    result = held(closed(), budget("max_rate", 80.0))

    assert (result.verdict, result.cause) == (BudgetVerdict.NOT_MEASURED, FailOn.INCONCLUSIVE)
    assert "scenario='max_rate'" in result.reason


def test_what_the_machine_does_not_tell_stays_not_measured():
    for metric in ("energy_per_1k", "peak_memory"):
        assert held(closed(), budget(metric, 1.0, own=True)).verdict is BudgetVerdict.NOT_MEASURED


def test_what_the_scenario_measures_is_decided():
    result = held(at_a_rate(slo={"p99": 0.05}), budget("error_rate", 0.01, own=True))

    assert result.verdict is BudgetVerdict.WITHIN


def test_a_marker_of_two_workloads_is_answered_by_the_one_that_searches():
    search = msgspec.structs.replace(
        a_search(), workload=WorkloadId(nodeid=WORKLOAD.nodeid, name="search")
    )
    limit = Gates(budgets=(budget("max_rate", 80.0, bound="at least", own=True),))
    report = judged(
        run(closed(), search), gates={str(WORKLOAD): limit, str(search.workload): limit}
    )

    first, second = (verdict.budgets[0].verdict for verdict in report.verdicts)
    assert first is BudgetVerdict.NOT_MEASURED
    assert second is not BudgetVerdict.NOT_MEASURED


def test_nothing_is_said_of_what_any_scenario_measures():
    for metric in ("mean", "p99", "throughput", "peak_memory"):
        assert never_measured(metric, closed()) == ""
