"""What is said of load: SLOs, error budgets, the highest rate, and load that does not count."""

from __future__ import annotations

import numpy as np
import pytest
from factories.judged import judged, only
from factories.judging import MACHINE, budget, gates, regression, run
from factories.loads import a_load, loaded

from pytest_costguard.app.judging_lateness import holds
from pytest_costguard.app.judging_load import fitting
from pytest_costguard.records import (
    Against,
    BudgetVerdict,
    Gates,
    Load,
    Measurement,
    Probe,
    Regression,
    Run,
    Verdict,
    to_json,
)
from pytest_costguard.stats.lateness import NOT_MOVED, Moved

PROBES = (
    Probe(rate=95.0, requests=400, late=(0,), passed=True, seconds=4.0),
    Probe(rate=105.0, requests=400, late=(9,), passed=False, seconds=4.0),
)
SEARCHED = Load(slo={"p99": 0.05})


def a_run(*, units=6, count=600, latency=0.02, load=None, **loop) -> Run:
    rng = np.random.default_rng(11)
    measured = a_load(
        [
            loaded(latencies=(latency + 0.002 * rng.random(count)).tolist(), **loop)
            for _ in range(units)
        ],
        load=load,
    )
    return run(measured)


def a_search(rates, **loop) -> Measurement:
    units = [loaded(latencies=[0.02] * 400, rate=rate, probes=PROBES, **loop) for rate in rates]
    return a_load(units, load=SEARCHED)


def test_an_slo_under_load_is_kept_with_an_interval_over_requests():
    report = judged(a_run(), gates=gates(budget("p99", 0.05, kind="slo")))

    (result,) = only(report).budgets
    assert result.verdict is BudgetVerdict.WITHIN
    assert result.interval is not None
    assert result.interval.n == 3600
    assert not report.outcome.failed


def test_an_slo_that_is_broken_fails_the_run():
    report = judged(a_run(), gates=gates(budget("p99", 0.01, kind="slo")))

    assert only(report).budgets[0].verdict is BudgetVerdict.OVER
    assert report.outcome.failed


def test_load_that_was_late_passes_what_it_cannot_have_changed_and_says_so():
    report = judged(a_run(lateness=0.004), gates=gates(budget("p99", 0.05, kind="slo")))

    verdict = only(report)
    assert verdict.budgets[0].verdict is BudgetVerdict.WITHIN
    assert "that holds although the load generator was late" in verdict.budgets[0].reason
    assert any("the load generator was late" in warning for warning in verdict.warnings)


def test_load_that_was_late_passes_nothing_that_it_may_have_changed():
    endpoint = Load(rate=100.0, connections=4)
    late = a_run(lateness=0.004, load=endpoint)
    report = judged(late, gates=gates(budget("p99", 0.05, kind="slo")))

    verdict = only(report)
    assert verdict.budgets[0].verdict is BudgetVerdict.INCONCLUSIVE
    assert "the load generator was late" in verdict.budgets[0].reason
    assert any("the load generator was late" in warning for warning in verdict.warnings)


def test_lateness_that_is_little_of_the_limit_keeps_nothing_from_being_decided():
    report = judged(a_run(lateness=0.004), gates=gates(budget("p99", 1.0, kind="slo")))

    assert only(report).budgets[0].verdict is BudgetVerdict.WITHIN


def test_failures_are_told_and_make_no_mean():
    lost = tuple(range(0, 600, 60))
    report = judged(a_run(unanswered=lost), gates=gates(budget("error_rate", 0.001)))

    verdict = only(report)
    assert verdict.budgets[0].verdict is BudgetVerdict.OVER
    assert "mean" not in verdict.figures
    assert any(
        "60 of 3,660 requests failed or had no answer" in warning for warning in verdict.warnings
    )


def bursts() -> Measurement:
    """Late requests that all come in one burst of one unit: nothing bounds p99 from above."""
    sound, late = [0.01] * 110, [0.01] * 90 + [0.5] * 20
    return a_load([loaded(latencies=sound) for _ in range(5)] + [loaded(latencies=late)])


def test_units_without_a_failure_do_not_speak_for_those_with_one():
    sound = [loaded(latencies=[0.02] * 600) for _ in range(3)]
    failing = [loaded(latencies=[0.02] * 540, unanswered=tuple(range(60))) for _ in range(3)]

    verdict = only(judged(run(a_load(sound + failing)), gates=gates(budget("mean", 0.05))))

    assert "mean" not in verdict.figures
    assert verdict.budgets[0].verdict is BudgetVerdict.INCONCLUSIVE
    assert "infinitely long" in verdict.budgets[0].reason


