"""NVIDIA devices through NVML: which of them this process sees, what they are, their driver."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from pytest_costguard.host.proc import parse_count

Handle = Any
"""What NVML names a device by; nothing but NVML looks into it."""


class GpuProcess(Protocol):
    """What NVML says of a process that computes on a device."""

    pid: int
    usedGpuMemory: int | None  # noqa: N815 - NVML's own name
    """Bytes; None where the driver does not tell."""


class Nvml(Protocol):
    """As much of the module `pynvml` (package nvidia-ml-py) as is used here."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None:  # noqa: D102, N802 - NVML's own name, here and below
        ...

    def nvmlShutdown(self) -> None:  # noqa: D102, N802
        ...

    def nvmlSystemGetDriverVersion(self) -> str | bytes:  # noqa: D102, N802
        ...

    def nvmlDeviceGetCount(self) -> int:  # noqa: D102, N802
        ...

    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> Handle:  # noqa: D102, N802
        ...

    def nvmlDeviceGetHandleByUUID(self, uuid: str, /) -> Handle:  # noqa: D102, N802
        ...

    def nvmlDeviceGetName(self, handle: Handle, /) -> str | bytes:  # noqa: D102, N802
        ...

    def nvmlDeviceGetUUID(self, handle: Handle, /) -> str | bytes:  # noqa: D102, N802
        ...

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Handle, /) -> int:  # noqa: D102, N802
        ...

    def nvmlDeviceGetClockInfo(self, handle: Handle, kind: int, /) -> int:  # noqa: D102, N802
        ...

    def nvmlDeviceGetCurrentClocksThrottleReasons(  # noqa: D102, N802
        self, handle: Handle, /
    ) -> int: ...

    def nvmlDeviceGetComputeRunningProcesses(  # noqa: D102, N802
        self, handle: Handle, /
    ) -> Sequence[GpuProcess]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    """The models of the devices that this process sees, in its order, and the driver."""

    models: tuple[str, ...] = ()
    driver: str = ""


def find_nvml() -> Nvml | None:
    """Return the module `pynvml` if it is installed; nothing is started."""
    try:
        with warnings.catch_warnings():
            # The old package of the same name warns on import that it is the old one.
            warnings.simplefilter("ignore")
            return cast("Nvml", import_module("pynvml"))
    except ImportError:
        return None


def start_nvml(nvml: Nvml | None) -> Nvml | None:
    """Return NVML, started: the given one or, for None, the one installed; None if it fails."""
    found = nvml if nvml is not None else find_nvml()
    if found is None:
        return None
    try:
        found.nvmlInit()
    except found.NVMLError:
        return None  # no driver, or no device that this process may open
    return found


@contextmanager
def running_nvml(nvml: Nvml | None) -> Iterator[Nvml | None]:
    """Start NVML for the length of a block and stop it afterwards."""
    started = start_nvml(nvml)
    try:
        yield started
    finally:
        if started is not None:
            with suppress(started.NVMLError):
                started.nvmlShutdown()


def gpu_facts(environ: Mapping[str, str], *, nvml: Nvml | None = None) -> GpuFacts:
    """Return what devices this process sees; nothing at all where NVML does not answer.

    Args:
        environ: read for `CUDA_VISIBLE_DEVICES`.
        nvml: the module to ask; None asks for the one installed.
    """
    with running_nvml(nvml) as running:
        if running is None:
            return GpuFacts()
        try:
            handles = visible_devices(running, environ)
            models = tuple(_text(running.nvmlDeviceGetName(handle)) for handle in handles)
            driver = _text(running.nvmlSystemGetDriverVersion()) if models else ""
        except running.NVMLError:
            return GpuFacts()
        return GpuFacts(models=models, driver=f"NVIDIA {driver}" if driver else "")


def visible_devices(nvml: Nvml, environ: Mapping[str, str]) -> tuple[Handle, ...]:
    """Return the devices that CUDA shows to this process.

    `CUDA_VISIBLE_DEVICES` is a list of numbers, or of ids or their beginnings; the first entry
    that names none hides itself and all after it (CUDA C++ Programming Guide, "CUDA Environment
    Variables"). Numbers are taken in PCI order: on a machine with mixed models CUDA counts them
    so only under `CUDA_DEVICE_ORDER=PCI_BUS_ID`.

    Raises:
        NVMLError: the module's own, where a device cannot be asked.
    """
    everyone = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return tuple(everyone)
    seen: list[Handle] = []
    for entry in wanted.split(","):
        found = _device_named(nvml, everyone, entry.strip())
        if len(found) != 1:
            break
        seen += found
    return tuple(seen)


def _device_named(nvml: Nvml, everyone: list[Handle], entry: str) -> list[Handle]:
    index = parse_count(entry)
    if index is not None:
        return everyone[index : index + 1]
    if entry.startswith("MIG-"):
        try:
            return [nvml.nvmlDeviceGetHandleByUUID(entry)]
        except nvml.NVMLError:
            return []
    if entry.startswith("GPU-"):
        return [one for one in everyone if _text(nvml.nvmlDeviceGetUUID(one)).startswith(entry)]
    return []


def _text(value: str | bytes) -> str:
    """Return a name as text: older releases of the module give bytes."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
