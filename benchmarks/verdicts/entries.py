"""What is recorded: one entry for each batch of units, peers' run, stored run and live run."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from pytest_costguard.errors import RecordError
from pytest_costguard.host.fingerprint import fingerprint
from pytest_costguard.host.revision import commit_of
from pytest_costguard.records import (
    Block,
    ClockName,
    Fingerprint,
    PairingKind,
    SideName,
    Unit,
)

Condition = Literal["quiet", "burners"]
CONDITIONS: tuple[Condition, ...] = ("quiet", "burners")
_STEPS = 4096
"""Block times are whole numbers of steps, so many to the median block: a step is 0.02 %."""


METHOD = 3
"""Which way of measuring units come from: another one begins where what a unit measures changes.

2: turns of 8 ms where both sides serve at once, a short warm-up and few requests where they are
long, CPU time wherever no thread gave its core up. 3: memory lies at another place in each
process (decision 11), and no more requests run alone than their figures need.
"""


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """Where, when and beside what an entry was recorded."""

    machine: Fingerprint
    system: str
    commit: str
    recorded: dt.datetime
    condition: Condition
    load_average: float
    method: int


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """Positive times as whole numbers of steps of 0.02 % of their median, 16 bits each.

    What is longer than 16 medians is cut there.
    """

    step_seconds: float
    steps: bytes

    @classmethod
    def of(cls, seconds: NDArray[np.float64]) -> Samples:
        """Compact some times, in their order."""
        step = float(np.median(seconds)) / _STEPS
        steps = np.clip(np.rint(seconds / step), 1, 65535).astype("<u2")
        return cls(step_seconds=step, steps=steps.tobytes())

    def seconds(self) -> NDArray[np.float64]:
        """Return the times."""
        return np.frombuffer(self.steps, "<u2") * self.step_seconds


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """The wall and CPU seconds of every block of a unit, both sides, to 0.02 %."""

    walls: Samples
    """Of base, then of head."""
    waits: bytes
    """Wall less CPU time in the same steps, signed."""

    @classmethod
    def of(cls, base: Unit, head: Unit) -> Blocks:
        """Compact the blocks of both sides."""
        seconds = _times((base, head), lambda block: block.wall_seconds)
        walls = Samples.of(seconds.ravel())
        waits = seconds - _times((base, head), lambda block: block.cpu_seconds)
        steps = np.clip(np.rint(waits / walls.step_seconds), -32768, 32767).astype("<i2")
        return cls(walls=walls, waits=steps.tobytes())

    def wall_seconds(self) -> NDArray[np.float64]:
        """Two rows, base and head, in the order in which they were served."""
        return self.walls.seconds().reshape(2, -1)

    def cpu_seconds(self) -> NDArray[np.float64]:
        """The same of the processes' own CPU clocks; at least one step."""
        step = self.walls.step_seconds
        waits = np.frombuffer(self.waits, "<i2").reshape(2, -1) * step
        return cast("NDArray[np.float64]", np.maximum(self.wall_seconds() - waits, step))


def _times(units: Iterable[Unit], of: Callable[[Block], float]) -> NDArray[np.float64]:
    return np.array([[of(block) for block in unit.blocks] for unit in units])


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit says about one metric, as `stats.pairing.paired_units` gives it."""

    change: float
    total: float | None = None
    summed: float | None = None
    """Not recorded before 2026-11-29; then it is told from the blocks, where they are kept."""


class Disturbance(msgspec.Struct, frozen=True, kw_only=True):
    """What a side's sensors saw, as shares of its measured wall time."""

    cpu: float
    run_queue_wait: float | None
    steal: float | None
    involuntary_switches: int | None


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One unit of one level."""

    level: int
    first: SideName
    core: tuple[int, ...]
    changes: dict[str, Change]
    paired_seconds: float
    """Warm-up and blocks of both sides."""
    pairing: PairingKind | None = None
    clock: ClockName | None = None
    disturbances: dict[SideName, Disturbance]
    blocks: Blocks | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A few units of one workload: the levels of a unit share its pair of processes."""

    about: Circumstances
    workload: str
    number: int
    opening_seconds: float
    """From the start of the first pair of processes until its first workload was reached."""
    run_seconds: float
    """Of the whole batch."""
    units: tuple[tuple[Cell, ...], ...]

    @property
    def overhead_seconds(self) -> float:
        """Of a unit of one level alone, beyond measuring: the start, and its share of the rest.

        The rest is loading, the blocks' commands and the end, of all levels of the batch.
        """
        paired = sum(cell.paired_seconds for unit in self.units for cell in unit)
        beyond = max(0.0, self.run_seconds - paired) / len(self.units)
        rest = max(0.0, beyond - self.opening_seconds) / len(self.units[0])
        return self.opening_seconds + rest