def test_side_by_side_units_without_a_failure_do_not_speak_for_those_with_one():
    sound = a_load([loaded(latencies=[0.02 + 0.0001 * k] * 600) for k in range(6)])
    failing = a_load(
        [loaded(latencies=[0.02] * 600) for _ in range(4)]
        + [loaded(latencies=[0.02] * 540, unanswered=tuple(range(60))) for _ in range(2)]
    )

    (comparison,) = side_by_side(sound, failing).comparisons

    assert comparison.metric == "mean"
    assert comparison.verdict is Verdict.INCONCLUSIVE


def test_one_unit_decides_about_no_slo():
    report = judged(a_run(units=1, count=6000), gates=gates(budget("p99", 0.05, kind="slo")))

    assert only(report).budgets[0].verdict is BudgetVerdict.INCONCLUSIVE
    assert "one unit gives an estimate only" in only(report).budgets[0].reason


def test_latencies_of_windows_that_a_search_chose_are_held_to_nothing():
    report = judged(run(a_search([100.0] * 6)), gates=gates(budget("p99", 0.05, kind="slo")))

    (result,) = only(report).budgets
    assert result.verdict is BudgetVerdict.NOT_MEASURED
    assert "chosen for keeping its SLO" in result.reason


def test_a_search_that_has_not_ended_makes_no_capacity():
    report = judged(
        run(a_search([100.0] * 6, search_ended="its time was up")),
        gates=gates(budget("max_rate", 50.0, bound="at least")),
    )

    (result,) = only(report).budgets
    assert result.verdict is BudgetVerdict.INCONCLUSIVE
    assert "has not come to its end" in result.reason


def test_a_percentile_that_nothing_bounds_is_shown_as_what_it_seems_and_in_no_figure():
    report = judged(run(bursts()), gates=gates(budget("p99", 5.0, kind="slo")))

    verdict = only(report)
    assert "p99" not in verdict.figures
    assert "do not bound it" in verdict.unsupported["p99"]
    assert verdict.budgets[0].verdict is BudgetVerdict.INCONCLUSIVE


def test_what_is_judged_can_be_written_down():
    text = to_json(judged(run(bursts()), gates=gates(budget("p99", 0.0001, kind="slo"))))

    assert b"Infinity" not in text
    assert b"NaN" not in text


def test_the_goodput_of_a_search_is_its_throughput_and_its_cost():
    measured = a_search([98.0, 100.0, 102.0, 99.0, 101.0, 100.0])

    verdict = only(judged(run(measured)))

    assert verdict.figures["max_rate"].estimate == pytest.approx(100.0)
    assert verdict.figures["throughput"].estimate == pytest.approx(100.0)
    assert verdict.figures["cost_per_1k"].estimate == pytest.approx(1000 / 3600 / 100)


def test_a_search_is_held_to_its_rate_and_not_to_its_mean_by_default():
    held = Gates(regressions=(regression("mean"), regression("peak_memory")))

    fitted = fitting(held, a_search([100.0]))

    assert [(rule.metric, rule.allow, rule.catch) for rule in fitted.regressions] == [
        ("max_rate", 0.05, 0.10),
        ("peak_memory", 0.02, 0.05),
    ]


def test_what_somebody_has_declared_of_a_search_stays():
    mean = Regression(metric="mean", allow=0.1, catch=0.2, origin="marker of test_a")
    rate = Regression(metric="max_rate", allow=0.01, catch=0.02, origin="marker of test_a")

    assert fitting(Gates(regressions=(mean,)), a_search([100.0])).regressions == (mean,)
    both = fitting(Gates(regressions=(regression("mean"), rate)), a_search([100.0]))
    assert both.regressions == (rate,)


def test_other_scenarios_keep_their_gates():
    held = Gates(regressions=(regression("mean"),))

    assert fitting(held, a_load([loaded(latencies=[0.02] * 100)])) is held


def side_by_side(base: Measurement, head: Measurement):
    other = run(base, run_id="r-base", fingerprint=MACHINE)
    against = Against(requested="main", found_as="main", run=other, looks=(6, 10, 16, 24))
    return only(judged(run(head), against=against, gates=gates(regression("mean"))))


def test_side_by_side_a_lower_rate_is_a_regression():
    wobble = (1.0, 1.004, 0.997, 1.002, 0.999, 0.998)
    base = a_search([100.0 * share for share in wobble])
    head = a_search([80.0 * share for share in reversed(wobble)])

    (comparison,) = side_by_side(base, head).comparisons

    assert comparison.metric == "max_rate"
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.ratio == pytest.approx(0.8, abs=0.01)


