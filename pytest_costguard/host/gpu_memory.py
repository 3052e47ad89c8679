"""How much memory of the devices some processes hold, as the driver counts it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pytest_costguard.host.gpus import Handle, Nvml, start_nvml, visible_devices

_EVERY_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class GpuMemoryUse:
    """Looks at what some processes hold on all devices together, at most twenty times a second.

    The driver keeps no peak of a process, so what is between two looks is not seen. Runtimes keep
    what they have allocated once, so the last look seldom misses much.
    """

    nvml: Nvml | None
    devices: tuple[Handle, ...]
    now: Callable[[], float]
    """Seconds on a monotonic clock."""
    peak_bytes: int | None = None
    """The most since `restart`; None where no device knows any of the processes."""
    _looked_at: float = float("-inf")

    @classmethod
    def detect(
        cls,
        *,
        now: Callable[[], float],
        environ: Mapping[str, str],
        nvml: Nvml | None = None,
    ) -> GpuMemoryUse:
        """Find the devices that the processes see; without any, nothing is ever looked at.

        Args:
            now: seconds on a monotonic clock.
            environ: the processes' own, read for `CUDA_VISIBLE_DEVICES`.
            nvml: the module to ask; None asks for the one installed.
        """
        started = start_nvml(nvml)
        if started is None:
            return cls(nvml=None, devices=(), now=now)
        try:
            devices = visible_devices(started, environ)
        except started.NVMLError:
            devices = ()
        return cls(nvml=started, devices=devices, now=now)

    def restart(self) -> None:
        """Forget what was seen."""
        self.peak_bytes, self._looked_at = None, float("-inf")

    def look(self, pids: Collection[int], *, now_or_never: bool = False) -> None:
        """Look at what these processes hold.

        Args:
            pids: of the processes; in a container the driver may know them by other numbers.
            now_or_never: look, however short the last look is ago.
        """
        if self.nvml is None or not self.devices:
            return
        if not now_or_never and self.now() - self._looked_at < _EVERY_SECONDS:
            return
        self._looked_at = self.now()
        held: list[int] = []
        for device in self.devices:
            try:
                running = self.nvml.nvmlDeviceGetComputeRunningProcesses(device)
            except self.nvml.NVMLError:
                continue  # an old driver, or a slice of a device, does not tell
            held += [one.usedGpuMemory for one in running if one.pid in pids and one.usedGpuMemory]
        if held:
            self.peak_bytes = max(sum(held), self.peak_bytes or 0)
