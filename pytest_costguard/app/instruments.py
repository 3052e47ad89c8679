"""What a worker reads from its machine round a measured stretch, composed from host's readers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_costguard.errors import WorkloadError
from pytest_costguard.host.clocks import DeviceClocks
from pytest_costguard.host.energy import EnergyMeter, EnergyReading
from pytest_costguard.host.memory import PeakMemory
from pytest_costguard.host.sensors import SensorReader, Snapshot
from pytest_costguard.host.slices import own_slices
from pytest_costguard.host.threads import (
    ThreadTimes,
    ThreadUse,
    busy_threads,
    check,
    coordinating_under_load,
    corrected,
    ready_threads,
    surely_busy_threads,
)
from pytest_costguard.measure.scenarios import served_at_once
from pytest_costguard.records import Energy, Memory, Scenario, Sensors
from pytest_costguard.records.notes import (
    MORE_THREADS_READY,
    MORE_THREADS_SERVED,
    SERVER_BUSIER,
    SERVER_UNSEEN,
    THREADS_NOT_TOLD,
    THREADS_UNVERIFIED,
)

if TYPE_CHECKING:
    from pytest_costguard.app.servers import StartedServer

_SHORTEST_THREAD_CHECK_SECONDS = 0.2
"""Below this the kernel's counters are too coarse to say which threads worked."""

_MORE_CORES = 1.1
"""Of the declared threads: beyond it a server has kept more cores busy than they tell."""
_SLICE_SECONDS = 0.008
"""How long each side runs at a stretch while both share a core.

The kernel's own slice is one tick where it has 250 a second, so two sides on one core and two
neighbours on another switch at the same moments: for a whole unit, one side runs beside the
neighbour that fills the memory bus and the other beside the one that does not. At two ticks each
side runs beside both (measured, two neighbours, memory-bound: a unit's standard deviation of 3.9
to 5.0 % falls to 0.9 to 1.4 %).
"""


@dataclass(slots=True)
class _Idle:
    """What this process does while nothing is served: threads of a pool may go on spinning.

    The waiting thread's own CPU time is the tool's, so it is left out.
    """

    wall_start: float
    cpu_start: float
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @classmethod
    def since_now(cls) -> _Idle:
        return cls(time.perf_counter(), _others_cpu_seconds())

    def begin(self) -> None:
        self.wall_start, self.cpu_start = time.perf_counter(), _others_cpu_seconds()

    def end(self) -> None:
        self.seconds += time.perf_counter() - self.wall_start
        self.cpu_seconds += max(0.0, _others_cpu_seconds() - self.cpu_start)


def _others_cpu_seconds() -> float:
    return time.process_time() - time.thread_time()


