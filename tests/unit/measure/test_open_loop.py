"""Requests go out when they are due, whatever became of those before; each is accounted for."""

from __future__ import annotations

import sys
import threading
from contextlib import nullcontext

import pytest

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure import open_loop as module
from pytest_costguard.measure.arrivals import Schedule
from pytest_costguard.measure.open_loop import open_loop
from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.serving_pool import TIMED_OUT, Limit
from pytest_costguard.measure.stretch import Server
from pytest_costguard.records import Load

MS = 1_000_000
SOON = 10.0
"""Seconds within which whatever is waited for has long happened."""


def sent(serve, *, load=None, every_ms=1, count=10, inputs=(0, 1, 2), **options):
    server = Server(serve=serve, synchronise=None, serving=nullcontext, clock=Clock.system())
    plan = Schedule(
        offset_ns=tuple(every_ms * MS * (place + 1) for place in range(count)),
        inputs=tuple(place % len(inputs) for place in range(count)),
    )
    load = load or Load(rate=1000.0 / every_ms)
    return open_loop(server, load=load, schedule=plan, inputs=inputs, **options)


def test_every_request_is_sent_with_its_input_and_answered():
    seen = []

    found = sent(seen.append, count=7)

    assert seen == [0, 1, 2, 0, 1, 2, 0]
    assert all(found.ended_ns)
    assert not found.failures
    assert not found.gave_up


def test_no_request_is_sent_before_it_is_due_and_times_are_in_their_order():
    found = sent(lambda value: value)

    for due, at, began, ended in zip(
        found.due_ns, found.sent_ns, found.began_ns, found.ended_ns, strict=True
    ):
        assert due <= at <= began <= ended
    assert [due - found.due_ns[0] for due in found.due_ns] == [MS * k for k in range(10)]


def test_sending_does_not_wait_for_answers():
    gate = threading.Event()
    arrived = []

    def serve(value):
        arrived.append(value)
        if len(arrived) == 1:
            assert gate.wait(SOON)
        if len(arrived) == 5:
            gate.set()

    found = sent(serve, load=Load(rate=1000.0, workers=5), count=5)

    # The first request waited for the fifth to be sent, and its latency holds that.
    assert found.ended_ns[0] >= found.sent_ns[4]


def test_waiting_for_a_worker_is_in_the_latency_and_not_in_the_service_time():
    gate = threading.Event()
    served = []

    def serve(value):
        if not served:
            served.append(value)
            assert gate.wait(SOON)

    timer = threading.Timer(0.05, gate.set)
    timer.start()
    found = sent(serve, count=2)
    timer.join()

    assert found.began_ns[1] >= found.ended_ns[0]
    assert found.ended_ns[1] - found.due_ns[1] > found.ended_ns[1] - found.began_ns[1]


def test_a_request_that_raises_has_failed_and_the_window_goes_on():
    def serve(value):
        if value == 1:
            raise ValueError("no such item")

    found = sent(serve, count=6)

    assert found.failures == {1: "ValueError: no such item", 4: "ValueError: no such item"}
    assert [bool(ended) for ended in found.ended_ns] == [True, False, True, True, False, True]


def test_an_answer_after_the_time_limit_counts_as_none():
    release = threading.Event()
    threading.Timer(0.03, release.set).start()

    found = sent(
        lambda value: release.wait(SOON), load=Load(rate=1000.0, timeout_seconds=0.005), count=3
    )

    assert found.failures[0] == TIMED_OUT
    assert found.ended_ns[0] == 0


def test_who_waited_beyond_the_time_limit_is_not_served_any_more():
    served = []
    release = threading.Event()
    threading.Timer(1.0, release.set).start()

    def serve(value):
        served.append(value)
        release.wait(SOON)

    found = sent(serve, load=Load(rate=1000.0, timeout_seconds=0.5), count=4)

    assert served == [0]
    assert set(found.failures) == {0, 1, 2, 3}


def test_a_request_that_hangs_is_an_error_and_no_hang(monkeypatch):
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.05)
    release = threading.Event()

    with pytest.raises(WorkloadError, match="still being served"):
        sent(lambda value: release.wait(SOON), load=Load(rate=1000.0, timeout_seconds=0.01))
    release.set()


