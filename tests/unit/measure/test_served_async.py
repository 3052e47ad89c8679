from __future__ import annotations

import gc

import anyio
import pytest
from fakes.measuring import FakeTime, FakeWorkload

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Scenario


@pytest.fixture(params=["asyncio", "trio"])
def run(request):
    return lambda function: anyio.run(function, backend=request.param)


def a_served(inputs, *, scenario=None, is_async=True, **workload):
    time = FakeTime()
    fake = FakeWorkload(time, is_async=is_async, **workload)
    served = Served(
        workload=fake,
        inputs=inputs,
        items=[2] * len(inputs),
        scenario=scenario or Scenario(),
        clock=time.clock(),
    )
    return served, fake


def block_of(served, *, requests, discard=0):
    async def block():
        return await served.block_async(first=0, requests=requests, discard=discard)

    return block


def test_awaited_latencies_come_back_exactly(run):
    served, _ = a_served([100, 250], device_lag_ns=1)
    block, latencies = run(block_of(served, requests=2))
    assert (block.wall_seconds, latencies) == (352e-9, (101e-9, 251e-9))


def test_awaited_discards_are_not_timed(run):
    served, fake = a_served([100, 250])
    block, _ = run(block_of(served, requests=1, discard=1))
    assert (fake.served, block.wall_seconds) == ([250, 100], 100e-9)


def test_tasks_serve_each_request_once_by_stride(run):
    served, fake = a_served([1, 2, 3, 4, 5], scenario=Scenario(kind="concurrent", n=2))
    block, latencies = run(block_of(served, requests=5))
    assert (sorted(fake.served), block.requests, block.items) == ([1, 2, 3, 4, 5], 5, 10)
    assert len(latencies) == 5


def test_tasks_share_one_serving_context_and_each_discards(run):
    served, fake = a_served([1], scenario=Scenario(kind="concurrent", n=3))
    run(block_of(served, requests=3, discard=1))
    assert (fake.entered, fake.left, len(fake.served)) == (1, 1, 6)


def test_a_tasks_exception_propagates_unchanged_and_cancels_the_others(run):
    served, fake = a_served([-1, 1], scenario=Scenario(kind="concurrent", n=2))
    with pytest.raises(ZeroDivisionError):
        run(block_of(served, requests=1000))
    assert len(fake.served) < 10
    assert gc.isenabled()


@pytest.mark.parametrize("kind", ["single_stream", "multi_stream", "offline"])
def test_an_awaited_exception_propagates_unchanged(run, kind):
    served, _ = a_served([1, -1], scenario=Scenario(kind=kind, n=2))
    with pytest.raises(ZeroDivisionError):
        run(block_of(served, requests=2))


def test_offline_starts_all_requests_before_one_is_done(run):
    served, fake = a_served([10, 20, 30], scenario=Scenario(kind="offline"))
    waiting = []

    async def serve(value):
        waiting.append(value)
        await anyio.sleep(0)
        assert len(waiting) == 3
        fake.time.advance(value)

    fake.function = lambda: serve
    served = Served(
        workload=fake,
        inputs=[10, 20, 30],
        items=[1] * 3,
        scenario=Scenario(kind="offline"),
        clock=fake.time.clock(),
    )
    block, latencies = run(block_of(served, requests=3))
    assert (block.wall_seconds, latencies) == (60e-9, (20e-9,))


def test_an_awaited_query_is_n_samples(run):
    served, _ = a_served([100, 200], scenario=Scenario(kind="multi_stream", n=2))
    block, latencies = run(block_of(served, requests=2))
    assert (block.requests, block.items, latencies) == (2, 8, (300e-9, 300e-9))


def test_awaited_first_call_warm_up_and_outputs(run):
    served, _ = a_served([3_000_000, 3_000_000])

    async def all_three():
        first = await served.first_call_async()
        warmup = await served.warm_up_async(max_seconds=1)
        return first, warmup, await served.outputs_async()

    first, warmup, outputs = run(all_three)
    assert (first, warmup.settled, outputs) == (0.003, True, [30_000_000] * 2)
    assert served.seconds_per_request() == 0.003


def test_a_plain_function_awaited_names_the_remedy(run):
    served, _ = a_served([1], is_async=False)
    with pytest.raises(WorkloadError, match=r"costguard\.measure\("):
        run(block_of(served, requests=1))