class MachineInstruments:
    """Implements `engine.serving.Instruments` on the real machine."""

    def __init__(
        self,
        *,
        threads: int,
        scenario: Scenario,
        is_async: bool,
        device_peak_bytes: Callable[[], int | None],
        reset_device_peak: Callable[[], None],
        server: StartedServer | None = None,
        is_elsewhere: bool = False,
    ) -> None:
        """Take what a workload declares.

        Args:
            threads: that it declares.
            scenario: how requests arrive.
            is_async: whether it is a coroutine function.
            device_peak_bytes: reads its device's peak memory.
            reset_device_peak: starts it anew.
            server: the test's own server that answers.
            is_elsewhere: whether another process answers, be it the test's server or not.
        """
        self._threads_declared = threads
        self._server = server
        self._is_unseen = is_elsewhere and server is None
        self._server_use = None if server is None else server.watch()
        # Each caller in a thread of its own brings its threads; coroutines share the loop's.
        self._allowed = threads if is_async else threads * served_at_once(scenario)
        self._is_dispatching = scenario.load is not None
        self._is_async = is_async
        self._device_peak_bytes = device_peak_bytes
        self._reset_device_peak = reset_device_peak
        self._memory = PeakMemory()
        self._sensors = SensorReader()
        self._energy = EnergyMeter.detect(root=Path("/"), environ=os.environ)
        self._clocks = DeviceClocks.detect(now=time.monotonic, environ=os.environ)
        self._threads = ThreadUse()
        self._idle = _Idle.since_now()
        self._energy_start: EnergyReading | None = None
        self._sensors_start: Snapshot | None = None
        self._threads_start: ThreadTimes | None = None
        self._serving_wall_seconds = 0.0
        self._serving_cpu_seconds: dict[int, float] = {}
        """Of the threads that the coordinator commands, by id."""

    @property
    def has_meter(self) -> bool:
        """Whether this machine counts energy, and what serves is known to be on it."""
        return bool(self._energy.source) and not self._is_unseen

    def watch(self) -> Callable[[], Sensors]:
        """Start the sensors alone; return what reads them."""
        return partial(self._sensors.since, self._sensors.start())

    def begin(self) -> None:
        """Reset the memory peak; start sensors and thread clocks."""
        if self._server_use is None:
            self._memory.reset()
            self._reset_device_peak()
        else:
            self._server_use.begin()
        self._clocks.restart()
        self._serving_wall_seconds = 0.0
        self._idle = _Idle.since_now()
        self._serving_cpu_seconds = {threading.get_native_id(): 0.0}
        self._threads_start = self._threads.start()
        self._sensors_start = self._sensors.start()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Count this thread's work as the workload's: outside, it calibrates and reports."""
        self._idle.end()
        beside = nullcontext() if self._server_use is None else self._server_use.serving()
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            with beside:
                yield
        finally:
            used = self._serving_cpu_seconds
            tid = threading.get_native_id()
            # The thread that sends load serves none of it.
            cpu_seconds = 0.0 if self._is_dispatching else time.thread_time() - cpu
            used[tid] = used.get(tid, 0.0) + cpu_seconds
            self._serving_wall_seconds += time.perf_counter() - wall
            self._clocks.look()
            if self._server_use is not None:
                self._server_use.look()
            self._idle.begin()
        if self._server is not None:  # what it has not answered would pass for slow
            self._server.require_alive()

    def beside_another(self) -> AbstractContextManager[None]:
        """Take turns with the other process out of step with what the other cores do."""
        return own_slices(_SLICE_SECONDS)

    def begin_meter(self) -> None:
        """Read the energy counters."""
        self._energy_start = self._energy.start()

    def end_meter(self, *, items: int) -> Energy | None:
        """Read them again; what was spent since went into `items` items."""
        spent = self._energy.since(self._energy_start)
        return None if spent is None else Energy(joules=spent[0], items=items, source=spent[1])

    def end(self) -> tuple[Sensors, Memory | None, tuple[str, ...]]:
        """Read everything since `begin`.

        Raises:
            WorkloadError: more threads worked than were declared.
        """
        assert self._sensors_start is not None, "begin comes first"
        self._idle.end()
        server = self._server_use
        sensors = msgspec.structs.replace(
            self._sensors.since(self._sensors_start),
            server_cpu_seconds=None if server is None else server.cpu_seconds(),
            server_idle_cpu_seconds=None if server is None else server.idle_cpu_seconds,
            # Coroutines wait in a thread of the tool's own, which would pass for one that spins.
            idle_seconds=None if self._is_async else self._idle.seconds,
            idle_cpu_seconds=None if self._is_async else self._idle.cpu_seconds,
            device_clock_mhz=self._clocks.lowest_mhz,
            device_lowered_by=self._clocks.lowered_by,
        )
        return sensors, self.peak(), (*self._check_threads(), *self._server_notes())

    def peak(self) -> Memory | None:
        """Read the memory peak since `begin`, and nothing else."""
        if self._server_use is not None:
            return self._server_use.memory()
        if self._is_unseen:  # what asks a server takes nothing that anybody pays for
            return None
        found = self._memory.read()
        if found is None:
            return None
        return Memory(
            peak_bytes=found[0], method=found[1], device_peak_bytes=self._device_peak_bytes()
        )

    def _server_notes(self) -> tuple[str, ...]:
        """Say what a reader must know of the server."""
        if self._is_unseen:
            return (SERVER_UNSEEN,)
        if self._server_use is None:
            return ()
        wall_seconds = self._serving_wall_seconds
        most = _MORE_CORES * self._threads_declared * wall_seconds
        told = wall_seconds >= _SHORTEST_THREAD_CHECK_SECONDS
        busy = told and self._server_use.serving_cpu_seconds > most
        return (*self._server_use.notes(), *(SERVER_BUSIER,) * busy)

    def _check_threads(self) -> tuple[str, ...]:
        wall_seconds = self._serving_wall_seconds
        used = self._threads.since(self._threads_start)
        if used is None:
            return (THREADS_NOT_TOLD,)
        if wall_seconds < _SHORTEST_THREAD_CHECK_SECONDS:
            return (THREADS_UNVERIFIED,)
        workloads_own = corrected(used, cpu_seconds=self._serving_cpu_seconds)
        complaint = check(self._allowed, surely_busy_threads(workloads_own, wall_seconds))
        if complaint:
            raise WorkloadError(
                f"the figures cannot stand: {complaint}",
                remedy="declare the threads that serve: @pytest.mark.costguard(threads=n)",
            )
        return self._doubted(workloads_own, wall_seconds)

    def _doubted(self, use: ThreadTimes, wall_seconds: float) -> tuple[str, ...]:
        """Say that more threads may have worked than surely have.

        One that hands short requests to a pool and waits for it looks like a worker, and so do
        threads that wait for something else half of the time: nothing is refused by it.
        """
        # Between requests of a load the wall time tells little; and a coroutine's blocks begin in
        # a thread of the tool's own, which waits for a core each time.
        if not self._is_dispatching and not self._is_async:
            ready = ready_threads(use, wall_seconds)
            if ready > self._allowed:
                return (MORE_THREADS_READY,)
        if self._is_dispatching:
            busy = busy_threads(use, wall_seconds, coordinating_under_load(use, wall_seconds))
        else:
            busy = busy_threads(use, wall_seconds)
        return (MORE_THREADS_SERVED,) * (busy > self._allowed)
