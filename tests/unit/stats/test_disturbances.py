"""Sensors are put into words only where they explain noise."""

from __future__ import annotations

import msgspec
import pytest
from factories.judging import measurement, unit

from pytest_costguard.records import Sensors
from pytest_costguard.stats.disturbances import disturbances


def sensed(threads=1, **readings):
    sensors = Sensors(wall_seconds=10.0, cpu_seconds=9.0, **readings)
    return measurement([unit(sensors=sensors)], threads=threads)


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        ({"run_queue_wait_seconds": 0.5}, "it waited for a core 5 % of the time"),
        ({"steal_seconds": 0.4}, "the hypervisor took 4 % of the time"),
        ({"throttled_seconds": 0.25}, "the container was throttled for 0.25 s"),
        ({"involuntary_switches": 900}, "it was interrupted 90 times a second"),
        ({"device_lowered_by": ("heat",)}, "the device lowered its clock (heat)"),
    ],
)
def test_each_disturbance_is_named(readings, said):
    assert disturbances(sensed(**readings)) == (said,)


@pytest.mark.parametrize(("waited", "told"), [(8.0, 20), (80.0, 100)])
def test_waits_of_several_threads_are_shared_among_them(waited, told):
    (said,) = disturbances(sensed(threads=4, run_queue_wait_seconds=waited))
    assert said == f"it waited for a core {told} % of the time"


def test_what_was_served_beside_the_other_side_waited_by_design_and_can_be_stolen_from():
    shared = Sensors(
        wall_seconds=10.0, cpu_seconds=5.0, run_queue_wait_seconds=5.0, steal_seconds=1.0
    )
    (only,) = sensed().units
    both = measurement([msgspec.structs.replace(only, together_sensors=shared)])
    assert disturbances(both) == ("the hypervisor took 5 % of the time",)


def test_a_quiet_machine_is_not_blamed():
    quiet = sensed(
        run_queue_wait_seconds=0.1,
        steal_seconds=0.0,
        throttled_seconds=0.0,
        involuntary_switches=40,
    )

    assert disturbances(quiet) == ()


def test_a_machine_that_does_not_tell_is_not_blamed():
    assert disturbances(sensed()) == ()


def test_a_stretch_without_time_tells_nothing():
    empty = measurement([unit(sensors=Sensors(wall_seconds=0.0, cpu_seconds=0.0))])

    assert disturbances(empty) == ()
