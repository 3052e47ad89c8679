"""What a figure is at least, had a core always been there: bounds that hold for any requests."""

from __future__ import annotations

import pytest
from factories.judging import measurement, unit
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.records import Sensors
from pytest_costguard.stats.intervals import mean
from pytest_costguard.stats.percentiles import percentile
from pytest_costguard.stats.unserved import least_ratio, unserved_share


def sensed(threads=1, **readings):
    sensors = Sensors(wall_seconds=10.0, cpu_seconds=9.0, **readings)
    return measurement([unit(sensors=sensors)], threads=threads)


def test_what_the_machine_does_not_tell_is_none():
    assert unserved_share(sensed()) == 0.0
    assert unserved_share(measurement([unit(sensors=Sensors(wall_seconds=0, cpu_seconds=0))])) == 0


def test_all_that_is_lost_adds_up_to_the_whole_at_most():
    lost = sensed(run_queue_wait_seconds=1.0, steal_seconds=0.5, throttled_seconds=0.25)
    assert unserved_share(lost) == pytest.approx(0.175)
    assert unserved_share(sensed(throttled_seconds=99.0)) == 1.0


def test_waits_of_several_threads_are_shared_among_them():
    assert unserved_share(sensed(threads=4, run_queue_wait_seconds=8.0)) == pytest.approx(0.2)


@given(
    served=st.lists(st.floats(0.001, 0.1), min_size=20, max_size=60),
    waits=st.lists(st.floats(0.0, 0.5), min_size=60, max_size=60),
)
def test_no_figure_was_less_without_the_waits_than_its_bound(served, waits):
    felt = [one + wait for one, wait in zip(served, waits, strict=False)]
    share = 1 - sum(served) / sum(felt)
    means = {"mean": mean(felt), "p50": percentile(felt, 0.5), "p90": percentile(felt, 0.9)}

    assert least_ratio("mean", share=share, means=means) * means["mean"] <= mean(served) * 1.000001
    for name, q in (("p50", 0.5), ("p90", 0.9)):
        # A quantile between two requests is at most the upper one: n + 1 in place of n.
        slack = (len(felt) + 2) / len(felt)
        bound = least_ratio(name, share=min(1.0, share * slack), means=means) * means[name]
        assert bound <= percentile(served, q) * 1.000001


def test_what_no_core_makes_worse_stays():
    assert least_ratio("peak_memory", share=0.9, means={"peak_memory": 1.0, "mean": 1.0}) == 1.0
    assert least_ratio("p95", share=0.9, means={"p95": 1.0, "mean": 1.0}) == 0.0
    assert least_ratio("p95", share=0.9, means={}) == 1.0
