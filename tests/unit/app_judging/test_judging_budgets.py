"""Budgets: each verdict for its own reason."""

from __future__ import annotations

import msgspec
import pytest
from factories.judged import head, judged, only, series
from factories.judging import (
    baseline,
    block,
    budget,
    gates,
    measurement,
    regression,
    run,
    stored_run,
    stored_workload,
    unit,
)
from factories.reports import TARGET
from fakes.pricing import another_machine, no_price

from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.records import BudgetVerdict, FailOn, Scenario, Sensors

SERVING = msgspec.structs.replace(TARGET, stands_for=True)


def held(now, limit, earlier=None, **options):
    (result,) = only(judged(now, earlier, gates=gates(limit), **options)).budgets
    return result


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        (0.002, BudgetVerdict.WITHIN),
        (0.0005, BudgetVerdict.OVER),
        (0.001, BudgetVerdict.INCONCLUSIVE),
    ],
)
def test_a_limit_on_latency(limit, verdict):
    result = held(head(), budget("mean", limit))

    assert (result.verdict, result.limit) == (verdict, limit)
    assert result.interval.n == 6


def test_a_floor_under_throughput():
    floor = budget("throughput", 2000, bound="at least")

    assert held(head(), floor).verdict is BudgetVerdict.OVER


@pytest.mark.parametrize(
    ("waited", "verdict"),
    [(0.1, BudgetVerdict.OVER), (0.6, BudgetVerdict.INCONCLUSIVE), (1.0, "inconclusive")],
)
def test_a_limit_is_not_exceeded_by_the_time_of_neighbours(waited, verdict):
    sensors = Sensors(wall_seconds=1.0, cpu_seconds=0.1, run_queue_wait_seconds=waited)
    now = run(measurement([unit(0.001 + step, sensors=sensors) for step in (0, 1e-6, 2e-6)]))
    for limit in (budget("mean", 0.0005), budget("throughput", 2000, bound="at least")):
        result = held(now, limit)

        assert result.verdict == verdict
        assert ("and that alone may be the cause" in result.reason) == (waited > 0.5)


def test_a_cost_budget_is_held_in_dollars():
    # one dollar an hour at 1,000 a second
    assert held(head(), budget("cost_per_1k", 0.0003)).verdict is BudgetVerdict.WITHIN
    assert held(head(), budget("cost_per_1k", 0.0002)).verdict is BudgetVerdict.OVER


def test_a_run_has_one_cost_however_much_its_units_differ():
    latencies = (0.001, 0.001, 0.001, 0.001, 0.002, 0.004)
    now = run(measurement([unit(latency, index=i) for i, latency in enumerate(latencies)]))
    held_to = gates(budget("cost_per_1k", 0.0003), regression("cost_per_1k"))

    verdict = only(judged(now, series(), gates=held_to, target=SERVING, pricer=cost_of))

    cost = float(verdict.cost.usd_per_1k)
    (comparison,) = verdict.comparisons
    (result,) = verdict.budgets
    assert verdict.figures["cost_per_1k"].estimate == cost
    assert verdict.figures["cost_per_1k"].lower == float(verdict.cost.lower)
    assert comparison.head == cost
    assert result.interval.estimate == cost
    assert result.interval.lower < cost < result.interval.upper


def test_a_cost_is_held_by_the_throughput_whose_bounds_are_shown_and_is_never_below_nothing():
    latencies = (0.0001, 0.01, 0.01, 0.01, 0.1, 1.0)
    now = run(measurement([unit(latency, index=i) for i, latency in enumerate(latencies)]))

    result = held(now, budget("cost_per_1k", 1.0), target=SERVING, pricer=cost_of)

    assert result.verdict is BudgetVerdict.INCONCLUSIVE
    assert "the limit lies inside the interval of 6 units" in result.reason
    assert result.interval.lower == result.interval.estimate, "an end of it is not bounded"


def test_a_cost_without_a_bound_has_no_interval():
    now = run(measurement([unit(0.001), unit(0.009, index=1)]))

    found = only(judged(now, target=SERVING, pricer=cost_of)).figures["cost_per_1k"]

    assert (found.lower, found.upper, found.confidence) == (found.estimate, found.estimate, 0.0)


def test_a_budget_says_why_its_interval_is_wider_than_the_figures():
    assert (
        "the interval leaves a false alarm a chance of 1 %"
        in held(head(), budget("mean", 0.002)).reason
    )


