"""Requests that pile up are seen where a window is short, and chance is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.load.queues import Times, constant, exponential, latencies
from pytest_costguard.measure.backlog import backlog_of

RAMP = 50
CAPACITY = 100.0


def window(*, rate: float, times: Times, seed: int, count: int = 550, servers: int = 1):
    chance = np.random.default_rng(seed)
    arrivals = np.cumsum(chance.exponential(1 / rate, count))
    chance = np.random.default_rng(seed)
    took = latencies(chance, rate=rate, times=times, servers=servers, count=count)
    return arrivals.tolist(), (arrivals + took).tolist()


def share_seen(*, rate: float, times: Times, servers: int = 1, **window_options) -> float:
    seen = 0
    for seed in range(200):
        due, ended = window(rate=rate, times=times, seed=seed, servers=servers, **window_options)
        seen += backlog_of(due, ended, ramp=RAMP).piled_up
    return seen / 200


def test_a_rate_above_what_the_server_can_do_is_seen():
    assert share_seen(rate=1.5 * CAPACITY, times=exponential(1 / CAPACITY)) > 0.95


@pytest.mark.parametrize("used", [0.3, 0.7, 0.9])
@pytest.mark.parametrize("times", [exponential(1 / CAPACITY), constant(1 / CAPACITY)])
def test_a_queue_that_returns_is_hardly_ever_taken_for_one_that_grows(used, times):
    assert share_seen(rate=used * CAPACITY, times=times) <= 0.02


def test_a_server_that_is_filled_for_the_first_time_is_not_piling_up():
    # Requests of 3 s each, none of which waits: 300 are under way before the first has ended.
    assert share_seen(rate=100.0, times=constant(3.0), servers=500, count=1050) <= 0.02


def test_where_requests_end_after_half_of_the_window_nothing_is_told():
    due = [float(place) for place in range(200)]

    found = backlog_of(due, [at + 150.0 + at / 2 for at in due], ramp=20)
    assert (found.arrived, found.piled_up) == (0, False)


def test_growth_that_does_not_vary_is_sure():
    due = [float(place) for place in range(220)]

    assert backlog_of(due, [1.2 * at + 1.0 for at in due], ramp=20).piled_up
    assert not backlog_of(due, [at + 1.0 for at in due], ramp=20).piled_up


def test_requests_that_failed_are_no_part_of_it():
    due = [float(place) for place in range(220)]
    failed = range(30, 220, 2)
    ended = [0.0 if place in failed else at + 1.0 for place, at in enumerate(due)]

    assert not backlog_of(due, ended, ramp=20).piled_up


@pytest.mark.parametrize(
    ("rate", "seconds", "requests"), [(50, 0.4, 100), (20, 2.0, 368), (5, 8.0, 272)]
)
def test_filling_a_server_is_no_growth(rate, seconds, requests):
    ramp = max(20, requests // 10)
    due = [1.0 + place / rate for place in range(ramp + requests)]
    found = backlog_of(due, [at + seconds for at in due], ramp=ramp)

    assert found.arrived > requests / 3
    assert abs(found.grown) <= 1


def test_bursts_are_not_counted_at_their_end():
    chance = np.random.default_rng(5)
    grown = []
    for _ in range(400):
        due = (1.0 + np.cumsum(chance.gamma(1 / 20, 20 / 40, 440))).tolist()
        grown.append(backlog_of(due, [at + 0.2 for at in due], ramp=40).grown)

    assert abs(np.mean(grown)) < 0.01 * 400


def test_where_nothing_of_the_ramp_was_answered_nobody_knows_when_it_was_filled():
    due = [1.0 + place / 100 for place in range(440)]
    ended = [0.0 if place < 40 else at + 1.5 for place, at in enumerate(due)]

    assert backlog_of(due, ended, ramp=40).arrived == 0
