"""Percentiles under load hold what they promise, and load that does not count never passes."""

from __future__ import annotations

import math
import re

import msgspec
import numpy as np
import pytest
from factories.judging import declaration, unit
from factories.loads import a_load, a_loop, loaded

from pytest_costguard.records import BudgetVerdict, Load, Probe
from pytest_costguard.stats.backlog import growing_backlog, may_pile_up
from pytest_costguard.stats.generator import generator_fault
from pytest_costguard.stats.open_loop import (
    arrivals,
    figures_under_load,
    interval_under_load,
)
from pytest_costguard.stats.slo import decide_error_rate, decide_slo
from pytest_costguard.stats.summary import Summary


def queue(rng, *, utilisation, count, mean=0.01):
    """Latencies of M/M/1 in seconds, once the queue is in its steady state."""
    warm = 2000
    gaps = rng.exponential(mean / utilisation, count + warm)
    services = rng.exponential(mean, count + warm)
    total, arrived = np.cumsum(services), np.cumsum(gaps)
    done = total + np.maximum.accumulate(arrived - (total - services))
    return (done - arrived)[warm:].tolist()


@pytest.mark.parametrize("utilisation", [0.3, 0.5])
def test_the_interval_covers_the_truth_where_an_independent_one_would_not(utilisation):
    rng = np.random.default_rng(5)
    truth = math.log(100) * 0.01 / (1 - utilisation)
    trials = [queue(rng, utilisation=utilisation, count=3000) for _ in range(150)]

    found = [interval_under_load([one], 0.99, below=0.975, above=0.975) for one in trials]

    covered = sum(one is not None and one.lower <= truth <= one.upper for one in found)
    # At least 90 % of the truth, less four standard errors of 150 trials.
    assert covered / 150 > 0.90 - 4 * math.sqrt(0.09 / 150)


def test_processes_that_differ_widen_the_interval():
    rng = np.random.default_rng(7)
    alike = [(0.01 + rng.random(500) / 1000).tolist() for _ in range(6)]
    apart = [[latency + 0.002 * number for latency in one] for number, one in enumerate(alike)]
    pooled = [latency for one in apart for latency in one]

    between = interval_under_load(apart, 0.5, below=0.975, above=0.975)
    mixed = rng.permutation(pooled).reshape(6, -1).tolist()
    within = interval_under_load(mixed, 0.5, below=0.975, above=0.975)

    assert between is not None
    assert within is not None
    assert between.upper - between.lower > 2 * (within.upper - within.lower)


def test_too_few_samples_have_no_interval():
    assert interval_under_load([[0.1] * 39], 0.99, below=0.975, above=0.975) is None


def test_a_tail_that_the_samples_do_not_reach_has_no_upper_bound():
    found = interval_under_load(
        [np.random.default_rng(1).exponential(1.0, 100).tolist()], 0.99, below=0.975, above=0.975
    )

    assert found is not None
    assert found.upper == math.inf


def test_requests_without_an_answer_are_infinite_and_in_their_place():
    one = loaded(latencies=[0.1, 0.2, 0.3], unanswered=(1, 4))

    assert arrivals(one) == [0.1, math.inf, 0.2, 0.3, math.inf]


def a_measurement(*, latency=0.02, count=600, units=6, spread=0.002, **loop):
    rng = np.random.default_rng(3)
    return a_load(
        [
            loaded(latencies=(latency + spread * rng.random(count)).tolist(), index=index, **loop)
            for index in range(units)
        ]
    )


def test_an_slo_is_kept_where_the_upper_bound_is_below_the_limit():
    decision = decide_slo(a_measurement(), "p99", limit=0.05, alpha=0.01)

    assert decision is not None
    assert decision.verdict is BudgetVerdict.WITHIN
    assert decision.interval.upper <= 0.022


def test_an_slo_is_broken_where_the_lower_bound_is_above_the_limit():
    decision = decide_slo(a_measurement(), "p99", limit=0.01, alpha=0.01)

    assert decision is not None
    assert decision.verdict is BudgetVerdict.OVER


def test_an_slo_is_not_kept_on_a_tail_that_nothing_bounds():
    few = a_load([loaded(latencies=np.random.default_rng(2).exponential(0.01, 60).tolist())] * 2)

    decision = decide_slo(few, "p99", limit=10.0, alpha=0.01)

    assert decision is not None
    assert decision.verdict is BudgetVerdict.INCONCLUSIVE
    assert "do not bound p99 from above" in decision.reason