class PeerRun(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of runs of pytest-benchmark as itself: first base, then head against it."""

    about: Circumstances
    seconds: float
    exit_status: int
    cases: tuple[PeerCase, ...]


class PeerCase(msgspec.Struct, frozen=True, kw_only=True):
    """One workload at one level in a pair of runs."""

    workload: str
    level: int
    means: tuple[float, float]
    """Seconds of base and of head, as pytest-benchmark reports them."""
    failed: bool
    """Whether pytest-benchmark named it as regressed."""
    samples: tuple[Samples, Samples]
    """Of each side up to 1,000 of the timings, as they came."""
    rounds: tuple[int, int]

    def timings(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the timings of base and head in seconds."""
        base, head = self.samples
        return base.seconds(), head.seconds()


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """One plain run of our own, as a baseline stores it: the logarithms of its units."""

    about: Circumstances
    seconds: float
    cases: tuple[StoredCase, ...]


class StoredCase(msgspec.Struct, frozen=True, kw_only=True):
    """One workload at one level in a plain run."""

    workload: str
    level: int
    logs: tuple[float, ...]
    """Of the mean latency in seconds, one a unit."""
    calibration: tuple[float, ...]
    """Of the calibration kernel's seconds, interleaved with it, one a unit."""


class LiveRun(msgspec.Struct, frozen=True, kw_only=True):
    """One `pytest --costguard --costguard-against`, with all five workloads."""

    about: Circumstances
    level: int
    seconds: float
    """Of the whole command."""
    exit_status: int
    cases: tuple[LiveCase, ...]


class LiveCase(msgspec.Struct, frozen=True, kw_only=True):
    """What the plugin said of a workload's mean latency."""

    workload: str
    verdict: str
    memory_verdict: str
    units: int
    seconds: float
    """Of this workload, starts included."""
    paired_seconds: float
    """Warm-up and blocks of both sides."""
    ratio: float | None


def circumstances(condition: Condition, *, root: Path) -> Circumstances:
    """Describe this machine, this moment and the commit that is measured."""
    commit = commit_of(root)
    return Circumstances(
        machine=fingerprint(environ=os.environ),
        system=f"{platform.system()} {platform.release()}",
        commit="" if commit is None else commit.sha + ("+" if commit.dirty else ""),
        recorded=dt.datetime.now(tz=dt.UTC).replace(microsecond=0),
        condition=condition,
        load_average=os.getloadavg()[0],
        method=METHOD,
    )


Entry = TypeVar("Entry", Batch, PeerRun, StoredRun, LiveRun)


def of_this_machine(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that were recorded on a machine like this one: what is left to do here."""
    here = fingerprint(environ=os.environ).identity()
    return [entry for entry in of_this_method(entries) if entry.about.machine.identity() == here]


def of_this_method(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that were measured as units are measured now: no others are shown."""
    return [entry for entry in entries if entry.about.method == METHOD]


def identity_of(entries: Iterable[Circumstances], *, machine: int | None = None) -> object:
    """Return which machine is meant: figures of several are never mixed.

    Args:
        entries: of everything that was recorded.
        machine: its number in the order of first appearance; None: the only one.

    Raises:
        RecordError: there are several and none is chosen, or there is none of that number.
    """
    known = list(dict.fromkeys(entry.machine.identity() for entry in entries))
    if not known:
        return None
    if machine is None and len(known) > 1:
        named = "; ".join(f"{i}: {one[0]}, {one[1]} cores" for i, one in enumerate(known))
        raise RecordError(
            f"the records come from {len(known)} machines ({named})",
            remedy="choose one with --machine NUMBER",
        )
    if not 0 <= (machine or 0) < len(known):
        raise RecordError(
            f"there is no machine {machine} among {len(known)}",
            remedy=f"choose from 0 to {len(known) - 1}",
        )
    return known[machine or 0]