def test_without_a_price_a_cost_budget_is_not_priced():
    result = held(head(), budget("cost_per_1k"), pricer=no_price, target_problem="no target")

    assert (result.verdict, result.reason) == (BudgetVerdict.NOT_PRICED, "no target")


def test_without_a_price_other_budgets_are_held_all_the_same():
    assert held(head(), budget("mean"), pricer=no_price).verdict is BudgetVerdict.WITHIN


def test_on_another_machine_a_cost_budget_is_not_measured():
    result = held(head(), budget("cost_per_1k"), pricer=another_machine)

    assert result.verdict is BudgetVerdict.NOT_MEASURED
    assert result.reason == "not measured on target: the target has 8 cores, this runner 2"


def test_an_unsupported_percentile_is_inconclusive():
    result = held(head(units=1), budget("p99"))

    assert result.verdict is BudgetVerdict.INCONCLUSIVE
    assert result.reason == "p99 not supported by 200 samples (368 needed)"


def test_what_nobody_measured_is_not_measured():
    result = held(head(), budget("energy_per_1k", 5.0))

    assert result.verdict is BudgetVerdict.NOT_MEASURED
    assert result.reason == "energy per 1k was not measured in this run"


def test_one_unit_is_an_estimate_only():
    result = held(head(units=1), budget("mean", 1.0))

    assert result.verdict is BudgetVerdict.INCONCLUSIVE
    assert "one unit gives an estimate only" in result.reason
    assert result.interval.estimate == pytest.approx(0.001, rel=0.01)


def test_a_workload_that_still_warms_up_is_inconclusive_about_time_and_not_about_quality():
    falling = [block(0.02 - index * 2e-4) for index in range(60)]
    now = run(measurement([unit(blocks=falling, quality=0.9) for _ in range(3)]))

    assert held(now, budget("mean", 1.0)).verdict is BudgetVerdict.INCONCLUSIVE
    floor = budget("quality", 0.8, bound="at least")
    assert held(now, floor).verdict is BudgetVerdict.WITHIN


def test_a_minority_of_drifting_units_forbids_nothing():
    falling = [block(0.02 - index * 2e-4) for index in range(60)]
    now = run(measurement([unit(blocks=falling), unit(), unit()]))

    assert held(now, budget("mean", 1.0)).verdict is BudgetVerdict.WITHIN


class TestRelative:
    """A share of the baseline's value."""

    quality = budget("quality", 0.99, relative=True, bound="at least", text="99% of baseline")

    def now(self, quality):
        return run(measurement([unit(quality=quality), unit(quality=quality)]))

    def earlier(self):
        return baseline(stored_run(stored_workload({"quality": (0.9, 0.9)})))

    def test_it_is_held_against_the_baselines_mean(self):
        assert held(self.now(0.9), self.quality, self.earlier()).verdict is BudgetVerdict.WITHIN
        below = held(self.now(0.88), self.quality, self.earlier())
        assert below.verdict is BudgetVerdict.OVER
        assert below.limit == pytest.approx(0.891)

    def test_without_a_baseline_it_is_not_measured_and_fails_nothing(self):
        report = judged(self.now(0.9), None, gates=gates(self.quality), fail_on=tuple(FailOn))

        (result,) = only(report).budgets
        assert result.verdict is BudgetVerdict.NOT_MEASURED
        assert result.limit is None
        assert not report.outcome.failed

    def test_a_baseline_without_the_metric_gives_no_limit(self):
        result = held(self.now(0.9), self.quality, series())

        assert result.verdict is BudgetVerdict.NOT_MEASURED
        assert result.reason == "baseline 'main' holds no value for it"

    def test_a_cost_is_a_share_of_the_baselines_cost_at_todays_price(self):
        share = budget("cost_per_1k", 1.05, relative=True)

        assert held(head(0.001), share, series()).verdict is BudgetVerdict.WITHIN
        over = held(head(0.0012), share, series())
        assert over.verdict is BudgetVerdict.OVER
        assert over.limit == pytest.approx(1.05 * 1000 / 3600 * 0.001, rel=0.002)


def test_an_slo_with_concurrent_callers_asks_for_more_certainty():
    limit = budget("mean", 0.002, kind="slo")

    alone = held(head(), limit)
    loaded = held(head(scenario=Scenario(kind="concurrent", n=4)), limit)

    assert loaded.interval.upper > alone.interval.upper