def test_a_limit_inside_the_interval_says_how_many_requests_would_decide():
    rng = np.random.default_rng(7)
    units = [rng.exponential(0.01, 400).tolist() for _ in range(6)]
    played = a_load([loaded(latencies=unit, index=index) for index, unit in enumerate(units)])
    limit = 0.0325  # p95 of this distribution is 30.0 ms

    decision = decide_slo(played, "p95", limit=limit, alpha=0.01)

    assert decision is not None
    assert decision.verdict is BudgetVerdict.INCONCLUSIVE
    told = re.search(r"about ([\d.]+) times as many would decide", decision.reason)
    assert told is not None
    # So many, and half as many again for chance, decide.
    more = round(1.5 * float(told[1]) * 400)
    longer = [rng.exponential(0.01, more).tolist() for _ in range(6)]
    again = a_load([loaded(latencies=unit, index=index) for index, unit in enumerate(longer)])
    decided = decide_slo(again, "p95", limit=limit, alpha=0.01)
    assert decided is not None
    assert decided.verdict is BudgetVerdict.WITHIN


def test_a_limit_at_the_figure_itself_promises_no_number_of_requests():
    rng = np.random.default_rng(7)
    units = [rng.exponential(0.01, 400).tolist() for _ in range(6)]
    played = a_load([loaded(latencies=unit, index=index) for index, unit in enumerate(units)])
    limit = sorted(latency for unit in units for latency in unit)[2280 - 1]

    decision = decide_slo(played, "p95", limit=limit, alpha=0.01)

    assert decision is not None
    assert decision.reason == "the limit lies inside the interval of 2,400 requests"


def test_failures_break_an_slo_whatever_the_others_take():
    rng = np.random.default_rng(3)
    failing = a_load(
        [
            loaded(
                latencies=(0.02 + 0.001 * rng.random(540)).tolist(),
                unanswered=tuple(range(0, 600, 10)),
                index=index,
            )
            for index in range(6)
        ]
    )

    decision = decide_slo(failing, "p95", limit=0.05, alpha=0.01)

    assert decision is not None
    assert decision.verdict is BudgetVerdict.OVER
    assert figures_under_load(failing).unsupported["p95"].startswith("p95 is not an answer")


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        (0.017, BudgetVerdict.OVER),  # 22 ms without 4 are over it all the same
        (0.019, BudgetVerdict.INCONCLUSIVE),
        (0.021, BudgetVerdict.INCONCLUSIVE),
        (0.023, BudgetVerdict.WITHIN),  # and in this process they were no more than they were
    ],
)
def test_a_late_generator_passes_and_accuses_nothing_that_it_may_have_changed(limit, verdict):
    late = a_measurement(lateness=0.004)

    decision = decide_slo(late, "p99", limit=limit, alpha=0.01)

    assert decision is not None
    assert decision.verdict is verdict
    told = decision.reason or decision.despite
    assert "the load generator was late by 4 ms" in told


@pytest.mark.parametrize("load", [Load(rate=100.0, connections=4), Load(rate=100.0, workers=2)])
def test_where_nobody_knows_what_lateness_did_nothing_passes_and_nothing_is_accused(load):
    late = msgspec.structs.replace(
        a_measurement(lateness=0.004),
        declaration=a_load([loaded(latencies=[0.02] * 100)], load=load).declaration,
    )
    for limit in (0.001, 0.05):
        assert decide_slo(late, "p99", limit=limit, alpha=0.01).verdict is (
            BudgetVerdict.INCONCLUSIVE
        )


def test_at_a_rate_that_was_not_sent_nothing_passes_and_nothing_is_accused():
    missed = a_measurement(rate=100.0, dispatched_rate=90.0, lateness=0.004)
    for limit in (0.001, 0.05):
        assert decide_slo(missed, "p99", limit=limit, alpha=0.01).verdict is (
            BudgetVerdict.INCONCLUSIVE
        )


def test_a_rate_that_was_not_sent_does_not_count():
    missed = a_measurement(rate=100.0, dispatched_rate=90.0)

    assert generator_fault(missed) == "the load generator sent 90 requests a second instead of 100"


def test_a_growing_backlog_never_passes_but_may_accuse():
    growing = a_measurement(backlog=tuple(range(0, 200, 10)))

    kept = decide_slo(growing, "p99", limit=0.05, alpha=0.01)
    broken = decide_slo(growing, "p99", limit=0.01, alpha=0.01)

    assert "piled up" in growing_backlog(growing)
    assert kept is not None
    assert kept.verdict is BudgetVerdict.INCONCLUSIVE
    assert broken is not None
    assert broken.verdict is BudgetVerdict.OVER


def with_backlogs(*backlogs):
    return a_load([loaded(latencies=[0.02] * 600, backlog=backlog) for backlog in backlogs])


