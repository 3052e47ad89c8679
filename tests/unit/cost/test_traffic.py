"""Traffic profiles: their rates, and that the mean of a day is the average that was asked for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.cost.traffic import TrafficProfile, constant, daily, weekly


def test_a_constant_rate_serves_a_month_of_730_hours():
    profile = constant(2.0)
    assert (profile.peak, profile.average) == (2.0, 2.0)
    assert profile.items_a_month == 2.0 * 730 * 3600


@given(peak=st.floats(0.01, 1e6), share=st.floats(0.01, 1.0))
def test_a_day_has_the_peak_and_the_average_that_were_asked_for(peak, share):
    profile = daily(peak=peak, average=share * peak)
    assert profile.seconds == 86_400
    assert math.isclose(profile.peak, peak, rel_tol=1e-6)
    # Of very steep days a few steps hold everything, and steps are no integral.
    assert math.isclose(profile.average, share * peak, rel_tol=1e-3)


@pytest.mark.parametrize(("peak", "average"), [(1.0, 2.0), (1.0, 0.0), (0.0, 0.0)])
def test_an_average_above_the_peak_or_of_nothing_is_refused(peak, average):
    with pytest.raises(ValueError, match="average"):
        daily(peak=peak, average=average)


def test_a_week_has_168_hours():
    assert weekly(tuple(float(hour) for hour in range(168))).seconds == 7 * 86_400
    with pytest.raises(ValueError, match="168"):
        weekly((1.0,) * 167)


@pytest.mark.parametrize(
    ("step", "rates"),
    [
        (0.0, (1.0,)),
        (math.inf, (1.0,)),
        (1.0, ()),
        (1.0, (-1.0, 2.0)),
        (1.0, (math.nan,)),
        (1.0, (0.0, 0.0)),
    ],
)
def test_what_is_no_profile_is_refused(step, rates):
    with pytest.raises(ValueError, match=r"must|needs|without"):
        TrafficProfile(step_seconds=step, items_per_second=rates)
