"""From a report to replicas and a bill: what is planned, what is not, and why."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from factories.judged import head, judged
from factories.judging import budget, gates
from factories.money import target

from pytest_costguard.app.plan_subjects import PlanTerms
from pytest_costguard.app.planning import plan_report
from pytest_costguard.cost.capacity import FleetLimits
from pytest_costguard.cost.queueing import Objective
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import (
    Failure,
    Gates,
    Load,
    Scenario,
    Traffic,
    TrafficSteps,
    WorkloadId,
)
from pytest_costguard.reports.plan import render

P95 = Objective(quantile=0.95, seconds=0.01)


def report(latency=0.001, *, priced=True, scenario=None, held=None):
    """A report of one workload that takes `latency` seconds a request, with a price or without."""
    declared = {} if scenario is None else {"scenario": scenario}
    serves = msgspec.structs.replace(target(), stands_for=True, workers_per_instance=1)
    return judged(
        head(latency, **declared),
        target=serves if priced else None,
        gates=held or {},
        pricer=cost_of,
    )


def planned(found=None, *, report_latency=0.001, **terms):
    found = found or report(report_latency)
    return plan_report(found, terms=PlanTerms(traffic="500/s", **terms)).plan.workloads[0]


def test_a_workload_of_single_requests_is_sized_by_its_waiting():
    one = planned(objectives=(P95,))
    assert (one.sizing, one.objective) == ("Erlang C", "p95 within 10 ms")
    assert one.replicas >= 1
    assert one.static.bill.usd == one.replicas * 730 * one.usd_per_hour
    assert one.static.late_share < 0.05


def test_an_objective_that_too_few_replicas_do_not_keep_is_not_claimed():
    done = plan_report(
        report(),
        terms=PlanTerms(
            traffic="5k/s", objectives=(P95,), limits=FleetLimits(maximum=1), scaler=None
        ),
    ).plan

    told = " ".join(render(done).split())
    assert "replicas 1 at the peak (" in told
    assert "no more than 1 replica may run, and the peak needs" in told
    assert "p95 within 10 ms is not kept" in told


def test_without_an_objective_the_utilisation_counts():
    one = planned(limits=FleetLimits(utilisation=0.5))
    assert one.sizing == "utilisation"
    assert one.exact.estimate == pytest.approx(500 / (one.goodput.estimate * 0.5))
    assert one.static.late_share is None


def test_several_requests_at_a_time_are_sized_by_the_utilisation():
    one = planned(report(scenario=Scenario(kind="concurrent", n=4)), objectives=(P95,))
    assert one.sizing == "utilisation"
    assert any("several requests at a time" in note for note in one.notes)


def test_what_the_workload_declares_is_taken_where_nothing_is_given():
    slo = budget("p95", 0.01, kind="slo")
    (name,) = gates(slo)
    traffic = Traffic(items_per_month=1e9, text="1G/month", origin="marker")
    held = {name: Gates(budgets=(slo,), traffic=traffic)}
    (one,) = plan_report(report(held=held), terms=PlanTerms()).plan.workloads
    assert (one.traffic, one.objective) == ("1G/month", "p95 within 10 ms")
    assert one.items_per_month == pytest.approx(1e9)


def test_the_interval_of_the_goodput_becomes_that_of_replicas_and_bill():
    one = planned(scaler="HPA", startup_seconds=30.0)
    assert one.exact.lower <= one.exact.estimate <= one.exact.upper
    bill = one.autoscaled.bill
    assert bill.lower <= bill.usd <= bill.upper
    share = one.goodput.upper / one.goodput.lower
    assert one.exact.upper / one.exact.lower == pytest.approx(share)


def test_autoscaled_over_a_day_is_cheaper_than_the_peak_all_day():
    terms = PlanTerms(traffic="peak=20000/s,average=5000/s", scaler="HPA", startup_seconds=30.0)
    (one,) = plan_report(report(), terms=terms).plan.workloads
    assert one.autoscaled.bill.usd < one.static.bill.usd
    assert one.autoscaled.most <= one.replicas + 1
    assert one.autoscaled.usd_per_1k < one.static.usd_per_1k


@pytest.mark.parametrize(
    ("found", "terms", "reason"),
    [
        (report(priced=False), PlanTerms(traffic="1/s"), "it has no price"),
        (report(), PlanTerms(), "how much it serves is not known"),
        (
            report(0.1),
            PlanTerms(traffic="1/s", objectives=(P95,)),
            "no number of replicas answers p95 within 10 ms",
        ),
    ],
)
def test_what_cannot_be_planned_says_why_and_what_to_do(found, terms, reason):
    done = plan_report(found, terms=terms).plan
    assert done.workloads == ()
    assert reason in done.unplanned[0].reason
    assert done.unplanned[0].remedy
    assert reason in render(done)


def test_what_a_report_says_of_its_traffic_is_a_rate_and_names_no_file(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text("time,rate\n0,1\n300,1\n")
    (name,) = gates(budget())
    traffic = Traffic(items_per_month=1e6, text=str(path), origin="marker")
    (one,) = plan_report(
        report(held={name: Gates(traffic=traffic)}), terms=PlanTerms()
    ).plan.workloads
    assert one.items_per_month == pytest.approx(1e6)


def test_an_outlier_makes_no_other_request_quicker():
    found = report()
    (measured,) = found.run.measurements
    first, *rest = measured.units
    stalled = msgspec.structs.replace(first, latency_seconds=(*first.latency_seconds[:-1], 10.0))
    run = msgspec.structs.replace(
        found.run,
        measurements=(msgspec.structs.replace(measured, units=(stalled, *rest)),),
    )
    just_too_tight = Objective(quantile=0.95, seconds=0.0009)
    done = plan_report(
        msgspec.structs.replace(found, run=run),
        terms=PlanTerms(traffic="1/s", objectives=(just_too_tight,)),
    ).plan
    assert "single requests take longer" in done.unplanned[0].reason


def test_a_percentile_that_the_samples_do_not_support_is_not_planned_for():
    found = report()
    (measured,) = found.run.measurements
    few = tuple(
        msgspec.structs.replace(unit, latency_seconds=unit.latency_seconds[:5])
        for unit in measured.units
    )
    run = msgspec.structs.replace(
        found.run, measurements=(msgspec.structs.replace(measured, units=few),)
    )
    terms = PlanTerms(traffic="1/s", objectives=(Objective(quantile=0.99, seconds=1.0),))
    done = plan_report(msgspec.structs.replace(found, run=run), terms=terms).plan
    assert "not supported" in done.unplanned[0].reason


def test_an_objective_that_only_the_slow_end_misses_leaves_a_plan_without_bounds():
    found = report()
    slowest = max(unit.latency_seconds[0] for unit in found.run.measurements[0].units)
    one = planned(found, objectives=(Objective(quantile=0.95, seconds=slowest * 1.0001),))
    assert one.exact.lower is None
    assert any("an end of the goodput's interval" in note for note in one.notes)


def test_a_start_up_that_was_not_measured_is_not_taken_for_none():
    one = planned(scaler="HPA")
    assert (one.startup_seconds, one.autoscaled) == (None, None)
    assert any("--startup" in note for note in one.notes)


def test_what_failed_has_no_plan_and_is_named():
    found = report()
    failure = Failure(
        workload=WorkloadId(nodeid="tests/test_other.py::test_other"),
        reason="it died",
        remedy="mend",
    )
    run = msgspec.structs.replace(found.run, failures=(failure,))
    done = plan_report(msgspec.structs.replace(found, run=run), terms=PlanTerms(traffic="1/s")).plan
    assert "it died" in done.unplanned[0].reason
    assert "(1 of 2 workloads)" in render(done)


def test_fewer_replicas_than_kedas_own_limit_allows_are_said():
    one = planned(scaler="KEDA", startup_seconds=1.0, limits=FleetLimits(utilisation=0.001))
    assert any("KEDA starts 100 replicas at most" in note for note in one.notes)
    assert one.autoscaled.most == 100


def test_the_cost_per_1k_is_of_what_is_served():
    one = planned(limits=FleetLimits(maximum=1, utilisation=1.0), report_latency=0.01)
    assert one.static.served_share == pytest.approx(0.2, rel=0.05)
    full = one.static.bill.usd / Decimal(repr(one.items_per_month)) * 1000
    assert one.static.usd_per_1k > 4 * full


def test_a_share_of_an_instance_is_said_to_be_one():
    shared = msgspec.structs.replace(target(), stands_for=True, workers_per_instance=8)
    found = judged(head(), target=shared, pricer=cost_of)
    one = planned(found)
    assert any("12.5 % of an instance" in note for note in one.notes)


def test_a_traffic_that_is_not_understood_is_an_error():
    with pytest.raises(ConfigError, match="is no traffic"):
        plan_report(report(), terms=PlanTerms(traffic="lots"))


def test_only_what_was_chosen_is_planned():
    done = plan_report(report(), terms=PlanTerms(traffic="1/s"), chosen=["another"])
    assert (done.plan.workloads, done.plan.unplanned) == ((), ())


def test_too_few_replicas_allowed_are_said():
    one = planned(limits=FleetLimits(maximum=1, utilisation=0.01))
    assert one.replicas == 1
    assert any("no more than 1 replica may run" in note for note in one.notes)


def test_the_text_holds_the_figures_and_keeps_to_its_width():
    done = plan_report(
        report(),
        terms=PlanTerms(traffic="peak=900/s,average=300/s", scaler="KEDA", startup_seconds=9.0),
    ).plan
    text = render(done, width=90)
    assert "autoscaled (KEDA)" in text
    assert "before rounding" in text
    assert max(map(len, text.splitlines())) <= 110
    assert all(len(line) <= 90 for line in text.splitlines() if "note:" in line)


def test_a_profile_that_a_report_keeps_is_planned_as_it_was_declared():
    rates = (100.0, 2000.0, 100.0, 100.0)
    steps = TrafficSteps(step_seconds=21600.0, items_per_second=rates)
    traffic = Traffic(
        items_per_month=575 * 730 * 3600,
        text="day.csv",
        origin="marker",
        peak_per_second=2000.0,
        steps=steps,
    )
    (name,) = gates(budget())
    (one,) = plan_report(
        report(held={name: Gates(traffic=traffic)}), terms=PlanTerms()
    ).plan.workloads
    assert (one.traffic, one.peak_per_second, one.average_per_second) == ("day.csv", 2000.0, 575.0)


def test_a_profile_of_more_steps_than_are_kept_asks_for_its_file():
    traffic = Traffic(items_per_month=1e9, text="year.csv", origin="marker", peak_per_second=900.0)
    (name,) = gates(budget())
    done = plan_report(report(held={name: Gates(traffic=traffic)}), terms=PlanTerms()).plan
    assert "year.csv has more steps" in done.unplanned[0].reason
    assert "--traffic year.csv" in done.unplanned[0].remedy


def test_an_offered_rate_has_no_capacity():
    offered = Scenario(kind="server", load=Load(rate=100.0))
    done = plan_report(report(scenario=offered), terms=PlanTerms(traffic="1/s")).plan
    assert "says nothing of how much it could" in done.unplanned[0].reason
    assert "max_rate" in done.unplanned[0].remedy


@pytest.mark.parametrize(
    ("slo", "objective"),
    [
        ({"ttft_p99": 0.3, "itl_p99": 0.05}, ""),
        ({"ttft_p99": 0.3, "p99": 5.0}, "p99 within 5000 ms"),
    ],
)
def test_a_rate_found_under_limits_on_tokens_is_planned(slo, objective):
    searched = Scenario(kind="max_rate", load=Load(slo=slo))
    one = planned(report(scenario=searched))

    assert one.objective == objective
    assert not any("waiting is not looked at" in note for note in one.notes)


@pytest.mark.parametrize("utilisation", [0.7, 1.0])
def test_why_a_rate_that_was_searched_for_is_not_filled_is_said(utilisation):
    searched = report(scenario=Scenario(kind="max_rate", load=Load(slo={"p95": 0.01})))

    one = planned(searched, limits=FleetLimits(utilisation=utilisation))

    said = any("70 % of the rate that kept the SLO" in note for note in one.notes)
    assert said is (utilisation < 1)


def test_a_rate_is_planned_under_no_other_slo_than_it_was_found_under():
    searched = report(scenario=Scenario(kind="max_rate", load=Load(slo={"p95": 0.01})))

    laxer = planned(searched, objectives=(Objective(quantile=0.9, seconds=0.02),))
    stricter = plan_report(
        searched,
        terms=PlanTerms(traffic="5/s", objectives=(Objective(quantile=0.95, seconds=0.001),)),
    ).plan

    assert laxer.objective == "p90 within 20 ms"
    assert "says nothing of p95 within 1 ms" in stricter.unplanned[0].reason


def test_a_bill_is_exact_money():
    assert isinstance(planned().static.bill.usd, Decimal)