def test_a_request_that_began_just_before_its_time_limit_is_waited_for(monkeypatch):
    waits, ended = [], module._ended

    def told(window, pool, *, within_seconds):
        waits.append(within_seconds)
        return ended(window, pool, within_seconds=within_seconds)

    monkeypatch.setattr(module, "_ended", told)
    sent(len, load=Load(rate=1000.0, timeout_seconds=20.0))
    assert waits == [2 * 20.0 + module._GRACE_SECONDS]


def test_what_the_serving_context_raises_ends_the_window():
    def broken():
        raise WorkloadError("no device", remedy="find one")

    server = Server(serve=len, synchronise=None, serving=broken, clock=Clock.system())
    plan = Schedule(offset_ns=tuple(MS * k for k in range(50)), inputs=(0,) * 50)

    with pytest.raises(WorkloadError, match="no device"):
        open_loop(server, load=Load(rate=1000.0), schedule=plan, inputs=("x",))


def test_a_hopeless_window_is_given_up_early():
    def serve(value):
        raise ValueError("full")

    found = sent(serve, count=2000, limit=Limit(seconds=1.0, most=3))

    assert found.gave_up
    assert 4 <= len(found.failures) <= len(found.due_ns) < 2000


def test_late_requests_of_the_ramp_end_no_window():
    def serve(value):
        raise ValueError("full")

    found = sent(serve, count=20, limit=Limit(seconds=1.0, most=3, first=20))

    assert not found.gave_up
    assert len(found.failures) == 20


def test_waiting_requests_are_served_in_batches_of_at_most_the_size():
    gate = threading.Event()
    batches = []

    def serve(values):
        if not batches:
            gate.wait(SOON)
        batches.append(list(values))

    timer = threading.Timer(0.05, gate.set)
    timer.start()
    load = Load(rate=1000.0, max_batch_size=4, max_batch_delay_seconds=0.0)
    found = sent(serve, load=load, count=9, collate=list)
    timer.join()

    assert sum(map(len, batches)) == 9
    assert max(map(len, batches)) == 4
    assert sum(size * times for size, times in found.batch_sizes.items()) == 9
    assert all(found.ended_ns)


def test_a_batch_waits_for_others_as_long_as_it_may():
    batches = []
    load = Load(rate=1000.0, max_batch_size=3, max_batch_delay_seconds=SOON)

    sent(lambda values: batches.append(list(values)), load=load, count=6, collate=list)

    assert [len(batch) for batch in batches] == [3, 3]


def test_the_last_batch_does_not_wait_for_what_never_comes():
    batches = []
    load = Load(rate=1000.0, max_batch_size=4, max_batch_delay_seconds=SOON, timeout_seconds=SOON)

    sent(lambda values: batches.append(list(values)), load=load, count=6, collate=list)

    assert [len(batch) for batch in batches] == [4, 2]


def test_a_batch_that_raises_fails_all_of_its_requests():
    def serve(values):
        raise RuntimeError

    load = Load(rate=1000.0, max_batch_size=2, max_batch_delay_seconds=0.05)

    assert set(sent(serve, load=load, count=4, collate=list).failures.values()) == {"RuntimeError"}


def test_a_cache_answers_what_it_knows():
    served = []

    found = sent(served.append, load=Load(rate=1000.0, cache_entries=3), count=9)

    assert served == [0, 1, 2]
    assert found.cache_hits == 6
    assert all(found.ended_ns)


def test_a_cache_forgets_what_was_longest_not_asked_for():
    served = []

    sent(served.append, load=Load(rate=1000.0, cache_entries=2), count=6)

    assert served == [0, 1, 2, 0, 1, 2]


def test_pythons_lock_is_handed_on_sooner_meanwhile_and_as_before_afterwards():
    before, seen = sys.getswitchinterval(), []

    sent(lambda value: seen.append(sys.getswitchinterval()), count=1)
    sent(
        lambda value: seen.append(sys.getswitchinterval()),
        load=Load(rate=1000.0, workers=2),
        count=1,
    )
    sent(
        lambda value: seen.append(sys.getswitchinterval()),
        load=Load(rate=1000.0, connections=2),
        count=1,
    )

    assert seen == pytest.approx([0.00005, 0.0002, before])
    assert sys.getswitchinterval() == before


def test_no_thread_is_left_behind():
    sent(lambda value: value, load=Load(rate=1000.0, workers=8))

    assert not [one for one in threading.enumerate() if one.name.startswith("costguard-pool")]