def test_a_backlog_that_comes_and_goes_is_none():
    coming, going = (5, 30, 2, 40) * 5, (40, 2, 30, 5) * 5

    assert growing_backlog(with_backlogs(coming, going, coming, going, coming, going)) == ""


def test_a_backlog_that_grows_a_little_in_every_unit_is_seen():
    # A twentieth of what arrives is not served: too little to be seen in a single unit.
    a_little = [tuple(range(0, 30 + more, (30 + more) // 20))[:20] for more in (0, 2, 4, 1, 3, 2)]

    assert "piled up" in growing_backlog(with_backlogs(*a_little))
    assert growing_backlog(with_backlogs(a_little[0])) == ""


@pytest.mark.parametrize("units", [2, 6])
def test_a_server_that_may_be_five_per_cent_too_slow_keeps_no_limit(units):
    # 28 of 600 are left over in each unit, more or less: too little, or too few, to accuse.
    growths = [28 + more for more in (0, 25, -24, 20, -22, 3)][:units]
    doubtful = with_backlogs(*([0] * 19 + [grown] for grown in growths))

    assert growing_backlog(doubtful) == ""
    assert "it is not sure that the server keeps up" in may_pile_up(doubtful)
    decided = [
        decide_slo(doubtful, "p90", limit=5.0, alpha=0.01),
        decide_error_rate(doubtful, limit=0.05, alpha=0.01),
    ]
    for decision in decided:
        assert decision is not None
        assert decision.verdict is BudgetVerdict.INCONCLUSIVE
        assert "keeps up" in decision.reason


def test_a_server_that_keeps_up_is_not_doubted():
    coming, going = (2, 3, 1, 4) * 5, (4, 1, 3, 2) * 5

    assert may_pile_up(with_backlogs(coming, going, coming, going, coming, going)) == ""


def test_requests_that_get_slower_and_slower_are_no_steady_state():
    slower = [0.1 + 0.0002 * k for k in range(600)]
    steady = [0.1 + 0.02 * (k % 7) for k in range(600)]

    worse = a_load([loaded(latencies=slower)] * 4)

    assert growing_backlog(worse).startswith("requests got slower until the end (67 %")
    assert growing_backlog(a_load([loaded(latencies=steady)] * 6)) == ""
    decision = decide_slo(worse, "p50", limit=0.35, alpha=0.01)
    assert decision is not None
    assert decision.verdict is BudgetVerdict.INCONCLUSIVE


def test_an_error_rate_is_not_kept_while_requests_pile_up():
    growing = a_measurement(count=500, backlog=tuple(range(0, 200, 10)))

    decision = decide_error_rate(growing, limit=0.01, alpha=0.01)

    assert decision.verdict is BudgetVerdict.INCONCLUSIVE
    assert "piled up" in decision.reason


def test_a_search_that_has_not_ended_says_so():
    probes = (Probe(rate=100.0, requests=400, late=(0,), passed=True, seconds=4.0),)

    told = generator_fault(a_measurement(probes=probes, search_ended="its time was up"))

    assert told == "the search for the highest rate has not come to its end: its time was up"


def test_a_search_that_only_the_generator_ended_says_so():
    probes = (
        Probe(rate=100.0, requests=400, late=(0,), passed=True, seconds=4.0),
        Probe(rate=110.0, requests=400, late=(9,), passed=False, sent_late=True, seconds=4.0),
        Probe(rate=200.0, requests=400, late=(90,), passed=False, seconds=1.0),
    )

    assert "could not send faster" in generator_fault(a_measurement(probes=probes))


def test_a_search_that_the_server_ended_stands_though_a_higher_rate_was_too_fast_for_us():
    probes = (
        Probe(rate=100.0, requests=400, late=(0,), passed=True, seconds=4.0),
        Probe(rate=110.0, requests=400, late=(9,), passed=False, seconds=4.0),
        Probe(rate=200.0, requests=400, late=(90,), passed=False, sent_late=True, seconds=1.0),
    )

    assert generator_fault(a_measurement(probes=probes)) == ""


def test_no_failure_is_within_only_where_enough_was_sent():
    # Three in three thousand is what no failure at all leaves open at 95 %.
    sound = a_measurement(count=500, units=6)

    assert decide_error_rate(sound, limit=0.001, alpha=0.01).verdict is BudgetVerdict.WITHIN
    assert decide_error_rate(sound, limit=0.0005, alpha=0.01).verdict is BudgetVerdict.INCONCLUSIVE


def test_no_failure_at_all_leaves_open_what_the_requests_do():
    figure = Summary.of(a_load([loaded(latencies=[0.01] * 500)] * 6)).figures["error_rate"]

    assert (figure.estimate, figure.lower, figure.n) == (0.0, 0.0, 3000)
    assert figure.upper == pytest.approx(1 - 0.025 ** (1 / 3000))


def test_failures_that_come_in_one_burst_are_not_surely_over():
    latencies = [0.02] * 540
    burst = [loaded(latencies=latencies, unanswered=tuple(range(60)), index=0)]
    sound = [loaded(latencies=[0.02] * 600, index=index) for index in range(1, 6)]
    steady = [
        loaded(latencies=[0.02] * 590, unanswered=tuple(range(0, 600, 60)), index=index)
        for index in range(6)
    ]

    once = decide_error_rate(a_load(burst + sound), limit=0.01, alpha=0.01)
    always = decide_error_rate(a_load(steady), limit=0.01, alpha=0.01)

    assert once.interval.estimate == always.interval.estimate == pytest.approx(60 / 3600)
    assert once.verdict is BudgetVerdict.INCONCLUSIVE
    assert always.verdict is BudgetVerdict.OVER


def test_a_closed_loop_has_no_load_to_doubt():
    from pytest_costguard.records import Measurement, WorkloadId

    closed = Measurement(
        workload=WorkloadId(nodeid="t.py::t"), declaration=declaration(), units=(unit(),)
    )

    assert generator_fault(closed) == growing_backlog(closed) == ""
    assert a_loop(window_requests=(4,)).requests == 4


def at_95(samples, q):
    return interval_under_load([samples], q, below=0.975, above=0.975)


def test_the_batch_robust_interval_of_independent_samples_covers():
    rng = np.random.default_rng(21)
    trials = rng.exponential(1.0, (300, 2000)).tolist()
    truth = -math.log(0.1)

    intervals = [at_95(samples, 0.9) for samples in trials]

    covered = sum(one is not None and one.lower <= truth <= one.upper for one in intervals)
    assert covered / 300 >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 300)


def test_it_is_wider_than_order_statistics_where_samples_hang_together():
    rng = np.random.default_rng(22)
    walk = np.zeros(4000)
    noise = rng.standard_normal(4000)
    for i in range(1, 4000):
        walk[i] = 0.95 * walk[i - 1] + noise[i]
    shuffled = rng.permutation(walk)

    correlated = at_95(walk.tolist(), 0.9)
    independent = at_95(shuffled.tolist(), 0.9)

    assert correlated is not None
    assert independent is not None
    assert correlated.upper - correlated.lower > 2 * (independent.upper - independent.lower)


def test_failures_that_count_as_infinite_latency_reach_the_bounds_and_not_the_median():
    samples = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, math.inf]) * 40

    tail = at_95(samples, 0.95)
    middle = at_95(samples, 0.5)

    assert tail is not None
    assert middle is not None
    assert tail.estimate == math.inf
    # Never narrower than of independent samples: 0.5 ± 1.96 · sqrt(0.25 / 400), 0.451 to 0.549.
    assert (middle.lower, middle.estimate, middle.upper) == (5.0, 5.0, 6.0)


