"""Budgets on a month's cost and on replicas: by the bounds of the throughput, or why not."""

from __future__ import annotations

import math

import msgspec
import pytest
from factories.judged import head, judged, only
from factories.judging import MACHINE, WORKLOAD, budget, measurement, run, unit
from factories.money import target
from fakes.pricing import another_machine

from pytest_costguard.app.plan_subjects import PlanTerms
from pytest_costguard.app.planning import plan_report
from pytest_costguard.app.reporting import disagreements, remake
from pytest_costguard.baselines.reading import decode_record
from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.records import (
    BudgetVerdict,
    FailOn,
    Gates,
    Load,
    OpenLoop,
    Probe,
    Report,
    Scenario,
    Sensors,
    Traffic,
    TrafficSteps,
    to_json,
)
from pytest_costguard.reports.junit import properties
from pytest_costguard.reports.markdown import render

SERVES = msgspec.structs.replace(target(), stands_for=True, workers_per_instance=1)
"""0.36 dollars an hour for each replica: 262.80 a month of 730 hours."""
A_REPLICA = 262.8
MONTH_SECONDS = 730 * 3600


def serving(rate, **changes):
    """So many inferences a second, all the time."""
    fields = {"items_per_month": rate * MONTH_SECONDS, "text": f"{rate}/s", "origin": "marker"}
    return Traffic(**(fields | changes))


def reported(now, *limits, traffic, **options):
    held = {str(WORKLOAD): Gates(budgets=limits, traffic=traffic)}
    arguments = {"target": SERVES, "pricer": cost_of} | options
    return judged(now, gates=held, **arguments)


def held(metric, limit, *, traffic=None, now=None, slo=(), **options):
    """The result of one budget on a workload that serves about 1,000 a second."""
    limits = (budget(metric, limit), *slo)
    now = head() if now is None else now
    traffic = serving(2000) if traffic is None else traffic
    return only(reported(now, *limits, traffic=traffic, **options)).budgets[0]


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        (3 * A_REPLICA, BudgetVerdict.WITHIN),  # 2,000 ÷ (1,000 * 70 %) are 2.86, so three
        (3 * A_REPLICA - 0.01, BudgetVerdict.OVER),
        (4000.0, BudgetVerdict.WITHIN),
    ],
)
def test_a_months_cost_is_that_of_the_peaks_replicas(limit, verdict):
    result = held("monthly_cost", limit)

    assert result.verdict is verdict
    assert result.interval.estimate == pytest.approx(3 * A_REPLICA)
    assert result.reason.startswith("3 replicas for 2,000 inferences a second, each USD 0.360")
    assert "2.86 before rounding" in result.reason


def test_where_one_end_needs_a_replica_more_the_cost_is_not_known():
    # 2,100 ÷ (1,000 * 70 %) are 3.00: three replicas at the best end, four at the worst
    result = held("monthly_cost", 3.5 * A_REPLICA, traffic=serving(2100))

    assert result.verdict is BudgetVerdict.INCONCLUSIVE
    assert result.interval.lower == pytest.approx(3 * A_REPLICA)
    assert result.interval.upper == pytest.approx(4 * A_REPLICA)
    assert "the limit lies inside the interval of 6 units" in result.reason


def test_the_bounds_are_those_of_the_throughput_at_their_own_certainty():
    rates = [1 / one.latency_seconds[0] for one in head().measurements[0].units]
    centre = math.fsum(rates) / 6
    error = math.sqrt(sum((rate - centre) ** 2 for rate in rates) / 5 / 6)
    # t on 5 degrees of freedom: 3.3649 at 99 % and 2.0150 at 95 %
    interval = held("replicas", 3).interval

    assert interval.lower == pytest.approx(2000 / 0.7 / (centre + 3.36493 * error))
    assert interval.estimate == pytest.approx(2000 / 0.7 / centre)
    assert interval.upper == pytest.approx(2000 / 0.7 / (centre - 2.01505 * error))


@pytest.mark.parametrize(("limit", "verdict"), [(3, BudgetVerdict.WITHIN), (2, BudgetVerdict.OVER)])
def test_replicas_are_held_before_they_are_rounded(limit, verdict):
    result = held("replicas", limit)

    assert result.verdict is verdict
    assert result.interval.estimate == pytest.approx(2.857, abs=0.01)


