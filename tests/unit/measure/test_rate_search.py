"""The search finds the rate, in few seconds, and says when it has not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.load.queues import SimulatedServer, constant, exponential, true_rate_mm1
from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.rate_search import (
    Allowance,
    affordable_requests,
    allowances,
    is_short,
    search,
    window_requests,
)
from pytest_costguard.records import Probe

SLO = {"p99": 0.05}


def sharp(limit, *, seconds=1.0):
    """A server that keeps the SLO up to a rate and never above it."""
    probed = []

    def probe(rate, requests):
        probed.append(rate)
        passed = rate <= limit
        return Probe(
            rate=rate,
            requests=requests,
            late=(0 if passed else requests // 2,),
            passed=passed,
            seconds=seconds,
        )

    return probe, probed


def found_at(limit, *, start, known=False, max_seconds=1e9, **options):
    probe, probed = sharp(limit, **options)
    return search(probe, slo=SLO, start=start, known=known, max_seconds=max_seconds), probed


@pytest.mark.parametrize("start", [1.0, 90.0, 110.0, 4000.0])
def test_it_finds_a_sharp_limit_from_wherever_it_begins(start):
    found, _ = found_at(100.0, start=start)

    assert found.complete
    assert found.rate == pytest.approx(100.0, rel=0.13)
    assert 100.0 / 1.1 <= found.highest_kept <= 100.0


def test_what_is_known_takes_few_probes():
    _, far = found_at(100.0, start=10.0)
    _, near = found_at(100.0, start=101.0, known=True)

    assert len(near) <= 3 < len(far)


def test_a_limit_far_from_what_was_known_is_still_found():
    found, _ = found_at(1000.0, start=10.0, known=True)

    assert found.rate == pytest.approx(1000.0, rel=0.13)


def test_no_rate_that_keeps_it_is_said_and_not_made_up():
    found, probed = found_at(0.0, start=100.0)

    assert (found.rate, found.complete) == (0.0, False)
    assert min(probed) > 0


def test_a_rate_at_which_a_percentile_takes_too_long_is_said():
    found, probed = found_at(0.5, start=2.0, max_seconds=60.0)

    assert not probed
    assert found.rate == 0.0
    assert found.reason == "at 2 requests a second a window that tells p99 takes more than 20 s"


def test_slow_requests_are_searched_with_shorter_windows():
    assert affordable_requests({"p99": 1.0}, 10.0, seconds=20.0) == 200
    assert affordable_requests({"p90": 1.0}, 0.4, seconds=20.0) == 0


def test_time_that_is_up_leaves_what_is_known_and_says_so():
    found, probed = found_at(100.0, start=10.0, max_seconds=350.0, seconds=100.0)

    assert len(probed) == 4
    assert not found.complete
    assert found.reason == "its time was up"
    assert 0 < found.rate <= 100.0


@pytest.mark.parametrize("start", [0.0, -1.0, math.nan, math.inf])
def test_a_start_that_is_no_rate_is_refused(start):
    with pytest.raises(WorkloadError, match="cannot begin"):
        found_at(100.0, start=start)


def test_a_window_has_room_for_what_its_percentile_leaves():
    (room,) = allowances({"p99": 0.05})

    assert room == Allowance(seconds=0.05, quantile=0.99)
    assert [room.most_beyond(n) for n in (99, 100, 368)] == [0, 1, 3]


def test_a_window_is_long_enough_for_its_percentile_and_for_a_queue_to_fill():
    assert window_requests({"p50": 0.001}, 10.0) == 3 * 6
    assert window_requests({"p99": 0.001}, 10.0) == 3 * 368
    assert window_requests({"p99": 1.0}, 100.0) == 2000


def test_a_window_is_short_where_less_fits_than_a_queue_needs():
    full = window_requests({"p99": 0.2}, 2000.0)

    assert not is_short({"p99": 0.2}, rate=2000.0, requests=full)
    assert is_short({"p99": 2.0}, rate=2000.0, requests=window_requests({"p99": 2.0}, 2000.0))


@pytest.mark.parametrize("limit", [1.0, 2.0])
def test_windows_short_beside_the_limit_find_no_rate_beyond_what_the_server_can_do(limit):
    capacity, rates = 2000.0, []
    for seed in range(8):
        server = SimulatedServer(
            times=constant(1 / capacity), servers=1, slo={"p99": limit}, seed=seed
        )
        found = search(server.probe, slo={"p99": limit}, start=1900.0, known=True, max_seconds=60.0)
        rates.append(found.rate)

    assert np.mean(rates) == pytest.approx(capacity, rel=0.05)


def test_a_rate_broken_before_requests_are_late_is_no_more_than_the_middle():
    def probe(rate, requests):
        passed = rate <= 100.0
        return Probe(rate=rate, requests=requests, late=(0,), passed=passed, seconds=1.0)

    found = search(probe, slo=SLO, start=100.0, known=True, max_seconds=1e9)

    assert found.complete
    assert 100.0 < found.rate < 105.0


def test_windows_that_hold_hardly_more_than_the_limit_end_no_search():
    probe, probed = sharp(8.0)
    found = search(probe, slo={"p95": 12.0}, start=8.0, known=True, max_seconds=60.0)

    assert probed
    assert found.rate == pytest.approx(8.0, rel=0.13)
    assert found.reason == (
        "its windows last 20 s, and beside a limit of 12 s that is too little to see whether a"
        " queue grows"
    )


def test_windows_of_two_limits_may_end_a_search():
    probe, _ = sharp(7.77)

    assert search(probe, slo={"p95": 10.0}, start=7.0, known=True, max_seconds=60.0).complete


def test_searches_of_a_queue_are_right_on_average():
    mean, limit = 0.005, 0.05
    truth = true_rate_mm1(mean=mean, limit=limit, q=0.99)
    rates = []
    for seed in range(40):
        server = SimulatedServer(times=exponential(mean), servers=1, slo={"p99": limit}, seed=seed)
        found = search(server.probe, slo={"p99": limit}, start=200.0, known=False, max_seconds=1e9)
        rates.append(found.rate)

    assert np.mean(rates) == pytest.approx(truth, rel=0.08)