def test_samples_that_do_not_reach_far_enough_bound_nothing():
    rising = [float(i) for i in range(400)]

    interval = at_95(rising, 0.99)

    assert interval is not None
    assert interval.upper == math.inf


def test_fewer_than_two_samples_a_batch_have_no_robust_interval():
    assert at_95([1.0] * 39, 0.5) is None


def test_a_single_request_has_no_spread_and_its_error_rate_the_exact_bounds():
    decision = decide_error_rate(a_load([loaded(latencies=[0.02])]), limit=0.01, alpha=0.01)

    assert decision.verdict is BudgetVerdict.INCONCLUSIVE
    assert decision.interval.upper == pytest.approx(0.95)


@pytest.mark.parametrize("failed_units", [1, 3])
def test_a_unit_in_which_nothing_was_answered_has_failures_and_no_latency(failed_units):
    sound = loaded(latencies=[0.02] * 600)
    nothing = msgspec.structs.replace(
        sound.open_loop,
        unanswered=tuple(range(600)),
        failures={"full": 600},
        service_seconds=(),
    )
    lost = msgspec.structs.replace(sound, latency_seconds=(), open_loop=nothing)
    units = [lost] * failed_units + [sound] * (3 - failed_units)

    decision = decide_error_rate(a_load(units), limit=0.1, alpha=0.01)

    assert decision.interval.estimate == pytest.approx(failed_units / 3)
    kept = decide_slo(a_load(units), "p99", limit=10.0, alpha=0.01)
    assert kept is not None
    assert kept.verdict is not BudgetVerdict.WITHIN