@pytest.mark.parametrize(("rate", "replicas"), [(50, 5), (1000, 55)])
def test_an_objective_is_kept_by_as_many_as_erlang_says(rate, replicas):
    # requests of 50 ms that may wait 25 ms; 70 % full would be 4, and 72
    slo = budget("p95", 0.075, kind="slo")
    now = run(measurement([unit(0.05, index=index) for index in range(6)]))

    assert (
        held("replicas", replicas, now=now, slo=(slo,), traffic=serving(rate)).verdict == "within"
    )
    over = held("replicas", replicas - 1, now=now, slo=(slo,), traffic=serving(rate))
    assert over.verdict is BudgetVerdict.OVER
    assert "with p95 within 75 ms" in over.reason


def test_it_is_the_figure_of_the_plan():
    report = reported(head(), budget("monthly_cost", 1.0), traffic=serving(2000))
    (planned,) = plan_report(report, terms=PlanTerms()).plan.workloads

    assert only(report).figures["monthly_cost"].estimate == float(planned.static.bill.usd)


def test_the_peak_of_a_profile_counts_and_not_its_mean():
    rates = (500.0, 2000.0, 500.0, 500.0)
    steps = TrafficSteps(step_seconds=21600.0, items_per_second=rates)
    swinging = serving(875, peak_per_second=2000.0, steps=steps)
    peak_alone = serving(875, peak_per_second=2000.0)

    for traffic in (swinging, peak_alone):
        interval = held("replicas", 3, traffic=traffic).interval
        assert interval.estimate == pytest.approx(2.857, abs=0.01)


def test_without_a_price_a_months_cost_is_not_priced_and_replicas_are_counted():
    money = held("monthly_cost", 1.0, target=None, target_problem="no target")
    assert (money.verdict, money.reason) == (BudgetVerdict.NOT_PRICED, "no target")
    assert money.cause is FailOn.NOT_PRICED

    replicas = held("replicas", 3, target=None)
    assert replicas.verdict is BudgetVerdict.WITHIN
    assert "an hour" not in replicas.reason


@pytest.mark.parametrize(
    ("metric", "cause"),
    [("monthly_cost", FailOn.NOT_PRICED), ("replicas", FailOn.INCONCLUSIVE)],
)
def test_another_machines_throughput_says_nothing_of_the_target(metric, cause):
    result = held(metric, 3, pricer=another_machine)

    assert (result.verdict, result.cause) == (BudgetVerdict.NOT_MEASURED, cause)
    assert result.reason.startswith("not measured on target")


def test_without_a_traffic_it_is_not_measured_and_says_what_to_declare():
    for metric in ("monthly_cost", "replicas"):
        report = reported(head(), budget(metric, 3), traffic=None)
        (result,) = only(report).budgets

        assert result.verdict is BudgetVerdict.NOT_MEASURED
        assert result.cause is FailOn.INCONCLUSIVE
        assert result.reason.startswith("how much it serves is not known: declare traffic=")
        assert metric not in only(report).figures


def test_an_objective_that_no_number_keeps_has_no_figure():
    slo = budget("p95", 0.0009, kind="slo")
    report = reported(head(), budget("monthly_cost", 1.0), slo, traffic=serving(2000))
    result = only(report).budgets[0]

    assert result.verdict is BudgetVerdict.NOT_MEASURED
    assert "no number of replicas answers p95 within 0.9 ms" in result.reason
    assert result.interval is None
    assert "monthly_cost" not in only(report).figures


def test_an_objective_that_only_the_slow_end_misses_leaves_no_upper_bound():
    slowest = max(one.latency_seconds[0] for one in head().measurements[0].units)
    slo = budget("p95", slowest * 1.0001, kind="slo")

    for limit, verdict in ((2, BudgetVerdict.OVER), (1000, BudgetVerdict.INCONCLUSIVE)):
        result = held("replicas", limit, slo=(slo,), traffic=serving(2000))
        assert result.verdict is verdict
        assert result.interval.confidence == 0.0


@pytest.mark.parametrize(
    ("limit", "verdict"), [(9_999, BudgetVerdict.OVER), (20_000, BudgetVerdict.NOT_MEASURED)]
)
def test_more_replicas_than_are_counted_are_over_any_limit_below(limit, verdict):
    result = held("replicas", limit, traffic=serving(1e9))

    assert (result.verdict, result.interval) == (verdict, None)
    assert result.reason.startswith("the peak needs more than 10,000 replicas")
    month = held("monthly_cost", 9_999 * A_REPLICA, traffic=serving(1e9))
    assert month.verdict is BudgetVerdict.OVER


def test_what_was_sent_says_nothing_of_what_could_be():
    offered = Scenario(kind="server", load=Load(rate=100.0))
    result = held("replicas", 3, now=head(scenario=offered))

    assert result.verdict is BudgetVerdict.NOT_MEASURED
    assert "measure scenario='max_rate'" in result.reason


