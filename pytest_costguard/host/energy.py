"""Joules between two moments, from the device's and the processor's own counters."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.host.gpus import Handle, Nvml, start_nvml, visible_devices
from pytest_costguard.host.proc import read_count, read_text

_PACKAGE = re.compile(r"intel-rapl:\d+")
"""A top-level zone. Zones below it are parts of it, and `intel-rapl-mmio` is the same once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyReading:
    """All counters at one moment: millijoules of devices, microjoules of packages."""

    gpu_millijoules: tuple[int, ...]
    package_microjoules: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """One processor package and where its counter starts again."""

    folder: Path
    range_microjoules: int


class EnergyMeter:
    """Counts joules of the whole device and package: whatever else ran there is in them.

    Make one with `detect`. A source is used if it could be read when looked for; if one of them
    cannot be read later, the answer is None rather than a part of the truth.
    """

    def __init__(
        self, *, nvml: Nvml | None, devices: tuple[Handle, ...], packages: tuple[_Package, ...]
    ) -> None:
        self._nvml = nvml
        self._devices = devices
        self._packages = packages

    @classmethod
    def detect(
        cls,
        root: Path = Path("/"),
        nvml: Nvml | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> EnergyMeter:
        """Find what can be read here; a meter without any source answers None.

        Args:
            root: where `sys` is.
            nvml: the module to ask for devices; None asks for the one installed.
            environ: read for `CUDA_VISIBLE_DEVICES`; None reads this process's.
        """
        started = start_nvml(nvml)
        devices = _metered(started, os.environ if environ is None else environ)
        return cls(nvml=started, devices=devices, packages=_packages(root))

    @property
    def source(self) -> str:
        """Who measures, in words; "" for nobody."""
        parts = []
        if self._devices:
            parts.append(f"NVML ({_counted(len(self._devices), 'GPU')})")
        if self._packages:
            parts.append(f"RAPL ({_counted(len(self._packages), 'package')})")
        return " + ".join(parts)

    def start(self) -> EnergyReading | None:
        """Return the counters as they stand, or None where one cannot be read or there is none."""
        if not self.source:
            return None
        packages = [read_count(package.folder / "energy_uj") for package in self._packages]
        readable = tuple(count for count in packages if count is not None)
        devices = self._device_millijoules()
        if devices is None or len(readable) != len(packages):
            return None
        return EnergyReading(gpu_millijoules=devices, package_microjoules=readable)

    def since(self, start: EnergyReading | None) -> tuple[float, str] | None:
        """Return the joules since `start` and their source, or None where it is not known.

        A package's counter starts again at its range (260 kJ on many: some 20 minutes at 200 W).
        One such restart is seen through; two look like one.
        """
        now = self.start()
        if start is None or now is None:
            return None
        devices = [b - a for a, b in zip(start.gpu_millijoules, now.gpu_millijoules, strict=True)]
        if any(growth < 0 for growth in devices):
            return None  # the driver was loaded again
        packages = [
            after - before if after >= before else after - before + package.range_microjoules
            for before, after, package in zip(
                start.package_microjoules, now.package_microjoules, self._packages, strict=True
            )
        ]
        if any(growth < 0 for growth in packages):
            return None
        return sum(devices) / 1e3 + sum(packages) / 1e6, self.source

    def _device_millijoules(self) -> tuple[int, ...] | None:
        if self._nvml is None:
            return ()
        try:
            return tuple(
                self._nvml.nvmlDeviceGetTotalEnergyConsumption(device) for device in self._devices
            )
        except self._nvml.NVMLError:
            return None


def _metered(nvml: Nvml | None, environ: Mapping[str, str]) -> tuple[Handle, ...]:
    """Return the visible devices, or none of them if one keeps no count (before Volta; slices)."""
    if nvml is None:
        return ()
    try:
        devices = visible_devices(nvml, environ)
        for device in devices:
            nvml.nvmlDeviceGetTotalEnergyConsumption(device)
    except nvml.NVMLError:
        return ()
    return devices


def _packages(root: Path) -> tuple[_Package, ...]:
    """Return each processor package once; `psys` holds all of them and is left out."""
    try:
        zones = sorted((root / "sys/class/powercap").iterdir())
    except OSError:
        return ()
    found: dict[str, _Package] = {}
    for zone in zones:
        name = (read_text(zone / "name") or "").strip()
        if not _PACKAGE.fullmatch(zone.name) or not name.startswith("package"):
            continue
        wraps_at = read_count(zone / "max_energy_range_uj")
        if not wraps_at or read_count(zone / "energy_uj") is None:
            return ()  # one package without the other would pass for the whole
        found.setdefault(name, _Package(folder=zone, range_microjoules=wraps_at))
    return tuple(found.values())


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
