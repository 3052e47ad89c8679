"""A process with all that it has started: who they are, their memory, and their CPU time.

On Linux, from `/proc`. Elsewhere a tree is empty: nothing is known of it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.host.proc import (
    TICKS_PER_SECOND,
    parse_count,
    parse_fields,
    parse_kib,
    read_text,
)

_ENDED = ("Z", "X")
"""States of a process that is over and has only not been waited for (proc(5))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeProcess:
    """One process, as `/proc/PID/stat` tells it."""

    pid: int
    state: str
    parent: int
    group: int
    cpu_seconds: float
    """Of its threads, and of its children that have ended and were waited for; steps of 10 ms."""
    started: int
    """Ticks from boot: with the number, this tells it from a later one of the same number."""

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.state not in _ENDED


def parse_process(text: str | None) -> TreeProcess | None:
    """Return the process of a `/proc/PID/stat` line, or None.

    The name in the second field may hold spaces and brackets, so counting starts after the last
    closing one. Fields of proc(5): state 3, ppid 4, pgrp 5, utime to cstime 14 to 17, starttime 22.
    """
    before, bracket, after = (text or "").rpartition(")")
    rest = after.split()
    if not bracket or len(rest) < 20:
        return None
    words = (before.partition(" ")[0], rest[1], rest[2], *rest[11:15], rest[19])
    numbers = [count for word in words if (count := parse_count(word)) is not None]
    if len(numbers) != len(words):
        return None
    pid, parent, group, *ticks, started = numbers
    return TreeProcess(
        pid=pid,
        state=rest[0],
        parent=parent,
        group=group,
        cpu_seconds=sum(ticks) / TICKS_PER_SECOND,
        started=started,
    )


class ProcessTree:
    """A process, the group that it was started in, and all that descend from either.

    What leaves the group is still found by its parents; what outlives its parents, by its group.

    Args:
        pid: of the process.
        group: its process group.
        without: a member of the group that does not belong to it.
        root: where `proc` is.
    """

    def __init__(
        self, pid: int, *, group: int, without: int | None = None, root: Path = Path("/")
    ) -> None:
        self._pid = pid
        self._group = group
        self._without = without
        self._proc = root / "proc"

    @property
    def group(self) -> int:
        """The process group that it was started in."""
        return self._group

    def processes(self) -> tuple[TreeProcess, ...]:
        """Return all of them as they are now, those that have ended and wait included."""
        everyone = self._everyone()
        children: dict[int, list[TreeProcess]] = {}
        for one in everyone:
            children.setdefault(one.parent, []).append(one)
        waiting = [one for one in everyone if self._pid == one.pid or self._group == one.group]
        found: dict[int, TreeProcess] = {}
        while waiting:
            one = waiting.pop()
            if one.pid != self._without and one.pid not in found:
                found[one.pid] = one
                waiting += children.get(one.pid, ())
        return tuple(found.values())

    def send(self, processes: Iterable[TreeProcess], number: signal.Signals) -> None:
        """Send a signal to processes of an earlier look, each only if it is still the same one."""
        for one in processes:
            now = self._read(one.pid)
            if now is not None and now.started == one.started:
                try:
                    os.kill(one.pid, number)
                except (ProcessLookupError, PermissionError):
                    continue  # it has ended, or has become another user's

    def peak_bytes(self, pid: int) -> int | None:
        """Return the most that a process held in memory since its mark was reset, or it began."""
        status = read_text(self._proc / f"{pid}/status") or ""
        return parse_kib(parse_fields(status).get("VmHWM"))

    def reset_peak(self, pid: int) -> bool:
        """Let a process's mark start again from what it holds now; return whether that worked."""
        try:
            # Opened without creating it: where there is no `/proc`, nothing must appear.
            with (self._proc / f"{pid}/clear_refs").open("r+b", buffering=0) as clear_refs:
                clear_refs.write(b"5")
        except OSError:
            return False
        return True

    def _everyone(self) -> list[TreeProcess]:
        try:
            names = [entry.name for entry in self._proc.iterdir()]
        except OSError:
            return []
        pids = (pid for name in names if (pid := parse_count(name)) is not None)
        return [one for pid in pids if (one := self._read(pid)) is not None]

    def _read(self, pid: int) -> TreeProcess | None:
        return parse_process(read_text(self._proc / f"{pid}/stat"))
