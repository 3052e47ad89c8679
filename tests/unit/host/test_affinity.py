from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_costguard.host.affinity import available_cores, pin

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins")

PIN_ALL_THREADS = """
import os, threading
from pytest_costguard.host.affinity import available_cores, pin
go = threading.Event()
earlier = threading.Thread(target=go.wait)
earlier.start()
core = min(available_cores())
reason = pin([core])
seen = {frozenset(os.sched_getaffinity(int(tid))) for tid in os.listdir("/proc/self/task")}
go.set()
earlier.join()
print(repr(reason), seen == {frozenset({core})}, available_cores() == {core})
"""


@linux
def test_threads_that_exist_already_are_held_too():
    done = subprocess.run(
        [sys.executable, "-c", PIN_ALL_THREADS], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "'' True True"


@linux
def test_a_core_that_does_not_exist_is_refused_with_the_reason():
    before = available_cores()
    assert pin([60_000]).startswith("the system refused to pin the process to a core: ")
    assert available_cores() == before


def test_no_cores_are_refused_with_the_reason():
    assert pin([]) == "no cores were named to pin to"


@pytest.mark.skipif(sys.platform == "linux", reason="where pinning is missing")
def test_a_system_that_cannot_pin_says_so():
    assert "does not let a process be pinned" in pin([0])
