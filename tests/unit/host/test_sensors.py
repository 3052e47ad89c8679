from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.host.sensors import SensorReader, parse_steal

STAT = "cpu  0 0 0 0 0 0 0 {both}\ncpu0 1 1 1 1 0 0 0 {a} 0 0\ncpu1 1 1 1 1 0 0 0 {b} 0 0\nintr 1\n"


def machine(*, wait: int, steal: tuple[int, int], throttled: int) -> dict[str, str]:
    return {
        "proc/self/task/10/schedstat": f"900 {wait} 4\n",
        "proc/self/task/11/schedstat": f"900 {wait} 4\n",
        "proc/stat": STAT.format(both=sum(steal), a=steal[0], b=steal[1]),
        "proc/loadavg": "1.25 0.50 0.10 1/96 6970\n",
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cpu.stat": f"throttled_usec {throttled}\n",
    }


def test_every_sensor_reads_what_happened_in_between(tree, process):
    root = tree(machine(wait=1_000_000_000, steal=(100, 100), throttled=0))
    reader = SensorReader(root, process=process, cores=lambda: frozenset({0, 1}))
    start = reader.start()
    tree(machine(wait=1_500_000_000, steal=(110, 120), throttled=250_000))
    process.wall, process.cpu, process.switches, process.waits = 3.0, 2.0, 7, 2
    sensors = reader.since(start)
    assert (sensors.wall_seconds, sensors.cpu_seconds) == (3.0, 2.0)
    assert sensors.run_queue_wait_seconds == 1.0
    assert sensors.involuntary_switches == 7
    assert sensors.voluntary_switches == 2
    assert sensors.steal_seconds == pytest.approx(0.3)
    assert sensors.throttled_seconds == 0.25
    assert sensors.load_average == 1.25


def test_steal_is_that_of_the_own_cores_only(tree, process):
    root = tree(machine(wait=0, steal=(100, 100), throttled=0))
    reader = SensorReader(root, process=process, cores=lambda: frozenset({1}))
    start = reader.start()
    tree(machine(wait=0, steal=(900, 102), throttled=0))
    assert reader.since(start).steal_seconds == pytest.approx(0.02)


def test_a_machine_that_tells_nothing_has_no_sensors(tree, process):
    process.switches = process.waits = None
    reader = SensorReader(tree({}), process=process, cores=lambda: None)
    sensors = reader.since(reader.start())
    assert sensors.run_queue_wait_seconds is None
    assert sensors.involuntary_switches is None
    assert sensors.voluntary_switches is None
    assert sensors.steal_seconds is None
    assert sensors.throttled_seconds is None
    assert sensors.load_average is None


def test_a_thread_that_is_new_or_took_over_an_id_counts_whole(tree, process):
    root = tree({"proc/self/task/10/schedstat": "900 4000000000 4\n"})
    reader = SensorReader(root, process=process, cores=lambda: None)
    start = reader.start()
    tree(
        {
            "proc/self/task/10/schedstat": "900 1000000000 4\n",
            "proc/self/task/12/schedstat": "900 500000000 4\n",
        }
    )
    assert reader.since(start).run_queue_wait_seconds == 1.5


def test_the_load_is_asked_of_the_system_where_there_is_no_file(tree, process):
    process.load = 0.5
    reader = SensorReader(tree({}), process=process, cores=lambda: None)
    assert reader.since(reader.start()).load_average == 0.5


@pytest.mark.skipif(sys.platform != "linux", reason="the sensors are Linux's")
def test_this_machine_counts_forward():
    reader = SensorReader()
    start = reader.start()
    sum(range(10_000))
    sensors = reader.since(start)
    assert sensors.wall_seconds > 0
    assert sensors.cpu_seconds > 0
    for value in (sensors.run_queue_wait_seconds, sensors.steal_seconds, sensors.load_average):
        assert value is None or value >= 0


@given(st.text(alphabet="cpu0123456789 \n-x"))
def test_no_stat_file_makes_it_raise(text: str):
    steal = parse_steal(text)
    assert steal is None or all(ticks >= 0 for ticks in steal.values())
