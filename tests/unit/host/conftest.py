"""Fake machines: a folder that stands for `/`, a process and NVML that say what they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

Tree = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write files under a fresh root and return it; called again, it changes the same root."""
    root = tmp_path / "root"
    root.mkdir()

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    return write


@dataclass
class FakeProcess:
    wall: float = 0.0
    cpu: float = 0.0
    switches: int | None = 0
    waits: int | None = 0
    load: float | None = None
    peak: int | None = None

    def wall_seconds(self) -> float:
        return self.wall

    def cpu_seconds(self) -> float:
        return self.cpu

    def involuntary_switches(self) -> int | None:
        return self.switches

    def voluntary_switches(self) -> int | None:
        return self.waits

    def load_average(self) -> float | None:
        return self.load

    def lifetime_peak_bytes(self) -> int | None:
        return self.peak


@pytest.fixture
def process() -> FakeProcess:
    return FakeProcess()


class FakeNvmlError(Exception):
    pass


@dataclass
class FakeNvml:
    """Devices are named by their index; slices by their id."""

    names: list[str] = field(default_factory=list)
    slices: dict[str, str] = field(default_factory=dict)
    millijoules: list[int] = field(default_factory=list)
    clocks_mhz: list[int] = field(default_factory=list)
    reasons: int = 0
    looks: int = 0
    processes: Mapping[int, list[object]] = field(default_factory=dict)
    has_driver: bool = True
    speaks_bytes: bool = False
    started: int = 0
    NVMLError: type[Exception] = FakeNvmlError

    def nvmlInit(self) -> None:
        if not self.has_driver:
            raise FakeNvmlError("Driver Not Loaded")
        self.started += 1

    def nvmlShutdown(self) -> None:
        self.started -= 1

    def _say(self, text: str) -> str | bytes:
        return text.encode() if self.speaks_bytes else text

    def nvmlSystemGetDriverVersion(self) -> str | bytes:
        return self._say("550.54")

    def nvmlDeviceGetCount(self) -> int:
        return len(self.names)

    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> object:
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str, /) -> object:
        if uuid not in self.slices:
            raise FakeNvmlError("Not Found")
        return uuid

    def nvmlDeviceGetName(self, handle: object, /) -> str | bytes:
        return self._say(
            self.names[handle] if isinstance(handle, int) else self.slices[str(handle)]
        )

    def nvmlDeviceGetUUID(self, handle: object, /) -> str | bytes:
        return self._say(f"GPU-{handle}a{handle}b-0000")

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object, /) -> int:
        if not isinstance(handle, int) or handle >= len(self.millijoules):
            raise FakeNvmlError("Not Supported")
        return self.millijoules[handle]

    def nvmlDeviceGetClockInfo(self, handle: object, kind: int, /) -> int:
        self.looks += 1
        if kind != 1 or not isinstance(handle, int) or handle >= len(self.clocks_mhz):
            raise FakeNvmlError("Not Supported")
        return self.clocks_mhz[handle]

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: object, /) -> int:
        return self.reasons

    def nvmlDeviceGetComputeRunningProcesses(self, handle: object, /) -> list[object]:
        if handle not in self.processes:
            raise FakeNvmlError("Not Supported")
        return self.processes[handle]


@pytest.fixture
def nvml() -> type[FakeNvml]:
    return FakeNvml
