from __future__ import annotations

import pytest
from fakes.measuring import FakeTime, FakeWorkload

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.drift import has_settled, settled_when_cut_short
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Scenario

MS = 1_000_000


def a_served(inputs, *, scenario=None):
    time = FakeTime()
    fake = FakeWorkload(time)
    served = Served(
        workload=fake,
        inputs=inputs,
        items=[1] * len(inputs),
        scenario=scenario or Scenario(),
        clock=time.clock(),
    )
    return served, fake


def test_a_steady_workload_settles_after_ten_blocks():
    served, _ = a_served([5 * MS])
    warmup = served.warm_up(max_seconds=10)
    assert warmup.settled
    assert warmup.requests == 11
    assert warmup.seconds == pytest.approx(0.055)


def test_the_estimate_is_that_of_a_warm_request():
    served, fake = a_served([2 * MS])
    extra = iter([400 * MS, 50 * MS, 10 * MS])
    fake.before = lambda value: fake.time.advance(next(extra, 0))
    served.warm_up(max_seconds=10)
    assert served.seconds_per_request() == pytest.approx(0.002)


def test_fast_requests_are_warmed_up_in_longer_blocks():
    served, fake = a_served([1_000])
    warmup = served.warm_up(max_seconds=10)
    assert warmup.settled
    assert served.seconds_per_request() == pytest.approx(1e-6)
    assert len(fake.served) > 5_000


def test_a_slow_first_request_does_not_keep_blocks_short():
    served, fake = a_served([10_000])
    extra = iter([5_000 * MS])
    fake.before = lambda value: fake.time.advance(next(extra, 0))
    warmup = served.warm_up(max_seconds=10)
    assert warmup.settled
    assert warmup.requests > 500


def test_a_workload_that_gets_faster_all_the_time_does_not_settle():
    served, fake = a_served([10 * MS])
    step = iter(range(10_000))
    fake.before = lambda value: fake.time.advance(round(100 * MS * 0.97 ** next(step)))
    warmup = served.warm_up(max_seconds=2)
    assert not warmup.settled


def test_time_bounds_the_warm_up_but_three_requests_are_served():
    served, _ = a_served([60_000 * MS])
    warmup = served.warm_up(max_seconds=1)
    assert warmup.requests == 3


def test_every_shape_is_served_even_if_the_block_does_not_hold_it():
    inputs = [5 * MS] * 40 + [True]
    served, fake = a_served(inputs)
    served.warm_up(max_seconds=10)
    assert fake.served[:2] == [5 * MS, True]


def test_shapes_that_were_not_reached_in_time_are_not_settled():
    served, _ = a_served([3_000 * MS, True])
    warmup = served.warm_up(max_seconds=1)
    assert not warmup.settled


def test_inputs_of_different_cost_are_no_drift():
    served, _ = a_served([MS, 7 * MS, 3 * MS, 20 * MS])
    assert served.warm_up(max_seconds=10).settled


def test_concurrent_callers_are_warmed_up_together():
    served, fake = a_served([MS], scenario=Scenario(kind="concurrent", n=3))
    warmup = served.warm_up(max_seconds=10)
    assert warmup.settled
    assert (warmup.requests - 1) % 3 == 0
    assert fake.entered == 1 + (warmup.requests - 1)


def test_without_a_warm_up_there_is_no_estimate():
    served, _ = a_served([1])
    with pytest.raises(WorkloadError, match="not been warmed up"):
        served.seconds_per_request()


def test_medians_within_two_percent_have_settled():
    assert has_settled([9.0, 1.0, 1.0, 1.0, 1.0, 1.01, 1.01, 1.01, 1.01, 5.0])


def test_medians_further_apart_have_not():
    assert not has_settled([0.0103] * 5 + [0.01] * 5)


def test_of_long_blocks_the_last_two_tell():
    assert has_settled([0.3, 0.2, 0.201])
    assert not has_settled([0.2, 0.21])
    assert not has_settled([0.002, 0.002])


def test_noise_without_trend_has_settled_after_twenty_blocks():
    noise = [k / 100 for k in [1.0, 1.3, 0.8, 1.2, 0.7] * 3 + [1.4, 1.4, 0.9, 1.4, 1.4]]
    assert not has_settled(noise[-10:])
    assert has_settled(noise)


def test_a_trend_has_not_settled_after_twenty_blocks():
    assert not has_settled([1.0 - 0.02 * k for k in range(20)])


@pytest.mark.parametrize(
    ("blocks", "settled"),
    [([], False), ([1.0], False), ([1.0, 1.04], True), ([1.3, 1.0, 1.0], False)],
)
def test_a_warm_up_cut_short_is_judged_by_its_halves(blocks, settled):
    assert settled_when_cut_short(blocks) is settled