def test_side_by_side_the_same_rate_is_unchanged():
    wobble = (1.0, 1.004, 0.997, 1.002, 0.999, 0.998)
    base = a_search([100.0 * share for share in wobble])
    head = a_search([100.0 * share for share in reversed(wobble)])

    (comparison,) = side_by_side(base, head).comparisons

    assert comparison.verdict is Verdict.UNCHANGED


def test_side_by_side_a_generator_that_was_late_on_base_decides_nothing():
    base = a_search([100.0] * 6, lateness=0.004)  # of a limit of 50 ms
    head = a_search([50.0] * 6)

    (comparison,) = side_by_side(base, head).comparisons

    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.reason.startswith("on base, the load generator was late")
    assert comparison.ratio == pytest.approx(0.5)  # what was seen is shown all the same


@pytest.mark.parametrize(
    ("head", "verdict"), [(0.02, Verdict.REGRESSED), (0.0108, Verdict.INCONCLUSIVE)]
)
def test_side_by_side_a_verdict_holds_where_lateness_cannot_have_made_it(head, verdict):
    # Sent 0.8 ms late: 7 % of base, which +100 % outlives and +7 % does not.
    base = a_run(latency=0.01, lateness=0.0008).measurements[0]
    worse = a_run(latency=head, lateness=0.0008).measurements[0]

    (comparison,) = side_by_side(base, worse).comparisons

    assert comparison.verdict is verdict
    held = "; that holds although on base, the load generator was late by 0.8 ms (p99)"
    assert (held in comparison.reason) == (verdict is Verdict.REGRESSED)


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [(0.0095, BudgetVerdict.OVER), (0.0105, BudgetVerdict.INCONCLUSIVE), (0.012, "within")],
)
def test_a_mean_is_over_its_budget_only_by_more_than_lateness_can_have_added(limit, verdict):
    # 11 ms, of which 0.8 can be lateness; in time it would have been no more.
    late = a_run(latency=0.01, lateness=0.0008)

    (result,) = only(judged(late, gates=gates(budget("mean", limit)))).budgets

    assert result.verdict == verdict
    assert "load generator was late" in result.reason


@pytest.mark.parametrize(
    ("limit", "verdict"), [(90.0, BudgetVerdict.WITHIN), (110.0, BudgetVerdict.INCONCLUSIVE)]
)
def test_a_highest_rate_that_was_sent_late_may_be_more_and_is_no_less(limit, verdict):
    wobble = (1.0, 1.004, 0.997, 1.002, 0.999, 0.998)
    found = run(a_search([100.0 * share for share in wobble], lateness=0.004))

    (result,) = only(
        judged(found, gates=gates(budget("max_rate", limit, bound="at least")))
    ).budgets

    assert result.verdict is verdict
    assert "the load generator was late" in result.reason


@pytest.mark.parametrize(
    ("verdict", "lower", "upper", "expected"),
    [
        (Verdict.REGRESSED, 0.15, 0.3, True),
        (Verdict.REGRESSED, 0.13, 0.3, False),
        (Verdict.UNCHANGED, -0.1, 0.05, True),
        (Verdict.UNCHANGED, -0.1, 0.09, False),
        (Verdict.IMPROVED, -0.3, -0.12, True),
        (Verdict.IMPROVED, -0.3, -0.1, False),
        (Verdict.INCONCLUSIVE, 0.15, 0.3, False),
        (Verdict.UNCHANGED, None, None, False),
        (Verdict.REGRESSED, None, None, False),
    ],
)
def test_bounds_give_way_to_what_lateness_may_have_done_on_either_side(
    verdict, lower, upper, expected
):
    # Down by 1.02 of base and 0.95 of head: 0.071; up by 1.01 of head and 0.97 of base: 0.040.
    rule = regression("mean", allow=0.07, catch=0.13)
    head = Moved(figure=1.0, less=0.05, more=0.01)
    base = Moved(figure=1.0, less=0.03, more=0.02)
    found = holds(verdict, lower=lower, upper=upper, regression=rule, head=head, base=base)
    assert found == expected


def test_nothing_holds_where_a_figure_may_be_all_lateness():
    everything = Moved(figure=1.0, less=1.0, more=0.0)
    rule = regression("mean")
    for sides in ({"head": everything}, {"head": NOT_MOVED, "base": everything}):
        assert not holds(Verdict.REGRESSED, lower=9.0, upper=9.5, regression=rule, **sides)
