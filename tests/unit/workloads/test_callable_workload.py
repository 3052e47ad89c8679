from __future__ import annotations

import asyncio
import sys
from functools import partial

import pytest
from contracts.workload import WorkloadContract
from fakes.accelerators import FakeCuda, FakeDevice, fake_torch

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.workloads.callable import CallableWorkload


class Doubler:
    def __call__(self, value):
        return value * 2

    def double(self, value):
        return value * 2

    async def double_later(self, value):
        return value * 2


class AsyncDoubler:
    async def __call__(self, value):
        return value * 2


async def scale_later(factor, value):
    return value * factor


def stream(value):
    yield value


async def stream_later(value):
    yield value


class Streamer:
    def __call__(self, value):
        yield value


def served(thing, value):
    return CallableWorkload(thing).function()(value)


class TestCallableWorkload(WorkloadContract):
    def make(self):
        return CallableWorkload(Doubler())

    def an_input(self):
        return 21


class TestCoroutineWorkload(WorkloadContract):
    def make(self):
        return CallableWorkload(AsyncDoubler())

    def an_input(self):
        return 21


@pytest.mark.parametrize(
    "thing",
    [lambda v: v * 2, Doubler(), Doubler().double, partial(int.__mul__, 2), (2).__mul__],
    ids=["function", "object", "method", "partial", "builtin method"],
)
def test_serves_any_callable(thing):
    assert served(thing, 21) == 42


@pytest.mark.parametrize(
    "thing",
    [AsyncDoubler(), Doubler().double_later, partial(scale_later, 2), partial(AsyncDoubler())],
    ids=["object", "method", "partial", "partial of an object"],
)
def test_a_coroutine_function_in_any_dress_is_async(thing):
    assert CallableWorkload(thing).is_async


@pytest.mark.parametrize("thing", [AsyncDoubler(), partial(scale_later, 2)])
def test_a_coroutine_function_answers_with_an_awaitable(thing):
    assert asyncio.run(served(thing, 21)) == 42


@pytest.mark.parametrize("thing", [len, Doubler(), Doubler().double, partial(max, 1)])
def test_a_plain_callable_is_not_async(thing):
    assert not CallableWorkload(thing).is_async


def test_the_timed_loop_calls_the_callable_itself():
    assert CallableWorkload(len).function() is len


@pytest.mark.parametrize("thing", ["model.bin", 3, None, [len]])
def test_what_cannot_be_called_is_refused(thing):
    with pytest.raises(WorkloadError, match="cannot be called"):
        CallableWorkload(thing)


@pytest.mark.parametrize("thing", [stream, stream_later, Streamer(), partial(stream)])
def test_a_generator_function_is_refused_since_calling_it_does_no_work(thing):
    with pytest.raises(WorkloadError, match="does none of its work"):
        CallableWorkload(thing)


def test_a_class_is_refused_and_the_remedy_names_an_instance():
    with pytest.raises(WorkloadError, match=r"pass an instance, Doubler\(…\)"):
        CallableWorkload(Doubler)


def test_options_are_refused():
    with pytest.raises(ConfigError, match="unknown option 'autocast'"):
        CallableWorkload(len, options={"autocast": True})


def test_without_torch_there_is_nothing_to_wait_for(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert CallableWorkload(len).synchronise() is None


def test_a_torch_without_cuda_is_not_waited_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", fake_torch(FakeCuda(), built=False))
    assert CallableWorkload(len).synchronise() is None


def test_a_model_hidden_in_a_function_is_waited_for(monkeypatch):
    cuda = FakeCuda()
    monkeypatch.setitem(sys.modules, "torch", fake_torch(cuda))
    CallableWorkload(len).synchronise()()
    assert cuda.waited == [FakeDevice("cuda", 0)]


def test_a_device_that_the_first_request_begins_to_use_is_waited_for_from_then_on(monkeypatch):
    cuda = FakeCuda(initialised=False)
    monkeypatch.setitem(sys.modules, "torch", fake_torch(cuda))
    wait = CallableWorkload(len).synchronise()
    wait()
    cuda.initialised = True
    wait()
    assert cuda.waited == [FakeDevice("cuda", 0)]


def test_the_peak_of_a_hidden_model_is_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", fake_torch(FakeCuda(peaks=[77])))
    assert CallableWorkload(len).device_peak_bytes() == 77


def test_the_peak_of_a_hidden_model_is_reset(monkeypatch):
    cuda = FakeCuda()
    monkeypatch.setitem(sys.modules, "torch", fake_torch(cuda))
    CallableWorkload(len).reset_device_peak()
    assert cuda.resets == [FakeDevice("cuda", 0)]
