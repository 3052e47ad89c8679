"""The autoscaler: Kubernetes' own rules, and the same as when every look is played through."""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.cost.autoscaling import SCALERS, Scaler, simulate
from pytest_costguard.cost.capacity import FleetLimits, Replica
from pytest_costguard.cost.queueing import Objective, ServiceTimes
from pytest_costguard.cost.traffic import TrafficProfile, constant, daily

TICK = 15


def replica(*, rate=10.0, startup=0.0, service=()):
    times = ServiceTimes(mean=1 / rate, samples=np.array(service)) if service else None
    return Replica(
        items_per_second=rate,
        items_per_request=1.0,
        service=times,
        usd_per_hour=Decimal(1),
        startup_seconds=startup,
    )


def run(profile, *, target=7.0, scaler="HPA", limits=None, objective=None, **of_replica):
    return simulate(
        profile,
        replica=replica(**of_replica),
        scaler=SCALERS[scaler],
        target_items_per_second=target,
        limits=limits or FleetLimits(),
        objective=objective,
    )


def at(found, seconds):
    """How many replicas are paid for at a moment, and how many serve."""
    passed = 0.0
    for length, started, ready in zip(found.seconds, found.started, found.ready, strict=True):
        passed += length
        if seconds < passed:
            return int(started), int(ready)
    raise AssertionError(f"{seconds} s is after the end")


def steps(*rates, step=300.0):
    return TrafficProfile(step_seconds=step, items_per_second=tuple(map(float, rates)))


def test_a_steady_rate_has_the_replicas_of_its_target_all_the_time():
    found = run(constant(35.0))
    assert set(found.started) == {5.0}
    assert found.replica_seconds == 5 * 86_400
    assert found.late_share == 0.0


def test_within_ten_per_cent_of_the_target_nothing_changes():
    found = run(steps(70, 76, 64, 70))
    assert set(found.started) == {10.0}


def test_it_goes_up_by_four_or_to_twice_as_many_at_each_look():
    found = run(steps(7, 700))
    counts = [at(found, 300 + TICK * look + 1)[0] for look in range(6)]
    assert counts == [5, 10, 20, 40, 80, 100]


def test_it_goes_down_after_five_minutes():
    found = run(steps(70, 7, 7, 7))
    assert at(found, 300 + 280)[0] == 10
    assert at(found, 300 + 320)[0] == 1


def test_what_is_starting_is_paid_for_and_serves_nothing():
    found = run(steps(7, 70, 70), startup=60.0)
    assert at(found, 310) == (5, 1)
    assert at(found, 300 + 62) == (10, 5)
    assert found.late_share > 0


def test_no_more_than_the_most_and_the_rest_waits():
    found = run(steps(70, 70), limits=FleetLimits(maximum=5))
    assert set(found.started) == {5.0}
    assert found.late_share == 1.0


def test_keda_goes_to_none_where_nothing_is_asked_and_comes_back():
    found = run(steps(0, 0, 0, 7, 7, 0, 0, 0), scaler="KEDA")
    assert at(found, 600)[0] == 0
    assert at(found, 900 + 10)[0] == 0
    assert at(found, 900 + 40)[0] >= 1
    assert set(run(steps(0, 0, 7, 0)).started) == {1.0}


def test_the_share_that_waits_is_erlangs():
    objective = Objective(quantile=0.95, seconds=0.15)
    found = run(constant(5.0), target=5.0, service=(0.1,), objective=objective)
    # One server, half full: 0.5 * exp(-(1 - 0.5) * 0.05 / 0.1)
    assert found.late_share == pytest.approx(0.5 * math.exp(-0.25), rel=1e-3)


def test_a_backlog_that_is_served_within_a_stretch_is_late_no_longer():
    # Hours of 7/s and 20/s on replicas of 10/s: one more starts at once and serves after 60 s.
    found = run(steps(7, 20, step=3600.0), startup=60.0)
    waiting = float(found.seconds[found.late > 0].sum())
    assert 60 <= waiting < 180
    assert found.late_share < 0.05


def test_a_fleet_that_is_too_small_serves_what_it_can():
    found = run(constant(40.0), limits=FleetLimits(maximum=1))
    assert found.served_share == pytest.approx(0.25)
    assert run(constant(5.0)).served_share == 1.0


def test_keda_stops_the_last_once_what_waits_is_served_and_the_cooldown_is_over():
    # It wakes after 30 s; then 300 s at 20/s on one replica of 10/s leave 3,300: 330 s more.
    found = run(steps(20, *[0] * 11), scaler="KEDA", target=100.0)
    assert at(found, 630 + 290)[0] == 1
    assert at(found, 630 + 330)[0] == 0


def test_the_most_that_is_given_is_more_than_kedas_own():
    rates = steps(1400, 1400)
    assert run(rates, scaler="KEDA").started.max() == 100
    assert run(rates, scaler="KEDA", limits=FleetLimits(maximum=300)).started.max() == 200


def test_a_backlog_makes_all_late_until_it_is_served():
    # One replica serves 10/s: 300 s at 20/s leave 3,000 that take 300 s more at 0/s.
    found = run(steps(20, 0, 0, 0), target=100.0)
    late = [bool(one) for one in found.late]
    assert late[0]
    assert found.late_share == 1.0
    assert not late[-1]


def played(rates, *, target, startup_ticks, scaler: Scaler, fewest, most):
    """Play every look through; steps, start-up and looks all fall on the same ticks."""
    ready, starting, wanted = (
        max(fewest, min(most, math.ceil(rates[0] / target - 1e-9))),
        [],
        deque(),
    )
    paid = []
    for tick, rate in enumerate([*rates, *rates]):
        ready += sum(1 for one in starting if one <= tick)
        starting = [one for one in starting if one > tick]
        size = ready + len(starting)
        near = abs(rate / (target * size) - 1) <= scaler.tolerance
        want = max(fewest, min(most, size if near else math.ceil(rate / target - 1e-9)))
        wanted.append((tick, want))
        window = scaler.stabilisation_seconds / TICK
        while wanted[0][0] <= tick - window:
            wanted.popleft()
        if want > size:
            new = min(want, max(size + 4, 2 * size)) - size
            if startup_ticks:
                starting += [tick + startup_ticks] * new
            else:
                ready += new
        elif (keep := max(number for _, number in wanted)) < size:
            for _ in range(size - keep):
                if starting:
                    starting.pop()
                else:
                    ready -= 1
        paid.append(ready + len(starting))
    return paid[len(rates) :]


@settings(max_examples=60, deadline=None)
@given(
    levels=st.lists(st.floats(0.5, 400.0), min_size=1, max_size=8),
    ticks=st.integers(1, 30),
    startup_ticks=st.integers(0, 6),
)
def test_what_is_skipped_makes_no_difference(levels, ticks, startup_ticks):
    profile = TrafficProfile(step_seconds=float(TICK * ticks), items_per_second=tuple(levels))
    found = run(profile, startup=float(TICK * startup_ticks))
    rates = [level for level in levels for _ in range(ticks)]
    expected = played(
        rates, target=7.0, startup_ticks=startup_ticks, scaler=SCALERS["HPA"], fewest=1, most=10**9
    )
    shown = [at(found, TICK * tick + 1)[0] for tick in range(len(rates))]
    assert shown == expected


def test_a_day_with_a_night_costs_less_than_its_peak():
    found = run(daily(peak=100.0, average=40.0))
    assert found.replica_seconds < 0.6 * math.ceil(100 / 7) * 86_400
    assert 0.4 < found.utilisation(replica()) < 0.8
