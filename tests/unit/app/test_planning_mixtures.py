"""The bill of shared replicas against separate ones, at rates that are known."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from factories.judged import judged
from factories.judging import budget, run
from factories.mixtures import SHARES, TOGETHER, alone, named, together
from factories.money import target

from pytest_costguard.app.plan_befores import report_before
from pytest_costguard.app.plan_changes import compare_plans
from pytest_costguard.app.plan_mixtures import PartOfTraffic, parts_of_traffic
from pytest_costguard.app.plan_subjects import PlanTerms
from pytest_costguard.app.planning import plan_report
from pytest_costguard.cost.capacity import FleetLimits
from pytest_costguard.cost.traffic import SECONDS_A_MONTH
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.records import Gates, Traffic, TrafficSteps, WorkloadId
from pytest_costguard.reports import focus
from pytest_costguard.reports.plan import render, total

ROUND = (0, 0, 1, 0)
SLO = {"p99": 0.05}
FULL = FleetLimits(utilisation=1.0)


def measurements(*, shared=80.0, embedder_items=1, spread=0.0):
    def found(rate):
        return {"rate": rate, "slo": SLO}

    return [
        alone("reranker", lambda _: [0.01] * 100, **found(100.0)),
        alone("embedder", lambda _: [0.01] * 100, items_per_request=embedder_items, **found(50.0)),
        together(lambda _: [0.01] * 200, ROUND * 50, **found(shared)),
    ]


def report(*measured, held=None):
    serves = msgspec.structs.replace(target(), stands_for=True, workers_per_instance=1)
    return judged(run(*measured), target=serves, gates=held or {}, pricer=cost_of)


def plan(*measured, traffic="390/s", **terms):
    found = report(*(measured or measurements()))
    return plan_report(found, terms=PlanTerms(traffic=traffic, limits=FULL, **terms)).plan


def test_each_part_alone_is_planned_for_its_share_of_the_traffic():
    by_name = {one.workload.name: one for one in plan().workloads}
    assert by_name["reranker alone"].peak_per_second == pytest.approx(292.5)
    assert by_name["embedder alone"].peak_per_second == pytest.approx(97.5)
    assert by_name["together"].peak_per_second == pytest.approx(390.0)
    assert by_name["embedder alone"].traffic == "25 % of 390/s"


def test_a_part_whose_requests_hold_more_has_more_of_the_traffic():
    shares = parts_of_traffic(measurements(embedder_items=9))
    # 3 requests of one item to 1 of nine.
    assert shares[TOGETHER.alone("embedder")].share == pytest.approx(0.75)


def test_shared_replicas_are_held_against_separate_ones():
    found = plan()
    (mixture,) = found.mixtures
    # 390 / 80 a second: 5. Alone 292.5 / 100 and 97.5 / 50 a second: 3 and 2.
    assert mixture.static.shared_replicas == 5
    assert mixture.static.separate_replicas == 5
    assert mixture.static.shared.usd == mixture.static.separate.usd
    assert mixture.workload == TOGETHER
    assert mixture.parts == tuple(TOGETHER.alone(name) for name in SHARES)


def test_what_the_parts_do_to_each_other_is_in_the_bill():
    (slower,) = plan(*measurements(shared=40.0)).mixtures
    assert slower.static.shared.usd == 2 * slower.static.separate.usd


def test_shared_is_cheaper_where_two_machines_would_stand_half_empty():
    (mixture,) = plan(traffic="40/s").mixtures
    assert (mixture.static.shared_replicas, mixture.static.separate_replicas) == (1, 2)
    assert mixture.static.shared.usd * 2 == mixture.static.separate.usd


def test_the_sum_of_all_counts_the_requests_once():
    found = plan()
    (mixture,) = found.mixtures
    assert total(found, autoscaled=False).usd == mixture.static.shared.usd
    assert {one.workload.name for one in found.workloads if one.part_of == TOGETHER} == {
        "reranker alone",
        "embedder alone",
    }


def test_autoscaled_bills_are_told_where_there_is_an_autoscaler():
    assert plan().mixtures[0].autoscaled is None
    (mixture,) = plan(
        traffic="peak=390/s,average=100/s", scaler="HPA", startup_seconds=30.0
    ).mixtures
    assert mixture.autoscaled.shared.usd < mixture.static.shared.usd


def test_intervals_are_carried_through():
    pace = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0]

    def varied(measurement):
        units = tuple(
            msgspec.structs.replace(
                unit,
                open_loop=msgspec.structs.replace(
                    unit.open_loop, rate=unit.open_loop.rate * pace[unit.index]
                ),
            )
            for unit in measurement.units
        )
        return msgspec.structs.replace(measurement, units=units)

    (mixture,) = plan(*map(varied, measurements()), traffic="3900/s").mixtures
    for bill in (mixture.static.shared, mixture.static.separate):
        assert bill.lower < bill.usd < bill.upper
    assert "not surely" in render(plan(*map(varied, measurements()), traffic="3900/s"))


def test_the_text_says_which_is_cheaper():
    told = render(plan(traffic="40/s"))
    assert "shared, or each part on its own" in told
    assert " cheaper\n" in told


def test_bills_that_are_alike_are_no_difference():
    assert "as dear" in render(plan())


def test_bills_that_nothing_bounds_do_not_surely_differ():
    found = [msgspec.structs.replace(one, units=one.units[:1]) for one in measurements(shared=40.0)]
    assert "dearer, not surely" in render(plan(*found))


def test_at_an_offered_rate_nothing_is_planned_and_the_reason_is_said():
    measured = [
        *(alone(name, lambda _: [0.01] * 100) for name in SHARES),
        together(lambda _: [0.01] * 200, ROUND * 50),
    ]
    found = plan(*measured)
    assert found.mixtures == ()
    assert "max_rate" in found.unplanned[0].remedy


def test_without_a_part_alone_there_is_no_comparison():
    _, embedder, mixed = measurements()
    found = plan(embedder, mixed)
    assert found.mixtures == ()
    assert all(one.part_of is None for one in found.workloads)


def test_what_each_workload_declares_is_the_traffic_of_all():
    traffic = Traffic(items_per_month=1e9, text="1G/month", origin="marker")
    measured = measurements()
    held = {str(one.workload): Gates(traffic=traffic) for one in measured}
    found = plan_report(report(*measured, held=held), terms=PlanTerms(limits=FULL)).plan
    by_name = {one.workload.name: one for one in found.workloads}
    assert by_name["together"].items_per_month == pytest.approx(1e9)
    assert by_name["embedder alone"].items_per_month == pytest.approx(2.5e8)


def test_an_ordinary_workload_beside_a_mixture_keeps_its_traffic():
    other = named(
        alone("reranker", lambda _: [0.01] * 100, rate=100.0, slo=SLO),
        WorkloadId(nodeid="test_other.py::test_other"),
    )
    found = plan(*measurements(), other)
    assert found.workloads[-1].peak_per_second == pytest.approx(390.0)
    assert found.workloads[-1].part_of is None


def test_a_forecast_has_a_row_for_what_is_paid_for():
    rows = focus.render(plan(), month=dt.date(2026, 3, 1)).splitlines()
    assert len(rows) == 2
    assert "[together]" in rows[1]


def test_a_part_is_held_to_budgets_at_its_own_part_of_the_traffic():
    traffic = Traffic(
        items_per_month=1e9,
        text="day.csv",
        origin="marker",
        peak_per_second=400.0,
        steps=TrafficSteps(step_seconds=300.0, items_per_second=(100.0, 400.0)),
    )
    own = PartOfTraffic(mixture=TOGETHER, share=0.25).of_gates(Gates(traffic=traffic)).traffic
    assert own.items_per_month == 2.5e8
    assert own.peak_per_second == 100.0
    assert own.steps.items_per_second == (25.0, 100.0)
    assert own.text == "25 % of day.csv"


def test_a_budget_on_replicas_counts_those_of_the_part():
    limit = budget("replicas", 3.0)
    traffic = Traffic(items_per_month=390 * SECONDS_A_MONTH, text="390/s", origin="marker")
    measured = measurements()
    held = {str(one.workload): Gates(budgets=(limit,), traffic=traffic) for one in measured}
    found = {one.workload.name: one.budgets[0] for one in report(*measured, held=held).verdicts}
    # Replicas are 70 % full: of 100, 50 and 80 a second they serve 70, 35 and 56.
    estimates = {name: one.interval.estimate for name, one in found.items()}
    assert estimates == {
        "reranker alone": pytest.approx(292.5 / 70),
        "embedder alone": pytest.approx(97.5 / 35),
        "together": pytest.approx(390 / 56),
    }


def test_a_change_is_summed_without_the_parts():
    whole = report(*measurements())
    terms = PlanTerms(traffic="390/s", limits=FULL)
    found = compare_plans(report_before(whole, after=whole), whole, terms=terms)
    (mixture,) = [one for one in found.workloads if one.workload == TOGETHER]
    assert found.static.after == mixture.static.bill.after
    assert len(found.workloads) == 3
