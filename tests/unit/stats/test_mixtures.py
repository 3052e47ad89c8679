"""What parts do to each other, on latencies whose ratio is known."""

from __future__ import annotations

import math

import msgspec
import pytest
from factories.mixtures import SHARES, alone, queue, together

from pytest_costguard.records import Interval
from pytest_costguard.stats.mixtures import capacity, longer, part_of, served_longer
from pytest_costguard.stats.open_loop import arrivals

ROUND = (0, 0, 1, 0)
SLO = {"p99": 0.05}


def test_the_requests_of_a_part_are_its_own():
    mixed = together(lambda _: [0.1, 0.2, 0.9, 0.3] * 5, ROUND * 5, units=1)
    reranker, embedder = (part_of(mixed, name) for name in SHARES)
    assert reranker.units[0].latency_seconds == (0.1, 0.2, 0.3) * 5
    assert embedder.units[0].latency_seconds == (0.9,) * 5
    assert embedder.units[0].open_loop.requests == 5
    assert embedder.units[0].open_loop.rate == 25.0


def test_a_request_without_an_answer_is_counted_where_it_belongs():
    # Of eight requests the third, an embedder's, and the last, a reranker's, had none.
    mixed = together(
        lambda _: [0.1, 0.2, 0.3, 0.4, 0.5, 0.9], ROUND * 2, units=1, unanswered=(2, 7)
    )
    reranker, embedder = (part_of(mixed, name).units[0] for name in SHARES)
    assert arrivals(reranker) == [0.1, 0.2, 0.3, 0.4, 0.5, math.inf]
    assert arrivals(embedder) == [math.inf, 0.9]
    assert reranker.open_loop.error_rate == pytest.approx(1 / 6)
    assert embedder.open_loop.error_rate == 0.5


def test_windows_keep_the_number_of_their_requests():
    mixed = together(lambda _: [0.1] * 8, ROUND * 2, units=1)
    (unit,) = mixed.units
    loop = msgspec.structs.replace(
        unit.open_loop, window_requests=(4, 4), backlog=(), backlog_arrived=()
    )
    halved = msgspec.structs.replace(mixed, units=(msgspec.structs.replace(unit, open_loop=loop),))
    assert part_of(halved, "reranker").units[0].open_loop.window_requests == (3, 3)


def test_a_window_that_sent_nothing_of_a_part_is_left_out():
    mixed = together(lambda _: [0.1] * 8, (0,) * 4 + (0, 1) * 2, units=1)
    (unit,) = mixed.units
    loop = msgspec.structs.replace(
        unit.open_loop, window_requests=(4, 4), backlog=(), backlog_arrived=()
    )
    halved = msgspec.structs.replace(mixed, units=(msgspec.structs.replace(unit, open_loop=loop),))
    assert part_of(halved, "embedder").units[0].open_loop.window_requests == (2,)


def test_a_unit_that_sent_nothing_of_a_part_is_left_out():
    mixed = together(lambda _: [0.1] * 4, (0, 0, 0, 0), units=2)
    assert part_of(mixed, "embedder").units == ()


def test_twice_as_long_in_every_unit_is_twice_with_no_doubt():
    pace = [1.0, 1.2, 0.9, 1.1, 1.0, 1.05]
    by_itself = alone("reranker", lambda k: [0.01 * pace[k]] * 150)
    mixed = together(lambda k: [0.02 * pace[k]] * 200, ROUND * 50)
    found = longer("p99", alone=by_itself, beside=part_of(mixed, "reranker"))
    assert (found.estimate, found.lower, found.upper) == pytest.approx((2, 2, 2))
    assert found.n == 6


def test_a_machine_that_was_slow_for_a_whole_unit_moves_nothing():
    slow = [1.0, 1.0, 5.0, 1.0, 1.0, 1.0]
    by_itself = alone("embedder", lambda k: [0.01 * slow[k]] * 100)
    mixed = together(lambda k: [0.015 * slow[k]] * 400, ROUND * 100)
    found = longer("p50", alone=by_itself, beside=part_of(mixed, "embedder"))
    assert (found.lower, found.upper) == pytest.approx((1.5, 1.5))


def test_the_interval_is_that_of_the_logarithms_over_units():
    by_itself = alone("reranker", lambda _: [0.01] * 150)
    ratios = [1.0, 4.0] * 3
    mixed = together(lambda k: [0.01 * ratios[k]] * 200, ROUND * 50)
    found = longer("p50", alone=by_itself, beside=part_of(mixed, "reranker"))
    # sd of log 1, log 4 three times each: 0.7593; t(0.975, 5) = 2.5706.
    half = 2.5706 * 0.7593 / math.sqrt(6)
    assert found.estimate == pytest.approx(2.0)
    assert found.upper == pytest.approx(2 * math.exp(half), rel=1e-3)
    assert found.lower == pytest.approx(2 / math.exp(half), rel=1e-3)


