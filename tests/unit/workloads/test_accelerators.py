from __future__ import annotations

from types import SimpleNamespace

from fakes.accelerators import FakeCuda, FakeDevice, FakeMps, fake_torch

from pytest_costguard.workloads.accelerators import (
    accelerators_of,
    cuda_in_use,
    peak_bytes_of,
    waiter_for,
)


def test_the_cpu_has_nothing_to_wait_for():
    found = accelerators_of(fake_torch(FakeCuda()), [FakeDevice("cpu")])
    assert waiter_for(found) is None


def test_the_cpu_keeps_no_peak():
    found = accelerators_of(fake_torch(FakeCuda()), [FakeDevice("cpu")])
    assert peak_bytes_of(found) is None


def test_waiting_waits_for_the_device():
    cuda = FakeCuda()
    waiter_for(accelerators_of(fake_torch(cuda), [FakeDevice("cuda")]))()
    assert cuda.waited == [FakeDevice("cuda")]


def test_a_device_named_twice_is_waited_for_once():
    cuda = FakeCuda()
    waiter_for(accelerators_of(fake_torch(cuda), [FakeDevice("cuda"), FakeDevice("cuda")]))()
    assert cuda.waited == [FakeDevice("cuda")]


def test_a_module_spread_over_two_devices_waits_for_both():
    cuda = FakeCuda(reserved=[1, 1], peaks=[10, 20])
    devices = [FakeDevice("cuda", 0), FakeDevice("cuda", 1)]
    waiter_for(accelerators_of(fake_torch(cuda), devices))()
    assert cuda.waited == devices


def test_the_peaks_of_two_devices_add_up():
    cuda = FakeCuda(reserved=[1, 1], peaks=[10, 20])
    devices = [FakeDevice("cuda", 0), FakeDevice("cuda", 1)]
    assert peak_bytes_of(accelerators_of(fake_torch(cuda), devices)) == 30


def test_mps_is_waited_for_without_naming_a_device():
    mps = FakeMps()
    waiter_for(accelerators_of(SimpleNamespace(mps=mps), [FakeDevice("mps")]))()
    assert mps.waits == 1


def test_a_device_that_keeps_no_peak_has_none():
    found = accelerators_of(SimpleNamespace(mps=FakeMps()), [FakeDevice("mps")])
    found[0].reset_peak()
    assert peak_bytes_of(found) is None


def test_a_device_that_torch_cannot_drive_is_not_waited_for():
    found = accelerators_of(SimpleNamespace(), [FakeDevice("tpu")])
    assert waiter_for(found) is None


def test_without_torch_no_device_is_in_use():
    assert cuda_in_use({}) == ()


def test_cuda_that_nobody_began_to_use_is_not_begun_by_asking():
    assert cuda_in_use({"torch": fake_torch(FakeCuda(initialised=False))}) == ()


def test_a_device_without_memory_of_ours_is_left_alone():
    found = cuda_in_use({"torch": fake_torch(FakeCuda(reserved=[0, 512]))})
    assert [each.device for each in found] == [FakeDevice("cuda", 1)]
