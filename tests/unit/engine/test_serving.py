"""A worker's answers about one workload, on a channel to a coordinator that is played here."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import nullcontext

import pytest
from fakes.measuring import FakeTime, FakeWorkload

from pytest_costguard.engine.channel import Channel
from pytest_costguard.engine.protocol import (
    Began,
    BeginMeter,
    Command,
    Count,
    End,
    EndMeter,
    EndTogether,
    Event,
    Metered,
    Proceed,
    RunBlock,
    RunTogether,
    Stop,
    Stopped,
    TogetherDone,
)
from pytest_costguard.engine.serving import WorkloadServer, serve, serve_async
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Energy, Memory, Scenario, Sensors


class Meters:
    """Instruments that count a joule for each nanosecond of the fake clock."""

    has_meter = True

    def __init__(self, time):
        self._time = time
        self._start = 0
        self.blocks = 0
        self.ended_at = 0

    def watch(self):
        return lambda: Sensors(wall_seconds=1.0, cpu_seconds=1.0)

    def begin(self):
        """Nothing to reset."""

    def serving(self):
        self.blocks += 1
        return nullcontext()

    def beside_another(self):
        return nullcontext()

    def end(self):
        self.ended_at = self._time.wall_ns
        return Sensors(wall_seconds=1.0, cpu_seconds=1.0), None, ()

    def peak(self):
        return Memory(peak_bytes=7, method="fake")

    def begin_meter(self):
        self._start = self._time.wall_ns

    def end_meter(self, *, items):
        return Energy(joules=float(self._time.wall_ns - self._start), items=items, source="fake")


def server(*, is_async=False, scenario=None):
    time = FakeTime()
    served = Served(
        workload=FakeWorkload(time, is_async=is_async),
        inputs=[100],
        items=[2],
        scenario=scenario or Scenario(),
        clock=time.clock(),
    )
    return WorkloadServer(
        served=served,
        instruments=Meters(time),
        quality=lambda outputs: float(len(outputs)),
        calibrate=lambda: time.advance(1_000_000) or 0.001,
    )


def test_after_serving_together_the_peak_is_read_before_the_quality_pass_and_nothing_else_is():
    one = server()
    ended_at = one.instruments.ended_at
    late = one.reply(EndTogether(quality=True))
    assert (late.memory.peak_bytes, late.quality) == (7, 1.0)
    assert one.memory == late.memory
    assert one.instruments.ended_at == ended_at
    assert one.reply(EndTogether(quality=False)).quality is None


def test_energy_is_of_the_counted_requests_and_of_nothing_else():
    one = server()

    assert isinstance(one.reply(BeginMeter()), Began)
    block = one.reply(RunBlock(first=0, requests=5, discard=0)).block
    metered = one.reply(EndMeter(items=block.items))

    assert metered == Metered(energy=Energy(joules=500.0, items=10, source="fake"))


def test_each_block_and_nothing_else_counts_as_the_workloads_own_work():
    one = server()

    one.reply(RunBlock(first=0, requests=1, discard=0))
    one.reply(BeginMeter())

    assert one.instruments.blocks == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_the_quality_pass_is_in_no_reading(is_async):
    one = server(is_async=is_async)
    before = one.served.workload.time.wall_ns

    answer = one.reply_async(End(quality=True)) if is_async else None
    ended = asyncio.run(answer) if is_async else one.reply(End(quality=True))

    assert one.instruments.ended_at == before
    assert ended.quality == 1.0


def test_a_measurement_that_is_cancelled_ends_with_its_own_command_and_takes_no_later_one():
    ours, theirs = socket.socketpair()
    worker = Channel[Command, Event](theirs, receives=Command)
    coordinator = Channel[Event, Command](ours, receives=Event)

    sent = threading.Event()

    def command():
        sent.set()
        coordinator.send(BeginMeter())

    async def cancelled():
        waiting = asyncio.ensure_future(serve_async(worker, server(is_async=True)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        threading.Timer(0.05, command).start()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert sent.is_set()

    asyncio.run(cancelled())
    coordinator.send(Proceed(measurement=None))

    assert worker.receive(timeout_seconds=5) == Proceed(measurement=None)
    ours.close()
    theirs.close()


@pytest.fixture
def company():
    """A worker that serves in a thread of its own, and the coordinator's end of its channel."""
    ours, theirs = socket.socketpair()
    worker = Channel[Command, Event](theirs, receives=Command)
    coordinator = Channel[Event, Command](ours, receives=Event)
    serving = threading.Thread(target=serve, args=(worker, server()), daemon=True)
    serving.start()
    yield coordinator
    coordinator.send(Proceed(measurement=None))
    serving.join(5)
    assert not serving.is_alive()
    ours.close()
    theirs.close()


def heard(coordinator, kind):
    answer = coordinator.receive(timeout_seconds=5)
    assert isinstance(answer, kind)
    return answer


def test_requests_beside_the_other_side_count_from_when_it_is_said_and_go_on_until_stopped(company):
    company.send(RunTogether(first=0, requests=3))
    heard(company, Began)
    assert company.receive(timeout_seconds=0.05) is None
    company.send(Count())
    done = heard(company, TogetherDone)
    assert [(block.requests, block.items) for block in done.blocks] == [(1, 2)] * 3
    assert done.sensors is not None
    assert company.receive(timeout_seconds=0.05) is None
    company.send(Stop())
    heard(company, Stopped)


def test_a_side_whose_other_refused_is_stopped_before_it_counts(company):
    company.send(RunTogether(first=0, requests=3))
    heard(company, Began)
    company.send(Stop())
    heard(company, Stopped)