def test_one_unit_bounds_nothing():
    found = longer(
        "p50",
        alone=alone("reranker", lambda _: [0.01] * 300, units=1),
        beside=part_of(together(lambda _: [0.03] * 400, ROUND * 100, units=1), "reranker"),
    )
    assert (found.estimate, found.n, found.confidence) == (pytest.approx(3.0), 1, 0.0)


def test_a_percentile_that_a_part_has_too_few_requests_for_says_so():
    mixed = together(lambda _: [0.02] * 200, ROUND * 50)
    by_itself = alone("embedder", lambda _: [0.01] * 50)
    reason = longer("p99", alone=by_itself, beside=part_of(mixed, "embedder"))
    assert "p99 not supported by" in reason


def test_failures_that_reach_a_percentile_leave_no_ratio():
    lost = tuple(range(0, 200, 4))
    mixed = together(lambda _: [0.02] * 150, ROUND * 50, unanswered=lost)
    by_itself = alone("reranker", lambda _: [0.01] * 150)
    assert "too many requests failed" in longer(
        "p90", alone=by_itself, beside=part_of(mixed, "reranker")
    )


def test_the_time_of_serving_is_told_apart_from_the_waiting():
    by_itself = alone("reranker", lambda _: [0.01] * 150)
    mixed = together(lambda _: [0.05] * 200, ROUND * 50)
    served = [
        msgspec.structs.replace(
            unit,
            open_loop=msgspec.structs.replace(unit.open_loop, service_seconds=(0.011,) * 200),
        )
        for unit in mixed.units
    ]
    mixed = msgspec.structs.replace(mixed, units=tuple(served))
    found = served_longer(alone=by_itself, beside=part_of(mixed, "reranker"))
    assert found.estimate == pytest.approx(1.1)


def test_the_interval_holds_the_true_ratio_of_queues_as_often_as_it_says():
    # M/M/1 of 100 a second: latencies are exponential of rate 100 - load. Alone at 30 a second,
    # beside others at 60 in all: each percentile is (100 - 30) / (100 - 60) = 1.75 times as long.
    holds, trials = 0, 100
    for trial in range(trials):
        seeds = [1_000 * trial + 10 * k for k in range(6)]
        by_itself = alone(
            "reranker", lambda k, s=seeds: queue(s[k], rate=30, serves=100, requests=150)
        )
        mixed = together(
            lambda k, s=seeds: queue(s[k] + 1, rate=60, serves=100, requests=200), ROUND * 50
        )
        found = longer("p50", alone=by_itself, beside=part_of(mixed, "reranker"))
        assert isinstance(found, Interval)
        holds += found.lower <= 1.75 <= found.upper
    # 95 of 100 are expected; 89 or fewer have a chance below 2 % where the interval is right.
    assert holds >= 89


def test_capacity_is_held_against_the_parts_taking_turns():
    # 100 a second alone, and 50: of three to one, 1 / (0.75 / 100 + 0.25 / 50) = 80 a second.
    parts = {
        "reranker": alone("reranker", lambda _: [0.01] * 100, rate=100.0, slo=SLO),
        "embedder": alone("embedder", lambda _: [0.01] * 100, rate=50.0, slo=SLO),
    }
    mixed = together(lambda _: [0.01] * 200, ROUND * 50, rate=60.0, slo=SLO)
    found = capacity(mixed, parts)
    assert found.expected_rate == pytest.approx(80.0)
    assert found.rate == pytest.approx(60.0)
    assert (found.ratio.lower, found.ratio.upper) == pytest.approx((0.75, 0.75))


def test_without_a_search_there_is_no_capacity():
    parts = {name: alone(name, lambda _: [0.01] * 100) for name in SHARES}
    assert capacity(together(lambda _: [0.01] * 200, ROUND * 50), parts) is None


def test_without_one_of_the_parts_alone_nothing_is_expected():
    parts = {"reranker": alone("reranker", lambda _: [0.01] * 100, slo=SLO)}
    mixed = together(lambda _: [0.01] * 200, ROUND * 50, slo=SLO)
    assert capacity(mixed, parts) is None


def test_a_part_of_a_thousandth_of_the_time_is_told_as_well_as_the_slow_one():
    mixed = together(lambda _: [0.1, 0.1, 0.0001, 0.1] * 50, ROUND * 50)
    fast = longer(
        "p50",
        alone=alone("embedder", lambda _: [0.00005] * 50),
        beside=part_of(mixed, "embedder"),
    )
    assert fast.estimate == pytest.approx(2.0)
