"""What disturbed a timed stretch: waiting for a core, switches, steal, throttling, load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.host.affinity import available_cores
from pytest_costguard.host.cgroup import ControlGroups
from pytest_costguard.host.proc import TICKS_PER_SECOND, parse_count, read_text, schedule_times
from pytest_costguard.host.process import OwnProcess, Process
from pytest_costguard.records import Sensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The counters at one moment; only differences between two of them mean anything."""

    wall_seconds: float
    cpu_seconds: float
    wait_ns: Mapping[int, int] | None
    """Nanoseconds in the run queue, by thread id."""
    involuntary_switches: int | None
    voluntary_switches: int | None
    steal_ticks: Mapping[int, int] | None
    """By core."""
    throttled_seconds: float | None


class SensorReader:
    """Reads the sensors before and after a stretch, outside the timed part.

    Args:
        root: where `proc` and `sys` are.
        process: who is asked for clocks, switches and load.
        cores: which cores' steal counts; None from it means all.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        process: Process | None = None,
        cores: Callable[[], frozenset[int] | None] = available_cores,
    ) -> None:
        self._root = root
        self._process = process or OwnProcess()
        self._cores = cores
        self._groups = ControlGroups.locate(root)

    def start(self) -> Snapshot:
        """Return the counters as they stand."""
        times = schedule_times(self._root)
        return Snapshot(
            wait_ns=None if times is None else {tid: time.wait_ns for tid, time in times.items()},
            involuntary_switches=self._process.involuntary_switches(),
            voluntary_switches=self._process.voluntary_switches(),
            steal_ticks=parse_steal(read_text(self._root / "proc/stat") or ""),
            throttled_seconds=self._groups.throttled_seconds(),
            # The clocks last, and first in `since`, so that reading files is not in between.
            cpu_seconds=self._process.cpu_seconds(),
            wall_seconds=self._process.wall_seconds(),
        )

    def since(self, start: Snapshot) -> Sensors:
        """Return what has happened since `start`; a sensor that is missing at either end is None.

        Run-queue wait is that of all threads that are still alive. Steal is that of the cores
        which this process may use, in steps of 10 ms. Throttling is summed over cores.
        """
        wall, cpu = self._process.wall_seconds(), self._process.cpu_seconds()
        now = self.start()
        return Sensors(
            wall_seconds=max(0.0, wall - start.wall_seconds),
            cpu_seconds=max(0.0, cpu - start.cpu_seconds),
            run_queue_wait_seconds=_wait_seconds(start.wait_ns, now.wait_ns),
            involuntary_switches=_switches(start.involuntary_switches, now.involuntary_switches),
            voluntary_switches=_switches(start.voluntary_switches, now.voluntary_switches),
            steal_seconds=self._steal_seconds(start.steal_ticks, now.steal_ticks),
            throttled_seconds=_throttled(start.throttled_seconds, now.throttled_seconds),
            load_average=load_average(self._root, process=self._process),
        )

    def _steal_seconds(
        self, before: Mapping[int, int] | None, after: Mapping[int, int] | None
    ) -> float | None:
        if before is None or after is None:
            return None
        cores = self._cores()
        ticks = sum(
            max(0, count - before.get(core, count))
            for core, count in after.items()
            if cores is None or core in cores
        )
        return ticks / TICKS_PER_SECOND


def load_average(root: Path = Path("/"), *, process: Process | None = None) -> float | None:
    """Return the load of the last minute; the process is asked where `/proc` does not tell."""
    first = (read_text(root / "proc/loadavg") or "").partition(" ")[0]
    whole, point, hundredths = first.partition(".")
    if point and parse_count(whole) is not None and parse_count(hundredths) is not None:
        return float(first)
    return (process or OwnProcess()).load_average()


def parse_steal(text: str) -> dict[int, int] | None:
    """Return each core's steal from `/proc/stat`, in ticks, or None where it is not kept."""
    steal: dict[int, int] = {}
    for line in text.splitlines():
        name, *counts = line.split() or [""]
        core = parse_count(name.removeprefix("cpu")) if name.startswith("cpu") else None
        ticks = parse_count(counts[7]) if len(counts) > 7 else None
        if core is not None and ticks is not None:
            steal[core] = ticks
    return steal or None


def _wait_seconds(
    before: Mapping[int, int] | None, after: Mapping[int, int] | None
) -> float | None:
    """Sum the growth over threads; one with less than before is a new one under an old id."""
    if before is None or after is None:
        return None
    growth = (
        wait - earlier if wait >= (earlier := before.get(tid, 0)) else wait
        for tid, wait in after.items()
    )
    return sum(growth) / 1e9


def _switches(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(0, after - before)


def _throttled(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)