def searched(rate, *, limited=False):
    """A unit of a search for the highest rate, that ended at `rate` requests a second.

    By the load generator, where that was what could not send more in time.
    """
    found = unit(0.001, count=400)
    loop = OpenLoop(
        rate=rate,
        dispatched_rate=rate,
        answered_seconds=4.0,
        lateness_seconds=(1e-6,) * 400,
        service_seconds=(0.001,) * 400,
        window_requests=(400,),
        probes=(
            Probe(rate=rate, requests=400, late=(0,), passed=True, seconds=4.0),
            Probe(
                rate=1.1 * rate,
                requests=400,
                late=(40,),
                passed=False,
                sent_late=limited,
                seconds=4.0,
            ),
        ),
    )
    return msgspec.structs.replace(found, open_loop=loop)


def test_of_a_search_the_rate_under_its_own_slo_is_what_a_replica_serves():
    under = Scenario(kind="max_rate", load=Load(slo={"p95": 0.01}))
    units = [searched(rate) for rate in (100.0, 100.2, 99.8, 100.1, 99.9, 100.0)]
    now = run(measurement(units, scenario=under))
    # 200 ÷ (100 * 70 %) are 2.86
    result = held("replicas", 3, now=now, traffic=serving(200))

    assert result.verdict is BudgetVerdict.WITHIN
    assert result.interval.estimate == pytest.approx(2.857, abs=0.01)
    assert "with p95 within 10 ms" in result.reason


@pytest.mark.parametrize(
    ("limit", "verdict"), [(3, BudgetVerdict.WITHIN), (2, BudgetVerdict.INCONCLUSIVE)]
)
def test_a_server_that_may_take_more_needs_no_more_replicas(limit, verdict):
    under = Scenario(kind="max_rate", load=Load(slo={"p95": 0.01}))
    rates = (100.0, 100.2, 99.8, 100.1, 99.9, 100.0)
    now = run(measurement([searched(rate, limited=True) for rate in rates], scenario=under))

    result = held("replicas", limit, now=now, traffic=serving(200))

    assert result.verdict is verdict
    assert "the load generator could not send faster in time" in result.reason


def test_one_unit_is_an_estimate_only():
    result = held("monthly_cost", 1.0, now=head(units=1))

    assert result.verdict is BudgetVerdict.INCONCLUSIVE
    assert "one unit gives an estimate only" in result.reason
    assert result.interval.estimate == pytest.approx(3 * A_REPLICA)


@pytest.mark.parametrize(
    ("waited", "verdict"), [(0.1, BudgetVerdict.OVER), (0.6, BudgetVerdict.INCONCLUSIVE)]
)
def test_a_limit_is_not_exceeded_by_the_time_of_neighbours(waited, verdict):
    sensors = Sensors(wall_seconds=1.0, cpu_seconds=0.1, run_queue_wait_seconds=waited)
    now = run(measurement([unit(0.001 + step, sensors=sensors) for step in (0, 1e-6, 2e-6)]))
    result = held("replicas", 2, now=now)

    assert result.verdict is verdict
    assert ("and that alone may be the cause" in result.reason) == (waited > 0.5)


def test_what_is_over_fails_the_run_and_is_in_every_report():
    limit = budget("monthly_cost", 500.0, text="$500")
    report = reported(head(), limit, traffic=serving(2000))

    assert report.outcome.failed
    assert "over budget: test_rerank monthly cost (limit $500)" in report.outcome.sentence.lower()
    (message,) = only(report).failing
    assert message.startswith("788 USD monthly cost is over its budget of $500")
    names = dict(properties(only(report)))
    assert names["costguard.monthly_cost.budget"] == "over"
    assert float(names["costguard.monthly_cost"]) == pytest.approx(788.4)
    assert "monthly cost" in render(report)


def test_a_report_alone_is_enough_to_judge_it_again():
    rates = (500.0, 2000.0)
    steps = TrafficSteps(step_seconds=43200.0, items_per_second=rates)
    traffic = serving(1250, peak_per_second=2000.0, steps=steps, text="day.csv")
    stored = reported(head(), budget("monthly_cost", 500.0), budget("replicas", 3), traffic=traffic)
    read = decode_record(to_json(stored), Report, origin="report.json")

    assert disagreements(read, remake(read)) == ()
    assert read.run.fingerprint == MACHINE


def test_figures_are_those_that_a_budget_asks_for():
    without = reported(head(), budget("mean", 1.0), traffic=serving(2000))
    assert not {"monthly_cost", "replicas"} & only(without).figures.keys()

    asked = only(reported(head(), budget("replicas", 3), traffic=serving(2000))).figures
    assert asked["replicas"].confidence == 0.95
    assert "monthly_cost" not in asked
