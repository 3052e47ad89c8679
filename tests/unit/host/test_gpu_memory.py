"""Memory of devices that a server's processes hold, as a fake driver tells it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_costguard.host.gpu_memory import GpuMemoryUse


class Time:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def now():
    return Time()


@pytest.fixture
def driver(nvml):
    return nvml(names=["NVIDIA A", "NVIDIA B"])


def running(*held):
    return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in held]


def use(driver, now, environ=None):
    return GpuMemoryUse.detect(now=now, environ=environ or {}, nvml=driver)


def test_it_is_the_most_that_these_processes_held_on_all_devices_together(driver, now):
    found = use(driver, now)
    for first, second in ((300, 20), (100, 500), (50, 0)):
        driver.processes = {0: running((7, first), (9, 1000)), 1: running((8, second))}
        found.look({7, 8})
        now.now += 1
    assert found.peak_bytes == 600
    found.restart()
    assert found.peak_bytes is None


def test_it_is_looked_at_twenty_times_a_second_at_most(driver, now):
    found = use(driver, now)
    driver.processes = {0: running((7, 100))}
    found.look({7})
    driver.processes = {0: running((7, 900))}
    now.now += 0.01
    found.look({7})
    assert found.peak_bytes == 100
    found.look({7}, now_or_never=True)
    assert found.peak_bytes == 900


def test_a_device_that_the_server_does_not_see_is_not_asked(driver, now):
    found = use(driver, now, {"CUDA_VISIBLE_DEVICES": "1"})
    driver.processes = {0: running((7, 100)), 1: running((7, 30))}
    found.look({7})
    assert found.peak_bytes == 30


@pytest.mark.parametrize("held", [[], [(9, 1000)], [(7, None)]])
def test_where_the_driver_does_not_know_them_there_is_no_figure(driver, now, held):
    found = use(driver, now)
    driver.processes = {0: running(*held)}
    found.look({7})
    assert found.peak_bytes is None


def test_without_a_driver_nothing_is_looked_at(nvml, now):
    found = use(nvml(names=["NVIDIA A"], has_driver=False), now)
    found.look({7})
    assert found.peak_bytes is None
