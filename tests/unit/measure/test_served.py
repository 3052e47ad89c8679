from __future__ import annotations

import gc
import threading

import pytest
from fakes.measuring import FakeTime, FakeWorkload

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Scenario

US = 1_000


def a_served(inputs, *, scenario=None, items=None, time=None, **workload):
    time = time or FakeTime()
    fake = FakeWorkload(time, **workload)
    served = Served(
        workload=fake,
        inputs=inputs,
        items=items or [1] * len(inputs),
        scenario=scenario or Scenario(),
        clock=time.clock(),
    )
    return served, fake


def test_latencies_come_back_exactly():
    served, _ = a_served([100 * US, 250 * US, 400 * US])
    _, latencies = served.block(first=0, requests=3, discard=0)
    assert latencies == (100e-6, 250e-6, 400e-6)


def test_a_block_lasts_as_long_as_its_requests():
    served, _ = a_served([100 * US, 250 * US])
    block, _ = served.block(first=0, requests=2, discard=0)
    assert (block.wall_seconds, block.cpu_seconds) == (350e-6, 175e-6)


def test_a_block_starts_at_its_first_input_and_wraps():
    served, fake = a_served([1, 2, 3])
    served.block(first=2, requests=3, discard=0)
    assert fake.served == [3, 1, 2]


def test_items_are_those_of_the_inputs_served():
    served, _ = a_served([1, 2, 3], items=[10, 20, 40])
    block, _ = served.block(first=2, requests=5, discard=1)
    assert block.items == 40 + 10 + 20 + 40 + 10


def test_discarded_requests_are_served_before_and_not_timed():
    served, fake = a_served([1 * US, 2 * US, 900 * US])
    block, latencies = served.block(first=0, requests=2, discard=2)
    assert fake.served == [2 * US, 900 * US, 1 * US, 2 * US]
    assert (block.requests, block.wall_seconds, latencies) == (2, 3e-6, (1e-6, 2e-6))


def test_the_device_is_waited_for_inside_each_request():
    served, fake = a_served([100], device_lag_ns=50)
    _, latencies = served.block(first=0, requests=3, discard=0)
    assert latencies == (150e-9,) * 3
    assert fake.synchronised == 3


def test_the_serving_context_is_entered_once_round_a_block():
    served, fake = a_served([1])
    served.block(first=0, requests=5, discard=1)
    assert (fake.entered, fake.left) == (1, 1)


def test_a_query_is_n_samples_and_its_latency_that_of_all_of_them():
    served, fake = a_served(
        [100, 200, 300],
        items=[1, 2, 3],
        scenario=Scenario(kind="multi_stream", n=2),
        device_lag_ns=1000,
    )
    block, latencies = served.block(first=0, requests=3, discard=1)
    assert latencies == (1300e-9, 1400e-9, 1500e-9)
    assert (block.requests, block.items) == (3, 12)
    assert fake.served == [200, 300, 100, 200, 300, 100, 200, 300]


def test_offline_waits_once_and_has_one_latency_a_block():
    served, fake = a_served([100, 300], scenario=Scenario(kind="offline"), device_lag_ns=400)
    block, latencies = served.block(first=0, requests=4, discard=0)
    assert (block.wall_seconds, latencies) == (1200e-9, (300e-9,))
    assert fake.synchronised == 2


def test_a_request_too_fast_for_the_clock_counts_as_one_nanosecond():
    served, _ = a_served([0])
    block, latencies = served.block(first=0, requests=3, discard=0)
    assert (block.wall_seconds, latencies) == (1e-9, (1e-9,) * 3)


def test_a_clock_that_goes_backwards_is_named():
    readings = iter([500, 400, 300])
    served = Served(
        workload=FakeWorkload(FakeTime()),
        inputs=[1],
        items=[1],
        scenario=Scenario(),
        clock=Clock(wall_ns=lambda: next(readings), cpu_ns=lambda: 0),
    )
    with pytest.raises(WorkloadError, match="backwards by"):
        served.block(first=0, requests=2, discard=0)


def test_the_first_call_takes_the_first_input():
    served, fake = a_served([100, 200], scenario=Scenario(kind="concurrent", n=4))
    assert served.first_call() == 100e-9
    assert fake.served == [100]


def test_outputs_are_one_pass_in_order():
    served, fake = a_served([3, 1, 2], device_lag_ns=5)
    assert served.outputs() == [30, 10, 20]
    assert fake.synchronised == 1


@pytest.mark.parametrize("kind", ["single_stream", "multi_stream", "concurrent", "offline"])
def test_an_exception_of_a_request_propagates_unchanged(kind):
    served, fake = a_served([5, -1, 5, 5], scenario=Scenario(kind=kind, n=2))
    with pytest.raises(ZeroDivisionError, match="-1"):
        served.block(first=0, requests=4, discard=0)
    assert fake.entered == fake.left


@pytest.mark.parametrize("kind", ["single_stream", "multi_stream", "concurrent", "offline"])
@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_rests_while_serving_and_is_left_as_it_was(kind, collecting):
    served, fake = a_served([5, -1], scenario=Scenario(kind=kind, n=2))
    before = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        with pytest.raises(ZeroDivisionError):
            served.block(first=0, requests=2, discard=0)
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()
    assert fake.collecting_while_served == {False}


