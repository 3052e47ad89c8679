"""What a server uses while it serves: memory and CPU time of all its processes together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from pytest_costguard.host.cpu_time import cpu_seconds_of
from pytest_costguard.host.gpu_memory import GpuMemoryUse
from pytest_costguard.host.memory import LIFETIME_METHOD, RESET_METHOD
from pytest_costguard.host.process_tree import ProcessTree
from pytest_costguard.records import Memory
from pytest_costguard.records.notes import SERVER_MEMORY_NOT_TOLD

_WHOSE = "the server's processes, summed"
SERVER_RESET_METHOD = f"{RESET_METHOD}, {_WHOSE}"
SERVER_LIFETIME_METHOD = f"{LIFETIME_METHOD}, {_WHOSE}"


class ServerWatch:
    """Reads what a server's processes use between `begin` and the moment of asking.

    Args:
        tree: the server's processes.
        gpu: looks at the devices' memory.
        clock: CPU seconds of processes so far.
    """

    def __init__(
        self,
        tree: ProcessTree,
        *,
        gpu: GpuMemoryUse,
        clock: Callable[[Iterable[int]], float | None] = cpu_seconds_of,
    ) -> None:
        self._tree = tree
        self._gpu = gpu
        self._clock = clock
        self.serving_cpu_seconds = 0.0
        """Of its processes while blocks were served, since `begin`; 0 where nothing tells."""
        self.idle_cpu_seconds = 0.0
        """Of its processes between the blocks."""
        self._mark: float | None = None
        """The clock at the end of the last block."""
        self._pids: frozenset[int] = frozenset()
        self._not_reset: frozenset[tuple[int, int]] = frozenset()
        """Process and moment of its start: those whose mark has not begun anew."""
        self._cpu_seconds: float | None = None

    def begin(self) -> None:
        """Let every process's memory mark start again, and remember the CPU time so far."""
        processes = self._tree.processes()
        stale = [one for one in processes if not self._tree.reset_peak(one.pid)]
        self._not_reset = frozenset((one.pid, one.started) for one in stale)
        self._pids = frozenset(one.pid for one in processes)
        self._cpu_seconds = sum(one.cpu_seconds for one in processes) if processes else None
        self.serving_cpu_seconds = self.idle_cpu_seconds = 0.0
        self._mark = self._clock(self._pids)
        self._gpu.restart()
        self._gpu.look(self._pids, now_or_never=True)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Tell what it uses for a block from what it uses between two of them."""
        self.idle_cpu_seconds += self._used()
        try:
            yield
        finally:
            self.serving_cpu_seconds += self._used()

    def look(self) -> None:
        """Look at the devices' memory, between two blocks."""
        self._gpu.look(self._pids)

    def _used(self) -> float:
        before, self._mark = self._mark, self._clock(self._pids)
        return 0.0 if before is None or self._mark is None else max(0.0, self._mark - before)

    def cpu_seconds(self) -> float | None:
        """Return the CPU time of all processes since `begin`; None where the system does not tell.

        In steps of 10 ms. Children that have ended count once their parent has waited for them.
        """
        processes = self._tree.processes()
        if self._cpu_seconds is None or not processes:
            return None
        return max(0.0, sum(one.cpu_seconds for one in processes) - self._cpu_seconds)

    def memory(self) -> Memory | None:
        """Return the sum over the processes that there are of what each held at its own peak.

        They need not have had their peaks at the same moment, and pages that several share count
        for each, so it is an upper bound. None where the system does not tell.
        """
        alive = [one for one in self._tree.processes() if one.alive]
        total = sum(self._tree.peak_bytes(one.pid) or 0 for one in alive)
        self._pids |= {one.pid for one in alive}
        self._gpu.look(self._pids, now_or_never=True)
        if not total:
            return None
        stale = any((one.pid, one.started) in self._not_reset for one in alive)
        return Memory(
            peak_bytes=total,
            method=SERVER_LIFETIME_METHOD if stale else SERVER_RESET_METHOD,
            device_peak_bytes=self._gpu.peak_bytes,
        )

    def notes(self) -> tuple[str, ...]:
        """What a reader must know: only `/proc` tells of another process its peak memory."""
        return () if self._cpu_seconds is not None else (SERVER_MEMORY_NOT_TOLD,)


def watch(tree: ProcessTree, *, environ: Mapping[str, str]) -> ServerWatch:
    """Return what watches a server that runs with these variables."""
    return ServerWatch(tree, gpu=GpuMemoryUse.detect(now=time.monotonic, environ=environ))
