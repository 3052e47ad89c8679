"""Intervals hold what they promise, over units."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.stats.intervals import mean, t_interval, variance

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