def test_concurrent_callers_serve_each_request_once():
    served, fake = a_served(
        list(range(1, 11)), time=FakeTime(tick_ns=1), scenario=Scenario(kind="concurrent", n=3)
    )
    block, latencies = served.block(first=0, requests=10, discard=0)
    assert sorted(fake.served) == list(range(1, 11))
    assert (block.requests, len(latencies)) == (10, 10)


def test_concurrent_callers_take_their_requests_by_stride():
    served, fake = a_served([0, 1, 2, 3, 4, 5], scenario=Scenario(kind="concurrent", n=2))
    who = {}
    fake.before = lambda value: who.setdefault(value, threading.current_thread().name)
    served.block(first=0, requests=6, discard=0)
    assert who[0] == who[2] == who[4] != who[1]
    assert who[1] == who[3] == who[5]


def test_concurrent_callers_really_serve_at_the_same_time():
    served, fake = a_served([1], scenario=Scenario(kind="concurrent", n=3))
    meeting = threading.Barrier(3, timeout=20)
    fake.before = lambda value: meeting.wait()
    block, _ = served.block(first=0, requests=6, discard=0)
    assert block.requests == 6


def test_each_concurrent_caller_enters_the_serving_context_and_discards():
    served, fake = a_served([1, 2, 3], scenario=Scenario(kind="concurrent", n=2))
    block, _ = served.block(first=0, requests=4, discard=1)
    assert (fake.entered, len(fake.served), block.requests) == (2, 6, 4)


def test_more_callers_than_requests_leave_callers_out():
    served, fake = a_served([1], scenario=Scenario(kind="concurrent", n=8))
    block, _ = served.block(first=0, requests=3, discard=0)
    assert (block.requests, fake.entered) == (3, 3)


def test_the_first_failure_stops_the_other_callers_and_no_thread_remains():
    served, fake = a_served([-1, 1], scenario=Scenario(kind="concurrent", n=2))
    failed = threading.Event()

    def wait_for_the_failure(value):
        if value < 0:
            failed.set()
        else:
            failed.wait(20)

    fake.before = wait_for_the_failure
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        served.block(first=0, requests=100_000, discard=0)
    assert threading.active_count() == before
    assert len(fake.served) < 50_000


def test_a_failure_among_the_discarded_requests_releases_everyone():
    served, _ = a_served([1, 1, -1], scenario=Scenario(kind="concurrent", n=2))
    with pytest.raises(ZeroDivisionError):
        served.block(first=0, requests=2, discard=1)


def test_a_skip_raised_in_a_callers_thread_reaches_the_test():
    served, fake = a_served([1, 2], scenario=Scenario(kind="concurrent", n=2))

    def skip(value):
        if value == 2:
            pytest.skip("no such hardware")

    fake.before = skip
    with pytest.raises(pytest.skip.Exception, match="no such hardware"):
        served.block(first=0, requests=2, discard=0)


def test_an_empty_set_of_inputs_is_refused():
    with pytest.raises(WorkloadError, match="no input"):
        a_served([])


@pytest.mark.parametrize("items", [[1], [1, 0]])
def test_items_must_belong_to_the_inputs(items):
    with pytest.raises(WorkloadError, match="items"):
        a_served([1, 2], items=items)


def test_a_block_of_no_requests_is_refused():
    served, _ = a_served([1])
    with pytest.raises(WorkloadError, match="at least one request"):
        served.block(first=0, requests=0, discard=0)


def test_a_coroutine_function_measured_plainly_names_the_remedy():
    served, _ = a_served([1], is_async=True)
    with pytest.raises(WorkloadError, match="measure_async"):
        served.block(first=0, requests=1, discard=0)


def test_one_by_one_yields_a_block_for_each_request_after_one_that_is_not_timed():
    served, fake = a_served([100 * US, 300 * US], items=[1, 3])
    stream = served.one_by_one(first=0)
    found = [next(stream) for _ in range(3)]
    stream.close()
    assert [block.cpu_seconds for block in found] == [50e-6, 150e-6, 50e-6]
    assert [block.wall_seconds for block in found] == [100e-6, 300e-6, 100e-6]
    assert [block.items for block in found] == [1, 3, 1]
    assert fake.served == [300 * US, 100 * US, 300 * US, 100 * US]


def test_one_by_one_takes_whole_queries():
    served, _ = a_served([100 * US, 300 * US], scenario=Scenario(kind="multi_stream", n=2))
    stream = served.one_by_one(first=0)
    block = next(stream)
    stream.close()
    assert (block.cpu_seconds, block.requests, block.items) == (200e-6, 1, 2)


def test_one_by_one_leaves_the_collector_as_it_was():
    served, _ = a_served([100 * US])
    stream = served.one_by_one(first=0)
    next(stream)
    assert not gc.isenabled()
    stream.close()
    assert gc.isenabled()


@pytest.mark.parametrize("scenario", [Scenario(kind="concurrent", n=2), Scenario(kind="offline")])
def test_requests_that_do_not_follow_each_other_cannot_be_taken_one_by_one(scenario):
    served, _ = a_served([100 * US], scenario=scenario)
    with pytest.raises(WorkloadError, match="no requests that follow each other"):
        next(served.one_by_one(first=0))
