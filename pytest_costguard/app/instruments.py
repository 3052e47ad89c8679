"""What a worker reads from its machine round a measured stretch, composed from host's readers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from pytest_costguard.errors import WorkloadError
from pytest_costguard.host.energy import EnergyMeter, EnergyReading
from pytest_costguard.host.memory import PeakMemory
from pytest_costguard.host.sensors import SensorReader, Snapshot
from pytest_costguard.host.threads import ThreadTimes, ThreadUse, busy_threads, check
from pytest_costguard.records import Energy, Memory, Scenario, Sensors

_SHORTEST_THREAD_CHECK_SECONDS = 0.2
"""Below this the kernel's counters are too coarse to say which threads worked."""


class MachineInstruments:
    """Implements `engine.serving.Instruments` on the real machine."""

    def __init__(
        self,
        *,
        threads: int,
        scenario: Scenario,
        device_peak_bytes: Callable[[], int | None],
        reset_device_peak: Callable[[], None],
    ) -> None:
        self._declared = threads
        self._callers = scenario.n if scenario.kind == "concurrent" else 0
        self._device_peak_bytes = device_peak_bytes
        self._reset_device_peak = reset_device_peak
        self._memory = PeakMemory()
        self._sensors = SensorReader()
        self._energy = EnergyMeter.detect(root=Path("/"), environ=os.environ)
        self._threads = ThreadUse()
        self._started: float = 0.0
        self._sensors_start: Snapshot | None = None
        self._energy_start: EnergyReading | None = None
        self._threads_start: ThreadTimes | None = None

    def begin(self) -> None:
        """Reset the memory peak; start sensors, thread clocks and the energy meter."""
        self._memory.reset()
        self._reset_device_peak()
        self._threads_start = self._threads.start()
        self._energy_start = self._energy.start() if self._energy is not None else None
        self._sensors_start = self._sensors.start()
        self._started = time.perf_counter()

    def end(self, *, items: int) -> tuple[Sensors, Memory | None, Energy | None, tuple[str, ...]]:
        """Read everything since `begin`.

        Raises:
            WorkloadError: more threads worked than were declared.
        """
        assert self._sensors_start is not None, "begin comes first"
        wall_seconds = time.perf_counter() - self._started
        sensors = self._sensors.since(self._sensors_start)
        spent = self._energy.since(self._energy_start) if self._energy is not None else None
        energy = None if spent is None else Energy(joules=spent[0], items=items, source=spent[1])
        peak = self._memory.read()
        memory = None
        if peak is not None:
            memory = Memory(
                peak_bytes=peak[0], method=peak[1], device_peak_bytes=self._device_peak_bytes()
            )
        return sensors, memory, energy, self._check_threads(wall_seconds)

    def _check_threads(self, wall_seconds: float) -> tuple[str, ...]:
        used = self._threads.since(self._threads_start)
        if used is None:
            return ("threads could not be verified on this system",)
        if wall_seconds < _SHORTEST_THREAD_CHECK_SECONDS:
            return ("threads were not verified: the unit was shorter than 0.2 s",)
        # Each concurrent caller brings its threads; the main thread calibrates in between.
        allowed = self._declared * self._callers + 1 if self._callers else self._declared
        complaint = check(allowed, busy_threads(used, wall_seconds))
        if complaint:
            raise WorkloadError(
                f"the figures cannot stand: {complaint}",
                remedy="declare the threads that serve: @pytest.mark.costguard(threads=n)",
            )
        return ()
