from __future__ import annotations

from itertools import pairwise
from statistics import fmean, pvariance

import pytest

from pytest_costguard.measure.arrivals import mean_rate, schedule
from pytest_costguard.records import Arrivals

MANY = 20_000


def planned(arrivals=None, **changes):
    terms = {"rate": 200.0, "requests": 10, "inputs": 3, "window": 0, **changes}
    return schedule(arrivals or Arrivals(), **terms)


def gaps(plan):
    return [(after - before) / 1e9 for before, after in pairwise((0, *plan.offset_ns))]


def test_the_same_seed_and_window_send_the_same_and_others_do_not():
    one, again = planned(), planned()

    assert one == again
    assert planned(window=1).offset_ns != one.offset_ns
    assert planned(Arrivals(seed=1)).offset_ns != one.offset_ns


@pytest.mark.parametrize(
    ("arrivals", "squared_variation"),
    [
        (Arrivals(kind="poisson"), 1.0),
        (Arrivals(kind="constant"), 0.0),
        (Arrivals(kind="gamma", burstiness=4.0), 4.0),
    ],
)
def test_gaps_have_the_mean_of_the_rate_and_the_spread_of_their_kind(arrivals, squared_variation):
    found = gaps(planned(arrivals, requests=MANY))

    assert fmean(found) == pytest.approx(1 / 200, rel=0.05)
    assert pvariance(found) / fmean(found) ** 2 == pytest.approx(squared_variation, abs=0.4)


def test_a_trace_keeps_its_rhythm_at_the_rate_that_is_asked_for():
    trace = Arrivals(kind="trace", trace_seconds=(0.0, 1.0, 4.0))

    found = gaps(planned(trace, rate=mean_rate(trace.trace_seconds), requests=4))
    twice = gaps(planned(trace, rate=2 * mean_rate(trace.trace_seconds), requests=4))

    assert sorted(found[:2]) == pytest.approx([1.0, 3.0])
    assert found[2:] == pytest.approx(found[:2])
    assert twice == pytest.approx([gap / 2 for gap in found])


def test_windows_begin_at_other_places_of_a_trace():
    trace = Arrivals(kind="trace", trace_seconds=tuple(n * (n + 1) / 2 for n in range(100)))

    firsts = {planned(trace, requests=1, window=window).offset_ns for window in range(10)}

    assert len(firsts) > 5


def test_inputs_come_in_their_turn_from_the_first_one_on():
    assert planned(requests=5, first=2).inputs == (2, 0, 1, 2, 0)


def test_popular_inputs_are_sent_as_often_as_zipf_says():
    sent = planned(requests=MANY, popularity=1.0).inputs

    # 1 : 1/2 : 1/3
    shares = [sent.count(number) / MANY for number in range(3)]
    assert shares == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.02)
