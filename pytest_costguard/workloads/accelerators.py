"""The accelerators that torch drives: how to wait for them, and what memory they held at most."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One device and the torch module that drives it: `torch.cuda`, `torch.xpu`, `torch.mps`."""

    backend: Any
    device: Any

    def waiter(self) -> Callable[[], None] | None:
        """Return what waits for the work queued on this device; None where nothing can."""
        synchronise = getattr(self.backend, "synchronize", None)
        if synchronise is None:
            return None
        if self.device.type == "mps":  # one device, and its synchronize takes no argument
            return synchronise  # type: ignore[no-any-return]  # torch is not followed
        return partial(synchronise, self.device)

    def reset_peak(self) -> None:
        """Start anew to look for the peak, where the device keeps one."""
        reset = getattr(self.backend, "reset_peak_memory_stats", None)
        if reset is not None:
            reset(self.device)

    def peak_bytes(self) -> int | None:
        """Return the most bytes that tensors held since `reset_peak`; None where not kept.

        Allocated rather than reserved bytes: what the caching allocator reserves depends on what
        ran before in the process, and is no property of the workload.
        """
        peak = getattr(self.backend, "max_memory_allocated", None)
        return None if peak is None else int(peak(self.device))


def accelerators_of(torch: Any, devices: Iterable[Any]) -> tuple[Accelerator, ...]:
    """Return an accelerator for each different device that is not the CPU, in order."""
    different = dict.fromkeys(device for device in devices if device.type != "cpu")
    return tuple(
        Accelerator(backend=getattr(torch, device.type, None), device=device)
        for device in different
    )


def waiter_for(accelerators: Iterable[Accelerator]) -> Callable[[], None] | None:
    """Return what waits for all of them; None where there is nothing to wait for."""
    waiters = [waiter for each in accelerators if (waiter := each.waiter()) is not None]
    if not waiters:
        return None
    if len(waiters) == 1:
        return waiters[0]

    def wait_for_all() -> None:
        for waiter in waiters:
            waiter()

    return wait_for_all


def peak_bytes_of(accelerators: Iterable[Accelerator]) -> int | None:
    """Return the sum of the peaks; None where no device keeps one."""
    peaks = [peak for each in accelerators if (peak := each.peak_bytes()) is not None]
    return sum(peaks) if peaks else None


def cuda_in_use(modules: Mapping[str, ModuleType] = sys.modules) -> tuple[Accelerator, ...]:
    """Return the CUDA devices on which torch holds memory in this process.

    For a callable, which may hide a model on a device. torch is asked only where somebody has
    imported it, CUDA is never initialised by asking, and a device without memory of ours is left
    alone: to wait for it would make a context there.
    """
    torch: Any = modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return ()
    return tuple(
        Accelerator(backend=cuda, device=torch.device("cuda", index))
        for index in range(cuda.device_count())
        if cuda.memory_reserved(index) > 0
    )


class CudaWaiter:
    """Waits for the CUDA devices in use; they are looked for until there is one, then kept."""

    __slots__ = ("_wait",)

    def __init__(self) -> None:
        self._wait = waiter_for(cuda_in_use())

    def __call__(self) -> None:
        """Wait until the devices have finished."""
        if self._wait is None:
            self._wait = waiter_for(cuda_in_use())
            if self._wait is None:
                return
        self._wait()


def out_of_device_memory(kind: str, text: str) -> bool:
    """Whether an error, by its class's name and its words, says that a device has no room."""
    if kind == "OutOfMemoryError":
        return True
    words = text.lower()
    return "cuda" in words and ("out of memory" in words or "failed to allocate memory" in words)
