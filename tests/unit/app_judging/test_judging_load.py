"""What is said of load: SLOs, error budgets, the highest rate, and load that does not count."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from factories.judged import judged, only
from factories.judging import MACHINE, budget, gates, regression, run
from factories.loads import a_load, a_loop, loaded

from pytest_costguard.app.judging_hypotheses import decide_pairs
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
    WorkloadId,
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


@pytest.mark.parametrize(
    ("on_base", "head", "verdict"),
    [
        (True, 50.0, Verdict.REGRESSED),  # base may take even more
        (True, 100.0, Verdict.INCONCLUSIVE),
        (True, 200.0, Verdict.INCONCLUSIVE),
        (False, 50.0, Verdict.INCONCLUSIVE),  # head may
        (False, 100.0, Verdict.UNCHANGED),
        (False, 200.0, Verdict.IMPROVED),
    ],
)
def test_side_by_side_a_search_that_was_sent_late_may_have_found_too_low_a_rate(
    on_base, head, verdict
):
    late = (0.004, 0.0) if on_base else (0.0, 0.004)  # of a limit of 50 ms
    sides = (a_search([rate] * 6, lateness=s) for rate, s in zip((100.0, head), late, strict=True))

    (comparison,) = side_by_side(*sides).comparisons

    assert comparison.verdict is verdict
    assert ("on base, " * on_base + "the load generator was late by 4 ms") in comparison.reason
    assert comparison.ratio == pytest.approx(head / 100.0)  # what was seen is shown all the same


@pytest.mark.parametrize(
    ("head", "verdict"), [(0.02, Verdict.REGRESSED), (0.0108, Verdict.INCONCLUSIVE)]
)
def test_side_by_side_a_verdict_holds_where_lateness_cannot_have_made_it(head, verdict):
    # Sent 0.8 ms late: 7 % of base, which +100 % outlives and +7 % does not.
    base = a_run(latency=0.01, lateness=0.0008).measurements[0]
    worse = a_run(latency=head, lateness=0.0008).measurements[0]

    (comparison,) = side_by_side(base, worse).comparisons

    assert comparison.verdict is verdict
    held = "; that holds although the load generator was late by 0.8 ms (p99)"
    assert (held in comparison.reason) == (verdict is Verdict.REGRESSED)


def test_what_a_server_serves_that_does_not_keep_up_passes_no_limit():
    load = Load(rate=100.0, slo={"p99": 0.05})
    growing = a_run(load=load, backlog=tuple(range(0, 200, 10)), within_slo=600)
    held = gates(
        budget("goodput", 1.0, bound="at least"), budget("throughput", 1.0, bound="at least")
    )

    results = only(judged(growing, gates=held)).budgets

    assert [one.verdict for one in results] == [BudgetVerdict.INCONCLUSIVE] * 2
    assert all("requests piled up until the end" in one.reason for one in results)


def of_unknown_backlog(units):
    """Return the units with windows that tell nothing of what piles up."""
    return [
        msgspec.structs.replace(
            unit, open_loop=msgspec.structs.replace(unit.open_loop, backlog_arrived=(0,))
        )
        for unit in units
    ]


def test_where_nobody_can_say_whether_a_server_keeps_up_there_is_a_warning_without_any_gate():
    whole = a_load([loaded(latencies=[0.02] * 40) for _ in range(6)])

    def warned(units):
        return only(judged(run(a_load(units)))).warnings

    assert warned(whole.units) == ()
    (warning,) = warned(of_unknown_backlog(whole.units))
    assert "it is not known whether the server keeps up" in warning


def test_where_nobody_can_say_whether_a_server_keeps_up_no_throughput_is_too_low():
    whole = a_load([loaded(latencies=[0.02] * 40) for _ in range(6)])
    held = gates(budget("throughput", 1000.0, bound="at least"))

    def verdict(units):
        (result,) = only(judged(run(a_load(units)), gates=held)).budgets
        return result.verdict

    assert verdict(whole.units) is BudgetVerdict.OVER
    assert verdict(of_unknown_backlog(whole.units)) is BudgetVerdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("on_base", "head", "verdict"),
    [
        (False, 0.02, Verdict.REGRESSED),  # all the more
        (False, 0.01, Verdict.INCONCLUSIVE),
        (True, 0.02, Verdict.INCONCLUSIVE),
        (True, 0.005, Verdict.INCONCLUSIVE),
    ],
)
def test_side_by_side_a_side_that_does_not_keep_up_is_no_reference_and_passes_nothing(
    on_base, head, verdict
):
    piled = {"backlog": tuple(range(0, 200, 10))}
    base = a_run(latency=0.01, **(piled if on_base else {})).measurements[0]
    other = a_run(latency=head, **({} if on_base else piled)).measurements[0]

    (comparison,) = side_by_side(base, other).comparisons

    assert comparison.verdict is verdict
    piled_up = ("on base, " * on_base + "requests piled up") in comparison.reason
    assert piled_up == (verdict is Verdict.INCONCLUSIVE)


def test_side_by_side_nothing_is_worse_beside_the_others_by_what_lateness_may_have_added():
    # The first is clearly worse, so that less is asked of the second.
    noise = np.random.default_rng(3).normal(0, 0.012, 6)

    def pair(name, *, worse, late=1e-9):
        workload = WorkloadId(nodeid=f"tests/test_load.py::{name}")
        both = [
            a_load([loaded(latencies=[0.01 * (1 + by)] * 20, lateness=late) for by in side])
            for side in (noise, worse + noise[::-1])
        ]
        return [msgspec.structs.replace(one, workload=workload) for one in both]

    def worse_beside_the_other(late):
        found = []
        for worse in np.linspace(0.038, 0.046, 9):
            pairs = [pair("test_clear", worse=1.0), pair("test_close", worse=worse, late=late)]
            base, head = (run(*side) for side in zip(*pairs, strict=True))
            against = Against(requested="main", found_as="main", run=base, looks=(6, 10, 16, 24))
            held = {str(one.workload): Gates(regressions=(regression("mean"),)) for _, one in pairs}
            decided = decide_pairs(head, against, held, hypotheses=2)
            found += [worse] * (pairs[1][0].workload in dict(decided.all_together))
        return found

    assert worse_beside_the_other(1e-9)
    assert not worse_beside_the_other(0.00009)


@pytest.mark.parametrize("late_on_both", [True, False])
def test_side_by_side_what_is_worse_by_lateness_alone_makes_nothing_else_worse(late_on_both):
    # Of ten milliseconds two are lateness, on head or on both; the other is too close to tell.
    noise = np.random.default_rng(3).normal(0, 0.012, 6)
    late = {"latencies": [0.012] * 20, "lateness": 0.002}
    in_time = late if late_on_both else {"latencies": [0.01] * 20}
    pairs = {
        "test_late": ([in_time] * 6, [late] * 6),
        "test_close": tuple(
            [{"latencies": [0.01 * (1 + by)] * 20} for by in side]
            for side in (noise, 0.042 + noise[::-1])
        ),
    }
    sides = zip(
        *(
            [
                msgspec.structs.replace(
                    a_load([loaded(**unit) for unit in side]),
                    workload=WorkloadId(nodeid=f"tests/test_load.py::{name}"),
                )
                for side in both
            ]
            for name, both in pairs.items()
        ),
        strict=True,
    )
    base, head = (run(*side) for side in sides)
    against = Against(requested="main", found_as="main", run=base, looks=(6, 10, 16, 24))
    held = {
        f"tests/test_load.py::{name}": Gates(regressions=(regression("mean"),)) for name in pairs
    }

    assert decide_pairs(head, against, held, hypotheses=2).all_together == frozenset()


@pytest.mark.parametrize("late_on_base", [True, False])
def test_side_by_side_the_side_is_named_whose_lateness_may_decide(late_on_base):
    # 11 ms on base and 10.7 on head, and 1 % of one of them may be lateness.
    wait = {"lateness": 0.00012}
    base = a_run(latency=0.01, **(wait if late_on_base else {})).measurements[0]
    head = a_run(latency=0.0097, **({} if late_on_base else wait)).measurements[0]

    (comparison,) = side_by_side(base, head).comparisons

    if late_on_base:
        assert comparison.verdict is Verdict.INCONCLUSIVE
        assert comparison.reason.startswith("on base, the load generator was late")
    else:  # in time it would have been better still
        assert comparison.verdict is Verdict.IMPROVED


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
        (Verdict.UNCHANGED, 0.02, 0.05, True),
        (Verdict.UNCHANGED, 0.04, 0.05, False),  # it may be surely more than what is allowed
        (Verdict.INCONCLUSIVE, 0.15, 0.3, None),
        (Verdict.UNCHANGED, None, None, None),
        (Verdict.REGRESSED, None, None, None),
        (Verdict.REGRESSED, 0.05, 0.3, None),  # another rule has decided
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
    assert found is expected


def test_a_figure_that_may_be_all_lateness_accuses_nobody_and_excuses_nobody():
    everything = Moved(figure=1.0, less=1.0, more=0.0)
    rule = regression("mean")
    worse = {"lower": 9.0, "upper": 9.5, "regression": rule}
    better = {"lower": -9.5, "upper": -9.0, "regression": rule}
    assert holds(Verdict.REGRESSED, **worse, head=everything) is False
    assert holds(Verdict.REGRESSED, **worse, head=NOT_MOVED, base=everything) is True
    assert holds(Verdict.IMPROVED, **better, head=everything) is True
    assert holds(Verdict.IMPROVED, **better, head=NOT_MOVED, base=everything) is False


def test_a_verdict_at_its_limit_falls_with_lateness_that_is_hardly_worth_naming():
    # 11 ms, of which 0.09 may be lateness: 0.8 %.
    late = a_run(latency=0.01, lateness=0.00009)

    near, far = (
        only(judged(late, gates=gates(budget("mean", limit)))).budgets[0]
        for limit in (0.01095, 0.0105)
    )

    assert near.verdict is BudgetVerdict.INCONCLUSIVE
    assert "that may be what decides about the mean latency" in near.reason
    assert far.verdict is BudgetVerdict.OVER
    assert "load generator" not in far.reason


def test_where_nothing_was_answered_no_latency_is_named():
    sound = loaded(latencies=[0.02] * 200)
    loop = a_loop(window_requests=(200,), unanswered=tuple(range(200)))
    lost = msgspec.structs.replace(sound, latency_seconds=(), open_loop=loop)
    held = gates(budget("error_rate", 0.01), budget("p50", 1.0), budget("mean", 1.0))

    errors, median, mean = only(judged(run(a_load([lost] * 3)), gates=held)).budgets

    assert (errors.verdict, median.verdict) == (BudgetVerdict.OVER, BudgetVerdict.OVER)
    assert "surely no answer" in median.reason
    assert mean.verdict is BudgetVerdict.INCONCLUSIVE
    assert "infinitely long" in mean.reason
