"""Erlang C against its textbook figures, and against queues that are played through."""

from __future__ import annotations

import heapq
import random

import numpy as np
import pytest

from pytest_costguard.cost.queueing import (
    Objective,
    ServiceTimes,
    late_shares,
    servers_needed,
    waiting_chances,
)


def waiting_chance(servers, load):
    return float(waiting_chances(servers, loads=np.array([load]))[0])


@pytest.mark.parametrize(
    ("servers", "load", "chance"),
    [
        (1, 0.5, 0.5),  # a single server: the chance is its utilisation
        (2, 1.0, 1 / 3),
        (10, 8.0, 0.4092),  # Cooper, table of Erlang C
        (5, 2.5, 0.1304),
    ],
)
def test_the_chance_to_wait_is_the_textbooks(servers, load, chance):
    assert waiting_chance(servers, load) == pytest.approx(chance, abs=1e-4)


@pytest.mark.parametrize("load", [3.0, 4.0])
def test_a_queue_that_grows_for_ever_makes_everybody_wait(load):
    assert waiting_chance(3, load) == 1.0


def times(*seconds, mean=None):
    samples = np.array(seconds, dtype=np.float64)
    return ServiceTimes(mean=mean or float(samples.mean()), samples=samples)


def late(servers, *, load, service, within):
    shares = late_shares(servers, loads=np.array([load]), service=service, within_seconds=within)
    return float(shares[0])


def played(servers, *, rate, service, within, requests=60_000, seed=20_261_127):
    """Play a queue through: the share of requests that are answered too late."""
    chance = random.Random(seed)
    free = [0.0] * servers
    now, missed = 0.0, 0
    for _ in range(requests):
        now += chance.expovariate(rate)
        end = max(now, heapq.heappop(free)) + service(chance)
        heapq.heappush(free, end)
        missed += end - now > within
    return missed / requests


def exponential(chance):
    return chance.expovariate(10.0)


def two_kinds(chance):
    return 0.01 if chance.random() < 0.9 else 0.2


@pytest.mark.parametrize(
    ("servers", "rate", "within"), [(1, 5.0, 0.5), (4, 30.0, 0.4), (12, 100.0, 0.25)]
)
def test_a_queue_that_is_played_through_is_late_as_often(servers, rate, within):
    dice = random.Random(7)
    service = times(*(exponential(dice) for _ in range(20_000)))
    told = late(servers, load=rate * service.mean, service=service, within=within)
    seen = played(servers, rate=rate, service=exponential, within=within)
    assert told == pytest.approx(seen, rel=0.12)


@pytest.mark.parametrize(("servers", "full"), [(1, 0.5), (2, 0.7), (8, 0.8)])
def test_times_that_are_spread_more_than_that_wait_longer_and_not_less_than_played(servers, full):
    service = times(*[0.01] * 90, *[0.2] * 10)
    assert service.stretch > 2
    rate = full * servers / service.mean
    told = late(servers, load=full * servers, service=service, within=0.3)
    assert told >= 0.9 * played(servers, rate=rate, service=two_kinds, within=0.3)


@pytest.mark.parametrize(("rate", "servers"), [(50.0, 5), (1000.0, 55)])
def test_a_small_fleet_needs_more_than_70_per_cent_and_a_large_one_less(rate, servers):
    wait_of_half_a_request = Objective(quantile=0.95, seconds=0.075)
    found = servers_needed(
        requests_per_second=rate, service=times(0.05), objective=wait_of_half_a_request
    )
    assert found is not None
    whole, exact = found
    assert whole == servers
    assert whole - 1 < exact <= whole


def test_requests_that_are_too_slow_by_themselves_have_no_number():
    service = times(*[0.01] * 90, *[0.2] * 10)
    objective = Objective(quantile=0.95, seconds=0.1)
    assert servers_needed(requests_per_second=1.0, service=service, objective=objective) is None


def test_more_servers_than_anybody_counts_are_an_error_at_once():
    objective = Objective(quantile=0.95, seconds=0.05)
    with pytest.raises(ValueError, match=r"more than 10,000 servers"):
        servers_needed(requests_per_second=1e11, service=times(0.001), objective=objective)


def test_more_servers_are_never_later():
    service = times(0.02, 0.05, 0.08)
    shares = [late(servers, load=2.9, service=service, within=0.1) for servers in range(3, 12)]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(("quantile", "seconds"), [(0.0, 1.0), (1.0, 1.0), (0.5, 0.0)])
def test_what_is_no_objective_is_refused(quantile, seconds):
    with pytest.raises(ValueError, match="no objective"):
        Objective(quantile=quantile, seconds=seconds)


@pytest.mark.parametrize("samples", [(), (0.0,), (-1.0, 2.0)])
def test_what_are_no_times_is_refused(samples):
    with pytest.raises(ValueError, match="service times"):
        ServiceTimes(mean=1.0, samples=np.array(samples))
