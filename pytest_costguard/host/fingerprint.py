"""The machine and the software, as far as a measurement depends on them.

It is taken before a process is pinned to cores, so that it counts those that the job may use.
"""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

from pytest_costguard.host.affinity import available_cores
from pytest_costguard.host.cgroup import ControlGroups
from pytest_costguard.host.cpu import ask_sysctl, cpu_model
from pytest_costguard.host.gpus import Nvml, gpu_facts
from pytest_costguard.host.proc import parse_count, parse_fields, parse_kib, read_text
from pytest_costguard.records import Fingerprint

PACKAGES = (
    "torch",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "numpy",
)
"""Distributions whose version can change a figure; onnxruntime comes under several names."""


def fingerprint(
    *,
    root: Path = Path("/"),
    environ: Mapping[str, str],
    nvml: Nvml | None = None,
    cores: frozenset[int] | None = None,
    sysctl: Callable[[str], str] = ask_sysctl,
) -> Fingerprint:
    """Describe this machine; torch, onnxruntime and numpy are asked for but not imported.

    Args:
        root: where `proc`, `sys` and `etc` are.
        environ: read for `CUDA_VISIBLE_DEVICES`.
        nvml: the module to ask for GPUs; None asks for the one installed.
        cores: the cores that this process may run on; None asks the system.
        sysctl: answers for macOS.

    Returns:
        The record. `memory_bytes` is that of the machine, 0 where the system does not tell; a
        limit below it is in `container_limits`.
    """
    groups = ControlGroups.locate(root)
    cpu_limit = groups.cpu_limit_cores()
    gpus = gpu_facts(environ, nvml=nvml)
    usable = available_cores() if cores is None else cores
    return Fingerprint(
        cpu_model=cpu_model(root, sysctl=sysctl),
        cores=cores_in_use(len(usable) if usable else os.cpu_count() or 1, cpu_limit),
        memory_bytes=_memory_bytes(root, sysctl=sysctl),
        gpus=gpus.models,
        driver=gpus.driver,
        os=_system(root),
        container_limits=describe_limits(cpu_limit, groups.memory_limit_bytes()),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=_versions(PACKAGES),
    )


def cores_in_use(allowed: int, quota_cores: float | None) -> int:
    """Return how many cores can be busy at once: those allowed, or as many as the quota touches.

    A quota of 1.5 cores counts as two, since two threads do run side by side under it; the exact
    quota is in `container_limits`.
    """
    return allowed if quota_cores is None else max(1, min(allowed, math.ceil(quota_cores)))


def describe_limits(cpu_cores: float | None, memory_bytes: int | None) -> str:
    """Return the container's limits in words, or "" where there are none."""
    parts = []
    if cpu_cores is not None:
        parts.append(f"CPU quota {cpu_cores:.3g} cores")
    if memory_bytes is not None:
        parts.append(f"memory limit {memory_bytes / 2**30:.4g} GiB")
    return ", ".join(parts)


def _memory_bytes(root: Path, *, sysctl: Callable[[str], str]) -> int:
    told = parse_kib(parse_fields(read_text(root / "proc/meminfo") or "").get("MemTotal"))
    told = told or parse_count(sysctl("hw.memsize"))
    return told or _installed_bytes()


if sys.platform == "win32":

    def _installed_bytes() -> int:
        """`ullTotalPhys` of `GlobalMemoryStatusEx`."""
        import ctypes

        class Status(ctypes.Structure):
            _fields_ = [
                ("dwLength", ctypes.c_ulong),
                ("dwMemoryLoad", ctypes.c_ulong),
                ("ullTotalPhys", ctypes.c_ulonglong),
                ("ullAvailPhys", ctypes.c_ulonglong),
                ("ullTotalPageFile", ctypes.c_ulonglong),
                ("ullAvailPageFile", ctypes.c_ulonglong),
                ("ullTotalVirtual", ctypes.c_ulonglong),
                ("ullAvailVirtual", ctypes.c_ulonglong),
                ("ullAvailExtendedVirtual", ctypes.c_ulonglong),
            ]

        status = Status(dwLength=ctypes.sizeof(Status))
        answered = ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.ullTotalPhys) if answered else 0

else:

    def _installed_bytes() -> int:
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError):
            return 0


def _system(root: Path) -> str:
    """Return kernel, its release and the architecture, and the distribution where there is one."""
    release = (read_text(root / "proc/sys/kernel/osrelease") or "").strip() or platform.release()
    kernel = " ".join(part for part in (platform.system(), release, platform.machine()) if part)
    named = parse_os_release(read_text(root / "etc/os-release") or "")
    return f"{kernel}, {named}" if named else kernel


def parse_os_release(text: str) -> str:
    """Return `PRETTY_NAME` of an os-release(5) file, or ""."""
    for line in text.splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip("\"'")
    return ""


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if version:
            found[name] = version
    return found
