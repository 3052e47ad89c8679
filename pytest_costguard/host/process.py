"""What the operating system says of this process through calls rather than files."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Protocol

if sys.platform != "win32":
    import resource


class Process(Protocol):
    """A process that can be asked about itself; `None` where its system does not tell."""

    def wall_seconds(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def cpu_seconds(self) -> float:
        """CPU seconds of all threads, those that have ended included."""
        ...

    def involuntary_switches(self) -> int | None:
        """How often a thread was taken off its core though it could have gone on."""
        ...

    def voluntary_switches(self) -> int | None:
        """How often a thread waited for something other than a core."""
        ...

    def load_average(self) -> float | None:
        """The machine's load average over the last minute."""
        ...

    def lifetime_peak_bytes(self) -> int | None:
        """The largest resident memory since the process was started."""
        ...


class OwnProcess:
    """This very process."""

    def wall_seconds(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.perf_counter()

    def cpu_seconds(self) -> float:
        """CPU seconds of all threads, those that have ended included."""
        return time.process_time()

    def involuntary_switches(self) -> int | None:
        """How often a thread was taken off its core; None on Windows."""
        if sys.platform == "win32":
            return None
        return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw

    def voluntary_switches(self) -> int | None:
        """How often a thread waited for something other than a core; None on Windows."""
        if sys.platform == "win32":
            return None
        return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw

    def load_average(self) -> float | None:
        """The machine's load average over the last minute; None on Windows."""
        if sys.platform == "win32":
            return None
        try:
            return os.getloadavg()[0]
        except OSError:
            return None

    def lifetime_peak_bytes(self) -> int | None:
        """The largest resident memory since the process was started."""
        if sys.platform == "win32":
            return _windows_peak_bytes()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return maxrss_bytes(peak, platform=sys.platform) or None


def maxrss_bytes(maxrss: int, *, platform: str) -> int:
    """Return `ru_maxrss` in bytes: macOS counts bytes, all others KiB (getrusage(2) of each)."""
    return maxrss if platform == "darwin" else maxrss * 1024


if sys.platform == "win32":

    def _windows_peak_bytes() -> int | None:
        """`PeakWorkingSetSize` of `GetProcessMemoryInfo`."""
        import ctypes
        from ctypes import wintypes

        class Counters(ctypes.Structure):
            _fields_ = [
                ("cb", wintypes.DWORD),
                ("PageFaultCount", wintypes.DWORD),
                ("PeakWorkingSetSize", ctypes.c_size_t),
                ("WorkingSetSize", ctypes.c_size_t),
                ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
                ("QuotaPagedPoolUsage", ctypes.c_size_t),
                ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
                ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
                ("PagefileUsage", ctypes.c_size_t),
                ("PeakPagefileUsage", ctypes.c_size_t),
            ]

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        ask = kernel.K32GetProcessMemoryInfo
        ask.argtypes = [wintypes.HANDLE, ctypes.POINTER(Counters), wintypes.DWORD]
        ask.restype = wintypes.BOOL
        counters = Counters(cb=ctypes.sizeof(Counters))
        if not ask(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb):
            return None
        return int(counters.PeakWorkingSetSize) or None


def holds_device(root: Path = Path("/")) -> bool:
    """Whether this process has opened a device that computes, by whatever library.

    CUDA opens `nvidia-uvm`, which merely asking NVML does not; ROCm `kfd`; graphics `dri`.
    """
    folder = root / "proc/self/fd"
    links = []
    with contextlib.suppress(OSError):  # there is no such folder on other systems
        for one in folder.iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                links.append(str(one.readlink()))
    return any(link.startswith(("/dev/nvidia-uvm", "/dev/kfd", "/dev/dri")) for link in links)
