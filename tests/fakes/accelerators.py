"""A CUDA that counts what it is asked, for machines without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace


@dataclass(frozen=True)
class FakeDevice:
    type: str
    index: int = 0


@dataclass
class FakeCuda:
    reserved: list[int] = field(default_factory=lambda: [4096])
    peaks: list[int] = field(default_factory=lambda: [1000])
    initialised: bool = True
    waited: list[object] = field(default_factory=list)
    resets: list[object] = field(default_factory=list)

    def is_initialized(self):
        return self.initialised

    def device_count(self):
        return len(self.reserved)

    def memory_reserved(self, index):
        return self.reserved[index]

    def max_memory_allocated(self, device):
        return self.peaks[device.index or 0]

    def reset_peak_memory_stats(self, device):
        self.resets.append(device)

    def synchronize(self, device):
        self.waited.append(device)


class FakeMps:
    """Like `torch.mps`: it keeps no peak, and its synchronize takes no device."""

    def __init__(self):
        self.waits = 0

    def synchronize(self):
        self.waits += 1


def fake_torch(cuda, *, built=True):
    return SimpleNamespace(
        cuda=cuda,
        device=FakeDevice,
        backends=SimpleNamespace(cuda=SimpleNamespace(is_built=lambda: built)),
    )
