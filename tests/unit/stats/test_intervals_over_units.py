"""Intervals hold what they promise, also where samples hang together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.stats.intervals import batch_robust_interval, mean, t_interval, variance

sensible = st.floats(1e-6, 1e6)


def test_a_t_interval_worked_by_hand():
    # mean 3, variance 2.5, n 5: 3 ± 2.776445 · sqrt(2.5 / 5)
    interval = t_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.95)

    assert interval is not None
    assert (interval.estimate, interval.n, interval.confidence) == (3.0, 5, 0.95)
    assert interval.upper - 3.0 == pytest.approx(1.963243, abs=1e-6)
    assert 3.0 - interval.lower == pytest.approx(1.963243, abs=1e-6)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_have_no_interval(values):
    assert t_interval(values, 0.95) is None


@given(value=sensible, n=st.integers(2, 50))
def test_equal_values_have_an_interval_of_no_width_at_exactly_that_value(value, n):
    interval = t_interval([value] * n, 0.99)

    assert interval is not None
    assert interval.lower == interval.estimate == interval.upper == value


@given(values=st.lists(sensible, min_size=2, max_size=12), factor=st.floats(0.01, 100))
def test_an_interval_scales_with_its_unit(values, factor):
    one, other = t_interval(values, 0.95), t_interval([v * factor for v in values], 0.95)

    assert one is not None
    assert other is not None
    assert other.upper == pytest.approx(one.upper * factor, rel=1e-6, abs=1e-6 * factor)


def test_it_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(20)
    trials = rng.normal(10.0, 1.0, (3000, 6)).tolist()

    intervals = [t_interval(values, 0.9) for values in trials]

    covered = sum(one is not None and one.lower <= 10 <= one.upper for one in intervals)
    assert covered / 3000 == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / 3000))


def test_means_and_variances_of_nothing_are_refused():
    with pytest.raises(ValueError, match="no values"):
        mean([])
    with pytest.raises(ValueError, match="at least two"):
        variance([1.0])


def test_the_batch_robust_interval_of_independent_samples_covers():
    rng = np.random.default_rng(21)
    trials = rng.exponential(1.0, (300, 2000)).tolist()
    truth = -math.log(0.1)

    intervals = [batch_robust_interval(samples, 0.9, 0.95) for samples in trials]

    covered = sum(one is not None and one.lower <= truth <= one.upper for one in intervals)
    assert covered / 300 >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 300)


def test_it_is_wider_than_order_statistics_where_samples_hang_together():
    rng = np.random.default_rng(22)
    walk = np.zeros(4000)
    noise = rng.standard_normal(4000)
    for i in range(1, 4000):
        walk[i] = 0.95 * walk[i - 1] + noise[i]
    shuffled = rng.permutation(walk)

    correlated = batch_robust_interval(walk.tolist(), 0.9, 0.95)
    independent = batch_robust_interval(shuffled.tolist(), 0.9, 0.95)

    assert correlated is not None
    assert independent is not None
    assert correlated.upper - correlated.lower > 2 * (independent.upper - independent.lower)


def test_failures_that_count_as_infinite_latency_reach_the_bounds_and_not_the_median():
    samples = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, math.inf]) * 40

    tail = batch_robust_interval(samples, 0.95, 0.95)
    middle = batch_robust_interval(samples, 0.5, 0.95)

    assert tail is not None
    assert middle is not None
    assert tail.estimate == math.inf
    assert (middle.lower, middle.estimate, middle.upper) == (5.0, 5.0, 5.0)


def test_samples_that_do_not_reach_far_enough_bound_nothing():
    rising = [float(i) for i in range(400)]

    interval = batch_robust_interval(rising, 0.99, 0.95)

    assert interval is not None
    assert interval.upper == math.inf


def test_fewer_than_two_samples_a_batch_have_no_robust_interval():
    assert batch_robust_interval([1.0] * 39, 0.5, 0.95) is None
