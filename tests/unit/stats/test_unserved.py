"""What a figure is at least, had a core always been there: bounds that hold for any requests."""

from __future__ import annotations

import pytest
from factories.judging import measurement, unit
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.records import Sensors
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.percentiles import percentile
from pytest_costguard.stats.unserved import least_quantile, least_ratio, unserved_share


def sensed(wall_seconds=10.0, threads=1, **readings):
    sensors = Sensors(wall_seconds=wall_seconds, cpu_seconds=1.0, **readings)
    return measurement([unit(sensors=sensors)], threads=threads)


def measured(samples, *, waited=0.0):
    seconds = sum(samples)
    told = Sensors(wall_seconds=seconds, cpu_seconds=1.0, run_queue_wait_seconds=waited * seconds)
    return measurement([unit(samples=samples, sensors=told)])


def test_what_the_machine_does_not_tell_is_none():
    assert unserved_share(sensed()) == 0.0
    assert unserved_share(sensed(0.0, steal_seconds=1.0)) == 0.0


def test_all_that_is_lost_adds_up_to_the_whole_at_most():
    lost = sensed(run_queue_wait_seconds=1.0, steal_seconds=0.5, throttled_seconds=0.25)
    assert unserved_share(lost) == pytest.approx(0.175)
    assert unserved_share(sensed(throttled_seconds=99.0)) == 1.0


def test_waits_of_several_threads_are_shared_among_them():
    assert unserved_share(sensed(threads=4, run_queue_wait_seconds=8.0)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("lost", "least"),
    [(0.0, 3.0), (0.5, 2.5), (1.0, 2.0), (2.0, 1.5), (3.0, 1.0), (9.0, 0.0)],
)
def test_a_quantile_is_lowered_as_cheaply_as_it_can_be(lost, least):
    # The third of five: first it alone, from 2.0 on it and its neighbour, and so on.
    assert least_quantile([1.0, 2.0, 3.0, 30.0, 40.0], 0.5, lost=lost) == pytest.approx(least)


@given(
    served=st.lists(st.floats(0.001, 0.1), min_size=20, max_size=60),
    waits=st.lists(st.floats(0.0, 0.5), min_size=60, max_size=60),
    q=st.floats(0.0, 1.0),
)
def test_no_figure_was_less_without_the_waits_than_its_bound(served, waits, q):
    felt = [one + wait for one, wait in zip(served, waits, strict=False)]
    lost = sum(felt) - sum(served)
    assert least_quantile(sorted(felt), q, lost=lost) <= percentile(served, q) * 1.000001

    known = measured(felt, waited=lost / sum(felt))
    assert least_ratio("mean", known) * mean(felt) == pytest.approx(mean(served))
    bound = least_ratio("p90", known) * percentile(felt, 0.9)
    assert bound <= percentile(served, 0.9) * 1.000001


def test_every_unit_gives_up_its_own_share():
    units = [*measured([1.0] * 20, waited=0.5).units, *measured([3.0] * 20).units]
    assert least_ratio("throughput", measurement(units)) == pytest.approx(3.5 / 4)


def test_what_no_core_makes_worse_stays():
    waited = measured([1.0] * 20, waited=0.9)
    assert least_ratio("peak_memory", waited) == 1.0
    assert least_ratio("cost_per_1k", waited) == pytest.approx(0.1)
    assert least_ratio("p50", measured([1.0] * 20)) == 1.0
