"""The clocks of the devices while they work, and what lowers them. No setting is changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pytest_costguard.host.gpus import Handle, Nvml, start_nvml, visible_devices

_SM_CLOCK = 1
"""`NVML_CLOCK_SM`, the clock of the multiprocessors."""
_REASONS: Mapping[int, str] = {
    0x0004: "power limit",
    0x0008: "hardware slowdown",
    0x0020: "heat",
    0x0040: "heat",
    0x0080: "power brake",
}
"""NVML API reference, "NvmlClocksEventReasons"; being idle and settings of the user's are none."""
_EVERY_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class DeviceClocks:
    """Looks at the devices between blocks, at most twenty times a second."""

    nvml: Nvml | None
    devices: tuple[Handle, ...]
    now: Callable[[], float]
    """Seconds on a monotonic clock."""
    lowest_mhz: float | None = None
    """The lowest clock since `restart`; None where no device told one."""
    _lowered_by: dict[str, None] = field(default_factory=dict)
    _looked_at: float = float("-inf")

    @classmethod
    def detect(
        cls,
        *,
        now: Callable[[], float],
        nvml: Nvml | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> DeviceClocks:
        """Find the devices that this process sees; without any, nothing is ever looked at.

        Args:
            now: seconds on a monotonic clock.
            nvml: the module to ask; None asks for the one installed.
            environ: read for `CUDA_VISIBLE_DEVICES`; None reads this process's.
        """
        started = start_nvml(nvml)
        devices: tuple[Handle, ...] = ()
        if started is not None:
            try:
                devices = visible_devices(started, os.environ if environ is None else environ)
            except started.NVMLError:
                started = None
        return cls(nvml=started, devices=devices, now=now)

    @property
    def lowered_by(self) -> tuple[str, ...]:
        """What held a clock down since `restart`, in words."""
        return tuple(self._lowered_by)

    def restart(self) -> None:
        """Forget what was seen."""
        self.lowest_mhz, self._lowered_by, self._looked_at = None, {}, float("-inf")

    def look(self) -> None:
        """Look at the devices, which must be at work or just have been."""
        if self.nvml is None or not self.devices or self.now() - self._looked_at < _EVERY_SECONDS:
            return
        self._looked_at = self.now()
        for device in self.devices:
            try:
                mhz = float(self.nvml.nvmlDeviceGetClockInfo(device, _SM_CLOCK))
                reasons = self.nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device)
            except self.nvml.NVMLError:
                continue  # a slice of a device, or an old driver, does not tell
            self.lowest_mhz = mhz if self.lowest_mhz is None else min(mhz, self.lowest_mhz)
            named = (words for bit, words in _REASONS.items() if reasons & bit)
            self._lowered_by |= dict.fromkeys(named)
