"""What a server's processes use together, on a machine that is a folder of files."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_costguard.host.gpu_memory import GpuMemoryUse
from pytest_costguard.host.process_tree import ProcessTree
from pytest_costguard.host.server_watch import (
    SERVER_LIFETIME_METHOD,
    SERVER_RESET_METHOD,
    ServerWatch,
)
from pytest_costguard.records.notes import SERVER_MEMORY_NOT_TOLD

MEBIBYTE = 2**20


def process(pid, *, parent, mebibytes=0, ticks=0, started=5, resettable=True):
    files = {
        f"proc/{pid}/stat": f"{pid} (serve) S {parent} 10 10 0 -1 0 1 2 3 4 {ticks} 0 0 0 20 0 3 0"
        f" {started} 1000 200\n",
        f"proc/{pid}/status": f"VmHWM:\t {mebibytes * 1024} kB\n",
    }
    return files | ({f"proc/{pid}/clear_refs": ""} if resettable else {})


def watch(root, *, nvml=None, now=lambda: 0.0):
    gpu = GpuMemoryUse(nvml=nvml, devices=() if nvml is None else (0,), now=now)
    return ServerWatch(ProcessTree(11, group=10, without=10, root=root), gpu=gpu)


def test_memory_is_the_sum_of_each_processs_own_peak_since_the_reset(tree):
    root = tree(process(11, parent=1, mebibytes=300) | process(12, parent=11, mebibytes=50))
    found = watch(root)
    found.begin()
    tree(process(13, parent=11, mebibytes=7, started=9, resettable=False))
    memory = found.memory()
    assert (memory.peak_bytes, memory.method) == (357 * MEBIBYTE, SERVER_RESET_METHOD)
    assert found.notes() == ()


def test_a_process_whose_mark_could_not_be_reset_says_so(tree):
    root = tree(
        process(11, parent=1, mebibytes=300)
        | process(12, parent=11, mebibytes=50, resettable=False)
    )
    found = watch(root)
    found.begin()
    assert found.memory().method == SERVER_LIFETIME_METHOD


def test_cpu_time_is_that_of_all_processes_since_the_beginning(tree):
    root = tree(process(11, parent=1, ticks=100) | process(12, parent=11, ticks=30))
    found = watch(root)
    found.begin()
    tree(process(11, parent=1, ticks=150) | process(12, parent=11, ticks=40))
    assert found.cpu_seconds() == pytest.approx(0.6)


def test_where_the_system_does_not_tell_nothing_is_measured_and_a_note_says_so(tree):
    found = watch(tree({}))
    found.begin()
    assert found.memory() is None
    assert found.cpu_seconds() is None
    assert found.notes() == (SERVER_MEMORY_NOT_TOLD,)


def test_what_it_uses_for_blocks_is_told_from_what_it_uses_between_them(tree):
    readings = iter([1.0, 1.5, 4.5, 4.75, 5.75])
    gpu = GpuMemoryUse(nvml=None, devices=(), now=lambda: 0.0)
    root = tree(process(11, parent=1))
    found = ServerWatch(
        ProcessTree(11, group=10, root=root), gpu=gpu, clock=lambda _: next(readings)
    )
    found.begin()
    for _ in range(2):
        with found.serving():
            pass
    assert found.serving_cpu_seconds == pytest.approx(3.0 + 1.0)
    assert found.idle_cpu_seconds == pytest.approx(0.5 + 0.25)


def test_device_memory_is_of_the_servers_processes(tree, nvml):
    root = tree(process(11, parent=1, mebibytes=300))
    driver = nvml(names=["NVIDIA A"])
    driver.processes = {
        0: [
            SimpleNamespace(pid=11, usedGpuMemory=2048),
            SimpleNamespace(pid=99, usedGpuMemory=10_000),
        ]
    }
    found = watch(root, nvml=driver)
    found.begin()
    found.look()
    assert found.memory().device_peak_bytes == 2048
