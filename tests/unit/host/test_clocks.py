"""Clocks of devices: the lowest one seen, what held it down, and not asked too often."""

from __future__ import annotations

import pytest

from pytest_costguard.host.clocks import DeviceClocks


class Time:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def clocks(module, *, environ=None):
    time = Time()
    return DeviceClocks.detect(now=time, nvml=module, environ=environ or {}), time


def test_the_lowest_clock_of_all_devices_and_looks_is_kept(nvml):
    module = nvml(names=["A", "B"], clocks_mhz=[1980, 1755])
    found, time = clocks(module)
    found.look()
    time.seconds += 1
    module.clocks_mhz = [1980, 1980]
    found.look()
    assert found.lowest_mhz == 1755


def test_devices_are_not_asked_again_at_once(nvml):
    module = nvml(names=["A"], clocks_mhz=[1980])
    found, time = clocks(module)
    found.look()
    time.seconds += 0.01
    found.look()
    assert module.looks == 1


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (0x1, ()),  # idle
        (0x2, ()),  # a setting of the user's
        (0x4, ("power limit",)),
        (0x20 | 0x40, ("heat",)),
        (0x4 | 0x80, ("power limit", "power brake")),
    ],
)
def test_what_holds_a_clock_down_is_named(nvml, reasons, words):
    found, _ = clocks(nvml(names=["A"], clocks_mhz=[1200], reasons=reasons))
    found.look()
    assert found.lowered_by == words


def test_a_restart_forgets(nvml):
    found, _ = clocks(nvml(names=["A"], clocks_mhz=[1200], reasons=0x4))
    found.look()
    found.restart()
    assert (found.lowest_mhz, found.lowered_by) == (None, ())
    found.look()
    assert found.lowest_mhz == 1200


@pytest.mark.parametrize("has_driver", [True, False])
def test_no_device_or_one_that_does_not_tell_is_no_clock(nvml, has_driver):
    found, _ = clocks(nvml(names=["A"], has_driver=has_driver))
    found.look()
    assert found.lowest_mhz is None


def test_only_visible_devices_are_looked_at(nvml):
    module = nvml(names=["A", "B"], clocks_mhz=[1980, 1200])
    found, _ = clocks(module, environ={"CUDA_VISIBLE_DEVICES": "0"})
    found.look()
    assert found.lowest_mhz == 1980
