from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pytest_costguard.host.fingerprint import cores_in_use, fingerprint, parse_os_release
from pytest_costguard.records import differences

MACHINE = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R)  Xeon(R) @ 2.80GHz\n",
    "proc/meminfo": "MemTotal:       16384 kB\nMemFree: 1 kB\n",
    "proc/sys/kernel/osrelease": "6.1.0\n",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
    "proc/self/cgroup": "0::/\n",
}
CONTAINER = {
    **MACHINE,
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/memory.max": "1610612736\n",
}


def test_a_plain_machine_is_described(tree, nvml):
    taken = fingerprint(root=tree(MACHINE), environ={}, nvml=nvml(), cores=frozenset(range(8)))
    assert taken.cpu_model == "Intel(R) Xeon(R) @ 2.80GHz"
    assert (taken.cores, taken.memory_bytes) == (8, 16 * 2**20)
    assert "6.1.0" in taken.os
    assert taken.os.endswith("Debian GNU/Linux 12")
    assert (taken.gpus, taken.driver, taken.container_limits) == ((), "", "")


def test_a_container_has_its_quota_in_cores_and_its_limits_in_words(tree, nvml):
    taken = fingerprint(root=tree(CONTAINER), environ={}, nvml=nvml(), cores=frozenset(range(8)))
    assert taken.cores == 2
    assert taken.container_limits == "CPU quota 1.5 cores, memory limit 1.5 GiB"
    assert taken.memory_bytes == 16 * 2**20


def test_gpus_and_their_driver_are_named(tree, nvml):
    module = nvml(names=["NVIDIA L4", "NVIDIA L4"])
    taken = fingerprint(root=tree(MACHINE), environ={}, nvml=module)
    assert taken.gpus == ("NVIDIA L4", "NVIDIA L4")
    assert taken.driver == "NVIDIA 550.54"


@pytest.mark.parametrize(
    ("allowed", "quota", "cores"),
    [(8, None, 8), (8, 0.5, 1), (8, 1.0, 1), (8, 1.5, 2), (2, 16.0, 2), (1, 0.01, 1)],
)
def test_cores_are_those_allowed_that_the_quota_touches(allowed, quota, cores):
    assert cores_in_use(allowed, quota) == cores


def test_the_distribution_is_read_with_either_quotes():
    assert parse_os_release("ID=x\nPRETTY_NAME='Alpine Linux v3.20'\n") == "Alpine Linux v3.20"


def test_this_machine_has_a_fingerprint_that_equals_itself():
    first, second = fingerprint(environ=os.environ), fingerprint(environ=os.environ)
    assert differences(first, second) == ()
    assert first.cores >= 1
    assert first.memory_bytes > 0
    assert first.python.endswith(".".join(map(str, sys.version_info[:3])))


def test_the_runtimes_are_not_imported_to_learn_their_version():
    code = (
        "import sys; from pytest_costguard.host.fingerprint import fingerprint;"
        "versions = fingerprint(environ={}).packages;"
        "loaded = {'torch', 'onnxruntime', 'numpy', 'requests', 'git'} & sys.modules.keys();"
        "print(sorted(versions), sorted(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "numpy" in done.stdout.split("]")[0]
    assert done.stdout.strip().endswith("[]")
